"""Files of the peers' own writers are read to the last bit; the ends of trajectories, and cost functions."""

import re
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from deep.data.conversion import read_any
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


@pytest.mark.parametrize(("key", "shape"), [("terminated_2", "(12,)"), ("num_episodes", "(2,)")])
def test_a_number_of_d3rlpy_that_is_several_is_named(key, shape, tmp_path):
    """The error was numpy's, of truth values."""
    path = writers.write_d3rlpy(tmp_path / "a.h5", DATA)
    with h5py.File(path, "r+") as file:
        del file[key]
        file[key] = np.zeros(12 if key == "terminated_2" else 2)
    with pytest.raises(InputError, match=rf"has {key} of shape {re.escape(shape)}: one number is accepted"):
        read_any(path, Reading(cost_function=COST))


@pytest.mark.parametrize(("key", "value"), [("terminated_2", np.nan), ("num_episodes", 2.5), ("num_episodes", np.inf)])
def test_a_number_of_d3rlpy_that_is_not_whole_is_named(key, value, tmp_path):
    """Ends of unknown kind were taken for terminal ones."""
    path = writers.write_d3rlpy(tmp_path / "a.h5", DATA)
    with h5py.File(path, "r+") as file:
        del file[key]
        file[key] = value
    with pytest.raises(InputError, match=rf"has {key} {value:g}: a whole number is accepted"):
        read_any(path, Reading(cost_function=COST))


def test_episodes_of_d3rlpy_beyond_the_number_are_remarked_on(tmp_path):
    path = writers.write_d3rlpy(tmp_path / "a.h5", DATA)
    before = read_any(path, Reading(cost_function=COST))
    with h5py.File(path, "r+") as file:
        del file["num_episodes"]
        file["num_episodes"] = 3
    found = read_any(path, Reading(cost_function=COST))
    assert len(found.starts) == 3
    assert "num_episodes is 3: 12 arrays of later episodes are not read" in found.remarks
    assert not any("later episodes" in remark for remark in before.remarks)


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


# Numbers that their own file says are others


def with_attributes(path: Path, key: str, values: np.ndarray, **attributes) -> Path:
    file = writers.write_hdf5(path / "a.hdf5", DATA | {key: values})
    with h5py.File(file, "r+") as opened:
        opened[key].attrs.update(attributes)
    return file


@pytest.mark.parametrize("attribute", [{"scale_factor": 10.0}, {"add_offset": 0.5}, {"scale_factor": np.array([10.0])}])
@pytest.mark.parametrize("key", ["costs", "observations"])
def test_numbers_that_netcdf_scales_are_rejected(attribute, key, tmp_path):
    """They were read as they are stored, costs as a tenth of what they are."""
    path = with_attributes(tmp_path, key, DATA[key].astype(np.int16), **attribute)
    ((called, value),) = attribute.items()
    with pytest.raises(InputError, match=f"has {key} with the attribute {called} {np.ravel(value)[0]:g}: decoded num"):
        read_any(path)


@pytest.mark.parametrize("attribute", ["_FillValue", "missing_value"])
def test_numbers_that_netcdf_marks_as_missing_are_rejected(attribute, tmp_path):
    path = with_attributes(tmp_path, "costs", np.where(DATA["costs"] > 0, 9, 0).astype(np.int16), **{attribute: 9})
    row = int(np.flatnonzero(DATA["costs"])[0])
    with pytest.raises(InputError, match=f"has 9 in row {row} of costs: numbers that the attribute {attribute} does"):
        read_any(path)


def test_a_mark_of_another_precision_marks_the_same_number(tmp_path):
    """h5py writes 7.1 as float64, and the costs are float32."""
    costs = np.where(DATA["costs"] > 0, 7.1, 0).astype(np.float32)
    with pytest.raises(InputError, match=r"has 7\.09.* of costs: numbers that the attribute _FillValue does"):
        read_any(with_attributes(tmp_path, "costs", costs, _FillValue=7.1))
    other = with_attributes(tmp_path, "costs", np.where(costs > 0, 7, 0).astype(np.int16), _FillValue=7.1)
    assert set(read_any(other).costs) == {0, 7}


@pytest.mark.filterwarnings("error")
def test_numbers_of_half_precision_give_no_warning(tmp_path):
    """Numpy's warning of an overflow was on the screen: 2**53 is infinite in float16."""
    path = with_attributes(tmp_path, "costs", DATA["costs"].astype(np.float32))
    with h5py.File(path, "r+") as file:
        file["speed"] = DATA["rewards"].astype(np.float16)
    np.testing.assert_array_equal(read_any(path).costs, DATA["costs"])


def test_attributes_that_change_nothing_are_no_matter(tmp_path):
    """xarray writes _FillValue to every array of floats."""
    about = {"scale_factor": 1.0, "add_offset": 0, "_FillValue": np.float32(np.nan), "missing_value": np.array([-9.0])}
    path = with_attributes(tmp_path, "costs", DATA["costs"], **about, units="N", long_name=np.bytes_(b"scale_factor"))
    with h5py.File(path, "r+") as file:
        file["infos/speed"] = DATA["rewards"]
        file["infos/speed"].attrs["scale_factor"] = 10.0  # nobody reads it
    np.testing.assert_array_equal(read_any(path).costs, DATA["costs"])


def of_type(path: Path, kind: np.dtype, values: np.ndarray) -> Path:
    data = {key: each for key, each in DATA.items() if key != "costs"}
    with h5py.File(writers.write_hdf5(path / "a.hdf5", data), "r+") as file:
        file.create_dataset("costs", data=values, dtype=kind)
        return path / "a.hdf5"


def test_words_of_an_enumeration_are_no_costs(tmp_path):
    """SAFE, which is 1, was read as a cost of 1."""
    kind = h5py.enum_dtype({"UNSAFE": 0, "SAFE": 1}, basetype="i1")
    with pytest.raises(InputError, match="has costs of an enumeration, in which UNSAFE is 0, SAFE is 1: numbers or"):
        read_any(of_type(tmp_path, kind, (1 - DATA["costs"]).astype("i1")))
    for words in ({"false": 0, "true": 1}, {"NO": 0, "YES": 1}):
        found = read_any(of_type(tmp_path, h5py.enum_dtype(words, "i1"), DATA["costs"].astype("i1")))
        np.testing.assert_array_equal(found.costs, DATA["costs"])


def test_entries_of_several_parts_are_rejected_in_one_sentence(tmp_path):
    """The sentence was numpy's, of a cast."""
    values = np.zeros(len(DATA["costs"]), dtype=[("speed", "f4"), ("force", "f4")])
    with pytest.raises(InputError, match=r"has costs with entries of several parts \(speed, force\): an array of num"):
        read_any(of_type(tmp_path, values.dtype, values))
    with pytest.raises(InputError, match="has costs with unnamed bytes: an array of numbers is accepted"):
        read_any(of_type(tmp_path, np.dtype("V4"), np.zeros(len(values), "V4")))
