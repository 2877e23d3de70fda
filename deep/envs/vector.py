"""Several environments of a task that step together: what all ways to do so share, and the plainest of them."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NamedTuple, TypeVar

import numpy as np
from jaxtyping import Bool, Float, Int

from deep.tasks import Task, make
from theory.support.errors import InputError


class Step(NamedTuple):
    """What one step of n environments returned: one row or entry for each."""

    observations: Float[np.ndarray, "n observation"]
    rewards: Float[np.ndarray, " n"]
    costs: Float[np.ndarray, " n"]
    terminated: Bool[np.ndarray, " n"]
    truncated: Bool[np.ndarray, " n"]


AnyVectorEnv = TypeVar("AnyVectorEnv", bound="VectorEnv")


class VectorEnv(ABC):
    """`count` environments of a task, numbered from 0, that step together; each behaves as `deep.tasks.make(task)`.

    There are two differences: actions are clipped to [-1, 1], and nothing resets by itself. After `terminated` or
    `truncated` the caller resets that environment or stops stepping it.

    Attributes:
        elapsed: the steps of every environment since its last reset, -1 before its first.
    """

    def __init__(self, task: Task, count: int):
        if count < 1:
            raise InputError(f"{count} environments of {task.name}: at least 1 is accepted")
        self.task, self.count = task, count
        self.elapsed = np.full(count, -1)
        self._observations = np.zeros((count, task.observation_size))

    def reset(
        self, seeds: Sequence[int] | Int[np.ndarray, " n"], indices: Int[np.ndarray, " n"] | None = None
    ) -> Float[np.ndarray, "count observation"]:
        """Start episodes: environment `indices[i]` (all, if None) from the start state of `env.reset(seed=seeds[i])`.

        Returns the current observations of all environments, float64; 0 for those that were never reset.
        """
        indices = np.arange(self.count) if indices is None else np.asarray(indices)
        if len(seeds) != len(indices):
            raise InputError(f"{len(seeds)} seeds were given for {len(indices)} environments: one for each is accepted")
        if len(indices):
            self._observations[indices] = self._reset([int(seed) for seed in seeds], indices)
            self.elapsed[indices] = 0
        return self._observations.copy()

    def step(self, actions: np.ndarray, indices: Int[np.ndarray, " n"] | None = None) -> Step:
        """One control step of the environments `indices` (all, if None): actions and results have a row for each.

        The actions, (n, a), are clipped to [-1, 1]; observations, rewards and costs are float64. Raises `InputError`
        for actions of another shape, actions that are not finite numbers, and environments that were never reset.
        """
        indices = np.arange(self.count) if indices is None else np.asarray(indices)
        actions = self._accept(np.asarray(actions), indices)
        self.elapsed[indices] += 1
        step = self._step(actions, indices)
        self._observations[indices] = step.observations
        return step

    @abstractmethod
    def _reset(self, seeds: list[int], indices: Int[np.ndarray, " n"]) -> Float[np.ndarray, "n observation"]: ...

    @abstractmethod
    def _step(self, actions: np.ndarray, indices: Int[np.ndarray, " n"]) -> Step: ...

    @abstractmethod
    def close(self) -> None:
        """Let go of everything; the environments cannot be used any more."""

    def __enter__(self: AnyVectorEnv) -> AnyVectorEnv:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _accept(self, actions: np.ndarray, indices: np.ndarray) -> np.ndarray:
        expected = (len(indices), self.task.action_size)
        if actions.shape != expected:
            raise InputError(f"{self.task.name} was given actions of shape {actions.shape}: {expected} is accepted")
        if not np.isfinite(actions).all():
            raise InputError(f"{self.task.name} was given an action that is not a finite number")
        if (self.elapsed[indices] < 0).any():
            raise InputError(f"{self.task.name} was stepped before it was reset")
        return np.clip(actions, -1, 1)


class SerialVectorEnv(VectorEnv):
    """Single environments, stepped one after the other in this process."""

    def __init__(self, task: Task, count: int):
        super().__init__(task, count)
        self._envs = [make(task) for _ in range(count)]

    def _reset(self, seeds: list[int], indices: Int[np.ndarray, " n"]) -> Float[np.ndarray, "n observation"]:
        return np.array([self._envs[i].reset(seed=seed)[0] for i, seed in zip(indices, seeds, strict=True)])

    def _step(self, actions: np.ndarray, indices: Int[np.ndarray, " n"]) -> Step:
        rows = [self._envs[i].step(action) for i, action in zip(indices, actions, strict=True)]
        observations, rewards, terminated, truncated, infos = zip(*rows, strict=True)
        costs = [info["cost"] for info in infos]
        return Step(*(np.array(column) for column in (observations, rewards, costs, terminated, truncated)))

    def close(self) -> None:
        for env in self._envs:
            env.close()


def cores(asked: int, most: int) -> int:
    """How many threads or processes to use: those asked for, or one for each core if 0; `most` at most.

    Raises `InputError` for a negative number.
    """
    if asked < 0:
        raise InputError(f"{asked} threads: at least 0 is accepted")
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(most, asked or available))
