"""Data of one's own, from `tests.support.custom_lab`: what they are taken to be, trained, estimated, simulated; and
refusals."""

import json
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch

from deep import train
from deep.benchmark.ope_study.policies import FinishedRun
from deep.benchmark.rows import collected, rows_of
from deep.data.custom import CustomData, assumptions, cost_limits, load_custom
from deep.data.load import task_of
from deep.envs import rollout as batched
from deep.envs.custom import interface
from deep.evaluate import __main__ as evaluate
from deep.evaluate.scores import RESTS_ON_CLONE, explanation, offline_costs, table
from deep.runs.experiment import Experiment, finished
from deep.tasks import TASKS, make
from tests.support import custom_lab as custom_lab
from tests.support.builders import TINY, small_dataset
from tests.support.custom_runs import BOUNDS, CART, SETTINGS, arrays, trained, without_successors, write
from tests.support.lighter import no_figures
from theory.support.errors import InputError


@pytest.fixture(scope="module")
def with_edge(tmp_path_factory) -> Path:
    return custom_lab.record(tmp_path_factory.mktemp("custom") / "edge.hdf5", name="CartWithEdge-v0")


@pytest.mark.slow
@pytest.mark.parametrize("algorithm", SETTINGS)
def test_a_file_without_a_simulator_is_trained_on_and_estimated(algorithm, recorded, tmp_path, capsys):
    out = tmp_path / "run"
    seeds = (0, 3) if algorithm == "bc_all" else (0,)
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


def test_a_doubtful_estimate_gives_no_verdict(recorded, tmp_path, monkeypatch):
    monkeypatch.setattr(train, "conclusion", lambda *rest: "")
    words = ["--dataset", str(recorded), *TINY, *BOUNDS, "--cost-limits", "29", "--out", str(tmp_path / "run")]
    (result,) = train.run(train.parse(words))["results"]
    sure = result | {"offline_cost_interval": (0.0, 1.0), "offline_doubt": None}
    assert " satisfied " in table([sure])
    for doubt in ("short", "contradicted"):
        assert " unclear " in table([sure | {"offline_doubt": doubt}])
    experiment, _ = finished(tmp_path / "run")
    method: Any = experiment.method
    estimator = method.estimator
    outcome = estimator.estimate(experiment.policy())
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


@pytest.mark.parametrize(("steps", "said"), [("0", "no dynamics were learned"), ("4", "by rollouts in learned")])
def test_the_explanation_names_learned_dynamics_where_there_are_any(recorded, steps, said):
    words = ["--dataset", str(recorded), "--algorithm", "bc_all", *BOUNDS, "--dynamics.steps", steps]
    assert said in explanation(Experiment(train.settings_of(train.parse(words))))[0]


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
    experiment = Experiment(train.settings_of(train.parse(words)))
    assert [line for line in explanation(experiment) if line in RESTS_ON_CLONE] == list(RESTS_ON_CLONE) * said


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


# What is inferred


def test_what_is_inferred_is_what_the_arrays_hold(with_edge):
    fields = arrays(with_edge)
    fields["costs"] /= 2  # costs that are not 0 or 1
    path = write(with_edge.with_name("half.hdf5"), fields)
    task, data, own = load_custom(path, CustomData(action_low=(-2,), action_high=(2,)))
    done = fields["terminals"] | fields["timeouts"]
    pieces = np.split(np.arange(len(done)), np.flatnonzero(done)[:-1] + 1)
    returns = [fields["rewards"][piece].astype(float).sum() for piece in pieces]
    costs = np.array([fields["costs"][piece].sum() for piece in pieces])
    assert (task.name, task.family, task.observation_size, task.action_size) == ("half", "custom", 2, 1)
    assert task.episode_length == own.episode_length == max(map(len, pieces))
    assert task.reward_range == pytest.approx((min(returns), max(returns)))
    assert task.max_cost == max(costs)
    assert task.cost_limits == cost_limits(costs)
    assert not task.simulated
    np.testing.assert_allclose(data.actions, fields["actions"] / 2, atol=1e-7)
    np.testing.assert_allclose(task.in_own_units(data.actions), fields["actions"], atol=1e-6)
    assert fields["terminals"].any()
    said = "\n".join(assumptions(task, data))
    assert f"{fields['terminals'].sum()} of {len(pieces)} end in a terminal state" in said


@pytest.mark.parametrize(
    ("costs", "limits"),
    [
        ([0, 0, 0], (1.0,)),
        ([0, 0, 0, 0, 100, 200, 300, 400, 500], (200.0, 300.0, 400.0)),
        ([10.4] * 5, (11.0,)),
        ([1234, 1234], (1300.0,)),
        ([0.5], (0.5,)),
        ([0.28], (0.28,)),  # .28 / .01 is a little more than 28
        ([0, 0.021, 0.0455, 0.09], (0.034, 0.046, 0.068)),
    ],
)
def test_limits_are_quartiles_that_are_never_zero_and_that_some_trajectory_keeps(costs, limits):
    found = cost_limits(np.array(costs, dtype=float))
    assert found == pytest.approx(limits)
    assert min(found) >= min(costs)


@pytest.mark.parametrize(
    ("returns", "found"),
    [([3, 7], (3, 7)), ([7, 7], (0, 7)), ([-5, -5], (-5, 0)), ([0, 0], (0, 1)), ([1000, 1000.0001], (0, 1000.0001))],
)
def test_scores_have_a_range_where_all_returns_are_alike(returns, found, tmp_path):
    rewards, ends = np.array(returns, dtype=np.float32), np.ones(2, dtype=bool)
    fields = {"observations": np.zeros((2, 1)), "next_observations": np.zeros((2, 1)), "actions": np.zeros((2, 1))}
    fields |= {"rewards": rewards, "costs": np.zeros(2), "terminals": ~ends, "timeouts": ends}
    assert load_custom(write(tmp_path / "alike.hdf5", fields), CustomData())[0].reward_range == pytest.approx(found)


def test_actions_may_pass_their_bounds_by_rounding(recorded, tmp_path):
    fields = arrays(recorded)
    fields["actions"][3] = 2 * (1 + 5e-6)
    data = load_custom(write(tmp_path / "rounded.hdf5", fields), CustomData(action_low=(-2,), action_high=(2,)))[1]
    assert data.actions[3, 0] == pytest.approx(1, abs=1e-5)


def test_options_say_otherwise(recorded):
    given = CustomData(None, 40, (-50.0, 3.0), (-4.0,), (2.0,))
    task, data, own = load_custom(recorded, given)
    assert own == given
    assert (task.episode_length, task.reward_range) == (40, (-50.0, 3.0))
    np.testing.assert_allclose(data.actions, (arrays(recorded)["actions"] + 1) / 3, atol=1e-6)
    assert task.in_own_units([-1, 0, 1]).tolist() == [-4, -1, 2]


def test_a_simulator_says_bounds_and_length(recorded):
    task, _, own = load_custom(recorded, CustomData(env="tests.support.custom_lab:CartWithEdge-v0"))
    assert own == CustomData("tests.support.custom_lab:CartWithEdge-v0", 30, own.reward_range, (-2.0,), (2.0,))
    assert load_custom(recorded, CustomData(env=CART, episode_length=45))[0].episode_length == 45
    # A limit that the environment brings with it, not its registration; and none at all, where the data decide.
    assert interface("tests.support.custom_lab:CartWithItsOwnClock-v0").episode_length == 25
    assert interface("tests.support.custom_lab:CartWithoutClock-v0").episode_length is None
    endless = load_custom(recorded, CustomData(env="tests.support.custom_lab:CartWithoutClock-v0"))[0]
    assert endless.episode_length == custom_lab.LENGTH
    env = make(task)
    env.reset(seed=0)
    twin = gymnasium.make("CartWithEdge-v0")
    twin.reset(seed=0)
    mine, theirs = env.step(np.array([-0.25])), twin.step(np.array([-0.5], dtype=np.float32))
    np.testing.assert_array_equal(mine[0], theirs[0])
    assert mine[1:4] == theirs[1:4]
    assert mine[4] == theirs[4]


def test_the_six_values_of_safety_gymnasium_are_understood(recorded):
    task, _, _ = load_custom(recorded, CustomData(env="tests.support.custom_lab:CartOfSix-v0"))
    env, twin = make(task), gymnasium.make("Cart-v0")
    env.reset(seed=3)
    twin.reset(seed=3)
    steps = [
        (env.step(np.array([1.0])), twin.step(np.array([2.0], dtype=np.float32))) for _ in range(custom_lab.LENGTH)
    ]
    for mine, theirs in steps:
        assert (mine[4]["cost"], mine[1], mine[3]) == (theirs[4]["cost"], theirs[1], theirs[3])
    assert steps[-1][0][3]


@pytest.mark.parametrize("cost", [-1.0, np.nan, np.inf])
def test_a_simulators_impossible_cost_is_refused(cost, recorded, monkeypatch):
    env = make(load_custom(recorded, CustomData(env=CART))[0])
    env.reset(seed=0)
    monkeypatch.setattr(custom_lab.Cart, "step", lambda self, action: (self.state, 0.0, False, False, {"cost": cost}))
    with pytest.raises(InputError, match=f"has the cost {cost}"):
        env.step(np.zeros(1))


def test_missing_successors_are_the_rows_after_and_nothing_is_invented_for_time_outs(tmp_path):
    """Trajectories of 3 steps that time out, 2 that terminate, 1 that times out, 1 that terminates, 2 that do both."""
    ends = {"terminals": [0, 0, 0, 0, 1, 0, 1, 0, 1], "timeouts": [0, 0, 1, 0, 0, 1, 0, 0, 1]}
    fields = {key: np.array(values, dtype=bool) for key, values in ends.items()}
    fields |= {"observations": np.arange(9.0)[:, None], "actions": np.zeros((9, 1)), "costs": np.ones(9)}
    task, data, _ = load_custom(write(tmp_path / "file.hdf5", fields | {"rewards": np.arange(9.0)}), CustomData())
    assert data.observations[:, 0].tolist() == [0, 1, 3, 4, 6, 7, 8]
    assert data.next_observations[:, 0].tolist() == [1, 2, 4, 4, 6, 8, 8]
    assert data.rewards.tolist() == [0, 1, 3, 4, 6, 7, 8]
    assert data.terminals.tolist() == [0, 0, 0, 1, 1, 0, 1]
    assert data.timeouts.tolist() == [0, 1, 0, 0, 0, 0, 1]
    assert task.episode_length == 3, "the step that is left out was played"
    assert "episodes of at most 3 steps (--episode-length), the data's have 1 to 3;" in assumptions(task, data)[1]
    said = "of 2 trajectories that timed out are left out with costs of 2, up to 1 in one, which no "
    assert said + "episode's cost here includes; 3 terminal steps" in assumptions(task, data)[-1]
    free = write(tmp_path / "free.hdf5", fields | {"rewards": np.arange(9.0), "costs": np.eye(9)[0]})
    task, data, _ = load_custom(free, CustomData())
    assert "of 2 trajectories that timed out are left out; 3 terminal steps" in assumptions(task, data)[-1]


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


# Which task a file belongs to


def test_a_file_says_its_task_by_its_attribute_or_by_dsrls_name_for_it(dataset_file, recorded, tmp_path):
    assert task_of(dataset_file) == TASKS["HopperVel"]
    assert task_of(recorded) is None
    named = write(tmp_path / TASKS["BallRun"].dsrl_file, arrays(recorded))
    assert task_of(named) == TASKS["BallRun"]


def test_nothing_named_is_hopper(build, dataset_file):
    assert train.settings_of(train.parse([])).task == "auto"
    assert build().settings.task == "HopperVel"  # by the file's attribute
    words = ["--algorithm", "bc_all", "--steps", "1", "--dynamics.steps", "0"]
    experiment = Experiment(train.settings_of(train.parse(words)))
    assert (experiment.task.name, experiment.data.source) == ("HopperVel", "embedded")
    own = Experiment(train.settings_of(train.parse([*words, "--task", "custom", "--dataset", str(dataset_file)])))
    assert own.task.family == own.settings.task == "custom"
    np.testing.assert_array_equal(own.data.actions, small_dataset().actions)
