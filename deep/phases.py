"""What a method is made of: phases, each a number of steps of one update over its own axis of replicas."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from deep.datasets import OfflineDataset
from deep.online import CountedSimulator
from deep.randomness import Draw
from deep.replay import Replay
from deep.tasks import Task
from theory.errors import InputError

Update = Callable[[Tensor, Mapping[str, Tensor]], dict[str, Tensor]]
"""(step as a 0-dim float tensor, this step's draws (n, *shape)) -> metrics, each (n,). Has no host-side branch."""

BLOCK = 50
"""Steps whose draws are made together; metrics are averaged over a block and checkpoints fall between blocks."""


def block_start(step: int) -> int:
    """The first step of the block whose line in metrics.jsonl bears this step, the one after its last."""
    return (step - 1) // BLOCK * BLOCK


class Replica(NamedTuple):
    """One training run among those trained together."""

    seed: int
    cost_limit: float


@dataclass(frozen=True)
class Hook:
    """Something on the host, every so many steps: it may look at the world and write a tensor that updates read."""

    every: int
    call: Callable[[int], dict[str, Tensor]]
    """step -> metrics (n,); also called before the first step, at step 0."""


@dataclass(frozen=True)
class Phase:
    """`steps` updates for the replicas whose seeds are `seeds`; `begin` runs before the first step, or instead of it.

    Where a phase of no steps was the last before a kill, `begin` runs again: it may depend on earlier phases alone.
    """

    name: str
    steps: int
    seeds: Sequence[int]
    draws: Mapping[str, Draw]
    update: Update
    begin: Callable[[], None] = lambda: None
    hooks: Sequence[Hook] = ()
    limits: Sequence[float] = ()
    """The cost limits of the rows, where these are replicas: for messages only."""

    def __post_init__(self) -> None:
        if self.steps < 0:
            raise InputError(f"phase {self.name!r} of {self.steps} steps: accepted is a number of at least 0")


@dataclass(frozen=True)
class Problem:
    """All that a method may know: the task's description, the data, the replicas.

    The simulator is for hybrid methods: the episodes that they play are counted. An offline method plays none.
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
    replicas: tuple[Replica, ...] = field(init=False)
    simulator: CountedSimulator = field(init=False)

    def __post_init__(self) -> None:
        replicas = tuple(Replica(seed, limit) for seed in self.seeds for limit in self.cost_limits)
        object.__setattr__(self, "replicas", replicas)
        object.__setattr__(self, "simulator", CountedSimulator(self.task, self.replay, len(replicas)))

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


@runtime_checkable
class Method(Protocol):
    """A learner for all replicas of a problem. The trainer knows no more of it than this."""

    def phases(self) -> list[Phase]:
        """The phases in their order."""
        ...

    def tensors(self) -> dict[str, Tensor]:
        """Every tensor that a phase changes, by name: what a checkpoint holds and a resumed run fills in."""
        ...

    def act(self, observations: Float[Tensor, "replicas batch obs"]) -> Float[Tensor, "replicas batch act"]:
        """The actions of every replica's evaluated policy at *normalised* observations."""
        ...

    def report(self) -> dict[str, object]:
        """What the summary should say of the trained method beyond its scores."""
        ...


@runtime_checkable
class Choosing(Method, Protocol):
    """A method that, once trained, can act in several ways."""

    def actors(self) -> dict[str, Callable[[Tensor], Tensor]]:
        """The ways by name, the configured one first; each maps observations to actions as `act` does.

        Every call gives fresh ones, whose randomness starts anew: an evaluation with a fresh one can be repeated.
        """
        ...
