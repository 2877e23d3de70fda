"""The collector: PPO's parts against their equations, runs that are killed and resumed, and the embedded data."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from deep.collect import __main__ as collect
from deep.collect import pipeline as collection
from deep.collect.pipeline import Plan, select
from deep.collect.ppo import Learner, Multiplier, PPOConfig, gae
from deep.collect.recipes import RECIPES, SUITE, Settings, limits, recipe
from deep.collect.report import plot
from deep.data.load import EMBEDDED, load
from deep.envs.vector import Step, VectorEnv
from deep.envs.velocity_vector import VelocityVectorEnv
from deep.tasks import find_task
from tests.support.builders import TINY_COLLECTION
from tests.support.one_process import one_process

TINY = Settings(
    trajectories=6, episodes=3, runs=2, pilots=2, snapshot_every=2, steps=160,
    ppo=PPOConfig(environments=4, horizon=8, segment=2, minibatch=16, epochs=2, hidden=8, initial_multiplier=0.5),
)  # fmt: skip


def stop_never(steps: int) -> None:
    pass


# Advantages


def advantages_by_recursion(signal, values, next_values, terminated, ended, terminal_values, gamma, decay):
    """One environment and head at a time, from the definition: sums of deltas until the episode's end."""
    time_steps, envs, heads = signal.shape
    result = np.zeros_like(signal)
    for env in range(envs):
        for head in range(heads):
            for start in range(time_steps):
                weight = 1.0
                for t in range(start, time_steps):
                    after = terminal_values[head] if terminated[t, env] else next_values[t, env, head]
                    delta = (1 - gamma) * signal[t, env, head] + gamma * after - values[t, env, head]
                    result[start, env, head] += weight * delta
                    weight *= gamma * decay
                    if ended[t, env]:
                        break
    return result


def test_gae_is_the_sum_of_deltas_up_to_the_end_of_the_episode():
    rng = np.random.default_rng(0)
    signal, values, next_values = rng.standard_normal((3, 12, 5, 2))
    terminated = rng.random((12, 5)) < 0.15
    ended = terminated | (rng.random((12, 5)) < 0.15)
    assert (terminated[:-1]).any()
    assert (ended & ~terminated)[:-1].any()
    arguments = (signal, values, next_values, terminated, ended, np.array([0.0, 1.0]), 0.9, 0.8)
    np.testing.assert_allclose(gae(*arguments), advantages_by_recursion(*arguments), atol=1e-12)


def test_gae_keeps_the_value_after_a_time_out_and_charges_a_fall():
    # One step, V = 0, V' = 2: a time-out earns gamma V'; a fall earns nothing (reward head) or costs gamma (cost head).
    zeros, ones = np.zeros((1, 1, 2)), np.ones((1, 1), dtype=bool)
    arguments = (zeros, zeros, zeros + 2)
    time_out = gae(*arguments, ~ones, ones, np.array([0.0, 1.0]), 0.9, 0.95)
    fall = gae(*arguments, ones, ones, np.array([0.0, 1.0]), 0.9, 0.95)
    np.testing.assert_allclose(time_out[0, 0], [1.8, 1.8])
    np.testing.assert_allclose(fall[0, 0], [0.0, 0.9])


# The multiplier


def test_multiplier_rises_with_excess_cost_falls_without_it_and_does_not_wind_up():
    config = PPOConfig(max_multiplier=1.0)
    start = Multiplier(0.5, 0.5)
    assert start.step(0.1, config).value > 0.5 > start.step(-0.1, config).value
    assert start.step(0.1, config).integral > 0.5 > start.step(-0.1, config).integral
    multiplier = start
    for _ in range(10_000):
        multiplier = multiplier.step(1.0, config)
    assert multiplier == (1.0, 1.0)
    for _ in range(60):  # 50 iterations of an excess of -1 empty the integral, however long it was full
        multiplier = multiplier.step(-1.0, config)
    assert multiplier == (0.0, 0.0)


class Throttle(VectorEnv):
    """Environments whose reward is the action and which cost 1 where the action is above 0."""

    def __init__(self, count: int):
        sizes = {"observation_size": 1, "action_size": 1, "episode_length": 20}
        super().__init__(replace(find_task("HopperVel"), reward_range=(0.0, 20.0), **sizes), count)

    def _reset(self, seeds, indices):
        return np.zeros((len(indices), 1))

    def _step(self, actions, indices):
        action, never = actions[:, 0].astype(float), np.zeros(len(indices), dtype=bool)
        return Step(np.zeros((len(indices), 1)), action, (action > 0) * 1.0, never, self.elapsed[indices] >= 20)

    def close(self):
        pass


@pytest.mark.parametrize(("limit", "lowest", "highest"), [(20.0, 0.5, 5.0), (0.0, -2.0, -0.2)])
def test_learner_goes_for_reward_when_the_limit_allows_and_avoids_cost_when_not(limit, lowest, highest):
    config = PPOConfig(environments=16, horizon=16, minibatch=64, epochs=4, learning_rate=1e-2, initial_multiplier=1.0,
                       max_multiplier=10.0, integral_gain=1.0)  # fmt: skip
    learner = Learner(config, Throttle(16), seed=0)
    for _ in range(16):
        learner.iterate(limit, progress=0.0)
    mean, _ = learner.policy(np.zeros((1, 1, 1)))
    assert lowest < float(mean) < highest


# Playing, choosing


def test_episodes_are_whole_in_order_and_of_the_snapshots_own_policy():
    task, config = find_task("HopperVel"), TINY.ppo
    with VelocityVectorEnv(task, 4, 1) as envs:
        one = Learner(config, envs, 0).policy
        two = one._replace(**{name: getattr(one, name).repeat(2, 1) for name in ("theta", "mean", "scale")})
        rows = collection.play(envs, two.with_noise(torch.tensor([1e-9, 2.0])), 2, np.random.default_rng(0))
    last = np.cumsum(rows["lengths"]) - 1
    ends = np.flatnonzero(rows["terminals"] | rows["timeouts"])
    np.testing.assert_array_equal(ends, last)
    assert len(last) == 4
    inside = np.setdiff1d(np.arange(len(rows["rewards"]) - 1), last)
    np.testing.assert_array_equal(rows["next_observations"][inside], rows["observations"][inside + 1])
    silent = slice(0, last[1] + 1)
    means, _ = one(rows["observations"][None, silent].astype(float))
    np.testing.assert_allclose(rows["actions"][silent], means[0].clamp(-1, 1).numpy(), atol=1e-5)
    assert np.abs(rows["actions"][last[1] + 1 :]).max() == 1.0  # noise of size 1 gets clipped


def test_selection_visits_every_cell_before_any_twice_and_leaves_out_what_costs_too_much():
    # Policies 0-8 share a cell; 9 and 10 have cells of their own; 11 is too costly; 12 loses one episode of 4.
    cost = np.array([1.0] * 9 + [50.0, 100.0, 300.0, 25.0]).repeat(4)
    returns = np.array([1000.0] * 13).repeat(4)
    cost[-1] = 251.0
    policies = np.arange(13).repeat(4)
    settings = Settings(trajectories=17, episodes=4)
    kept = select(policies, returns, cost, settings)
    count = np.bincount(policies[kept], minlength=13)
    assert count.sum() == 17
    assert count[9] == count[10] == 4
    assert count[11] == 0
    assert count[12] == 3
    assert sorted(count[:9])[-2:] == [2, 4]
    assert (np.diff(kept) > 0).all()


# Stopping and resuming


def arrays_of(settings: Settings, folder: Path) -> dict[str, np.ndarray]:
    for number in range(settings.runs):
        collection.run(settings, number, folder, stop_never)
    dataset = collection.assemble(settings, folder)
    return {key: getattr(dataset, key) for key in (*collection.COLUMNS, "policies")}


def test_a_stopped_run_goes_on_to_the_same_data_and_another_seed_to_others(tmp_path):
    whole, parts, other = (tmp_path / name for name in ("whole", "parts", "other"))
    for folder in (whole, parts, other):
        folder.mkdir()

    class Stopped(Exception):
        pass

    for iterations, saved in ((3, {"0": 2}), (5, {"0": 2, "1": 2}), (7, {"0": 2, "1": 2, "2": 4})):
        # stopped three times: in the second pilot, at the start of the main stage, and after its first save
        left = [32 * iterations]  # 32 environment steps an iteration, those of earlier calls included

        def stop_after(steps: int, left: list[int] = left) -> None:
            left[0] -= steps
            if left[0] <= 0:
                raise Stopped

        with pytest.raises(Stopped):
            collection.run(TINY, 0, parts, stop_after)
        stages = {path.stem[-1]: load_file(path)["numbers"][0] for path in parts.glob("run-0-stage-*.safetensors")}
        assert stages == saved
    expected, found = arrays_of(TINY, whole), arrays_of(TINY, parts)
    for key in expected:
        np.testing.assert_array_equal(found[key], expected[key])
    arrays_of(replace(TINY, seed=1), other)
    first, second = (load_file(folder / "run-0.safetensors")["actions"] for folder in (whole, other))
    assert first.shape != second.shape or (first != second).any()


def test_a_run_may_be_shorter_than_a_segment_and_its_plot_needs_no_costs(tmp_path):
    settings = replace(TINY, steps=1, runs=1)
    collection.run(settings, 0, tmp_path, stop_never)
    assert [path.name for path in tmp_path.iterdir()] == ["run-0.safetensors"]
    dataset = collection.assemble(settings, tmp_path)
    assert dataset.trajectory_costs.max() == 0
    plot(dataset, tmp_path / "plot.png")


def test_a_bullet_task_is_collected_with_its_own_defaults(tmp_path):
    settings = replace(TINY, task="BallRun", runs=1)
    collection.run(settings, 0, tmp_path, stop_never)
    dataset = collection.assemble(settings, tmp_path)
    assert dataset.observations.shape[1] == 7
    assert (np.diff(dataset.ends) == 100).all()
    assert "pybullet" in dataset.provenance["versions"]
    assert "--task BallRun" in dataset.provenance["command"]
    assert "--pilots 2" in dataset.provenance["command"]  # the default of this task is 1


def test_recipes_belong_to_tasks_and_limits_scale_with_the_largest_cost():
    assert all(find_task(name).name == name for name in RECIPES)
    by_id = collect.parse(["--task", "OfflineBallRun-v0", "--seed", "3"]).settings
    assert replace(by_id, task="BallRun") == replace(recipe("BallRun"), seed=3) != Settings(task="BallRun", seed=3)
    assert collect.parse([]).settings == Settings()
    assert collect.parse(["--task", "CarRun"]).out == Path("CarRun.hdf5")
    assert limits("HopperVel", 1) == (100, 10, 250)
    assert limits("BallRun", 5) == pytest.approx((32, 3.2, 80))  # 80 is the largest cost in DSRL's data


def test_every_task_of_the_suite_has_a_recipe_and_every_family_a_task():
    assert set(SUITE) <= set(RECIPES)
    assert {find_task(name).family for name in SUITE} == {"velocity", "bullet", "navigation"}
    for name in SUITE:
        settings = recipe(name)
        assert settings.task == name
        assert settings.pilots > 1 or find_task(name).family != "velocity"  # those can fall, or move wrongly, at first
        snapshots = sum(Plan(settings, run)._multiples(Plan(settings, run).iterations) for run in range(settings.runs))
        assert snapshots * settings.episodes >= settings.trajectories


def command(out: Path, *words: str) -> list[str]:
    tiny = [str(word) for pair in TINY_COLLECTION.items() for word in pair]
    return [sys.executable, "-m", "deep.collect", "--out", str(out), *words, *tiny]


def test_a_killed_command_resumed_with_more_workers_writes_the_same_file(tmp_path):
    whole, killed = tmp_path / "whole.hdf5", tmp_path / "killed.hdf5"
    with one_process():
        collect.main(command(whole, "--workers", "1")[3:])
    assert whole.with_suffix(".png").stat().st_size > 10_000
    assert not whole.with_suffix(".unfinished").exists()

    process = subprocess.Popen(command(killed, "--workers", "1"), stderr=subprocess.DEVNULL)
    folder = killed.with_suffix(".unfinished")
    while not list(folder.glob("run-0*.safetensors")):
        assert process.poll() is None
        time.sleep(0.005)
    workers = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    assert workers
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not killed.exists()
    deadline = time.monotonic() + 20
    while any(Path(f"/proc/{worker}").exists() for worker in workers):  # none is left behind
        assert time.monotonic() < deadline
        time.sleep(0.05)
    collect.main(command(killed, "--workers", "2", "--resume")[3:])
    assert killed.read_bytes() == whole.read_bytes()
    dataset = load(find_task("HopperVel"), killed)
    assert len(dataset.ends) == 6
    assert dataset.provenance["seed"] == 0
    assert "--ppo.hidden 8" in dataset.provenance["command"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--out", "a.txt"], "ends in .hdf5"),
        (["--out", "a.hdf5", "--task", "Hopper"], "unknown task 'Hopper'"),
        (["--out", "a.hdf5", "--trajectories", "0"], "--trajectories 0: at least 1"),
        (["--out", "a.hdf5", "--seed", "-1"], "--seed -1: at least 0"),
        (["--out", "a.hdf5", "--ppo.segment", "0"], "--ppo.segment 0: at least 1"),
        (["--out", "a.hdf5", "--noise", "1", "0"], "--noise 1.0 0.0: one number above 0"),
        (["--out", "there.hdf5"], "exists: another name"),
        (["--out", "stopped.hdf5"], "--resume goes on"),
        (["--out", "stopped.hdf5", "--resume"], "other settings"),
        (["--out", "there.hdf5/a.hdf5"], "a place to write"),
    ],
)
def test_unusable_arguments_are_refused_in_one_sentence(words, sentence, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("there.hdf5").write_text("")
    Path("stopped.unfinished").mkdir()
    Path("stopped.unfinished/settings.json").write_text("{}")
    monkeypatch.setattr(sys, "argv", ["deep.collect", *words])
    with pytest.raises(SystemExit) as exit_:
        collect.main()
    assert exit_.value.code == 2
    printed = capsys.readouterr().err
    assert sentence in printed
    assert printed.startswith("error: ")
    assert printed.count("\n") == 1


# The embedded data


@pytest.fixture(scope="module")
def embedded():
    return load(find_task("HopperVel"), "embedded")


def test_embedded_data_cover_the_plane(embedded):
    costs, returns = embedded.trajectory_costs, embedded.trajectory_returns
    assert (EMBEDDED / "HopperVel.hdf5").stat().st_size <= 18_000_000
    assert 950 <= len(costs) <= 1050
    assert costs.min() == 0
    assert 230 < costs.max() <= 250
    assert returns.min() < 200
    assert returns.max() > 1600


@pytest.mark.parametrize("limit", [10, 20, 40, 80])
def test_embedded_data_hold_good_trajectories_within_every_limit(embedded, limit):
    eligible = embedded.trajectory_costs <= limit
    assert eligible.sum() >= 50
    assert len(np.unique(embedded.policies[eligible])) >= 3
    assert embedded.trajectory_returns[eligible].max() > 1600


def test_embedded_policies_are_seen_several_times(embedded):
    counts = np.bincount(embedded.policies)
    assert np.median(counts) >= 5
    assert (counts > 0).all()


def test_embedded_data_say_how_they_were_made(embedded):
    readme = (EMBEDDED / "README.md").read_text()
    assert embedded.provenance["command"] in readme
    assert embedded.sha256 in readme
