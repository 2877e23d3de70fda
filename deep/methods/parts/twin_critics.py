"""Twin critics of the reward and of the cost, learned by TD from the worse of each pair (Safe-DQL, section 2).

The two reward critics bootstrap from their minimum and the two cost critics from their maximum. All four are one
ensemble: their networks are alike, and one batched product runs them.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from deep.core.problem import Problem
from deep.core.validation import ABOVE_0, AT_LEAST_1, RATE, check_ranges
from deep.data.replay import Batch
from deep.methods.parts.critics import bellman_target, td_loss
from deep.nn.mlp import MLP, Ensemble, initial_parameters
from deep.nn.parameters import Adam, Parameters, gradient


class TwinValues(NamedTuple):
    """Discounted sums that the critics predict: Q_r in the unit of the scaled reward, Q_c in that of the cost."""

    reward: Float[Tensor, "n 2 batch"]
    cost: Float[Tensor, "n 2 batch"]

    @property
    def least_reward(self) -> Float[Tensor, "n batch"]:
        """Q_r = min_i Q_i^r."""
        return self.reward.amin(1)

    @property
    def greatest_cost(self) -> Float[Tensor, "n batch"]:
        """Q_max = max_i Q_i^c."""
        return self.cost.amax(1)


@dataclass(frozen=True)
class TwinConfig:
    """The critics."""

    hidden: tuple[int, ...] = (256, 256)
    """Hidden layers."""
    activation: Literal["relu", "mish", "tanh"] = "relu"
    """Activation."""
    learning_rate: float = 3e-4
    """Adam's step size."""
    target_rate: float = 0.005
    """Rate of the target critics' moving average."""

    def __post_init__(self) -> None:
        check_ranges(self, "critics.", hidden=AT_LEAST_1, learning_rate=ABOVE_0, target_rate=RATE)


class TwinCritics:
    """Four critics for each owner of a policy; `owners` are their seeds."""

    def __init__(self, config: TwinConfig, problem: Problem, name: str, policy_seeds: tuple[int, ...]) -> None:
        self.config, self.problem, self.name = config, problem, name
        replay = problem.replay
        inputs = replay.observations.shape[1] + replay.actions.shape[1]
        self.network = Ensemble(MLP(inputs, 1, config.hidden, config.activation), 4)
        initial = initial_parameters(self.network, policy_seeds, "twin critics").to(problem.device)
        self.q = Parameters(initial, Adam(config.learning_rate), ema=True)
        self.unit = 1 / (1 - problem.gamma)
        """Networks predict values divided by this, sum_t gamma^t, so that outputs are of order one."""
        rewards = replay.rewards
        self.reward_bounds = (min(float(rewards.min()), 0.0), max(float(rewards.max()), 0.0))
        self.cost_bounds = (0.0, float(replay.costs.max()))

    def tensors(self) -> dict[str, Tensor]:
        return {f"{self.name}.{name}": tensor for name, tensor in self.q.tensors.items()}

    def values(
        self,
        theta: Float[Tensor, "n params"],
        observations: Float[Tensor, "n batch obs"],
        actions: Float[Tensor, "n batch act"],
    ) -> TwinValues:
        """All four critics with these parameters: `q.theta`, or `q.average` for the target critics."""
        return TwinValues(*(self._raw(theta, observations, actions) * self.unit).split(2, dim=1))

    def _raw(self, theta: Tensor, observations: Tensor, actions: Tensor) -> Float[Tensor, "n 4 batch"]:
        return self.network.apply(theta, torch.cat([observations, actions], -1)).squeeze(-1)

    @torch.no_grad()
    def bellman_targets(self, batch: Batch, next_actions: Float[Tensor, "n batch act"]) -> Float[Tensor, "n 4 batch"]:
        """r + gamma min_i Q_i^r(s', a') and c + gamma max_i Q_i^c(s', a'), in units; clamped to what is possible.

        The clamp is Assumption 1: |Q_r| <= R_max / (1 - gamma), 0 <= Q_c <= C_max / (1 - gamma).
        """
        next_value = self._raw(self.q.ema, batch.next_observations, next_actions)
        gamma, not_terminal = self.problem.gamma, batch.not_terminal
        worst_r, worst_c = next_value[:, :2].amin(1, keepdim=True), next_value[:, 2:].amax(1, keepdim=True)
        reward = bellman_target(batch.rewards / self.unit, not_terminal, worst_r, gamma, self.reward_bounds)
        cost = bellman_target(batch.costs / self.unit, not_terminal, worst_c, gamma, self.cost_bounds)
        return torch.cat([reward, cost], dim=1).repeat_interleave(2, dim=1)

    def data_targets(self, batch: Batch) -> Float[Tensor, "n 4 batch"]:
        """The discounted sums that the data themselves show, in units: the values of the behaviour policy."""
        sums = torch.stack([batch.reward_to_go, batch.cost_to_go], dim=1) / self.unit
        return sums.repeat_interleave(2, dim=1)

    def learn(self, batch: Batch, targets: Float[Tensor, "n 4 batch"]) -> dict[str, Tensor]:
        """One step of squared error towards the targets, and of the target critics."""
        q = self._raw(self.q.theta, batch.observations, batch.actions)
        loss = td_loss(q, targets)
        self.q.adam_step(gradient(loss, self.q))
        self.q.update_ema(self.config.target_rate)
        return {"critic_loss": loss.detach()}
