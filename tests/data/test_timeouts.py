"""Next observations that are missing or stand-ins after timeouts: found, said, and left out of bootstrapping."""

from dataclasses import replace

import numpy as np
import pytest

from deep.data.custom import CustomData, assumptions, load_custom, recorded_lengths
from deep.data.dataset import KEYS, OfflineDataset
from deep.data.load import load, save
from deep.data.stand_ins import stand_ins
from deep.data.timeouts import drop_unknown_successors
from tests.support.builders import small_dataset
from tests.support.recordings import HOPPER
from theory.support.errors import InputError

TIMED_OUT = 8  # of the 12 trajectories of `small_dataset`; the others terminate


def with_stand_ins(kind: str, every: int = 1) -> tuple[OfflineDataset, np.ndarray]:
    """The small data with stand-ins after every so many timeouts; the rows that have them."""
    data = small_dataset()
    rows = np.flatnonzero(data.timeouts)[::every]
    rows = rows[rows + 1 < len(data)] if kind == "reset" else rows
    following = data.next_observations.copy()
    following[rows] = {
        "reset": lambda: data.observations[rows + 1],
        "zeros": lambda: 0,
        "ones": lambda: -1,
        "own": lambda: data.observations[rows],
    }[kind]()
    return replace(data, next_observations=following), rows


@pytest.mark.parametrize("every", [1, 2])
@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("reset", "the first observation of the next trajectory"),
        ("zeros", "zeros"),
        ("ones", "one and the same vector"),
        ("own", "the step's own observation"),
    ],
)
def test_stand_ins_are_found_said_and_left_out(tmp_path, kind, words, every):
    data, rows = with_stand_ins(kind, every)
    save(tmp_path / "file.hdf5", data)
    found = load(HOPPER, tmp_path / "file.hdf5")
    (remark,) = found.remarks
    assert f"next_observations hold {words} after {len(rows)} of {TIMED_OUT} timeouts" in remark
    assert f"the last steps of {len(rows)} trajectories that timed out are left out" in remark
    kept = np.setdiff1d(np.arange(len(data)), rows)
    for key in KEYS:
        if key != "timeouts":
            np.testing.assert_array_equal(getattr(found, key), getattr(data, key)[kept])
    assert len(found.starts) == len(data.starts)
    assert recorded_lengths(found).tolist() == data.lengths.tolist()
    assert found.shortened is not None
    assert found.shortened.sum() == len(rows)
    if data.costs[rows].any():
        assert f"with costs of {data.costs[rows].sum():g}" in remark
    task, again, _ = load_custom(tmp_path / "file.hdf5", CustomData())
    assert task.episode_length == data.lengths.max()
    assert remark in assumptions(task, again)


def test_true_successors_are_left_alone():
    data = small_dataset()
    assert stand_ins(data) == {}
    assert drop_unknown_successors(data, "it") is data


def test_a_few_equal_vectors_are_chance():
    data, _ = with_stand_ins("reset", every=4)
    assert stand_ins(data) == {}


def test_states_that_do_not_move_are_no_stand_ins():
    data = small_dataset()
    still = data.observations[np.repeat(data.starts, data.lengths)]
    assert stand_ins(replace(data, observations=still, next_observations=still)) == {}
    zero = np.zeros_like(still)
    assert stand_ins(replace(data, observations=zero, next_observations=zero)) == {}


def test_terminal_steps_are_no_matter():
    data = small_dataset()
    following = data.next_observations.copy()
    following[data.terminals] = 0
    assert stand_ins(replace(data, next_observations=following)) == {}


def test_a_trajectory_of_one_step_goes_with_its_policy():
    data = replace(with_stand_ins("zeros")[0], policies=np.arange(12))
    first = int(data.starts[1])
    timeouts = data.timeouts.copy()
    timeouts[first] = True
    following = data.next_observations.copy()
    following[first] = 0
    found = drop_unknown_successors(
        replace(data, timeouts=timeouts, next_observations=following, policies=np.arange(13)), "it"
    )
    assert found.policies is not None
    assert found.policies.tolist() == [0, *range(2, 13)]


def test_costs_that_lie_in_left_out_steps_alone_are_not_lost():
    data, rows = with_stand_ins("zeros")
    costs = np.zeros_like(data.costs)
    costs[rows] = 1
    with pytest.raises(InputError, match="has costs only in the last steps of trajectories"):
        drop_unknown_successors(replace(data, costs=costs), "it")


# Marks of missing values


@pytest.mark.parametrize("value", [1e25, -1e25, float(np.finfo(np.float32).max), 1e16])
@pytest.mark.parametrize("key", ["observations", "next_observations", "rewards", "costs"])
def test_marks_of_missing_values_are_named_with_their_column(tmp_path, key, value):
    data = small_dataset()
    values = getattr(data, key).copy()
    values[(17, 2) if values.ndim == 2 else 17] = value
    place = f"row 17 of {key}" + (", column 2" if values.ndim == 2 else "")
    with pytest.raises(InputError, match=f"{place}: numbers of at most 1e.15 in size are accepted"):
        save(tmp_path / "file.hdf5", replace(data, **{key: values}))
