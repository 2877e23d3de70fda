"""A rejection says what is in a file of another writer, and what would help."""

import re
import struct
import sys
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

from deep.data.conversion import read_any
from deep.data.load import ACCEPTED, read
from deep.data.reading import Reading
from tests.support import other_writers as writers
from tests.support.tables import ENDS, NUMBER
from theory.support.errors import InputError

pytest.importorskip("pyarrow")  # of the extra `data`
DATA = writers.recording()


def without(key: str) -> dict[str, np.ndarray]:
    return {name: values for name, values in DATA.items() if name != key}


def renamed(old: str, new: str) -> dict[str, np.ndarray]:
    return {new if name == old else name: values for name, values in DATA.items()}


def marked_by(name: str, values: np.ndarray) -> dict[str, np.ndarray]:
    """The recording whose ends nothing marks but this column."""
    return {key: array for key, array in DATA.items() if key not in ("terminals", "timeouts")} | {name: values}


GYM = {"obs": DATA["observations"], "action": DATA["actions"], "reward": DATA["rewards"], "cost": DATA["costs"],
       "done": ENDS}  # fmt: skip
"""The recording under the names of gymnasium's step."""


def d3rlpy_with_costs(path: Path) -> Path:
    written = writers.write_d3rlpy(path / "replay.h5", DATA)
    with h5py.File(written, "r+") as file:
        for i, episode in enumerate(writers.episodes(DATA)):
            file[f"cost_{i}"] = episode["costs"]
    return written


@pytest.mark.parametrize(
    ("write", "sentence"),
    [
        (lambda path: writers.write_d4rl(path / "a.hdf5", DATA),
         r"no array costs.*it has actions \[67, 2\] float32.*infos/qpos \[67, 2\].*; --cost-function MODULE:NAME may"),
        (lambda path: writers.write_d4rl(path / "a.hdf5", DATA, "infos/cost"),
         "--columns costs=infos/cost or --cost-function MODULE:NAME may serve"),
        (lambda path: writers.write_hdf5(path / "a.h5", renamed("observations", "obs")), "--columns observations=obs"),
        (lambda path: writers.write_hdf5(path / "a.h5", renamed("rewards", "Reward")), "--columns rewards=Reward may"),
        (lambda path: writers.write_csv(path / "a.csv", renamed("timeouts", "timeoutz")), "timeouts=timeoutz may"),
        (lambda path: writers.write_csv(path / "a.csv", without("actions")), "no array actions: .*uint8|bool"),
        (lambda path: writers.write_minari(path, DATA, "price"), "no array infos/cost.*infos/price"),
        (lambda path: writers.write_d3rlpy(path / "a.h5", DATA), "no array costs_0.*--cost-function"),
        (lambda path: writers.write_hdf5(path / "a.hdf5", marked_by("done", ENDS)), "--columns dones=done may serve$"),
        (lambda path: writers.write_hdf5(path / "a.hdf5", marked_by("Episode", NUMBER)),
         "--columns episodes=Episode may serve$"),
        (lambda path: writers.write_hdf5(path / "a.hdf5", marked_by("terminated", DATA["terminals"])),
         "--columns terminals=terminated dones=terminated may serve where every trajectory ends in a terminal state$"),
        (lambda path: writers.write_hdf5(path / "a.hdf5", marked_by("truncated", DATA["timeouts"])),
         "--columns timeouts=truncated dones=truncated may serve where every trajectory times out$"),
        (lambda path: writers.write_hdf5(path / "a.hdf5", marked_by("terminated", DATA["terminals"]) | {"done": ENDS}),
         "--columns terminals=terminated dones=done may serve$"),
        (lambda path: writers.write_hdf5(
            path / "a.hdf5", marked_by("terminated", DATA["terminals"]) | {"truncated": DATA["timeouts"]}),
         "--columns terminals=terminated timeouts=truncated may serve$"),
        (lambda path: writers.write_csv(path / "a.csv", marked_by("reward_sum", DATA["rewards"])),
         r"has no array terminals or timeouts: .*or dones or episodes \(the trajectory's number\), .*reward_sum \[67\] "
         r"float64$"),
        (lambda path: writers.write_hdf5(path / "a.hdf5", GYM),
         "has no array observations, actions, rewards, costs, terminals or timeouts: .*--columns observations=obs "
         "actions=action rewards=reward costs=cost dones=done may serve$"),
        (lambda path: writers.write_hdf5(path / "a.hdf5", {k: v for k, v in GYM.items() if k != "cost"}),
         "observations=obs actions=action rewards=reward dones=done and --cost-function MODULE:NAME may serve$"),
        (lambda path: writers.write_csv(path / "a.csv", renamed("costs", "infos_cost")), "--columns costs=infos_cost"),
        (lambda path: writers.write_csv(path / "a.csv", renamed("costs", "safetyCost")), "--columns costs=safetyCost"),
        (lambda path: d3rlpy_with_costs(path), "no array costs_0.*; --columns costs=cost or --cost-function"),
    ],
)  # fmt: skip
def test_a_rejection_lists_what_there_is_and_what_may_serve(tmp_path, write, sentence):
    with pytest.raises(InputError, match=sentence) as error:
        read_any(write(tmp_path))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        (("costs",), "--columns costs: KEY=NAME"),
        (("cost=infos/cost",), "--columns cost=infos/cost: KEY=NAME.*keys are observations"),
        (("costs=a", "costs=b"), "--columns costs=b: KEY=NAME, once"),
        (("costs=infos/gone",), "no array infos/gone.*may serve"),
        (("rewards=infos/qpos",), r"rewards|infos/qpos"),
    ],
)
def test_columns_that_are_none_are_rejected(tmp_path, columns, sentence):
    path = writers.write_d4rl(tmp_path / "a.hdf5", DATA, "infos/cost")
    with pytest.raises(InputError, match=sentence):
        read_any(path, Reading(columns=columns))


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("a.csv", b"rewards,costs\n1,2,3\n", "has 3 cells in line 2, '1,2,3', and 2 in its first line: as many"),
        ("a.parquet", b"PAR1 no more", "cannot be read"),
        ("a.npz", b"PK\x03\x04", f"a.npz is not a complete .npz archive: {re.escape(ACCEPTED)}"),
        ("a.txt", b"1 2 3", f"is not an HDF5 file, nor of another known format: {re.escape(ACCEPTED)}"),
        ("a.h5", b"\x89HDF", f"is not an HDF5 file, nor of another known format: {re.escape(ACCEPTED)}"),
        ("a.csv", b"costs,rewards,costs\n1,2,3\n", "has two columns costs: columns of different names"),
    ],
)
def test_damaged_tables_are_rejected_in_one_sentence(tmp_path, name, content, sentence):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=sentence) as error:
        read_any(tmp_path / name)
    assert "\n" not in str(error.value)


def hinted(path: Path) -> Reading:
    """What the rejection of a file proposes, read from its own words."""
    with pytest.raises(InputError) as error:
        read_any(path)
    columns = re.search(r"--columns ([^;]*?) (?:may|or|and --cost)", str(error.value))
    assert columns is not None
    return Reading(columns=tuple(columns[1].split()))


@pytest.mark.parametrize(
    ("data", "ends"),
    [
        (GYM, ENDS),
        (marked_by("done", ENDS), ENDS),
        (marked_by("episode_id", NUMBER), ENDS),
        (marked_by("terminated", DATA["terminals"]) | {"truncated": DATA["timeouts"]}, ENDS),
        (marked_by("terminated", DATA["terminals"]) | {"trajectory": NUMBER}, ENDS),
        (marked_by("truncated", DATA["timeouts"]) | {"done": ENDS}, ENDS),
    ],
)
def test_what_a_rejection_proposes_is_read(data, ends, tmp_path):
    path = writers.write_hdf5(tmp_path / "a.hdf5", data)
    found = read_any(path, hinted(path))
    kept = ~found.shortened if found.shortened is not None else np.ones(len(found.ends), dtype=bool)
    assert len(found.ends) == ends.sum()
    if "truncated" in data or "terminated" in data:
        np.testing.assert_array_equal(found.terminals, DATA["terminals"])
        np.testing.assert_array_equal(found.timeouts, DATA["timeouts"])
    assert found.lengths[kept].max(initial=12) == 12


def test_a_proposal_repeats_what_was_given(tmp_path):
    path = writers.write_hdf5(
        tmp_path / "a.hdf5", marked_by("done", ENDS) | {"costs": DATA["rewards"], "toll": DATA["costs"]}
    )
    with pytest.raises(InputError, match="--columns costs=toll dones=done may serve"):
        read_any(path, Reading(columns=("costs=toll",)))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda x: x.pop("observations_1"), "has observations_0 and observations_2 but no observations_1: columns"),
        (lambda x: x.pop("observations_0"), "has observations_1 and observations_2 but no observations_0: columns"),
        (lambda x: x.pop("next_observations_1"), "has next_observations_0 and next_observations_2 but no next_"),
        (lambda x: x.update({"state[0]": x.pop("observations_0"), "state[2]": x.pop("observations_1"),
                             "x": x.pop("observations_2")}), r"has state\[0\] and state\[2\] but no state\[1\]"),
    ],
)  # fmt: skip
def test_a_column_that_a_vector_lacks_is_named(change, sentence, tmp_path):
    columns = writers.table(DATA)
    change(columns)
    with pytest.raises(InputError, match=sentence):
        read_any(writers.write_csv(tmp_path / "a.csv", columns))


def cell(path: Path, name: str, row: int, text: str) -> Path:
    """The recording as a table in which one cell is this text."""
    lines = [line.split(",") for line in writers.write_csv(path, DATA).read_text().splitlines()]
    lines[row + 1][lines[0].index(name)] = text
    path.write_text("\n".join(map(",".join, lines)) + "\n")
    return path


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("costs", "high", "has 'high' in row 5 of costs: a number in each is accepted"),
        ("observations_1", "1.2.3", "has '1.2.3' in row 5 of observations, column 1: a number"),
        ("timeouts", "maybe", "has 'maybe' in row 5 of timeouts: "),
        ("costs", "", "has an empty cell, or one that marks a missing value, in row 5 of costs: a number"),
    ],
)
def test_a_cell_that_is_no_number_is_named(name, text, sentence, tmp_path):
    with pytest.raises(InputError, match=sentence):
        read_any(cell(tmp_path / "a.csv", name, 5, text))


def test_a_text_in_parquet_is_named(tmp_path):
    data = {**DATA, "costs": np.where(np.arange(67) == 9, "x", "1.0")}
    with pytest.raises(InputError, match="has 'x' in row 9 of costs: a number"):
        read_any(writers.write_parquet(tmp_path / "a.parquet", data))
    with pytest.raises(InputError, match=r"has texts in costs, such as '1.0': numbers"):
        read_any(writers.write_parquet(tmp_path / "b.parquet", {**DATA, "costs": np.full(67, "1.0")}))


def test_columns_that_are_not_read_may_hold_anything(tmp_path):
    remark = np.array(["", *["fine"] * 65, "x"])
    speed = np.array(["1.5"] * 66 + [""])
    others = {"remark": remark, "note_0": remark, "note_2": remark, "speed": speed}
    path = writers.write_csv(tmp_path / "a.csv", {**DATA, **others})
    path.write_text(path.read_text().replace("'", ""))
    np.testing.assert_array_equal(read_any(path).costs, DATA["costs"])


def test_a_column_may_become_another_kind_of_number_far_down(tmp_path):
    """pyarrow takes the type from the first megabyte."""
    count = 40000
    rows = [f"0.5,0.5,1,{0 if i < count - 1 else 0.25},0,{int(i % 100 == 99)}" for i in range(count)]
    head = "observations_0,actions_0,rewards,costs,terminals,timeouts"
    (tmp_path / "a.csv").write_text("\n".join([head, *rows]) + "\n")
    assert (tmp_path / "a.csv").stat().st_size < 2 << 20
    found = read(tmp_path / "a.csv", "a")[0]
    assert found["costs"][-1] == np.float32(0.25)
    rows[-2] = rows[-2].replace(",1,", ",one,")
    (tmp_path / "a.csv").write_text("\n".join([head, *rows]) + "\n")
    with pytest.raises(InputError, match=f"has 'one' in row {count - 2} of rewards"):
        read(tmp_path / "a.csv", "a")


def test_pickled_arrays_are_not_loaded(tmp_path):
    np.savez(tmp_path / "a.npz", obs=np.array([{"a": 1}], dtype=object))
    with pytest.raises(InputError, match=r"cannot be read .*allow_pickle"):
        read_any(tmp_path / "a.npz")


@pytest.mark.parametrize(
    "header",
    [
        b"{'descr': '<f4', 'fortran_order': False, 'shape': (67,",
        b"{'descr': (), 'fortran_order': False, 'shape': (67,)}",
        b"{'descr': '|O', 'fortran_order': False, 'shape': (%d,)}" % 10**20,
    ],
)
def test_a_damaged_header_of_numpys_arrays_is_named(header, tmp_path):
    """Each ended in a traceback: numpy raises what its tokenizer, an index or a whole number does."""
    with zipfile.ZipFile(writers.write_npz(tmp_path / "a.npz", DATA), "a") as archive:
        archive.writestr("x.npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + bytes(268))
    with pytest.raises(InputError, match=r"a.npz cannot be read \(.*\): a complete .npz of arrays of numbers") as error:
        read_any(tmp_path / "a.npz")
    assert "\n" not in str(error.value)


def test_a_first_line_of_one_long_cell_is_named(tmp_path):
    """Python's own reader of tables has a limit."""
    (tmp_path / "a.csv").write_text("a" * 200_000 + ",rewards\n1,2\n")
    with pytest.raises(InputError, match=r"a.csv cannot be read \(field larger than field limit"):
        read_any(tmp_path / "a.csv")


def test_a_column_numbered_by_thousands_of_digits_is_no_entry_of_a_vector(tmp_path):
    """Python makes no whole number of so many."""
    path = writers.write_csv(tmp_path / "a.csv", DATA | {"x_" + "1" * 5000: DATA["rewards"]})
    np.testing.assert_array_equal(read_any(path).rewards, DATA["rewards"])


@pytest.mark.parametrize("table", ["csv", "arrow"])
def test_a_missing_package_is_named(table, tmp_path, monkeypatch):
    path = (
        writers.write_csv(tmp_path / "a.csv", DATA)
        if table == "csv"
        else writers.write_minari(tmp_path, DATA, form="arrow")
    )
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(InputError, match="needs the package pyarrow: `pip install pyarrow`"):
        read_any(path)


@pytest.mark.parametrize("reading", [Reading(), Reading(last_trajectory="drop")])
@pytest.mark.parametrize("known", [(), ("next_observations",)])
@pytest.mark.parametrize(
    ("key", "value", "found"),
    [
        ("rewards", np.inf, "has inf in row 40 of rewards: "),
        ("rewards", 1e30, "has 1.*e.30 in row 40 of rewards: "),
        ("costs", -1, "has -1.0 in row 40 of costs: "),
        ("actions", np.nan, "has nan in row 40 of actions, column 0: "),
    ],
)
def test_a_bad_value_is_named_by_its_row_in_the_file(key, value, found, known, reading, tmp_path):
    """Three last steps are left out before it where no next observations are known, and the second trajectory where it
    breaks off and is dropped."""
    kept = np.arange(67) != 18 if reading.last_trajectory and known else np.ones(67, dtype=bool)
    data = {each: DATA[each][kept] for each in DATA if each in known or each != "next_observations"}
    data[key][40] = value
    with pytest.raises(InputError, match=found):
        read_any(writers.write_hdf5(tmp_path / "a.hdf5", data), reading)
