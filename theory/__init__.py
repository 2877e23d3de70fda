"""Finite constrained MDPs, exact to machine precision: the laboratory in which the papers' claims are checked.

`from theory import FiniteCMDP, solve`: `solve(cmdp)` returns the constrained optimum as a `Solution` with `.feasible`,
`.value`, `.cost`, `.policy`, `.multiplier` and `.certificate`. All but `InputError` is imported when it is used: a
command that only checks its options does not wait for torch.
"""

# pyright: reportUnsupportedDunderAll=false
# (Names that `__getattr__` finds.)

import importlib
from typing import Any

from theory.support.errors import InputError

_WHERE = {"FiniteCMDP": "theory.cmdp.dense"} | dict.fromkeys(("Certificate", "Solution", "solve"), "theory.optimum")

__all__ = ["Certificate", "FiniteCMDP", "InputError", "Solution", "solve"]


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        return getattr(importlib.import_module(_WHERE[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
