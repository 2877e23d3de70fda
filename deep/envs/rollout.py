"""Episodes of trained policies, many at once, in whatever simulator a task has."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, Int

from deep.envs.vector import SerialVectorEnv, Step, VectorEnv, cores
from deep.tasks import Task

ENVIRONMENTS = 64
"""Environments kept at once where they are single ones, of which PyBullet takes 30 MB for each."""

__all__ = ["Episodes", "Step", "VectorEnv", "rollout", "simulators"]


class Episodes(NamedTuple):
    """Undiscounted returns and costs, and lengths, of n episodes for each of R replicas."""

    returns: Float[np.ndarray, "replica n"]
    costs: Float[np.ndarray, "replica n"]
    lengths: Int[np.ndarray, "replica n"]


Act = Callable[[Float[np.ndarray, "replica n observation"]], Float[np.ndarray, "replica n action"]]
"""The actions of every replica's policy at raw observations."""


@runtime_checkable
class Player(Protocol):
    """Policies with a state per episode, which `rollout` carries from step to step; see `deep.core.method.Policy`."""

    def start(self, first: int, count: int) -> Any:
        """The state at the first step of the episodes first ... first + count - 1 of every replica."""
        ...

    def act(
        self, state: Any, observations: Float[np.ndarray, "replica n observation"]
    ) -> tuple[Float[np.ndarray, "replica n action"], Any]:
        """The actions, and the state after them."""
        ...

    def observe(
        self,
        state: Any,
        rewards: Float[np.ndarray, "replica n"],
        costs: Float[np.ndarray, "replica n"],
        done: Bool[np.ndarray, "replica n"],
    ) -> Any:
        """The state after the outcome of the step; an episode that is done stays so, with rewards and costs of 0."""
        ...


class _Function:
    """A function of the observations as a player without a state."""

    def __init__(self, function: Act) -> None:
        self.function = function

    def start(self, first: int, count: int) -> Any:
        return ()

    def act(self, state: Any, observations: np.ndarray) -> tuple[np.ndarray, Any]:
        return self.function(observations), state

    def observe(self, state: Any, rewards: np.ndarray, costs: np.ndarray, done: np.ndarray) -> Any:
        return state


OnStep = Callable[[Int[np.ndarray, " n"], np.ndarray, np.ndarray, Step], None]
"""Sees a step of n episodes: the replica of each, in rising order; their observations; actions; what came of them."""


def simulators(task: Task, count: int, threads: int = 0) -> VectorEnv:
    """`count` environments that step together, in the fastest way there is for the task.

    The velocity tasks have a batched simulator; of the others, worker processes step several single environments each.
    The results depend on neither `count` nor `threads`.

    Args:
        task: a row of the table of tasks.
        count: number of environments, at least 1.
        threads: number of threads or worker processes; 0 takes all cores, 1 starts no process.
    """
    # Imported here: either needs only some of the packages, and only some of the time.
    if task.family == "velocity":
        from deep.envs.velocity_vector import VelocityVectorEnv

        return VelocityVectorEnv(task, count, threads)
    if cores(threads, count) == 1:
        return SerialVectorEnv(task, count)
    from deep.envs.worker_pool import WorkerPool

    return WorkerPool(task, count, threads)


def rollout(
    task: Task,
    act: Player | Act,
    seeds: Sequence[int],
    *,
    replicas: int = 1,
    threads: int = 0,
    on_step: OnStep | None = None,
) -> Episodes:
    """Evaluate R policies together, each on one episode for each of the n start seeds, in the simulator.

    Args:
        task: a row of the table of tasks.
        act: the policies, or a function from observations (R, m, o), float32, to actions (R, m, a). The m episodes run
            at once: all n of a velocity task, as many as `ENVIRONMENTS` allows of another. Rows of finished episodes
            keep their last observation, and their actions are ignored.
        seeds: the n start seeds, the same for every replica.
        replicas: R.
        threads: number of threads or worker processes to step with; 0 takes all cores of this process.
        on_step: is called with every step of the running episodes.
    """
    width = len(seeds) if task.family == "velocity" else min(len(seeds), max(1, ENVIRONMENTS // replicas))
    with simulators(task, replicas * width, threads) as envs:
        player = act if isinstance(act, Player) else _Function(act)
        parts = [_play(envs, player, seeds, i, width, replicas, on_step) for i in range(0, len(seeds), width)]
    return Episodes(*(np.concatenate(column, axis=1) for column in zip(*parts, strict=True)))


def _play(
    envs: VectorEnv,
    player: Player,
    seeds: Sequence[int],
    first: int,
    width: int,
    replicas: int,
    on_step: OnStep | None,
) -> Episodes:
    """The episodes first ... first + width - 1, or fewer at the end of the seeds."""
    seeds = seeds[first : first + width]
    shape = (replicas, len(seeds))
    count = replicas * len(seeds)
    returns, costs, lengths = np.zeros(count), np.zeros(count), np.zeros(shape, int)
    running = np.arange(count)
    observations = envs.reset(np.tile(seeds, replicas), running)[:count].astype(np.float32)
    state = player.start(first, len(seeds))
    while running.size:
        chosen, state = player.act(state, observations.reshape(*shape, -1))
        actions = np.asarray(chosen).reshape(count, -1)
        step = envs.step(actions[running], running)
        if on_step is not None:
            on_step(running // len(seeds), observations[running], actions[running], step)
        observations[running] = step.observations
        returns[running] += step.rewards
        costs[running] += step.costs
        lengths.flat[running] += 1
        outcome = np.zeros((2, count), dtype=np.float32)
        outcome[:, running] = step.rewards, step.costs
        running = running[~(step.terminated | step.truncated)]
        done = np.ones(count, dtype=bool)
        done[running] = False
        rewards, costs_now = outcome.reshape(2, *shape)
        state = player.observe(state, rewards, costs_now, done.reshape(shape))
    return Episodes(returns.reshape(shape), costs.reshape(shape), lengths)
