"""Runs beside each other: scores, estimates, baselines and the data, in a table, a figure and a page."""

import io
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import deep.compare.__main__ as compare
import deep.compare.table as comparison
import deep.deploy.__main__ as deploy
import deep.page.__main__ as page_command
from deep.compare.figure import THIN, figure
from deep.data.custom import CustomData, load_custom
from tests.support import custom_lab as custom_lab
from tests.support.browser import PROBE, in_browser

pytestmark = pytest.mark.usefixtures("unchecked")


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
    assert "numbers of evaluation episodes" not in table, "one of the runs has none"
    assert 'data-shown="figuretrue 2 runs beside each other"' in in_browser(out / "compare.html")


@pytest.mark.parametrize("name", ["table.md", "figure.png"])
def test_a_file_of_somebody_else_is_not_replaced(run, unsimulated, tmp_path, capsys, name):
    (tmp_path / name).write_text("mine")
    with pytest.raises(SystemExit) as caught:
        compare.main([str(run), str(unsimulated), "--out", str(tmp_path)])
    assert caught.value.code == 2
    assert f"holds {name}, which is of no earlier comparison: give another folder" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == [name]


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


def test_panels_are_drawn_where_there_is_something_for_them(run, unsimulated):
    whole, own = comparison.Run.read(run, "run"), comparison.Run.read(unsimulated, "own")
    without = comparison.Run("run", whole.config, {"results": [
        {key: value for key, value in result.items() if not key.startswith("offline")} for result in whole.results
    ]})  # fmt: skip
    sizes = [Image.open(io.BytesIO(figure(each))).width for each in ([without], [whole], [own], [whole, own])]
    assert [round(size / sizes[0]) for size in sizes] == [1, 3, 1, 3]


def drawn(monkeypatch, runs) -> list:
    """The axes of the comparison's figure."""
    import matplotlib.pyplot as plt

    kept: list = []
    monkeypatch.setattr(plt, "close", kept.append)
    figure(runs)
    return kept[0].axes


def test_the_figure_of_runs_without_a_simulator_has_estimates_intervals_baselines_and_the_data(
    unsimulated, monkeypatch
):
    own = comparison.Run.read(unsimulated, "own")
    (axes,) = drawn(monkeypatch, [own])
    points = {(round(float(x), 4), round(float(y), 4)) for line in axes.lines for x, y in line.get_xydata()}
    for result in own.results:
        limit, height = result["cost_limit"], result["offline_return_estimate"]
        for cost in (result["offline_cost_estimate"], *result["offline_cost_interval"]):
            assert (round(cost / limit, 4), round(height, 4)) in points
        assert set(result["offline_baseline_returns"]) == {"fitted_q", "nearest", "dice"}
        for name, reward in result["offline_baseline_returns"].items():
            x, y = result["offline_baselines"][name] / limit, reward
            marks = {line.get_marker() for line in axes.lines if np.allclose(line.get_xydata()[0], (x, y))}
            assert THIN[name] in marks
    heights = {y for _, y in points}
    for row in own.summary["dataset"]["within"]:
        assert {round(row["mean_return"], 4), round(row["best_return"], 4)} <= heights


def test_the_table_of_runs_without_a_simulator_has_them_too(unsimulated, file, tmp_path, capsys):
    copy = Path(shutil.copytree(unsimulated, tmp_path / "copy"))
    compare.main([str(unsimulated), str(copy), "--out", str(tmp_path / "out")])
    table, page = ((tmp_path / "out" / name).read_text() for name in ("table.md", "compare.html"))
    assert "Not simulated, so that there are estimates alone: own, copy." in table
    results = json.loads((unsimulated / "summary.json").read_text())["results"]
    own = [result for result in results if result["cost_limit"] == 3]
    lines = table.split("Estimates from the data alone:")[1].splitlines()
    header, row = (next(line for line in lines if line.startswith(each)) for each in ("| run ", "| own | bc_all | 3 "))
    cells = dict(zip(header.split(" | "), row.split(" | "), strict=True))
    low = min(result["offline_cost_interval"][0] for result in own)
    high = max(result["offline_cost_interval"][1] for result in own)
    assert cells["95 % interval"] == f"{low:.3g} to {high:.3g}"
    assert cells["estimated return"].startswith(f"{sum(r['offline_return_estimate'] for r in own) / 2:.4g} [")
    assert cells["cost by nearest"].startswith(f"{sum(r['offline_baselines']['nearest'] for r in own) / 2:.3g} [")
    assert cells["return by nearest"].startswith(
        f"{sum(r['offline_baseline_returns']['nearest'] for r in own) / 2:.4g} ["
    )
    data = load_custom(file, CustomData(action_low=(-2,), action_high=(2,)))[1]
    returns, within = data.trajectory_returns, data.trajectory_returns[data.trajectory_costs <= 3]
    assert (
        f"| own | cart.hdf5 | 3 | {len(returns)} | {data.trajectory_costs.mean():.3g} | {returns.mean():.4g} | "
        f"{len(within)} | {within.mean():.4g} | {within.max():.4g} |" in table
    )
    for words in ("estimated return", "best return within", "cost by fitted_q", f"<td>{low:.3g} to {high:.3g}</td>"):
        assert words in page


def test_a_run_of_an_earlier_version_is_compared_as_far_as_it_is_known(run, unsimulated, tmp_path):
    copy = Path(shutil.copytree(unsimulated, tmp_path / "copy"))
    summary = json.loads((copy / "summary.json").read_text())
    for name in ("within", "mean_return", "mean_cost", "largest_cost", "remarks", "costs_left_out"):
        del summary["dataset"][name]
    for result in summary["results"]:
        del result["offline_baseline_returns"]
    (copy / "summary.json").write_text(json.dumps(summary))
    compare.main([str(run), str(copy), "--out", str(tmp_path / "out")])
    table = (tmp_path / "out" / "table.md").read_text()
    assert "Runs of earlier versions have not recorded the returns of their data." in table
    page_command.main([str(copy)])
    deploy.main([str(copy)])
    assert "What was left out of the data is not recorded" in (copy / "deployment.html").read_text()


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
