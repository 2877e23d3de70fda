"""How far states are from the data.

A state is *far* where its distance to the nearest state of the data exceeds `QUANTILE` of the distances of the data's
own states to the nearest one of another trajectory (Euclidean, normalised observations).
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from deep.core.randomness import generator
from deep.runs.experiment import Experiment

QUANTILE = 0.95
MOST_STATES = 100_000
"""States of the data, evenly spaced, among which the nearest is sought."""
REFERENCE = 400
"""States of the data whose distances to other trajectories are measured."""
VISITED = 1000
"""States that are compared, evenly spaced over those of a policy's episodes; some count twice where there are fewer."""


def nearest(states: Float[Tensor, "n obs"], others: Float[Tensor, "m obs"]) -> Float[Tensor, " n"]:
    """The distance of each state to the nearest of the others."""
    return torch.cat([torch.cdist(some, others).amin(1) for some in states.split(200)])


def spaced(count: int) -> Int[np.ndarray, " visited"]:
    """`VISITED` whole numbers below `count`, evenly spaced."""
    return np.linspace(0, count - 1, VISITED).astype(int)


@dataclass(frozen=True)
class Near:
    """The data's states, and the distance to them from which on a state is far."""

    states: Float[Tensor, "m obs"]
    limit: float

    @classmethod
    def to(cls, experiment: Experiment) -> "Near":
        data, replay = experiment.data, experiment.replay
        rows = np.linspace(0, len(data) - 1, min(len(data), MOST_STATES)).astype(int)
        trajectory = np.repeat(np.arange(len(data.starts)), data.lengths)
        drawn = generator(0, "coverage").choice(len(data), min(REFERENCE, len(data)), replace=False)
        distances = []
        for own in np.unique(trajectory[drawn]):
            others = replay.observations[torch.from_numpy(rows[trajectory[rows] != own])]
            if len(others):
                distances.append(
                    nearest(replay.observations[torch.from_numpy(drawn[trajectory[drawn] == own])], others)
                )
        limit = torch.cat(distances).quantile(QUANTILE).item() if distances else 0.0
        return cls(replay.observations[torch.from_numpy(rows)], limit)

    def far(self, states: Float[Tensor, "n obs"]) -> Bool[Tensor, " visited"]:
        """Whether each of `VISITED` of these states is far."""
        return nearest(states[spaced(len(states))], self.states) > self.limit
