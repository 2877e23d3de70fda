"""What a method is given: the task, the data, and the replicas to train."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from deep.data.dataset import OfflineDataset
from deep.data.replay import Replay
from deep.envs.counted import CountedSimulator
from deep.tasks import Task


class Replica(NamedTuple):
    """One training run among those trained together."""

    seed: int
    cost_limit: float


@dataclass(frozen=True)
class Problem:
    """All that a method may know: the task's description, the data, the replicas.

    The simulator is for hybrid methods: the episodes that they play are counted. None where there is no simulator.
    Replicas are seeds x cost limits, seed-major: the replicas of one seed lie side by side.
    """

    task: Task
    data: OfflineDataset
    replay: Replay
    seeds: tuple[int, ...]
    cost_limits: tuple[float, ...]
    gamma: float
    reward_scale: float
    device: torch.device
    simulator: CountedSimulator | None = None
    replicas: tuple[Replica, ...] = field(init=False)

    def __post_init__(self) -> None:
        replicas = tuple(Replica(seed, limit) for seed in self.seeds for limit in self.cost_limits)
        object.__setattr__(self, "replicas", replicas)

    @property
    def observation_size(self) -> int:
        """Length of an observation vector."""
        return self.replay.observations.shape[1]

    @property
    def action_size(self) -> int:
        """Length of an action vector."""
        return self.replay.actions.shape[1]

    @cached_property
    def replica_seeds(self) -> tuple[int, ...]:
        """The seed of every replica."""
        return tuple(replica.seed for replica in self.replicas)

    @cached_property
    def replica_limits(self) -> tuple[float, ...]:
        """The cost limit of every replica."""
        return tuple(replica.cost_limit for replica in self.replicas)

    @cached_property
    def seed_index(self) -> Int[Tensor, " replicas"]:
        """For every replica the position of its seed: theta_by_seed[seed_index] has one row per replica."""
        count = len(self.cost_limits)
        return torch.arange(len(self.seeds), device=self.device).repeat_interleave(count)

    @cached_property
    def limits(self) -> Float[Tensor, " replicas"]:
        """The cost limit of every replica, in costs per episode, float64."""
        return torch.tensor(self.replica_limits, dtype=torch.float64, device=self.device)
