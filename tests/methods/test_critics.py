"""deep.methods.parts.critics: losses by hand, implicit Q-learning and cost critics on a chain with known values."""

import pytest
import torch

from deep.data.replay import Batch
from deep.methods.parts.critics import (
    CostCritic,
    CriticConfig,
    PolicyCritic,
    bellman_target,
    episodic_to_discounted,
    expectile_loss,
    pessimism,
    td_loss,
    upper_confidence,
)
from deep.methods.parts.iql import RewardCritic, iql_value_loss
from tests.support.lighter import unchecked


def test_losses_by_hand():
    assert expectile_loss(torch.tensor([2.0, -2.0]), 0.7).tolist() == pytest.approx([0.7 * 4, 0.3 * 4])
    q = torch.tensor([[[1.0, 5.0], [3.0, 2.0]]])  # minima 1 and 2
    worse = q.amin(1, keepdim=True)
    assert iql_value_loss(worse, torch.tensor([[[0.0, 4.0]]]), 0.7).item() == pytest.approx((0.7 * 1 + 0.3 * 4) / 2)
    assert td_loss(q, torch.zeros(1, 1, 2)).item() == pytest.approx((1 + 25) / 2 + (9 + 4) / 2)
    assert pessimism(torch.full((1, 2, 3), 5.0), torch.full((1, 2, 3), 2.0), 0.2).item() == pytest.approx(-0.2 * 3 * 2)


def test_targets_stop_at_terminals_only_and_keep_to_what_is_possible():
    immediate, not_terminal = torch.tensor([[1.0, 1.0, 1.0]]), torch.tensor([[1.0, 0.0, 1.0]])
    next_value = torch.tensor([[[10.0, 10.0, 400.0]]])
    target = bellman_target(immediate, not_terminal, next_value, 0.5, (0.0, 2.0 / 0.01))
    assert target.tolist() == [[[6.0, 1.0, 200.0]]]


def test_pessimism_raises_the_policys_cost_and_not_the_datas():
    q_policy = torch.zeros(1, 1, 4, requires_grad=True)
    q_data = torch.zeros(1, 1, 4, requires_grad=True)
    pessimism(q_policy, q_data, 0.2).sum().backward()
    assert q_policy.grad is not None
    assert q_data.grad is not None
    assert (q_policy.grad < 0).all()  # descent raises it
    assert (q_data.grad > 0).all()
    assert (q_policy.grad + q_data.grad).sum() == 0  # no bias where the policy is the data's


def test_printed_pessimism_has_no_data_term_and_is_biased_on_the_data():
    """Its minimiser on data that follow the policy is y + alpha / 2 instead of y."""
    for printed, bias in ((True, 0.1), (False, 0.0)):
        q = torch.zeros(1, 1, 4, requires_grad=True)
        for _ in range(200):
            loss = td_loss(q, torch.full((1, 1, 4), 3.0)) + pessimism(q, q, 0.2, printed)
            q.data -= torch.autograd.grad(loss.sum(), q)[0]
        assert q.detach().mean().item() == pytest.approx(3 + bias, abs=1e-4)


def test_the_upper_confidence_bound_uses_the_population_deviation():
    q = torch.tensor([[[1.0], [2.0], [3.0], [6.0]]])
    assert upper_confidence(q, 2.0).item() == pytest.approx(3 + 2 * 3.5**0.5)


@pytest.mark.parametrize("states", ["data", "start"])
def test_episodic_limits_as_discounted_values(states):
    gamma, length, rate = 0.99, 300, 0.05
    steps = length if states == "start" else 100_000
    value = sum(rate * gamma**t for t in range(steps))
    assert episodic_to_discounted(rate * length, gamma, length, states) == pytest.approx(value)


class Chain:
    """Two actions on a chain of two states: from s0, a = 1 pays 1 and a = -1 pays 0, both lead to s1, which ends.

    Costs are the rewards. In s1 every action pays 2 and terminates.
    """

    def __init__(self, build) -> None:
        self.problem = build("--cost-limits", "20", "--gamma", "0.9").problem
        start, end = torch.zeros(11), torch.ones(11)
        good, bad = torch.ones(3), -torch.ones(3)
        rows = [
            (start, good, 1.0, end, 1.0),
            (start, bad, 0.0, end, 1.0),
            (end, good, 2.0, end, 0.0),
            (end, bad, 2.0, end, 0.0),
        ]
        columns = [torch.stack([torch.as_tensor(x) for x in column]).unsqueeze(0) for column in zip(*rows, strict=True)]
        self.start, self.good, self.bad = start, good, bad
        s, a, r, n, not_terminal = columns
        self.batch = Batch(s, a, r, r, n, not_terminal, torch.full_like(r, 7.0), torch.full_like(r, 7.0))


@pytest.mark.slow
@unchecked()
def test_implicit_q_learning_finds_the_known_values(build):
    chain = Chain(build)
    config = CriticConfig(hidden=(32, 32), learning_rate=3e-3, target_rate=0.05, regression_steps=0, expectile=0.9)
    critic = RewardCritic(config, chain.problem)
    for step in range(600):
        critic.learn(torch.tensor(float(step)), chain.batch)
    pairs = torch.cat([chain.batch.observations, chain.batch.actions], -1)
    q = critic.twin.apply(critic.q.theta, pairs)[0, 0, :, 0] * critic.unit
    torch.testing.assert_close(q.detach(), torch.tensor([1 + 0.9 * 2, 0.9 * 2, 2.0, 2.0]), atol=0.1, rtol=0)
    # The .9-expectile of Q(s0, .) = {2.8, 1.8}, half each: .9 (2.8 - v) = .1 (v - 1.8).
    value = critic.value.apply(critic.v.theta, chain.batch.observations)[0, 0, 0] * critic.unit
    assert value.item() == pytest.approx(2.7, abs=0.1)
    slope = critic.action_gradient(chain.start.view(1, 1, -1), torch.zeros(1, 1, 3))
    assert slope.sum() > 0
    assert not critic.action_gradient(chain.start.view(1, 1, -1), torch.full((1, 1, 3), 1.5)).any()


@pytest.mark.slow
@unchecked()
def test_the_warm_start_regresses_on_the_datas_own_sums(build):
    chain = Chain(build)
    critic = RewardCritic(CriticConfig(hidden=(32,), learning_rate=1e-2, regression_steps=1000), chain.problem)
    for step in range(300):
        critic.learn(torch.tensor(float(step)), chain.batch)
    pairs = torch.cat([chain.batch.observations, chain.batch.actions], -1)
    assert critic.twin.apply(critic.q.theta, pairs).mean().item() * critic.unit == pytest.approx(7, abs=0.2)


@pytest.mark.slow
@pytest.mark.parametrize(("action", "value"), [("good", 1 + 0.9 * 3), ("bad", 0.9 * 2)])
@unchecked()
def test_a_policy_critic_evaluates_the_policys_reward(build, action, value):
    """In s1 the good action pays 3 here and the bad one 2, so that Q(s0, .) depends on what the policy does there."""
    chain = Chain(build)
    batch = chain.batch._replace(rewards=torch.tensor([[1.0, 0.0, 3.0, 2.0]]))
    chosen = getattr(chain, action)
    config = CriticConfig(hidden=(32, 32), learning_rate=3e-3, target_rate=0.05, regression_steps=0, layer_norm=True)
    critic = PolicyCritic(config, chain.problem, "reward_critic", (0,))
    for step in range(600):
        critic.learn(
            torch.tensor(float(step)), batch, {"here": chosen.expand(1, 4, 3), "there": chosen.expand(1, 4, 3)}
        )
    found = critic.upper_confidence(chain.start.view(1, 1, -1), chosen.view(1, 1, -1), 0.0).item()
    assert found == pytest.approx(value, abs=0.15)


@pytest.mark.slow
@unchecked()
def test_cost_critics_evaluate_the_policy_and_pessimism_lifts_only_unseen_actions(build):
    chain = Chain(build)
    bad_everywhere = {"here": chain.bad.expand(1, 4, 3), "there": chain.bad.expand(1, 4, 3)}
    unseen = {"here": torch.zeros(1, 4, 3), "there": chain.bad.expand(1, 4, 3)}
    values = {}
    for name, alpha, chosen in (("plain", 0.0, bad_everywhere), ("pessimistic", 1.0, unseen)):
        config = CriticConfig(
            hidden=(32, 32), learning_rate=3e-3, target_rate=0.05, regression_steps=0, pessimism=alpha
        )
        critic = CostCritic(config, chain.problem, "cost_critic", (0,))
        critic.bounds = (0.0, 10.0)
        for step in range(600):
            critic.learn(torch.tensor(float(step)), chain.batch, chosen)
        at = {"bad": chain.bad, "middle": torch.zeros(3)}
        values[name] = {
            key: critic.upper_confidence(chain.start.view(1, 1, -1), action.view(1, 1, -1), 0.0).item()
            for key, action in at.items()
        }
    assert values["plain"]["bad"] == pytest.approx(1.8, abs=0.1)
    assert values["pessimistic"]["middle"] > values["plain"]["middle"] + 0.5
