"""deep.methods.actor_critic.o3srl: the adversary's losses, EXP3 by hand, rounds, and a known optimum."""

from itertools import pairwise
from typing import Any

import pytest
import torch

from deep.methods.actor_critic.o3srl import O3SRL, O3SRLConfig
from deep.methods.parts.twin_critics import TwinConfig
from tests.support.lighter import unchecked
from tests.support.risky_bandit import GAMMA, bandit, play, trained
from theory.support.errors import InputError

SMALL: dict[str, Any] = {
    "steps": 1200,
    "regression_steps": 300,
    "hidden": (32, 32),
    "critics": TwinConfig((32, 32), learning_rate=3e-3, target_rate=0.02),
    "batch_size": 128,
    "learning_rate": 2e-3,
}
SHORT = SMALL | {
    "steps": 500,
    "regression_steps": 150,
    "critics": TwinConfig((32, 32), learning_rate=6e-3, target_rate=0.04),
    "learning_rate": 4e-3,
}


@pytest.fixture
def learner() -> O3SRL:
    """Two replicas with kappa = 1 and 2."""
    method = bandit("o3srl", (4.0, 8.0), **SMALL).method
    assert isinstance(method, O3SRL)
    return method


def play_round(learner: O3SRL, cost: float, uniforms: torch.Tensor, scored: bool = True) -> None:
    yes = torch.tensor(True)
    learner._play(yes if scored else ~yes, yes, torch.full((2,), cost), uniforms)


def test_large_multipliers_lose_least_where_the_policy_costs_too_much(learner):
    dear, cheap = learner.losses(torch.tensor([9.0, 9.0])), learner.losses(torch.tensor([0.0, 0.0]))
    torch.testing.assert_close(dear[0], torch.tensor([0.5, 0.375, 0.25, 0.125, 0.0]))
    torch.testing.assert_close(cheap[0], torch.tensor([0.5, 0.625, 0.75, 0.875, 1.0]))
    assert learner.losses(learner.kappa).unique().tolist() == [0.5]  # at the limit no multiplier is better


def test_exp3_moves_the_played_arm_alone_by_its_loss_over_its_probability(learner):
    learner.arm.fill_(3)
    before = learner.probabilities
    torch.testing.assert_close(before, torch.full((2, 5), 0.2))
    play_round(learner, 9.0, torch.full((2, 5), 0.5))
    moved = learner.log_weights - learner.log_weights[:, :1]
    expected = torch.zeros(2, 5)
    expected[:, 3] = -learner.rate * 0.125 / 0.2
    torch.testing.assert_close(moved, expected)
    assert learner.probabilities.sum(1).tolist() == pytest.approx([1, 1])
    assert (learner.probabilities >= 0.1 / 5).all()


def test_arms_are_drawn_with_their_probabilities(learner):
    with torch.no_grad():
        learner.log_weights[:] = torch.tensor([0.0, -1.0, -2.0, -3.0, -50.0])
    uniforms = torch.rand(4000, 2, 5, generator=torch.Generator().manual_seed(0))
    counts = torch.zeros(2, 5)
    for draw in uniforms:
        play_round(learner, 1.0, draw, scored=False)
        counts += torch.nn.functional.one_hot(learner.arm, 5)
    torch.testing.assert_close(counts / 4000, learner.probabilities, atol=0.03, rtol=0)
    assert counts[0, 4] > 0, "exploration"


def test_a_round_is_ten_steps_and_rewards_are_the_lagrangians(learner):
    batch = learner.problem.replay.batch(torch.arange(64).expand(2, -1))
    generator = torch.Generator().manual_seed(1)
    arms = []
    for step in range(295, 345):
        uniforms = torch.rand(2, 5, generator=generator)
        before = learner.log_weights.clone()
        rewards = learner.relabel(torch.tensor(float(step)), batch, {"arm": uniforms})
        threshold = (1 - GAMMA) * learner.kappa.unsqueeze(1)
        multiplier = (5 * learner.arm / 4).unsqueeze(1)
        torch.testing.assert_close(rewards, batch.rewards - multiplier * (batch.costs - threshold))
        arms.append(learner.arm.tolist())
        judged = step >= 310 and step % 10 == 0
        assert torch.equal(before, learner.log_weights) != judged, step
    changed = [step for step, (one, two) in enumerate(pairwise(arms), 296) if one != two]
    assert changed
    assert all(step % 10 == 0 and step >= 300 for step in changed)


def test_the_discounted_sum_of_the_rewards_is_the_lagrangian():
    """sum gamma^t (r - lambda (c - (1 - gamma) kappa)) = V_r - lambda (V_c - kappa), for kappa = 2, lambda = 3."""
    t = torch.arange(2000, dtype=torch.float64)
    r, c, weight = torch.sin(t), torch.cos(t).abs(), GAMMA**t
    left = (weight * (r - 3 * (c - (1 - GAMMA) * 2))).sum()
    torch.testing.assert_close(left, (weight * r).sum() - 3 * ((weight * c).sum() - 2))


def test_one_arm_is_no_adversary():
    with pytest.raises(InputError, match="--arms 1: accepted is a number of at least 2"):
        O3SRLConfig(arms=1)


@pytest.mark.slow
@unchecked()
def test_it_ends_within_the_limit_on_a_bandit_with_a_known_optimum(tmp_path):
    outcome = play(trained(bandit("o3srl", (4.0,), **SHORT), tmp_path / "o3srl"))
    assert outcome.cost[0] <= 4
    experiment: Any = bandit("o3srl", (4.0,), **SHORT)
    experiment.method.multipliers.zero_()  # an adversary without a weapon
    assert play(trained(experiment, tmp_path / "plain")).cost[0] > 8
