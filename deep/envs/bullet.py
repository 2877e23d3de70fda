"""The tasks of bullet-safety-gym 1.4.0: a ball, a car, an ant or a drone that runs or circles, on PyBullet.

The physics, rewards, costs and observations are the old package's own code; three things around it differ.

The start of an episode is drawn from the environment's own generator, which `reset(seed=...)` seeds; the old package
ignores that seed and draws from numpy's global generator. A start does not depend on the episode before it, but is the
start of a new environment: the old package leaves the motors of cars and drones on during the one physics step that
follows a reset, and sometimes remembers what the robot touched. And `render` returns an array of bytes.
"""

from __future__ import annotations

import ctypes
import functools
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any
from unittest import mock

import gymnasium
import numpy as np
from gymnasium.wrappers import TimeLimit

from deep.envs import legacy, rendering
from deep.tasks import Task

WORLDS = {"Run": {"name": "Plane200", "factor": 1}, "Circle": {"name": "Octagon"}}


def make(task: Task, render_mode: str | None = None) -> gymnasium.Env:
    """The task's environment, which times out after `task.episode_length` steps; see `deep.tasks.make`."""
    rendering.check_ranges(render_mode)
    return TimeLimit(BulletEnv(task, render_mode), task.episode_length)


class BulletEnv(gymnasium.Env[np.ndarray, np.ndarray]):
    """One of the old package's environments, with a seed and gymnasium's present interface.

    Actions are clipped to [-1, 1] by the old package itself; the ant's reward alone charges for the action as it was
    given. A step costs 1.0 or 0.0. Run: faster than the robot's limit (2.5 m/s for the ball, 1.5 m/s for the others)
    in the plane, or |y| > 2 m; Circle: |x| > 6 m. The ant terminates when it falls and the drone when it tips over.
    """

    def __init__(self, task: Task, render_mode: str | None = None):
        self.task, self.render_mode = task, render_mode
        robot = next(robot for robot in ("Ant", "Ball", "Car", "Drone") if task.name.startswith(robot))
        kind = task.name.removeprefix(robot)
        self._generator = np.random.RandomState()
        with_looks, without_looks = _builders()
        build = without_looks if render_mode is None else with_looks
        with legacy.numpy_generator(self._generator), _expected_warnings(), _silence():
            self.simulator = build("RaceCar" if robot == "Car" else robot, f"{kind}Task", {}, WORLDS[kind])
        camera = self.simulator.world.camera
        camera.render_width = camera.render_height = rendering.SIZE
        self.observation_space = self.simulator.observation_space
        self.action_space = self.simulator.action_space

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None):
        """Start an episode; the same seed gives the same start."""
        if seed is not None:
            self._generator = np.random.RandomState(seed)
        self._forget()
        with legacy.numpy_generator(self._generator):
            return self.simulator.reset()

    def step(self, action: np.ndarray):
        """One control step: observation, reward, terminated, truncated, info with the step's cost."""
        observation, reward, terminated, truncated, info = self.simulator.step(np.asarray(action))
        return observation, float(reward), bool(terminated), bool(truncated), {**info, "cost": float(info["cost"])}

    def render(self) -> Any:
        """A frame of shape (480, 480, 3), uint8, drawn by PyBullet itself: this needs no display.

        A red ball around the robot marks a step that costs, as in the old package.
        """
        agent = self.simulator.agent
        if not agent._violates_constraints:
            # The old package makes the ball transparent, which PyBullet's own renderer does not know.
            self.simulator.bc.resetBasePositionAndOrientation(agent.violation_body_id, [0, 0, -1000], [0, 0, 0, 1])
        with rendering.rendering(self.task.name, self.render_mode):
            return self.simulator.render("rgb_array").astype(np.uint8)

    def close(self) -> None:
        self.simulator.close()

    def _forget(self) -> None:
        """Undo what the old package's restoring of the first state leaves: commands to motors, and contacts."""
        if self.simulator.stored_state_id < 0:
            return
        client, body = self.simulator.bc, self.simulator.agent.body_id
        for joint in range(client.getNumJoints(body)):
            client.setJointMotorControl2(body, joint, client.VELOCITY_CONTROL, targetVelocity=0, force=0)
        client.resetBasePositionAndOrientation(body, [0, 0, 1000], [0, 0, 0, 1])
        client.stepSimulation()  # so far up nothing touches the robot


@functools.cache
def _builders() -> tuple[Any, Any]:
    """The old package's `EnvironmentBuilder`, and the same without what is only seen: ten times faster to make."""
    stream = os.fdopen(2, "w", closefd=False)  # has no name, which the old package would look up in the C library
    with _silence(), mock.patch.object(sys, "stderr", stream):
        module: Any = legacy.load("bullet_safety_gym", "envs.builder")[0]
    module.RedirectStream = lambda stream: nullcontext()  # see `_silence`

    class WithoutLooks(module.EnvironmentBuilder):
        def _setup_client_and_physics(self, graphics: bool = False) -> Any:
            client = super()._setup_client_and_physics(graphics)
            load, without = client.loadURDF, client.URDF_IGNORE_VISUAL_SHAPES
            client.loadURDF = lambda *values, flags=0, **options: load(*values, flags=flags | without, **options)
            return client

    return module.EnvironmentBuilder, WithoutLooks


@contextmanager
def _silence() -> Iterator[None]:
    """Send to nowhere what C code prints: PyBullet greets when it is imported and when it starts an engine."""
    flush = ctypes.CDLL(None).fflush if os.name == "posix" else ctypes.cdll.msvcrt.fflush
    flush(None)
    nowhere, outputs = os.open(os.devnull, os.O_WRONLY), {number: os.dup(number) for number in (1, 2)}
    for number in outputs:
        os.dup2(nowhere, number)
    try:
        yield
    finally:
        flush(None)
        for number, output in outputs.items():
            os.dup2(output, number)
            os.close(output)
        os.close(nowhere)


@contextmanager
def _expected_warnings() -> Iterator[None]:
    """Numpy's warning about how the old package builds its observation space."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "overflow encountered in cast", RuntimeWarning, r"gymnasium\.spaces\.box")
        yield
