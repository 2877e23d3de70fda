"""Q_r and Q_c of DRCORL: pretrained for the clones, then continued for every replica's policy."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from deep.core.problem import Problem
from deep.data.replay import Batch
from deep.methods.parts.critics import CostCritic, CriticConfig, PolicyCritic
from deep.methods.parts.iql import RewardCritic
from deep.nn.parameters import Parameters
from deep.nn.policies import MLPPolicy

SCALE_STATES = 4096
"""States over which the unit of the gradients is taken."""


class Values:
    """All critics, and the unit of their action gradients."""

    def __init__(
        self, config: CriticConfig, problem: Problem, policy: MLPPolicy, policy_seeds: tuple[int, ...], gated: bool
    ) -> None:
        """Clones have `policy_seeds`. `gated`: the gate's cost comes from cost critics, which are unbiased ones."""
        self.config, self.problem, self.policy, self.gated = config, problem, policy, gated
        self.clone_cost = self._cost_critics("clone_", policy_seeds)
        self.cost = self._cost_critics("", problem.replica_seeds)
        """The critics whose value the policy minimises and, where these are pessimistic, those of the gate last."""
        self.of_clone: list[PolicyCritic] = [*self.clone_cost]
        self.of_policy: list[PolicyCritic] = [*self.cost]
        """The critics of every replica's policy, which start from those of its clone."""
        self.reward: RewardCritic | PolicyCritic
        """The critic whose value the policy ascends."""
        if config.reward == "iql":
            self.reward = RewardCritic(config, problem)
        else:
            self.reward = PolicyCritic(config, problem, "reward_critic", problem.replica_seeds)
            self.of_clone.append(PolicyCritic(config, problem, "clone_reward_critic", policy_seeds))
            self.of_policy.append(self.reward)
        self.scales = torch.ones(len(problem.replicas), 2, device=problem.device)
        """The unit of both values' gradients at the clone: (replicas, 2), reward first."""

    def _cost_critics(self, prefix: str, policy_seeds: tuple[int, ...]) -> list[CostCritic]:
        critics = [CostCritic(self.config, self.problem, f"{prefix}cost_critic", policy_seeds)]
        if self.gated and self.config.pessimism > 0:
            unbiased = replace(self.config, pessimism=0.0)
            critics.append(CostCritic(unbiased, self.problem, f"{prefix}gate_critic", policy_seeds))
        return critics

    def tensors(self) -> dict[str, Tensor]:
        shared = [self.reward] if isinstance(self.reward, RewardCritic) else []
        critics = (*shared, *self.of_clone, *self.of_policy)
        named = {name: tensor for critic in critics for name, tensor in critic.tensors().items()}
        return named | {"gradient_scales": self.scales}

    def learn(
        self,
        critics: Sequence[PolicyCritic],
        parameters: Parameters,
        step: Tensor,
        batch: Batch,
        draws: Mapping[str, Tensor],
    ) -> dict[str, Tensor]:
        """One TD step of each critic towards the values of the EMA of the policy with these parameters."""
        with torch.no_grad():
            here, _ = self.policy.sample(parameters.ema, batch.observations, draws["z"])
            there, _ = self.policy.sample(parameters.ema, batch.next_observations, draws["next_z"])
        actions = {"here": here, "there": there}
        metrics = [critic.learn(step, batch, actions) for critic in critics]
        return {name: value for found in metrics for name, value in found.items()}

    @torch.no_grad()
    def start(self, parameters: Parameters, clone: Tensor) -> None:
        """Start every replica's critics from those of its `clone` (an index), and fix the unit of both values'
        gradients: their root mean square at the actions of the policy with these parameters."""
        for critic, pretrained in zip(self.of_policy, self.of_clone, strict=True):
            critic.q.copy_from(pretrained.q, clone)
        replay = self.problem.replay
        rows = torch.linspace(0, len(replay) - 1, SCALE_STATES, device=self.problem.device).long()
        observations = replay.observations[rows].expand(len(self.problem.replicas), -1, -1)
        actions = self.policy.distribution(parameters.ema, observations)[0]
        for column, critic in enumerate((self.reward, self.cost[0])):
            slope = critic.action_gradient(observations, actions)
            self.scales[:, column] = slope.square().mean((1, 2)).sqrt().clamp(min=1e-8)

    def slopes(
        self, observations: Float[Tensor, "replicas batch obs"], actions: Float[Tensor, "replicas batch act"]
    ) -> tuple[Float[Tensor, "replicas batch act"], Float[Tensor, "replicas batch act"]]:
        """grad_a Q_r and grad_a Q_c in their units."""
        scale_r, scale_c = self.scales.unsqueeze(2).unsqueeze(3).unbind(1)
        slope_r = self.reward.action_gradient(observations, actions) / scale_r
        return slope_r, self.cost[0].action_gradient(observations, actions) / scale_c
