"""CMDPs of several kinds, and policies for them: inputs of recorded numbers."""

from functools import cache

import numpy as np
import torch
from torch import Tensor

from theory.cmdp.dense import FiniteCMDP
from theory.cmdp.families import make


def shifted(cmdp: FiniteCMDP, by: float) -> FiniteCMDP:
    """The same CMDP with this added to every reward."""
    return FiniteCMDP(cmdp.P, cmdp.r + by, cmdp.c, cmdp.rho, cmdp.gamma, cmdp.budget)


def mixed(cmdp: FiniteCMDP) -> FiniteCMDP:
    """Discounts, budgets and start distributions that differ over the batch."""
    number = torch.arange(cmdp.batch, dtype=torch.float64)
    rho = torch.softmax(torch.sin(torch.arange(cmdp.rho.numel(), dtype=torch.float64)).reshape(cmdp.rho.shape), -1)
    return FiniteCMDP(cmdp.P, cmdp.r, cmdp.c * (1 + number)[:, None, None], rho, 0.4 + 0.2 * number, 0.7 + 0.9 * number)


@cache
def cmdps() -> dict[str, FiniteCMDP]:
    """Batches of three or less, by what is special about them."""
    plain = make("dirichlet", 4, 3, 0.7, 0.4, [1, 2])
    return {
        "dirichlet": plain,
        "own discounts": mixed(make("dirichlet", 3, 3, 0.5, 0.4, [3, 4, 8])),
        "garnet": make("garnet", 5, 2, 0.35, 0.6, [3, 7]),
        "unreachable": make("unreachable", 4, 3, 0.9, 0.2, [4]),
        "gridworld": make("gridworld", 9, 4, 0.8, 0.5, [5]),
        "chain": make("chain", 5, 3, 0.95, 0.4, [6]),
        "ties": make("deterministic", 4, 3, 0.5, 0.5, [0, 1]),
        "losses": shifted(plain, -0.6),
        "all losses": shifted(plain, -1.1),
        "infeasible": plain.with_budget(torch.tensor([0.2, 3.0], dtype=torch.float64)),
        "inactive": make("dirichlet", 4, 3, 0.6, 1.4, [9]),
        "no cost at all": make("zero_cost", 3, 2, 0.6, 0.5, [2]),
        "budget 0": make("chain", 4, 2, 0.6, 0.5, [2]).with_budget(torch.zeros(1, dtype=torch.float64)),
    }


def policy(cmdp: FiniteCMDP, seed: int = 0, spread: float = 1.5) -> Tensor:
    """A softmax policy with normal logits."""
    logits = np.random.default_rng(seed).normal(size=tuple(cmdp.r.shape)) * spread
    return torch.softmax(torch.from_numpy(logits), -1)


def table(*shape: int, seed: int = 0) -> Tensor:
    """Normals of this shape."""
    return torch.from_numpy(np.random.default_rng([seed, *shape]).normal(size=shape))
