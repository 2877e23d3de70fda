"""deep.methods.sequence: the denoiser, labels by hand, the plan that is followed, and its budget."""

import numpy as np
import pytest
import torch

from deep.methods.sequence.budgets import Quantiles, largest_budgets
from deep.methods.sequence.denoiser import Denoiser, Value
from deep.methods.sequence.planner import PlanningPolicy
from deep.methods.sequence.tcdp import TCDP
from deep.nn.mlp import initial_parameters
from deep.nn.transformer import Transformer
from deep.runs.experiment import Experiment
from tests.support.planning import experiment
from theory.support.errors import InputError


def learner(run: Experiment) -> TCDP:
    assert isinstance(run.method, TCDP)
    return run.method


def test_a_denoiser_predicts_nothing_at_the_start_and_its_condition_matters_later():
    net = Denoiser(3, 4, Transformer(8, 2, 1, causal=False, modulated=True), 2, 5)
    theta = initial_parameters(net, (0, 1), "x")
    rng = np.random.default_rng(0)
    noisy = torch.from_numpy(rng.normal(size=(2, 6, 4, 3))).float()
    level, condition = torch.randint(1, 6, (2, 6)), torch.rand(2, 6, 2)
    there, missing = torch.ones(2, 6, dtype=torch.bool), torch.zeros(2, 6, dtype=torch.bool)
    assert (net.apply(theta, noisy, level, condition, there) == 0).all()
    theta = theta + 0.1 * torch.from_numpy(rng.normal(size=tuple(theta.shape))).float()
    given = net.apply(theta, noisy, level, condition, there)
    assert not torch.allclose(given, net.apply(theta, noisy, level, 1 - condition, there))
    without = net.apply(theta, noisy, level, condition, missing)
    assert torch.equal(without, net.apply(theta, noisy, level, 1 - condition, missing))
    assert not torch.allclose(given, without)


@pytest.mark.parametrize(("conditions", "hidden"), [(2, (6, 5)), (0, (7,)), (1, ())])
def test_a_values_ascent_is_its_gradient(conditions, hidden):
    """The chain rule written out, against autograd."""
    value = Value(3, 4, conditions, 5, hidden)
    theta = initial_parameters(value, (0, 1), "x").double()
    x = torch.randn(2, 6, 4, 3, dtype=torch.float64, requires_grad=True)
    level, condition = torch.randint(1, 6, (2, 6)), torch.rand(2, 6, conditions, dtype=torch.float64)
    expected = value.apply(theta, x, level, condition)
    (gradient,) = torch.autograd.grad(expected.sum(), x)
    with torch.no_grad():
        found, slope = value.ascent(theta, x, level, condition)
    torch.testing.assert_close(found, expected.detach())
    torch.testing.assert_close(slope.expand_as(x), gradient)


def test_a_plan_begins_at_the_present_state():
    run = experiment()
    observations = run.replay.observations[:6].expand(2, -1, -1)
    method = learner(run)
    plans = method.plan(observations, torch.rand(2, 6, 2), torch.randn(2, 6, 4, 11))
    assert torch.equal(plans[:, :, 0], observations)
    assert plans.abs().amax() <= max(5, observations.abs().max())


def test_largest_budgets_by_hand():
    """R* is 1 from 0, 5 from 10, 10 from 50. With a slack of .1 x 9, R = 4.2 stands for budgets below 50."""
    costs, returns = np.array([0.0, 10, 50, 12]), np.array([1.0, 5, 10, 4.2])
    found = largest_budgets(costs, returns, 0.1)
    np.testing.assert_allclose(found, [10, 50, 50, 50], atol=1e-9)
    assert found[0] < 10, "at the budget 10 there is a far better one"
    assert found[2] >= 50
    assert largest_budgets(costs, returns, 0.0)[3] == 12, "within 12 there is a better one"
    assert (largest_budgets(costs, returns, 1.0) >= 50).all()


def test_a_rank_is_one_for_the_best_and_zero_for_the_worst_of_every_bin():
    rng = np.random.default_rng(0)
    costs, times = rng.uniform(0, 50, 4000), rng.uniform(0, 100, 4000)
    returns = times * (1 + costs / 50) + rng.normal(size=4000)
    table = Quantiles.of(costs, times, returns, bins=4)
    tensors = [torch.from_numpy(x).unsqueeze(0) for x in (costs, times, returns)]
    rank = table.rank(*tensors)[0]
    cost_bin = np.searchsorted(table.cost_edges.numpy(), costs, side="right")
    time_bin = np.searchsorted(table.time_edges.numpy(), times, side="right")
    for c in range(4):
        for t in range(4):
            chosen = np.flatnonzero((cost_bin == c) & (time_bin == t))
            ranks = rank[chosen].numpy()
            assert ranks[returns[chosen].argmax()] == pytest.approx(1)
            assert ranks[returns[chosen].argmin()] == pytest.approx(0)
            exact = returns[chosen].argsort().argsort() / (len(chosen) - 1)
            np.testing.assert_allclose(ranks, exact, atol=0.02)


def test_relabelled_costs_to_go_stay_between_the_own_cost_and_the_largest_budget():
    run = experiment("--relabelled", "1")
    labels, data = learner(run).labels, run.data
    window = learner(run).sequences.windows(torch.from_numpy(data.starts).expand(2, -1), 4)
    for share in (0.0, 0.5, 1.0):
        zeros = torch.zeros(2, len(data.starts))
        condition = labels.of(window, zeros, zeros + share).condition[..., 0] * 2 * labels.unit
        expected = data.trajectory_costs + share * (labels.budgets - data.trajectory_costs)
        np.testing.assert_allclose(condition[0], np.minimum(expected, 160), rtol=1e-5)
    untouched = labels.of(window, zeros + 1.0, zeros + 1.0).condition[..., 0] * 2 * labels.unit
    np.testing.assert_allclose(untouched[1], data.trajectory_costs, rtol=1e-5)


def test_the_return_until_the_budget_is_spent():
    """SDGD's target against a plain loop."""
    run = experiment(algorithm="sdgd")
    labels, data = learner(run).labels, run.data
    rows = np.concatenate([data.starts, data.starts + 7, data.ends])
    for budget in (0.0, 1.0, 3.0, 1000.0):
        found = labels.collected(torch.from_numpy(rows).unsqueeze(0), torch.full((1, len(rows)), budget))[0]
        for row, value in zip(rows, found, strict=True):
            spent, earned = 0.0, 0.0
            for t in range(row, data.ends[np.searchsorted(data.ends, row)] + 1):
                spent += data.costs[t]
                if spent > budget:
                    break
                earned += data.rewards[t]
            assert value.item() == pytest.approx(earned / labels.return_unit, abs=1e-5)


def test_the_plan_is_followed_and_the_budget_falls():
    run = experiment()
    policy = run.policy()
    assert isinstance(policy, PlanningPolicy)
    assert not policy.markov
    state, observations = policy.start(3), run.replay.observations[:3].expand(4, -1, -1)
    plans = []
    for t in range(5):
        _, state = policy.act(state, observations + 0.01 * t)
        plans.append(state.plan)
        state = policy.observe(state, torch.zeros(4, 3), torch.ones(4, 3), torch.zeros(4, 3, dtype=torch.bool))
    assert torch.equal(plans[0], plans[1])
    assert not torch.equal(plans[1], plans[2]), "a plan is followed for two steps"
    assert torch.equal(plans[2], plans[3])
    assert state.budget.tolist() == [[-1] * 3, [55] * 3, [-1] * 3, [55] * 3]


def test_the_action_leads_to_the_plans_next_state():
    run = experiment()
    method, policy = learner(run), run.policy()
    state, observations = policy.start(3), run.replay.observations[:3].expand(4, -1, -1)
    for t in range(2):
        action, state = policy.act(state, observations)
        seen, wanted = (x.reshape(2, 6, -1) for x in (observations, state.plan[:, :, t + 1]))
        expected = method.inverse.apply(method.actor.ema, seen, wanted).reshape(4, 3, -1)
        torch.testing.assert_close(action, expected)


def test_rows_do_not_depend_on_each_other_nor_on_the_split_of_a_batch():
    run = experiment()
    policy = run.policy()
    observations = run.replay.observations[:6].expand(4, -1, -1)
    whole, _ = policy.act(policy.start(6), observations)
    state = policy.start(6)
    number = type(state.number)(*(x[:, 2:4] for x in state.number))
    part = type(state)(state.plan[:, 2:4], state.budget[:, 2:4], number)
    some, _ = policy.act(part, observations[:, 2:4])
    torch.testing.assert_close(some, whole[:, 2:4])


def test_the_planner_of_cdd_asks_for_what_the_budget_affords():
    run = experiment(algorithm="cdd")
    labels, data = learner(run).labels, run.data
    budget = torch.tensor([[0.0, 4.0, 60.0]])
    found = labels.affordable(budget, torch.tensor([[0, 0, 20]]))[0].tolist()
    best = [data.trajectory_returns[data.trajectory_costs <= b].max() for b in (0, 4, 120)]  # half the time is left
    assert found == pytest.approx([best[0], best[1], best[2] / 2], rel=1e-5)
    assert learner(run).config.beta == 0


def test_a_plan_shorter_than_its_use_is_rejected():
    with pytest.raises(InputError, match="--replan-every 4 with --horizon 4: accepted is a plan that is longer"):
        experiment("--replan-every", "4")
