"""Trajectories relabelled for other budgets: which are drawn how often, and what is added to their returns and costs.

A trajectory of return R and cost C shows what to do at the budget C. Relabelled, it stands for another budget b: its
costs to go are shifted by b - C, and its returns to go by what it is to stand for less R. No data are copied.
"""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from deep.core.randomness import generator
from deep.data.dataset import OfflineDataset
from deep.data.sequences import Frontier
from deep.tasks import within_limit
from theory.support.errors import InputError


class Entries(NamedTuple):
    """Rows of a table to draw from, one line per copy of a model."""

    cumulative: Float[Tensor, "n entries"]
    """The running sum of each entry's probability."""
    trajectories: Int[Tensor, "n entries"]
    return_shift: Float[Tensor, "n entries"]
    """Added to the returns to go, in the task's unit."""
    least_shift: Float[Tensor, "n entries"]
    most_shift: Float[Tensor, "n entries"]
    """What is added to the costs to go is drawn between these two."""

    def draw(
        self, entry: Float[Tensor, "n batch"], shift: Float[Tensor, "n batch"]
    ) -> tuple[Int[Tensor, "n batch"], Float[Tensor, "n batch"], Float[Tensor, "n batch"]]:
        """Trajectories, shifts of the returns and shifts of the costs, for uniforms on [0, 1)."""
        rows = torch.searchsorted(self.cumulative, entry.double(), right=True).clamp(max=self.cumulative.shape[1] - 1)
        least, most = self.least_shift.gather(1, rows), self.most_shift.gather(1, rows)
        return self.trajectories.gather(1, rows), self.return_shift.gather(1, rows), least + (most - least) * shift


def augmented(data: OfflineDataset, share: float, seeds: tuple[int, ...], weighted_to: float | None) -> "list[Table]":
    """All trajectories as they are, and `share` times as many that ask for more than can be had (Liu et al. 2023).

    A budget c is uniform between the least and the largest cost in the data, and a return uniform between the best one
    within c, R*(c), and the best of all. The trajectory that attains R*(c) is relabelled to both: whoever asks too much
    is shown the best that the budget affords.

    Args:
        data: the trajectories.
        share: additional entries, as a share of the number of trajectories.
        seeds: one table for each seed.
        weighted_to: draw each entry in proportion to max(weighted_to - C, 0) of its trajectory; None draws uniformly.
    """
    costs, returns = data.trajectory_costs, data.trajectory_returns
    frontier = Frontier.of(costs, returns)
    tables = []
    for seed in seeds:
        rng = generator(seed, "relabelled trajectories")
        budget = rng.uniform(costs.min(), costs.max(), round(share * len(costs)))
        steps = frontier.steps_for(budget)
        asked = rng.uniform(frontier.returns[steps], returns.max())
        best = frontier.trajectories[steps]
        trajectories = np.concatenate([np.arange(len(costs)), best])
        return_shift = np.concatenate([np.zeros(len(costs)), asked - returns[best]])
        cost_shift = np.concatenate([np.zeros(len(costs)), budget - costs[best]])
        weights = np.ones(len(trajectories)) if weighted_to is None else weighted_to - costs[trajectories]
        tables.append(Table(np.maximum(weights, 0), trajectories, return_shift, cost_shift, cost_shift))
    return tables


def safe_region(data: OfflineDataset, largest: float, seeds: tuple[int, ...]) -> "list[Table]":
    """Every trajectory that costs at most `largest`, for any budget between its cost and `largest`.

    B2R's relabelling: at the limit l every trajectory within l starts with the cost to go l and ends with what it did
    not use. A single model serves all limits when l is drawn.
    """
    costs = data.trajectory_costs
    kept = np.flatnonzero(within_limit(costs, largest))
    if len(kept) == 0:
        raise InputError(f"no trajectory costs at most {largest:g}: the least cost in the data is {costs.min():.9g}")
    nothing = np.zeros(len(kept))
    table = Table(np.ones(len(kept)), kept, nothing, nothing, np.maximum(largest - costs[kept], 0))
    return [table] * len(seeds)


class Table(NamedTuple):
    weights: np.ndarray
    trajectories: np.ndarray
    return_shift: np.ndarray
    least_shift: np.ndarray
    most_shift: np.ndarray


def entries(tables: "list[Table]", like: Tensor) -> Entries:
    """The tables of all seeds, which have equally many rows, in the dtype and on the device of `like`."""
    weights, trajectories, *shifts = (np.stack(columns) for columns in zip(*tables, strict=True))
    if (weights.sum(axis=1) <= 0).any():
        raise InputError("no trajectory is cheap enough to be drawn: accepted is a larger cost limit")
    cumulative = np.cumsum(weights, axis=1) / weights.sum(axis=1, keepdims=True)
    device = like.device
    placed = [torch.from_numpy(np.ascontiguousarray(array)).to(device) for array in (cumulative, trajectories)]
    return Entries(*placed, *(torch.from_numpy(np.ascontiguousarray(array)).to(like) for array in shifts))
