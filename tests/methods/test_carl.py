"""deep.methods.actor_critic.carl and deep.methods.parts.td3_bc: the mask, the plain learner inside, a known optimum."""

from typing import Any

import pytest
import torch

from deep.core.randomness import draw_block
from deep.methods.actor_critic.carl import CARL
from deep.methods.parts.td3_bc import TD3BC
from deep.methods.parts.twin_critics import TwinConfig
from tests.support.lighter import unchecked
from tests.support.risky_bandit import bandit, play, trained

SMALL: dict[str, Any] = {
    "steps": 1000,
    "regression_steps": 300,
    "hidden": (32, 32),
    "critics": TwinConfig((32, 32), learning_rate=3e-3, target_rate=0.02),
    "batch_size": 128,
    "learning_rate": 2e-3,
}
STEP = torch.tensor(0.0)
OPTIONS = ["--algorithm", "carl", "--seeds", "1", "2", "--batch-size", "16", "--critics.hidden", "16"]


def updated(learner: TD3BC, steps: int) -> dict[str, torch.Tensor]:
    """What the learner has after a few updates with its own draws."""
    (phase,) = learner.phases()
    draws = draw_block(phase.draws, phase.seeds, phase.name, 0, steps, learner.problem.device)
    for k in range(steps):
        phase.update(torch.tensor(float(k)), {name: values[k] for name, values in draws.items()})
    return learner.tensors()


def a_batch(learner: TD3BC):
    return learner.problem.replay.batch(torch.arange(64).expand(2, -1))


def test_a_costly_pair_trains_on_the_largest_penalty_whatever_it_earned(build):
    learner = build(*OPTIONS, "--cost-limits", "4").method
    batch = a_batch(learner)
    cost = learner.predicted_cost(batch.observations, batch.actions)
    learner.kappa = cost.median(1).values  # half of the pairs lie above
    relabelled = learner.relabel(STEP, batch, {})
    costly = cost > learner.kappa.unsqueeze(1)
    assert costly.any()
    assert not costly.all()
    worst = -float(learner.problem.replay.rewards.abs().max())
    assert relabelled[costly].unique().tolist() == [pytest.approx(worst)]
    assert torch.equal(relabelled[~costly], batch.rewards[~costly])
    richer = batch._replace(rewards=batch.rewards + 7)
    assert torch.equal(learner.relabel(STEP, richer, {})[costly], relabelled[costly])
    # A critic that has learned the penalty everywhere is not clamped to what the data's rewards allow.
    assert learner.critics.reward_bounds[0] == pytest.approx(worst)


def test_the_larger_of_the_two_cost_critics_decides(build):
    learner = build(*OPTIONS, "--cost-limits", "4").method
    batch = a_batch(learner)
    pair = learner.critics.values(learner.critics.q.ema, batch.observations, batch.actions).cost
    learner.kappa = pair.amin(1).amax(1)  # the smaller one exceeds this nowhere
    costly = learner.relabel(STEP, batch._replace(rewards=torch.zeros(2, 64)), {}) != 0
    assert torch.equal(costly, pair.amax(1) > learner.kappa.unsqueeze(1))
    assert costly.any(), "with the smaller critic nothing would be relabelled"


def test_a_threshold_above_every_cost_is_plain_td3_bc_bit_for_bit(build):
    def learner(kind: type[TD3BC], kappa: float) -> TD3BC:
        experiment = build(*OPTIONS, "--cost-limits", "4", "--regression-steps", "5")
        made = kind(experiment.settings.method, experiment.problem)
        made.kappa = torch.full_like(made.kappa, kappa)
        made.critics.reward_bounds = CARL(experiment.settings.method, experiment.problem).critics.reward_bounds
        return made

    plain, above, low = (updated(learner(*given), 30) for given in ((TD3BC, 0.0), (CARL, 1e9), (CARL, 0.0)))
    assert all(torch.equal(plain[name], above[name]) for name in plain)
    assert any(not torch.equal(plain[name], low[name]) for name in plain), "negative control: the mask does something"


def test_the_policy_climbs_the_value_and_stays_near_the_data(build):
    """The gradient of the policy's loss, by finite differences of the printed formula, in float64."""
    torch.set_default_dtype(torch.float64)
    try:
        experiment = build(*OPTIONS, "--cost-limits", "4", "--regression-steps", "0", "--learning-rate", "1e-3")
        learner = experiment.method
        (phase,) = learner.phases()
        block = draw_block(phase.draws, phase.seeds, phase.name, 0, 1, experiment.device)
        draws = {name: values[0] for name, values in block.items()}
        start = learner.actor.theta.detach().clone()
        phase.update(torch.tensor(0.0), draws)
        batch = experiment.replay.batch(experiment.replay.rows(draws["row"]))
        scale = learner.critics.values(learner.critics.q.theta, batch.observations, act(learner, start, batch))
        size = scale.reward[:, 0].abs().mean(1).detach()

        def loss(theta: torch.Tensor) -> torch.Tensor:
            actions = act(learner, theta, batch)
            value = learner.critics.values(learner.critics.q.theta, batch.observations, actions).reward[:, 0].mean(1)
            return (actions - batch.actions).square().mean((1, 2)) - 2.5 * value / size

        step = torch.zeros_like(start)
        step[:, 7] = 1e-5
        slope = (loss(start + step) - loss(start - step)).detach() / 2e-5
        moment = learner.actor.tensors["exp_avg"][:, 7] / 0.1  # Adam's first moment after one step
        torch.testing.assert_close(moment, slope, rtol=1e-5, atol=1e-9)
    finally:
        torch.set_default_dtype(torch.float32)


def act(learner: TD3BC, theta: torch.Tensor, batch) -> torch.Tensor:
    return learner.policy.distribution(theta, batch.observations)[0]


def test_next_actions_are_smoothed_within_their_bounds(build):
    learner = build(*OPTIONS, "--cost-limits", "4").method
    batch = a_batch(learner)
    z = torch.full((2, 64, 3), 100.0)
    mean = learner.act(batch.next_observations)
    torch.testing.assert_close(learner._next_actions(batch, z), (mean + 0.5).clamp(-1, 1))
    assert torch.equal(learner._next_actions(batch, 0 * z), mean)


@pytest.mark.slow
@pytest.mark.parametrize("delayed", [pytest.param(False, marks=pytest.mark.exhaustive), True])
@unchecked()
def test_it_ends_within_the_limit_on_a_bandit_and_on_a_chain(delayed, tmp_path):
    """On the bandit it takes no risk at all: half of the data's risky pairs cost kappa when the training begins.

    The third replica is a negative control: nothing exceeds its threshold, and the same training violates any limit.
    """
    limits = (4.0, 12.0, 18.0)
    experiment: Any = bandit("carl", limits, delayed, **SMALL)
    experiment.method.kappa[2] = 1e9
    outcome = play(trained(experiment, tmp_path / "carl"), delayed)
    assert (outcome.cost[:2] <= limits[:2]).all()
    assert outcome.reward[1] > 0.4 * outcome.best[1] or not delayed
    assert outcome.cost[2] > 15
