"""Costs of several arrays of a file, by a function whose parameters are their names; costs that look like sums."""

import h5py
import numpy as np
import pytest

from deep.data.conversion import read_any
from deep.data.reading import Reading
from tests.support import other_writers as writers
from tests.support.tables import DATA, ENDS, FLAGS, ROWS, STEP, rejected, table
from theory.support.errors import InputError

pytest.importorskip("pyarrow")  # of the extra `data`
SPEED, TOUCH = STEP % 3.0, DATA["costs"]
WANTED = SPEED + 2 * TOUCH


def sums(speed: np.ndarray, touch: np.ndarray) -> np.ndarray:
    return speed + 2 * touch


def of_infos(infos_speed: np.ndarray, infos_touch: np.ndarray) -> np.ndarray:
    return infos_speed + 2 * infos_touch


def of_another(heat: np.ndarray) -> np.ndarray:
    return heat


def of_flags(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return first + second


def of_flags_in_infos(infos_first: np.ndarray, infos_second: np.ndarray) -> np.ndarray:
    return infos_first + infos_second


def with_default(speed: np.ndarray, threshold: float = 0.5, terminals: np.ndarray | None = None) -> np.ndarray:
    assert terminals is not None
    return speed > threshold


def by(function) -> Reading:
    return Reading(cost_function=f"{__name__}:{function.__name__}")


def minari(path):
    folder = writers.write_minari(path, DATA)
    with h5py.File(folder / "data" / "main_data.hdf5", "r+") as file:
        for i, rows in enumerate(np.split(np.arange(len(ENDS)), np.flatnonzero(ENDS)[:-1] + 1)):
            file[f"episode_{i}/infos/speed"] = np.append(0, SPEED[rows])  # that of the reset first
            file[f"episode_{i}/infos/touch"] = TOUCH[rows]
    return folder


def d3rlpy(path):
    file = writers.write_d3rlpy(path / "a.h5", DATA)
    with h5py.File(file, "r+") as opened:
        for i, rows in enumerate(np.split(np.arange(len(ENDS)), np.flatnonzero(ENDS)[:-1] + 1)):
            opened[f"speed_{i}"], opened[f"touch_{i}"] = SPEED[rows, None], TOUCH[rows]
    return file


FILES = {
    "csv": (lambda path: table(path, **FLAGS, speed=SPEED, touch=TOUCH), sums),
    "npz": (lambda path: writers.write_npz(path / "a.npz", DATA | {"speed": SPEED[:, None], "touch": TOUCH}), sums),
    "hdf5": (
        lambda path: writers.write_hdf5(path / "a", DATA | {"infos/speed": SPEED, "infos/touch": TOUCH}),
        of_infos,
    ),
    "minari": (minari, of_infos),
    "d3rlpy": (d3rlpy, sums),
}


@pytest.mark.parametrize(("write", "function"), FILES.values(), ids=FILES)
def test_a_cost_function_takes_any_array_of_the_file(tmp_path, write, function):
    """Only observations, actions and the like were accepted."""
    data, reward = read_any(write(tmp_path), by(function)), DATA["rewards"]
    for costs, return_ in zip(data.costs, data.rewards, strict=True):
        assert costs == WANTED[np.flatnonzero(reward == return_)[0]]


def test_rows_of_environments_are_sorted_before_costs_are_computed(tmp_path):
    turns = np.argsort(STEP, kind="stable")
    path = table(tmp_path, turns, **FLAGS, speed=SPEED, touch=TOUCH, env_id=np.cumsum(ENDS) - ENDS)
    found = read_any(path, Reading(("environments=env_id",), f"{__name__}:sums"))
    whole = read_any(table(tmp_path, **FLAGS, speed=SPEED, touch=TOUCH), by(sums))
    np.testing.assert_array_equal(found.costs, whole.costs)


FIRST, SECOND = SPEED > 0, TOUCH > 0
OF_FLAGS = {
    "csv": lambda path, flags: table(path, **FLAGS, **flags),
    "parquet": lambda path, flags: writers.write_parquet(path / "a.parquet", ROWS | FLAGS | flags),
    "npz": lambda path, flags: writers.write_npz(path / "a.npz", DATA | flags),
    "hdf5": lambda path, flags: writers.write_hdf5(path / "a", DATA | flags),
}


@pytest.mark.parametrize("write", OF_FLAGS.values(), ids=OF_FLAGS)
@pytest.mark.parametrize(("kind", "one"), [(bool, 1), (np.uint8, 200)])
def test_a_step_with_two_costs_costs_both(write, kind, one, tmp_path):
    """It cost one: numpy's sum of booleans is a boolean, and that of bytes wraps around at 256."""
    flags = {"first": (FIRST * one).astype(kind), "second": (SECOND * one).astype(kind)}
    assert (FIRST & SECOND).any()
    data, reward = read_any(write(tmp_path, flags), by(of_flags)), DATA["rewards"]
    for costs, return_ in zip(data.costs, data.rewards, strict=True):
        row = np.flatnonzero(reward == return_)[0]
        assert costs == one * (int(FIRST[row]) + int(SECOND[row]))


def test_two_flags_among_the_infos_of_minari_cost_both(tmp_path):
    folder = writers.write_minari(tmp_path, DATA)
    with h5py.File(folder / "data" / "main_data.hdf5", "r+") as file:
        for i, rows in enumerate(np.split(np.arange(len(ENDS)), np.flatnonzero(ENDS)[:-1] + 1)):
            file[f"episode_{i}/infos/first"], file[f"episode_{i}/infos/second"] = FIRST[rows], SECOND[rows]
    assert read_any(folder, by(of_flags_in_infos)).costs.sum() == FIRST.sum() + SECOND.sum()


def test_a_parameter_with_a_default_keeps_it_where_no_array_has_its_name(tmp_path):
    """It was rejected."""
    found = read_any(table(tmp_path, **FLAGS, speed=SPEED), by(with_default))
    assert 0 < found.costs.sum() < len(found.costs)
    threshold = {"threshold": np.full(len(SPEED), 5.0)}
    assert not read_any(table(tmp_path, **FLAGS, speed=SPEED, **threshold), by(with_default)).costs.any()


def test_a_parameter_that_is_no_array_is_rejected(tmp_path):
    path = table(tmp_path, **FLAGS, speed=SPEED)
    with pytest.raises(
        InputError, match=r"of_another has the parameters heat: parameters among observations, .*, speed"
    ):
        read_any(path, by(of_another))


def test_two_columns_of_costs_get_a_function_proposed(tmp_path):
    """One of them was proposed, and nothing for both."""
    data = {key: values for key, values in ROWS.items() if key != "costs"}
    path = writers.write_csv(tmp_path / "a.csv", data | FLAGS | {"cost_speed": SPEED, "touch violation": TOUCH})
    both = "--cost-function MODULE:NAME, a function with the parameters cost_speed and touch_violation, makes one cost"
    rejected(path, f"--columns costs=cost_speed may serve; {both} of them$")
    rejected(path, f"has cost_speed,touch violation for costs: .*{both}", "costs=cost_speed,touch violation")
    rejected(table(tmp_path, **FLAGS, cost=SPEED), "either may be costs: .*the parameters costs and cost, makes one")


def test_costs_that_look_like_sums_are_remarked_on(tmp_path):
    """Every cost of such a file is too large, and nothing said so."""
    bounds = np.flatnonzero(ENDS)[:-1] + 1
    summed = np.concatenate([np.cumsum(part) for part in np.split(0.5 + SPEED / 4, bounds)])
    note = "costs never decrease within a trajectory, and grow to"
    assert note in read_any(table(tmp_path, **FLAGS, costs=summed)).remarks[-1]
    for costs in (np.ones(len(STEP)), (STEP > 3).astype(float), DATA["costs"], SPEED):
        assert not any(note in each for each in read_any(table(tmp_path, **FLAGS, costs=costs)).remarks)
