"""What is written beside a run for people and other programs: logs, the page, comparisons, the deployment page."""

import csv
import io
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import deep.compare.__main__ as compare
import deep.compare.table as comparison
import deep.deploy.__main__ as deploy
import deep.page.__main__ as page_command
from deep import train
from deep.compare.figure import figure
from deep.core.problem import Replica
from deep.deploy.decision import decide, least_right, record
from deep.deploy.record import counted, said
from deep.runs.log import Value, values
from tests.support import custom_lab as custom_lab

pytest.importorskip("tensorboard")  # of the extra `log`
pytestmark = pytest.mark.usefixtures("unchecked")

CART = ["--env", "tests.support.custom_lab:Cart-v0"]
SETTINGS = """--algorithm bc_all --steps 100 --hidden 16 --dynamics.steps 60 --dynamics.hidden 16 --dynamics.members 2
--dynamics.episodes 2 --seeds 0 3 --cost-limits 3 9 --action-low -2 --action-high 2 --episodes 3""".split()


@pytest.fixture(scope="module")
def file(tmp_path_factory) -> Path:
    return custom_lab.record(tmp_path_factory.mktemp("data") / "cart.hdf5")


@pytest.fixture(scope="module")
def run(file, tmp_path_factory) -> Path:
    """A simulated run, logged in both ways."""
    out = tmp_path_factory.mktemp("runs") / "simulated"
    train.main(["--dataset", str(file), *SETTINGS, *CART, "--log", "csv", "tensorboard", "--out", str(out)])
    return out


@pytest.fixture(scope="module")
def unsimulated(file, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "own"
    train.main(["--dataset", str(file), *SETTINGS, "--out", str(out)])
    return out


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
    (out / "checkpoint.safetensors").unlink()
    (out / "summary.json").unlink()
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


def in_browser(path: Path) -> str:
    """The page as Chromium has built it from the file, with all network access sent to nowhere."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no Chromium is installed")
    words = "--headless --no-sandbox --disable-gpu --disable-dev-shm-usage --virtual-time-budget=3000".split()
    words += ["--host-resolver-rules=MAP * 127.0.0.1:9", f"--user-data-dir={path.parent / 'profile'}"]
    done = subprocess.run([browser, *words, "--dump-dom", path.as_uri()], capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stderr
    return done.stdout


PROBE = """<script>document.body.setAttribute("data-shown",
[...document.images].map(image => image.id + (image.naturalWidth > 100)).join(" ") + " " + document.title)</script>"""


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


# Comparisons


def test_runs_are_put_beside_each_other(run, unsimulated, tmp_path, capsys):
    out = tmp_path / "both"
    compare.main([str(run), str(unsimulated), "--out", str(out)])
    table = (out / "table.md").read_text()
    assert "| simulated | bc_all | 3 | 2 |" in table
    assert "| own | bc_all | 9 | 2 |" in table
    assert "not simulated" in table
    assert table.strip() in capsys.readouterr().out
    found = (out / "compare.html").read_text()
    assert "custom.env" in found
    assert "custom.action_low" not in found, "a setting in which they agree"
    (out / "compare.html").write_text(found.replace("</body>", f"{PROBE}</body>"))
    assert 'data-shown="figuretrue 2 runs beside each other"' in in_browser(out / "compare.html")


def test_the_scores_are_those_of_the_summary(run, tmp_path):
    copy = Path(shutil.copytree(run, tmp_path / "copy"))
    compare.main([str(run), str(copy), "--out", str(tmp_path / "out")])
    results = json.loads((run / "summary.json").read_text())["results"]
    own = [result["cost"] for result in results if result["cost_limit"] == 3]
    (line, *_) = [line for line in (tmp_path / "out" / "table.md").read_text().splitlines() if "| copy |" in line]
    cells = [cell.strip() for cell in line.split("|")]
    assert float(cells[6].split()[0]) == pytest.approx(sum(own) / 2, abs=5e-3)


def test_a_policy_whose_episodes_end_early_is_not_just_safe(run, tmp_path):
    copy = Path(shutil.copytree(run, tmp_path / "copy"))
    summary = json.loads((copy / "summary.json").read_text())
    for result, safe, early in zip(summary["results"], (1, 1, 0, 1), (1, 0, 0, 0), strict=True):
        result.update(safe=bool(safe), ends_early=bool(early), cost_limit=3.0, episode_length=12.5)
    (copy / "summary.json").write_text(json.dumps(summary))
    compare.main([str(run), str(copy), "--out", str(tmp_path / "out")])
    table = (tmp_path / "out" / "table.md").read_text()
    assert "| 2 of 4, 1 short | 12.5 [12.5, 12.5] |" in table
    assert "short: C <= 1, but the episodes end early." in table
    assert "short: C &lt;= 1, but the episodes end early." in (tmp_path / "out" / "compare.html").read_text()


def test_estimates_are_drawn_where_there_are_any(run):
    whole = comparison.Run.read(run, "run")
    without = comparison.Run("run", whole.config, {"results": [
        {key: value for key, value in result.items() if key != "offline_cost_estimate"} for result in whole.results
    ]})  # fmt: skip
    widths = [Image.open(io.BytesIO(figure([each]))).width for each in (whole, without)]
    assert widths[0] == 2 * widths[1]


def test_what_keeps_runs_from_being_compared_is_said(run, tmp_path):
    copy = Path(shutil.copytree(run, tmp_path / "copy"))
    summary = json.loads((copy / "summary.json").read_text())
    summary["dataset"]["sha256"] = "another"
    (copy / "summary.json").write_text(json.dumps(summary))
    compare.main([str(run), str(copy), "--out", str(tmp_path / "out")])
    assert (tmp_path / "out" / "table.md").read_text().startswith("The runs have different data sets.\n")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["RUN"], "two or more are accepted"),
        (["RUN", "nowhere"], "there is no run in nowhere"),
        (["RUN", "RUN"], "twice"),
    ],
)
def test_what_cannot_be_compared_is_rejected(words, sentence, run, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit):
        compare.main([str(run) if word == "RUN" else word for word in words])
    assert sentence in capsys.readouterr().err
    assert not os.listdir(tmp_path)


# Before deployment

GOOD = {
    "seed": 0,
    "cost_limit": 10.0,
    "offline_cost_estimate": 4.0,
    "offline_cost_interval": (1.0, 8.0),
    "offline_return_estimate": 3.0,
    "offline_length_estimate": 30.0,
    "offline_ood_score": 1.1,
    "offline_doubt": None,
    "offline_baselines": {"fitted_q": 5.0, "nearest": 6.0, "dice": None},
}


def test_a_policy_is_within_the_limit_where_all_evidence_agrees():
    found = decide(GOOD, record())
    assert found.verdict == "WITHIN THE LIMIT"
    assert found.reasons == ()
    assert dict(found.known)["disagreement of the estimators"] == "4 to 6"
    assert dict(found.known)["estimate by dice"] == "not defined for a policy with a memory"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"offline_cost_interval": (1.0, 11.0)}, "The interval from 1 to 11 holds the limit 10."),
        ({"offline_doubt": "contradicted"}, "The data contradict the learned dynamics."),
        ({"offline_doubt": "short"}, "Predicted episodes are shorter than those of the data"),
        ({"offline_ood_score": 2.5}, "The policy leaves the data: its OOD score is 2.5"),
        ({"offline_baselines": {"nearest": 30.0}}, "Other estimators contradict it: nearest (30)."),
        ({"offline_cost_estimate": None}, "There is no estimate with an interval"),
        ({"offline_baselines": {"dice": None, "nearest": None}}, "No other estimator is defined for this policy"),
        ({"offline_ood_score": float("nan")}, "The estimate is no number"),
        ({"offline_cost_interval": (float("nan"), 8.0)}, "The estimate is no number"),
    ],
)
def test_each_doubt_alone_makes_it_unknown(change, reason):
    found = decide(GOOD | change, record())
    assert found.verdict == "UNKNOWN"
    assert [each for each in found.reasons if each.startswith(reason)]


def test_what_estimates_were_seldom_right_about_is_not_said():
    """In the studies six of eight policies that were said to violate the limit satisfied it."""
    above = GOOD | {"offline_cost_estimate": 40.0, "offline_cost_interval": (20.0, 60.0)}
    above |= {"offline_baselines": {"nearest": 30.0}}
    assert decide(above, record()).verdict == "UNKNOWN"
    assert decide(above, record() | {"violated": {"count": 40, "right": 40}}).verdict == "ABOVE THE LIMIT"


def test_the_simulator_is_not_looked_at():
    cheated = decide(GOOD | {"safe": False, "cost_return": 900.0, "cost": 90.0}, record())
    assert cheated == decide(GOOD, record())


def test_the_share_that_is_right_has_its_exact_interval():
    assert least_right(42, 42) == pytest.approx(0.05 ** (1 / 42))
    assert least_right(10, 0) == 0
    # P(X >= 2) for n = 8 at the lower end is .05
    p = least_right(8, 2)
    assert 1 - (1 - p) ** 8 - 8 * p * (1 - p) ** 7 == pytest.approx(0.05)


def test_the_record_is_that_of_the_committed_results():
    root = Path(__file__).parents[2] / "notebooks" / "results"
    rows = [r for name in record()["sources"] for r in csv.DictReader((root / name).read_text().splitlines())]
    assert counted(rows) | {"sources": record()["sources"]} == record()
    assert len(rows) > record()["replicas"] > 100


def test_an_interval_says_what_it_holds():
    assert [said(1, 2, limit) for limit in (0.5, 1.5, 2)] == ["violated", "nothing", "satisfied"]


def test_the_page_says_unknown_in_the_largest_print(unsimulated, tmp_path, capsys):
    deploy.main([str(unsimulated), "--out", str(tmp_path / "page.html")])
    said_so = capsys.readouterr().out
    sizes = """<script>const size = e => parseFloat(getComputedStyle(e).fontSize);
    const all = [...document.body.querySelectorAll("*")], verdict = e => e.className.includes("verdict");
    const largest = Math.max(...all.map(size)), large = all.filter(e => size(e) == largest);
    document.body.setAttribute("data-shown", all.filter(verdict).length == large.length && large.every(verdict))
    </script>"""
    text = (tmp_path / "page.html").read_text()
    assert text.count('class="verdict') == said_so.count("cost limit") == 4
    (tmp_path / "page.html").write_text(text.replace("</body>", f"{sizes}</body>"))
    found = in_browser(tmp_path / "page.html")
    assert 'data-shown="true"' in found
    assert "Nothing is known of how often estimates are right on" in found
    assert "42" in found
