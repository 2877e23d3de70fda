"""Stand-ins after timeouts of a part of the data, or in another order; and true successors that look like them."""

from dataclasses import replace

import numpy as np
import pytest

from deep.data.dataset import OfflineDataset
from deep.data.stand_ins import stand_ins
from deep.data.timeouts import drop_unknown_successors

EPISODES, STEPS = 24, 50


def of_states(states: np.ndarray) -> OfflineDataset:
    """Data of states (episodes, steps + 1, o): every trajectory times out."""
    episodes, steps = states.shape[0], states.shape[1] - 1
    rows = episodes * steps
    flags = np.tile(np.arange(steps) == steps - 1, episodes)
    columns = np.zeros(rows, dtype=np.float32)
    return OfflineDataset(
        "walk", states[:, :-1].reshape(rows, -1), states[:, 1:].reshape(rows, -1), columns[:, None], columns, columns,
        np.zeros(rows, dtype=bool), flags,
    )  # fmt: skip


def walk(episodes: int = EPISODES, size: int = 2) -> OfflineDataset:
    """A random walk from random states, with a constant feature."""
    moves = np.random.default_rng(0).normal(size=(episodes, STEPS + 1, size)).cumsum(axis=1)
    return of_states(np.concatenate([moves, np.ones((episodes, STEPS + 1, 1))], axis=2).astype(np.float32))


def with_following(data: OfflineDataset, values: np.ndarray | float, where: slice | np.ndarray) -> OfflineDataset:
    following = data.next_observations.copy()
    following[data.ends[where]] = values
    return replace(data, next_observations=following)


def found_in(data: OfflineDataset) -> dict[str, int]:
    return {kind: int(rows.sum()) for kind, rows in stand_ins(data).items()}


def sorted_later(data: OfflineDataset, order: np.ndarray) -> OfflineDataset:
    rows = np.concatenate([np.arange(data.starts[i], data.ends[i] + 1) for i in order])
    names = ("observations", "next_observations", "actions", "rewards", "costs", "terminals", "timeouts")
    return replace(data, **{name: getattr(data, name)[rows] for name in names})


def test_first_observations_of_a_file_that_was_sorted_after_recording():
    data = walk()
    reset = with_following(data, np.roll(data.observations[data.starts], -1, axis=0), slice(None))
    assert found_in(reset) == {"the first observation of the next trajectory": EPISODES}
    order = np.random.default_rng(1).permutation(EPISODES)
    moved = sorted_later(reset, order)
    assert found_in(moved) == {"the first observation of a trajectory": EPISODES}
    (remark,) = drop_unknown_successors(moved, "it").remarks
    assert f"a trajectory after {EPISODES} of {EPISODES} timeouts; the last steps of {EPISODES} traj" in remark
    assert len(drop_unknown_successors(moved, "it")) == len(data) - EPISODES


def test_the_first_observation_of_the_same_trajectory():
    data = walk()
    reset = with_following(data, data.observations[data.starts], slice(None))
    assert found_in(reset) == {"the first observation of the same trajectory": EPISODES}


@pytest.mark.parametrize("part", [4, 10])
@pytest.mark.parametrize(
    ("kind", "value"), [("zeros", 0.0), ("one and the same vector", -999.0), ("the step's own observation", None)]
)
def test_a_part_of_the_timeouts(kind, value, part):
    """As in two recordings that were merged."""
    data = walk()
    values = data.observations[data.ends[:part]] if value is None else value
    found = stand_ins(with_following(data, values, slice(part)))
    assert {name: np.flatnonzero(rows).tolist() for name, rows in found.items()} == {kind: data.ends[:part].tolist()}


def test_first_observations_in_a_part_of_the_timeouts():
    data = walk()
    starts = data.observations[data.starts]
    assert found_in(with_following(data, starts[5:11], slice(6))) == {"the first observation of a trajectory": 6}


def test_two_marks_in_one_file():
    data = with_following(walk(), -1, slice(0, 5))
    assert found_in(with_following(data, -999, slice(5, 12))) == {"one and the same vector": 12}


def test_observations_of_another_step():
    data = walk()
    slipped = with_following(data, data.observations[data.ends[:-1]], slice(1, None))
    assert found_in(slipped) == {"an observation of another step": EPISODES - 1}


def test_copies_of_one_trajectory_are_no_discrete_states():
    data = walk()
    one = data.observations[:STEPS].reshape(1, STEPS, 3)
    copies = of_states(np.repeat(np.concatenate([one, one[:, :1]], axis=1), EPISODES, axis=0))
    assert sum(found_in(copies).values()) == EPISODES


@pytest.mark.parametrize("part", [6, EPISODES])
def test_values_far_from_all_observations(part):
    """What was never written into an array of numpy.empty was taken for what the simulator had reached."""
    data, rng = walk(), np.random.default_rng(5)
    spread = np.ptp(data.observations)
    noise = rng.choice([-1, 1], size=(part, 3)) * rng.uniform(2, 9, size=(part, 3)) * spread
    far = with_following(data, noise.astype(np.float32), slice(part))
    assert found_in(far) == {"values far from all observations": part}
    (remark,) = drop_unknown_successors(far, "it").remarks
    assert f"next_observations hold values far from all observations after {part} of {EPISODES} timeouts" in remark


# What is no stand-in


def test_a_last_step_that_is_larger_than_others_is_no_stand_in():
    """A jump of three times the range after some timeouts, steps that grow, and a flag of the last step."""
    data = walk()
    here = data.observations[data.ends]
    assert found_in(with_following(data, here[:2] + 3 * np.ptp(data.observations), slice(2))) == {}
    assert found_in(with_following(data, here + np.array([0, 0, 1], np.float32), slice(None))) == {}
    growing = np.exp(np.arange(STEPS + 1) / 5)[None, :, None] * np.random.default_rng(3).normal(size=(EPISODES, 1, 2))
    assert found_in(of_states(growing.astype(np.float32))) == {}
    short = np.random.default_rng(4).standard_cauchy(size=(EPISODES, 4, 9)).cumsum(axis=1)
    assert found_in(of_states(short.astype(np.float32))) == {}


def test_deterministic_starts_and_one_coincidence():
    data = walk()
    same = data.observations.copy()
    same[data.starts] = data.observations[0]
    assert found_in(replace(data, observations=same)) == {}
    assert found_in(with_following(data, data.observations[data.starts[3]], slice(1))) == {}
    assert found_in(with_following(data, 0, slice(1))) == {}


def tours(start: tuple[int, int]) -> OfflineDataset:
    """Tours on a grid: 25 steps out along a random path, and back to the start along another one."""
    rng, half = np.random.default_rng(2), STEPS // 2
    out = []
    for _ in range(EPISODES):
        right = rng.integers(9, 17)
        far = np.repeat([0, 1], [right, half - right])
        moves = np.concatenate([np.eye(2)[rng.permutation(far)], -np.eye(2)[rng.permutation(far)]])
        out.append(start + np.concatenate([np.zeros((1, 2)), moves.cumsum(axis=0)]))
    return of_states(np.array(out, dtype=np.float32))


@pytest.mark.parametrize("start", [(0, 0), (3, 4)])
def test_tours_on_a_grid_that_end_where_they_began(start):
    data = tours(start)
    starts = data.observations[data.starts]
    assert (data.next_observations[data.ends] == starts).all()
    assert (data.next_observations[np.setdiff1d(np.arange(len(data)), data.ends)] == starts[0]).all(
        axis=1
    ).mean() < 0.01
    assert found_in(data) == {}


def test_a_random_walk_on_a_small_grid():
    rng = np.random.default_rng(3)
    states = np.abs(rng.integers(-1, 2, (EPISODES, STEPS + 1, 2)).cumsum(axis=1)) % 6
    assert found_in(of_states(states.astype(np.float32))) == {}


def test_windows_that_overlap():
    """The successor of a window's last step is an observation of other windows, as the observations inside it are."""
    states = np.random.default_rng(4).normal(size=(400, 3)).cumsum(axis=0).astype(np.float32)
    windows = np.stack([states[i : i + STEPS + 1] for i in range(0, 350, 7)])
    assert found_in(of_states(windows)) == {}
