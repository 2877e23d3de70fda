r"""Behaviour cloning: a tanh policy fitted to actions of the data by least squares.

    minimise E_{(s, a) in D'} |pi(s) - a|^2

bc_all takes all trajectories for D', bc_safe those that satisfy the cost limit, bc_best the best of these and
those that act most like it (`deep.data.selection`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from deep.core.method import Inference, Memoryless, Method, Policy
from deep.core.phase import Phase
from deep.core.problem import Problem
from deep.core.randomness import RandomInput
from deep.core.validation import ABOVE_0, AT_LEAST_0, AT_LEAST_1, RATE, SHARE, check_ranges
from deep.data.selection import Selection
from deep.methods.spec import MethodSpec
from deep.nn.inference import mean_action
from deep.nn.mlp import initial_parameters
from deep.nn.parameters import Adam, Parameters, gradient, linear_decay
from deep.nn.policies import MLPPolicy
from theory.support.errors import InputError


@dataclass(frozen=True)
class BCConfig:
    """Hyper-parameters of behaviour cloning."""

    clone: Selection = field(default_factory=Selection)
    """Which trajectories are cloned."""
    steps: int = 10_000
    """Training steps."""
    batch_size: int = 512
    """Minibatch."""
    learning_rate: float = 1e-3
    """Adam's step size, with linear decay to a tenth."""
    ema_rate: float = 0.01
    """Rate of the moving average of the parameters; the average is the policy that is evaluated."""
    hidden: tuple[int, ...] = (256, 256)
    """Hidden layers of the policy."""

    def __post_init__(self) -> None:
        check_ranges(self.clone, "clone.", neighbours=AT_LEAST_1, return_share=SHARE)
        check_ranges(self, steps=AT_LEAST_0, batch_size=AT_LEAST_1, hidden=AT_LEAST_1)
        check_ranges(self, learning_rate=ABOVE_0, ema_rate=RATE)


class BC(Method):
    """The learner, for all replicas of a problem at once."""

    def __init__(self, config: BCConfig, problem: Problem) -> None:
        self.config, self.problem = config, problem
        self.policy = MLPPolicy(problem.observation_size, problem.action_size, "dirac", config.hidden)
        initial = initial_parameters(self.policy, problem.replica_seeds, "policy").to(problem.device)
        self.actor = Parameters(initial, Adam(config.learning_rate), ema=True)
        self.rows = config.clone.rows(problem.data, problem.replica_limits, problem.device)

    def tensors(self) -> dict[str, Tensor]:
        return {f"policy.{name}": tensor for name, tensor in self.actor.tensors.items()}

    def phases(self) -> list[Phase]:
        draws = {"row": RandomInput("uniform", (self.config.batch_size,))}
        problem, steps = self.problem, self.config.steps
        return [Phase("cloning", steps, problem.replica_seeds, draws, self._update, limits=problem.replica_limits)]

    def _update(self, step: Tensor, draws: Mapping[str, Tensor]) -> dict[str, Tensor]:
        batch = self.problem.replay.batch(self.problem.replay.rows(draws["row"], self.rows))
        mean, _ = self.policy.distribution(self.actor.theta, batch.observations)
        loss = (mean - batch.actions).square().mean((1, 2))
        self.actor.adam_step(gradient(loss, self.actor), linear_decay(step, self.config.steps))
        self.actor.update_ema(self.config.ema_rate)
        return {"squared_error": loss.detach()}

    @torch.no_grad()
    def act(self, observations: Float[Tensor, "replicas batch obs"]) -> Float[Tensor, "replicas batch act"]:
        """The averaged policy's action."""
        return self.policy.distribution(self.actor.ema, observations)[0]

    @property
    def cloned(self) -> Selection:
        return self.config.clone

    @property
    def mean_network(self) -> MLPPolicy:
        return self.policy

    def policies(self) -> dict[str, Policy]:
        return {"": Memoryless(self.act)}

    def exportable(self, replica: int) -> Inference:
        return Inference(mean_action(self.policy, self.actor.ema[replica]), (), "mean action")

    def report(self) -> dict[str, object]:
        return {"cloned_transitions": self.rows.counts.tolist()}


def _spec(trajectories: Literal["all", "safe", "best"], title: str) -> MethodSpec:
    def build(config: BCConfig, problem: Problem) -> BC:
        if config.clone.trajectories != trajectories:  # the tables would show it under the wrong title
            given = f"--clone.trajectories {config.clone.trajectories} with --algorithm bc_{trajectories}"
            raise InputError(f"{given}: accepted is {trajectories}, or --algorithm bc_{config.clone.trajectories}")
        return BC(config, problem)

    quick = BCConfig(clone=Selection(trajectories))
    return MethodSpec(
        title=title,
        paper="Liu et al. 2023 (DSRL)",
        build=build,
        presets={"quick": quick, "paper": replace(quick, steps=100_000)},
        smoke={"steps": 100, "batch_size": 16, "hidden": (16,)},
        brief={"steps": 5000},
        cheap=True,
    )


ALL, SAFE, BEST = _spec("all", "BC-All"), _spec("safe", "BC-Safe"), _spec("best", "BC-Best")
