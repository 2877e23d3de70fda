"""deep.data.sequences: windows, sums to go, and the staircase of the best returns."""

import numpy as np
import pytest
import torch

from deep.data.replay import Replay
from deep.data.sequences import Frontier, Sequences, sums_to_go
from tests.support.builders import small_dataset


@pytest.fixture
def data():
    return small_dataset(trajectories=5)


@pytest.fixture
def sequences(data):
    return Sequences(data, Replay(data, 0.99, 1.0, torch.device("cpu")))


def test_sums_to_go_are_those_of_a_plain_loop(data):
    for signal in (data.rewards, data.costs):
        to_go = sums_to_go(data, signal)
        for start, length in zip(data.starts, data.lengths, strict=True):
            for t in range(length):
                assert to_go[start + t] == pytest.approx(signal[start + t : start + length].sum(dtype=np.float64))
    first = sums_to_go(data, data.costs)[data.starts]
    np.testing.assert_allclose(first, data.trajectory_costs)


def test_a_window_is_consecutive_and_repeats_the_last_step_once_the_trajectory_ends(data, sequences):
    start, last = int(data.starts[1]), int(data.ends[1])
    window = sequences.windows(torch.tensor([[start, last - 1]]), 4)
    assert window.rows[0].tolist() == [[start, start + 1, start + 2, start + 3], [last - 1, last, last, last]]
    assert window.valid[0].tolist() == [[True] * 4, [True, True, False, False]]
    assert window.time[0, 0].tolist() == [0, 1, 2, 3]
    assert window.time[0, 1].tolist() == [data.lengths[1] - 2] + [data.lengths[1] - 1] * 3
    torch.testing.assert_close(window.actions[0, 1, 0], torch.from_numpy(data.actions[last - 1]))
    torch.testing.assert_close(window.observations[0, 0], sequences.replay.observations[start : start + 4])


def test_starts_are_uniform_over_the_trajectory_and_leave_the_margin(data, sequences):
    uniform = torch.linspace(0, 1 - 1e-9, 400, dtype=torch.float64).expand(5, -1)
    trajectories = torch.arange(5).unsqueeze(1).expand(-1, 400)
    for margin in (1, 3):
        rows = sequences.starts_within(trajectories, uniform, margin)
        for number, found in enumerate(rows):
            start, length = data.starts[number], data.lengths[number]
            assert sorted(set(found.tolist())) == list(range(start, start + length - margin + 1))
    short = sequences.starts_within(trajectories, uniform, int(data.lengths.max()) + 5)
    assert (short == sequences.starts.unsqueeze(1)).all(), "a trajectory shorter than the margin starts at its start"


def test_the_frontier_is_the_best_return_within_each_budget():
    rng = np.random.default_rng(0)
    costs, returns = rng.integers(0, 20, 50).astype(float), rng.normal(size=50)
    frontier = Frontier.of(costs, returns)
    budgets = np.arange(25.0)
    within = frontier.steps_for(budgets)
    for budget, step in zip(budgets, within, strict=True):
        affordable = costs <= budget
        if affordable.any():
            assert frontier.returns[step] == returns[affordable].max()
            assert costs[frontier.trajectories[step]] == frontier.costs[step] <= budget
    assert (np.diff(frontier.costs) > 0).all()
    assert (np.diff(frontier.returns) > 0).all()
    assert frontier.steps_for(np.array([-1.0])).tolist() == [0], "the cheapest where nothing is affordable"


def test_a_cost_that_equals_the_budget_up_to_rounding_is_affordable():
    frontier = Frontier.of(np.array([0.0, 1.0000000149]), np.array([1.0, 2.0]))
    assert frontier.steps_for(np.array([1.0, 0.99])).tolist() == [1, 0]
