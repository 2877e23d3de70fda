"""Finite constrained MDPs, exact to machine precision: the laboratory in which the papers' claims are checked."""

from theory.cmdp import FiniteCMDP
from theory.errors import InputError

__all__ = ["FiniteCMDP", "InputError"]
