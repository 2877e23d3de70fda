"""The navigation and bullet tasks: seeds, costs, rewards and frames, by other routes than the old packages' own."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from deep.envs.navigation import ATTEMPTS
from deep.tasks import TASKS, Task, make
from theory.support.errors import InputError

OLD = {name: task for name, task in TASKS.items() if task.family != "velocity"}
BULLET = {name: task for name, task in OLD.items() if task.family == "bullet"}
each_task = pytest.mark.parametrize("task", OLD.values(), ids=OLD)
each_bullet = pytest.mark.parametrize("task", BULLET.values(), ids=BULLET)


def play(env: Any, seed: int, steps: int, actions: int = 0) -> list[Any]:
    """What an episode returns under random actions, until it ends."""
    rng = np.random.default_rng(actions)
    rows: list[Any] = [(env.reset(seed=seed)[0].tolist(),)]
    for _ in range(steps):
        observation, reward, terminated, truncated, info = env.step(rng.uniform(-1, 1, env.action_space.shape))
        assert observation.dtype == np.float64
        assert (type(reward), type(terminated), type(truncated)) == (float, bool, bool)
        assert type(info["cost"]) is float
        assert info["cost"] in (0.0, 1.0)
        rows.append((observation.tolist(), reward, terminated, truncated, info["cost"]))
        if terminated or truncated:
            break
    return rows


def global_state() -> list[int]:
    state: Any = np.random.get_state()  # noqa: NPY002
    return [*state[1].tolist(), state[2]]


SECOND = {name for name, task in OLD.items() if task.family == "navigation" and name.endswith("2")}
"""The second level of a task has the first one's code, and more hazards."""


@pytest.mark.slow
@pytest.mark.parametrize(
    "task",
    [pytest.param(task, marks=pytest.mark.exhaustive if name in SECOND else []) for name, task in OLD.items()],
    ids=OLD,
)
def test_an_episode_follows_from_its_seed_and_not_from_those_before(task: Task):
    length = 6
    env, fresh = (make(replace(task, episode_length=length)) for _ in range(2))
    outer = global_state()
    play(env, 3, length, actions=9)
    again, first = play(env, 4, length), play(fresh, 4, length)
    assert global_state() == outer
    assert again == first
    assert len(again) == 1 + length  # nothing ended early
    assert again[-1][3]
    assert not any(row[3] for row in again[1:-1])
    assert np.shape(again[0][0]) == (task.observation_size,)
    other = env.reset(seed=5)[0]
    assert not np.array_equal(other, again[0][0])
    assert not np.array_equal(env.reset()[0], other)  # without a seed the generator goes on
    env.close()
    fresh.close()


@pytest.mark.parametrize("task", [task for task in OLD.values() if task.family == "navigation"])
def test_the_old_package_times_out_when_the_table_does(task: Task):
    env: Any = make(task)
    assert env.env.simulator.task.num_steps == task.episode_length


def test_actions_beyond_the_range_count_as_its_ends_except_in_the_ants_reward():
    for name in ("PointCircle1", "BallRun", "CarRun", "DroneRun", "AntRun"):
        env, size = make(TASKS[name]), TASKS[name].action_size
        steps: list[Any] = []
        for factor in (1.0, 2.0):
            env.reset(seed=0)
            steps.append([env.step(factor * np.ones(size)) for _ in range(3)][-1])
        np.testing.assert_array_equal(steps[0][0], steps[1][0])
        assert (steps[0][1] == steps[1][1]) == (name != "AntRun")
        env.close()


@each_bullet
def test_a_bullet_episode_starts_like_a_new_environments_whatever_came_before(task: Task):
    """The old package remembers motor commands and contacts, which shows after some histories only."""
    rng, env = np.random.default_rng(0), make(task)
    new = [play(make(task), seed, 20) for seed in range(3)]
    for _ in range(12):
        play(env, int(rng.integers(99)), int(rng.integers(40)), actions=int(rng.integers(99)))
        env.step(rng.choice([-1.0, 1.0], task.action_size))
        seed = int(rng.integers(3))
        assert play(env, seed, 20) == new[seed]


# Bullet: rewards and costs from the observations alone


def positions_and_velocities(task: Task, observations: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(x, y) and their derivatives, from observations that hold them in various scales."""
    three = task.name.startswith(("Ant", "Drone"))
    scale = next(
        scale for robot, scale in {"Ant": 0.3, "Ball": 0.2, "Car": 1, "Drone": 0.2}.items() if robot in task.name
    )
    start = 3 if three else 2
    return observations[:, :2] / 0.1, observations[:, start : start + 2] / scale


@each_bullet
def test_bullet_costs_follow_from_the_observations(task: Task):
    env, rng = make(task), np.random.default_rng(2)
    observations, costs = [], []
    direction = rng.uniform(-1, 1, (4, task.action_size))
    for seed in range(4):
        env.reset(seed=seed)
        for _ in range(task.episode_length // 2):
            observation, _, terminated, _, info = env.step(
                direction[seed] + 0.1 * rng.standard_normal(task.action_size)
            )
            observations.append(observation)
            costs.append(info["cost"])
            if terminated:
                break
    places, velocities = positions_and_velocities(task, np.array(observations))
    if "Run" in task.name:
        limit = 2.5 if task.name == "BallRun" else 1.5
        expected = (np.abs(places[:, 1]) > 2) | (np.linalg.norm(velocities, axis=1) > limit)
    else:
        expected = np.abs(places[:, 0]) > 6
    np.testing.assert_array_equal(costs, expected)
    if task.name in ("BallRun", "CarRun", "BallCircle", "DroneRun"):
        assert 0 < expected.mean() < 1


@pytest.mark.parametrize("name", ["BallRun", "CarRun", "BallCircle", "CarCircle"])
def test_bullet_rewards_follow_from_the_observations(name: str):
    """Run: 60 times the progress towards (1000, 0). Circle: speed times radius along the circle, near radius 7.5.

    The ball pays for the size of its action besides.
    """
    task = TASKS[name]
    env, rng = make(task), np.random.default_rng(1)
    start = env.reset(seed=1)[0]
    actions = rng.uniform(-0.4, 1, (40, task.action_size))
    steps: list[Any] = [env.step(action) for action in actions]
    observations = np.array([start, *(step[0] for step in steps)])
    places, velocities = positions_and_velocities(task, observations)
    effort = -0.5 * np.linalg.norm(actions, axis=1) if "Ball" in name else 0
    if "Run" in name:
        away = np.linalg.norm(places - [1000, 0], axis=1)
        expected = -60 * np.diff(away) + effort
    else:
        radius = np.linalg.norm(places, axis=1)
        around = places[:, 1] * velocities[:, 0] - places[:, 0] * velocities[:, 1]
        circle = env.unwrapped.simulator.task.circle.radius  # pyright: ignore[reportAttributeAccessIssue]
        expected = (0.1 * around / (1 + np.abs(radius - circle)))[1:] + 0.01 * effort
    rewards = [step[1] for step in steps]
    # The progress in the first step starts where the robot stood before it settled on the ground.
    np.testing.assert_allclose(rewards[1:], expected[1:], rtol=0, atol=1e-9)


# Navigation: the same from the bodies' places


@pytest.mark.parametrize("name", ["PointGoal1", "CarGoal1"])
def test_goal_rewards_are_the_progress_and_hazards_cost(name: str):
    env: Any = make(TASKS[name])
    env.reset(seed=6 if name == "PointGoal1" else 2)
    world = env.env.simulator.task

    def place(body: str) -> np.ndarray:
        return world.data.body(body).xpos[:2].copy()

    costs, met = [], 0
    before = np.linalg.norm(place("agent") - place("goal"))
    for _ in range(300):
        # Steers to the goal, as if no hazard were in the way.
        ahead = (place("goal") - place("agent")) @ world.agent.mat[:2, :2]
        forward, left = ahead if name == "PointGoal1" else (-ahead[1], ahead[0])
        turn = np.clip(np.arctan2(left, forward), -1, 1)
        action = [0.5, turn] if name == "PointGoal1" else [0.4 + 0.6 * turn, 0.4 - 0.6 * turn]
        goal = place("goal")
        _, reward, _, _, info = env.step(np.array(action))
        after = np.linalg.norm(place("agent") - goal)
        reached = after <= 0.3
        assert reward == pytest.approx(before - after + reached, abs=1e-6)
        assert bool(info.get("goal_met")) == reached
        near = min(np.linalg.norm(place("agent") - place(f"hazard{i}")) for i in range(8))
        assert info["cost"] == (near <= 0.2)
        costs.append(info["cost"])
        met += reached
        before = np.linalg.norm(place("agent") - place("goal"))  # that of the next goal, if this one was reached
    assert 0 < sum(costs) < 300
    assert met > 0


def test_circle_rewards_run_along_the_circle_and_walls_cost():
    env: Any = make(TASKS["PointCircle1"])
    env.reset(seed=0)
    world = env.env.simulator.task
    costs = []
    for _ in range(250):
        _, reward, _, _, info = env.step(np.array([1.0, 0.02]))
        (x, y), (u, v) = world.agent.pos[:2], world.agent.vel[:2]
        radius = np.hypot(x, y)
        assert reward == pytest.approx(0.1 * (v * x - u * y) / radius / (1 + abs(radius - 1.5)), abs=1e-12)
        assert info["cost"] == (abs(x) > 1.125)
        costs.append(info["cost"])
    assert 0 < sum(costs) < 250


def test_a_layout_with_a_cost_at_its_start_is_drawn_again(monkeypatch):
    env: Any = make(TASKS["PointCircle1"])
    seeds = []

    def reset(seed: int | None) -> Any:
        seeds.append(seed)
        assert len(seeds) > 3, "World has starting cost! {'cost_sum': 1.0}"
        return np.zeros(28), {}

    monkeypatch.setattr(env.env.simulator, "reset", reset)
    env.reset(seed=7)
    assert seeds == [7, None, None, None]
    seeds[:] = [0] * -ATTEMPTS
    monkeypatch.setattr(env.env.simulator, "reset", lambda seed: (_ for _ in ()).throw(AssertionError("starting cost")))
    with pytest.raises(InputError, match="PointCircle1 found no layout without a cost in 100 attempts"):
        env.reset(seed=7)


@pytest.mark.parametrize(
    "name", ["PointGoal1", "CarButton1", "CarPush2", "PointCircle1", "BallRun", "AntCircle", "DroneRun"]
)
def test_rendering_gives_frames_and_changes_nothing(name: str):
    env, unseen = make(TASKS[name], "rgb_array"), make(TASKS[name])
    for each in (env, unseen):
        each.reset(seed=0)
    frames: list[Any] = []
    for _ in range(2):
        try:
            frames.append(env.render())
        except InputError as error:
            pytest.skip(str(error))
        for _ in range(8):
            action = np.full(TASKS[name].action_size, 0.9)
            np.testing.assert_array_equal(env.step(action)[0], unseen.step(action)[0])
    for frame in frames:
        assert frame.shape == (480, 480, 3)
        assert frame.dtype == np.uint8
        assert frame.std() > 10
    assert (frames[0] != frames[1]).any()
    env.close()
    unseen.close()


def test_the_red_ball_is_drawn_in_steps_that_cost_alone():
    env = make(TASKS["BallRun"], "rgb_array")
    env.reset(seed=0)
    seen = set()
    for _ in range(100):
        cost = env.step(np.array([1.0, 0.0]))[4]["cost"]
        if cost not in seen:
            red, green, blue = np.moveaxis(np.asarray(env.render()).astype(int), -1, 0)
            assert ((red > 150) & (green < 50) & (blue < 50)).any() == (cost > 0)
            seen.add(cost)
    assert seen == {0.0, 1.0}
    env.close()


def test_render_modes_are_checked():
    for name in ("CarGoal1", "BallRun"):
        with pytest.raises(InputError, match="render mode 'human'"):
            make(TASKS[name], "human")
        with pytest.raises(InputError, match=f"{name} was made without a render mode"):
            make(TASKS[name]).render()
