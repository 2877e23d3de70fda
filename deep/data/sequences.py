"""Windows of consecutive transitions, with what a sequence model is conditioned on: time, return and cost to go."""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from numpy.typing import NDArray
from scipy.signal import lfilter
from torch import Tensor

from deep.data.dataset import OfflineDataset
from deep.data.replay import Replay
from deep.tasks import COST_ROUNDING


class Window(NamedTuple):
    """T consecutive steps of every drawn trajectory. After a trajectory's end its last step is repeated, `valid` is
    False."""

    rows: Int[Tensor, "n batch T"]
    """The row of each step in the data."""
    observations: Float[Tensor, "n batch T obs"]
    """Normalised."""
    actions: Float[Tensor, "n batch T act"]
    return_to_go: Float[Tensor, "n batch T"]
    """Undiscounted sum of the rewards from this step, included, to the trajectory's end, in the task's unit."""
    cost_to_go: Float[Tensor, "n batch T"]
    """The same of the costs."""
    time: Int[Tensor, "n batch T"]
    """The number of the step within its trajectory, from 0."""
    valid: Bool[Tensor, "n batch T"]
    """Whether the trajectory lasts that long."""


class Sequences:
    """The windows of a data set, drawn by uniform numbers on the training device."""

    def __init__(self, data: OfflineDataset, replay: Replay) -> None:
        device = replay.observations.device

        def put(array: NDArray) -> Tensor:
            return torch.from_numpy(np.ascontiguousarray(array)).to(device)

        lengths = data.lengths
        self.replay = replay
        self.starts, self.lengths = put(np.asarray(data.starts)), put(lengths)
        self.trajectory = put(np.repeat(np.arange(len(lengths)), lengths))
        self.time = put(np.arange(len(data)) - np.repeat(data.starts, lengths))
        self.last = put(np.repeat(data.ends, lengths))
        self.return_to_go = put(sums_to_go(data, data.rewards)).to(replay.observations)
        self.cost_to_go = put(sums_to_go(data, data.costs)).to(replay.observations)

    def starts_within(
        self, trajectories: Int[Tensor, "n batch"], uniform: Float[Tensor, "n batch"], margin: int = 1
    ) -> Int[Tensor, "n batch"]:
        """The rows of starts that are uniform over each trajectory, but for its last `margin` - 1 steps.

        A trajectory shorter than `margin` has its first step as the only start.
        """
        choices = (self.lengths[trajectories] - (margin - 1)).clamp(min=1)
        return self.starts[trajectories] + (uniform.double() * choices).long()

    def windows(self, first: Int[Tensor, "n batch"], length: int) -> Window:
        """The windows of `length` steps that begin at these rows."""
        wanted = first.unsqueeze(-1) + torch.arange(length, device=first.device)
        last = self.last[first].unsqueeze(-1)
        rows = torch.minimum(wanted, last)
        return Window(
            rows,
            self.replay.observations[rows],
            self.replay.actions[rows],
            self.return_to_go[rows],
            self.cost_to_go[rows],
            self.time[rows],
            wanted <= last,
        )


def sums_to_go(data: OfflineDataset, signal: NDArray, gamma: float = 1.0) -> Float[NDArray, " transitions"]:
    """sum_{k >= t} gamma^(k - t) signal_k to the end of each row's trajectory, summed in float64."""
    result = np.empty(len(signal), dtype=np.float64)
    for start, length in zip(data.starts, data.lengths, strict=True):
        piece = signal[start : start + length].astype(np.float64)
        result[start : start + length] = lfilter([1.0], [1.0, -gamma], piece[::-1])[::-1]
    return result


class Frontier(NamedTuple):
    """The best trajectory for every budget: a staircase of rising costs and returns."""

    costs: Float[NDArray, " steps"]
    returns: Float[NDArray, " steps"]
    trajectories: Int[NDArray, " steps"]

    @classmethod
    def of(cls, costs: Float[NDArray, " n"], returns: Float[NDArray, " n"]) -> "Frontier":
        """Of trajectories with these costs and returns: each is the best among all that cost no more."""
        order = np.lexsort((-returns, costs))
        best = np.maximum.accumulate(returns[order])
        kept = order[np.flatnonzero(np.diff(best, prepend=-np.inf) > 0)]
        return cls(costs[kept], returns[kept], kept)

    def steps_for(self, budgets: Float[NDArray, "*shape"]) -> Int[NDArray, "*shape"]:
        """The step of the staircase that each budget affords; the cheapest where it affords none.

        A budget affords a cost by the rule of `deep.tasks.within_limit`.
        """
        affordable = np.asarray(budgets, dtype=np.float64) * (1 + COST_ROUNDING)
        return np.maximum(np.searchsorted(self.costs, affordable, side="right") - 1, 0)
