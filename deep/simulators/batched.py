"""Many copies of a velocity task stepped together, in closed loop, on all cores; equal to stepping each by itself."""
# pyright: reportAttributeAccessIssue=false
# (MuJoCo is a compiled module without type stubs.)

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import mujoco
import numpy as np
from jaxtyping import Bool, Float, Int
from mujoco.rollout import Rollout

from deep.simulators.velocity import VelocityEnv
from deep.tasks import Task
from theory.errors import InputError


class Step(NamedTuple):
    """What one step of n environments returned: one row or entry for each."""

    observations: Float[np.ndarray, "n observation"]
    rewards: Float[np.ndarray, " n"]
    costs: Float[np.ndarray, " n"]
    terminated: Bool[np.ndarray, " n"]
    truncated: Bool[np.ndarray, " n"]


class Episodes(NamedTuple):
    """Undiscounted returns and costs, and lengths, of n episodes for each of R replicas."""

    returns: Float[np.ndarray, "replica n"]
    costs: Float[np.ndarray, "replica n"]
    lengths: Int[np.ndarray, "replica n"]


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


def _available_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class BatchedVelocity:
    """`count` copies of a velocity task, numbered from 0, that step together; each equals `deep.tasks.make(task)`.

    AntVel is equal bit for bit. In the other tasks MuJoCo's contact solver starts every control step afresh instead of
    from its last solution, which moves a step by rounding errors (1e-12); a chaotic motion enlarges these in time.
    The results do not depend on `count` or `threads`.

    The differences: actions are clipped to [-1, 1], and nothing resets by itself: after `terminated` or `truncated`
    the caller resets that environment or stops stepping it.

    Args:
        task: one of the velocity tasks.
        count: number of environments, at least 1.
        threads: number of threads to step with; 0 takes all cores of this process.
    """

    def __init__(self, task: Task, count: int, threads: int = 0):
        if count < 1 or threads < 0:
            raise InputError(f"{count} environments on {threads} threads: at least 1 and at least 0 are accepted")
        self.task, self.count = task, count
        self._rules = _RULES[task.name]
        self._single = VelocityEnv(task)  # draws the start states
        simulator = self._single.simulator
        self._dt = simulator.dt
        self._elapsed = np.full(count, -1)  # -1: not yet reset
        physics = _LoopPhysics if task.name == "AntVel" else _RolloutPhysics
        threads = min(count, threads or _available_cores())
        self._physics: _Physics = physics(simulator.model, simulator.frame_skip, count, threads)

    def reset(
        self, seeds: Sequence[int] | Int[np.ndarray, " n"], indices: Int[np.ndarray, " n"] | None = None
    ) -> Float[np.ndarray, "count observation"]:
        """Start episodes: environment `indices[i]` (all, if None) from the start state of `env.reset(seed=seeds[i])`.

        Returns the current observations of all environments, float64.
        """
        indices = np.arange(self.count) if indices is None else np.asarray(indices)
        if len(seeds) != len(indices):
            raise InputError(f"{len(seeds)} seeds were given for {len(indices)} environments: one for each is accepted")
        for index, seed in zip(indices.tolist(), seeds, strict=True):
            self._single.reset(seed=int(seed))
            self._physics.reset(index, self._single.simulator.data)
        self._elapsed[indices] = 0
        return self._observe(np.arange(self.count))

    def step(self, actions: np.ndarray, indices: Int[np.ndarray, " n"] | None = None) -> Step:
        """One control step of the environments `indices` (all, if None): actions and results have a row for each.

        The actions, (n, a), are clipped to [-1, 1]; observations, rewards and costs are float64. The control cost is
        computed in the actions' own precision, as in the single environment. Raises `InputError` for actions of
        another shape, actions that are not finite numbers, and environments that were never reset.
        """
        indices = np.arange(self.count) if indices is None else np.asarray(indices)
        actions = self._accept(actions, indices)
        before = self._physics.places[indices]
        self._physics.advance(indices, actions.astype(np.float64))
        velocity = (self._physics.places[indices] - before) / self._dt
        self._elapsed[indices] += 1

        healthy = self._rules.healthy(*self._positions_and_velocities(indices))
        control_cost = self._rules.control_weight * np.square(actions).sum(-1)
        speed = np.hypot(*velocity.T) if self.task.name == "AntVel" else velocity[:, 0]
        return Step(
            observations=self._observe(indices),
            rewards=velocity[:, 0] + self._rules.alive_reward - control_cost,
            costs=(speed > self.task.velocity_threshold).astype(np.float64),
            terminated=~healthy,
            truncated=self._elapsed[indices] >= self.task.episode_length,
        )

    def close(self) -> None:
        """Stop the threads."""
        self._physics.close()
        self._single.close()

    def __enter__(self) -> BatchedVelocity:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _accept(self, actions: np.ndarray, indices: np.ndarray) -> np.ndarray:
        actions = np.asarray(actions)
        expected = (len(indices), self.task.action_size)
        if actions.shape != expected:
            raise InputError(f"{self.task.name} was given actions of shape {actions.shape}: {expected} is accepted")
        if not np.isfinite(actions).all():
            raise InputError(f"{self.task.name} was given an action that is not a finite number")
        if (self._elapsed[indices] < 0).any():
            raise InputError(f"{self.task.name} was stepped before it was reset")
        return np.clip(actions, -1, 1)

    def _positions_and_velocities(self, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        states, positions = self._physics.states[indices], self._single.simulator.model.nq
        return states[:, 1 : 1 + positions], states[:, 1 + positions :]

    def _observe(self, indices: np.ndarray) -> Float[np.ndarray, "n observation"]:
        q, v = self._positions_and_velocities(indices)
        clip = self._rules.velocity_clip
        return np.concatenate([q[:, self._rules.hidden_positions :], np.clip(v, -clip, clip)], axis=1)


Watch = Callable[[Int[np.ndarray, " n"], np.ndarray, np.ndarray, Step], None]
"""(numbers of the running episodes, replica by replica; their observations; their actions; what the step returned)"""


def rollout(
    task: Task,
    act: Callable[[Float[np.ndarray, "replica n observation"]], Float[np.ndarray, "replica n action"]],
    seeds: Sequence[int],
    *,
    replicas: int = 1,
    threads: int = 0,
    watch: Watch | None = None,
) -> Episodes:
    """Evaluate R policies together, each on one episode for each of the n start seeds, in the simulator.

    Args:
        task: one of the velocity tasks.
        act: maps observations (R, n, o), float32, to actions (R, n, a). Rows of finished episodes keep their last
            observation, and their actions are ignored.
        seeds: the n start seeds, the same for every replica.
        replicas: R.
        threads: number of threads to step with; 0 takes all cores of this process.
        watch: is shown every step of the running episodes.
    """
    shape = (replicas, len(seeds))
    returns, costs, lengths = np.zeros(replicas * len(seeds)), np.zeros(replicas * len(seeds)), np.zeros(shape, int)
    with BatchedVelocity(task, replicas * len(seeds), threads) as simulators:
        observations = simulators.reset(np.tile(seeds, replicas)).astype(np.float32)
        running = np.arange(simulators.count)
        while running.size:
            actions = np.asarray(act(observations.reshape(*shape, -1))).reshape(simulators.count, -1)
            step = simulators.step(actions[running], running)
            if watch is not None:
                watch(running, observations[running], actions[running], step)
            observations[running] = step.observations
            returns[running] += step.rewards
            costs[running] += step.costs
            lengths.flat[running] += 1
            running = running[~(step.terminated | step.truncated)]
    return Episodes(returns.reshape(shape), costs.reshape(shape), lengths)
