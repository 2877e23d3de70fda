"""Every compared method on a bandit and a chain with two actions, whose best policies within a limit are known."""

from typing import Any

import pytest

from deep.methods.parts.iql import IQLConfig
from deep.methods.parts.twin_critics import TwinConfig
from deep.methods.parts.vae import VAEConfig
from tests.support.lighter import unchecked
from tests.support.risky_bandit import bandit, play, trained

LIMITS = (4.0, 12.0)
SIZES: dict[str, Any] = {"batch_size": 128, "hidden": (32, 32), "learning_rate": 3e-3}
TWINS = TwinConfig(hidden=(32, 32), learning_rate=3e-3, target_rate=0.05)
LAGRANGIAN = SIZES | {
    "vae": VAEConfig(steps=400, hidden=(32,), kl_weight=0.01, latent_bound=2.0),
    "critics": TWINS,
    "regression_steps": 300,
    "steps": 1200,
}
TD3 = SIZES | {"critics": TWINS, "regression_steps": 300, "steps": 1200}
IMPLICIT = IQLConfig(hidden=(32, 32), learning_rate=3e-3, target_rate=0.05, regression_steps=300)
CLONING = SIZES | {"critics": IMPLICIT, "steps": 1200, "reward_unit": "episode", "ema_rate": 0.02}
SETTINGS: dict[str, dict[str, Any]] = {
    "bcq_lag": LAGRANGIAN | {"phi": 0.2, "ema_rate": 0.02},
    "bear_lag": LAGRANGIAN | {"ema_rate": 0.02},
    "cpq": LAGRANGIAN | {"learning_rate": 6e-4},
    "coptidice": SIZES | {"steps": 1200, "alpha": 0.1, "ema_rate": 0.02},
    "caps": CLONING,
    "bcrl": CLONING,
    "fisor": {
        "critics": IMPLICIT,
        "critic_steps": 600,
        "policy_steps": 600,
        "critic_batch_size": 128,
        "batch_size": 128,
        "hidden": (32, 32),
        "learning_rate": 3e-3,
        "ema_rate": 0.02,
        "candidates": 8,
    },
    "carl": TD3,
    "o3srl": TD3,
    "ccac": SIZES | {"vae_steps": 200, "steps": 2000, "vae_hidden": (32,), "latent_size": 4, "actor_rate": 2e-3},
}


@pytest.mark.slow
@unchecked()
@pytest.mark.parametrize("delayed", [False, True], ids=["bandit", "chain"])
@pytest.mark.parametrize("algorithm", SETTINGS)
def test_it_ends_within_the_limits_and_earns_what_it_may(algorithm, delayed, tmp_path):
    """Always taking the risk costs 20; the best policies earn 3.6 and 8.4 at costs of 4 and 12."""
    outcome = play(trained(bandit(algorithm, LIMITS, delayed, **SETTINGS[algorithm]), tmp_path), delayed)
    print(algorithm, delayed, outcome)
    assert (outcome.cost <= LIMITS).all()
