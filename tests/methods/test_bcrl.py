"""BCRL: the budgets of both forms, which policy acts, and a bandit whose optimum is known."""

from dataclasses import replace

import pytest
import torch

from deep.methods.actor_critic.bcrl import BCRL, _largest_budget
from deep.methods.parts.budget import Budget
from deep.methods.parts.iql import Estimates
from tests.support.lighter import unchecked
from tests.support.small_cmdps import STEPS, bandit, build, learner, play_bandit, train, transitions

CRITICS = {"critics__learning_rate": 1e-2, "critics__target_rate": 0.2, "critics__regression_steps": 0}
DRAWS = {"next_budget": torch.tensor([[0.0, 0.5, 1.0]]), "budget": torch.tensor([[0.0, 0.5, 1.0]])}


def estimates(method, q, v) -> Estimates:
    """Estimates of Q_c and V_c in costs."""
    unit = method.units.cost
    return Estimates(torch.tensor([[q]]) / unit, torch.tensor([[v]]) / unit, torch.zeros(1))


def test_slack_is_the_budget_above_the_least_cost():
    method = learner(build("bcrl", bandit(), (4.0,), largest_budget=10.0), BCRL)
    batch = method.problem.replay.batch(torch.tensor([[0, 1, 2]]))
    found = method.budgets(batch, estimates(method, [3.0, 3.0, 1.0], [1.0, 1.0, 2.0]), DRAWS)
    assert found.next_state[0].tolist() == pytest.approx([0, 5, 10])
    assert found.pair[0].tolist() == pytest.approx([0, 4.5, 9]), "gamma times the next slack, not divided by gamma"
    assert found.value_pair[0].tolist() == pytest.approx([0, 5, 11]), "b - Q_c is never negative"
    assert found.state[0].tolist() == pytest.approx([2, 7, 10]), "b - V_c"


def test_absolute_budgets_are_the_cost_and_the_discounted_next_budget():
    method = learner(build("bcrl", bandit(), (4.0,), largest_budget=10.0, form="absolute"), BCRL)
    batch = method.problem.replay.batch(torch.tensor([[0, 1, 2]]))
    method.cost.values = lambda states: torch.full((1, 1, 3), 2.0) / method.units.cost
    q = [3.0, 8.2, 1.0]
    found = method.budgets(batch, estimates(method, q, [1.0] * 3), DRAWS)
    torch.testing.assert_close(found.pair, batch.costs + 0.9 * found.next_state)
    least = torch.maximum((torch.tensor(q) - batch.costs[0]) / 0.9, torch.tensor(2.0))
    torch.testing.assert_close(found.next_state[0], least + DRAWS["next_budget"][0] * (10 - least))
    assert found.state[0].tolist() == pytest.approx([3, 9.1, 10])
    assert torch.equal(found.state, found.value_pair)


def one_choice():
    """The action + pays 1 and costs 1, the action - pays .2; both end the episode."""
    return transitions([0, 0], [1, 1], [1, -1], [1.0, 0.2], [1.0, 0.0], [1, 1], [0, 0])


@pytest.mark.slow
@unchecked()
@pytest.mark.parametrize("form", ["slack", pytest.param("absolute", marks=pytest.mark.exhaustive)])
def test_the_reward_s_value_jumps_where_the_budget_affords_the_better_action(form):
    """And a large budget is implicit Q-learning without one: .7 (1 - v) = .3 (v - .2) at v = .76."""
    options = {"steps": 700, "batch_size": 32, "hidden": (32,), "critics__hidden": (32,)}
    options |= {"largest_budget": 3.0, "reward_expectile": 0.7, "cost_expectile": 0.02, "form": form}
    experiment = build("bcrl", one_choice(), (4.0,), **options, **CRITICS)
    train(experiment)
    method, states = learner(experiment, BCRL), torch.eye(11)[None, :1]
    poor, rich = (
        method.reward.values(method.with_budget(states, torch.full((1, 1), b))).item() * method.units.reward
        for b in (0.2, 2.5)
    )
    assert poor == pytest.approx(0.2, abs=0.2)
    assert rich == pytest.approx(0.76, abs=0.15)
    assert method.cost.values(states).item() * method.units.cost == pytest.approx(0.02, abs=0.1), "the least cost"
    saving, spending = (method.act(states, torch.full((1, 1), b)).mean().item() for b in (0.15, 2.5))
    assert saving < 0 < spending


@pytest.mark.slow
@unchecked()
def test_a_bandit_is_played_within_every_limit():
    limits = (0.0, 4.0, 100.0)
    options = {"steps": 500, "batch_size": 64, "learning_rate": 1e-2, "cost_expectile": 0.02, "reward_expectile": 0.9}
    options |= {"largest_budget": 10.0, "reward_unit": "episode", "hidden": (32,), "critics__hidden": (32,)}
    experiment = build("bcrl", bandit(), limits, **options, **CRITICS)
    train(experiment)
    returns, costs = play_bandit(experiment)
    assert costs[0] == 0
    assert 0 < costs[1] <= 4
    assert costs[2] == STEPS
    assert returns[0] < returns[1] < returns[2]


def test_the_safe_policy_acts_below_the_least_slack():
    method = learner(build("bcrl", bandit(), (4.0,), least_slack=0.5), BCRL)
    method.cost.values = lambda states: torch.full((1, 1, 4), 2.0) / method.units.cost
    states = torch.eye(11)[None, :4]
    found = method.act(states, torch.tensor([[0.0, 2.4, 2.6, 99.0]]))
    safe = method.safe_policy.distribution(method.safe_actor.ema, states)[0]
    slack = torch.tensor([[0.0, 0.0, 0.6, method.largest]])
    spending = method.policy.distribution(method.actor.ema, method.with_budget(states, slack))[0]
    torch.testing.assert_close(found, torch.cat([safe[:, :2], spending[:, 2:]], 1))


def test_the_largest_budget_is_the_task_s_and_not_the_run_s():
    one = learner(build("bcrl", bandit(), (4.0,)), BCRL)
    other = replace(one.problem, cost_limits=(1.0, 2.0))
    kappa = 4.0 * (1 - 0.9**STEPS) / (0.1 * STEPS)
    assert one.largest == pytest.approx(2 * kappa)
    assert _largest_budget(one.config, other) == one.largest
    assert learner(build("bcrl", bandit(), (4.0,), variant="public"), BCRL).largest == pytest.approx(10.0)
    assert learner(build("bcrl", bandit(), (4.0,), largest_budget=7.0), BCRL).largest == 7.0


def test_the_public_conversion_has_no_end_of_the_episode(monkeypatch):
    budget = Budget(*(torch.full((1, 1), x) for x in (4.0, 4.0, 0.0, 0.0)))
    kappa = {}
    for variant in ("corrected", "public"):
        method = learner(build("bcrl", bandit(), (4.0,), variant=variant), BCRL)
        monkeypatch.setattr(method, "act", lambda observations, kappa: kappa.unsqueeze(-1))
        kappa[variant] = method.choose(torch.eye(11)[None, :1], budget).item()
    assert kappa["public"] == pytest.approx(4.0)
    assert kappa["corrected"] == pytest.approx(4.0 * (1 - 0.9**STEPS))
