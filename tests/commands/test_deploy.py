"""The page before deployment: what is decided, on which record, and its largest print."""

import csv
import dataclasses
import json
import re
import shutil
from pathlib import Path

import pytest

import deep.deploy.__main__ as deploy
import deep.deploy.record as counting
from deep.deploy.decision import LEAST_RIGHT, decide, least_right, record
from deep.deploy.record import Track, counted, said, track_of
from tests.support import custom_lab as custom_lab
from tests.support.browser import in_browser
from theory.support.errors import InputError

pytestmark = pytest.mark.usefixtures("unchecked")


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


DATA = {"remarks": [], "largest_cost": 9.0, "costs_left_out": False}
RELIABLE = Track("bc_all", "velocity", ("HopperVel (embedded)",), satisfied=(40, 40), violated=(40, 40))
"""As no study of this project has been so far."""


def test_a_policy_is_estimated_within_the_limit_where_all_evidence_agrees():
    found = decide(GOOD, RELIABLE, DATA)
    assert found.verdict == "ESTIMATED WITHIN THE LIMIT"
    assert found.reasons == ()
    assert dict(found.known)["disagreement of the estimators"] == "4 to 6"
    assert dict(found.known)["estimate by dice"] == "not defined for a policy with a memory"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"offline_cost_interval": (1.0, 11.0)}, "The interval from 1 to 11 holds the limit 10."),
        ({"offline_doubt": "contradicted"}, "The data contradict the learned dynamics."),
        ({"offline_doubt": "short"}, "Predicted episodes are shorter than those of the data"),
        ({"offline_ood_score": 2.5}, "The predicted states leave the data: the OOD score is 2.5"),
        ({"offline_baselines": {"nearest": 30.0}}, "Other estimators contradict it: nearest (30)."),
        ({"offline_cost_estimate": None}, "There is no estimate with an interval"),
        ({"offline_baselines": {"dice": None, "nearest": None}}, "No other estimator is defined for this policy"),
        ({"offline_ood_score": float("nan")}, "The estimate is no number"),
        ({"offline_cost_interval": (float("nan"), 8.0)}, "The estimate is no number"),
    ],
)
def test_each_doubt_alone_makes_it_unknown(change, reason):
    found = decide(GOOD | change, RELIABLE, DATA)
    assert found.verdict == "UNKNOWN"
    assert [each for each in found.reasons if each.startswith(reason)]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"largest_cost": 0.0}, "No step of the data costs anything: what would cost is unknown."),
        ({"costs_left_out": True}, "Steps with costs were left out of the data, so that the estimate is too low."),
        ({"remarks": None}, "What was left out of the data is not recorded"),
    ],
)
def test_a_doubt_about_the_data_alone_makes_it_unknown(change, reason):
    data = {key: value for key, value in (DATA | change).items() if value is not None}
    found = decide(GOOD, RELIABLE, data)
    assert found.verdict == "UNKNOWN"
    assert found.reasons[0].startswith(reason)
    assert len(found.reasons) == 1
    found = decide(GOOD | {"offline_cost_estimate": None}, RELIABLE, data)
    assert [each[:20] for each in found.reasons] == ["There is no estimate", reason[:20]]


def test_what_estimates_were_seldom_right_about_is_not_said():
    above = GOOD | {"offline_cost_estimate": 40.0, "offline_cost_interval": (20.0, 60.0)}
    above |= {"offline_baselines": {"nearest": 30.0}}
    assert decide(above, RELIABLE, DATA).verdict == "ESTIMATED ABOVE THE LIMIT"
    found = decide(above, dataclasses.replace(RELIABLE, violated=(8, 2)), DATA)
    assert found.verdict == "UNKNOWN"
    assert "right in 2 of 8 independent runs of bc_all on velocity tasks: too few" in found.reasons[0]
    assert dict(found.known)["the estimate alone says"] == "above the limit"


@pytest.mark.parametrize(
    ("method", "kind", "reason"),
    [
        (
            "drcorl",
            "custom",
            "for drcorl on custom data sets is unknown: the studies are of drcorl on velocity tasks (HalfC",
        ),
        ("bc_all", "velocity", "for bc_all on velocity tasks is unknown: the studies are of drcorl on velocity tasks"),
        ("drcorl", "bullet", "for drcorl on bullet tasks is unknown: "),
        ("drcorl", "velocity", "right in 9 of 9 independent runs of drcorl on velocity tasks: too few to know."),
        ("safe_dql", "velocity", "right in 1 of 1 independent runs of safe_dql on velocity tasks: too few to know."),
    ],
)
def test_nothing_is_said_where_the_studies_do_not_show_that_it_is_right(method, kind, reason):
    found = decide(GOOD, track_of(record()["runs"], method, kind), DATA)
    assert found.verdict == "UNKNOWN"
    (only,) = found.reasons
    assert reason in only
    assert dict(found.known)["the estimate alone says"] == "within the limit"


def test_replicas_of_one_task_data_set_and_seed_are_one_run():
    """Right only where all that said so were; other methods, kinds of task, data sets and seeds are apart."""
    row = {"algorithm": "drcorl", "task": "HopperVel", "data": "embedded", "seed": "0", "cost_limit": "20", "C": ".5",
           "cost": "10", "offline_cost_low": "5", "offline_cost_high": "15"}  # fmt: skip
    rows = [
        row, row, row | {"cost_limit": "40"}, row | {"variant": "whole"}, row | {"choice": "last", "cost": "30"},
        row | {"seed": "1"}, row | {"data": "other"}, row | {"data": "other", "cost_limit": "7"},
        row | {"data": "other", "cost_limit": "3"},
    ]  # fmt: skip
    found = counted(rows)
    assert [run["replicas"] for run in found] == [4, 1, 3]
    track = track_of(found, "drcorl", "velocity")
    assert track.satisfied == (3, 2)
    assert track.violated == (1, 1)
    assert track.tasks == ("HopperVel (embedded)", "HopperVel (other)")
    for other in (("safe_dql", "velocity"), ("drcorl", "bullet"), ("drcorl", "custom")):
        assert track_of(found, *other).tasks == ()


def test_the_simulator_is_not_looked_at():
    cheated = decide(GOOD | {"safe": False, "cost_return": 900.0, "cost": 90.0}, RELIABLE, DATA)
    assert cheated == decide(GOOD, RELIABLE, DATA)


def test_the_share_that_is_right_has_its_exact_interval():
    assert least_right(42, 42) == pytest.approx(0.05 ** (1 / 42))
    assert least_right(10, 0) == 0
    assert least_right(28, 28) < LEAST_RIGHT < least_right(29, 29)
    # P(X >= 2) for n = 8 at the lower end is .05
    p = least_right(8, 2)
    assert 1 - (1 - p) ** 8 - 8 * p * (1 - p) ** 7 == pytest.approx(0.05)


def test_the_record_is_that_of_the_committed_results():
    root = Path(__file__).parents[2] / "notebooks" / "results"
    rows = [r for name in record()["sources"] for r in csv.DictReader((root / name).read_text().splitlines())]
    assert counted(rows) == record()["runs"]
    assert len(rows) > sum(run["replicas"] for run in record()["runs"]) == 146
    assert sum(run["satisfied"]["count"] for run in record()["runs"]) == 48


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
    assert "How often such estimates are right for bc_all on custom data sets is unknown: the studies are of" in found
    assert "<td>42</td>" not in found


def test_the_largest_print_is_unknown_where_only_the_estimate_is_within_the_limit(unsimulated, tmp_path, capsys):
    """All evidence of the run agrees, and nobody knows how often such evidence is right on a user's data."""
    copy = Path(shutil.copytree(unsimulated, tmp_path / "copy"))
    summary = json.loads((copy / "summary.json").read_text())
    for result in summary["results"]:
        result.update({key: value for key, value in GOOD.items() if key.startswith("offline")}, cost_limit=10.0)
    (copy / "summary.json").write_text(json.dumps(summary))
    deploy.main([str(copy)])
    assert "WITHIN" not in capsys.readouterr().out
    text = (copy / "deployment.html").read_text()
    verdicts = re.findall('class="verdict (.*?)">(.*?)<', text)
    assert verdicts == [("unknown", "UNKNOWN")] * 4
    assert text.count("<td>the estimate alone says</td><td>within the limit</td>") == 4
    assert text.count("on custom data sets is unknown") == 5
    assert "no simulator: all results are estimates from the data" in text


def test_a_task_of_the_studies_shows_their_record(unsimulated, tmp_path):
    copy = Path(shutil.copytree(unsimulated, tmp_path / "copy"))
    for name, change in (
        ("summary.json", {"algorithm": "drcorl"}),
        ("config.json", {"identity": {"task": "HopperVel"}, "run": None}),  # the fingerprint would refuse it
    ):
        content = json.loads((copy / name).read_text())
        (copy / name).write_text(json.dumps(content | change))
    deploy.main([str(copy)])
    text = (copy / "deployment.html").read_text()
    assert "<td>within the limit</td><td>9</td><td>within it in 9</td>" in text
    assert "These are all runs of drcorl on velocity tasks" in text


def test_a_folder_without_results_leaves_the_record_as_it_was(tmp_path, monkeypatch):
    monkeypatch.setattr(counting, "RECORD", tmp_path / "record.json")
    with pytest.raises(InputError, match=r"there is no results.csv below it"):
        counting.main([str(tmp_path)])
    assert not (tmp_path / "record.json").exists()
