r"""Nearest behaviour: the cost of the trajectories whose actions are closest to the policy's.

    d_i = mean over states s of trajectory i of |pi(s) - a|^2 / (entries of a),
    w_i proportional to exp(-d_i / h),     cost = sum_i w_i cost_i,

with h such that 1 / sum_i w_i^2, the effective number of trajectories, is as configured: w is the likelihood of the
actions under Gaussian noise around the policy, flattened to that effective number. The variance is small where the
policy imitates a part of the data. The estimate ignores errors that accumulate along an episode, and attributes the
cost of the noise in the data's actions to the policy.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from deep.core.method import Act, Policy, at_states
from deep.core.problem import Problem
from deep.ope.interface import Estimate


@dataclass(frozen=True)
class NearestConfig:
    """The nearest-behaviour estimate."""

    effective: float = 10.0
    """Effective number of trajectories in the average; at most 90 % of the data's."""
    states: int = 16
    """States of each trajectory at which its actions are compared, at equal distances."""


def sharpened(distance: Float[Tensor, "replicas n"], effective: float) -> Float[Tensor, "replicas n"]:
    """Weights softmax(-distance / h), h by bisection of its logarithm, so that 1 / sum w^2 = `effective`."""
    low, high = (torch.full_like(distance[:, :1], bound) for bound in (-30.0, 10.0))
    for _ in range(60):
        middle = (low + high) / 2
        weights = torch.softmax(-distance / middle.exp(), dim=1)
        wide = 1 / weights.square().sum(1, keepdim=True) > effective
        low, high = torch.where(wide, low, middle), torch.where(wide, middle, high)
    return torch.softmax(-distance / high.exp(), dim=1)


class NearestBehaviour:
    """The estimator. Its OOD score: the nearest trajectories' mean distance, divided by that of all trajectories."""

    def __init__(self, config: NearestConfig, problem: Problem) -> None:
        self.config, self.problem = config, problem
        data, device = problem.data, problem.device
        share = torch.arange(config.states, device=device) / config.states
        lengths = torch.from_numpy(data.lengths).to(device).unsqueeze(1)
        self.rows = problem.replay.starts.unsqueeze(1) + (share * lengths).long()
        totals = (data.trajectory_costs, data.trajectory_returns, data.lengths)
        self.totals = torch.stack([torch.as_tensor(x, dtype=torch.float64) for x in totals], 1).to(device)
        self.effective = min(config.effective, 0.9 * len(lengths))

    @torch.no_grad()
    def estimate(self, act: Policy | Act) -> Estimate:
        """The weighted averages; the interval is two standard errors of the weighted mean to either side."""
        replay, replicas = self.problem.replay, len(self.problem.replicas)
        rows = self.rows.flatten()
        chosen = at_states(act)(replay.observations[rows].expand(replicas, -1, -1)).clamp(-1, 1)
        distance = (chosen - replay.actions[rows]).square().mean(-1).unflatten(1, self.rows.shape).mean(2).double()
        weights = sharpened(distance, self.effective)
        cost, reward, length = (weights @ self.totals).unbind(1)
        squares = weights.square()
        deviation = (self.totals[:, 0] - cost.unsqueeze(1)).square()
        std = ((squares * deviation).sum(1) / (1 - squares.sum(1))).sqrt()
        ood_score = (weights * distance).sum(1) / distance.mean(1).clamp(min=1e-12)
        low, high = torch.clamp(cost - 2 * std, min=0), cost + 2 * std
        return Estimate(*(x.float() for x in (cost, std, low, high, reward, length, ood_score)))
