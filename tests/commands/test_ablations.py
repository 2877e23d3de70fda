"""deep.benchmark.ablations: what a variant changes, what it shares with the run it varies, and that it can go on."""

import json
import shutil
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

from deep import train
from deep.benchmark import __main__ as benchmark
from deep.benchmark import latency
from deep.benchmark.ablations import __main__ as ablations
from deep.benchmark.ablations.table import table
from deep.benchmark.ablations.training import shared, varied
from deep.benchmark.ablations.variants import VARIANTS, folder_of
from deep.benchmark.ope_study.policies import FinishedRun
from deep.benchmark.rows import collected, rows_of
from deep.core.files import read_json, write_tensors
from deep.evaluate import __main__ as evaluate
from deep.export import __main__ as export
from deep.methods.drcorl.config import DRCORLConfig
from deep.runs.experiment import Experiment, Settings
from deep.runs.folder import RunFolder, read_checkpoint
from tests.support import lighter
from tests.support.builders import TINY
from theory.support.errors import InputError

BASE = Settings(method=DRCORLConfig())


@pytest.fixture(scope="module", autouse=True)
def light():
    """Short episodes, in the simulator and in the learned dynamics: nothing here needs more."""
    with lighter.short_episodes(), lighter.no_figures():
        yield


@pytest.fixture(scope="module")
def base(dataset_file, tmp_path_factory):
    folder = tmp_path_factory.mktemp("base") / "run"
    words = ["--dataset", str(dataset_file), "--episodes", "1", "--device", "cpu", "--seeds", "1", "2"]
    train.main([*words, "--cost-limits", "4", *TINY, "--out", str(folder)])
    return folder


def test_every_variant_differs_from_the_defaults_and_from_the_others():
    assert len({json.dumps(changes, sort_keys=True) for changes in VARIANTS.values()}) == len(VARIANTS)
    for name, changes in VARIANTS.items():
        settings = varied(BASE, changes)
        assert (settings == BASE) == (not changes), name


@pytest.mark.parametrize(
    ("changes", "trained_again"),
    [
        ({}, ["reward critic", "adaptation"]),
        ({"adaptation.rule": "crpo"}, ["reward critic", "adaptation"]),
        ({"behaviour.kl_form": "limit"}, ["cloning", "reward critic", "cost critics", "adaptation"]),
        ({"behaviour.width": 8}, ["cloning", "behaviour", "reward critic", "cost critics", "adaptation"]),
        ({"critics.pessimism": 0.0}, ["reward critic", "cost critics", "adaptation"]),
        ({"gate.kind": "ucb"}, ["reward critic", "cost critics", "adaptation"]),
        *(
            ({name: value}, ["cloning", "reward critic", "cost critics", "adaptation"])
            for name, value in {
                "clone.trajectories": "all",
                "cloning_steps": 3,
                "batch_size": 8,
                "ema_rate": 0.5,
                "policy": "gaussian",
                "constant_std": 0.2,
                "hidden": (8,),
                "learning_rate": 0.01,
            }.items()
        ),
        (
            {"regression_steps": 1},
            ["cloning", "reverse KL cloning", "reward critic", "cost critics", "adaptation"],
        ),
        (
            {"normalise_states": False},
            ["dynamics", "cloning", "behaviour", "reward critic", "cost critics", "adaptation"],
        ),
    ],
)
def test_what_a_change_touches_is_trained_again(base, changes, trained_again):
    run = FinishedRun.read(base)
    variant = Experiment(varied(run.experiment.settings, changes))
    kept = shared(run.experiment, variant)
    assert [phase.name for phase in variant.phases() if phase.name not in kept] == trained_again
    shapes = {name: tensor.shape for name, tensor in variant.tensors().items()}
    for part in kept.values():
        assert part
        assert all(shapes[name] == run.stored[name].shape for name in part)


def test_a_behaviour_model_that_adaptation_went_on_training_is_trained_again(base):
    experiment = Experiment(varied(FinishedRun.read(base).experiment.settings, {"update_behaviour": True}))
    assert "behaviour" not in shared(experiment, experiment)


def test_the_unchanged_variant_is_the_run_itself_and_finished_ones_are_not_repeated(base, tmp_path, capsys):
    words = [str(base), "--out", str(tmp_path / "out"), "--episodes", "1"]
    ablations.main([*words, "--variants", "as it is"])
    stored = FinishedRun.read(base).stored
    found = load_file(tmp_path / "out" / "as_it_is" / "checkpoint.safetensors")
    assert found.keys() == stored.keys()
    assert all(torch.equal(found[name], stored[name]) for name in stored)
    capsys.readouterr()
    ablations.main([*words, "--variants", "as it is", "anchor: none"])
    printed = capsys.readouterr().out
    assert "nothing changed" not in printed
    assert "anchor: none: {'anchor': 'none'}" in printed
    results = read_json(tmp_path / "out" / "results.json")
    assert list(results) == ["as it is", "anchor: none"]
    assert results["as it is"]["results"][0]["reward"] == read_json(base / "summary.json")["results"][0]["reward"]
    kept, last = (tmp_path / "out" / "table.txt").read_text().split("\n\n")
    assert "the last policy" in last
    for part in (kept, last):
        assert [line.split("  ")[0] for line in part.splitlines()[-2:]] == ["as it is", "anchor: none"]
    # A second command, with none of the variants before, tells of all that lie there.
    ablations.main([*words, "--variants", "beta: 3"])
    assert list(read_json(tmp_path / "out" / "results.json")) == ["as it is", "anchor: none", "beta: 3"]


def test_the_last_policy_is_scored_beside_the_one_that_is_kept(base, tmp_path):
    """Kept is the clone: with an OOD score that no policy can have, nothing else may replace it."""
    words = [str(base), "--out", str(tmp_path), "--episodes", "2", "--variants"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(VARIANTS, "step size: 5e-5", {"adaptation_rate": 0.01, "gate.max_disagreement": 1e-9})
        ablations.main([*words, "step size: 5e-5"])
    found = read_json(folder_of(tmp_path, "step size: 5e-5") / "summary.json")
    assert found["commit"] == read_json(folder_of(tmp_path, "step size: 5e-5") / "config.json")["commit"]
    assert found["method"]["chosen_step"] == [0.0, 0.0]
    kept, last = found["results"], found["other_choices"]["last"]
    assert [row["seed"] for row in last] == [row["seed"] for row in kept] == [1, 2]
    assert all(one["reward"] != two["reward"] for one, two in zip(kept, last, strict=True))
    runs, _ = collected([f"mine={folder_of(tmp_path, 'step size: 5e-5')}"])
    assert {(row["variant"], row["choice"]) for row in rows_of(runs)} == {("mine", ""), ("mine", "last")}


def test_some_of_the_limits_are_varied_as_they_were_alone(dataset_file, tmp_path):
    """One clone per limit: each keeps its own."""
    words = ["--dataset", str(dataset_file), "--episodes", "1", "--device", "cpu", "--seeds", "1", "2", *TINY]
    words += ["--clone.trajectories", "safe"]
    train.main([*words, "--cost-limits", "4", "60", "--out", str(tmp_path / "both")])
    words = [str(tmp_path / "both"), "--variants", "as it is", "--cost-limits", "60", "--episodes", "1"]
    ablations.main([*words, "--out", str(tmp_path / "out")])
    found = load_file(tmp_path / "out" / "as_it_is" / "checkpoint.safetensors")
    both = FinishedRun.read(tmp_path / "both").stored
    for name in ("clone.ema", "policy.ema", "cost_critic.theta"):
        torch.testing.assert_close(found[name], both[name][[1, 3]])
    with pytest.raises(InputError, match=r"--cost-limits \[5.0\]: accepted are those of the run, \[4.0, 60.0\]"):
        ablations.run(ablations.Options(tmp_path / "both", tmp_path, cost_limits=(5.0,)))


def test_variants_of_another_run_limit_or_number_of_episodes_are_refused(base, dataset_file, tmp_path):
    """Whether they are asked for or only lie there: the table is of all."""
    out = tmp_path / "out"
    options = ablations.Options(base, out, ("as it is",), episodes=1)
    ablations.run(options)
    written = (out / "table.txt").read_bytes()
    words = ["--dataset", str(dataset_file), "--episodes", "1", "--device", "cpu", "--seeds", "7"]
    train.main([*words, "--cost-limits", "30", *TINY, "--out", str(tmp_path / "other")])
    shutil.copytree(base, tmp_path / "again")
    again = RunFolder(tmp_path / "again")
    tensors, _, notes = read_checkpoint(again.checkpoint)
    tensors["reward_value.theta"] += 1  # as a change of the code might
    write_tensors(again.checkpoint, tensors, notes)
    for change, sentence in (
        ({"episodes": 3}, r"as_it_is has other settings: episodes was 1, now 3$"),
        ({"episodes": 3, "variants": ("beta: 3",)}, r"as_it_is has other settings: episodes was 1, now 3$"),
        ({"run": tmp_path / "other"}, r"cost_limits was \[4.0\], now \[30.0\], seeds was \[1, 2\], now \[7\]$"),
        ({"run": tmp_path / "again"}, r"has other settings: base was \w+, now \w+$"),
    ):
        with pytest.raises(InputError, match=sentence):
            ablations.run(replace(options, **change))
    assert (out / "table.txt").read_bytes() == written
    assert not (out / "beta_3").exists()
    shutil.move(base, tmp_path / "moved")  # a run is what it holds, not where it lies
    try:
        ablations.run(replace(options, run=tmp_path / "moved"))
    finally:
        shutil.move(tmp_path / "moved", base)


def test_a_variant_is_a_run_for_all_commands(base, tmp_path, capsys, monkeypatch):
    ablations.run(ablations.Options(base, tmp_path, ("step size: 5e-5",), episodes=2))
    variant = folder_of(tmp_path, "step size: 5e-5")
    config = read_json(variant / "config.json")
    assert config["shared"] == ["behaviour", "cloning", "cost critics", "dynamics"]
    evaluate.main([str(variant), "--episodes", "2"])
    assert read_json(variant / "evaluation.json")["results"] == read_json(variant / "summary.json")["results"]
    export.main([str(variant), "--format", "torchscript", "--seed", "2"])
    assert (variant / "policy-2-4.pt").exists()
    monkeypatch.setattr(latency, "ACTIONS", 20)
    benchmark.main(["--collect", str(base), f"mine={variant}", "--out", str(tmp_path / "tables"), "--latency"])
    assert "DRCORL (mine, last policy)" in capsys.readouterr().out
    assert (tmp_path / "tables" / "time.png").stat().st_size > 10_000

    config["identity"]["shared"] = config.pop("shared")  # as earlier versions wrote it
    (variant / "config.json").write_text(json.dumps(config))
    with pytest.raises(SystemExit):
        evaluate.main([str(variant)])
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: the run in {variant} was trained by an earlier version of this project")


def test_unknown_variants_are_refused(base, tmp_path):
    with pytest.raises(SystemExit):
        ablations.main([str(base), "--out", str(tmp_path), "--variants", "nonsense"])
    with pytest.raises(InputError, match=r"'nonsense'.*'anchor: none'"):
        ablations.run(ablations.Options(base, tmp_path, ("nonsense",)))


def test_the_table_by_hand():
    def scores(*rows):
        names = ("reward", "cost", "safe", "cost_return", "offline_cost_estimate")
        return [dict(zip(names, row, strict=True)) for row in rows]

    first = scores((0.5, 0.5, True, 10.0, 15.0), (0.7, 0.5, True, 10.0, 15.0))
    other = scores((0.8, 0.5, True, 10.0, 15.0), (0.6, 1.5, False, 30.0, 31.0))
    found = {"first": {"results": first, "other_choices": {"last": first}}}
    found["other"] = {"results": other, "other_choices": {"last": first}}
    lines = [line.split() for line in table(found).splitlines()]
    alone = ["0.600", "+0.0000", "0.0000", "0.50", "2/2", "0.50", "+5.0", "+-", "0.0"]
    assert lines[2] == ["first", *alone]
    # Differences of .3 and -.1: their standard deviation is .283, over the root of two.
    assert lines[3] == ["other", "0.700", "+0.1000", "0.2000", "1.00", "1/2", "1.50", "+3.0", "+-", "2.0"]
    assert lines[-2:] == [["first", *alone], ["other", *alone]]
