"""The learners of the study, each with the budget that it is given.

Budgets are small: a learner trains its six replicas (three seeds, two limits) in about half a minute of one core.
"""

from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import torch

from deep.data.selection import Selection
from deep.methods.actor_critic.bcq_lag import BCQLagConfig
from deep.methods.actor_critic.bear_lag import BEARLagConfig
from deep.methods.actor_critic.carl import CARLConfig
from deep.methods.actor_critic.coptidice import COptiDICEConfig
from deep.methods.actor_critic.cpq import CPQConfig
from deep.methods.actor_critic.o3srl import O3SRLConfig
from deep.methods.bc import BCConfig
from deep.methods.drcorl.behaviour_model import BehaviourConfig
from deep.methods.drcorl.config import DRCORLConfig
from deep.methods.drcorl.gate import GateConfig
from deep.methods.drcorl.safe_adaptation import SafeAdaptationConfig, Temperature
from deep.methods.parts.critics import CriticConfig
from deep.methods.parts.twin_critics import TwinConfig
from deep.methods.parts.vae import VAEConfig
from deep.methods.safe_dql.safe_dql import SafeDQLConfig
from deep.ope.dynamics import DynamicsConfig

HIDDEN = (64, 64)
NO_DYNAMICS = DynamicsConfig(steps=0)


@dataclass(frozen=True)
class Trial:
    """One learner with the budget that the study gives it."""

    algorithm: str
    config: Any
    dynamics: DynamicsConfig = NO_DYNAMICS
    seeds: tuple[int, ...] = (0, 1, 2)
    tasks: tuple[str, ...] = ("LatticeSpeed", "LatticeHazard", "LatticeHeat")
    dtype: torch.dtype = torch.float32


def _cloning(trajectories: Literal["all", "safe", "best"]) -> Trial:
    return Trial(f"bc_{trajectories}", BCConfig(Selection(trajectories), steps=1500, batch_size=256, hidden=HIDDEN))


_DYNAMICS = DynamicsConfig(steps=1500, members=3, batch_size=64, hidden=HIDDEN, episodes=8)
_DRCORL = DRCORLConfig(
    behaviour=BehaviourConfig(steps=2000, batch_size=64, width=48, blocks=2, learning_rate=2e-3),
    critics=CriticConfig(steps=1200, regression_steps=400, hidden=HIDDEN, learning_rate=1e-3, target_rate=0.02),
    # Where chance decides much of a return, the best trajectories are the luckiest.
    clone=Selection("all"),
    policy_states="all",
    cloning_steps=800,
    regression_steps=600,
    adaptation_rate=2e-4,
    adaptation_steps=800,
    batch_size=64,
    hidden=HIDDEN,
    gate=GateConfig(eval_every=100),
)
PREPRINT = replace(_DRCORL, gate=GateConfig("ucb", k=2.0, states="start", select="last"))
# Critics of the policy's own reward and cost, which layer normalisation and a fast target bring near to the truth in
# 1500 steps; a smaller weight of the anchor.
FOLLOWING = replace(
    PREPRINT,
    critics=CriticConfig(
        steps=1500,
        regression_steps=0,
        hidden=HIDDEN,
        learning_rate=1e-3,
        layer_norm=True,
        target_rate=0.1,
        reward="td",
        ensemble=2,
        pessimism=0.0,
    ),
    adaptation=SafeAdaptationConfig(temperature=Temperature(c0=3.0)),
    adaptation_rate=3e-4,
    adaptation_steps=1500,
    ema_rate=0.05,
    gate=replace(PREPRINT.gate, k=1.0),
)
# The gate of the critics is late, and the cost swings around the limit (`verification.lattice.direction`): a gate
# without delay, and the best of the policies that it accepts.
REBUILT = replace(
    FOLLOWING,
    adaptation_rate=2e-4,
    gate=GateConfig("least_squares", k=2.0, states="start", select="best", eval_every=50),
)
_SHORT = replace(
    PREPRINT,
    behaviour=replace(_DRCORL.behaviour, steps=200, width=32),
    critics=CriticConfig(steps=300, regression_steps=200, hidden=(32, 32)),
    cloning_steps=300,
    regression_steps=200,
    adaptation_steps=100,
)

_LAGRANGIAN: dict[str, Any] = {
    "vae": VAEConfig(steps=1500, hidden=HIDDEN),
    "critics": TwinConfig(hidden=HIDDEN, learning_rate=1e-3, target_rate=0.02),
    "regression_steps": 800,
    "steps": 2000,
    "batch_size": 64,
    "hidden": HIDDEN,
}

TRIALS = {
    "BC-All": _cloning("all"),
    "BC-Safe": _cloning("safe"),
    "BC-Best": _cloning("best"),
    "DRCORL, dynamics gate": Trial("drcorl", _DRCORL, _DYNAMICS),
    "DRCORL, UCB gate": Trial("drcorl", PREPRINT),
    "DRCORL, UCB gate, Gaussian": Trial("drcorl", replace(PREPRINT, policy="gaussian"), tasks=("LatticeHeat",)),
    "DRCORL, rebuilt": Trial("drcorl", REBUILT),
    "Safe-DQL": Trial(
        "safe_dql",
        SafeDQLConfig(
            critics=TwinConfig(hidden=HIDDEN, learning_rate=1e-3, target_rate=0.02),
            behaviour_steps=2000,
            improvement_steps=1500,
            batch_size=64,
            hidden=(64, 64, 64),
            ema_rate=0.01,
            eta=1.0,
            penalty=3.0,
            candidates=10,
            # Eq. (1) as it stands, for Theorem 9: the smaller twin, and kappa for start states.
            twin="min",
            kappa="start",
        ),
    ),
    # Double precision, so that another machine repeats it to many digits; the test suite trains it again.
    "DRCORL, short": Trial("drcorl", _SHORT, seeds=(0,), tasks=("LatticeHeat",), dtype=torch.float64),
}
"""By the name that results.json uses."""

_TD3_BC: dict[str, Any] = {
    "critics": TwinConfig(hidden=HIDDEN, learning_rate=1e-3, target_rate=0.02),
    "regression_steps": 800,
    "steps": 2800,
    "batch_size": 64,
    "hidden": HIDDEN,
}

PENDING = {
    "BCQ-Lag": Trial("bcq_lag", BCQLagConfig(**_LAGRANGIAN)),
    "CPQ": Trial("cpq", CPQConfig(**_LAGRANGIAN)),
    "BEAR-Lag": Trial("bear_lag", BEARLagConfig(**_LAGRANGIAN)),
    # Steps end an episode at the rate 1 - gamma: discounted sums from the start states are what the limit is for.
    "COptiDICE": Trial("coptidice", COptiDICEConfig(steps=2500, batch_size=128, hidden=HIDDEN, kappa="start")),
    "CARL": Trial("carl", CARLConfig(**_TD3_BC)),
    # After 2800 updates its cost, 2.1 at LatticeHeat's limit 2, still falls.
    "O3SRL": Trial("o3srl", replace(O3SRLConfig(**_TD3_BC), steps=5600)),
}
"""Learners whose rows results.json does not have yet; a learner moves to TRIALS together with its rows.

No row is possible for CAPS, BCRL and CCAC, whose policies carry the budget left and are no functions of the node, nor
for FISOR, which acts by the safest of several samples and has no critic of the cost."""


def described(trial: Trial) -> dict[str, Any]:
    """The trial in words and numbers, for results.json."""
    plain = {"algorithm": trial.algorithm, "seeds": list(trial.seeds), "dtype": str(trial.dtype)}
    return plain | {"config": asdict(trial.config), "dynamics": asdict(trial.dynamics)}
