"""The constrained optimum of a small CMDP in rational numbers: an oracle that shares nothing with `theory.optimum`.

Every attainable pair (V_c, V_r) is a mixture of deterministic policies, and the optimum mixes at most two of them
(Altman 1999, chapter 4). With S <= 4 and A <= 3 all of them are enumerated and evaluated exactly by python-flint.
"""

from fractions import Fraction
from itertools import product
from typing import NamedTuple

import numpy as np
import torch
from flint import fmpq, fmpq_mat

from theory import FiniteCMDP


class Exact(NamedTuple):
    """The optimum's value (None where infeasible) and the smallest attainable cost."""

    value: fmpq | None
    smallest_cost: fmpq


def rational(number: float) -> fmpq:
    fraction = Fraction(float(number))
    return fmpq(fraction.numerator, fraction.denominator)


def exact_values(cmdp: FiniteCMDP, policy: torch.Tensor) -> tuple[fmpq, fmpq]:
    """(V_r(rho), V_c(rho)) of a policy (state, action) of CMDP 0; its rows are divided by their exact sums."""
    S, A = cmdp.states, cmdp.actions
    gamma = rational(cmdp.gamma[0].item())
    pi = [[rational(p) for p in row] for row in policy.tolist()]
    pi = [[p / sum(row, fmpq(0)) for p in row] for row in pi]
    P, r, c = (getattr(cmdp, name)[0].tolist() for name in ("P", "r", "c"))
    matrix = fmpq_mat(S, S)
    payoffs = fmpq_mat(S, 2)
    for s in range(S):
        for a in range(A):
            if pi[s][a] != 0:
                payoffs[s, 0] += pi[s][a] * rational(r[s][a])
                payoffs[s, 1] += pi[s][a] * rational(c[s][a])
                for t in np.flatnonzero(P[s][a]):
                    matrix[s, int(t)] -= gamma * pi[s][a] * rational(P[s][a][t])
        matrix[s, s] += 1
    values = matrix.solve(payoffs)
    rho = [rational(p) for p in cmdp.rho[0].tolist()]
    reward, cost = (sum((p * values[s, k] for s, p in enumerate(rho)), fmpq(0)) for k in range(2))
    return reward, cost


def deterministic_values(cmdp: FiniteCMDP) -> list[tuple[fmpq, fmpq]]:
    """(V_r, V_c) of all A^S deterministic policies of CMDP 0."""
    choices = product(range(cmdp.actions), repeat=cmdp.states)
    one_hot = (torch.nn.functional.one_hot(torch.tensor(choice), cmdp.actions) for choice in choices)
    return [exact_values(cmdp, policy) for policy in one_hot]


def exact_optimum(points: list[tuple[fmpq, fmpq]], budget: fmpq) -> Exact:
    """The best mixture of two of the points (V_r, V_c) whose cost is at most the budget."""
    within = [point for point in points if point[1] <= budget]
    smallest = min(cost for _, cost in points)
    if not within:
        return Exact(None, smallest)
    best = max(reward for reward, _ in within)
    for reward, cost in points:
        if cost > budget and reward > best:
            for other, less in within:
                share = (budget - less) / (cost - less)
                best = max(best, share * reward + (1 - share) * other)
    return Exact(best, smallest)
