"""Finite constrained MDPs, exact to machine precision: the laboratory in which the papers' claims are checked."""

from theory.cmdp.dense import FiniteCMDP
from theory.support.errors import InputError

__all__ = ["FiniteCMDP", "InputError"]
