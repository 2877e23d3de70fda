r"""The critics of the present policy without delay: their last layer solved by least squares.

TD critics follow a policy with a delay of hundreds of steps. Here their hidden layers phi(s, a) are kept and the last
layer is solved for (LSTD; "shallow updates", Levine et al., 2017). With phi' = phi(s', pi(s')), 0 after a terminal,

    A = E phi (phi - gamma phi')^T + ridge,     theta = A^{-1} E phi c,     value = phibar . theta,

phibar the mean of phi(s, pi(s)) over the gate's states. To first order, row i of the data contributes

    (A^{-T} phibar . phi_i) (c_i + gamma phi'_i . theta - phi_i . theta) / n

to the value's error; the sum of squares over trajectories is its variance, the limit of a bootstrap of trajectories.

The solution has no delay but the error of its features; the TD critics have a delay but a smaller error at rest. Each
is at times too low, seldom both: the estimate is the larger of the two costs, and the smaller of the two rewards.
"""

from dataclasses import replace
from typing import Literal

import torch
from jaxtyping import Float, Float64
from torch import Tensor
from torch.nn import functional as F

from deep.core.method import Act, Policy, at_states
from deep.core.problem import Problem
from deep.data.replay import RowTable
from deep.methods.drcorl.critic_values import NORMAL_95, CriticValues
from deep.methods.parts.critics import PolicyCritic
from deep.nn.mlp import ACTIVATIONS, Ensemble
from deep.ope.features import Sample
from deep.ope.interface import Estimate

RIDGE = 1e-4
"""Relative to each feature's mean square."""


def last_hidden(
    critic: PolicyCritic, observations: Float[Tensor, "r n obs"], actions: Float[Tensor, "r n act"]
) -> Float64[Tensor, "r n features"]:
    """1 and the last hidden layers of the ensemble's averaged members."""
    member, size = critic.ensemble.member, critic.ensemble.size
    trunk = replace(member, outputs=member.hidden[-1], hidden=member.hidden[:-1])
    count = sum(torch.Size(shape).numel() for shape in trunk.shapes)
    theta = critic.q.ema.unflatten(1, (size, -1))[..., :count].flatten(1)
    x = Ensemble(trunk, size).apply(theta, torch.cat([observations, actions.clamp(-1, 1)], -1))
    x = ACTIVATIONS[member.activation](F.layer_norm(x, x.shape[-1:]) if member.layer_norm else x)
    return F.pad(x.transpose(1, 2).flatten(2), (1, 0), value=1.0).double()


def solve_values(
    data: Float64[Tensor, "n D"],
    onward: Float64[Tensor, "n D"],
    mean: Float64[Tensor, " D"],
    payoffs: Float64[Tensor, "n k"],
    trajectory: Tensor,
    gamma: float,
) -> tuple[Float64[Tensor, " k"], Float64[Tensor, " k"]]:
    """The values of the module's equation and their standard deviations, for every payoff."""
    n, change = len(data), data - gamma * onward
    matrix = data.mT @ change / n + RIDGE * data.square().mean(0).clamp(min=1e-6).diag()
    theta = torch.linalg.solve(matrix, data.mT @ payoffs / n)
    ratio = data @ torch.linalg.solve(matrix.mT, mean)
    influence = ratio.unsqueeze(1) * (payoffs - change @ theta) / n
    by_trajectory = influence.new_zeros(int(trajectory.max()) + 1, payoffs.shape[1])
    return mean @ theta, by_trajectory.index_add(0, trajectory, influence).square().sum(0).sqrt()


class LeastSquares(CriticValues):
    """The estimator of the policy in training, whose critics these are."""

    def __init__(
        self,
        problem: Problem,
        cost_critic: PolicyCritic,
        reward_critic: PolicyCritic | None,
        transitions: int,
        states: Literal["data", "cloned", "start"],
        cloned: RowTable | None = None,
    ) -> None:
        """`states` and `cloned` as in `CriticValues`, but that "data" is the sample of `transitions` rows. Without a
        reward critic the cost critic's features serve for the reward."""
        super().__init__(problem, cost_critic, reward_critic, states, cloned)
        self.sample = Sample(problem, transitions)
        replay, rows = problem.replay, self.sample.rows
        self.trajectory = torch.from_numpy(self.sample.trajectory).to(problem.device)
        expand = (len(problem.replicas), -1, -1)
        self.observations, self.actions = replay.observations[rows].expand(expand), replay.actions[rows].expand(expand)
        self.next_observations = replay.next_observations[rows].expand(expand)
        self.not_terminal = replay.not_terminal[rows].double().unsqueeze(1)
        if states == "data" or (states == "cloned" and cloned is None):
            self.states = self.observations

    @torch.no_grad()
    def estimate(self, act: Policy | Act) -> Estimate:
        """Converted to an episode of the task. The OOD score is 0: the anchor alone keeps the policy near the data."""
        act, largest = at_states(act), self.largest_cost
        there, chosen = act(self.next_observations), act(self.states)
        values, stds = self._solve(self.cost_critic, there, chosen)
        cost = torch.maximum(values[:, 0], self.mean(self.cost_critic, chosen)).clamp(0, largest)
        reward, half = values[:, 1], NORMAL_95 * stds[:, 0]
        if self.reward_critic is not None:
            solution = self._solve(self.reward_critic, there, chosen)[0][:, 1]
            reward = torch.minimum(solution, self.mean(self.reward_critic, chosen) / self.problem.reward_scale)
        length = values[:, 2].clamp(0, self.problem.task.episode_length)
        low, high = (cost - half).clamp(min=0), (cost + half).clamp(max=largest)
        numbers = (cost, stds[:, 0], low, high, reward, length, torch.zeros_like(cost))
        return Estimate(*(x.float() for x in numbers))

    @torch.no_grad()
    def solution(self, act: Policy | Act) -> tuple[Float64[Tensor, " replicas"], Float64[Tensor, " replicas"]]:
        """The least-squares cost alone, and its standard deviation."""
        act = at_states(act)
        values, stds = self._solve(self.cost_critic, act(self.next_observations), act(self.states))
        return values[:, 0], stds[:, 0]

    def _solve(
        self, critic: PolicyCritic, there: Tensor, chosen: Tensor
    ) -> tuple[Float64[Tensor, "replicas 3"], Float64[Tensor, "replicas 3"]]:
        """Cost, reward and length of an episode by least squares on this critic's features, and their deviations."""
        data = last_hidden(critic, self.observations, self.actions)
        onward = last_hidden(critic, self.next_observations, there) * self.not_terminal
        means = last_hidden(critic, self.states, chosen).mean(1)
        solved = [
            solve_values(*features, self.sample.payoffs, self.trajectory, self.problem.gamma)
            for features in zip(data, onward, means, strict=True)
        ]
        values, stds = (torch.stack(list(column)) * self.to_episode for column in zip(*solved, strict=True))
        return values, stds
