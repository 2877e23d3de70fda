"""What the Lagrangian methods learn first, once per seed: the behaviour model, and the values of the data's policy.

The values are regressed on the data's own discounted sums. TD then starts near the values of the behaviour policy: from
zero, with target critics that move by .5 % a step, it takes tens of thousands of steps to look 1 / (1 - gamma) steps
ahead, and until then every policy looks cheap.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from torch import Tensor

from deep.core.phase import Phase, Update
from deep.core.problem import Problem
from deep.core.randomness import RandomInput
from deep.core.validation import ABOVE_0, AT_LEAST_0, AT_LEAST_1, check_ranges
from deep.methods.parts.thresholds import States
from deep.methods.parts.twin_critics import TwinConfig, TwinCritics
from deep.methods.parts.vae import BehaviourVAE, VAEConfig


@dataclass(frozen=True)
class LagrangianConfig:
    """Hyper-parameters that BCQ-Lag, BEAR-Lag and CPQ have in common."""

    variant: Literal["corrected", "public"] = "corrected"
    """corrected, or what the public code does: see the top of the module."""
    vae: VAEConfig = field(default_factory=lambda: VAEConfig(steps=3000, hidden=(128, 128)))
    """The behaviour model."""
    critics: TwinConfig = field(default_factory=lambda: TwinConfig(hidden=(128, 128), learning_rate=1e-3))
    """The critics."""
    regression_steps: int = 2000
    """Steps of the phase "values": the critics start from the data's own sums. Public code has none."""
    steps: int = 5000
    """Steps of the phase "improvement"."""
    batch_size: int = 256
    """Minibatch."""
    hidden: tuple[int, ...] = (128, 128)
    """Hidden layers of the policy (BCQ-Lag: of the perturbation, with tanh)."""
    learning_rate: float = 1e-3
    """Adam's step size for the policy."""
    kappa: States = "data"
    """How an episode's cost limit becomes a threshold on Q_c, see `episodic_to_discounted`; "start" in public code."""

    def __post_init__(self) -> None:
        check_ranges(self, regression_steps=AT_LEAST_0, steps=AT_LEAST_0, batch_size=AT_LEAST_1, hidden=AT_LEAST_1)
        check_ranges(self, learning_rate=ABOVE_0)


PAPER: dict[str, Any] = {
    "vae": VAEConfig(steps=100_000, kl_weight=0.5),
    "critics": TwinConfig(hidden=(256, 256), learning_rate=1e-3),
    "regression_steps": 0,
    "steps": 100_000,
    "batch_size": 512,
    "hidden": (256, 256),
    "kappa": "start",
}
"""What the presets "paper" have in common: the published sizes and rates (OSRL's where the paper has none)."""

SMOKE: dict[str, Any] = {
    "vae.steps": 100,
    "vae.hidden": (16,),
    "regression_steps": 100,
    "steps": 100,
    "batch_size": 16,
    "hidden": (16,),
    "critics.hidden": (16,),
}
"""Changes of the quick presets that train in a second."""


class Improvement(NamedTuple):
    """A method's own phase, for every replica."""

    steps: int
    draws: Mapping[str, RandomInput]
    update: Update
    critics: TwinCritics
    """They start from those of their seed."""


class WarmStart:
    """The VAE and the regressed critics of every seed, with their phases."""

    def __init__(self, config: LagrangianConfig, problem: Problem) -> None:
        self.problem, self.steps, self.batch_size = problem, config.regression_steps, config.batch_size
        self.vae = BehaviourVAE(config.vae, problem, config.batch_size)
        self.critics = TwinCritics(config.critics, problem, "behaviour_critics", problem.seeds)

    def tensors(self) -> dict[str, Tensor]:
        return self.vae.tensors() | self.critics.tensors()

    def phases(self, improvement: Improvement) -> list[Phase]:
        """The VAE and the values for every seed, then the method's own phase for every replica."""
        draws, problem = {"row": RandomInput("uniform", (self.batch_size,))}, self.problem
        steps, own_draws, update, critics = improvement
        return [
            self.vae.phase(),
            Phase("values", self.steps, problem.seeds, draws, self._regress),
            Phase(
                "improvement",
                steps,
                problem.replica_seeds,
                own_draws,
                update,
                lambda: critics.q.copy_from(self.critics.q, problem.seed_index),
                limits=problem.replica_limits,
            ),
        ]

    def _regress(self, step: Tensor, draws: Mapping[str, Tensor]) -> dict[str, Tensor]:
        batch = self.problem.replay.batch(self.problem.replay.rows(draws["row"]))
        return self.critics.learn(batch, self.critics.data_targets(batch))
