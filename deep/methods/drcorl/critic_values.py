"""The critics' own values of the policy in training, as the cost and the return of an episode.

    cost = (1 - gamma) * episode length * mean over states s and members i of Q_c^i(s, pi(s)),

and the return likewise from the reward critics. TD critics follow a policy that moves with a delay of about
1 / (target rate (1 - gamma)) of their steps. So the values are those of the policy only where it has been at rest for
as long (`deep.methods.drcorl.rests`).
"""

from typing import Literal

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from deep.core.method import Act, Policy, at_states
from deep.core.problem import Problem
from deep.data.replay import RowTable
from deep.methods.parts.critics import PolicyCritic, episodic_to_discounted
from deep.ope.interface import Estimate

NORMAL_95 = 1.96
MEAN_STATES = 4096
"""States of the data, or of the cloned trajectories, over which the mean is taken."""
LAST = 1 - 2.0**-24
"""The largest float32 below 1: `Replay.rows` maps [0, 1) to rows."""


class CriticValues:
    """The estimator of the policy in training, whose critics these are."""

    def __init__(
        self,
        problem: Problem,
        cost_critic: PolicyCritic,
        reward_critic: PolicyCritic | None,
        states: Literal["data", "cloned", "start"],
        cloned: RowTable | None = None,
    ) -> None:
        """`reward_critic` evaluates the policy, too; without one no return is estimated (0). `cloned` has the rows of
        the cloned trajectories; None: all of the data."""
        self.problem, self.cost_critic, self.reward_critic = problem, cost_critic, reward_critic
        replay, replicas = problem.replay, len(problem.replicas)
        if states == "start":
            self.states = replay.observations[replay.starts].expand(replicas, -1, -1)
        else:
            place = torch.linspace(0, 1, MEAN_STATES, device=problem.device).expand(replicas, -1)
            rows = replay.rows(place * LAST, cloned if states == "cloned" else None)
            self.states = replay.observations[rows]
        task = problem.task
        self.largest_cost = task.episode_length * replay.costs.max().item()
        self.to_episode = 1 / episodic_to_discounted(
            1.0, problem.gamma, task.episode_length, "data", task.expected_length
        )
        """A discounted sum times this is the sum over an episode of the task."""

    @torch.no_grad()
    def estimate(self, act: Policy | Act) -> Estimate:
        """The deviation is over the ensemble. The length is the task's, because no critic counts steps: where policies
        can fall, the reward critic alone notices it. The OOD score is 0: the anchor alone keeps the policy near the
        data."""
        chosen = at_states(act)(self.states)
        members = self.members(self.cost_critic, chosen)
        cost, std = members.mean(1).clamp(0, self.largest_cost), members.std(1, correction=0)
        low, high = (cost - NORMAL_95 * std).clamp(min=0), (cost + NORMAL_95 * std).clamp(max=self.largest_cost)
        reward = torch.zeros_like(cost)
        if self.reward_critic is not None:
            reward = self.mean(self.reward_critic, chosen) / self.problem.reward_scale
        length = torch.full_like(cost, self.problem.task.expected_length)
        return Estimate(*(x.float() for x in (cost, std, low, high, reward, length, torch.zeros_like(cost))))

    def members(
        self, critic: PolicyCritic, chosen: Float[Tensor, "replicas n act"]
    ) -> Float64[Tensor, "replicas members"]:
        """Each member's mean value at these actions, converted to an episode."""
        return critic.member_values(self.states, chosen).mean(2).double() * self.to_episode

    def mean(self, critic: PolicyCritic, chosen: Float[Tensor, "replicas n act"]) -> Float64[Tensor, " replicas"]:
        """The mean of the critics' values at these actions, converted to an episode."""
        return critic.upper_confidence(self.states, chosen, 0.0).mean(1).double() * self.to_episode
