"""Awkward CMDPs of three kinds, whose exact optima are found in rational numbers.

plain: forbidden costs, odd units, gamma near 1;   tempting: the forbidden actions earn 1e6 to 1e12 times as much;
scattered: payoffs of 1e-4 to 1e13 side by side, and budgets at the smallest cost or just above it.
"""

from collections.abc import Callable

import numpy as np

from tests.theory.exact_optimum import deterministic_values, rational
from theory import FiniteCMDP

GAMMAS = (0.0, 0.5, 0.9, 0.99, 0.999, 1 - 1e-6)
FORBIDDEN = (None, 1e3, 1e6, 1e9, 1e10, 1e12)
TEMPTING = ((1e9, 1e6), (1e12, 1e9), (1e15, 1e12), (1e12, 1e12), (1e15, 1e9))
"""Costs and rewards of forbidden actions that tempt, in units of the others."""
UNITS = (1e-6, 1.0, 1e6)
TIGHTNESS = (-0.3, 0.01, 0.3, 0.7, 1.3)


def awkward(seed: int, tempting: bool = False) -> FiniteCMDP:
    """A CMDP whose entries are exact in float64: P in eighths, payoffs in quarters times a unit, some costs of M.

    With `tempting` the actions that cost M earn 1e6 to 1e12 times as much as others (`TEMPTING`).
    """
    rng = np.random.default_rng([22, 14, seed])
    states, actions = int(rng.integers(1, 5)), int(rng.integers(2, 4))
    cuts = np.sort(rng.integers(0, 9, (states, actions, max(states - 1, 0))), axis=-1)
    edges = np.concatenate([np.zeros((states, actions, 1)), cuts, np.full((states, actions, 1), 8)], axis=-1)
    P = np.diff(edges, axis=-1) / 8
    if rng.random() < 0.4:
        P = np.eye(states)[rng.integers(states, size=(states, actions))]
    r = rng.integers(-2 if rng.random() < 0.3 else 0, 5, (states, actions)) / 4
    reward_unit = rng.choice(UNITS)
    r *= reward_unit
    unit = rng.choice(UNITS)
    c = rng.integers(0, 5, (states, actions)) / 4 * unit
    M = FORBIDDEN[rng.integers(len(FORBIDDEN))]
    M, gain = TEMPTING[seed % len(TEMPTING)] if tempting else (M, 0.0)
    if M is not None:
        forbidden = rng.random((states, actions)) < 0.3
        c[forbidden] = M * unit
        if tempting:
            r[forbidden] = gain * reward_unit
    rho = np.eye(states)[0] if rng.random() < 0.5 else np.full(states, 1 / states)
    gamma = GAMMAS[rng.integers(len(GAMMAS))]
    cmdp = FiniteCMDP(P, r, c, rho, gamma, 0.0)
    points = deterministic_values(cmdp)
    smallest, richest = min(cost for _, cost in points), max(points)[1]
    modest = min(richest, smallest + rational(4 * unit / (1 - gamma)))
    budget = smallest + rational(rng.choice(TIGHTNESS)) * (modest - smallest)
    return cmdp.with_budget(float(budget.p) / float(budget.q))


def tempting(seed: int) -> FiniteCMDP:
    return awkward(seed, tempting=True)


def scattered(seed: int) -> FiniteCMDP:
    """A CMDP of 1 to 3 states whose payoffs lie between 1e-4 and 1e13, some 0. Its budget is feasible."""
    rng = np.random.default_rng([22, 15, seed])
    states, actions = int(rng.integers(1, 4)), int(rng.integers(2, 4))
    cuts = np.sort(rng.integers(0, 9, (states, actions, states - 1)), axis=-1)
    edges = np.concatenate([np.zeros((states, actions, 1)), cuts, np.full((states, actions, 1), 8)], axis=-1)

    def payoff() -> np.ndarray:
        powers = rng.integers(-3, 13, (states, actions)) * (rng.random((states, actions)) < 0.4)
        return np.round(rng.uniform(0.1, 10, (states, actions)), 2) * 10.0**powers * (rng.random(powers.shape) > 0.25)

    r = payoff() * np.where(rng.random((states, actions)) < 0.3, -1, 1)
    gamma = GAMMAS[rng.integers(len(GAMMAS) - 1)]
    cmdp = FiniteCMDP(np.diff(edges, axis=-1) / 8, r, payoff(), np.full(states, 1 / states), gamma, 0.0)
    costs = sorted({cost for _, cost in deterministic_values(cmdp)})
    above = costs[int(rng.integers(len(costs)))] - costs[0]
    budget = costs[0] + above * rational(rng.choice([0.0, rng.uniform(0, 1.2), 10.0 ** -rng.uniform(0, 9)]))
    return cmdp.with_budget(float(budget.p) / float(budget.q))


KINDS: dict[str, Callable[[int], FiniteCMDP]] = {"plain": awkward, "tempting": tempting, "scattered": scattered}
