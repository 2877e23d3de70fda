"""Files of a run, a benchmark and a sweep that have another form than they were written in: one sentence each."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

import deep.compare.__main__ as compare
import deep.deploy.__main__ as deploy
import deep.evaluate.__main__ as evaluate
import deep.page.__main__ as run_page
from deep import load_policy, train
from deep.benchmark.curves import curves_of, schedule_of
from deep.benchmark.ope_study import __main__ as ope_study
from deep.benchmark.ope_study.measure import RowFile
from deep.benchmark.rows import Run, collected, rows_of
from deep.compare.table import Run as ComparedRun
from deep.core.files import read_json, write_tensors
from deep.export.__main__ import main as export
from deep.runs.config_file import fingerprint
from deep.runs.experiment import Experiment, configuration, copy_dynamics, restore, restore_without_data
from deep.runs.folder import RunFolder
from deep.training import parse, run
from tests.support.custom_lab import record
from tests.support.custom_runs import BOUNDS, SETTINGS
from theory.support.errors import InputError

NO_OBJECTS = [b"", b"{", b"[]", b"null", b"7", b'"text"', b"\xff\xfe{}", b"[" * 100_000, b'{"a": 1' * 5000]


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """A finished run of one replica."""
    folder = tmp_path_factory.mktemp("whole")
    words = ["--dataset", str(record(folder / "cart.hdf5")), "--algorithm", "bc_all", *SETTINGS["bc_all"], *BOUNDS]
    run(parse([*words, "--cost-limits", "9", "--out", str(folder / "run")]))
    return folder / "run"


@pytest.fixture
def copy(whole, tmp_path) -> Path:
    shutil.copytree(whole, tmp_path / "run")
    return tmp_path / "run"


def one_sentence(caught) -> None:
    said = str(caught.value)
    assert "\n" not in said
    assert len(said) < 600


@pytest.mark.parametrize("content", NO_OBJECTS, ids=lambda content: repr(content[:12]))
def test_a_file_that_is_no_json_object(content, tmp_path):
    path = tmp_path / "config.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"config\.json (cannot be read as JSON|holds a JSON)") as caught:
        read_json(path)
    one_sentence(caught)


def variants(content: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """The content with one entry missing (`...`) or of another type, at every place in it."""
    for key, value in content.items():
        for other in (..., None, [], {}, "text", [["text"]], -1):
            if other is not ... and type(other) is type(value):
                continue
            changed = dict(content)
            if other is ...:
                del changed[key]
            else:
                changed[key] = other
            yield (*path, key), changed
        if isinstance(value, dict):
            for where, inner in variants(value, (*path, key)):
                yield where, {**content, key: inner}


def test_settings_with_an_entry_missing_or_of_another_type(copy):
    """What is accepted must be settings all the same: other defaults, not a crash later."""
    content = read_json(copy / "config.json")
    del content["run"], content["described"]  # the fingerprints would refuse all of them
    refused = 0
    for where, changed in variants({name: content[name] for name in ("identity", "data")}):
        (copy / "config.json").write_text(json.dumps({**content, **{"identity": None, "data": None}, **changed}))
        try:
            configuration(copy)
            restore_without_data(copy)
        except InputError as error:
            refused += "\n" not in str(error)
        except Exception as error:
            raise AssertionError(f"{where}: {type(error).__name__}: {error}") from error
    assert refused > 150


@pytest.mark.parametrize("key", ["cost_limits", "seeds", "normalise_states"])
def test_settings_that_are_not_those_of_the_fingerprint(key, copy):
    """Other limits would name the same policies otherwise."""
    content = read_json(copy / "config.json")
    configuration(copy)
    changed = [26.0, 27.0] if key == "cost_limits" else [7] if key == "seeds" else False
    (copy / "config.json").write_text(json.dumps({**content, "identity": {**content["identity"], key: changed}}))
    with pytest.raises(InputError, match="has other settings than those that the run began with"):
        configuration(copy)


def test_a_description_of_the_data_that_is_not_the_one_that_was_written(copy):
    """The policies act on observations that are normalised with its numbers."""
    content = read_json(copy / "config.json")
    for key, changed in (("mean", [0.0] * len(content["data"]["mean"])), ("rewards", [0.0, 2.0])):
        (copy / "config.json").write_text(json.dumps({**content, "data": {**content["data"], key: changed}}))
        with pytest.raises(InputError, match=r"has another description of the data than"):
            restore_without_data(copy)


def test_settings_that_have_been_edited_stand_on_no_page(copy, whole, capsys):
    content = read_json(copy / "config.json")
    content["identity"]["gamma"] = 0.5
    (copy / "config.json").write_text(json.dumps(content))
    for command, others in ((run_page, []), (compare, [str(whole)]), (deploy, [])):
        with pytest.raises(SystemExit):
            command.main([str(copy), *others])
        assert "config.json has other settings than those that the run began with" in capsys.readouterr().err


def test_a_number_of_processes_of_another_form(copy, whole, capsys):
    content = read_json(copy / "config.json")
    words = ["--dataset", str(whole.parent / "cart.hdf5"), "--algorithm", "bc_all", *SETTINGS["bc_all"], *BOUNDS]
    for processes in ("x", {}, None):
        (copy / "config.json").write_text(json.dumps({**content, "processes": processes}))
        with pytest.raises(SystemExit):
            train.main([*words, "--cost-limits", "9", "--out", str(copy), "--resume"])
        assert "config.json does not hold a run's number of processes" in capsys.readouterr().err


def test_the_file_with_the_damage_is_the_one_that_is_named(copy):
    content, summary = (read_json(copy / name) for name in ("config.json", "summary.json"))
    (copy / "summary.json").write_text(json.dumps(summary | {"simulated": True}))
    (copy / "config.json").write_text(json.dumps({**content, "command": [1, 2]}))
    with pytest.raises(InputError, match=r"config\.json does not hold the command of a run"):
        rows_of(collected([str(copy)])[0])
    (copy / "config.json").write_text(json.dumps(content))
    (copy / "summary.json").write_text(json.dumps(summary | {"algorithm": {}}))
    with pytest.raises(InputError, match=r"summary\.json does not hold the summary of a run"):
        ComparedRun.read(copy, "run")


def test_commands_say_so_in_one_line(copy, capsys):
    (copy / "config.json").write_text('{"schema": 1, "identity": {"algorithm": "bc_all"}}')
    for command, words in ((evaluate.main, []), (export, ["--format", "onnx"])):
        with pytest.raises(SystemExit) as caught:
            command([str(copy), *words])
        assert caught.value.code == 2
        said = capsys.readouterr().err
        assert said.count("\n") == 1
        assert "config.json does not hold a run's settings (it lacks 'preset')" in said


@pytest.mark.parametrize(
    "content",
    ["{}", '{"sessions": {}}', '{"sessions": [1]}', '{"sessions": [{"seconds": "x"}]}', '{"sessions": [{}]}', "["],
)
def test_sessions_of_another_form(content, copy):
    before = read_json(copy / "config.json")
    (copy / "sessions.json").write_text(content)
    with pytest.raises(InputError, match=r"sessions\.json (does not hold the sessions|cannot be read)") as caught:
        RunFolder(copy).open(before, resume=True)
    one_sentence(caught)
    assert (copy / "sessions.json").read_text() == content


@pytest.mark.parametrize(
    "line", ["{", "[]", "7", "{}", '{"phase": "cloning"}', '{"phase": "a", "step": 50, "loss": 3}',
             '{"phase": "a", "step": 50, "loss": ["x"]}', '{"phase": "a", "step": "x"}']
)  # fmt: skip
def test_metrics_of_another_form(line, copy):
    good = (copy / "metrics.jsonl").read_text().splitlines()
    (copy / "metrics.jsonl").write_text("\n".join([good[0], line]) + "\n")
    with pytest.raises(InputError, match=r"metrics\.jsonl does not hold a block's metrics in line 2") as caught:
        RunFolder(copy).read_metrics()
    one_sentence(caught)
    (copy / "metrics.jsonl").write_bytes(b"\xff\xff")
    with pytest.raises(InputError, match=r"metrics\.jsonl cannot be read"):
        RunFolder(copy).read_metrics()


def test_summaries_with_an_entry_missing_or_of_another_type(copy, capsys):
    summary = read_json(copy / "summary.json") | {"simulated": True}
    refused = 0
    for where, changed in variants(summary):
        (copy / "summary.json").write_text(json.dumps(changed))
        for use in (lambda: rows_of(collected([str(copy)])[0]), lambda: curves_of(Run(copy, "run"))):
            try:
                use()
            except InputError as error:
                refused += "\n" not in str(error)
            except Exception as error:
                raise AssertionError(f"{where}: {type(error).__name__}: {error}") from error
    assert refused > 20
    (copy / "summary.json").write_text("{}")
    with pytest.raises(SystemExit):
        export([str(copy), "--format", "torchscript"])
    assert "summary.json does not hold the results of all replicas (it lacks 'results')" in capsys.readouterr().err


@pytest.mark.parametrize("content", ["{}", '{"jobs": 7}', '{"jobs": [7]}', '{"jobs": [{"task": "x"}]}', "[]", "{"])
def test_a_benchmarks_list_of_jobs_of_another_form(content, tmp_path):
    (tmp_path / "benchmark.json").write_text(content)
    with pytest.raises(InputError, match=r"benchmark\.json (does not hold a benchmark's jobs|cannot|holds)") as caught:
        collected([str(tmp_path)])
    one_sentence(caught)


@pytest.mark.parametrize("content", ['{"identity": {}}', '{"identity": {"method": {"adaptation": 3}}}'])
def test_a_schedule_of_another_form(content, copy):
    (copy / "config.json").write_text(content)
    with pytest.raises(InputError, match=r"config\.json does not hold a run's settings"):
        schedule_of(Run(copy, "run"))


@pytest.mark.parametrize("line", ["{", "[]", '{"run": "r"}', '{"run": "r", "set": "s", "rows": 7}'])
def test_rows_of_the_study_of_another_form(line, tmp_path):
    (tmp_path / "run.jsonl").write_text(line + "\n")
    with pytest.raises(InputError, match=r"run\.jsonl does not hold rows of the study"):
        RowFile(tmp_path / "run.jsonl", "r", 2).read()


@pytest.fixture
def earlier(copy) -> Path:
    """The run as versions before `schema` wrote it: options under other names, nothing said of the data."""
    config = read_json(copy / "config.json")
    del config["schema"], config["data"]
    config["identity"]["own"] = config["identity"].pop("custom")
    (copy / "config.json").write_text(json.dumps(config))
    return copy


def test_a_run_of_an_earlier_version_is_rejected_by_every_command(earlier, whole, tmp_path, capsys):
    """Each names the run and the way out in one line, and changes nothing in its folder."""
    before = {path.name: path.read_bytes() for path in earlier.iterdir()}
    trained = ["--algorithm", "bc_all", *SETTINGS["bc_all"], *BOUNDS, "--cost-limits", "9"]
    trained += ["--dataset", str(whole.parent / "cart.hdf5")]
    for command, words in (
        (train.main, [*trained, "--out", str(earlier), "--resume"]),
        (evaluate.main, [str(earlier)]),
        (export, [str(earlier), "--format", "onnx"]),
        (ope_study.main, [str(earlier), "--out", str(tmp_path / "study")]),
    ):
        with pytest.raises(SystemExit) as caught:
            command(words)
        said = capsys.readouterr().err
        assert caught.value.code == 2, command
        assert said.count("\n") == 1, said
        assert said.startswith(f"error: the run in {earlier} was trained by an earlier version of this project"), said
        assert said.endswith("cannot be used here: train it again in another folder\n"), said
    with pytest.raises(InputError, match="was trained by an earlier version"):
        load_policy(earlier)
    assert {path.name: path.read_bytes() for path in earlier.iterdir()} == before


def test_data_that_have_moved_are_named_with_the_option_that_finds_them(copy, whole, tmp_path, capsys):
    content = read_json(copy / "config.json")
    content["identity"]["dataset"] = str(tmp_path / "gone.hdf5")
    content["run"] = fingerprint(content["identity"])
    (copy / "config.json").write_text(json.dumps(content))
    with pytest.raises(SystemExit):
        evaluate.main([str(copy)])
    assert f"are no longer in {tmp_path}/gone.hdf5: put them back there; deep.evaluate also" in capsys.readouterr().err
    with pytest.raises(InputError, match=r"as --dataset FILE, in Python as dataset=FILE$"):
        restore(copy)
    assert restore(copy, whole.parent / "cart.hdf5").data.sha256 == content["identity"]["dataset_sha256"]


def test_dynamics_of_another_form_are_not_copied(copy, monkeypatch):
    """They are compared with what they are copied into, as a whole checkpoint is."""
    experiment = restore(copy)
    dynamics = SimpleNamespace(phases=list, tensors=lambda: {"dynamics.x": torch.ones(2)})
    monkeypatch.setattr(Experiment, "dynamics", dynamics)
    for stored in ({}, {"dynamics.x": torch.zeros(3)}):
        notes = {"phase": "cloning", "step": "1", "metrics_bytes": "0"}
        write_tensors(copy / "checkpoint.safetensors", stored, notes)
        with pytest.raises(InputError, match=r"checkpoint\.safetensors is of another run: dynamics\.x is "):
            copy_dynamics(experiment, copy)
