"""The navigation tasks of safety-gymnasium 0.4.0: a point or a car among hazards, on MuJoCo.

The physics, rewards, costs and observations are the old package's own code. What differs is the sky, which takes
180 MB and .2 s in every start of an episode, and is of one colour here; nobody but the camera can tell.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import gymnasium
import numpy as np
from gymnasium.wrappers import TimeLimit

from deep.envs import legacy, rendering
from deep.tasks import Task
from theory.support.errors import InputError

ATTEMPTS = 100
"""Layouts drawn for an episode at most, until one has no cost at its start."""


def make(task: Task, render_mode: str | None = None) -> gymnasium.Env:
    """The task's environment, which times out after `task.episode_length` steps; see `deep.tasks.make`."""
    rendering.check_ranges(render_mode)
    return TimeLimit(NavigationEnv(task, render_mode), task.episode_length)


class NavigationEnv(gymnasium.Env[np.ndarray, np.ndarray]):
    """One of the old package's environments, with gymnasium's present interface.

    Actions are clipped to [-1, 1] by the old package itself, and enter nothing else: reward and cost do not depend on
    how far outside they were. A step costs 1.0 or 0.0: whether any of the task's constraints was violated.

    A start draws the places of all objects. Should a layout have a cost at once, the old package stops with an
    assertion; here the next layout is drawn from the same generator. When no room is left for the next goal, the
    episode terminates: these tasks have no other termination.
    """

    def __init__(self, task: Task, render_mode: str | None = None):
        self.task, self.render_mode = task, render_mode
        agent = "Point" if task.name.startswith("Point") else "Car"
        size = {"width": rendering.SIZE, "height": rendering.SIZE}
        # The old package seeds itself from numpy's global generator.
        with legacy.numpy_generator(np.random.RandomState()), _expected_warnings():
            self.simulator = _builder().Builder(
                f"Safety{task.name}-v0", {"agent_name": agent}, render_mode, **size, camera_name="fixedfar"
            )
        self.observation_space = self.simulator.observation_space
        self.action_space = self.simulator.action_space

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None):
        """Start an episode; the same seed gives the same start."""
        for _ in range(ATTEMPTS):
            try:
                with _expected_warnings():
                    return self.simulator.reset(seed=seed)
            except AssertionError as error:
                if "starting cost" not in str(error):
                    raise
                seed = None  # goes on with the generator
        raise InputError(f"{self.task.name} found no layout without a cost in {ATTEMPTS} attempts")

    def step(self, action: np.ndarray):
        """One control step of ten physics steps: observation, reward, terminated, truncated, info with the cost."""
        observation, reward, cost, terminated, truncated, info = self.simulator.step(np.asarray(action))
        return observation, float(reward), bool(terminated), bool(truncated), {**info, "cost": float(cost)}

    def render(self) -> Any:
        """A frame from above, (480, 480, 3), uint8; raises `InputError` where this machine cannot render."""
        with rendering.rendering(self.task.name, self.render_mode):
            return self.simulator.render()

    def close(self) -> None:
        for viewer in self.simulator.task._viewers.values():
            viewer.close()
        self.simulator.task._viewers.clear()


@functools.cache
def _builder() -> Any:
    """The old package's module `builder`, with what it needs of today's gymnasium."""
    modules: tuple[Any, ...] = legacy.load("safety_gymnasium", "builder", "bases.underlying", "world")
    builder, underlying, world = modules
    viewer, assets = underlying.OffScreenViewer, world.yaml

    class PlainSky:
        """Stands in for the module yaml, with which `world` reads the list of textures."""

        FullLoader = assets.FullLoader

        @staticmethod
        @functools.cache
        def _read(name: str) -> dict[str, Any]:
            with open(name, encoding="utf-8") as file:
                content = assets.safe_load(file)
            sky = {"type": "skybox", "builtin": "flat", "rgb1": "0.2 0.25 0.35", "width": "6", "height": "6"}
            content["textures"]["skybox"] = {f"@{key}": value for key, value in sky.items()}
            return content

        @classmethod
        def load(cls, file: Any, Loader: Any) -> dict[str, Any]:
            return cls._read(file.name)

    world.yaml = PlainSky
    # Since gymnasium 1.0 a viewer is given its size; the old package has written it into the model.
    underlying.OffScreenViewer = lambda model, data: viewer(
        model, data, model.vis.global_.offwidth, model.vis.global_.offheight
    )
    return builder


@contextmanager
def _expected_warnings() -> Iterator[None]:
    """Numpy's warnings about how the old package builds its spaces and reads MuJoCo's sensors."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "overflow encountered in cast", RuntimeWarning, r"gymnasium\.spaces\.box")
        warnings.filterwarnings(
            "ignore", "Conversion of an array with ndim > 0", DeprecationWarning, r"safety_gymnasium\."
        )
        yield
