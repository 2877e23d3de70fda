"""A data set on the training device, and the minibatches that replicas draw from it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor

from deep.data.dataset import OfflineDataset


class Batch(NamedTuple):
    """Transitions of every replica; observations are normalised, rewards scaled, `alive` is 0 after a terminal."""

    observations: Float[Tensor, "n batch obs"]
    actions: Float[Tensor, "n batch act"]
    rewards: Float[Tensor, "n batch"]
    costs: Float[Tensor, "n batch"]
    next_observations: Float[Tensor, "n batch obs"]
    not_terminal: Float[Tensor, "n batch"]
    reward_to_go: Float[Tensor, "n batch"]
    cost_to_go: Float[Tensor, "n batch"]


@dataclass(frozen=True)
class RowTable:
    """Which transitions each replica may draw: the first counts[n] entries of table[n]."""

    table: Int[Tensor, "n most"]
    counts: Int[Tensor, " n"]

    @classmethod
    def of(cls, choices: Sequence[NDArray[np.integer]], device: torch.device) -> "RowTable":
        """From one array of row numbers per replica; an empty one is refused."""
        if any(len(rows) == 0 for rows in choices):
            raise ValueError("a replica has no transition to draw from")
        table = np.zeros((len(choices), max(len(rows) for rows in choices)), dtype=np.int64)
        for line, rows in zip(table, choices, strict=True):
            line[: len(rows)] = rows
        counts = torch.tensor([len(rows) for rows in choices], device=device)
        return cls(torch.from_numpy(table).to(device), counts)


class Replay:
    """The transitions of a data set as tensors, normalised.

    observations are shifted and scaled to mean 0 and standard deviation 1 per dimension, unless `normalise_states` is
    False; rewards are multiplied by `reward_scale`, so that an episode's return spans about one reward unit per step.
    """

    def __init__(
        self,
        data: OfflineDataset,
        gamma: float,
        reward_scale: float,
        device: torch.device,
        normalise_states: bool = True,
    ) -> None:
        mean, std = data.observations.mean(axis=0), data.observations.std(axis=0)
        std = np.where(std < 1e-6, 1.0, std).astype(np.float32)
        if not normalise_states:
            mean, std = np.zeros_like(mean), np.ones_like(std)

        def put(array: NDArray) -> Tensor:
            return torch.from_numpy(np.ascontiguousarray(array)).to(device, torch.get_default_dtype())

        self.mean, self.std = put(mean), put(std)
        self.observations = put((data.observations - mean) / std)
        self.next_observations = put((data.next_observations - mean) / std)
        self.actions = put(data.actions)
        self.rewards = put(data.rewards * reward_scale)
        self.costs = put(data.costs)
        self.not_terminal = put(~data.terminals)
        self.reward_to_go = put(discounted_to_go(data, data.rewards * reward_scale, gamma))
        self.cost_to_go = put(discounted_to_go(data, data.costs, gamma))
        self.episode_cost = put(np.repeat(data.trajectory_costs, data.lengths))
        self.starts = torch.from_numpy(np.asarray(data.starts)).to(device)

    def __len__(self) -> int:
        return len(self.rewards)

    def normalise(self, observations: Tensor) -> Tensor:
        """Raw observations as the networks see them."""
        return (observations - self.mean) / self.std

    def rows(self, uniform: Float[Tensor, "n batch"], allowed: RowTable | None = None) -> Int[Tensor, "n batch"]:
        """Row numbers for uniforms on [0, 1): uniform over all transitions, or over each replica's allowed ones."""
        if allowed is None:
            return (uniform.double() * len(self)).long()
        position = (uniform.double() * allowed.counts.unsqueeze(1)).long()
        return allowed.table.gather(1, position)

    def batch(self, rows: Int[Tensor, "n batch"]) -> Batch:
        """The transitions at these rows."""
        return Batch(
            self.observations[rows],
            self.actions[rows],
            self.rewards[rows],
            self.costs[rows],
            self.next_observations[rows],
            self.not_terminal[rows],
            self.reward_to_go[rows],
            self.cost_to_go[rows],
        )


def discounted_to_go(data: OfflineDataset, signal: NDArray, gamma: float) -> Float[NDArray, " transitions"]:
    """sum_k gamma^k signal_{t+k} to the end of each trajectory.

    After a time-out the sum goes on at the trajectory's mean rate, signal_mean / (1 - gamma); after a terminal state it
    is zero.
    """
    to_go = np.empty(len(signal), dtype=np.float64)
    for start, length in zip(data.starts, data.lengths, strict=True):
        piece = signal[start : start + length].astype(np.float64)
        tail = 0.0 if data.terminals[start + length - 1] else piece.mean() / (1 - gamma)
        for t in range(length - 1, -1, -1):
            tail = piece[t] + gamma * tail
            to_go[start + t] = tail
    return to_go
