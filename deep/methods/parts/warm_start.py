"""What the Lagrangian methods learn first, once per seed: the behaviour model, and the values of the data's policy.

The values are regressed on the data's own discounted sums. TD then starts near the values of the behaviour policy: from
zero, with target critics that move by .5 % a step, it takes tens of thousands of steps to look 1 / (1 - gamma) steps
ahead, and until then every policy looks cheap.
"""

from collections.abc import Mapping
from typing import NamedTuple

from torch import Tensor

from deep.core.phase import Phase, Update
from deep.core.problem import Problem
from deep.core.randomness import RandomInput
from deep.methods.parts.twin_critics import TwinConfig, TwinCritics
from deep.methods.parts.vae import BehaviourVAE, VAEConfig


class Improvement(NamedTuple):
    """A method's own phase, for every replica."""

    steps: int
    draws: Mapping[str, RandomInput]
    update: Update
    critics: TwinCritics
    """They start from those of their seed."""


class WarmStart:
    """The VAE and the regressed critics of every seed, with their phases."""

    def __init__(
        self, vae: VAEConfig, critics: TwinConfig, regression_steps: int, batch_size: int, problem: Problem
    ) -> None:
        self.problem, self.steps, self.batch_size = problem, regression_steps, batch_size
        self.vae = BehaviourVAE(vae, problem, batch_size)
        self.critics = TwinCritics(critics, problem, "behaviour_critics", problem.seeds)

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
