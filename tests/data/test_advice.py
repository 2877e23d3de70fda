"""What a rejection advises works on the file at hand; and numbers beyond float32 are named as they stand there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from deep.data.conversion import read_any
from deep.data.custom import CustomData, load_custom
from deep.data.reading import Reading
from tests.support import other_writers as writers
from tests.support.tables import ENDS, NUMBER
from theory.support.errors import InputError

pytestmark = pytest.mark.filterwarnings("error")
DATA = writers.recording()
NONE = np.zeros(67, dtype=bool)
ALTERNATING = np.arange(67) % 2


def written(path: Path, changes: Mapping[str, np.ndarray] | None = None, leave: tuple[str, ...] = ()) -> Path:
    kept = {key: values for key, values in DATA.items() if key not in leave}
    return writers.write_hdf5(path / "a.hdf5", kept | dict(changes or {}))


@pytest.mark.parametrize("drop", [None, "drop"])
def test_nothing_is_advised_where_no_trajectory_has_an_end(drop, tmp_path):
    """It was the advice to leave out all rows; and followed, it was given once more."""
    path = written(tmp_path, {"terminals": NONE, "timeouts": NONE, "robot": np.arange(67) // 34})
    for columns in (None, ("environments=robot",)):
        with pytest.raises(
            InputError, match=r"hdf5 has no end of a trajectory: a terminal or a timeout in .* accepted$"
        ):
            read_any(path, Reading(columns=columns, last_trajectory=drop))


@pytest.mark.parametrize(("flag", "columns", "ends"), [
    ("terminals", (), "the end of the last trajectory is assumed: .* it is taken for a timeout"),
    ("timeouts", (), "the end of the last trajectory is assumed: .* it is taken for a timeout"),
    ("terminals", ("environments=robot",), "the ends of the last trajectories of 2 .* they are taken for timeouts"),
])  # fmt: skip
def test_the_only_trajectory_is_not_advised_to_be_left_out(flag, columns, ends, tmp_path):
    other = {"terminals": "timeouts", "timeouts": "terminals"}[flag]
    robot = np.arange(67) // 34
    numbers = robot if columns else np.full(67, 7)
    path = written(tmp_path, {flag: NONE, "robot": robot, "episodes": numbers}, (other, "next_observations"))
    (remark,) = [each for each in read_any(path, Reading(columns=columns)).remarks if "assumed" in each]
    assert re.fullmatch(ends, remark)


SECOND = ENDS & (np.cumsum(ENDS) > 1)
"""All ends but the first, which is a terminal."""


@pytest.mark.parametrize(("leave", "changes", "ways"), [
    (("timeouts",), {}, ["terminals="]),
    (("timeouts",), {"episodes": NUMBER}, ["dones=", "terminals="]),
    ((), {"timeouts": ENDS}, ["dones=", "terminals= timeouts="]),
])  # fmt: skip
def test_every_way_that_dones_beside_flags_are_read_works(leave, changes, ways, tmp_path):
    """A single flag was proposed to be all that marks the ends, and then rejected."""
    path = written(tmp_path, {"dones": SECOND} | changes, ("next_observations", *leave))
    with pytest.raises(InputError, match="marks of the ends that agree are accepted; --columns ") as error:
        read_any(path)
    assert re.findall(r"--columns ((?:\w+= ?)+) leaves", str(error.value)) == ways
    for way in ways:
        read_any(path, Reading(columns=tuple(way.split())))


# Numbers that float32 does not hold


def huge(path: Path, key: str, value: float) -> Path:
    values = DATA[key].astype(np.float64)
    values[3] = value
    return written(path, {key: values})


@pytest.mark.parametrize("value", [1e300, -1e300, 1e39, np.finfo(np.float64).max])
@pytest.mark.parametrize("key", ["rewards", "costs", "observations", "next_observations", "actions"])
def test_a_number_beyond_float32_is_named_as_it_stands_in_the_file(key, value, tmp_path):
    """numpy warned of an overflow, and the sentence named an infinity."""
    with pytest.raises(InputError) as error:
        read_any(huge(tmp_path, key, value))
    column = "" if DATA[key].ndim == 1 else ", column 0"
    end = (
        f"has {value} in row 3 of {key}{column}: numbers of at most 1e+15 in size are accepted, none that mark missing"
    )
    assert end in str(error.value)


def far(rewards: np.ndarray) -> np.ndarray:
    """The costs of `--cost-function`."""
    return np.where(np.arange(len(rewards)) == 5, 1e300, 0.0)


def test_so_is_a_computed_cost(tmp_path):
    with pytest.raises(
        InputError, match=rf"has 1e\+300 in row 5 of costs by {__name__}:far: numbers of at most 1e\+15"
    ):
        read_any(written(tmp_path), Reading(cost_function=f"{__name__}:far"))


def test_steps_from_one_end_of_float64_to_the_other_are_rejected(tmp_path):
    steps = np.where(ALTERNATING, 1.7e308, -1.7e308)
    with pytest.raises(InputError, match=r"has step -1\.7e\+308 in row 2, after 1\.7e\+308, in one trajectory"):
        read_any(written(tmp_path, {"step": steps}), Reading(columns=("steps=step",)))


LIMITS = [
    ({"action_low": (-1e300,), "action_high": (1e300,)}, "--action-low, .* of at most 1e.15 in size, for actions of 2"),
    ({"action_low": (-1.7e308,), "action_high": (1.7e308,)}, "--action-low, .* of at most 1e.15 in size"),
    ({"action_low": (-1e-320,), "action_high": (1e-320,)}, "--action-low and --action-high say other bounds"),
    (
        {"reward_range": (0, 1e300)},
        r"--reward-range \[0, 1e\+300\]: the data's largest reward, .* from 1e-15 to 1e\+15",
    ),
    (
        {"reward_range": (0, 1e-300)},
        r"--reward-range \[0, 1e-300\]: the data's largest reward, .* from 1e-15 to 1e\+15",
    ),
    ({"reward_range": (-1.7e308, 1.7e308)}, "accepted are two numbers, the lower one first"),
]


@pytest.mark.parametrize(("given", "sentence"), LIMITS)
def test_bounds_and_ranges_in_whose_units_the_data_leave_float32(given, sentence, tmp_path):
    """All actions became 0, and all rewards 0 or infinite."""
    with pytest.raises(InputError, match=sentence):
        load_custom(written(tmp_path), CustomData(**given), Reading())
