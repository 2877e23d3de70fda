"""What the trainer and the evaluation know of a method."""

from collections.abc import Callable
from typing import Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor

from deep.core.phase import Phase


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
