"""Common parts of the closed-form estimators: a sample of transitions, and features of states and actions."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float64, Int
from torch import Tensor

from deep.core.method import Act, Policy, at_states
from deep.core.problem import Problem
from deep.core.randomness import generator

Features = Callable[[Tensor, Tensor], Tensor]
"""(normalised observations (..., o), actions (..., a)) -> features (..., D)."""


def fourier_features(inputs: int, count: int, scale: float = 1.0) -> Features:
    """1 and `count` - 1 random Fourier features cos(w . x + b) of x = (s, a).

    They span, for large counts, the functions of a Gaussian kernel of length `scale` sqrt(inputs): with normalised
    inputs, the distance beyond which two transitions are nearly independent.
    """
    rng = generator(0, "features")
    w = torch.from_numpy(rng.normal(size=(inputs, count - 1)) / (scale * inputs**0.5))
    b = torch.from_numpy(rng.uniform(0, 2 * np.pi, count - 1))

    def features(observations: Tensor, actions: Tensor) -> Tensor:
        x = torch.cat([observations, actions], -1).double()
        waves = torch.cos(x @ w.to(x.device) + b.to(x.device)) * 2**0.5
        return torch.cat([torch.ones_like(waves[..., :1]), waves], -1)

    return features


class Featured(NamedTuple):
    """The features of a sample of n transitions under one problem's policies."""

    data: Float64[Tensor, "n D"]
    """phi(s, a) at the data's own actions."""
    here: Float64[Tensor, "replicas n D"]
    """phi(s, pi(s))."""
    onward: Float64[Tensor, "replicas n D"]
    """phi(s', pi(s')), 0 after a terminal."""
    start: Float64[Tensor, "replicas D"]
    """The mean of phi(s_0, pi(s_0)) over the start states of the data's episodes."""


@dataclass(frozen=True)
class Sample:
    """Transitions at equal distances through the data, enough of them for closed forms."""

    problem: Problem
    count: int

    @cached_property
    def rows(self) -> Int[Tensor, " n"]:
        n = len(self.problem.replay)
        return torch.linspace(0, n - 1, min(self.count, n), device=self.problem.device).long()

    @cached_property
    def trajectory(self) -> Int[np.ndarray, " n"]:
        """The number of each row's trajectory."""
        return np.searchsorted(self.problem.data.ends, self.rows.cpu().numpy())

    @cached_property
    def payoffs(self) -> Float64[Tensor, "n 3"]:
        """Cost, reward and 1 of each transition, in the data's units: their sums are cost, return and length."""
        replay, rows = self.problem.replay, self.rows
        reward = replay.rewards[rows] / self.problem.reward_scale
        return torch.stack([replay.costs[rows], reward, torch.ones_like(reward)], -1).double()

    @torch.no_grad()
    def features(self, act: Policy | Act, features: Features) -> Featured:
        """The features of the sample under every replica's policy."""
        problem, rows, act = self.problem, self.rows, at_states(act)
        replay, replicas = problem.replay, len(problem.replicas)

        def policy_features(observations: Tensor) -> Tensor:
            observations = observations.expand(replicas, -1, -1)
            return features(observations, act(observations).clamp(-1, 1))

        onward = policy_features(replay.next_observations[rows]) * replay.not_terminal[rows].double().unsqueeze(-1)
        start = policy_features(replay.observations[replay.starts]).mean(1)
        here = replay.observations[rows]
        return Featured(features(here, replay.actions[rows]), policy_features(here), onward, start)
