"""Gaps that mutation testing found in the tests of deep/ (`python -m verification.mutation`)."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from deep.algorithms.bc import consistent_best
from deep.optimisation import Adam, Parameters
from deep.tasks import TASKS
from tests.test_bc import two_gaits


def test_as_good_as_the_best_is_a_share_of_the_range_of_returns():
    # Returns 9.2, 9.5, 10, 9.9, 9.4 and 1: the floor is 1 + .95 (10 - 1) = 9.55.
    assert set(consistent_best(two_gaits(), np.arange(6), 6, 0.95).tolist()) == {2, 3}


def test_the_ucb_gate_asks_the_critics_about_the_policys_actions(build):
    experiment = build("--cost-limits", "4", "9", "--gate.kind", "ucb", "--gate.k", "2")
    method = experiment.method
    gate, critic = method.gate, method.costs[1]
    observations = experiment.replay.observations[:16].expand(2, -1, -1)
    with torch.no_grad():
        actions = gate.act(observations)
        q = critic.ensemble.apply(critic.q.average, torch.cat([observations, actions], -1)).squeeze(-1)
    gate.upper_confidence(critic, observations, torch.zeros(2, 16, 3))
    # The network foretells values divided by 1 / (1 - gamma), so that 1 means a cost of 1000 per episode.
    expected = 1000 * (q.mean(1) + 2 * q.std(1, correction=0)).mean(1)
    assert gate.cost.tolist() == pytest.approx(expected.tolist(), rel=1e-5)


@pytest.mark.parametrize("average", [True, False])
def test_a_checkpoint_holds_the_average_where_there_is_one(average):
    parameters = Parameters(torch.zeros(2, 3), Adam(), average)
    assert set(parameters.tensors) == {"theta", "step", "exp_avg", "exp_avg_sq"} | ({"average"} if average else set())


def test_a_budget_enters_as_the_root_of_its_share_of_the_largest_cost(build):
    experiment = build("--behaviour.condition", "cost")
    largest = experiment.replay.episode_cost.max()
    budget = largest * torch.tensor([[0.0, 0.25, 1.0, 2.0, 1.0]])
    known = torch.tensor([[True, True, True, True, False]])
    entries = experiment.method.behaviour._with_budget(torch.zeros(1, 5, 11), budget, known)[..., 11:]
    assert entries.tolist() == [[[0, 1], [0.5, 1], [1, 1], [1, 1], [0, 0]]]


def test_action_gradients_are_those_of_discounted_sums(build):
    experiment = build("--cost-limits", "4", "9", "--gate.kind", "ucb")
    reward, cost = experiment.method.reward, experiment.method.costs[1]
    observations = experiment.replay.observations[:16].expand(2, -1, -1)
    actions = torch.zeros(2, 16, 3, requires_grad=True)
    pairs = torch.cat([observations, actions], -1)
    least = reward.twin.apply(reward.q.average[[0, 0]], pairs).squeeze(-1).amin(1)
    mean = cost.ensemble.apply(cost.q.average, pairs).squeeze(-1).mean(1)
    for critic, q in ((reward, least), (cost, mean)):
        expected = torch.autograd.grad(100 * q.sum(), actions, retain_graph=True)[0]  # 1 / (1 - gamma) = 100
        torch.testing.assert_close(critic.action_gradient(observations, actions), expected)


def test_the_expected_length_of_an_episode_that_times_out_at_random():
    task = replace(TASKS["HopperVel"], episode_length=3, time_out_rate=0.1)
    assert task.expected_length == pytest.approx(1 + 0.9 + 0.81)
