"""The simulator of a custom data set: any registered gymnasium environment that reports the cost of each step."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import gymnasium
import numpy as np
from gymnasium.spaces import Box
from gymnasium.wrappers import TimeLimit

from deep.envs import rendering
from deep.tasks import Task
from theory.support.errors import InputError


class Interface(NamedTuple):
    """What a registered environment states about itself."""

    episode_length: int | None
    action_low: tuple[float, ...]
    action_high: tuple[float, ...]


def make(task: Task, render_mode: str | None = None) -> gymnasium.Env:
    """The task's environment, which times out after `task.episode_length` steps; see `deep.tasks.make`."""
    if task.env is None:
        raise InputError(f"{task.name} has no simulator: --env names a gymnasium id whose steps report a cost")
    rendering.check_ranges(render_mode)
    return TimeLimit(CustomEnv(task, render_mode), task.episode_length)


def interface(name: str) -> Interface:
    """The time limit, if any, and the bounds of the actions of the environment with this gymnasium id."""
    env = _build(name, None)
    # The registration has the limit; the environment itself, if it has one, knows the version that was made.
    full_name = name.split(":")[-1] if env.unwrapped.spec is None else env.unwrapped.spec.id
    actions, limit = env.action_space, gymnasium.spec(full_name).max_episode_steps
    if limit is None and env.spec is not None:
        limit = env.spec.max_episode_steps
    env.close()
    if not (isinstance(actions, Box) and len(actions.shape) == 1):
        raise InputError(f"--env {name} has actions {actions}: a Box of one dimension is accepted")
    return Interface(limit, tuple(actions.low.tolist()), tuple(actions.high.tolist()))


def check(task: Task) -> None:
    """Make the task's environment and one step in it; raises `InputError` where it does not fit the data."""
    env = make(task)
    try:
        env.reset(seed=0)
        env.step(np.zeros(task.action_size))
    finally:
        env.close()


class CustomEnv(gymnasium.Env[np.ndarray, np.ndarray]):
    """A registered environment whose actions go from -1 to 1, which stand for the task's `action_low` and `_high`.

    A step's cost is `info["cost"]`, or the third of the six values that safety-gymnasium's environments return.
    """

    def __init__(self, task: Task, render_mode: str | None = None):
        assert task.env is not None
        self.task, self.name, self.render_mode = task, task.env, render_mode
        self.simulator = _build(self.name, render_mode)
        self.observation_space, self.action_space = self.simulator.observation_space, self.simulator.action_space
        sizes = {"observations": task.observation_size, "actions": task.action_size}
        for (kind, size), space in zip(sizes.items(), (self.observation_space, self.action_space), strict=True):
            if not isinstance(space, Box) or space.shape != (size,):
                self.simulator.close()
                raise InputError(f"--env {self.name} has {kind} {space}: a Box of {size}, as in the data, is accepted")

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None):
        """Start an episode; the same seed gives the same start, as far as the environment honours seeds."""
        with self._trial("start an episode"):
            observation, info = self.simulator.reset(seed=seed, options=options)
            return self._finite(observation), info

    def step(self, action: np.ndarray):
        """One step: observation, reward, terminated, truncated, info with the step's cost."""
        with self._trial("make a step"):
            return self._step(self.task.in_own_units(action).astype(self.action_space.dtype))

    def _step(self, action: np.ndarray):
        values: Any = self.simulator.step(action)
        if len(values) == 6:
            observation, reward, cost, terminated, truncated, info = values
        else:
            observation, reward, terminated, truncated, info = values
            cost = info.get("cost")
        number = _number(cost)
        if number is None or not 0 <= number < np.inf:
            found = "no cost" if cost is None else f"the cost {_line(cost)}"
            raise InputError(
                f'--env {self.name} has {found} in a step\'s info: info["cost"], one number of at least 0, is accepted'
            )
        reward_number = _number(reward)
        if reward_number is None or not np.isfinite(reward_number):
            raise InputError(f"--env {self.name} has the reward {_line(reward)}: one finite number is accepted")
        info = {**info, "cost": number}
        return self._finite(observation), reward_number, bool(terminated), bool(truncated), info

    def _finite(self, observation: Any) -> np.ndarray:
        if not np.isfinite(observation).all():
            raise InputError(f"--env {self.name} has observations that are not finite: finite numbers are accepted")
        return observation

    @contextmanager
    def _trial(self, what: str) -> Iterator[None]:
        try:
            yield
        except InputError:
            raise
        except Exception as error:  # the code of an environment may raise anything
            raise InputError(
                f"--env {self.name} cannot {what}: {type(error).__name__}: {_line(error)}; accepted is an environment "
                "with gymnasium's interface"
            ) from error

    def render(self) -> Any:
        """A frame as the environment draws it; raises `InputError` where it cannot."""
        with rendering.rendering(self.name, self.render_mode):
            return self.simulator.render()

    def close(self) -> None:
        self.simulator.close()


def _build(name: str, render_mode: str | None) -> gymnasium.Env:
    mode = {} if render_mode is None else {"render_mode": render_mode}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # gymnasium warns where it adds the version that an id lacks
            # Neither gymnasium's checker nor its time limit accepts the six values of safety-gymnasium.
            return gymnasium.make(name, disable_env_checker=True, max_episode_steps=-1, **mode)
    except Exception as error:  # the code of an environment may raise anything
        raise InputError(
            f"--env {name} cannot be made ({type(error).__name__}: {_line(error)}): accepted is a registered gymnasium "
            "id, as MODULE:ID where importing MODULE registers it"
        ) from error


def _number(value: Any) -> float | None:
    """A number, or an array of one; None for anything else."""
    array = np.asarray(value)
    return float(array.item()) if array.size == 1 and array.dtype.kind in "biuf" else None


def _line(value: object) -> str:
    return " ".join(str(value).split())
