"""Families of finite CMDPs by name: random ones, structured ones and awkward ones; equal seeds give equal bits.

`make` draws one CMDP per seed and sets each budget at a chosen tightness between the smallest attainable cost (0) and
the cost of the reward's own optimum (1): l = c_min + tightness (c_max - c_min). Above 1 the budget is inactive, below
0 infeasible.
"""

import zlib
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
import torch

from theory.cmdp.dense import FiniteCMDP
from theory.cmdp.shapes import PerCMDP
from theory.cmdp.sparse import AnyCMDP, SparseCMDP
from theory.optimum.lagrangian import best_response, corner
from theory.support.errors import InputError, check_seeds


class Parts(NamedTuple):
    """P (S, A, S), r and c (S, A), rho (S,) of one CMDP; r and c within [0, 1]."""

    P: np.ndarray
    r: np.ndarray
    c: np.ndarray
    rho: np.ndarray


def dirichlet(rng: np.random.Generator, states: int, actions: int, concentration: float = 1.0) -> Parts:
    """Every row of P from a symmetric Dirichlet; r, c uniform on [0, 1]; rho uniform over states."""
    P = _normalised(rng.standard_gamma(concentration, (states, actions, states)) + 1e-300)
    return Parts(P, rng.random((states, actions)), rng.random((states, actions)), _uniform(states))


def garnet(rng: np.random.Generator, states: int, actions: int, branching: int = 2) -> Parts:
    """Garnet: each (s, a) reaches `branching` distinct states, with gaps of sorted uniforms as probabilities."""
    branching = min(branching, states)
    successors = rng.random((states, actions, states)).argpartition(branching - 1, axis=-1)[..., :branching]
    P = np.zeros((states, actions, states))
    np.put_along_axis(P, successors, _gaps(rng, (states, actions), branching), axis=-1)
    return Parts(_normalised(P), rng.random((states, actions)), rng.random((states, actions)), _uniform(states))


def gridworld(rng: np.random.Generator, states: int, actions: int) -> Parts:
    """A square grid with slips and hazards: start at one corner, reward at the opposite one, cost on hazards.

    `states` must be a square number and `actions` 4 (up, right, down, left); a move goes astray with probability 0.1
    and stays put at a wall; the goal returns to the start. A third of the other nodes are hazards.
    """
    side = round(states**0.5)
    if side * side != states or actions != 4:
        raise InputError(f"gridworld needs a square number of states and 4 actions, not {states} and {actions}.")
    nodes = np.arange(states)
    row, column = nodes // side, nodes % side
    moves = [(-1, 0), (0, 1), (1, 0), (0, -1)]
    target = np.stack([np.clip(row + i, 0, side - 1) * side + np.clip(column + j, 0, side - 1) for i, j in moves], 1)
    straight = np.eye(states)[target]
    P = 0.9 * straight + 0.1 * straight.mean(1, keepdims=True)
    P[-1] = np.eye(states)[0]
    hazards = rng.permutation(np.arange(1, states - 1))[: max(1, (states - 2) // 3)]
    r, c = np.zeros((states, actions)), np.zeros((states, actions))
    r[-1], c[hazards] = 1, 1
    return Parts(_normalised(P), r, c, np.eye(states)[0])


def chain(rng: np.random.Generator, states: int, actions: int) -> Parts:
    """A river to swim up: action 0 drifts back for a small reward, every other one advances at a cost.

    The last state pays 1 for advancing; advancing succeeds with probability 0.6 to 0.9 and costs 0.2 to 1.
    """
    nodes = np.arange(states)
    P, r, c = np.zeros((states, actions, states)), np.zeros((states, actions)), np.zeros((states, actions))
    P[nodes, 0, np.maximum(nodes - 1, 0)] = 1
    r[0, 0] = 0.1
    success = rng.uniform(0.6, 0.9, (states, actions - 1))
    for a in range(1, actions):
        P[nodes, a, np.minimum(nodes + 1, states - 1)] += success[:, a - 1]
        P[nodes, a, nodes] += 1 - success[:, a - 1]
    r[-1, 1:] = 1
    c[:, 1:] = rng.uniform(0.2, 1, (states, actions - 1))
    return Parts(_normalised(P), r, c, np.eye(states)[0])


def deterministic(rng: np.random.Generator, states: int, actions: int) -> Parts:
    """Every (s, a) leads to one state with certainty; ties are common because r and c are multiples of 1/4."""
    P = np.eye(states)[rng.integers(states, size=(states, actions))]
    r, c = (rng.integers(5, size=(states, actions)) / 4 for _ in range(2))
    return Parts(P, r, c, np.eye(states)[0])


def unreachable(rng: np.random.Generator, states: int, actions: int) -> Parts:
    """Dirichlet transitions from state 0 that never enter the last state, which can only be left."""
    parts = dirichlet(rng, states, actions)
    if states > 1:
        parts.P[..., -1] = 0
    return parts._replace(P=_normalised(parts.P), rho=np.eye(states)[0])


def bandit(rng: np.random.Generator, states: int, actions: int) -> Parts:
    """Parallel bandits: every state is its own absorbing world, visited with equal probability."""
    P = np.repeat(np.eye(states)[:, None], actions, axis=1)
    return Parts(P, rng.random((states, actions)), rng.random((states, actions)), _uniform(states))


def zero_payoff(rng: np.random.Generator, states: int, actions: int, which: str) -> Parts:
    """A Dirichlet CMDP whose reward or cost is zero everywhere."""
    parts = dirichlet(rng, states, actions)
    zero = np.zeros_like(parts.r)
    return parts._replace(r=zero) if which == "reward" else parts._replace(c=zero)


FAMILIES: dict[str, Callable[[np.random.Generator, int, int], Parts]] = {
    "dirichlet": dirichlet,
    "peaked": partial(dirichlet, concentration=0.05),
    "garnet": garnet,
    "gridworld": gridworld,
    "chain": chain,
    "deterministic": deterministic,
    "unreachable": unreachable,
    "bandit": bandit,
    "zero_reward": partial(zero_payoff, which="reward"),
    "zero_cost": partial(zero_payoff, which="cost"),
}


def make(family: str, states: int, actions: int, gamma: float, tightness: float, seeds: Sequence[int]) -> FiniteCMDP:
    """One CMDP of `family` per seed, as a batch; a seed's CMDP does not depend on the other seeds.

    Raises InputError for an unknown family, sizes that it does not allow, gamma outside [0, 1), or a negative seed.
    """
    if family not in FAMILIES:
        raise InputError(f"family must be one of {', '.join(FAMILIES)}, not {family!r}.")
    if states < 1 or actions < 1 or not len(seeds):
        raise InputError(f"states, actions and the number of seeds must be positive, not {states}, {actions}, {seeds}.")
    check_seeds(seeds)
    key = zlib.crc32(family.encode())
    parts = [FAMILIES[family](np.random.default_rng([key, states, actions, seed]), states, actions) for seed in seeds]
    P, r, c, rho = (np.stack(x) for x in zip(*parts, strict=True))
    cmdp = FiniteCMDP(P, r, c, rho, gamma, 0.0)
    return cmdp.with_budget(budget_at(cmdp, tightness))


def sparse_garnet(
    states: int, actions: int = 5, branching: int = 5, gamma: float = 0.95, tightness: float = 0.5, seed: int = 0
) -> SparseCMDP:
    """A large Garnet CMDP; successors that coincide are merged, so that a few rows reach fewer states."""
    rng = np.random.default_rng([states, actions, branching, seed])
    rows = states * actions
    successors = rng.integers(states, size=(rows, branching))
    weights = _gaps(rng, (rows,), branching)
    starts = np.arange(0, rows * branching + 1, branching)
    P = sp.csr_array((weights.reshape(-1), successors.reshape(-1), starts), shape=(rows, states))
    P.sum_duplicates()
    r, c = (torch.from_numpy(rng.random((1, states, actions))) for _ in range(2))
    one = torch.tensor([gamma], dtype=torch.float64)
    rho = torch.full((1, states), 1 / states, dtype=torch.float64)
    cmdp = SparseCMDP(P, r, c, rho, one, torch.zeros_like(one))
    return cmdp.with_budget(budget_at(cmdp, tightness))


def budget_at(cmdp: AnyCMDP, tightness: float) -> PerCMDP:
    """l = c_min + tightness (c_max - c_min), from the cheapest policy and the reward's own optimum."""
    cheapest = corner(cmdp, best_response(cmdp, -cmdp.c)[0]).cost
    richest = corner(cmdp, best_response(cmdp, cmdp.r)[0]).cost
    return cheapest + tightness * (richest - cheapest)


def _gaps(rng: np.random.Generator, shape: tuple[int, ...], count: int) -> np.ndarray:
    cuts = np.sort(rng.random((*shape, count - 1)), axis=-1)
    return np.diff(np.concatenate([np.zeros((*shape, 1)), cuts, np.ones((*shape, 1))], axis=-1), axis=-1)


def _normalised(P: np.ndarray) -> np.ndarray:
    return P / P.sum(-1, keepdims=True)


def _uniform(states: int) -> np.ndarray:
    return np.full(states, 1 / states)
