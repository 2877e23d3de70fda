"""Finite constrained MDPs, exact to machine precision: the laboratory in which the papers' claims are checked.

`from theory import FiniteCMDP, solve`: `solve(cmdp)` returns the constrained optimum as a `Solution` with `.feasible`,
`.value`, `.cost`, `.policy`, `.multiplier` and `.certificate` (`theory.optimum`, which is imported when it is used).
"""

# pyright: reportUnsupportedDunderAll=false
# (Names that `__getattr__` finds.)

import importlib
from typing import Any

from theory.cmdp.dense import FiniteCMDP
from theory.support.errors import InputError

_OPTIMUM = ("Certificate", "Solution", "solve")

__all__ = ["Certificate", "FiniteCMDP", "InputError", "Solution", "solve"]


def __getattr__(name: str) -> Any:
    if name in _OPTIMUM:
        return getattr(importlib.import_module("theory.optimum"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
