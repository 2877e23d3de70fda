"""Generated CMDPs, with the awkward cases on purpose, and a policy for each."""

from typing import NamedTuple

import numpy as np
import torch
from hypothesis import settings
from hypothesis import strategies as st
from torch import Tensor

from theory import FiniteCMDP
from theory.cmdp.families import make

SETTINGS = settings(derandomize=True, deadline=None, max_examples=40, database=None)
FEW = settings(SETTINGS, max_examples=15)

FREE_SIZES = ["dirichlet", "peaked", "garnet", "chain", "deterministic", "unreachable", "bandit"]
DEGENERATE = ["zero_reward", "zero_cost"]


class Recipe(NamedTuple):
    """The arguments of `families.make`; a test makes its CMDPs itself, outside of the strategy."""

    family: str
    states: int
    actions: int
    gamma: float
    tightness: float
    seed: int
    batch: int

    def make(self) -> FiniteCMDP:
        seeds = range(self.seed, self.seed + self.batch)
        return make(self.family, self.states, self.actions, self.gamma, self.tightness, seeds)


def recipes(
    tightness: tuple[float, ...] = (0.0, 0.2, 0.5, 0.9, 1.0, 1.3),
    gammas: tuple[float, ...] = (0.0, 0.3, 0.5, 0.9, 0.99, 0.999),
    batch: int = 2,
) -> st.SearchStrategy[Recipe]:
    return st.builds(
        Recipe,
        family=st.sampled_from([*FREE_SIZES, *DEGENERATE]),
        states=st.integers(1, 6),
        actions=st.integers(2, 4),
        gamma=st.sampled_from(gammas),
        tightness=st.sampled_from(tightness),
        seed=st.integers(0, 10_000),
        batch=st.just(batch),
    )


def policy_for(cmdp: FiniteCMDP, seed: int, spread: float = 2.0) -> Tensor:
    """A softmax policy with normal logits; a large spread makes it almost deterministic."""
    logits = np.random.default_rng(seed).normal(size=tuple(cmdp.r.shape)) * spread
    return torch.softmax(torch.from_numpy(logits), -1)
