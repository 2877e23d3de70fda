"""CAPS: which head acts, the heads' weights, and a bandit whose optimum is known."""

import pytest
import torch

from deep.methods.actor_critic.caps import CAPS, best_head
from deep.methods.fisor import FISOR
from deep.methods.parts.cloning import Temperatures, Units
from deep.methods.parts.iql import Estimates
from tests.support.lighter import unchecked
from tests.support.small_cmdps import STEPS, bandit, build, learner, play_bandit, train
from theory.support.errors import InputError


def chosen(reward: list[float], cost: list[float], kappa: float) -> int:
    """The head that acts."""
    q_reward, q_cost = (torch.tensor(x).view(1, -1, 1) for x in (reward, cost))
    return int(best_head(q_reward, q_cost, torch.tensor([[kappa]])))


def test_the_best_affordable_head_acts_and_else_the_cheapest():
    reward, cost = [3.0, 2.0, 1.0], [5.0, 1.0, 0.5]
    assert [chosen(reward, cost, kappa) for kappa in (6.0, 2.0, 0.7, 0.1)] == [0, 1, 2, 2]
    assert chosen(reward, cost, 5.0) == 1, "a cost that equals the budget is not below it"
    assert chosen(reward, [5.0, 0.5, 1.0], 0.1) == 1, "the cheapest, not the last"


def test_after_the_budget_is_spent_the_cheapest_head_acts():
    assert chosen([3.0, 1.0], [-0.1, -0.2], 0.0) == 1
    assert chosen([3.0, 1.0], [-0.1, -0.2], 0.05) == 0


def test_weights_lean_from_the_reward_to_the_cost():
    method = learner(
        build("caps", bandit(), (4.0,), reward_temperature=2.0, cost_temperature=1.0, weight_cap=50.0), CAPS
    )
    method.units, method.temperatures = Units(1.0, torch.tensor(1.0)), Temperatures(2.0, 1.0)
    advantage = torch.tensor([[[1.0, 0.0, 9.0], [0.0, 0.5, -9.0]]])  # Q - V of reward and cost
    found = method.weights(Estimates(advantage, torch.zeros_like(advantage), torch.zeros(1)))[0]
    exp = torch.exp
    reward, cost = exp(torch.tensor([2.0, 0.0, 18.0])).clamp(max=50), exp(torch.tensor([0.0, -0.5, 9.0])).clamp(max=50)
    torch.testing.assert_close(found, torch.stack([reward, reward + cost, cost]))
    assert found[2, 1] < 1 < found[2, 2], "the last head leaves costly actions out"


@pytest.mark.parametrize("algorithm", ["caps", "fisor"])
def test_values_go_on_at_timeouts_but_in_the_public_form(algorithm):
    data = bandit()
    for variant, ends in (("corrected", data.terminals), ("public", data.terminals | data.timeouts)):
        method = build(algorithm, data, (4.0,), variant=variant).method
        assert isinstance(method, CAPS | FISOR)
        assert torch.equal(method.not_terminal == 0, torch.from_numpy(ends)), variant
    assert (data.timeouts & ~data.terminals).any()


def test_middle_heads_of_five():
    method = learner(build("caps", bandit(), (4.0,), heads=5), CAPS)
    assert method.mixture[:, 0].tolist() == [0.0, 0.5, 1.0, 1.5, 2.0]


def test_targets_are_rewards_and_costs_with_the_signs_of_the_task():
    method = learner(build("caps", bandit(), (4.0,)), CAPS)
    batch = method.problem.replay.batch(torch.arange(6).unsqueeze(0))
    targets = method.backup(batch, torch.full((1, 2, 6), 2.0)) * torch.tensor(method.units).view(1, 2, 1)
    gamma = 0.9
    torch.testing.assert_close(targets[:, 0], batch.rewards + gamma * 2 * method.units.reward)
    torch.testing.assert_close(targets[:, 1], batch.costs + gamma * 2 * method.units.cost)
    assert not method.backup(batch, torch.full((1, 2, 6), -9.0))[:, 1].any(), "no cost is below 0"


@unchecked()
def test_a_bandit_is_played_within_every_limit():
    """The optimum takes the rich action as often as the limit allows; a policy that ignores it costs 10."""
    limits = (0.0, 4.0, 100.0)
    options = {"steps": 400, "heads": 2, "batch_size": 64, "expectile": 0.9, "learning_rate": 1e-2}
    critics = {"critics__learning_rate": 1e-2, "critics__target_rate": 0.1, "critics__regression_steps": 0}
    experiment = build("caps", bandit(), limits, reward_unit="episode", **options, **critics)
    train(experiment)
    returns, costs = play_bandit(experiment)
    assert costs[0] == 0
    assert 0 < costs[1] <= 4
    assert costs[2] == STEPS
    assert returns[0] < returns[1] < returns[2]
    heads = learner(experiment, CAPS).actions(learner(experiment, CAPS).actor.ema, torch.eye(11)[None, :1])[0, :, 0]
    assert heads[0].mean() > 0.3 > -0.3 > heads[1].mean(), "the first head earns, the last one saves"


def test_numbers_of_heads_that_are_rejected():
    with pytest.raises(InputError, match="--heads 1: accepted is a number from 2 to 8"):
        build("caps", bandit(), (4.0,), heads=1)
