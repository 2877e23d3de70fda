"""deep.methods.sequence.trebi: guidance and the public code's moves in closed form, budgets, values, the choice."""

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import Tensor

from deep.core.method import state_rows
from deep.methods.sequence.planner import PlanningPolicy
from deep.methods.sequence.trebi import TREBI
from deep.runs.experiment import Experiment
from tests.support.builders import small_dataset
from tests.support.planning import LENGTH, experiment

GAMMA = 0.997


class Linear:
    """J(x_k, k) = sqrt(abar_k) <slope, x_k>: what the value <slope, x_0> is at level k where x_0 ~ N(0, I)."""

    def __init__(self, method: TREBI, smoothed: bool) -> None:
        bars = torch.tensor((1.0, *method.chain.alpha_bars))
        self.factors = bars.sqrt() if smoothed else torch.ones_like(bars)
        self.conditions = method.value.conditions

    def apply(self, theta: Tensor, x: Tensor, level: Tensor, condition: Tensor) -> Tensor:
        return self.factors[level] * (theta * x).sum((2, 3))

    def ascent(self, theta: Tensor, x: Tensor, level: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        return self.apply(theta, x, level, condition), self.factors[level][..., None, None] * theta.expand_as(x)


def learner(run: Experiment) -> TREBI:
    assert isinstance(run.method, TREBI)
    return run.method


def linear(*options: str, reward: Tensor, cost: Tensor, smoothed: bool = False, algorithm: str = "trebi") -> TREBI:
    """The method with these slopes of its values; before training its denoiser predicts no noise."""
    method = cast(Any, learner(experiment(*options, algorithm=algorithm)))
    method.value = Linear(method, smoothed)
    method.rewards, method.costs = SimpleNamespace(ema=reward), SimpleNamespace(ema=cost)
    return method


def test_plans_are_drawn_from_the_tilted_distribution():
    """N(0, I) exp(beta (a - n c) x) is N(beta (a - n c), I), for data of independent normals."""
    a, c = torch.linspace(-0.4, 0.4, 14), torch.linspace(0.5, -0.1, 14)
    words = "--levels 60 --horizon 2 --replan-every 1 --candidates 1 --beta 1.5 --cost-weight 0.8".split()
    method = cast(Any, linear(*words, reward=a, cost=c, smoothed=True, algorithm="diffuser"))
    method._noise = lambda x, k: (1 - method.chain.alpha_bars[k - 1]) ** 0.5 * x
    start = torch.from_numpy(np.random.default_rng(0).normal(size=(2, 8000, 2, 14))).float()
    plans = method.plan(torch.zeros(2, 8000, 11), torch.ones(2, 8000, 2), start)
    means, expected = plans[:, :, 1].mean((0, 1)), 1.5 * (a - 0.8 * c)
    torch.testing.assert_close(means, expected, atol=0.05, rtol=0)
    assert plans[:, :, 1].std().item() == pytest.approx(float((1 + expected.var(correction=0)).sqrt()), abs=0.05)
    assert (expected.abs() > 0.2).sum() > 5, "a wrong sign or a missing factor would show"


def test_the_weight_of_the_cost():
    one = torch.ones(1)
    cost, budget = torch.tensor([[0.9, 1.0, 1.2, 1.5, 5.0, 0.1]]), torch.tensor([[1.0, 1.0, 1.0, 1.0, 1.0, -1.0]])
    shaped = linear("--cost-weight", "2", reward=one, cost=one)._weight(cost, budget)
    torch.testing.assert_close(shaped, 2 * torch.tensor([[0, 0, 0.2, 0.5, 1, 1]]).exp() * (cost > budget))
    sharp = linear("--cost-weight", "2", "--penalty", "threshold", reward=one, cost=one)._weight(cost, budget)
    assert sharp.tolist() == [[0, 0, 2, 2, 2, 2]]
    fixed = linear("--cost-weight", "2", reward=one, cost=one, algorithm="diffuser")._weight(cost, budget)
    assert fixed.tolist() == [[2] * 6]


def test_the_public_moves_are_those_of_linear_values():
    """x_k moves by .1 Sigma_k U_R a, twice, while C <= b; above b against the gradient of C. Nothing at two levels."""
    a, c = torch.full((14,), 2e-6), torch.linspace(1e-3, 2e-3, 14)
    words = "--variant public --levels 5 --candidates 1".split()
    method = linear(*words, reward=a, cost=c)
    unit_r, unit_c = (float(unit) for unit in method.units)
    zeros, condition = torch.zeros(2, 3, 4, 14), torch.tensor([1.0]).expand(2, 3, 1)
    torch.testing.assert_close(method.ascent(zeros, 4, condition), unit_r * a.expand_as(zeros))
    high = zeros + 100.0  # C = 4 x 100 x sum of c = 8.4, far above b = 1: the weight is 5 e
    expected = unit_r * a - 5 * np.e * unit_c * c
    torch.testing.assert_close(method.ascent(high, 4, condition), expected.expand_as(zeros))
    assert (expected < 0).all()
    bars, variances = method.chain.alpha_bars, method.chain.posterior_variances
    # Without noise to predict the reversal only divides: x_0 = sum_k (moves at k) / sqrt(abar_k).
    total = sum(2 * 0.1 * variances[k - 1] / bars[k - 1] ** 0.5 for k in (3, 4, 5))
    plans = method.plan(torch.zeros(2, 3, 11), condition, zeros)
    torch.testing.assert_close(plans[:, :, 1:], (total * unit_r * a).expand(2, 3, 3, 14))
    torch.testing.assert_close(plans[:, :, 0, 11:], (total * unit_r * a[:3]).expand(2, 3, 3))
    assert (plans[:, :, 0, :11] == 0).all(), "the present state"


@pytest.mark.parametrize("variant", ["corrected", "public"])
def test_at_a_constant_cost_rate_the_budget_is_the_discounted_cost_that_is_left(variant):
    """b_t = c (1 - gamma^(L - t)) / (1 - gamma) where every step costs c = l / L; and nothing is left at the end."""
    method = learner(experiment("--variant", variant, algorithm="trebi"))
    policy = PlanningPolicy(method)
    state, limits = policy.start(2), torch.tensor([4.0, 60, 4, 60]).unsqueeze(1).expand(4, 2)
    for t in range(LENGTH):
        found = method.condition(state.budget, torch.full((4, 2), t))[..., 0] * method.units[1]
        expected = limits / LENGTH * (1 - GAMMA ** (LENGTH - t)) / (1 - GAMMA)
        torch.testing.assert_close(found, expected, rtol=2e-3, atol=1e-4)
        state = policy.observe(state, torch.ones(4, 2), limits / LENGTH, torch.zeros(4, 2, dtype=torch.bool))


def test_the_two_budgets_differ_where_the_rate_is_not_constant():
    """Nothing spent in half of the episode: the whole limit is left for the other half, or a part of it."""
    time = torch.full((4, 1), LENGTH // 2)
    left = {}
    for variant in ("corrected", "public"):
        method = learner(experiment("--variant", variant, "--value-discount", "0.9", algorithm="trebi"))
        state, policy = PlanningPolicy(method).start(1), PlanningPolicy(method)
        for _ in range(LENGTH // 2):
            state = policy.observe(state, torch.zeros(4, 1), torch.zeros(4, 1), torch.zeros(4, 1, dtype=torch.bool))
        left[variant] = (method.condition(state.budget, time)[..., 0] * method.units[1])[0, 0].item()
    assert left["corrected"] == pytest.approx(4 / 20 * (1 - 0.9**20) / 0.1, rel=1e-4)
    assert left["public"] == pytest.approx(4 / 40 * (1 - 0.9**40) / 0.1 / 0.9**20, rel=1e-4)


@pytest.mark.parametrize(("variant", "penalty"), [("corrected", 0.0), ("public", 100.0)])
def test_values_predict_the_discounted_sums_to_the_end(variant, penalty):
    """Against a plain loop; the public code charges terminal states."""
    method, data = learner(experiment("--variant", variant, algorithm="trebi")), small_dataset()
    assert data.terminals.any()
    found = method.targets * method.units.unsqueeze(1)
    for start, end in zip(data.starts, data.ends, strict=True):
        reward, cost = 0.0, 0.0
        for t in range(end, start - 1, -1):
            reward = data.rewards[t] - penalty * data.terminals[t] + GAMMA * reward
            cost = data.costs[t] + penalty * data.terminals[t] + GAMMA * cost
            assert found[0, t].item() == pytest.approx(reward, abs=1e-3)
            assert found[1, t].item() == pytest.approx(cost, abs=1e-3)


def test_of_the_plans_within_the_budget_the_best_is_followed_else_the_cheapest():
    """Candidates side by side, told apart by the action of their first step, which nothing moves."""
    reward, cost = torch.zeros(4, 14), torch.zeros(4, 14)
    reward[0, 11], cost[0, 12] = 1.0, 1.0
    method = linear("--candidates", "3", "--beta", "0", reward=reward, cost=cost)
    scale = method.chain.alpha_bars[-1] ** 0.5  # x_0 = x_T / sqrt(abar_T) where no noise is predicted
    wanted = torch.tensor([[[3.0, 2.0], [1.0, 0.5], [2.0, 0.9]], [[3.0, 2.0], [1.0, 1.5], [2.0, 1.9]]])  # (R, C)
    start = torch.zeros(2, 6, 4, 14)
    start[:, :, 0, 11:13] = scale * wanted.flatten(0, 1)
    condition = torch.tensor([1.0, 0.5]).expand(2, 2, 2)  # b = 1
    plans = method.plan(torch.zeros(2, 2, 11), condition, start)
    torch.testing.assert_close(plans[:, :, 0, 11:13], torch.tensor([[2.0, 0.9], [1.0, 1.5]]).expand(2, 2, 2))


def test_the_actions_of_the_plan_are_played():
    run = experiment(algorithm="trebi")
    policy = run.policy()
    state, observations = policy.start(3), run.replay.observations[:3].expand(4, -1, -1)
    for t in range(4):
        action, state = policy.act(state, observations)
        torch.testing.assert_close(action, state.plan[:, :, t % 2, 11:].clamp(-1, 1))
        assert torch.equal(state.plan[:, :, 0, :11], observations)


def test_plans_of_states_have_an_inverse_model():
    run = experiment("--no-plan-actions", algorithm="trebi")
    assert [phase.name for phase in run.method.phases()] == ["planner", "inverse dynamics"]
    action, state = run.policy().act(run.policy().start(2), run.replay.observations[:2].expand(4, -1, -1))
    assert state.plan.shape[-1] == 11
    assert action.shape == (4, 2, 3)
    assert [phase.name for phase in experiment(algorithm="trebi").method.phases()] == ["planner"]


@pytest.mark.parametrize("algorithm", ["trebi", "diffuser"])
def test_rows_do_not_depend_on_the_split_of_a_batch(algorithm):
    run = experiment("--candidates", "3", algorithm=algorithm)
    policy, observations = run.policy(), run.replay.observations[:6].expand(4, -1, -1)
    whole, _ = policy.act(policy.start(6), observations)
    some, _ = policy.act(state_rows(policy.start(6), slice(2, 4)), observations[:, 2:4])
    torch.testing.assert_close(some, whole[:, 2:4])
    assert policy.max_batch == 512 // 3
