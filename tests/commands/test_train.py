"""`python -m deep.train` and `python -m deep.evaluate` as a user runs them."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from scipy.stats import bootstrap

from deep import train, training
from deep.core import provenance
from deep.core.files import read_json, write_tensors
from deep.data.load import load
from deep.envs.rollout import Episodes
from deep.evaluate import __main__ as evaluate
from deep.evaluate import scores, summary
from deep.evaluate.scores import interval
from deep.runs.folder import RunFolder, read_checkpoint
from deep.tasks import find_task
from tests.support.builders import TINY, small_dataset
from tests.support.lighter import no_figures, short_episodes
from theory.support.errors import InputError
from theory.support.words import last_of_each

pytestmark = pytest.mark.usefixtures("short_episodes")

TASK = find_task("HopperVel")
SETTINGS = {
    "drcorl": TINY,
    "bc_all": ["--dynamics.steps", "0", "--steps", "50", "--hidden", "16"],
    "bc_safe": ["--dynamics.steps", "0", "--steps", "50", "--hidden", "16"],
    "bc_best": ["--dynamics.steps", "0", "--steps", "50", "--hidden", "16"],
}


def command(*words: object) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, "-m", *map(str, words)], capture_output=True, text=True, env=environment, timeout=300
    )


@no_figures()
@pytest.mark.parametrize(("asked", "threads", "named"), [([], 1, "1 thread"), (["--threads", "2"], 2, "2 threads")])
def test_one_thread_trains_unless_more_are_asked_for_and_one_evaluates(asked, threads, named, dataset_file, tmp_path):
    before, out = torch.get_num_threads(), tmp_path / "run"
    try:
        torch.set_num_threads(3)
        words = ["--algorithm", "bc_all", "--dataset", str(dataset_file), "--out", str(out), "--episodes", "1"]
        train.main(last_of_each([*words, "--cost-limits", "4", *SETTINGS["bc_all"], "--steps", "4", *asked]))
        assert torch.get_num_threads() == threads
        assert json.loads((out / "summary.json").read_text())["device"] == f"cpu, {named}"
        torch.set_num_threads(3)
        evaluate.main([str(out), "--episodes", "1"])
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("algorithm", SETTINGS)
def test_a_run_leaves_a_whole_folder(algorithm, dataset_file, tmp_path, capsys):
    out = tmp_path / "run"
    words = ["--algorithm", algorithm, "--dataset", str(dataset_file), "--out", str(out), "--episodes", "3"]
    with no_figures() if algorithm in ("bc_safe", "bc_best") else nullcontext():  # they are those of bc_all
        train.main([*words, "--cost-limits", "4", "60", "--seeds", "0", "7", *SETTINGS[algorithm]])
    screen = capsys.readouterr().out
    assert "not DSRL's own" in screen
    assert "best trajectory" in screen
    summary = json.loads((out / "summary.json").read_text())
    assert summary["schema"] == 2
    assert "\n".join(summary["screen"]) in screen
    assert summary["simulator_episodes_used_in_training"] == 0
    data = load(TASK, dataset_file)
    costs, returns = data.trajectory_costs, data.trajectory_returns
    about = summary["dataset"]
    within = about.pop("within")
    assert [row["limit"] for row in within] == [4, 60]
    for row in within:
        chosen = returns[costs <= row["limit"]]
        assert row["trajectories"] == len(chosen)
        assert row.get("best_return") == (pytest.approx(chosen.max()) if len(chosen) else None)
    assert about.pop("mean_return") == pytest.approx(returns.mean())
    assert (about.pop("mean_cost"), about.pop("largest_cost")) == pytest.approx((costs.mean(), costs.max()))
    assert (about.pop("remarks"), about.pop("costs_left_out")) == ([], False)
    assert about | {"path": ""} == {
        "source": "file",
        "path": "",
        "sha256": summary["dataset"]["sha256"],
        "transitions": 400,
        "trajectories": 12,
        "transitions_with_clipped_actions": 0,
    }
    assert {"task", "algorithm", "preset", "device", "versions", "commit"} <= summary.keys()
    assert [(r["seed"], r["cost_limit"]) for r in summary["results"]] == [(0, 4), (0, 60), (7, 4), (7, 60)]
    for result in summary["results"]:
        assert result["episodes"] == 3
        assert result["reward"] == pytest.approx(TASK.normalised_reward([result["reward_return"]])[0])
        assert result["cost"] == pytest.approx(result["cost_return"] / result["cost_limit"])
        assert result["safe"] == (result["cost"] <= 1)
        assert result["reward_ci"][0] <= result["reward"] <= result["reward_ci"][1]
        assert result["cost_ci"][0] <= result["cost"] <= result["cost_ci"][1]
        assert (result["offline_cost_estimate"] is None) == (algorithm != "drcorl")
    for name in ("config.json", "metrics.jsonl", "checkpoint.safetensors", "results.png", "training.png"):
        assert (out / name).stat().st_size > 0, name

    evaluate.main([str(out), "--episodes", "3"])
    again = json.loads((out / "evaluation.json").read_text())
    assert again["results"] == summary["results"]


@short_episodes(TASK.episode_length)
@no_figures()
def test_cloning_the_embedded_data_learns_to_hop(tmp_path, capsys):
    """Short of the default steps, on the real data and simulator: far above a policy that falls, which scores .1."""
    words = ["--algorithm", "bc_best", "--dataset", "embedded", "--cost-limits", "20", "--episodes", "5"]
    words += ["--steps", "1000", "--batch-size", "256", "--dynamics.steps", "0", "--out", str(tmp_path / "run")]
    train.main(words)
    (result,) = json.loads((tmp_path / "run" / "summary.json").read_text())["results"]
    assert result["reward"] > 0.5
    assert result["episode_length"] > 700
    assert "data: embedded" in capsys.readouterr().out


def test_clipped_actions_are_told(build):
    experiment = build()
    assert "clipped" not in training.opening(experiment)
    experiment.data = replace(experiment.data, clipped=1234)
    assert "the actions of 1,234 clipped to [-1, 1] as the simulator does" in training.opening(experiment)
    assert summary.dataset_of(experiment)["transitions_with_clipped_actions"] == 1234


@no_figures()
def test_a_killed_run_resumes_to_the_same_bits(dataset_file, tmp_path):
    words = [*TINY, "--dataset", str(dataset_file), "--cost-limits", "9", "--episodes", "1", "--threads", "1"]
    words = last_of_each([*words, "--behaviour.steps", "200"])
    train.main([*words, "--out", str(tmp_path / "whole")])
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    arguments = [sys.executable, "-m", "tests.support.short_train", *words, "--out", str(tmp_path / "killed")]
    process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
    metrics = tmp_path / "killed" / "metrics.jsonl"
    deadline = time.monotonic() + 120
    while not (metrics.exists() and metrics.read_text().count('"behaviour"') > 1):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "killed" / "summary.json").exists()
    train.main([*words, "--out", str(tmp_path / "killed"), "--resume"])
    whole, killed = (load_file(tmp_path / name / "checkpoint.safetensors") for name in ("whole", "killed"))
    assert whole.keys() == killed.keys()
    for name, tensor in whole.items():
        assert np.array_equal(tensor, killed[name]), name


@no_figures()
def test_a_summary_names_the_commit_that_the_run_began_with(dataset_file, tmp_path, monkeypatch):
    """A checkout that is edited meanwhile is not what has run."""
    monkeypatch.setattr(provenance, "commit", iter(["the first", "a later one"]).__next__)
    words = ["--algorithm", "bc_all", "--steps", "4", "--hidden", "16", "--dynamics.steps", "0", "--episodes", "1"]
    train.main([*words, "--dataset", str(dataset_file), "--cost-limits", "9", "--out", str(tmp_path / "run")])
    found = [read_json(tmp_path / "run" / name)["commit"] for name in ("config.json", "summary.json")]
    assert found == ["the first"] * 2


@no_figures()
def test_a_run_that_is_gone_on_with_keeps_its_origin_and_adds_up_its_seconds(
    dataset_file, tmp_path, monkeypatch, capsys
):
    """The second command is of another commit, and the first was killed after its training."""
    words = ["--algorithm", "bc_all", "--steps", "4", "--hidden", "16", "--dynamics.steps", "0", "--episodes", "1"]
    words += ["--dataset", str(dataset_file), "--cost-limits", "9", "--out", str(tmp_path / "run")]
    now, original = [0.0], training.report
    monkeypatch.setattr(training.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(provenance, "commit", lambda: "A")
    monkeypatch.setattr(training, "report", lambda *rest: {})
    monkeypatch.setattr("deep.runs.trainer.keep_freed_memory", lambda: now.__setitem__(0, now[0] + 100))
    train.main(words)
    assert read_json(tmp_path / "run" / "sessions.json")["sessions"][0]["seconds"] == 100
    assert "other software" not in capsys.readouterr().out
    monkeypatch.setattr(provenance, "commit", lambda: "B")
    monkeypatch.setattr(training, "report", original)
    train.main([*words, "--resume"])
    said = "gone on with by other software than summary.json will name: commit was A, now B\n"
    assert said in capsys.readouterr().out
    found = read_json(tmp_path / "run" / "summary.json")
    assert (found["commit"], found["seconds"]) == ("A", 200)
    sessions = read_json(tmp_path / "run" / "sessions.json")["sessions"]
    assert [(session["commit"], session["seconds"]) for session in sessions] == [("A", 100), ("B", 100)]


@no_figures()
def test_dynamics_of_another_run_stand_for_ones_own(dataset_file, tmp_path, monkeypatch):
    monkeypatch.setattr(training, "evaluate", lambda experiment, *rest: (None, [{}]))
    monkeypatch.setattr(training.plots, "results", lambda *rest: None)
    monkeypatch.setattr(training, "conclusion", lambda *rest: "")
    monkeypatch.setattr(training, "page", lambda folder: "")
    words = [*TINY, "--dataset", str(dataset_file), "--cost-limits", "9", "--episodes", "1"]
    train.main([*words, "--out", str(tmp_path / "custom")])
    taken = ["--dynamics-from", str(tmp_path / "custom")]
    train.main([*words, *taken, "--out", str(tmp_path / "taken")])
    own, other = (load_file(tmp_path / name / "checkpoint.safetensors") for name in ("custom", "taken"))
    assert own.keys() == other.keys()
    assert all(np.array_equal(tensor, other[name]) for name, tensor in own.items())
    first, second = (
        {line["phase"] for line in RunFolder(tmp_path / name).read_metrics()} for name in ("custom", "taken")
    )
    assert first - second == {"dynamics"}
    for change in (["--seeds", "5"], ["--dynamics.learning-rate", "0.1"], ["--no-normalise-states"]):
        options = training.parse([*words, *change, *taken, "--out", str(tmp_path / "refused")])
        with pytest.raises(InputError, match="accepted are runs in which they agree"):
            training.run(options)
        assert not (tmp_path / "refused").exists()
    (tmp_path / "early").mkdir()
    (tmp_path / "early" / "config.json").write_bytes((tmp_path / "custom" / "config.json").read_bytes())
    stored, *_ = read_checkpoint(tmp_path / "custom" / "checkpoint.safetensors")
    place = {"phase": "dynamics", "step": "50", "metrics_bytes": "0"}
    write_tensors(tmp_path / "early" / "checkpoint.safetensors", stored, place)
    taken = ["--dynamics-from", str(tmp_path / "early")]
    with pytest.raises(InputError, match="still training them"):
        training.run(training.parse([*words, *taken, "--out", str(tmp_path / "late")]))


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--task", "Hopper"], "unknown task 'Hopper'"),
        (["--dataset", "/nowhere.hdf5"], "/nowhere.hdf5 does not exist"),
        (["--seeds", "1", "1"], "--seeds [1, 1]"),
        (["--cost-limits", "-3"], "--cost-limits [-3.0]"),
        (["--gamma", "1"], "--gamma 1.0"),
        (["--dynamics.steps", "0"], "--dynamics.steps 0 trains no dynamics"),
        (["--cloning-steps", "-1"], "--cloning-steps -1: accepted is a number of at least 0"),
        (["--episodes", "0"], "--episodes 0"),
        (["--policy", "constant", "--constant-std", "0"], "--constant-std 0.0"),
        (["--resume", "--out", "/nowhere/run"], "there is no run in /nowhere/run"),
    ],
)
def test_a_mistake_gets_one_sentence_and_exit_code_2(words, sentence, dataset_file, tmp_path, capsys):
    options = ["--dataset", str(dataset_file), "--out", str(tmp_path / "run"), *TINY, *words]
    with pytest.raises(SystemExit) as caught:
        train.main(last_of_each(options))
    assert caught.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert sentence in error
    assert error.count("\n") == 1
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "words",
    [
        ["--algorithm", "ppo"],
        ["--nonsense", "1"],
        ["--adaptation.temperature.c0", "much"],
        ["--critics.activation", "gelu", "--algorithm", "safe_dql"],
    ],
)
def test_an_option_that_does_not_exist_is_refused(words, capsys):
    with pytest.raises(SystemExit) as caught:
        train.main(words)
    assert caught.value.code == 2
    assert words[0] in capsys.readouterr().err


@pytest.mark.parametrize("words", [["/nowhere"], ["/nowhere", "--episodes", "0"], ["/nowhere", "--video", "film.avi"]])
def test_evaluate_refuses_in_one_sentence(words, capsys):
    with pytest.raises(SystemExit) as caught:
        evaluate.main(words)
    assert caught.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1


@no_figures()
def test_evaluate_refuses_a_run_that_is_not_finished_and_data_that_changed(dataset_file, tmp_path, capsys):
    copy = tmp_path / "data.hdf5"
    copy.write_bytes(dataset_file.read_bytes())
    out = tmp_path / "run"
    words = ["--algorithm", "bc_all", *SETTINGS["bc_all"], "--dataset", str(copy), "--out", str(out), "--episodes", "1"]
    train.main([*words, "--cost-limits", "4"])
    whole = (out / "checkpoint.safetensors").read_bytes()
    for name in ("checkpoint.safetensors", "sessions.json", "results.png", "training.png"):
        (out / name).unlink()  # as before the first checkpoint
    for change, sentence in ((lambda: None, "is not finished"), (lambda: _rewrite(copy), "it has changed")):
        change()
        with pytest.raises(SystemExit):
            evaluate.main([str(out)])
        assert sentence in capsys.readouterr().err
        (out / "checkpoint.safetensors").write_bytes(whole)


def _rewrite(path: Path) -> None:
    from deep.data.load import save

    save(path, small_dataset(seed=1))


@pytest.mark.parametrize(("cost", "safe"), [(9.0, True), (9.01, False), (0.0, True), (12.0, False)])
def test_safe_means_a_mean_cost_within_the_limit(build, monkeypatch, cost, safe):
    experiment = build("--algorithm", "bc_all", "--cost-limits", "9")
    costs = np.array([[cost - 2, cost + 2]]).clip(0)
    costs[0, 1] = 2 * cost - costs[0, 0]
    played = Episodes(np.full((1, 2), 974.0), costs, np.full((1, 2), 1000))
    monkeypatch.setattr(scores, "rollout", lambda *args, **options: played)
    (result,) = scores.evaluate(experiment, 2)[1]
    assert result["safe"] is safe
    assert result["cost"] == pytest.approx(cost / 9)
    assert result["reward"] == pytest.approx((974 - 37.05154800415039) / (1911.396728515625 - 37.05154800415039))


def test_intervals_cover_and_collapse():
    rng = np.random.default_rng(0)
    low, high = interval(rng.normal(3, 1, 400))
    assert 2.8 < low < 3 < high < 3.2
    for count in (2, 7, 20):
        values, again = rng.normal(size=count), np.random.default_rng(0)
        found = bootstrap((values,), np.mean, n_resamples=2000, method="percentile", rng=again).confidence_interval
        assert interval(values) == pytest.approx((found.low, found.high), abs=1e-9)
    assert interval(np.full(5, 2.0)) == (2, 2)
    assert interval(np.array([7.0])) == (7, 7)


def test_every_module_with_a_main_runs_it_as_a_command() -> None:
    """`python -m MODULE` of one without its last two lines ends at once, without a word."""
    files = [
        path
        for part in ("deep", "theory", "verification", "notebooks")
        for path in (Path(__file__).parents[2] / part).rglob("*.py")
    ]
    mains = [path for path in files if "\ndef main(" in path.read_text(encoding="utf-8")]
    assert len(mains) > 10
    assert [path for path in mains if '\nif __name__ == "__main__":\n' not in path.read_text(encoding="utf-8")] == []


def test_the_table_of_estimates_compares_the_whole_interval_with_the_limit():
    """Unknown, where no dynamics were trained."""
    shared = {"seed": 3, "offline_baselines": {"dice": 7.25}}
    known = {"offline_return_estimate": 50.0, "offline_length_estimate": 30.0, "offline_ood_score": 1.5}
    known |= {"offline_cost_estimate": 8.0, "offline_cost_interval": (5.0, 10.0), "offline_doubt": None}
    rows = [shared | known | {"cost_limit": limit} for limit in (10.0, 9.0, 5.0, 4.9)]
    rows.append(shared | {"cost_limit": 9.0, "offline_cost_estimate": None})
    lines = [line.split() for line in scores.table(rows).splitlines()[1:]]
    assert [line[5] for line in lines[:4]] == ["satisfied", "unclear", "unclear", "violated"]
    assert lines[0] == ["3", "10", "8", "[5,", "10]", "satisfied", "50", "30", "1.50", "dice", "7.25"]
    assert lines[4] == ["3", "9", "none", "unknown", "dice", "7.25"]
    # Eleven costs of .1 in float32 are a sum within the limit 1.1, and an estimate is compared by the same rule.
    sum_of_tenths = np.full(11, 0.1, np.float32).sum(dtype=np.float64)
    assert sum_of_tenths > 1.1
    exact = shared | known | {"cost_limit": 1.1, "offline_cost_interval": (float(sum_of_tenths),) * 2}
    assert " satisfied " in scores.table([exact])
    assert " violated " in scores.table([exact | {"cost_limit": 1.09}])


def test_the_table_of_scores_shows_the_estimate_beside_the_true_cost():
    row = {"seed": 3, "cost_limit": 10.0, "reward": 0.5, "reward_ci": (0.4, 0.6), "cost": 1.25, "cost_ci": (1.1, 1.4)}
    row |= {"safe": False, "cost_return": 12.5, "episode_length": 990.0}
    row |= {"offline_cost_estimate": 8.0, "offline_cost_std": 1.5}
    safe = row | {"safe": True, "offline_cost_estimate": None}
    lines = [line.split() for line in scores.table([row, safe]).splitlines()[1:]]
    shared = ["3", "10", "0.50", "[0.40,", "0.60]", "1.25", "[1.10,", "1.40]"]
    assert lines == [[*shared, "UNSAFE", "12.5", "8.0", "±", "1.5", "990"], [*shared, "safe", "12.5", "none", "990"]]
