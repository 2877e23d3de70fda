"""Finite constrained MDPs, exact to machine precision: the laboratory in which the papers' claims are checked."""

from typing import TYPE_CHECKING, Any

from theory.support.errors import InputError

if TYPE_CHECKING:
    from theory.cmdp.dense import FiniteCMDP

__all__ = ["FiniteCMDP", "InputError"]


def __getattr__(name: str) -> Any:
    """`FiniteCMDP` is imported when it is used: a command that only checks its options does not wait for torch."""
    if name == "FiniteCMDP":
        from theory.cmdp.dense import FiniteCMDP

        return FiniteCMDP
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
