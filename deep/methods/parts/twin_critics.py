"""Twin critics of the reward and of the cost, learned by TD.

As Safe-DQL has them (section 2), the two reward critics bootstrap from their minimum and the two cost critics from
their maximum; other methods say what they bootstrap from. All four are one ensemble: their networks are alike, and one
batched product runs them.
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

    @property
    def least_cost(self) -> Float[Tensor, "n batch"]:
        """min_i Q_i^c: optimistic."""
        return self.cost.amin(1)


def soft_clipped(pair: Float[Tensor, "n 2 batch"], least: float) -> Float[Tensor, "n batch"]:
    """least min_i Q_i + (1 - least) max_i Q_i: BCQ's soft clipped double Q-learning, with least = .75 for rewards."""
    return least * pair.amin(1) + (1 - least) * pair.amax(1)


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
    """Four critics for each policy; `policy_seeds` are the seeds of the policies."""

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
        """All four critics with these parameters: `q.theta`, or `q.ema` for the target critics."""
        return TwinValues(*(self._raw(theta, observations, actions) * self.unit).split(2, dim=1))

    def costs(
        self,
        theta: Float[Tensor, "n params"],
        observations: Float[Tensor, "n batch obs"],
        actions: Float[Tensor, "n batch act"],
    ) -> Float[Tensor, "n 2 batch"]:
        """The two cost critics alone."""
        pair = Ensemble(self.network.member, 2)
        half = theta[:, theta.shape[1] // 2 :]
        return pair.apply(half, torch.cat([observations, actions], -1)).squeeze(-1) * self.unit

    def _raw(self, theta: Tensor, observations: Tensor, actions: Tensor) -> Float[Tensor, "n 4 batch"]:
        return self.network.apply(theta, torch.cat([observations, actions], -1)).squeeze(-1)

    @torch.no_grad()
    def next_values(self, batch: Batch, next_actions: Float[Tensor, "n many act"]) -> TwinValues:
        """What the target critics say of one or several actions for each next state, side by side."""
        repeats = next_actions.shape[1] // batch.next_observations.shape[1]
        return self.values(self.q.ema, batch.next_observations.repeat_interleave(repeats, dim=1), next_actions)

    def bellman_targets(self, batch: Batch, next_actions: Float[Tensor, "n batch act"]) -> Float[Tensor, "n 4 batch"]:
        """r + gamma min_i Q_i^r(s', a') and c + gamma max_i Q_i^c(s', a'), as `targets` has them."""
        values = self.next_values(batch, next_actions)
        return self.targets(batch, values.least_reward, values.greatest_cost)

    def targets(
        self,
        batch: Batch,
        next_reward: Float[Tensor, "n batch"],
        next_cost: Float[Tensor, "n batch"],
        bounded: bool = True,
    ) -> Float[Tensor, "n 4 batch"]:
        """r + gamma V_r(s') and c + gamma V_c(s') for these values of the next states, in units.

        Where `bounded` they are clamped to what is possible, Assumption 1 of Safe-DQL: |Q_r| <= R_max / (1 - gamma),
        0 <= Q_c <= C_max / (1 - gamma).
        """

        def target(immediate: Tensor, next_value: Tensor, bounds: tuple[float, float]) -> Tensor:
            onward, limits = next_value.unsqueeze(1) / self.unit, bounds if bounded else None
            return bellman_target(immediate / self.unit, batch.not_terminal, onward, self.problem.gamma, limits)

        reward = target(batch.rewards, next_reward, self.reward_bounds)
        cost = target(batch.costs, next_cost, self.cost_bounds)
        return torch.cat([reward, cost], dim=1).repeat_interleave(2, dim=1)

    def data_targets(self, batch: Batch) -> Float[Tensor, "n 4 batch"]:
        """The discounted sums that the data themselves show, in units: the values of the behaviour policy."""
        sums = torch.stack([batch.reward_to_go, batch.cost_to_go], dim=1) / self.unit
        return sums.repeat_interleave(2, dim=1)

    def learn(
        self, batch: Batch, targets: Float[Tensor, "n 4 batch"], penalty: Float[Tensor, " n"] | None = None
    ) -> dict[str, Tensor]:
        """One step of squared error towards the targets, and of the target critics.

        `penalty` is added to the loss; like the squared error it is in units^2.
        """
        q = self._raw(self.q.theta, batch.observations, batch.actions)
        loss = td_loss(q, targets)
        loss = loss if penalty is None else loss + penalty
        self.q.adam_step(gradient(loss, self.q))
        self.q.update_ema(self.config.target_rate)
        return {"critic_loss": loss.detach()}
