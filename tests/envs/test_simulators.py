"""The velocity tasks against gymnasium's own, and the batched simulator against stepping one environment by itself."""

from dataclasses import replace
from typing import Any

import gymnasium
import numpy as np
import pytest

from deep.envs.rollout import rollout
from deep.envs.velocity import VelocityEnv
from deep.envs.velocity_vector import _RULES, VelocityVectorEnv
from deep.tasks import TASKS, Task, make
from theory.support.errors import InputError

VELOCITY = {name: task for name, task in TASKS.items() if task.family == "velocity"}
each_task = pytest.mark.parametrize("task", VELOCITY.values(), ids=VELOCITY)
THRESHOLDS = {"AntVel": 2.6222, "HalfCheetahVel": 3.2096, "HopperVel": 0.7402, "SwimmerVel": 0.2282}
THRESHOLDS["Walker2dVel"] = 2.3415


def gymnasiums_own(task: Task) -> gymnasium.Env[Any, Any]:
    with pytest.warns(DeprecationWarning, match="out of date"):
        return gymnasium.make(task.name.replace("Vel", "-v4"))


def waves(task: Task, count: int, step: int, size: float = 0.3) -> np.ndarray:
    """Actions (count, a) that swing differently in every environment and joint."""
    phase = np.arange(count)[:, None] + 1.3 * np.arange(task.action_size)
    return size * np.sin(0.2 * step + phase)


@each_task
def test_steps_equal_gymnasiums_version_4_bit_for_bit(task: Task):
    ours, theirs = make(task), gymnasiums_own(task)
    rng = np.random.default_rng(0)
    finished = True
    seed = 0
    for _ in range(600):
        if finished:
            ours.reset(seed=seed)
            theirs.reset(seed=seed)
            seed += 1
        action = rng.uniform(-1, 1, task.action_size).astype(np.float32)
        observation, reward, terminated, truncated, info = ours.step(action)
        expected = theirs.step(action)
        np.testing.assert_array_equal(observation, expected[0])
        assert (reward, terminated, truncated) == expected[1:4]
        cost = info.pop("cost")  # pyright: ignore[reportAttributeAccessIssue]
        assert info == expected[4]
        speed = np.hypot(info["x_velocity"], info["y_velocity"]) if task.name == "AntVel" else info["x_velocity"]
        assert type(cost) is float
        assert cost == (speed > THRESHOLDS[task.name])
        finished = terminated or truncated
    falls = seed > 2
    assert falls == (task.name in ("AntVel", "HopperVel", "Walker2dVel"))


@each_task
def test_resets_equal_gymnasiums_but_for_ants_quaternion(task: Task):
    ours, theirs = make(task), gymnasiums_own(task)
    for seed in range(5):
        expected = theirs.reset(seed=seed)[0]
        if task.name == "AntVel":
            assert abs(np.linalg.norm(expected[1:5]) - 1) > 1e-3
            expected[1:5] /= np.linalg.norm(expected[1:5])
        np.testing.assert_allclose(ours.reset(seed=seed)[0], expected, rtol=0, atol=1e-15)
    assert not np.array_equal(ours.reset(seed=1)[0], ours.reset(seed=2)[0])


@each_task
def test_a_step_costs_one_only_above_the_threshold(task: Task, monkeypatch):
    env = VelocityEnv(task)
    env.reset(seed=0)
    ant = task.name == "AntVel"
    threshold = THRESHOLDS[task.name]
    for vx, vy, cost in [
        (0.0, 0.0, 0.0),
        (threshold, 0.0, 0.0),
        (np.nextafter(threshold, 9), 0.0, 1.0),
        (threshold - 1e-9, 0.0, 0.0),
        (-2 * threshold, 0.0, float(ant)),
        (0.8 * threshold, 0.8 * threshold, float(ant)),
        (0.0, 2 * threshold, float(ant)),
    ]:
        answer = (np.zeros(1), 0.0, False, False, {"x_velocity": vx, "y_velocity": vy})
        monkeypatch.setattr(env.simulator, "step", lambda action, answer=answer: answer)
        assert env.step(np.zeros(task.action_size))[4]["cost"] == cost, (vx, vy)


def test_an_episode_times_out_after_its_length():
    env = make(replace(TASKS["HalfCheetahVel"], episode_length=7))
    env.reset(seed=0)
    assert [env.step(np.zeros(6))[3] for _ in range(7)] == [False] * 6 + [True]


@each_task
def test_a_batch_equals_single_environments(task: Task):
    count, seed = 4, 4
    batch, envs = VelocityVectorEnv(task, count, threads=2), [make(task) for _ in range(count)]
    start = batch.reset(range(count))
    np.testing.assert_array_equal(start, [env.reset(seed=i)[0] for i, env in enumerate(envs)])
    tolerance = 0 if task.name == "AntVel" else 1e-10
    for t in range(300):
        actions = waves(task, count, t, size=0.3 if task.name == "HalfCheetahVel" else 0.9)
        actions = actions.astype(np.float32 if t % 2 else np.float64)
        step = batch.step(actions)
        observations, rewards, terminated, truncated, infos = zip(
            *(env.step(action) for env, action in zip(envs, actions, strict=True)), strict=True
        )
        np.testing.assert_allclose(step.observations, observations, rtol=0, atol=tolerance)
        np.testing.assert_allclose(step.rewards, rewards, rtol=0, atol=tolerance)
        np.testing.assert_array_equal(step.costs, [info["cost"] for info in infos])
        np.testing.assert_array_equal(step.terminated, terminated)
        np.testing.assert_array_equal(step.truncated, truncated)
        fallen = np.flatnonzero(step.terminated)
        observations = batch.reset(np.arange(seed, seed + len(fallen)), fallen)
        for index in fallen:
            np.testing.assert_array_equal(observations[index], envs[index].reset(seed=seed)[0])
            seed += 1
    assert (seed > 4) == (task.name in ("AntVel", "HopperVel", "Walker2dVel"))


@each_task
def test_a_batch_equals_single_environments_under_violent_actions(task: Task):
    """Such motion is chaotic: rounding errors grow tenfold every few steps, so only short runs are equal."""
    batch, env = VelocityVectorEnv(task, 8, threads=1), make(task)
    rng = np.random.default_rng(1)
    for start in range(0, 80, 8):
        actions = rng.choice([-1.0, 1.0], size=(4, 8, task.action_size))
        batch.reset(range(start, start + 8))
        steps = [batch.step(action) for action in actions]
        for index in range(8):
            env.reset(seed=start + index)
            for step, action in zip(steps, actions[:, index], strict=True):
                observation, reward, terminated, _, info = env.step(action)
                np.testing.assert_allclose(step.observations[index], observation, rtol=0, atol=1e-10)
                assert step.rewards[index] == pytest.approx(reward, abs=1e-10)
                assert step.costs[index] == info["cost"]
                assert step.terminated[index] == terminated


@each_task
def test_a_batch_violates_the_threshold_where_single_environments_do(task: Task):
    batch, env = VelocityVectorEnv(task, 6), VelocityEnv(task)
    physics, simulator = batch._physics, env.simulator
    batch.reset([0] * 6)
    costs = []
    for index, speed in enumerate(THRESHOLDS[task.name] * np.array([-2, 0, 0.8, 0.99, 1.1, 3])):
        env.reset(seed=0)
        velocity = simulator.data.qvel.copy()
        velocity[:2] = speed, (0.7 * speed if task.name == "AntVel" else 0)
        simulator.set_state(simulator.data.qpos.copy(), velocity)
        physics.reset(index, simulator.data)
        costs.append(env.step(np.zeros(task.action_size))[4]["cost"])
    np.testing.assert_array_equal(batch.step(np.zeros((6, task.action_size))).costs, costs)
    assert 0 < sum(costs) < 6


@each_task
def test_the_rules_of_falling_are_gymnasiums(task: Task):
    """Each coordinate in turn takes values at, next to and far from every bound, and values that are no numbers."""
    env = VelocityEnv(task)
    env.reset(seed=0)
    data = env.simulator.data
    position, velocity = data.qpos.copy(), data.qvel.copy()
    bounds = np.array([0.2, 0.7, 0.8, 1.0, 2.0, 100.0])
    values = np.concatenate([bounds, np.nextafter(bounds, 0), np.nextafter(bounds, 1e9), [0, 50, 1e9, np.inf]])
    values = np.concatenate([values, -values, [np.nan]])
    verdicts = set()
    for start, target in ((position, data.qpos), (velocity, data.qvel)):
        for coordinate in range(len(start)):
            for value in values:
                data.qpos[:], data.qvel[:] = position, velocity
                target[coordinate] = value
                expected = bool(getattr(env.simulator, "is_healthy", True))
                got = _RULES[task.name].healthy(data.qpos[None].copy(), data.qvel[None].copy())
                assert got.tolist() == [expected], (coordinate, value)
                verdicts.add(expected)
    assert len(verdicts) == (1 if task.name in ("HalfCheetahVel", "SwimmerVel") else 2)


@each_task
def test_results_do_not_depend_on_threads_or_neighbours(task: Task):
    def run(seeds: list[int], threads: int) -> np.ndarray:
        with VelocityVectorEnv(task, len(seeds), threads) as batch:
            batch.reset(seeds)
            steps = [batch.step(waves(task, 9, t, 0.9)[seeds]) for t in range(30)]
        return np.array([step.observations for step in steps])

    together = run(list(range(9)), 3)
    np.testing.assert_array_equal(together, run(list(range(9)), 1))
    np.testing.assert_array_equal(together[:, [5]], run([5], 2))


@pytest.mark.parametrize("name", ["AntVel", "HopperVel"])
def test_only_the_chosen_environments_move(name: str):
    task = TASKS[name]
    batch = VelocityVectorEnv(task, 3)
    before = batch.reset([3, 4, 5])
    step = batch.step(np.full((2, task.action_size), 0.5), np.array([2, 0]))
    after = batch.reset([9], np.array([0]))
    assert step.observations.shape == (2, task.observation_size)
    np.testing.assert_array_equal(after[0], VelocityVectorEnv(task, 1).reset([9])[0])
    np.testing.assert_array_equal(after[1], before[1])
    np.testing.assert_array_equal(after[2], step.observations[0])


def test_a_batch_times_out_and_counts_anew_after_a_reset():
    batch = VelocityVectorEnv(replace(TASKS["SwimmerVel"], episode_length=3), 2)
    batch.reset([0, 1])
    rest = np.zeros((2, 2))
    batch.step(rest)
    batch.reset([2], np.array([1]))
    assert [batch.step(rest).truncated.tolist() for _ in range(3)] == [[False, False], [True, False], [True, True]]


def test_a_batch_clips_actions():
    task = TASKS["HopperVel"]
    batch = VelocityVectorEnv(task, 2)
    batch.reset([0, 0])
    step = batch.step(np.array([[5.0, -3.0, 0.5], [1.0, -1.0, 0.5]]))
    np.testing.assert_array_equal(step.observations[0], step.observations[1])
    assert step.rewards[0] == step.rewards[1]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_actions_that_are_no_numbers_are_refused(bad: float):
    batch = VelocityVectorEnv(TASKS["HopperVel"], 2)
    batch.reset([0, 1])
    with pytest.raises(InputError, match="not a finite number"):
        batch.step(np.array([[0, 0, 0], [0, bad, 0]]))


def test_misuse_is_refused():
    task = TASKS["HopperVel"]
    batch = VelocityVectorEnv(task, 2)
    with pytest.raises(InputError, match="before it was reset"):
        batch.step(np.zeros((2, 3)))
    with pytest.raises(InputError, match="3 seeds were given for 2"):
        batch.reset([1, 2, 3])
    batch.reset([1, 2])
    for shape in ((2, 2), (3, 3), (2, 3, 1), (6,)):
        with pytest.raises(InputError, match="actions of shape"):
            batch.step(np.zeros(shape))
    with pytest.raises(InputError, match="0 environments"):
        VelocityVectorEnv(task, 0)
    with pytest.raises(InputError, match="-1 threads"):
        VelocityVectorEnv(task, 1, threads=-1)


@pytest.mark.parametrize("name", ["AntVel", "HopperVel", "SwimmerVel"])
def test_a_rollout_equals_evaluating_each_policy_by_itself(name: str):
    task = replace(TASKS[name], episode_length=60)
    replicas, seeds = 3, [7, 1, 4, 1]
    gains = np.random.default_rng(2).normal(size=(replicas, task.observation_size, task.action_size)).astype(np.float32)
    gains[0] = 0
    seen = []

    def act(observations: np.ndarray) -> np.ndarray:
        assert observations.dtype == np.float32
        seen.append(observations.copy())
        # Elementwise, because a matrix product rounds differently with the size of the batch.
        return np.tanh((observations[..., None] * gains[:, None]).sum(-2) / 3)

    episodes = rollout(task, act, seeds, replicas=replicas, threads=1)
    expected = np.zeros((3, replicas, len(seeds)))
    env = make(task)
    for r in range(replicas):
        for i, seed in enumerate(seeds):
            observation, finished = env.reset(seed=seed)[0], False
            while not finished:
                action = np.tanh((observation.astype(np.float32)[:, None] * gains[r]).sum(-2) / 3)
                observation, reward, terminated, truncated, info = env.step(action)
                expected[:, r, i] += float(reward), info["cost"], 1
                finished = terminated or truncated
    np.testing.assert_allclose(episodes.returns, expected[0], atol=1e-5)
    np.testing.assert_array_equal(episodes.costs, expected[1])
    np.testing.assert_array_equal(episodes.lengths, expected[2])

    assert len(seen) == episodes.lengths.max()
    assert all(observations.shape == (replicas, len(seeds), task.observation_size) for observations in seen)
    np.testing.assert_array_equal(seen[0], np.broadcast_to(seen[0][:1], seen[0].shape))
    np.testing.assert_array_equal(episodes.returns[:, 1], episodes.returns[:, 3])
    if name == "HopperVel":
        assert episodes.lengths.min() < episodes.lengths.max()
        shortest = np.unravel_index(episodes.lengths.argmin(), episodes.lengths.shape)
        np.testing.assert_array_equal(seen[-1][shortest], seen[episodes.lengths.min()][shortest])


@each_task
def test_rendering_gives_frames(task: Task):
    env = make(task, "rgb_array")
    env.reset(seed=0)
    try:
        frame: Any = env.render()
    except InputError as error:
        pytest.skip(str(error))
    assert frame.shape == (480, 480, 3)
    assert frame.dtype == np.uint8
    assert frame.std() > 10
    env.close()


def test_a_machine_that_cannot_render_says_so(monkeypatch):
    env = make(TASKS["HopperVel"], "rgb_array")
    env.reset(seed=0)

    def fail(mode: str) -> None:
        raise AttributeError("'NoneType' object has no attribute 'eglQueryString'")

    monkeypatch.setattr(env.unwrapped.mujoco_renderer, "render", fail)  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(InputError, match=r"HopperVel cannot be rendered here .*: rendering needs a display or the EGL"):
        env.render()


def test_render_modes_are_checked():
    with pytest.raises(InputError, match="render mode 'human'"):
        make(TASKS["HopperVel"], "human")
    with pytest.raises(InputError, match="without a render mode"):
        VelocityEnv(TASKS["HopperVel"]).render()
