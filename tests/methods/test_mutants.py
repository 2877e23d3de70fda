"""Gaps that mutation testing found in the tests of deep/ (`python -m verification.mutation`)."""

from dataclasses import replace
from math import prod

import numpy as np
import pytest
import torch

from deep.core.randomness import draw_block
from deep.data.replay import Replay
from deep.data.selection import consistent_best
from deep.methods.drcorl.gate import StateSample
from deep.nn.parameters import Adam, Parameters
from deep.nn.policies import MLPPolicy
from deep.tasks import TASKS
from tests.support.builders import two_gaits
from tests.support.lighter import short_episodes


def test_as_good_as_the_best_is_a_share_of_the_range_of_returns():
    # Returns 9.2, 9.5, 10, 9.9, 9.4 and 1: the floor is 1 + .95 (10 - 1) = 9.55.
    assert set(consistent_best(two_gaits(), np.arange(6), 6, 0.95).tolist()) == {2, 3}


def test_the_ucb_gate_asks_the_critics_about_the_policys_actions(build):
    experiment = build("--cost-limits", "4", "9", "--gate.kind", "ucb", "--gate.k", "2")
    method = experiment.method
    gate, critic = method.gate, method.values.cost[1]
    observations = experiment.replay.observations[:16].expand(2, -1, -1)
    with torch.no_grad():
        actions = method.act_current(observations)
        q = critic.ensemble.apply(critic.q.ema, torch.cat([observations, actions], -1)).squeeze(-1)
    gate.update(StateSample(observations, torch.zeros(2, 16, 3)))
    # The network foretells values divided by 1 / (1 - gamma), so that 1 means a cost of 1000 per episode.
    expected = 1000 * (q.mean(1) + 2 * q.std(1, correction=0)).mean(1)
    assert gate.cost.tolist() == pytest.approx(expected.tolist(), rel=1e-5)


@pytest.mark.parametrize("average", [True, False])
def test_a_checkpoint_holds_the_average_where_there_is_one(average):
    parameters = Parameters(torch.zeros(2, 3), Adam(), average)
    assert set(parameters.tensors) == {"theta", "step", "exp_avg", "exp_avg_sq"} | ({"ema"} if average else set())


def test_a_budget_enters_as_the_root_of_its_share_of_the_largest_cost(build):
    experiment = build("--behaviour.condition", "cost")
    largest = experiment.replay.episode_cost.max()
    budget = largest * torch.tensor([[0.0, 0.25, 1.0, 2.0, 1.0]])
    known = torch.tensor([[True, True, True, True, False]])
    entries = experiment.method.behaviour._with_budget(torch.zeros(1, 5, 11), budget, known)[..., 11:]
    assert entries.tolist() == [[[0, 1], [0.5, 1], [1, 1], [1, 1], [0, 0]]]


def test_action_gradients_are_those_of_discounted_sums(build):
    experiment = build("--cost-limits", "4", "9", "--gate.kind", "ucb")
    reward, cost = experiment.method.values.reward, experiment.method.values.cost[1]
    observations = experiment.replay.observations[:16].expand(2, -1, -1)
    actions = torch.zeros(2, 16, 3, requires_grad=True)
    pairs = torch.cat([observations, actions], -1)
    least = reward.twin.apply(reward.q.ema[[0, 0]], pairs).squeeze(-1).amin(1)
    mean = cost.ensemble.apply(cost.q.ema, pairs).squeeze(-1).mean(1)
    for critic, q in ((reward, least), (cost, mean)):
        expected = torch.autograd.grad(100 * q.sum(), actions, retain_graph=True)[0]  # 1 / (1 - gamma) = 100
        torch.testing.assert_close(critic.action_gradient(observations, actions), expected)


def test_the_expected_length_of_an_episode_that_times_out_at_random():
    task = replace(TASKS["HopperVel"], episode_length=3, timeout_rate=0.1)
    assert task.expected_length == pytest.approx(1 + 0.9 + 0.81)


def test_likeness_does_not_depend_on_the_units_of_the_observations():
    data = two_gaits()
    acting = replace(data, actions=np.tanh(data.observations[:, :3] * np.linspace(-1, 1, 3, dtype=np.float32)))
    units = np.logspace(-3, 3, 11).astype(np.float32)
    other = replace(acting, observations=acting.observations * units)
    found = [consistent_best(each, np.arange(6), 4, 0.0).tolist() for each in (acting, other)]
    assert found[0] == found[1]


def test_budgets_lie_between_a_trajectorys_own_cost_and_the_largest(build, monkeypatch):
    experiment = build("--behaviour.condition", "cost", "--seeds", "1")
    model, replay = experiment.method.behaviour, experiment.replay
    budgets = []
    given = model._with_budget
    monkeypatch.setattr(
        model, "_with_budget", lambda o, budget, known: budgets.append(budget) or given(o, budget, known)
    )
    phase = model.phase()
    draws = draw_block(phase.draws, phase.seeds, phase.name, 0, 1, experiment.device)
    phase.update(torch.tensor(0.0), {name: block[0] for name, block in draws.items()})
    cost, largest = replay.episode_cost[replay.rows(draws["row"][0])], replay.episode_cost.max()
    torch.testing.assert_close(budgets[0], cost + (largest - cost) * draws["budget"][0] ** 2)


def test_a_gaussian_policys_deviation_covers_its_range():
    policy = MLPPolicy(1, 1, "gaussian", (), log_std_range=(-5.0, -1.0))
    theta = torch.zeros(1, sum(prod(shape) for shape in policy.shapes))  # weights, then the biases of mean and raw
    for raw, log_std in ((-50.0, -5.0), (0.0, -3.0), (50.0, -1.0)):
        theta[0, -1] = raw
        found = policy.distribution(theta, torch.zeros(1, 1, 1))[1]
        assert found is not None
        assert found.item() == pytest.approx(log_std)


def test_rewards_to_go_are_in_the_unit_of_the_rewards(dataset):
    one, two = (Replay(dataset, 0.9, scale, torch.device("cpu")) for scale in (1.0, 2.0))
    torch.testing.assert_close(two.reward_to_go, 2 * one.reward_to_go)
    torch.testing.assert_close(two.rewards, 2 * one.rewards)


def test_a_checkpoint_holds_what_was_played_online(build):
    played = build("--online.episodes", "1", "--online.update-critics").tensors()
    assert {"online.written", "online.observations", "online.not_terminal"} <= played.keys()
    assert not any(name.startswith("online") for name in build().tensors())


@short_episodes()
def test_the_reported_cosine_is_that_of_the_step_and_the_direction(build, monkeypatch):
    """Adam's first step goes along the signs of g."""
    experiment = build("--cost-limits", "9")
    method = experiment.method
    phase = method.phases()[-1]
    phase.on_start()
    g = torch.randn(method.actor.theta.shape, generator=torch.Generator().manual_seed(0))
    monkeypatch.setattr(method.adaptation, "direction", lambda *_: (g, {}))
    draws = draw_block(phase.draws, phase.seeds, phase.name, 0, 1, experiment.device)
    metrics = phase.update(torch.tensor(0.0), {name: block[0] for name, block in draws.items()})
    expected = torch.cosine_similarity(g.sign(), g, dim=1)
    torch.testing.assert_close(metrics["cosine_of_step_and_g"], expected, atol=1e-3, rtol=0)


@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_cost_critics_see_the_actions_that_the_environment_clips(build, sign):
    gradients = []
    for size in (1.0, 5.0):
        experiment = build("--cost-limits", "9")
        critic, batch = experiment.method.values.cost[0], experiment.replay.batch(torch.arange(16).unsqueeze(0))
        critic.q.ema.view(2, -1)[:, -1] = 0.5  # lifts the target off its lower bound, where actions do not matter
        critic.bounds = (0.0, 1e3)
        actions = sign * size * torch.ones(1, 16, 3)
        critic.learn(torch.tensor(1e6), batch, {"here": actions, "there": actions})
        gradients.append(critic.q.tensors["exp_avg"].clone())  # Adam's first step itself shows their signs only
    assert torch.equal(*gradients)
