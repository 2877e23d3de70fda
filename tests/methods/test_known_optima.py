"""Compared methods on a bandit and a chain with two actions, whose best policies within a limit are known.

Their own tests have more of these problems: `test_bcq_lag`, `test_bear_lag` and `test_cpq` a ramp, `test_carl` both
problems here, `test_ccac`, `test_coptidice` and `test_o3srl` the bandit, `test_bcrl`, `test_caps` and `test_fisor`
others. `make test` runs one or more of each family, and `make exhaustive` these.
"""

from typing import Any

import pytest
import torch

from deep.methods.actor_critic.cpq import quantile
from deep.methods.parts.iql import IQLConfig
from deep.methods.parts.twin_critics import TwinConfig
from deep.methods.parts.vae import VAEConfig
from tests.support.lighter import unchecked
from tests.support.risky_bandit import bandit, play, trained

LIMITS = (4.0, 12.0)
SIZES: dict[str, Any] = {"batch_size": 128, "hidden": (32, 32), "learning_rate": 3e-3}
IMPLICIT = IQLConfig(hidden=(32, 32), learning_rate=3e-3, target_rate=0.05, regression_steps=300)
SETTINGS: dict[str, dict[str, Any]] = {
    "cpq": SIZES
    | {
        "learning_rate": 6e-4,
        "vae": VAEConfig(steps=400, hidden=(32,), kl_weight=0.01, latent_bound=2.0),
        "critics": TwinConfig(hidden=(32, 32), learning_rate=3e-3, target_rate=0.05),
        "regression_steps": 300,
        "steps": 1200,
    },
    "coptidice": SIZES | {"steps": 1200, "alpha": 0.1, "ema_rate": 0.02},
    "caps": SIZES | {"critics": IMPLICIT, "steps": 1200, "reward_unit": "episode", "ema_rate": 0.02},
    "fisor": SIZES
    | {
        "critics": IMPLICIT,
        "critic_steps": 600,
        "policy_steps": 600,
        "critic_batch_size": 128,
        "ema_rate": 0.02,
        "candidates": 8,
    },
}


@pytest.mark.exhaustive
@unchecked()
@pytest.mark.parametrize(("algorithm", "delayed"), [("caps", True), ("fisor", True), ("coptidice", True)])
def test_it_ends_within_the_limits(algorithm, delayed, tmp_path):
    """Always taking the risk costs 20; the best policies earn 3.6 and 8.4 at costs of 4 and 12."""
    outcome = play(trained(bandit(algorithm, LIMITS, delayed, **SETTINGS[algorithm]), tmp_path), delayed)
    assert (outcome.cost <= LIMITS).all()
    if algorithm == "coptidice":
        assert outcome.reward[1] > 0.9 * outcome.best[1]


@pytest.mark.exhaustive
@unchecked()
def test_from_the_start_states_alone_coptidice_counts_a_late_cost_as_less(tmp_path):
    """E_d[c] = gamma P(risk) on the chain, where a policy within 12 / 20 costs up to 19 (12 / 20) / gamma = 14.25."""
    settings: dict[str, Any] = SETTINGS["coptidice"] | {"kappa": "start"}
    outcome = play(trained(bandit("coptidice", (12.0,), True, **settings), tmp_path), True)
    assert 12.5 < outcome.cost[0] < 14.6


def unseen(actions: torch.Tensor) -> torch.Tensor:
    """Whether the data of the bandit have no such action: theirs are .4 to .9 in size. (..., 1) -> (...)"""
    return actions[..., 0].abs() < 0.4


@pytest.mark.exhaustive
@unchecked()
@pytest.mark.parametrize("case", ["its own measure", "covered", "exact"])
def test_cpq_ends_within_the_limits_unless_it_takes_unseen_actions_for_seen(case, tmp_path):
    """Its policy then takes actions in the data's gap, of which the critics believe half a risk and half a cost.

    With data that cover the gap it does not, and with the exact set of unseen actions in the place of the VAE's
    it takes no risk at all.
    """
    experiment: Any = bandit("cpq", LIMITS, smallest=0.0 if case == "covered" else 0.4, **SETTINGS["cpq"])
    method = experiment.method
    if case == "exact":
        method.vae.kl = lambda states, actions: torch.where(unseen(actions), 1.0, -1.0)
        method.vae.kl_shared = lambda states, actions: torch.zeros(actions.shape[:2])
    outcome = play(trained(experiment, tmp_path))
    assert outcome.cost[0] <= LIMITS[0]
    assert (outcome.cost[1] <= LIMITS[1]) == (case != "its own measure")
    if case == "its own measure":
        observations = experiment.replay.observations[:500].expand(2, -1, -1)
        actions = method.act(observations)
        assert unseen(actions)[1].double().mean() > 0.9
        kl = method.vae.kl(observations, actions)[1]
        shared = method.vae.kl_shared(observations, experiment.replay.actions[:500].expand(2, -1, -1))
        assert (kl < quantile(shared, 0.99)[0]).double().mean() > 0.9, "and yet none counts as unseen"
