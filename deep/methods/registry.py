"""The methods, by the name that the commands accept; each with the configuration of either preset."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from deep.core.method import Method
from deep.core.problem import Problem
from deep.data.selection import Selection
from deep.methods.bc import BC, BCConfig
from deep.methods.drcorl.behaviour_model import BehaviourConfig
from deep.methods.drcorl.drcorl import DRCORL, DRCORLConfig
from deep.methods.drcorl.gate import GateConfig
from deep.methods.parts.critics import CriticConfig
from deep.methods.safe_dql.safe_dql import SafeDQL, SafeDQLConfig
from deep.methods.safe_dql.twin_critics import TwinConfig
from deep.ope.model_rollouts import DynamicsEnsemble
from theory.support.errors import InputError

Preset = str
"""quick: minutes on two CPU cores. paper: the sizes and numbers of steps that the papers print, for a GPU."""


@dataclass(frozen=True)
class Algorithm:
    """How a method is built, and its configurations."""

    build: Callable[[Any, Problem, DynamicsEnsemble], Method]
    presets: dict[Preset, Any]


def _cloning(which: Any) -> Algorithm:
    quick = BCConfig(clone=Selection(which))

    def build(config: BCConfig, problem: Problem, dynamics: DynamicsEnsemble) -> BC:
        if config.clone.trajectories != which:  # the tables would call it by a name that it does not deserve
            found = f"--clone.trajectories {config.clone.trajectories} with --algorithm bc_{which}"
            raise InputError(f"{found}: accepted is {which}, or --algorithm bc_{config.clone.trajectories}")
        return BC(config, problem, dynamics)

    return Algorithm(build, {"quick": quick, "paper": replace(quick, steps=100_000)})


ALGORITHMS: dict[str, Algorithm] = {
    "drcorl": Algorithm(
        DRCORL,
        {
            "quick": DRCORLConfig(),
            "paper": DRCORLConfig(
                behaviour=BehaviourConfig(
                    steps=2_000_000,
                    batch_size=2048,
                    width=256,
                    dropout=0.1,
                    learning_rate=3e-4,
                    kl_weight="vds",
                    t_range=(0.02, 0.98),
                ),
                critics=CriticConfig(steps=100_000),
                clone=Selection("all"),
                policy_states="all",
                cloning_steps=20_000,
                adaptation_steps=2050,
                adaptation_rate=6e-4,
                gate=GateConfig(kind="ucb", k=2.0, select="last"),
            ),
        },
    ),
    "safe_dql": Algorithm(
        SafeDQL,
        {
            "quick": SafeDQLConfig(),
            "paper": SafeDQLConfig(
                critics=TwinConfig(hidden=(256, 256, 256), activation="mish"),
                behaviour_steps=0,
                improvement_steps=1_000_000,
                hidden=(256, 256, 256),
                ema_rate=0.001,
                eta=1.0,
                candidates=50,
            ),
        },
    ),
    "bc_all": _cloning("all"),
    "bc_safe": _cloning("safe"),
    "bc_best": _cloning("best"),
}
