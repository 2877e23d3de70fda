"""Which trajectories of the data a policy is cloned from."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from deep.data.dataset import OfflineDataset
from deep.data.replay import Replay, RowTable, moments
from deep.tasks import within_limit
from theory.support.errors import InputError


@dataclass(frozen=True)
class Selection:
    """Trajectories for a cost limit l."""

    trajectories: Literal["all", "safe", "best"] = "all"
    """All; those whose cost satisfies l; or the best one that satisfies l and those that act most like it, a
    set without contradictions, which the first two are not."""
    neighbours: int = 10
    """best: how many trajectories are taken, the best one included."""
    return_share: float = 0.9
    """best: the others' returns lie above this share of the best one's, counted from the data's lowest return."""

    def choose(self, data: OfflineDataset, limit: float) -> Int[np.ndarray, " chosen"]:
        """Their numbers. Raises `InputError` where no trajectory satisfies the limit."""
        if self.trajectories == "all":
            return np.arange(len(data.starts))
        eligible = np.flatnonzero(within_limit(data.trajectory_costs, limit))
        if len(eligible) == 0:
            least = data.trajectory_costs.min()
            raise InputError(
                f"no trajectory satisfies the cost limit {limit:g}: the least cost in the data is {least:.9g}"
            )
        return (
            eligible
            if self.trajectories == "safe"
            else consistent_best(data, eligible, self.neighbours, self.return_share)
        )

    def per_replica(self, data: OfflineDataset, limits: Sequence[float]) -> list[Int[np.ndarray, " _"]]:
        """Their numbers, for the cost limit of every replica."""
        chosen = {limit: self.choose(data, limit) for limit in dict.fromkeys(limits)}
        return [chosen[limit] for limit in limits]

    def rows(self, data: OfflineDataset, limits: Sequence[float], device: torch.device) -> RowTable:
        """Their transitions, for the cost limit of every replica."""
        return allowed(data, self.per_replica(data, limits), device)


def allowed(data: OfflineDataset, chosen: list[Int[np.ndarray, " _"]], device: torch.device) -> RowTable:
    """The transitions of every replica's trajectories."""
    return RowTable.of([rows_of(data, trajectories) for trajectories in chosen], device)


class TrajectoryStats(NamedTuple):
    """Statistics of every replica's trajectories."""

    returns: Float[Tensor, " replicas"]
    """Their mean return."""
    costs: Float[Tensor, " replicas"]
    """Their mean cost."""
    spread: Float[Tensor, " replicas"]
    """The standard deviation of their costs."""
    lengths: Float[Tensor, " replicas"]
    """Their mean number of steps."""
    starts: Float[Tensor, "replicas episodes obs"]
    """States from which the first of them began, normalised; repeated where there are fewer."""


def trajectory_stats(
    data: OfflineDataset, replay: Replay, chosen: list[Int[np.ndarray, " _"]], episodes: int
) -> TrajectoryStats:
    """The statistics of the trajectories with these numbers."""
    returns, costs, lengths = data.trajectory_returns, data.trajectory_costs, data.lengths
    statistics = [
        (returns[some].mean(), costs[some].mean(), costs[some].std(), lengths[some].mean()) for some in chosen
    ]
    mean_return, mean_cost, spread, length = (
        torch.tensor(values, dtype=torch.get_default_dtype(), device=replay.mean.device)
        for values in np.array(statistics, dtype=float).T.tolist()
    )
    rows = np.stack([np.resize(data.starts[trajectories], episodes) for trajectories in chosen])
    starts = replay.observations[torch.from_numpy(rows).to(replay.mean.device)]
    return TrajectoryStats(mean_return, mean_cost, spread, length, starts)


def rows_of(data: OfflineDataset, trajectories: Int[np.ndarray, " chosen"]) -> Int[np.ndarray, " rows"]:
    """The rows of these trajectories."""
    return np.concatenate([np.arange(data.starts[i], data.starts[i] + data.lengths[i]) for i in trajectories])


def consistent_best(
    data: OfflineDataset, eligible: Int[np.ndarray, " eligible"], count: int, return_share: float
) -> Int[np.ndarray, " chosen"]:
    """The best eligible trajectory and the `count` - 1 nearly as good ones that act most like it.

    Alike: for states of the other trajectory, the mean distance of its action to the best one's action at the nearest
    of the best one's states (distances in normalised coordinates).
    """
    from scipy.spatial import KDTree  # the import takes half a second

    returns = data.trajectory_returns
    best = eligible[returns[eligible].argmax()]
    floor = returns.min() + return_share * (returns[best] - returns.min())
    others = eligible[(returns[eligible] >= floor) & (eligible != best)]
    scale = moments(data.observations)[1] + 1e-6
    best_rows = rows_of(data, np.array([best]))
    tree = KDTree(data.observations[best_rows] / scale)

    def distance(trajectory: np.integer) -> float:
        rows = rows_of(data, np.array([trajectory]))[::5]
        nearest = tree.query(data.observations[rows] / scale)[1]
        return float(np.linalg.norm(data.actions[rows] - data.actions[best_rows[nearest]], axis=1).mean())

    order = np.argsort([distance(trajectory) for trajectory in others], kind="stable")
    return np.concatenate([[best], others[order[: count - 1]]])
