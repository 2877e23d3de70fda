"""The velocity tasks: gymnasium's own MuJoCo tasks in version 4, with a cost for moving too fast.

Safety-Gymnasium's `Safety*Velocity-v1`, on which DSRL's data was recorded, are these tasks and that cost.
"""
# pyright: reportAttributeAccessIssue=false
# (MuJoCo is a compiled module without type stubs.)

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium
import mujoco
import numpy as np
from gymnasium.envs.mujoco import MujocoEnv
from gymnasium.envs.mujoco.ant_v4 import AntEnv
from gymnasium.envs.mujoco.half_cheetah_v4 import HalfCheetahEnv
from gymnasium.envs.mujoco.hopper_v4 import HopperEnv
from gymnasium.envs.mujoco.swimmer_v4 import SwimmerEnv
from gymnasium.envs.mujoco.walker2d_v4 import Walker2dEnv
from gymnasium.wrappers import TimeLimit

from deep.envs import rendering
from deep.tasks import Task
from theory.support.errors import InputError

# The classes are taken directly: gymnasium.make("Hopper-v4") would warn that a version 5, another task, exists.
_SIMULATORS: dict[str, Callable[..., MujocoEnv]] = {
    "AntVel": AntEnv,
    "HalfCheetahVel": HalfCheetahEnv,
    "HopperVel": HopperEnv,
    "SwimmerVel": SwimmerEnv,
    "Walker2dVel": Walker2dEnv,
}


def make(task: Task, render_mode: str | None = None) -> gymnasium.Env:
    """The task's environment, which times out after `task.episode_length` steps; see `deep.tasks.make`."""
    rendering.check_ranges(render_mode)
    return TimeLimit(VelocityEnv(task, render_mode), task.episode_length)


class VelocityEnv(gymnasium.Wrapper):
    """A version 4 MuJoCo task whose `info["cost"]` is 1.0 in steps faster than the task's threshold, else 0.0.

    The speed is the velocity along x; AntVel's is the speed in the plane, sqrt(vx^2 + vy^2). Actions are taken as
    they are: MuJoCo clamps the controls, but the control cost in the reward is that of the action given.
    """

    def __init__(self, task: Task, render_mode: str | None = None):
        if task.velocity_threshold is None:
            raise InputError(f"{task.name} is no velocity task: those are {', '.join(_SIMULATORS)}")
        self.task, self._threshold = task, task.velocity_threshold
        self.simulator = _SIMULATORS[task.name](render_mode=render_mode)
        super().__init__(self.simulator)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None):
        """Start an episode; the same seed gives the same start."""
        _, info = self.simulator.reset(seed=seed, options=options)
        # Ant adds noise to its orientation. MuJoCo before 3.2.7, with which DSRL's data was recorded, normalised that
        # quaternion in place; later versions leave it to the first step, which changes this observation and no other.
        mujoco.mj_normalizeQuat(self.simulator.model, self.simulator.data.qpos)
        return self.simulator._get_obs(), info

    def step(self, action: np.ndarray):
        """One control step: observation, reward, terminated, truncated, info with the step's cost."""
        observation, reward, terminated, truncated, info = self.simulator.step(action)
        speed = np.hypot(info["x_velocity"], info["y_velocity"]) if self.task.name == "AntVel" else info["x_velocity"]
        cost = float(speed > self._threshold)
        return observation, float(reward), bool(terminated), truncated, {**info, "cost": cost}

    def render(self) -> Any:
        """A frame of shape (480, 480, 3), uint8; raises `InputError` where this machine cannot render."""
        with rendering.rendering(self.task.name, self.render_mode):
            return self.simulator.render()
