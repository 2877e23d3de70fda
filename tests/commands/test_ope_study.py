"""deep.benchmark.ope_study: which policies are measured, what a row holds, what the summary makes of rows."""

import json
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from deep import train
from deep.benchmark.ope_study import __main__ as study
from deep.benchmark.ope_study import measure as measuring
from deep.benchmark.ope_study import policies
from deep.benchmark.ope_study import summary as summary_of
from deep.benchmark.ope_study.measure import Estimators, RowFile, truth
from deep.benchmark.ope_study.policies import SHAKES, STRETCHES, FinishedRun
from deep.benchmark.ope_study.summary import by_ood_score, exploitation, four_digits, gate_verdicts, quality, summarise
from deep.evaluate.scores import FIRST_EVALUATION_SEED, evaluate
from deep.ope.fitted_q import FittedQ, FittedQConfig
from deep.runs.experiment import Experiment
from deep.tasks import TASKS
from tests.support import lighter
from tests.support.builders import TINY
from theory.support.errors import InputError
from theory.support.tables import read_table, write_table
from theory.support.words import last_of_each

CLOSED = ("fitted_q", "nearest", "dice", "fitted_q, 1 - 1/L")


@pytest.fixture(scope="module", autouse=True)
def light():
    """Short episodes, in the simulator and in the learned dynamics: nothing here needs more."""
    with lighter.short_episodes(), lighter.no_figures():
        yield


@pytest.fixture(scope="module")
def runs(dataset_file, tmp_path_factory):
    """A finished run of DRCORL that has recorded its policies, and one of cloning."""
    folder = tmp_path_factory.mktemp("runs")
    words = ["--dataset", str(dataset_file), "--episodes", "1", "--device", "cpu", "--seeds", "1", "2"]
    words += ["--cost-limits", "4", "9"]
    drcorl = [
        *TINY,
        "--gate.record",
        "--gate.eval-every",
        "100",
        "--adaptation-steps",
        "120",
    ]
    train.main(last_of_each([*words, *drcorl, "--out", str(folder / "drcorl")]))
    cloning = "--algorithm bc_all --steps 4 --hidden 16 --dynamics.steps 4 --dynamics.members 2 --dynamics.hidden 16"
    train.main([*words, *cloning.split(), "--dynamics.episodes", "2", "--out", str(folder / "cloning")])
    return folder


def test_the_policies_of_a_run_and_those_around_them(runs):
    run = FinishedRun.read(runs / "drcorl")
    found = {candidates.name: candidates.theta for candidates in run.candidates()}
    expected = ["clone 0", "kept 1", "last 1", "evaluated 0", "evaluated 100"]
    expected += [f"stretched {s:g}" for s in STRETCHES] + [f"shaken {s:g}" for s in SHAKES]
    assert list(found) == expected
    clone, last = found["clone 0"], found["last 1"]
    assert torch.equal(clone, run.stored["clone.ema"])
    assert torch.equal(found["evaluated 0"], clone)
    assert not torch.equal(found["evaluated 100"], clone)
    torch.testing.assert_close(found["stretched 2"] - last, last - clone, atol=1e-6, rtol=0)
    first = slice(0, 11 * 16)  # the first layer's weights
    noise = (found["shaken 0.2"] - clone)[:, first]
    assert noise.std().item() == pytest.approx(0.2 * clone[:, first].std().item(), rel=0.1)
    assert not torch.allclose(noise[0], noise[1])
    flat = clone.clone()
    flat[:, -51:] = 0  # the last layer: 16 x 3 weights and 3 biases
    quiet = FinishedRun(run.path, run.experiment, run.stored | {"clone.ema": flat}, run.digest)
    (shaken,) = [candidates.theta for candidates in quiet.candidates() if candidates.name == "shaken 0.2"]
    assert not shaken[:, -51:].any(), "each layer has its own spread"
    again = {candidates.name: candidates.theta for candidates in FinishedRun.read(runs / "drcorl").candidates()}
    assert torch.equal(found["shaken 0.1"], again["shaken 0.1"])
    cloned = [candidates.name for candidates in FinishedRun.read(runs / "cloning").candidates()]
    assert cloned == ["trained 1"] + [f"shaken {s:g}" for s in SHAKES]


def test_the_models_of_a_run_are_those_it_has_trained(runs):
    run = FinishedRun.read(runs / "drcorl")
    untrained = Experiment(run.experiment.settings).dynamics.tensors()["dynamics.theta"]
    trained = run.experiment.dynamics.tensors()["dynamics.theta"]
    assert torch.equal(trained, run.stored["dynamics.theta"])
    assert not torch.equal(trained, untrained)


def test_truth_is_what_the_evaluation_finds(runs, monkeypatch):
    """On the evaluation's start seeds, the policies of the summary score what the summary says."""
    run = FinishedRun.read(runs / "drcorl")
    run.experiment.method.tensors()["chosen"].copy_(run.stored["chosen"])
    monkeypatch.setattr(measuring, "FIRST_TRUTH_SEED", 100_000)
    found = truth(run.experiment, run.act(run.stored["chosen"]), 3)
    played, results = evaluate(run.experiment, 3)
    assert played is not None
    for mine, theirs, costs in zip(found, results, played.costs, strict=True):
        assert mine["true cost"] == pytest.approx(theirs["cost_return"])
        assert mine["true return"] == pytest.approx(theirs["reward_return"])
        assert mine["true length"] == pytest.approx(theirs["episode_length"])
        assert mine["true cost, standard error"] == pytest.approx(costs.std(ddof=1) / 3**0.5)


def test_another_seeds_models_judge_a_policy_as_if_it_were_theirs(runs):
    run = FinishedRun.read(runs / "drcorl")
    dynamics = run.experiment.dynamics

    def always(*values: float):
        return lambda observations: torch.tensor(values).view(-1, 1, 1).expand(*observations.shape[:2], 3)

    values = (0.1, -0.2, 0.3, -0.4)  # seed 1, limits 4 and 9; seed 2
    estimators = Estimators(run.experiment)
    second_look = FittedQ(FittedQConfig(None, "start"), run.experiment.problem).estimate(always(*values))
    found = estimators(always(*values))
    paired = {"paired, training", "paired, held_out"}
    assert {"training", "held_out", "another seed's", "25 steps", "100 steps", *CLOSED, *paired} == found.keys()
    clone = estimators(run.act(run.stored["clone.ema"]))
    for half in paired:  # the run's own prediction for its clone, filled in
        assert estimators.paired is not None
        torch.testing.assert_close(clone[half].cost, estimators.paired.cloned.costs)
    assert all(map(torch.equal, found["fitted_q, 1 - 1/L"], second_look))
    swapped = dynamics.estimate(always(0.3, -0.4, 0.1, -0.2))
    for ours, theirs in zip(found["another seed's"], swapped, strict=True):
        torch.testing.assert_close(ours, theirs[[2, 3, 0, 1]])
    assert not torch.allclose(found["another seed's"].reward, found["held_out"].reward)


def test_learned_dynamics_can_be_studied_alone(runs):
    run = FinishedRun.read(runs / "drcorl")
    act = run.act(run.stored["chosen"])
    found, everything = Estimators(run.experiment, "dynamics")(act), Estimators(run.experiment)(act)
    assert found.keys() == {"training", "held_out", "another seed's", "paired, training", "paired, held_out"}
    assert all(torch.equal(found[name].cost, everything[name].cost) for name in found)


def test_the_command_measures_every_policy_once_and_goes_on(runs, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(policies, "STRETCHES", STRETCHES[2:3])
    monkeypatch.setattr(policies, "SHAKES", SHAKES[1:2])
    words = [str(runs / "drcorl"), str(runs / "cloning"), "--out", str(tmp_path), "--episodes", "2"]
    study.main(words)
    rows = read_table(tmp_path / "results.csv")
    sets = [(row["run"], row["kind"], row["degree"]) for row in rows]
    assert sets.count(("drcorl", "clone", 0)) == 2  # one for each seed: its limits share it
    last = FinishedRun.read(runs / "drcorl").stored["policy.ema"]
    assert sets.count(("drcorl", "last", 1)) == len(last.unique(dim=0))
    assert sets.count(("cloning", "trained", 1)) == 2  # bc_all takes no notice of limits
    assert sets.count(("cloning", "shaken", 0.1)) == 4
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["policies"] == len(rows)
    assert (tmp_path / "study.png").stat().st_size > 0
    capsys.readouterr()

    lines = (tmp_path / "drcorl.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "drcorl.jsonl").write_text("".join(lines[:-1]))
    measured = []
    original = measuring.measure
    monkeypatch.setattr(measuring, "measure", lambda *args: measured.append(args[2].name) or original(*args))
    required, summarised = [], summary_of.summarise
    monkeypatch.setattr(summary_of, "summarise", lambda *args: required.append(args[1]) or summarised(*args))
    study.main(words)
    assert required == [pytest.approx(0.9 * 400 / 12)], "steps that the gate's rule requires"
    assert measured == [f"shaken {SHAKES[1]:g}"]
    assert json.loads((tmp_path / "summary.json").read_text()) == summary

    (tmp_path / "other").mkdir()
    shutil.copytree(runs / "cloning", tmp_path / "other" / "drcorl")
    for wrong, sentence in (
        ([str(tmp_path / "other" / "drcorl"), *words[2:]], "drcorl.jsonl are of another run"),
        ([*words[:-1], "3"], "are of 2 episodes"),
        ([*words[:-1], "1"], "at least 2 episodes"),
        ([*words, "--estimators", "dynamics"], "are of all: take those"),
        ([str(tmp_path / "nowhere")], "there is no run in"),
        ([words[0], words[0]], "different names"),
    ):
        with pytest.raises(SystemExit) as stopped:
            study.main([*wrong, *([] if "--out" in wrong else ["--out", str(tmp_path)])])
        assert stopped.value.code == 2
        assert sentence in capsys.readouterr().err


def test_rows_of_another_run_or_number_of_episodes_are_refused(tmp_path):
    RowFile(tmp_path / "rows.jsonl", "mine", 5).add("a", [{"x": 1}])
    RowFile(tmp_path / "rows.jsonl", "mine", 5).add("b", [{"x": 2}])
    assert RowFile(tmp_path / "rows.jsonl", "mine", 5).read() == {"a": [{"x": 1}], "b": [{"x": 2}]}
    with pytest.raises(InputError, match="of 5 episodes"):
        RowFile(tmp_path / "rows.jsonl", "mine", 6).read()
    with pytest.raises(InputError, match="of another run"):
        RowFile(tmp_path / "rows.jsonl", "theirs", 5).read()


def made_up(true, cost, half_width=5.0, error=0.0, ood_score=None, kind="last", degree=1.0, name="held_out"):
    """Rows in which one estimator says `cost`."""
    ood_score = [1.0] * len(true) if ood_score is None else ood_score
    rows = []
    for t, c, d in zip(true, cost, ood_score, strict=True):
        row = {"kind": kind, "degree": degree, "true cost": t, "true cost, standard error": error}
        row |= {"true return": -t, "true length": t, f"{name}: cost": c, f"{name}: reward": -c, f"{name}: length": -c}
        row |= {f"{name}: cost_low": c - half_width, f"{name}: cost_high": c + half_width, f"{name}: ood_score": d}
        row[f"{name}: cost_std"] = 1.0
        rows.append(row)
    return rows


def test_quality_by_hand():
    found = quality(made_up([0, 10, 30, 50], [4, 6, 50, 15], ood_score=[1, 1.1, 3, 4]), "held_out")
    assert found["bias"] == pytest.approx(-3.75)  # errors 4, -4, 20, -35
    assert found["median_error"] == pytest.approx(12)
    assert found["rank_correlation"] == pytest.approx(0.8)
    assert found["return_rank_correlation"] == pytest.approx(0.8)
    assert found["length_rank_correlation"] == pytest.approx(-0.8)
    assert found["coverage"] == 0.5
    assert found["median_width"] == 10
    assert found["ood_score_rank_correlation_with_error"] == pytest.approx(0.95, abs=0.01)
    assert found["verdicts by estimate"]["20"] == {"false_safe": "1/2", "false_unsafe": "0/2"}
    assert found["verdicts by estimate"]["40"] == {"false_safe": "1/1", "false_unsafe": "1/3"}
    assert found["verdicts by upper"]["10"] == {"false_safe": "0/2", "false_unsafe": "1/2"}
    wide = made_up([0, 10, 30], [4, 6, 50])
    wide[0]["held_out: cost_high"] += 90
    assert quality(wide, "held_out")["median_width"] == 10
    # The truth's own uncertainty is allowed for.
    assert quality(made_up([0, 10, 30, 50], [4, 6, 50, 15], error=8.0), "held_out")["coverage"] == 0.75
    assert quality(made_up([1, 2], [3, 3]), "held_out")["rank_correlation"] == 0


def test_training_members_are_compared_with_the_others():
    true = np.array([10.0, 30.0])
    rows = made_up(true, true - 8, name="training", degree=2.0)
    for row, other in zip(rows, made_up(true, true + 1, degree=2.0), strict=True):
        row |= other
    (found,) = exploitation(rows)
    assert found == {"kind": "last", "degree": 2.0, "policies": 2, "training": -8.0, "held_out": 1.0}


def test_the_gates_rule_needs_cost_length_and_ood_score():
    """Default settings: mean + 1 std within the limit, long enough, OOD score at most 1.5."""
    rows = made_up([15, 15, 15, 15, 25, 25], [-19, -10, -10, -21, -15, -15], ood_score=[1, 1, 1.6, 1, 1, 1])
    for row, length in zip(rows, (50, 40, 50, 50, 50, 50), strict=True):
        row["held_out: cost"] *= -1
        row |= {"held_out: length": length, "held_out: cost_std": 1.0}
    rows[-1]["held_out: cost_std"] = 6.0
    found = gate_verdicts(rows, 45.0)
    assert found["20"] == {"false_safe": "1/2", "false_unsafe": "3/4"}
    assert found["40"] == {"false_safe": "0/0", "false_unsafe": "2/6"}
    # Where the gate has asked in pairs, that is what counts: now the first two pass, and no other.
    paired = [{f"paired, {name}": value for name, value in row.items() if name.startswith("held_out")} for row in rows]
    for i, (row, own) in enumerate(zip(rows, paired, strict=True)):
        row |= own | {"paired, held_out: length": 50, "paired, held_out: cost": 1.0 if i < 2 else 90.0}
        row["paired, held_out: ood_score"] = 1.0
    assert gate_verdicts(rows, 45.0)["20"] == {"false_safe": "0/2", "false_unsafe": "2/4"}


def test_errors_are_sorted_by_ood_score():
    found = by_ood_score(made_up([0, 0, 0, 0], [1, 3, 10, 7], ood_score=[0.5, 0.69, 0.7, 9]))
    assert found == [
        {"from": 0.0, "policies": 2, "median_error": 2.0, "largest_error": 3.0},
        {"from": 0.7, "policies": 1, "median_error": 10.0, "largest_error": 10.0},
        {"from": 2.0, "policies": 1, "median_error": 7.0, "largest_error": 7.0},
    ]


def test_an_estimator_that_is_silent_in_some_rows_is_judged_by_the_others(tmp_path):
    both = [a | b for a, b in zip(made_up([1, 2], [1, 3]), made_up([1, 2], [5, 5], name="another seed's"), strict=True)]
    rows = both + made_up([50], [9])
    found = summarise(rows, 0.0)
    assert found["policies"] == 3
    assert found["true cost, quartiles"] == [1, 1.5, 2, 26, 50]
    assert {name: entry["policies"] for name, entry in found["estimators"].items()} == {
        "held_out": 3,
        "another seed's": 2,
    }
    assert found["estimators"]["another seed's"]["bias"] == 3.5
    write_table(tmp_path / "rows.csv", rows)
    assert [row["another seed's: cost"] for row in read_table(tmp_path / "rows.csv")] == [5, 5, None]


def test_the_rows_are_written_to_four_digits():
    rows = [{"kind": "1.23456", "degree": 3, "true cost": 123.456789}]
    assert four_digits(rows) == [{"kind": "1.23456", "degree": 3, "true cost": 123.5}]


def test_a_policy_that_is_no_single_network_is_refused(dataset_file, tmp_path):
    words = "--algorithm safe_dql --behaviour-steps 2 --improvement-steps 2 --hidden 16 --dynamics.steps 4".split()
    words += ["--dynamics.members", "2", "--dynamics.hidden", "16", "--dynamics.episodes", "2", "--episodes", "1"]
    words += ["--candidates", "2", "--dataset", str(dataset_file), "--cost-limits", "9"]
    train.main([*words, "--out", str(tmp_path / "run")])
    with pytest.raises(InputError, match="is a run of safe_dql: accepted are methods whose policy is a single network"):
        FinishedRun.read(tmp_path / "run")


def test_runs_that_cannot_be_studied_are_refused(runs, tmp_path):
    config = json.loads((runs / "drcorl" / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match="has no checkpoint"):
        FinishedRun.read(tmp_path)
    del config["run"]  # its fingerprint would refuse the changes
    config["identity"]["method"]["adaptation_steps"] = 70
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "checkpoint.safetensors").write_bytes((runs / "drcorl" / "checkpoint.safetensors").read_bytes())
    with pytest.raises(InputError, match="is not finished"):
        FinishedRun.read(tmp_path)
    config["identity"]["method"]["gate"] |= {"kind": "ucb", "select": "last"}
    config["identity"]["dynamics"]["steps"] = 0
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match="no learned dynamics"):
        FinishedRun.read(tmp_path)


def test_runs_of_different_tasks_are_no_study(tmp_path, monkeypatch):
    def read(path):
        return SimpleNamespace(path=path, experiment=SimpleNamespace(task=TASKS[path.name]))

    monkeypatch.setattr(FinishedRun, "read", read)
    for name in ("HopperVel", "AntVel"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").touch()
    with pytest.raises(InputError, match="accepted are runs of one task"):
        study.run(study.Options((tmp_path / "HopperVel", tmp_path / "AntVel"), tmp_path / "out"))


def test_the_studys_episodes_are_none_of_the_evaluations():
    assert measuring.FIRST_TRUTH_SEED >= FIRST_EVALUATION_SEED + 100_000
