"""Files of the peers' own writers are read to the last bit; what cannot be read is rejected with what would help."""

import sys
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from deep.data.conversion import of_episodes, read_any
from deep.data.data_path import data_path
from deep.data.dataset import KEYS
from deep.data.load import read
from deep.data.reading import Reading
from tests.support import other_writers as writers
from theory.support.errors import InputError

pytest.importorskip("pyarrow")  # of the extra `data`
DATA = writers.recording()
COST = "tests.support.other_writers:cost"
BY_FUNCTION = Reading(cost_function=COST)


def d3rlpy(path: Path) -> Path:
    return writers.write_d3rlpy(path / "replay.h5", DATA)


WRITTEN: dict[str, tuple[Callable[[Path], Path], Reading]] = {
    "minari": (lambda path: writers.write_minari(path, DATA), Reading()),
    "minari, no entry of the reset": (lambda path: writers.write_minari(path, DATA, reset=False), Reading()),
    "minari, arrow": (lambda path: writers.write_minari(path, DATA, form="arrow"), Reading()),
    "minari, parquet": (lambda path: writers.write_minari(path, DATA, form="parquet"), Reading()),
    "minari, arrow, another key": (
        lambda path: writers.write_minari(path, DATA, "constraint", form="arrow"),
        Reading(columns=("costs=infos/constraint",)),
    ),
    "minari, another key": (
        lambda path: writers.write_minari(path, DATA, "constraint"),
        Reading(columns=("costs=infos/constraint",)),
    ),
    "omnisafe": (lambda path: writers.write_omnisafe(path / "data.npz", DATA), Reading()),
    "d4rl, costs by a function": (lambda path: writers.write_d4rl(path / "d4rl.hdf5", DATA), BY_FUNCTION),
    "d4rl, costs in an array": (
        lambda path: writers.write_d4rl(path / "d4rl.hdf5", DATA, "infos/cost"),
        Reading(columns=("costs=infos/cost",)),
    ),
    "csv": (lambda path: writers.write_csv(path / "log.csv", DATA), Reading()),
    "parquet": (lambda path: writers.write_parquet(path / "log.parquet", DATA), Reading()),
}


@pytest.mark.parametrize(("write", "reading"), WRITTEN.values(), ids=WRITTEN)
def test_the_arrays_are_those_that_were_written(tmp_path, write, reading):
    found = read_any(write(tmp_path), reading)
    for key in KEYS:
        np.testing.assert_array_equal(getattr(found, key), DATA[key], err_msg=key, strict=True)


def test_d3rlpy_has_no_observation_after_the_last_step(tmp_path):
    """The terminal trajectory is whole; the others lose their last step."""
    found = read_any(d3rlpy(tmp_path), BY_FUNCTION)
    kept = ~DATA["timeouts"]
    for key in ("observations", "actions", "rewards", "costs", "terminals"):
        np.testing.assert_array_equal(getattr(found, key), DATA[key][kept], strict=True)
    assert found.lengths.tolist() == [writers.LENGTHS[0], *(length - 1 for length in writers.LENGTHS[1:])]
    assert "last steps of 5 trajectories" in " ".join(found.remarks)


@pytest.mark.parametrize("form", ["hdf5", "arrow"])
def test_a_minari_data_set_is_found_by_its_id(form, tmp_path, monkeypatch):
    folder = writers.write_minari(tmp_path, DATA, form=form)
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    assert data_path("minari:lab/arm/mixed-v0") == folder
    found = read_any(data_path("minari:lab/arm/mixed-v0"))
    assert found.provenance["minari_dataset_id"] == "lab/arm/mixed-v0"


def test_omnisafe_does_not_say_why_a_trajectory_ended(tmp_path):
    found = read_any(writers.write_omnisafe(tmp_path / "data.npz", DATA))
    assert found.remarks[0] == (
        "done do not say why a trajectory ended: 5 of 12 steps are taken for timeouts, 1 shorter ones for terminals"
    )


@pytest.mark.parametrize("change", [">f4", "<f8", "f2"])
def test_numbers_of_other_types_are_read(tmp_path, change):
    data = {key: values.astype("f2").astype("f4") if values.dtype == "f4" else values for key, values in DATA.items()}
    with h5py.File(tmp_path / "file.hdf5", "w") as file:
        for key, values in data.items():
            file[key] = values.astype(change) if values.dtype == "f4" else values.astype("i8")
    arrays = read(tmp_path / "file.hdf5", "file")[0]
    for key, values in data.items():
        np.testing.assert_array_equal(arrays[key], values, strict=True)


def test_whole_numbers_and_booleans_are_numbers(tmp_path):
    whole = {**DATA, "observations": (DATA["observations"] > 0), "next_observations": (DATA["observations"] > 1)}
    whole["actions"] = np.sign(DATA["actions"]).astype(np.int64)
    whole["rewards"] = (1000 * DATA["rewards"]).astype(np.int32)
    with h5py.File(tmp_path / "file.hdf5", "w") as file:
        for key, values in whole.items():
            file[key] = values
    arrays = read(tmp_path / "file.hdf5", "file")[0]
    for key in ("observations", "actions", "rewards"):
        np.testing.assert_array_equal(arrays[key], whole[key].astype(np.float32), strict=True)


# Ends


@pytest.mark.parametrize("write", [writers.write_csv, writers.write_parquet])
def test_a_column_of_episode_numbers_says_where_trajectories_end(tmp_path, write):
    data = {key: values for key, values in DATA.items() if key != "timeouts"}
    data["number"] = np.repeat([3, 4, 8, 8.5, 10, 11], writers.LENGTHS)
    path = write(tmp_path / f"log.{write.__name__.removeprefix('write_')}", data)
    found = read_any(path, Reading(columns=("episodes=number",)))
    for key in KEYS:
        np.testing.assert_array_equal(getattr(found, key), DATA[key], strict=True)


def test_ends_with_terminals_need_no_rule(tmp_path):
    """d3rlpy's version 1 has terminals and episode_terminals."""
    path = tmp_path / "v1.h5"
    with h5py.File(path, "w") as file:
        for key in DATA.keys() - {"timeouts"}:
            file[key] = DATA[key]
        file["episode_terminals"] = (DATA["terminals"] | DATA["timeouts"]).astype(np.float32)
    found = read_any(path, Reading(columns=("dones=episode_terminals",)))
    np.testing.assert_array_equal(found.timeouts, DATA["timeouts"])
    assert found.remarks == ()


@pytest.mark.parametrize("cut", [1, 5])
def test_a_trajectory_that_was_cut_off_is_dropped_where_that_is_asked(tmp_path, cut):
    part = {key: values[:-cut] for key, values in DATA.items()}
    path = writers.write_csv(tmp_path / "log.csv", part)
    with pytest.raises(InputError, match=rf"middle of a trajectory.*--last-trajectory drop.*the last {12 - cut} rows"):
        read_any(path)
    found = read_any(path, Reading(last_trajectory="drop"))
    assert len(found) == len(DATA["rewards"]) - 12
    assert found.remarks == (f"{12 - cut} rows of trajectories that were cut off are left out",)


def test_what_an_agent_of_omnisafe_had_begun_is_dropped_too(tmp_path):
    """The next agent's first trajectory follows it."""
    kept = np.ones(len(DATA["rewards"]), dtype=bool)
    kept[25:31] = False  # of the third trajectory, rows 19 to 30
    path = writers.write_omnisafe(tmp_path / "data.npz", {key: values[kept] for key, values in DATA.items()})
    with pytest.raises(InputError, match="in row 24 of next_observations"):
        read_any(path)
    whole = (np.arange(len(kept)) < 19) | (np.arange(len(kept)) > 30)
    found = read_any(path, Reading(last_trajectory="drop"))
    np.testing.assert_array_equal(found.observations, DATA["observations"][whole])


# Cost functions


def test_computed_costs_are_part_of_the_hash(tmp_path):
    path = writers.write_d4rl(tmp_path / "d4rl.hdf5", DATA)
    other = Reading(cost_function="tests.support.other_writers:cost_of_where_it_leads")
    hashes = {read_any(path, reading).sha256 for reading in (BY_FUNCTION, other)}
    assert len(hashes) == 2
    assert read_any(path, BY_FUNCTION).sha256 in hashes


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("no_such_module:f", "no_such_module:f cannot be loaded .ModuleNotFoundError"),
        ("tests.support.other_writers:none", "cannot be loaded .AttributeError"),
        ("tests.support.other_writers:broken", "failed .ZeroDivisionError: no such number.: one number for each"),
        ("tests.support.other_writers:of_another_shape", r"gives an array of shape \(67, 3\)"),
        ("tests.support.other_writers:cost_of_where_it_leads", "has the parameters next_observations: .* for this fi"),
    ],
)
def test_a_cost_function_that_is_none_is_rejected(tmp_path, name, sentence):
    with pytest.raises(InputError, match=sentence) as error:
        read_any(d3rlpy(tmp_path), Reading(cost_function=name))
    assert "\n" not in str(error.value)


# Rejections


def without(key: str) -> dict[str, np.ndarray]:
    return {name: values for name, values in DATA.items() if name != key}


def renamed(old: str, new: str) -> dict[str, np.ndarray]:
    return {new if name == old else name: values for name, values in DATA.items()}


@pytest.mark.parametrize(
    ("write", "sentence"),
    [
        (lambda path: writers.write_d4rl(path / "a.hdf5", DATA),
         r"no array costs.*it has actions \[67, 2\] float32.*infos/qpos \[67, 2\].*; --cost-function MODULE:NAME may"),
        (lambda path: writers.write_d4rl(path / "a.hdf5", DATA, "infos/cost"),
         "--columns costs=infos/cost or --cost-function MODULE:NAME may serve"),
        (lambda path: writers.write_csv(path / "a.csv", renamed("observations", "obs")), "--columns observations=obs"),
        (lambda path: writers.write_csv(path / "a.csv", renamed("rewards", "Reward")), "--columns rewards=Reward may"),
        (lambda path: writers.write_csv(path / "a.csv", renamed("timeouts", "timeoutz")), "timeouts=timeoutz may"),
        (lambda path: writers.write_csv(path / "a.csv", without("actions")), "no array actions: .*uint8|bool"),
        (lambda path: writers.write_minari(path, DATA, "price"), "no array infos/cost.*infos/price"),
        (lambda path: d3rlpy(path), "no array costs_0.*--cost-function"),
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
        ("a.csv", b"rewards,costs\n1,\n2,3\n", "has an empty cell in row 0 of costs"),
        ("a.csv", b"rewards\n1,2\n", "cannot be read"),
        ("a.parquet", b"PAR1 no more", "cannot be read"),
        ("a.npz", b"PK\x03\x04", "is not an HDF5 file"),
        ("a.txt", b"1 2 3", "is not an HDF5 file"),
    ],
)
def test_damaged_tables_are_rejected_in_one_sentence(tmp_path, name, content, sentence):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=sentence) as error:
        read_any(tmp_path / name)
    assert "\n" not in str(error.value)


def test_texts_are_rejected(tmp_path):
    data = {**DATA, "costs": np.where(DATA["costs"] > 0, "high", "low")}
    path = tmp_path / "a.csv"
    path.write_text(writers.write_csv(path, data).read_text().replace("'", ""))
    with pytest.raises(InputError, match="has costs of type object: numbers"):
        read_any(path)


def test_pickled_arrays_are_not_loaded(tmp_path):
    np.savez(tmp_path / "a.npz", obs=np.array([{"a": 1}], dtype=object))
    with pytest.raises(InputError, match=r"cannot be read .*allow_pickle"):
        read_any(tmp_path / "a.npz")


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


def test_a_folder_that_is_no_minari_data_set_is_rejected(tmp_path):
    with pytest.raises(InputError, match="is a folder: a file is accepted, or the folder of a Minari data set"):
        read_any(tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "metadata.json").write_text("{}")
    with pytest.raises(InputError, match='written with data_format="hdf5", "arrow" or "parquet" is accepted'):
        read_any(tmp_path)


def test_every_file_of_a_minari_data_set_is_part_of_its_hash(tmp_path):
    folder = writers.write_minari(tmp_path, DATA, form="arrow")
    hashes = [read_any(folder).sha256]
    part = next((folder / "data" / "4").glob("part-*"))
    content = part.read_bytes()
    place = content.index(DATA["rewards"][43:55].tobytes())
    part.write_bytes(content[:place] + np.float32(0.125).tobytes() + content[place + 4 :])
    found = read_any(folder)
    assert found.rewards[43] == np.float32(0.125)
    hashes.append(found.sha256)
    about = folder / "data" / "metadata.json"
    about.write_text(about.read_text() + "\n")
    hashes.append(read_any(folder).sha256)
    assert len(set(hashes)) == 3


def cut(part: Path) -> None:
    part.write_bytes(part.read_bytes()[:200])


@pytest.mark.parametrize("form", ["arrow", "parquet"])
@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (cut, "has an episode 4 that cannot be read"),
        (Path.unlink, "has no episode 4: a data set with the episodes of its metadata is accepted"),
    ],
)
def test_a_minari_data_set_without_a_whole_file_is_rejected(form, change, sentence, tmp_path):
    folder = writers.write_minari(tmp_path, DATA, form=form)
    change(next((folder / "data" / "4").glob("part-*")))
    with pytest.raises(InputError, match=sentence) as error:
        read_any(folder)
    assert "\n" not in str(error.value)


def test_costs_of_minari_that_are_missing_are_named(tmp_path):
    with pytest.raises(InputError, match=r"no array infos/cost.*infos/price \[8, 1\] float64; --cost-function"):
        read_any(writers.write_minari(tmp_path, DATA, "price", form="arrow"))


@pytest.mark.parametrize(("key", "rows"), [("rewards", 1), ("observations", 2)])
def test_a_minari_episode_of_uneven_arrays_is_rejected(tmp_path, key, rows):
    folder = writers.write_minari(tmp_path, DATA)
    with h5py.File(folder / "data" / "main_data.hdf5", "r+") as file:
        values = np.asarray(file[f"episode_2/{key}"])
        del file[f"episode_2/{key}"]
        file[f"episode_2/{key}"] = values[:-rows]
    with pytest.raises(InputError, match="in episode_2"):
        read_any(folder)


# Episodes from Python


def as_list(last: bool) -> list[dict]:
    return [
        {
            "observations": writers.with_last(x) if last else x["observations"],
            **{key: x[key].tolist() for key in ("actions", "rewards", "costs")},
            "terminated": x["terminals"][-1],
        }
        for x in writers.episodes(DATA)
    ]


def test_a_list_of_episodes_is_a_data_set():
    found = of_episodes(as_list(True), "mine")
    for key in KEYS:
        np.testing.assert_array_equal(getattr(found, key), DATA[key], strict=True)
    shorter = of_episodes(as_list(False), "mine")
    assert len(shorter) == len(found) - 5


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda x: x[2].pop("costs"), "episode 2 of mine has no costs: .*it has observations, actions"),
        (lambda x: x[1].update(actions=x[1]["actions"][1:]), r"episode 1 of mine has actions of shape \(11, 2\)"),
        (lambda x: x[1].update(observations=x[1]["observations"][2:]), "episode 1 of mine has 11 observations: 12 or"),
        (lambda x: x[1].update(observations=x[1]["observations"][:, 1:]), "mine has episodes of different sizes"),
        (lambda x: x.clear(), "mine has no episodes"),
        (lambda x: x[0]["costs"].__setitem__(3, -1), "mine has -1.0 in row 3 of costs"),
    ],
)
def test_episodes_that_are_none_are_rejected(change, sentence):
    episodes = as_list(True)
    change(episodes)
    with pytest.raises(InputError, match=sentence):
        of_episodes(episodes, "mine")
