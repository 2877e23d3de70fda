"""Data of one's own, from `tests.support.custom_lab`: what they are taken to be, trained, estimated, simulated; and
refusals."""

import json
from contextlib import nullcontext
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch

from deep import train, training
from deep.benchmark.ope_study.policies import FinishedRun
from deep.benchmark.rows import collected, rows_of
from deep.data.custom import CustomData, cost_limits, load_custom
from deep.envs import rollout as batched
from deep.evaluate import __main__ as evaluate
from deep.evaluate.doubts import DOUBTS
from deep.evaluate.scores import DEPENDS_ON_CLONE, explanation, offline_costs, table
from deep.runs.experiment import Experiment, finished
from tests.support import custom_lab as custom_lab
from tests.support.builders import TINY
from tests.support.custom_runs import BOUNDS, CART, SETTINGS, arrays, trained, without_successors, write
from tests.support.lighter import no_figures
from theory.support.errors import InputError

pytestmark = pytest.mark.usefixtures("unchecked")


@pytest.mark.slow
@pytest.mark.parametrize("algorithm", SETTINGS)
def test_a_file_without_a_simulator_is_trained_on_and_estimated(algorithm, recorded, tmp_path, capsys):
    out = tmp_path / "run"
    seeds = (0, 3) if algorithm == "bc_all" else (0,)
    with nullcontext() if algorithm == "drcorl" else no_figures():
        summary = trained(out, recorded, algorithm, *BOUNDS, "--seeds", *map(str, seeds))
    screen = capsys.readouterr().out
    assert "Nothing was simulated" in screen
    assert "actions of 1 in [-2, 2]" in screen
    assert (summary["simulated"], summary["task"]) == (False, "cart")
    limits = cost_limits(load_custom(recorded, CustomData(action_low=(-2,), action_high=(2,)))[1].trajectory_costs)
    assert [(r["seed"], r["cost_limit"]) for r in summary["results"]] == [(s, x) for s in seeds for x in limits]
    for result in summary["results"]:
        assert not {"reward", "cost", "safe", "cost_return"} & result.keys()
        low, high = result["offline_cost_interval"]
        assert 0 <= low <= result["offline_cost_estimate"] <= high <= custom_lab.LENGTH
        assert 0 < result["offline_length_estimate"] <= custom_lab.LENGTH
        assert set(result["offline_baselines"]) == {"fitted_q", "nearest", "dice"}
    for name in ("results.png", "training.png"):
        assert (out / name).stat().st_size > 0

    evaluate.main([str(out)])
    assert "Nothing was simulated: all numbers are estimates" in capsys.readouterr().out
    again = json.loads((out / "evaluation.json").read_text())
    assert (again["simulated"], again["episodes"], again["results"]) == (False, 0, summary["results"])


@pytest.mark.slow
@no_figures()
def test_a_named_simulator_scores_the_policy_in_its_own_units(recorded, tmp_path, capsys, monkeypatch):
    """Against a loop over the environment itself, which refuses actions outside its bounds."""
    out = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(batched, "cores", lambda asked, most: 1)  # evaluation, below, takes worker processes
        summary = trained(out, recorded, "bc_all", "--env", CART, "--cost-limits", "4", "--episodes", "3")
    assert "simulator: tests.support.custom_lab:Cart-v0, after training" in capsys.readouterr().out
    (result,) = summary["results"]
    experiment, _ = finished(out)
    env, returns, costs = gymnasium.make("Cart-v0"), [], []
    for seed in range(100_000, 100_003):
        observation, _ = env.reset(seed=seed)
        total, paid, done = 0.0, 0.0, False
        while not done:
            action = 2 * experiment.act(observation[None, None])[0, 0]
            observation, reward, terminated, truncated, info = env.step(action.astype(np.float32))
            total, paid, done = total + float(reward), paid + info["cost"], terminated or truncated
        returns.append(total)
        costs.append(paid)
    assert result["reward_return"] == pytest.approx(np.mean(returns), abs=1e-4)
    assert result["cost_return"] == pytest.approx(np.mean(costs))
    low, high = experiment.task.reward_range
    assert result["reward"] == pytest.approx((np.mean(returns) - low) / (high - low), abs=1e-4)
    assert summary["simulated"]

    evaluate.main([str(out), "--episodes", "3", "--video", str(tmp_path / "film.gif")])
    again = json.loads((out / "evaluation.json").read_text())
    assert again["results"] == summary["results"]
    assert (tmp_path / "film.gif").stat().st_size > 0


@pytest.mark.slow
@no_figures()
def test_a_simulator_that_breaks_later_ends_in_one_sentence_and_scoring_can_be_repeated(
    recorded, tmp_path, capsys, monkeypatch
):
    words = ["--dataset", str(recorded), "--algorithm", "bc_all", *SETTINGS["bc_all"], "--cost-limits", "4"]
    words += ["--env", "tests.support.custom_lab:WornCart-v0", "--episodes", "2", "--out", str(tmp_path / "run")]
    with pytest.raises(SystemExit) as caught:
        train.main(words)
    assert caught.value.code == 2
    error = capsys.readouterr().err
    assert "--env tests.support.custom_lab:WornCart-v0 cannot make a step: OSError: motor stall" in error
    assert error.count("error: ") == 1
    monkeypatch.setattr(custom_lab, "WEAR", 1000)
    monkeypatch.setattr(batched, "cores", lambda asked, most: 1)  # worker processes would not see the repair
    train.main([*words, "--resume"])
    assert json.loads((tmp_path / "run" / "summary.json").read_text())["results"][0]["episodes"] == 2


@pytest.mark.slow
@no_figures()
def test_a_doubtful_estimate_gives_no_verdict(recorded, tmp_path, monkeypatch):
    monkeypatch.setattr(training, "conclusion", lambda *rest: "")
    words = ["--dataset", str(recorded), *TINY, *BOUNDS, "--cost-limits", "29", "--out", str(tmp_path / "run")]
    (result,) = training.run(training.parse(words))["results"]
    sure = result | {"offline_cost_interval": (0.0, 1.0), "offline_doubt": None}
    assert " satisfied " in table([sure])
    for doubt in DOUBTS:
        assert " unclear " in table([sure | {"offline_doubt": doubt}])
    experiment, _ = finished(tmp_path / "run")
    method: Any = experiment.method
    estimator = method.estimator
    outcome = estimator.estimate(experiment.policy())
    outcome = outcome._replace(ood_score=torch.full_like(outcome.ood_score, 2))
    for trusted in (True, False):
        for length, doubt in ((26.9, "short"), (27.1, None)):
            predicted = outcome._replace(length=torch.full_like(outcome.length, length))
            monkeypatch.setattr(estimator, "estimate", lambda act, predicted=predicted: predicted)
            method.selection.trusted.fill_(trusted)
            (found,) = offline_costs(experiment, experiment.policy())
            assert found["offline_doubt"] == (doubt if trusted else "contradicted")
    method.selection.trusted.fill_(True)
    monkeypatch.setattr(method.selection, "min_length", 0.8 * 30)
    predicted = outcome._replace(length=torch.full_like(outcome.length, 26.9))
    monkeypatch.setattr(estimator, "estimate", lambda act: predicted)
    assert offline_costs(experiment, experiment.policy())[0]["offline_doubt"] is None
    for score in (2.01, float("nan")):
        left = predicted._replace(ood_score=torch.full_like(outcome.ood_score, score))
        monkeypatch.setattr(estimator, "estimate", lambda act, left=left: left)
        assert offline_costs(experiment, experiment.policy())[0]["offline_doubt"] == "far"
    both = left._replace(length=torch.zeros_like(outcome.length))
    monkeypatch.setattr(estimator, "estimate", lambda act: both)
    assert offline_costs(experiment, experiment.policy())[0]["offline_doubt"] == "short"


@pytest.mark.parametrize(("steps", "said"), [("0", "no dynamics were learned"), ("4", "by rollouts in learned")])
def test_the_explanation_names_learned_dynamics_where_there_are_any(recorded, steps, said):
    words = ["--dataset", str(recorded), "--algorithm", "bc_all", *BOUNDS, "--dynamics.steps", steps]
    assert said in explanation(Experiment(training.settings_of(training.parse(words))))[0]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], True),
        (["--env", CART], True),
        (["--gate.estimator", "episode"], False),
        (["--clone.trajectories", "all"], False),
        (["--dynamics.steps", "0", "--gate.kind", "ucb", "--gate.select", "last"], False),
        (["--dynamics.steps", "0", "--gate.kind", "ucb", "--gate.select", "last", "--env", CART], False),
        (["--gate.kind", "ucb", "--gate.select", "last"], False),
    ],
)
def test_a_paired_estimate_names_the_clone_it_depends_on(recorded, options, said):
    bounds = [] if "--env" in options else BOUNDS
    words = ["--dataset", str(recorded), *TINY, *bounds, "--cost-limits", "29", *options]
    experiment = Experiment(training.settings_of(training.parse(words)))
    assert [line for line in explanation(experiment) if line in DEPENDS_ON_CLONE] == list(DEPENDS_ON_CLONE) * said


@pytest.mark.slow
@no_figures()
def test_what_needs_scores_refuses_runs_without_a_simulator(recorded, tmp_path):
    words = ["--dataset", str(recorded), *TINY, *BOUNDS, "--cost-limits", "9", "--out", str(tmp_path / "run")]
    train.main(words)
    with pytest.raises(InputError, match="has no scores, for nothing was simulated"):
        rows_of(collected([str(tmp_path / "run")])[0])
    with pytest.raises(InputError, match="has no simulator: accepted is a run of a task that has one"):
        FinishedRun.read(tmp_path / "run")


@pytest.mark.slow
@no_figures()
def test_the_policies_around_one_of_a_single_action_are_numbers(recorded, tmp_path):
    words = ["--dataset", str(recorded), *TINY, "--env", CART, "--cost-limits", "9", "--episodes", "1"]
    train.main([*words, "--out", str(tmp_path / "run")])
    found = list(FinishedRun.read(tmp_path / "run").candidates())
    assert {"clone", "shaken"} <= {candidates.kind for candidates in found}
    assert all(candidates.theta.isfinite().all() for candidates in found)


@pytest.mark.slow
@no_figures()
def test_a_run_is_gone_on_with_by_the_same_command_alone(recorded, tmp_path, capsys):
    words = ["--cost-limits", "5"]
    trained(tmp_path / "run", recorded, "bc_all", *BOUNDS, *words)
    kept = json.loads((tmp_path / "run" / "config.json").read_text())["identity"]
    assert kept["task"] == "custom"
    returns = arrays(recorded)["rewards"].astype(float).reshape(-1, custom_lab.LENGTH).sum(1)
    assert kept["custom"]["reward_range"] == pytest.approx([returns.min(), returns.max()])
    assert {**kept["custom"], "reward_range": None} == {
        "env": None,
        "episode_length": custom_lab.LENGTH,
        "reward_range": None,
        "action_low": [-2.0],
        "action_high": [2.0],
    }
    trained(tmp_path / "run", recorded, "bc_all", *BOUNDS, *words, "--resume")
    with pytest.raises(SystemExit):
        trained(tmp_path / "run", recorded, "bc_all", *BOUNDS, *words, "--resume", "--episode-length", "31")
    assert "custom.episode_length was 30, now 31" in capsys.readouterr().err


def single(fields: dict[str, np.ndarray]) -> None:
    for key in fields:
        fields[key] = fields[key][custom_lab.LENGTH : 2 * custom_lab.LENGTH]


def columns(fields: dict[str, np.ndarray]) -> None:
    for key, values in fields.items():
        fields[key] = values.astype(np.float64).reshape(len(values), -1)


def extra(fields: dict[str, np.ndarray]) -> None:
    fields["notes/weather"] = np.zeros(3)


def free(fields: dict[str, np.ndarray]) -> None:
    fields["costs"][:] = 0


def halves(fields: dict[str, np.ndarray]) -> None:
    fields["costs"] /= 2


@pytest.mark.slow
@no_figures()
@pytest.mark.parametrize("change", [single, columns, extra, without_successors, free, halves])
@pytest.mark.parametrize("algorithm", ["drcorl", "bc_best"])
def test_odd_files_are_trained_on(change, algorithm, recorded, tmp_path, capsys):
    fields = arrays(recorded)
    change(fields)
    summary = trained(tmp_path / "run", write(tmp_path / "odd.hdf5", fields), algorithm, *BOUNDS)
    for result in summary["results"]:
        numbers = [result["offline_cost_estimate"], *result["offline_baselines"].values()]
        assert np.isfinite(numbers).all(), result
    assert ("a limit means nothing here" in capsys.readouterr().out) == (change is free)
