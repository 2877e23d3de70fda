r"""Rests of DRCORL's policy during adaptation, in which its critics catch up.

Critics lag behind a changing policy, and the cost swings around the limit from one step to the next. After
every `every` steps the policy therefore moves to the mean of its parameters over the second half of these steps,

    theta <- 2 / every * sum_{t > every / 2} theta_t,

which averages the swings out, and its critics take `steps` steps of TD while it stays there. The gate and the policy
selection then see values of the policy that is kept. (The analysis of the primal-dual and CRPO rules is of averaged
iterates, too; this mean is of parameters, not of occupancies.)
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from deep.core.phase import BLOCK
from deep.core.problem import Problem
from deep.core.randomness import RandomInput, draw_block
from deep.core.validation import AT_LEAST_0, check_ranges
from deep.nn.parameters import Parameters
from theory.support.errors import InputError


@dataclass(frozen=True)
class RestConfig:
    """Rests of the policy during adaptation (not in the preprint)."""

    every: int = 0
    """Steps of adaptation between two rests; the last rest follows the last step. 0: no rests."""
    steps: int = 400
    """Steps of the critics in a rest."""
    candidates: int = 0
    """Policies at rest that are evaluated once more after adaptation, and the clone (`deep.methods.drcorl.last_check`).
    0: none."""
    candidate_steps: int = 1000
    """Steps of the critics at each of these."""

    def __post_init__(self) -> None:
        check_ranges(self, "rests.", every=AT_LEAST_0, steps=AT_LEAST_0, candidates=AT_LEAST_0)
        if self.every % (2 * BLOCK) or self.steps % BLOCK:
            raise InputError(
                f"--rests.every {self.every} and --rests.steps {self.steps}: accepted are multiples of {2 * BLOCK} and "
                f"of {BLOCK}"
            )
        if self.candidate_steps < 2 * BLOCK or self.candidate_steps % (2 * BLOCK):
            raise InputError(f"--rests.candidate-steps {self.candidate_steps}: accepted is a multiple of {2 * BLOCK}")


class Rests:
    """The mean of the moving policy's parameters, and what a rest does with it."""

    def __init__(
        self,
        config: RestConfig,
        problem: Problem,
        actor: Parameters,
        draws: Mapping[str, RandomInput],
        learn: Callable[[Mapping[str, Tensor]], object],
    ) -> None:
        """`learn` is a step of the critics towards the values of the policy at rest, with one step's `draws`."""
        self.config, self.problem, self.actor, self.draws, self.learn = config, problem, actor, draws, learn
        self.mean = torch.zeros_like(actor.theta.detach())
        """The sum of the parameters so far, divided by the number that a rest waits for."""

    def tensors(self) -> dict[str, Tensor]:
        return {"rests.mean": self.mean} if self.config.every else {}

    def due(self, step: int) -> bool:
        """Whether the policy rests before this step."""
        return self.config.every > 0 and step > 0 and step % self.config.every == 0

    def follow(self, step: Tensor) -> None:
        """Add the parameters after this step of adaptation to the mean, in the second half of the way to a rest."""
        if self.config.every:
            counted = (step % self.config.every) * 2 >= self.config.every
            self.mean += counted * self.actor.theta.detach() * (2 / self.config.every)

    def rest(self, step: int) -> None:
        """Move the policy and its moving average to the mean, and train its critics."""
        with torch.no_grad():
            self.actor.theta.copy_(self.mean)
            self.actor.ema.copy_(self.mean)
            self.mean.zero_()
        first = (step // self.config.every - 1) * (self.config.steps // BLOCK)
        for block in range(first, first + self.config.steps // BLOCK):
            seeds, device = self.problem.replica_seeds, self.problem.device
            drawn = draw_block(self.draws, seeds, "rests", block, BLOCK, device)
            for k in range(BLOCK):
                self.learn({name: draw[k] for name, draw in drawn.items()})
