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
from theory.support.errors import InputError

CONSTANT = 1e-6
"""A feature whose standard deviation is smaller does not vary."""


class Batch(NamedTuple):
    """Transitions of every replica. Observations are normalised, rewards scaled; `not_terminal` is 0 in terminal steps,
    else 1."""

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
        """From one array of row numbers per replica; an empty one is rejected."""
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
        if len(data) < 2:
            raise InputError(f"the data of {data.task} have {len(data)} transition: at least 2 are needed to train")

        def put(array: NDArray) -> Tensor:
            return torch.from_numpy(np.ascontiguousarray(array)).to(device, torch.get_default_dtype())

        mean, std = moments(data.observations)
        if not normalise_states:
            mean, std = np.zeros_like(mean), np.ones_like(std)
        self.mean, self.std = put(mean), put(std)
        self.observations = self.normalise(put(data.observations))
        self.next_observations = self.normalise(put(data.next_observations))
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
        """Observations in the data's units, normalised: (o - mean) / std."""
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


def moments(values: Float[NDArray, "rows size"]) -> tuple[Float[NDArray, " size"], Float[NDArray, " size"]]:
    """Mean and standard deviation of each column, summed in float64.

    A column that does not vary, by less than 1e-6 or not at all, has the deviation 1, and where all its entries are
    equal that entry as its mean: normalised, it is exactly 0.
    """
    mean, std = values.mean(axis=0, dtype=np.float64), values.std(axis=0, dtype=np.float64)
    constant = values.max(axis=0) == values.min(axis=0)
    return np.where(constant, values[0], mean), np.where(constant | (std < CONSTANT), 1.0, std)


def discounted_to_go(data: OfflineDataset, signal: NDArray, gamma: float) -> Float[NDArray, " transitions"]:
    """sum_k gamma^k signal_{t+k} to the end of each trajectory.

    After a timeout the sum continues at the trajectory's mean rate, signal_mean / (1 - gamma); after a terminal state
    it is zero.
    """
    to_go = np.empty(len(signal), dtype=np.float64)
    for start, length in zip(data.starts, data.lengths, strict=True):
        piece = signal[start : start + length].astype(np.float64)
        tail = 0.0 if data.terminals[start + length - 1] else piece.mean() / (1 - gamma)
        for t in range(length - 1, -1, -1):
            tail = piece[t] + gamma * tail
            to_go[start + t] = tail
    return to_go
