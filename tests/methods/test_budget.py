"""deep.methods.parts.budget: the budget left, its discounted value, and one model for the limits of a seed."""

from dataclasses import replace

import pytest
import torch

from deep.core.method import Policy, require_markov, state_rows
from deep.methods.parts.budget import (
    BudgetPolicy,
    EpisodeSums,
    budget_of,
    by_replica,
    by_seed,
    discounted_budget,
)
from deep.methods.parts.critics import episodic_to_discounted
from deep.tasks import find_task
from theory.support.errors import InputError


@pytest.fixture
def problem(build):
    return build("--algorithm", "bc_all", "--seeds", "1", "2", "--cost-limits", "4", "9", "20").problem


def test_the_discounted_budget_begins_as_the_limits_and_ends_as_the_budget():
    task, gamma = find_task("HopperVel"), 0.99
    left, step = torch.full((4,), 20.0), torch.tensor([0.0, 999.0, 1000.0, 500.0])
    kappa = discounted_budget(left, step, task, gamma)
    start = episodic_to_discounted(20, gamma, 1000, "start")
    assert kappa.tolist() == pytest.approx([start, 20.0, 20.0, 20 / 500 * (1 - gamma**500) / (1 - gamma)], rel=1e-5)
    assert discounted_budget(torch.zeros(1), step[:1], task, gamma).item() == 0.0


def test_where_steps_time_out_at_random_the_expected_steps_count():
    gamma = 0.95
    task = replace(find_task("HopperVel"), episode_length=180, timeout_rate=1 - gamma)
    step = torch.tensor([0.0, 90.0, 179.0])
    assert discounted_budget(torch.full((3,), 2.0), step, task, gamma).tolist() == pytest.approx([2.0] * 3, rel=1e-5)
    start = episodic_to_discounted(2.0, gamma, 180, "start", task.expected_length)
    assert start == pytest.approx(2.0)


def test_the_budget_is_the_limit_less_the_raw_costs_and_never_negative(problem):
    sums = EpisodeSums.start(problem, 2)
    costs = torch.arange(12.0).view(6, 2)
    sums = sums.observe(costs * 10, costs, torch.tensor([False, True]).expand(6, -1))
    sums = sums.observe(costs * 10, costs, torch.tensor([False, True]).expand(6, -1))
    assert sums.step.unique(dim=0).tolist() == [[2.0, 0.0]], "an episode that has ended keeps its step"
    budget = budget_of(problem, sums)
    limits = torch.tensor([4.0, 9.0, 20.0]).repeat(2).unsqueeze(1)
    assert torch.equal(by_replica(problem, budget.left), (limits - 2 * costs).clamp(min=0))
    assert torch.equal(by_replica(problem, budget.limit), limits.expand(-1, 2))
    assert torch.equal(by_replica(problem, budget.earned), 20 * costs)
    assert (budget.left == 0).any()
    assert sums.cost.max() == 22, "the state keeps what was spent beyond the limit"


def test_the_limits_of_a_seed_lie_side_by_side(problem):
    x = torch.arange(6.0).view(6, 1, 1).expand(-1, 5, 2)
    assert by_seed(problem, x)[:, :, 0].tolist() == [
        [0.0] * 5 + [1.0] * 5 + [2.0] * 5,
        [3.0] * 5 + [4.0] * 5 + [5.0] * 5,
    ]
    assert torch.equal(by_replica(problem, by_seed(problem, x)), x)


def test_a_policy_acts_by_the_budget_of_each_row(problem):
    def choose(observations, budget):
        assert observations.shape == (2, 12, 11)
        return budget.left.unsqueeze(-1).expand(-1, -1, 3) + 10 * budget.step.unsqueeze(-1)

    policy = BudgetPolicy(problem, choose)
    assert isinstance(policy, Policy)
    with pytest.raises(InputError, match="not defined for a policy with a memory"):
        require_markov(policy)
    state = policy.start(4)
    observations = torch.zeros(6, 4, 11)
    actions, state = policy.act(state, observations)
    assert actions[:, 0, 0].tolist() == [4.0, 9.0, 20.0] * 2
    state = policy.observe(state, torch.ones(6, 4), torch.ones(6, 4), torch.zeros(6, 4, dtype=torch.bool))
    actions, _ = policy.act(state, observations)
    assert actions[:, 3, 0].tolist() == [13.0, 18.0, 29.0] * 2, "one cost less, one step more"
    assert state_rows(state, slice(1, 3)).cost.shape == (6, 2)
