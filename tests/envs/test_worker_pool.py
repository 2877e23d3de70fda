"""Environments in worker processes against single ones, and what happens when a worker fails or dies."""

import multiprocessing as mp
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from multiprocessing import connection
from typing import Any

import numpy as np
import pytest

from deep.envs.rollout import rollout, simulators
from deep.envs.vector import SerialVectorEnv, VectorEnv
from deep.envs.worker_pool import WorkerPool
from deep.tasks import TASKS, Task, make
from theory.support.errors import InputError

SHORT = replace(TASKS["BallRun"], episode_length=12)


@pytest.fixture
def started() -> Callable[[], int]:
    """Count the processes that this test has started and that still run; earlier tests may have left some (joblib)."""
    before = {process.pid for process in mp.active_children()}
    return lambda: len({process.pid for process in mp.active_children()} - before)


def waves(task: Task, count: int, step: int) -> np.ndarray:
    return np.sin(0.3 * step + np.arange(count)[:, None] + 1.3 * np.arange(task.action_size))


def columns(envs: VectorEnv, seeds: list[int], steps: int) -> list[np.ndarray]:
    """Start all, then let a changing part of the environments step, and some of them start again."""
    result = [envs.reset(seeds)]
    for t in range(steps):
        chosen = np.flatnonzero((np.arange(envs.count) + t) % 3 > 0)[::-1]
        result += envs.step(waves(envs.task, envs.count, t)[chosen], chosen)
        if t % 4 == 3:
            result.append(envs.reset([100 + t], np.array([t % envs.count])))
    return result


@pytest.mark.parametrize(("name", "steps", "workers"), [("CarGoal1", 8, 2), ("DroneRun", 12, 3)])
def test_workers_do_what_one_process_does_whatever_their_number(
    name: str, steps: int, workers: int, started: Callable[[], int]
):
    task = TASKS[name]
    with SerialVectorEnv(task, 5) as envs:
        expected = columns(envs, list(range(5)), steps)
    with WorkerPool(task, 5, workers) as envs:
        assert isinstance(envs, VectorEnv)
        assert started() == workers
        found = columns(envs, list(range(5)), steps)
    for mine, theirs in zip(found, expected, strict=True):
        assert mine.dtype == theirs.dtype
        np.testing.assert_array_equal(mine, theirs)
    assert started() == 0


def test_lockstep_equals_single_environments():
    for name in ("PointGoal1", "CarRun"):
        task = TASKS[name]
        with SerialVectorEnv(task, 3) as envs:
            single = [make(task) for _ in range(3)]
            np.testing.assert_array_equal(
                envs.reset([5, 6, 7]), [env.reset(seed=5 + i)[0] for i, env in enumerate(single)]
            )
            for t in range(10):
                actions = waves(task, 3, t)
                step = envs.step(actions)
                for i, env in enumerate(single):
                    observation, reward, terminated, truncated, info = env.step(actions[i])
                    np.testing.assert_array_equal(step.observations[i], observation)
                    assert (step.rewards[i], step.costs[i]) == (reward, info["cost"])
                    assert (step.terminated[i], step.truncated[i]) == (terminated, truncated)


def test_actions_are_clipped_and_misuse_is_refused():
    with SerialVectorEnv(replace(TASKS["AntRun"], episode_length=3), 2) as envs:
        with pytest.raises(InputError, match="AntRun was stepped before it was reset"):
            envs.step(np.zeros((2, 8)))
        envs.reset([1, 1])
        step = envs.step(np.stack([np.full(8, 3.0), np.ones(8)]))  # the ant's reward would tell
        np.testing.assert_array_equal(step.rewards[0], step.rewards[1])
        for bad, message in ((np.zeros((2, 3)), "actions of shape"), (np.full((2, 8), np.nan), "not a finite number")):
            with pytest.raises(InputError, match=message):
                envs.step(bad)
        with pytest.raises(InputError, match="1 seeds were given for 2"):
            envs.reset([1])
        assert not envs.step(np.zeros((2, 8))).truncated.any()
        assert envs.step(np.zeros((2, 8))).truncated.all()
    with pytest.raises(InputError, match="0 environments of AntRun"):
        SerialVectorEnv(TASKS["AntRun"], 0)
    with pytest.raises(InputError, match="-1 threads"):
        simulators(TASKS["AntRun"], 2, -1)


def test_a_failure_in_a_worker_becomes_one_sentence_and_leaves_no_process(started: Callable[[], int]):
    for task, kind, message in (
        (replace(SHORT, family="velocity"), InputError, "BallRun is no velocity task"),
        (replace(SHORT, name="BallFly"), RuntimeError, "simulating BallFly failed: KeyError: 'Fly'"),
    ):
        with pytest.raises(kind, match=message) as error:
            WorkerPool(task, 2, 1)
        assert "\n" not in str(error.value)
        assert started() == 0


def test_a_killed_worker_is_told_of_and_started_again_by_a_reset(started: Callable[[], int]):
    with WorkerPool(SHORT, 4, 2) as envs:
        start = envs.reset([0, 1, 2, 3])
        victim = envs._workers[1].process
        assert victim is not None
        assert victim.pid is not None
        os.kill(victim.pid, signal.SIGKILL)
        with pytest.raises(RuntimeError, match=r"a process that simulates BallRun ended \(exit code -9\)"):
            envs.step(np.zeros((4, 2)))
        assert started() == 1
        with pytest.raises(InputError, match="before it was reset"):
            envs.step(np.zeros((4, 2)))
        survivors = np.array([0, 2])
        assert envs.step(np.zeros((2, 2)), survivors).rewards.shape == (2,)
        np.testing.assert_array_equal(envs.reset([0, 1, 2, 3]), start)
        assert started() == 2
    assert started() == 0


def test_workers_end_with_a_parent_that_is_killed():
    program = """
import time
from deep.envs.worker_pool import WorkerPool
from deep.tasks import TASKS
envs = WorkerPool(TASKS["BallRun"], 1, 1)
print(*(worker.process.pid for worker in envs._workers), flush=True)
time.sleep(600)
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        workers = [int(number) for number in parent.stdout.readline().split()]
        assert len(workers) == 1
        pidfds = [os.pidfd_open(worker) for worker in workers]
        parent.kill()
    for pidfd in pidfds:
        signalled = connection.wait([pidfd], timeout=60)  # readable when the process has ended
        os.close(pidfd)
        assert signalled


@pytest.mark.parametrize("name", ["BallRun", "CarCircle1"])
def test_rollouts_equal_single_environments(name: str, monkeypatch):
    task, replicas, seeds = replace(TASKS[name], episode_length=8), 2, [11, 12, 13]
    monkeypatch.setattr("deep.envs.rollout.ENVIRONMENTS", 4)  # two episodes at once, then one
    shapes = []

    def act(observations: np.ndarray) -> np.ndarray:
        assert observations.dtype == np.float32
        shapes.append(observations.shape[:2])
        size = np.array([0.5, 0.9])[:, None, None]
        return size * np.cos(5 * observations[..., : task.action_size].astype(float))

    episodes = rollout(task, act, seeds, replicas=replicas, threads=1)
    assert shapes == [(2, 2)] * 8 + [(2, 1)] * 8
    for replica in range(replicas):
        for number, seed in enumerate(seeds):
            env: Any = make(task)
            observation, total, costs = env.reset(seed=seed)[0], 0.0, 0.0
            for _ in range(8):
                now = np.zeros((2, 1, task.observation_size), np.float32)
                now[replica, 0] = observation
                observation, reward, _, _, info = env.step(act(now)[replica, 0])
                total, costs = total + reward, costs + info["cost"]
            assert episodes.returns[replica, number] == pytest.approx(total, abs=1e-12)
            assert episodes.costs[replica, number] == costs
    assert (episodes.lengths == 8).all()
    assert len(np.unique(episodes.returns)) > replicas
