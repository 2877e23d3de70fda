"""What a method is made of: phases, each a number of steps of one update over its own axis of replicas."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from deep.core.randomness import RandomInput
from theory.support.errors import InputError

Update = Callable[[Tensor, Mapping[str, Tensor]], dict[str, Tensor]]
"""(step as a 0-dim float tensor, this step's draws (n, *shape)) -> metrics, each (n,). Has no host-side branch."""

BLOCK = 50
"""Steps whose draws are made together; metrics are averaged over a block and checkpoints fall between blocks."""


def block_start(step: int) -> int:
    """The first step of the block whose line in metrics.jsonl bears this step, the one after its last."""
    return (step - 1) // BLOCK * BLOCK


@dataclass(frozen=True)
class Hook:
    """Something on the host, every so many steps: it may evaluate the policy and write a tensor that updates read."""

    every: int
    call: Callable[[int], dict[str, Tensor]]
    """step -> metrics (n,); also called before the first step, at step 0."""


@dataclass(frozen=True)
class Phase:
    """`steps` updates for the replicas whose seeds are `seeds`; `on_start` runs before the first step, or instead of
    it.

    Where a phase of no steps was the last before a kill, `on_start` runs again: it may depend on earlier phases alone.
    """

    name: str
    steps: int
    seeds: Sequence[int]
    draws: Mapping[str, RandomInput]
    update: Update
    on_start: Callable[[], None] = lambda: None
    hooks: Sequence[Hook] = ()
    limits: Sequence[float] = ()
    """The cost limits of the rows, where these are replicas: for messages only."""
    on_end: Callable[[], None] = lambda: None
    """Runs once after the last step, before the checkpoint that says that the phase is finished; not after no steps."""
    needs_dynamics: bool = False
    """Whether the phase queries the learned dynamics, which must be trained before it starts."""

    def __post_init__(self) -> None:
        if self.steps < 0:
            raise InputError(f"phase {self.name!r} of {self.steps} steps: accepted is a number of at least 0")
