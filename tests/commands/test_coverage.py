"""deep.benchmark.coverage: what is far from the data, what is recorded, and that added episodes are learned from."""

import json
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from deep import train
from deep.benchmark.coverage import __main__ as coverage
from deep.benchmark.coverage import recording
from deep.benchmark.coverage.measure import Study, Visited, far_from, nearest
from deep.benchmark.coverage.recording import Trajectory, extended, played
from deep.envs.rollout import rollout
from deep.runs.experiment import finished
from tests.support import lighter
from tests.support.builders import TINY
from theory.support.words import last_of_each


@pytest.fixture(scope="module", autouse=True)
def light():
    """Short episodes: nothing here needs more."""
    with lighter.short_episodes(), lighter.no_figures():
        yield


@pytest.fixture(scope="module")
def run(dataset_file, tmp_path_factory):
    """A finished run of DRCORL whose critics are the gate."""
    folder = tmp_path_factory.mktemp("runs") / "drcorl"
    words = ["--dataset", str(dataset_file), "--episodes", "1", "--device", "cpu", "--seeds", "1", "--cost-limits", "4"]
    words += ["9", "--gate.kind", "td", "--clone.trajectories", "all", "--critics.reward", "td", "--out", str(folder)]
    train.main(last_of_each([*TINY, "--dynamics.steps", "0", *words]))
    return folder


def test_the_nearest_state_is_the_nearest_one():
    states, others = torch.randn(450, 3), torch.randn(70, 3)
    expected = (states[:, None] - others[None]).norm(dim=2).min(1).values
    torch.testing.assert_close(nearest(states, others), expected, atol=1e-4, rtol=1e-4)


def test_a_state_of_the_data_is_near_and_one_beyond_them_is_far(run):
    experiment, _ = finished(run)
    states, limit = far_from(experiment)
    assert limit > 0.1, "to another trajectory, not to the state itself"
    assert not (nearest(states[:50], states) > limit).any()
    assert (nearest(states[:50] + 100, states) > limit).all()


def test_the_episodes_that_are_recorded_are_those_that_were_played(run):
    experiment, _ = finished(run)
    act = Study(experiment, episodes=3, steps=0).method.act_current
    episodes = played(experiment, act, 3)
    seeds = range(300_000, 300_003)
    known = rollout(experiment.task, experiment.player(act), seeds, replicas=len(episodes), threads=1)
    for i, own in enumerate(episodes):
        assert [len(episode.costs) for episode in own] == known.lengths[i].tolist()
        np.testing.assert_allclose([episode.costs.sum() for episode in own], known.costs[i], rtol=1e-6)
        np.testing.assert_allclose([episode.rewards.sum() for episode in own], known.returns[i], rtol=1e-5)
        for episode in own:
            assert np.abs(episode.actions).max() <= 1


def test_episodes_that_are_played_in_parts_keep_their_lengths(monkeypatch):
    """The second episode is in a part of its own, and longer."""
    lengths = np.array([[2, 3]])

    def in_two_parts(task, player, seeds, replicas, threads):
        for first in (0, 1):
            state = player.start(first, 1)
            for step in range(lengths[0, first]):
                _, state = player.act(state, np.full((1, 1, 4), step, np.float32))
                state = player.observe(state, *(np.zeros((1, 1), kind) for kind in (np.float32, np.float32, bool)))
        return SimpleNamespace(lengths=lengths)

    monkeypatch.setattr(recording, "rollout", in_two_parts)
    still = SimpleNamespace(
        start=lambda first, count: None,
        act=lambda state, observations: (np.zeros((1, 1, 2)), state),
        observe=lambda state, *outcome: state,
    )
    problem = SimpleNamespace(replicas=[None])
    experiment: Any = SimpleNamespace(task=None, problem=problem, player=lambda act: still)
    (own,) = played(experiment, lambda observations: observations, 2)
    assert [episode.observations[:, 0].tolist() for episode in own] == [[0, 1], [0, 1, 2]]


def test_each_policy_is_measured_from_the_critics_of_the_run(run):
    """The same policy twice has the same row twice: the first measurement leaves nothing behind."""
    experiment, _ = finished(run)
    study = Study(experiment, episodes=1, steps=50)
    with torch.no_grad():
        study.method.selection.kept.copy_(study.method.clone.ema[study.method.cloning.index])
    rows = [{key: value for key, value in row.items() if key != "policy"} for row in study.rows()]
    assert rows[:2] == rows[2:]


def test_the_cost_to_go_by_hand():
    episode = Trajectory(np.zeros((3, 1)), np.zeros((3, 1)), np.zeros(3), np.array([0.0, 3.0, 6.0]))
    np.testing.assert_allclose(episode.cost_to_go(0.5, ended=True), [3.0, 6.0, 6.0])
    np.testing.assert_allclose(episode.cost_to_go(0.5, ended=False), [3.75, 7.5, 9.0], err_msg="3 a step from then on")


def test_added_transitions_lead_from_each_observation_to_the_next(run):
    experiment, _ = finished(run)
    replay, sizes = experiment.replay, (experiment.problem.observation_size, experiment.problem.action_size)

    def episode(length: int) -> Trajectory:
        rng = np.random.default_rng(length)
        observations, actions = (rng.normal(size=(length, size)).astype(np.float32) for size in sizes)
        return Trajectory(observations, actions, np.arange(length, dtype=np.float32), np.ones(length, np.float32))

    whole, short = episode(5), episode(3)
    longer = extended(replay, [whole, short], 5, reward_scale=2.0)
    assert len(longer) == len(replay) + 4 + 3, "the last step of a whole episode leads nowhere that is known"
    torch.testing.assert_close(longer.observations[: len(replay)], replay.observations)
    expected = replay.normalise(torch.from_numpy(whole.observations))
    torch.testing.assert_close(longer.observations[len(replay) :][:4], expected[:4])
    torch.testing.assert_close(longer.next_observations[len(replay) :][:4], expected[1:])
    assert longer.rewards[len(replay) :].tolist() == [0, 2, 4, 6, 0, 2, 4]
    assert longer.not_terminal[len(replay) :].tolist() == [1, 1, 1, 1, 1, 1, 0]


def test_critics_learn_the_costs_of_the_added_episodes(run):
    """Negative control: with the same steps on the data alone they do not."""
    experiment, _ = finished(run)
    study = Study(experiment, episodes=2, steps=200)
    act, replay = study.method.act_current, experiment.replay
    episodes = played(experiment, act, 2)
    dear = [Trajectory(*own[0][:3], np.full(len(own[0].costs), 25, np.float32)) for own in episodes]
    visited = [Visited.of([episode], experiment) for episode in dear]
    study.learn(replay, "data alone")
    before = study.estimates(visited)["visited"]
    study.learn(extended(replay, dear * 20, experiment.task.episode_length, 1.0), "with dear episodes")
    after = study.estimates(visited)["visited"]
    assert all(a > 2 * b + 1 for a, b in zip(after, before, strict=True)), (before, after)


def test_the_command_writes_a_row_for_each_policy_and_limit(run, tmp_path, capsys):
    coverage.main([str(run), "--out", str(tmp_path / "x.json"), "--episodes", "2", "--steps", "50"])
    rows = json.loads((tmp_path / "x.json").read_text())["rows"]
    assert [(row["policy"], row["limit"]) for row in rows] == [("clone", 4), ("clone", 9), ("kept", 4), ("kept", 9)]
    for row in rows:
        shares = row["share_far"], 1 - row["share_far"]
        rates = row["cost_rate_far"], row["cost_rate_near"]
        rate = sum(share * rate for share, rate in zip(shares, rates, strict=True) if share)
        assert rate * 40 == pytest.approx(row["cost"], rel=0.6, abs=5)
    assert "kept" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        coverage.main([str(run), "--out", str(tmp_path / "x.json")])
    assert "x.json exists: a new file is accepted" in capsys.readouterr().err
    for words, said in (
        (["--episodes", "0"], "accepted are at least 1"),
        (["--steps", "20"], "accepted is a multiple of 50"),
    ):
        with pytest.raises(SystemExit):
            coverage.main([str(run), *words])
        assert said in capsys.readouterr().err
