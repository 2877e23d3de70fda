"""Compared methods on a bandit and a chain with two actions, whose best policies within a limit are known.

Their own tests have more of these problems: `test_bcq_lag`, `test_bear_lag` and `test_cpq` a ramp, `test_carl` both
problems here, `test_ccac`, `test_coptidice` and `test_o3srl` the bandit, `test_bcrl`, `test_caps` and `test_fisor`
others. `make test` runs one or more of each family, and `make exhaustive` these.
"""

from typing import Any

import pytest

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


def missed(algorithm: str, delayed: bool, cost: float):
    """A case that ends beyond the second limit."""
    mark = pytest.mark.xfail(strict=True, reason=f"{algorithm} costs {cost} at the limit 12")
    return pytest.param(algorithm, delayed, marks=mark)


@pytest.mark.exhaustive
@unchecked()
@pytest.mark.parametrize(
    ("algorithm", "delayed"),
    [("caps", True), ("fisor", True), missed("coptidice", True, 13.8), missed("cpq", False, 12.4)],
)
def test_it_ends_within_the_limits(algorithm, delayed, tmp_path):
    """Always taking the risk costs 20; the best policies earn 3.6 and 8.4 at costs of 4 and 12."""
    outcome = play(trained(bandit(algorithm, LIMITS, delayed, **SETTINGS[algorithm]), tmp_path), delayed)
    assert (outcome.cost <= LIMITS).all()
