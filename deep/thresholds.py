"""From a limit on the cost of an episode to a threshold kappa on the discounted cost Q_c."""

import torch
from jaxtyping import Float
from torch import Tensor

from deep.critics import episodic_to_discounted
from deep.datasets import OfflineDataset
from deep.phases import Problem
from theory.errors import InputError


def threshold(limit: float, problem: Problem, how: str) -> float:
    """kappa, the discounted cost that stands for `limit` costs in an episode.

    data, start, cut: the conversions of `episodic_to_discounted`. calibrated: limit / b with b the least-squares slope,
    over the trajectories of the data, of their cost on the mean of their states' discounted sums of costs: right on
    average for episodes as long as those of the data, where early termination makes full length the wrong divisor.
    """
    if how != "calibrated":
        task = problem.task
        return episodic_to_discounted(limit, problem.gamma, task.episode_length, how, task.expected_length)
    return limit / episode_cost_per_value(problem.data, problem.replay.cost_to_go)


def episode_cost_per_value(data: OfflineDataset, cost_to_go: Float[Tensor, " transitions"]) -> float:
    """The slope b of `threshold`: sum_i C_i G_i / sum_i G_i^2."""
    lengths = torch.from_numpy(data.lengths)
    sums = torch.zeros(len(lengths), dtype=torch.float64)
    owner = torch.arange(len(lengths)).repeat_interleave(lengths)
    mean = sums.index_add(0, owner, cost_to_go.double().cpu()) / lengths
    costs = torch.from_numpy(data.trajectory_costs)
    if not mean.any():
        raise InputError(
            "--kappa calibrated: the data have no cost to calibrate with; accepted are data, start and cut"
        )
    return float((costs * mean).sum() / mean.square().sum())
