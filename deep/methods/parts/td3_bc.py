r"""TD3+BC on rewards that a method may replace: the offline learner inside CARL and O3SRL.

    critics  Q_i <- r' + gamma min_j Q_j'(s', a~),   a~ = clip(pi'(s') + clip(sigma z, -b, b), -1, 1)
    policy   minimise -alpha Q_1(s, pi(s)) / mean |Q_1(s, pi(s))| + |pi(s) - a|^2, a mean over the action's entries,

with r' what `relabel` makes of a minibatch, target networks Q', pi' that follow slowly, and a second pair of critics
for the cost, c + gamma max_j Q_j^c'(s', a~): off-policy evaluation of the present policy. Source: Fujimoto and Gu 2021,
Eqs. (3) to (5), for alpha = 2.5, sigma = .2, b = .5.

What is our own: the policy takes a step with every step of the critics, at half the rate in the preset paper, in the
place of one step in two; the slowly moving policy is the one that acts; the critics may begin with a regression on the
data's own sums, while the policy clones. Bootstrapping from nothing, few steps would leave all costs near 0.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from deep.core.method import ExactParts, Inference, Memoryless, Method, Policy
from deep.core.phase import Phase
from deep.core.problem import Problem
from deep.core.randomness import RandomInput
from deep.core.validation import ABOVE_0, AT_LEAST_0, AT_LEAST_1, RATE, check_ranges
from deep.data.replay import Batch
from deep.methods.parts.thresholds import States, cost_threshold
from deep.methods.parts.twin_critics import TwinConfig, TwinCritics
from deep.nn.inference import mean_action
from deep.nn.mlp import initial_parameters
from deep.nn.parameters import Adam, Parameters, gradient
from deep.nn.policies import MLPPolicy

QUICK_CRITICS = TwinConfig(hidden=(128, 128), learning_rate=1e-3, target_rate=0.02)
"""What a few thousand steps need; 256 units, 3e-4 and .005 are published."""


@dataclass(frozen=True)
class TD3BCConfig:
    """Hyper-parameters that all methods on TD3+BC have."""

    critics: TwinConfig = field(default_factory=lambda: QUICK_CRITICS)
    steps: int = 6000
    """Updates."""
    regression_steps: int = 1500
    """The first of these: the critics regress on the data's own discounted sums, and the policy clones."""
    batch_size: int = 256
    """Minibatch."""
    hidden: tuple[int, ...] = (128, 128)
    """Hidden layers of the policy."""
    learning_rate: float = 1e-3
    """Adam's step size for the policy."""
    ema_rate: float = 0.02
    """Rate of the moving average of the policy; it bootstraps the critics and is evaluated."""
    alpha: float = 2.5
    """Weight of the value beside the squared distance from the data's actions; 0 clones."""
    smoothing: float = 0.2
    """sigma, the noise on the next actions."""
    smoothing_bound: float = 0.5
    """b, where this noise is clipped."""
    kappa: States = "data"
    """How an episode's cost limit becomes a threshold on Q_c, see `episodic_to_discounted`."""

    def __post_init__(self) -> None:
        check_ranges(self, steps=AT_LEAST_0, regression_steps=AT_LEAST_0, batch_size=AT_LEAST_1, hidden=AT_LEAST_1)
        check_ranges(self, learning_rate=ABOVE_0, ema_rate=RATE, alpha=AT_LEAST_0, smoothing=AT_LEAST_0)
        check_ranges(self, smoothing_bound=AT_LEAST_0)


PAPER: dict[str, Any] = {
    "critics": TwinConfig(),
    "steps": 1_000_000,
    "regression_steps": 0,
    "hidden": (256, 256),
    "learning_rate": 1.5e-4,
    "ema_rate": 0.005,
}
"""The published sizes and numbers of steps of TD3+BC, for the presets "paper"."""

SMOKE: dict[str, Any] = {
    "steps": 100,
    "regression_steps": 50,
    "batch_size": 16,
    "hidden": (16,),
    "critics.hidden": (16,),
}
"""Changes of a quick preset that train in a second."""


class TD3BC(Method):
    """The learner, for all replicas of a problem at once; as it is, it takes the data's rewards."""

    def __init__(self, config: TD3BCConfig, problem: Problem) -> None:
        self.config, self.problem = config, problem
        self.policy = MLPPolicy(problem.observation_size, problem.action_size, "dirac", config.hidden)
        initial = initial_parameters(self.policy, problem.replica_seeds, "policy").to(problem.device)
        self.actor = Parameters(initial, Adam(config.learning_rate), ema=True)
        self.critics = TwinCritics(config.critics, problem, "critics", problem.replica_seeds)
        self.kappa: Float[Tensor, " replicas"] = cost_threshold(problem, config.kappa)
        """The threshold on Q_c, a discounted sum of costs."""

    def relabel(self, step: Tensor, batch: Batch, draws: Mapping[str, Tensor]) -> Float[Tensor, "replicas batch"]:
        """r', the rewards to train on."""
        return batch.rewards

    def draws(self) -> dict[str, RandomInput]:
        """The random inputs of an update."""
        size = self.config.batch_size
        return {"row": RandomInput("uniform", (size,)), "z": RandomInput("normal", (size, self.problem.action_size))}

    def tensors(self) -> dict[str, Tensor]:
        return {f"policy.{name}": tensor for name, tensor in self.actor.tensors.items()} | self.critics.tensors()

    def phases(self) -> list[Phase]:
        problem, steps = self.problem, self.config.steps
        return [
            Phase("training", steps, problem.replica_seeds, self.draws(), self._update, limits=problem.replica_limits)
        ]

    def _update(self, step: Tensor, draws: Mapping[str, Tensor]) -> dict[str, Tensor]:
        batch = self.problem.replay.batch(self.problem.replay.rows(draws["row"]))
        batch = batch._replace(rewards=self.relabel(step, batch, draws))
        learning = step >= self.config.regression_steps
        targets = self.critics.bellman_targets(batch, self._next_actions(batch, draws["z"]))
        targets = torch.where(learning, targets, self.critics.data_targets(batch))
        metrics = self.critics.learn(batch, targets)

        actions, _ = self.policy.distribution(self.actor.theta, batch.observations)
        value = self.critics.values(self.critics.q.theta.detach(), batch.observations, actions).reward[:, 0]
        size = value.detach().abs().mean(1).clamp(min=1e-6)
        cloning = (actions - batch.actions).square().mean((1, 2))
        loss = cloning - learning.to(cloning.dtype) * self.config.alpha * value.mean(1) / size
        self.actor.adam_step(gradient(loss, self.actor))
        self.actor.update_ema(self.config.ema_rate)
        return metrics | {"cloning": cloning.detach(), "value": value.detach().mean(1)}

    @torch.no_grad()
    def _next_actions(self, batch: Batch, z: Tensor) -> Float[Tensor, "replicas batch act"]:
        """a~, the smoothed actions of the slowly moving policy."""
        bound = self.config.smoothing_bound
        noise = (self.config.smoothing * z).clamp(-bound, bound)
        return (self.act(batch.next_observations) + noise).clamp(-1, 1)

    @torch.no_grad()
    def act(self, observations: Float[Tensor, "replicas batch obs"]) -> Float[Tensor, "replicas batch act"]:
        """pi'(s), the action of the slowly moving policy."""
        return self.policy.distribution(self.actor.ema, observations)[0]

    @torch.no_grad()
    def predicted_cost(self, observations: Tensor, actions: Tensor) -> Float[Tensor, "replicas batch"]:
        """max_j Q_j^c' of the target critics."""
        return self.critics.values(self.critics.q.ema, observations, actions).greatest_cost

    @property
    def mean_network(self) -> MLPPolicy:
        return self.policy

    def policies(self) -> dict[str, Policy]:
        return {"": Memoryless(self.act)}

    def exportable(self, replica: int) -> Inference:
        return Inference(mean_action(self.policy, self.actor.ema[replica]), (), "mean action")

    def exact_parts(self) -> ExactParts:
        return ExactParts(self.predicted_cost, lambda s: self.policy.distribution(self.actor.ema, s))

    def report(self) -> dict[str, object]:
        return {"kappa": self.kappa.tolist()}
