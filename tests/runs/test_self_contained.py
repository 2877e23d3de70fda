"""A run's folder stands by itself: other working folders, moved and missing data, a lost checkpoint."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import deep.evaluate.__main__ as evaluate
import deep.export.__main__ as export
from deep import load_policy, train
from deep.api import evaluate as evaluate_run
from deep.core.files import read_json
from deep.runs.experiment import finished, restore_without_data
from tests.support.custom_lab import record
from tests.support.custom_runs import SETTINGS
from theory.support.errors import InputError

WORDS = ["--dataset", "mine.hdf5", "--algorithm", "bc_all", *SETTINGS["bc_all"], "--action-low", "-2"]
WORDS += ["--action-high", "3", "--seeds", "0", "3", "--cost-limits", "3", "9", "--out", "run"]


def trained(folder: Path) -> Path:
    """The folder, with a data file and a run that was trained with relative names."""
    folder.mkdir(exist_ok=True)
    record(folder / "mine.hdf5")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        train.main(WORDS)
    return folder


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    return trained(tmp_path_factory.mktemp("home"))


@pytest.fixture
def moved(tmp_path, monkeypatch) -> Path:
    """The same run, whose data file has been moved to "elsewhere.hdf5" since; the working folder is another one."""
    folder = trained(tmp_path / "home")
    (folder / "mine.hdf5").rename(folder / "elsewhere.hdf5")
    monkeypatch.chdir(tmp_path)
    return folder


def test_a_run_is_evaluated_and_exported_from_any_folder(home, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    evaluate.main([str(home / "run"), "--episodes", "1"])
    assert "seed  limit" in capsys.readouterr().out
    assert read_json(home / "run" / "config.json")["identity"]["dataset"] == str(home / "mine.hdf5")


def test_an_export_needs_no_data_and_has_the_same_bytes(home, moved):
    pytest.importorskip("onnx")
    for folder in (home, moved):
        words = [str(folder / "run"), "--format", "onnx", "--seed", "3", "--cost-limit", "9"]
        export.main([*words, "--out", str(folder / "policy.onnx")])
    first, second = ((folder / "policy.onnx").read_bytes() for folder in (home, moved))
    assert first == second


def test_a_policy_acts_without_the_data_as_with_them(home, moved):
    observations = np.random.default_rng(0).normal(0.2, 0.5, (7, 2)).astype(np.float32)
    with_data, _ = finished(home / "run")
    expected = with_data.task.in_own_units(with_data.act(np.stack([observations] * 4)))
    for number, (seed, limit) in enumerate(with_data.problem.replicas):
        found = load_policy(moved / "run", seed=seed, cost_limit=limit).act(observations)
        np.testing.assert_array_equal(found, expected[number])
    assert np.ptp(expected, axis=0).max() > 1e-4, "the replicas differ"


def test_data_in_a_new_place_are_named_and_their_hash_is_compared(moved, capsys):
    run, new = moved / "run", moved / "elsewhere.hdf5"
    with pytest.raises(SystemExit):
        evaluate.main([str(run), "--episodes", "1"])
    old = moved / "mine.hdf5"
    assert f"the data of the run in {run} are no longer in {old}: put them back" in capsys.readouterr().err
    evaluate.main([str(run), "--episodes", "1", "--dataset", str(new)])
    assert read_json(run / "evaluation.json")["results"] == read_json(run / "summary.json")["results"]
    assert evaluate_run(run, 1, dataset=new)[0]["seed"] == 0
    record(moved / "other.hdf5", episodes=11)
    with pytest.raises(SystemExit):
        evaluate.main([str(run), "--episodes", "1", "--dataset", str(moved / "other.hdf5")])
    assert "other.hdf5 is not the file that the run in" in capsys.readouterr().err


def test_a_run_is_resumed_with_the_data_in_another_place_and_with_no_others(moved, monkeypatch, capsys):
    monkeypatch.chdir(moved)
    before = read_json(moved / "run" / "summary.json")["results"]
    train.main([*WORDS, "--resume", "--dataset", "elsewhere.hdf5"][2:])
    assert read_json(moved / "run" / "summary.json")["results"] == before
    record(moved / "mine.hdf5", episodes=11)
    with pytest.raises(SystemExit):
        train.main([*WORDS, "--resume"])
    assert "other settings: dataset_sha256 was" in capsys.readouterr().err


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file() and path.name != ".lock"}


@pytest.mark.parametrize("evaluated", [True, False])
def test_a_finished_run_whose_checkpoint_is_gone_is_not_trained_again(home, tmp_path, evaluated, monkeypatch, capsys):
    shutil.copytree(home, tmp_path / "home")
    monkeypatch.chdir(tmp_path / "home")
    run = tmp_path / "home" / "run"
    (run / "checkpoint.safetensors").unlink()
    if not evaluated:  # killed after the training, before the summary
        (run / "summary.json").unlink()
    before = contents(run)
    with pytest.raises(SystemExit):
        train.main([*WORDS, "--resume"])
    said = capsys.readouterr().err
    assert said.count("\n") <= 3
    assert "checkpoint.safetensors" in said
    assert "restore" in said
    after = contents(run)
    assert {name: content for name, content in after.items() if name != "sessions.json"} == {
        name: content for name, content in before.items() if name != "sessions.json"
    }


@pytest.mark.parametrize("change", [{"data": None}, {"data": {}}, {"data": []}, {"data": {"task": {}}}])
def test_a_run_that_does_not_describe_its_data_says_so(home, tmp_path, change):
    shutil.copytree(home / "run", tmp_path / "run")
    config = read_json(tmp_path / "run" / "config.json")
    del config["described"]  # the fingerprint would refuse it
    (tmp_path / "run" / "config.json").write_text(json.dumps(config | change))
    with pytest.raises(InputError, match=r"config\.json does not (describe|hold the description of) "):
        restore_without_data(tmp_path / "run")
