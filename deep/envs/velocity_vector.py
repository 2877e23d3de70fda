"""Many copies of a velocity task stepped together, in closed loop, on all cores; equal to stepping each by itself."""
# pyright: reportAttributeAccessIssue=false
# (MuJoCo is a compiled module without type stubs.)

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

import mujoco
import numpy as np
from jaxtyping import Float, Int
from mujoco.rollout import Rollout

from deep.envs.vector import Step, VectorEnv, cores
from deep.envs.velocity import VelocityEnv
from deep.tasks import Task
from theory.support.errors import InputError


@dataclass(frozen=True)
class _Rules:
    """What gymnasium's version 4 task computes from positions q and velocities v; written again, for many at once."""

    hidden_positions: int  # the leading positions, which the observation leaves out
    control_weight: float
    alive_reward: float = 0.0
    velocity_clip: float = np.inf
    healthy: Callable[[np.ndarray, np.ndarray], np.ndarray] = lambda q, v: np.ones(len(q), dtype=bool)


def _ant_healthy(q: np.ndarray, v: np.ndarray) -> np.ndarray:
    return np.isfinite(q).all(-1) & np.isfinite(v).all(-1) & (q[:, 2] >= 0.2) & (q[:, 2] <= 1.0)


def _hopper_healthy(q: np.ndarray, v: np.ndarray) -> np.ndarray:
    bounded = (np.abs(q[:, 2:]) < 100).all(-1) & (np.abs(v) < 100).all(-1)
    return bounded & (q[:, 1] > 0.7) & (q[:, 1] < np.inf) & (np.abs(q[:, 2]) < 0.2)


def _walker_healthy(q: np.ndarray, v: np.ndarray) -> np.ndarray:
    return (q[:, 1] > 0.8) & (q[:, 1] < 2.0) & (np.abs(q[:, 2]) < 1.0)


_RULES = {
    "AntVel": _Rules(2, 0.5, alive_reward=1.0, healthy=_ant_healthy),
    "HalfCheetahVel": _Rules(1, 0.1),
    "HopperVel": _Rules(1, 1e-3, alive_reward=1.0, velocity_clip=10.0, healthy=_hopper_healthy),
    "SwimmerVel": _Rules(2, 1e-4),
    "Walker2dVel": _Rules(1, 1e-3, alive_reward=1.0, velocity_clip=10.0, healthy=_walker_healthy),
}


class _Physics(Protocol):
    """Steps the bodies of many environments.

    `states` holds time, positions and velocities of each; `places` the point (x, y) [m] whose motion is the velocity.
    """

    states: Float[np.ndarray, "count state"]
    places: Float[np.ndarray, "count 2"]

    def reset(self, index: int, source: mujoco.MjData) -> None: ...

    def advance(self, indices: Int[np.ndarray, " n"], controls: Float[np.ndarray, "n action"]) -> None: ...

    def close(self) -> None: ...


class _RolloutPhysics:
    """MuJoCo's own thread pool steps all environments in one call. The place is that of the first two positions."""

    def __init__(self, model: mujoco.MjModel, frame_skip: int, count: int, threads: int):
        self.model, self.frame_skip = model, frame_skip
        self.states = np.zeros((count, mujoco.mj_stateSize(model, mujoco.mjtState.mjSTATE_FULLPHYSICS.value)))
        self.places = self.states[:, 1:3]
        threads = 0 if threads == 1 else threads  # none in the pool: the calling thread does the work
        self._data = [mujoco.MjData(model) for _ in range(max(threads, 1))]
        self._pool = Rollout(nthread=threads)

    def reset(self, index: int, source: mujoco.MjData) -> None:
        self.states[index] = np.concatenate([[source.time], source.qpos, source.qvel])

    def advance(self, indices: np.ndarray, controls: np.ndarray) -> None:
        held = np.repeat(controls[:, None], self.frame_skip, axis=1)
        substeps = np.empty((len(indices), self.frame_skip, self.states.shape[1]))
        self._pool.rollout(self.model, self._data, self.states[indices], held, state=substeps)
        self.states[indices] = substeps[:, -1]

    def close(self) -> None:
        self._pool.close()


class _LoopPhysics:
    """One MjData for each environment, stepped by a few Python threads (`mj_step` runs outside Python's lock).

    Ant measures its velocity on the torso's `xpos`, which MuJoCo leaves at the last stage of the last Runge-Kutta
    substep. That is no function of the states that a rollout returns, so Ant has to be stepped in this way.
    """

    def __init__(self, model: mujoco.MjModel, frame_skip: int, count: int, threads: int):
        self.model, self.frame_skip, self.threads = model, frame_skip, threads
        self.states = np.zeros((count, 1 + model.nq + model.nv))
        self.places = np.zeros((count, 2))
        self._data = [mujoco.MjData(model) for _ in range(count)]
        self._torso = mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_BODY, "torso")
        self._pool = ThreadPoolExecutor(threads)

    def reset(self, index: int, source: mujoco.MjData) -> None:
        data = self._data[index]
        mujoco.mj_resetData(self.model, data)
        data.qpos[:], data.qvel[:] = source.qpos, source.qvel
        mujoco.mj_forward(self.model, data)
        self._read(index)

    def advance(self, indices: np.ndarray, controls: np.ndarray) -> None:
        chunks = zip(
            np.array_split(indices, self.threads),
            np.array_split(controls, self.threads),
            strict=True,
        )
        list(self._pool.map(lambda chunk: self._advance(*chunk), chunks))  # the list re-raises a thread's exception

    def close(self) -> None:
        self._pool.shutdown()

    def _advance(self, indices: np.ndarray, controls: np.ndarray) -> None:
        for index, control in zip(indices.tolist(), controls, strict=True):
            self._data[index].ctrl[:] = control
            mujoco.mj_step(self.model, self._data[index], self.frame_skip)
            self._read(index)

    def _read(self, index: int) -> None:
        data = self._data[index]
        self.states[index, 0] = data.time
        self.states[index, 1 : 1 + self.model.nq] = data.qpos
        self.states[index, 1 + self.model.nq :] = data.qvel
        self.places[index] = data.xpos[self._torso, :2]


class VelocityVectorEnv(VectorEnv):
    """`count` copies of a velocity task, stepped by all cores; each equals `deep.tasks.make(task)`.

    AntVel is equal bit for bit. In the other tasks MuJoCo's contact solver starts every control step afresh instead of
    from its last solution, which moves a step by rounding errors (1e-12); a chaotic motion enlarges these in time.
    The results do not depend on `count` or `threads`.

    Args:
        task: one of the velocity tasks.
        count: number of environments, at least 1.
        threads: number of threads to step with; 0 takes all cores of this process.
    """

    def __init__(self, task: Task, count: int, threads: int = 0):
        super().__init__(task, count)
        if task.velocity_threshold is None:
            raise InputError(f"{task.name} is no velocity task: those are {', '.join(_RULES)}")
        self._threshold, self._rules = task.velocity_threshold, _RULES[task.name]
        self._single = VelocityEnv(task)  # draws the start states
        simulator = self._single.simulator
        self._dt = simulator.dt
        physics = _LoopPhysics if task.name == "AntVel" else _RolloutPhysics
        threads = cores(threads, count)
        self._physics: _Physics = physics(simulator.model, simulator.frame_skip, count, threads)

    def _reset(self, seeds: list[int], indices: Int[np.ndarray, " n"]) -> Float[np.ndarray, "n observation"]:
        for index, seed in zip(indices.tolist(), seeds, strict=True):
            self._single.reset(seed=seed)
            self._physics.reset(index, self._single.simulator.data)
        return self._observe(indices)

    def _step(self, actions: np.ndarray, indices: Int[np.ndarray, " n"]) -> Step:
        before = self._physics.places[indices]
        self._physics.advance(indices, actions.astype(np.float64))
        velocity = (self._physics.places[indices] - before) / self._dt

        healthy = self._rules.healthy(*self._positions_and_velocities(indices))
        control_cost = self._rules.control_weight * np.square(actions).sum(-1)  # in the actions' own precision
        speed = np.hypot(*velocity.T) if self.task.name == "AntVel" else velocity[:, 0]
        return Step(
            observations=self._observe(indices),
            rewards=velocity[:, 0] + self._rules.alive_reward - control_cost,
            costs=(speed > self._threshold).astype(np.float64),
            terminated=~healthy,
            truncated=self.elapsed[indices] >= self.task.episode_length,
        )

    def close(self) -> None:
        """Stop the threads."""
        self._physics.close()
        self._single.close()

    def _positions_and_velocities(self, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        states, positions = self._physics.states[indices], self._single.simulator.model.nq
        return states[:, 1 : 1 + positions], states[:, 1 + positions :]

    def _observe(self, indices: np.ndarray) -> Float[np.ndarray, "n observation"]:
        q, v = self._positions_and_velocities(indices)
        clip = self._rules.velocity_clip
        return np.concatenate([q[:, self._rules.hidden_positions :], np.clip(v, -clip, clip)], axis=1)
