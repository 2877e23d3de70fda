"""The seeded instances that claims are checked on: every family of `theory.cmdp.families`, with two policies each."""

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
import torch

from theory.cmdp.dense import FiniteCMDP, concatenate
from theory.cmdp.families import make
from theory.cmdp.shapes import PerStateAction
from verification.claims.claim import Sides, joined

SEED = 0
FAMILIES = ("dirichlet", "peaked", "garnet", "chain", "deterministic", "unreachable", "bandit")
SIZES = ((1, 2), (2, 2), (3, 3), (5, 3))
GAMMAS = (0.3, 0.5, 0.9, 0.99)
PER_CELL = 3


class Case(NamedTuple):
    """A batch of CMDPs, a policy and another one (the behaviour or the comparator), and a seed for more draws."""

    cmdp: FiniteCMDP
    policy: PerStateAction
    other: PerStateAction
    seed: int

    def normal(self, *shape: int) -> torch.Tensor:
        """More standard normal draws, (batch, *shape)."""
        return torch.from_numpy(np.random.default_rng([SEED, 7, self.seed]).normal(size=(self.cmdp.batch, *shape)))


def softmax_policy(cmdp: FiniteCMDP, seed: int, spread: float) -> PerStateAction:
    """Normal logits; a large spread makes the policy almost deterministic."""
    logits = np.random.default_rng([SEED, seed]).normal(size=tuple(cmdp.r.shape)) * spread
    return torch.softmax(torch.from_numpy(logits), -1)


@cache
def cases(
    gammas: Sequence[float] = GAMMAS, sizes: Sequence[tuple[int, int]] = SIZES, tightness: float = 0.5
) -> tuple[Case, ...]:
    """All families at all sizes and discounts; policies from almost uniform to almost deterministic, near and far."""
    found = []
    for family in FAMILIES:
        for states, actions in sizes:
            for gamma in gammas:
                i = len(found)
                cmdp = make(family, states, actions, gamma, tightness, range(PER_CELL))
                policy = softmax_policy(cmdp, 2 * i, (0.5, 2.0, 5.0)[i % 3])
                far = softmax_policy(cmdp, 2 * i + 1, 2.0)
                near = torch.softmax(policy.log() + 0.2 * far, -1)
                found.append(Case(cmdp, policy, far if i % 2 else near, i))
    return tuple(found)


def batches(where: Sequence[Case], copies: int = 1) -> list[Case]:
    """The instances of one shape as one, repeated `copies` times in a row, with the seed of the first of them."""
    groups: dict[torch.Size, list[Case]] = {}
    for case in where:
        groups.setdefault(case.policy.shape[1:], []).append(case)
    return [
        Case(
            concatenate([case.cmdp for case in group] * copies),
            torch.cat([case.policy for case in group] * copies),
            torch.cat([case.other for case in group] * copies),
            group[0].seed,
        )
        for group in groups.values()
    ]


def over(measure: Callable[[Case], Sides], where: Sequence[Case] | None = None) -> Sides:
    """The sides at all instances."""
    return joined([measure(case) for case in (cases() if where is None else where)])


def generator(*key: int) -> np.random.Generator:
    """Draws that depend on the key alone."""
    return np.random.default_rng([SEED, *key])


def gaussians(count: int, dimension: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Random means and covariance roots (lower triangular, diagonal between .3 and 1.5)."""
    rng = generator(1, dimension)
    for _ in range(count):
        root = np.tril(rng.normal(size=(dimension, dimension)) * 0.5, -1) + np.diag(rng.uniform(0.3, 1.5, dimension))
        yield rng.normal(size=dimension), root
