"""What dense and sparse CMDPs read from their payoffs, r and c (batch, state, action)."""

from typing import Any, TypeVar

import torch

from theory.cmdp.shapes import PerCMDP, PerState, PerStateAction

Kind = TypeVar("Kind", bound="Payoffs")


class Payoffs:
    """Sizes, the bound M, and copies with another budget."""

    P: Any
    r: PerStateAction
    c: PerStateAction
    rho: PerState
    gamma: PerCMDP
    budget: PerCMDP

    @property
    def batch(self) -> int:
        return self.r.shape[0]

    @property
    def states(self) -> int:
        return self.r.shape[1]

    @property
    def actions(self) -> int:
        return self.r.shape[2]

    @property
    def bound(self) -> PerCMDP:
        """M: the largest |r| or c of each CMDP."""
        return torch.maximum(self.r.abs().amax((1, 2)), self.c.amax((1, 2)))

    def with_budget(self: Kind, budget: Any) -> Kind:
        make: Any = type(self)
        return make(self.P, self.r, self.c, self.rho, self.gamma, budget)
