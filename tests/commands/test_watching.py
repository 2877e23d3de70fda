"""What is written beside a run for people and other programs: logs and the page."""

import csv
import json
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

import deep.deploy.__main__ as deploy
import deep.page.__main__ as page_command
from deep import train
from deep.core.problem import Replica
from deep.runs.log import Value, values
from tests.support import custom_lab as custom_lab
from tests.support.browser import PROBE, in_browser
from tests.support.watched_runs import SETTINGS

pytestmark = pytest.mark.usefixtures("unchecked")


# Logs


def test_a_value_is_named_after_its_replica_or_its_seed():
    replicas = [Replica(0, 3.0), Replica(0, 9.0), Replica(5, 3.0), Replica(5, 9.0)]
    record = {"phase": "cloning", "step": 50, "loss": [1.0, 2.0, 3.0, 4.0], "shared": [7.0, 8.0]}
    found = list(values(record, replicas))
    assert found[2] == Value("cloning", 50, "loss", 5, 3.0, 3.0)
    assert found[4:] == [Value("cloning", 50, "shared", 0, None, 7.0), Value("cloning", 50, "shared", 5, None, 8.0)]


def expected(run: Path) -> set[tuple[str, int, str, float]]:
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    names = {"phase", "step"}
    return {(x["phase"], x["step"], key, v) for x in lines for key in x.keys() - names for v in x[key]}


def test_metrics_csv_has_every_number_of_metrics_jsonl(run):
    rows = list(csv.DictReader((run / "metrics.csv").read_text().splitlines()))
    assert {(r["phase"], int(r["step"]), r["metric"], float(r["value"])) for r in rows} == expected(run)
    assert {(r["seed"], r["cost_limit"]) for r in rows} >= {("0", "3.0"), ("3", "9.0")}


def test_tensorboard_reads_every_number_of_metrics_jsonl(run):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(run / "tensorboard")).Reload()
    shown = {
        (tag.split("/")[0], event.step, tag.split("/")[1], round(event.value, 4))
        for tag in found.Tags()["scalars"]
        for event in found.Scalars(tag)
    }
    assert shown == {(phase, step, metric, round(float(np.float32(v)), 4)) for phase, step, metric, v in expected(run)}


def test_a_resumed_run_writes_its_log_anew(file, tmp_path):
    """What a killed process has written after its last checkpoint is not there twice."""
    out, settings = tmp_path / "run", " ".join(SETTINGS).replace("--dynamics.steps 60", "--dynamics.steps 0").split()
    words = ["--dataset", str(file), *settings, "--log", "csv", "--out", str(out)]
    train.main(words)
    before = (out / "metrics.csv").read_text()
    for name in ("checkpoint.safetensors", "summary.json", "sessions.json", "results.png", "training.png"):
        (out / name).unlink(missing_ok=True)
    (out / "metrics.csv").write_text("rubbish")
    train.main([*words, "--resume"])
    assert (out / "metrics.csv").read_text() == before


def test_a_missing_tensorboard_is_named_before_the_training(file, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    words = ["--dataset", str(file), *SETTINGS, "--log", "tensorboard", "--out", str(tmp_path / "run")]
    with pytest.raises(SystemExit):
        train.main(words)
    assert "`pip install tensorboard` installs it" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


# The page of a run


def test_the_page_of_a_run_opens_from_its_file(run, tmp_path):
    text = (run / "page.html").read_text()
    assert not re.search(r'(src|href)="(?!data:)', text), "the page loads something"
    (tmp_path / "page.html").write_text(text.replace("</body>", f"{PROBE}</body>"))
    found = in_browser(tmp_path / "page.html")
    assert 'data-shown="planetrue curvestrue cart: bc_all"' in found
    for words in ("dynamics.steps", "estimated cost", "commit"):
        assert words in found
    assert found.count("<tr><td>0</td><td>3</td>") == 1
    assert "film" not in re.findall(r'id="(\w+)"', text)


def test_a_film_is_shown_where_one_is_asked_for(run, tmp_path):
    pytest.importorskip("PIL")
    copy = Path(shutil.copytree(run, tmp_path / "run"))
    page_command.main([str(copy), "--film"])
    text = (copy / "page.html").read_text()
    assert 'id="film" src="data:image/gif;base64,R0lGOD' in text


def test_a_name_is_shown_and_not_run(run, tmp_path):
    copy = Path(shutil.copytree(run, tmp_path / "run"))
    summary = json.loads((copy / "summary.json").read_text())
    (copy / "summary.json").write_text(json.dumps({**summary, "task": "<script>alert(1)</script>"}))
    page_command.main([str(copy)])
    assert "<script>" not in (copy / "page.html").read_text()


@pytest.mark.parametrize("command", [page_command, deploy])
def test_what_is_no_finished_run_has_no_page(command, run, tmp_path, capsys):
    for folder, sentence in ((tmp_path, "there is no run in"), (run, "cannot be read as JSON")):
        copy = tmp_path / "copy"
        if folder == run:
            shutil.copytree(run, copy)
            (copy / "summary.json").unlink()
        with pytest.raises(SystemExit):
            command.main([str(copy if folder == run else folder)])
        assert sentence in capsys.readouterr().err
