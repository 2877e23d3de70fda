"""deep.benchmark.coverage: what is far from the data, what is recorded, and that added episodes are learned from."""

import json
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from deep import train
from deep.benchmark.coverage import __main__ as coverage
from deep.benchmark.coverage import measure, recording
from deep.benchmark.coverage.distance import Near, nearest
from deep.benchmark.coverage.measure import Study, Visited
from deep.benchmark.coverage.models import Models
from deep.benchmark.coverage.recording import extended, played
from deep.data.dataset import OfflineDataset
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
    near = Near.to(experiment)
    assert near.limit > 0.1, "to another trajectory, not to the state itself"
    assert not near.far(near.states[:50]).any()
    assert near.far(near.states[:50] + 100).all()
    assert near.far(torch.cat([near.states[:50], near.states[:50] + 100])).float().mean() == pytest.approx(
        0.5, abs=0.01
    )


def test_the_episodes_that_are_recorded_are_those_that_were_played(run):
    """All of their steps but the last one of a whole episode; a shorter one ends in a terminal step."""
    experiment, _ = finished(run)
    act = Study(experiment, episodes=3, steps=0).method.act_current
    episodes, data = played(experiment, act, 3)
    seeds = range(300_000, 300_003)
    known = rollout(experiment.task, experiment.player(act), seeds, replicas=len(data), threads=1)
    np.testing.assert_array_equal(episodes.costs, known.costs)
    for i, own in enumerate(data):
        whole = known.lengths[i] == experiment.task.episode_length
        assert own.lengths.tolist() == (known.lengths[i] - whole).tolist()
        assert own.terminals[own.ends].tolist() == (~whole).tolist()
        assert own.trajectory_returns[~whole] == pytest.approx(known.returns[i][~whole], rel=1e-5)
        assert np.abs(own.actions).max() <= 1
        inside = np.delete(np.arange(len(own)), own.ends)
        np.testing.assert_array_equal(own.next_observations[inside], own.observations[inside + 1])


def test_episodes_that_are_played_in_parts_keep_their_lengths(monkeypatch):
    """The second episode is in a part of its own, and longer: its last step is terminal, as 9 are a whole one."""
    lengths = np.array([[3, 4]])

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
    task, problem = SimpleNamespace(name="x", episode_length=9), SimpleNamespace(replicas=[None])
    experiment: Any = SimpleNamespace(task=task, problem=problem, player=lambda act: still)
    _, (own,) = played(experiment, lambda observations: observations, 2)
    assert own.observations[:, 0].tolist() == [0, 1, 2, 0, 1, 2, 3]
    assert own.terminals.tolist() == [False, False, True, False, False, False, True]


def test_each_policy_is_measured_from_the_critics_of_the_run(run):
    """The same policy twice has the same row twice: the first measurement leaves nothing behind."""
    experiment, _ = finished(run)
    study = Study(experiment, episodes=1, steps=50)
    with torch.no_grad():
        study.method.selection.kept.copy_(study.method.clone.ema[study.method.cloning.index])
    rows = [{key: value for key, value in row.items() if key != "policy"} for row in study.rows()]
    assert rows[:2] == rows[2:]


def episodes_of(problem, lengths: list[int], cost: float = 1.0) -> OfflineDataset:
    """Episodes of random states and actions; those of 5 steps time out, shorter ones are terminal."""
    rng = np.random.default_rng(0)
    observations, following = rng.normal(size=(2, sum(lengths), problem.observation_size)).astype(np.float32)
    ends = np.zeros(sum(lengths), dtype=bool)
    ends[np.cumsum(lengths) - 1] = True
    whole = np.repeat(np.array(lengths) == 5, lengths)
    actions = rng.uniform(-1, 1, (sum(lengths), problem.action_size)).astype(np.float32)
    rewards, costs = np.arange(sum(lengths), dtype=np.float32), np.full(sum(lengths), cost, np.float32)
    return OfflineDataset("HopperVel", observations, following, actions, rewards, costs, ends & ~whole, ends & whole)


def test_each_replica_has_numbers_of_its_own(run, monkeypatch):
    """The first one visits states of the data at a cost of 1, the second one states far from them at a cost of 3."""
    experiment, _ = finished(run)
    cheap, dear = (episodes_of(experiment.problem, [5] * 20, cost) for cost in (1.0, 3.0))
    own = [
        replace(cheap, observations=experiment.data.observations[:100]),
        replace(dear, observations=100 + dear.observations),
    ]
    totals = SimpleNamespace(costs=np.ones((2, 1)), returns=np.ones((2, 1)), lengths=np.ones((2, 1)))
    monkeypatch.setattr(measure, "played", lambda *rest: (totals, own))
    first, second = Study(experiment, episodes=1, steps=0).rows()[2:]
    assert (first["share_far"], first["cost_rate_near"], first["cost_rate_far"]) == (0, 1, None)
    assert (second["share_far"], second["cost_rate_near"], second["cost_rate_far"]) == (1, None, 3)


def test_learned_dynamics_say_what_their_ensemble_estimates_of_each_policy(run):
    """And that the states of their rollouts are far, where they are: the first replica's models are thrown off."""
    experiment, _ = finished(run)
    models, near = Models.trained(0.5, 50, experiment.problem), Near.to(experiment)
    study = Study(experiment, episodes=1, steps=0, models=(models,))
    rows = study.rows()
    with torch.no_grad():
        theta = study.method.selection.kept.clone()
        for tensor in (study.method.actor.theta, study.method.actor.ema):
            tensor.copy_(theta)
    estimate = models.ensemble.estimate(study.method.act_current)
    kept = [row["dynamics"][0] for row in rows[2:]]
    assert [row["cost"] for row in kept] == estimate.cost.tolist()
    assert [row["ood_score"] for row in kept] == estimate.ood_score.tolist()
    assert [row["interval"] for row in kept] == list(zip(*(x.tolist() for x in estimate[2:4]), strict=True))

    def act(states):
        return study.method.act_current(states)

    usual = models.say(act, near)
    with pytest.MonkeyPatch.context() as patch:  # the second replica's states alone are far
        patch.setattr(Near, "far", lambda self, states: torch.tensor([bool((states == second).all())]))
        second = torch.full((2, 3), 7.0)
        patch.setattr(models.ensemble, "estimate", lambda act: [act(torch.stack([second * 0, second])), estimate][1])
        assert [row["share_far"] for row in models.say(lambda states: states, near)] == [0, 1]
    models.ensemble.high = models.ensemble.high + 100
    models.ensemble.low = models.ensemble.high - 1
    assert [row["share_far"] for row in models.say(act, near)] > [row["share_far"] for row in usual]


def test_the_right_value_of_the_visited_states(run):
    """A cost of 1 a step goes on after a timeout, and is 40 in an episode of 40 steps; after a terminal it ends."""
    problem = finished(run)[0].problem
    gamma, length = problem.gamma, problem.task.episode_length
    visited = Visited.of([episodes_of(problem, [5, 5]), episodes_of(problem, [2])], problem)
    assert visited.cost[0] == pytest.approx(length)
    assert visited.cost[1] == pytest.approx((1 - gamma) * length * (1 + gamma + 1) / 2)


def test_the_data_with_episodes_besides(run):
    problem = finished(run)[0].problem
    replay, more = problem.replay, episodes_of(problem, [5, 3])
    longer = extended(problem, [more, more])
    assert len(longer) == len(replay) + 16
    torch.testing.assert_close(longer.observations[: len(replay)], replay.observations)
    for name in ("observations", "next_observations"):
        expected = replay.normalise(torch.from_numpy(getattr(more, name)))
        torch.testing.assert_close(getattr(longer, name)[-8:], expected)
    torch.testing.assert_close(longer.rewards[-8:], torch.arange(8.0) * problem.reward_scale)
    assert longer.not_terminal[-8:].tolist() == [1, 1, 1, 1, 1, 1, 1, 0]
    assert len(replay) == len(replay.observations), "the data stay as they are"


def test_critics_learn_the_costs_of_the_added_episodes(run):
    """Negative control: with the same steps on the data alone they do not."""
    experiment, _ = finished(run)
    study = Study(experiment, episodes=2, steps=200)
    dear = [episodes_of(experiment.problem, [5] * 100, cost=25.0)] * 2
    visited = Visited.of(dear, experiment.problem)
    study.learn(experiment.replay, "data alone")
    before = study.estimates(visited)["visited"]
    study.learn(extended(experiment.problem, dear), "with dear episodes")
    after = study.estimates(visited)["visited"]
    assert all(a > 2 * b + 1 for a, b in zip(after, before, strict=True)), (before, after)


def test_the_estimate_over_the_data_is_the_gates(run):
    experiment, _ = finished(run)
    study = Study(experiment, episodes=2, steps=0)
    gate = study.method.evaluation.by_critics
    assert gate is not None
    found = study.estimates(Visited.of([episodes_of(experiment.problem, [5])] * 2, experiment.problem))
    assert found["data"] == gate.estimate(study.method.act_current).cost.tolist()
    assert found["data"] != found["starts"] != found["visited"]


def test_the_command_writes_a_row_for_each_policy_and_limit(run, tmp_path, capsys):
    coverage.main([str(run), "--out", str(tmp_path / "x.json"), "--episodes", "2", "--steps", "50"])
    rows = json.loads((tmp_path / "x.json").read_text())["rows"]
    assert [(row["policy"], row["limit"]) for row in rows] == [("clone", 4), ("clone", 9), ("kept", 4), ("kept", 9)]
    assert any(row["cost"] for row in rows)
    for row in rows:
        shares = row["share_far"], 1 - row["share_far"]
        rates = row["cost_rate_far"], row["cost_rate_near"]
        rate = sum(share * rate for share, rate in zip(shares, rates, strict=True) if share)
        # An episode's last step may be left out, and some of the steps count twice.
        assert rate * row["steps"] == pytest.approx(row["cost"], rel=0.1, abs=1)
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
