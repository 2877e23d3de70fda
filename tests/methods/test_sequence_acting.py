"""Policies that remember or plan, wherever steps are taken: simulator, killed evaluation, models, film, latency."""

import json
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from deep import train
from deep.benchmark import latency
from deep.core.method import Policy
from deep.envs.rollout import rollout
from deep.envs.vector import Step
from deep.envs.velocity_vector import VelocityVectorEnv
from deep.evaluate import film
from deep.methods.sequence.planner import PlanningPolicy
from deep.ope.baselines import baseline_estimators
from deep.runs.player import PolicyPlayer
from tests.support.lighter import no_figures, short_episodes, unchecked
from tests.support.planning import experiment, small
from theory.support.errors import InputError

SEQUENCE = ("cdt", "b2r", "cdd", "tcdp", "sdgd", "trebi", "diffuser")
COST = 0.5
"""Of every step in these tests' simulators: an untrained policy falls before it is too fast."""


def budget_left(state: Any) -> Tensor:
    """What a policy of either kind carries of its budget."""
    return state.budget if hasattr(state, "budget") else state.next_cost


class Recorded(PolicyPlayer):
    """Keeps the last state."""

    def observe(self, state: Any, rewards: Any, costs: Any, done: Any) -> Any:
        self.last = super().observe(state, rewards, costs, done)
        return self.last


class Interrupted:
    """The simulator with a cost at every step; it is interrupted at step number `at`."""

    def __init__(self, at: int | None = None) -> None:
        self.step, self.at, self.steps = VelocityVectorEnv._step, at, 0

    def __call__(self, env: VelocityVectorEnv, actions: np.ndarray, indices: np.ndarray) -> Step:
        self.steps += 1
        if self.steps == self.at:
            raise KeyboardInterrupt
        return self.step(env, actions, indices)._replace(costs=np.full(len(indices), COST))


def interrupt(monkeypatch: pytest.MonkeyPatch, at: int | None) -> Interrupted:
    found = Interrupted(at)
    monkeypatch.setattr(VelocityVectorEnv, "_step", lambda *arguments: found(*arguments))
    return found


@pytest.mark.parametrize("algorithm", SEQUENCE)
def test_the_budget_falls_by_what_the_simulator_charges(algorithm, monkeypatch):
    interrupt(monkeypatch, None)
    run = experiment(algorithm=algorithm)
    player = Recorded(run.policy(), run.replay)
    played = rollout(run.task, player, range(3), replicas=4, threads=1)
    assert (played.costs == COST * played.lengths).all()
    assert len(np.unique(played.lengths)) > 1, "episodes that have ended are not charged for the others' steps"
    limits = run.problem.limits.unsqueeze(1).numpy()
    np.testing.assert_allclose(budget_left(player.last).numpy(), limits - played.costs, rtol=1e-5)


@pytest.mark.parametrize("algorithm", ["cdt", "tcdp", "trebi"])
@short_episodes()
@no_figures()
@unchecked()
def test_a_run_killed_in_its_evaluation_ends_with_the_same_scores(algorithm, dataset_file, tmp_path, monkeypatch):
    """The second command evaluates anew, from the episodes' first steps."""
    given = ["--algorithm", algorithm, *small(algorithm), "--dataset", str(dataset_file)]
    given += {"cdt": [], "tcdp": ["--steps", "50", "--inverse-steps", "50"], "trebi": ["--steps", "50"]}[algorithm]
    given += ["--cost-limits", "4", "60", "--episodes", "3", "--dynamics.steps", "0", "--device", "cpu"]
    with monkeypatch.context() as patch:
        whole = interrupt(patch, None)
        train.main([*given, "--out", str(tmp_path / "whole")])
    assert whole.steps > 12
    with monkeypatch.context() as patch:
        interrupt(patch, 9)
        with pytest.raises((KeyboardInterrupt, SystemExit)):
            train.main([*given, "--out", str(tmp_path / "killed")])
    assert not (tmp_path / "killed" / "summary.json").exists()
    with monkeypatch.context() as patch:
        interrupt(patch, None)
        train.main([*given, "--out", str(tmp_path / "killed"), "--resume"])
    results = [json.loads((tmp_path / name / "summary.json").read_text())["results"] for name in ("whole", "killed")]
    assert results[0] == results[1]
    assert results[0][0]["cost_return"] == pytest.approx(COST * results[0][0]["episode_length"])


class Watched:
    """A policy whose states and costs are kept."""

    def __init__(self, policy: Policy) -> None:
        self.policy, self.markov, self.max_batch = policy, policy.markov, policy.max_batch
        self.costs: list[Tensor] = []

    def start(self, batch: int) -> Any:
        return self.policy.start(batch)

    def act(self, state: Any, observations: Tensor) -> tuple[Tensor, Any]:
        return self.policy.act(state, observations)

    def observe(self, state: Any, rewards: Tensor, costs: Tensor, done: Tensor) -> Any:
        self.costs.append(costs)
        self.last = self.policy.observe(state, rewards, costs, done)
        return self.last


@pytest.mark.parametrize("algorithm", SEQUENCE)
def test_the_budget_falls_by_what_learned_dynamics_predict(algorithm):
    options = "--dynamics.steps 2 --dynamics.members 2 --dynamics.hidden 8 --dynamics.episodes 3".split()
    run = experiment(*options, algorithm=algorithm)
    watched = Watched(run.policy())
    run.dynamics.rollout(watched, steps=5)
    total = torch.stack(watched.costs).sum(0)
    assert len(watched.costs) == 5
    assert total.shape == (4, 6)
    assert total.abs().min() > 0
    expected = run.problem.limits.unsqueeze(1) - total.double()
    torch.testing.assert_close(budget_left(watched.last).double(), expected, rtol=1e-5, atol=1e-5)


class Camera:
    """An environment of 7 steps that can be filmed."""

    def reset(self, seed: int) -> tuple[np.ndarray, dict[str, Any]]:
        self.steps = 0
        return np.zeros(11, dtype=np.float32), {}

    def render(self) -> np.ndarray:
        return np.zeros((8, 8, 3), dtype=np.uint8)

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, float]]:
        self.steps += 1
        return np.zeros(11, dtype=np.float32), 1.0, self.steps == 7, False, {"cost": COST}

    def close(self) -> None: ...


@pytest.mark.parametrize("algorithm", ["cdt", "tcdp", "trebi"])
def test_a_film_carries_the_state(algorithm, tmp_path, monkeypatch):
    run = experiment(algorithm=algorithm)
    player = Recorded(run.policy(), run.replay)
    monkeypatch.setattr(run, "player", lambda: player)
    monkeypatch.setattr(film, "make", lambda task, render_mode: Camera())
    film.film(run, tmp_path / "film.gif")
    limits = run.problem.limits.tolist()
    charged = [limits[i] - (7 * COST if i == 3 else 0) for i in range(4)]  # the last replica's film
    assert budget_left(player.last)[:, 0].tolist() == pytest.approx(charged)
    assert (tmp_path / "film.gif").stat().st_size > 0


@pytest.fixture
def plans_drawn(monkeypatch) -> list[int]:
    """How many states each call made plans for."""
    drawn: list[int] = []
    plan = PlanningPolicy._plan

    def counted(self: PlanningPolicy, state: Any, observations: Tensor, noise: Tensor) -> Tensor:
        drawn.append(observations.shape[1])
        return plan(self, state, observations, noise)

    monkeypatch.setattr(PlanningPolicy, "_plan", counted)
    return drawn


def test_the_time_of_1000_actions_counts_a_plan_as_often_as_an_evaluation_draws_one(plans_drawn, monkeypatch):
    monkeypatch.setattr(latency, "ACTIONS", 20)
    monkeypatch.setattr(latency, "REPEATS", 1)
    run = experiment("--seeds", "0", "--cost-limits", "4")  # a plan is followed for two steps
    found = latency._times(run, "", run.data.observations[:20][None])
    assert found["single"] > found["batched"] > 0
    single, batched = plans_drawn.count(1), plans_drawn.count(20)
    assert single == 10 + 10, "warm-up and measurement, 20 actions each"
    assert batched == 1 + latency.BATCHED_STEPS // 2


def test_one_replica_is_timed_whatever_the_run_had():
    run = experiment("--return-targets", "5", "9", algorithm="cdt")
    one = latency.first_replica(run.settings)
    assert (one.seeds, one.cost_limits, one.method.return_targets) == ((0,), (4.0,), (5.0,))
    assert latency.first_replica(experiment().settings).cost_limits == (4.0,)


@pytest.mark.parametrize("algorithm", SEQUENCE)
def test_estimators_that_query_isolated_states_reject_such_a_policy(algorithm):
    run = experiment(algorithm=algorithm)
    for estimator in baseline_estimators(run.problem).values():
        with pytest.raises(InputError, match="not defined for a policy with a memory"):
            estimator.estimate(run.policy())
    with pytest.raises(InputError, match="not defined for a policy with a memory"):
        run.act(run.data.observations[None, :2].repeat(4, 0))
