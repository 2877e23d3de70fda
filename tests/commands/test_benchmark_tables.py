"""The benchmark's tables and figures on rows whose answers are known."""

import os
from pathlib import Path
from typing import Any

import pytest

from deep.benchmark import figures, tables
from deep.benchmark.rows import at_limits, rows_of
from deep.methods.registry import METHODS
from tests.support.benchmark_rows import rows
from tests.support.file_names import NAMES
from theory.support.errors import InputError
from theory.support.files import stem
from theory.support.tables import read_table, write_table


def line(text: str, method: str) -> list[str]:
    (found,) = [line for line in text.splitlines() if line.startswith(f"| {method} |")]
    return [cell.strip() for cell in found.strip("|").split("|")]


def test_the_table_marks_what_is_safe_and_says_whose_data_it_is():
    R = {"bc_all": [[0.9, 0.9]], "bc_safe": [[0.5, 0.7]], "drcorl": [[0.6, 0.6]]}
    C = {"bc_all": [[5.0, 1.004]], "bc_safe": [[0.2, 1 + 2e-8]], "drcorl": [[0.2, 0.4]]}  # ten costs of .1 in float32
    text = tables.markdown(rows(R, C))
    assert line(text, "BC-All") == ["BC-All", "0.90, 3.00 ✗", "0.90, 5.00 ✗", "0.90, 1.00 ✗", "0 of 2"]
    assert line(text, "BC-Safe")[2:] == ["**0.50**, **0.20**", "**0.70**, **1.00** ★", "2 of 2"]
    assert line(text, "DRCORL")[1:3] == ["**0.60**, **0.30** ★", "**0.60**, **0.20** ★"]
    assert tables.NOT_COMPARABLE in text
    assert (
        "Data source: file, sha256 abababababab. seeds: 0; episodes per replica: 20; preset: quick; scale: quick."
        in text
    )
    assert "smoke" not in text.lower()
    assert tables.NOT_COMPARABLE not in tables.markdown(rows(R, C, source="dsrl"))
    smoke = rows(R, C, scale="smoke")
    assert tables.markdown(smoke).startswith("# Reward and cost (smoke)\n\n" + tables.SMOKE)
    mixed = tables.markdown([*smoke, *rows(R, C, task="BallRun", scale="")])
    assert mixed.startswith("# Reward and cost\n\n" + tables.SMOKE_AMONG)
    assert "preset: quick; scale: smoke." in mixed
    assert "preset: quick.\n" in mixed


def test_a_policy_that_ends_early_is_short_and_not_safe_nor_best():
    falls, goes_on = rows({"fisor": [[0.9, 0.9]]}, 0.0, ends_early=True), rows({"bc_all": [[0.3, 0.2]]}, 0.5)
    found = rows_of([], [*falls, *goes_on])
    assert {row["algorithm"]: row["safe"] for row in found} == {"fisor": False, "bc_all": True}
    text = tables.table(found)
    assert "| 0.90, 0.00 short | 0.90, 0.00 short | 0.90, 0.00 short | 0 of 2 |" in text
    assert "**0.30**, **0.50** ★" in text


def test_the_table_gives_intervals_gaps_and_an_average_over_tasks():
    first = rows({"bc_all": [[0.2, 0.4], [0.4, 0.6]], "drcorl": [[0.8], [0.8]]})
    second = rows({"bc_all": [[1.0, 1.0], [1.0, 1.0]]}, task="BallRun")
    text = tables.markdown(first)
    assert line(text, "BC-All")[1] == "**0.40** [0.30, 0.50], **0.50** [0.50, 0.50]"
    assert line(text, "DRCORL")[3] == "-"
    assert "Mean over tasks" not in text
    last = tables.markdown(first + second).split("## Mean over tasks and data sets")[1]
    assert line(last, "BC-All")[1].startswith("**0.70** [0.65, 0.75]")
    assert "| DRCORL" not in last, "it was not run on every task"
    assert "left out: DRCORL" in last


def test_the_figures_show_the_rows(tmp_path):
    R = {"bc_all": [[0.2, 0.4], [0.3, 0.4]], "drcorl": [[0.8, 0.8], [0.7, 0.9]]}
    places = rows(R) + rows(R, task="BallRun")
    times = [
        {"task": task, "data": "toy", "algorithm": algorithm, "variant": "", "choice": ""}
        | {"single": 0.1 * (k + 1), "batched": 1e-4}
        for task in ("HopperVel", "BallRun")
        for k, algorithm in enumerate(R)
    ]
    unsafe, hollow = ([*places[:-1], places[-1] | change] for change in ({"C": 7.0}, {"safe": False}))
    paths = [figures.over_limits(shown, tmp_path / f"{i}.png") for i, shown in enumerate((places, unsafe))]
    paths += [figures.against_time(shown, times, tmp_path / f"t{i}.png") for i, shown in enumerate((places, hollow))]
    images = [path.read_bytes() for path in paths]
    assert all(image.startswith(b"\x89PNG") and len(image) > 20_000 for image in images)
    assert len(set(images)) == 4
    with pytest.raises(ValueError, match="not enough values"):
        figures.against_time(places, times[:-1], tmp_path / "lacking.png")


def test_methods_are_told_apart_and_stand_nearest_to_their_own_limit(tmp_path, monkeypatch):
    """All registered methods, which are more than the colours of a figure."""
    assert len(METHODS) > 10
    drawn: list[Any] = []
    monkeypatch.setattr(figures, "finish", lambda figure, caption, path: drawn.append(figure))
    R = {algorithm: [[0.5, 0.6], [0.4, 0.6]] for algorithm in METHODS}
    figures.over_limits(rows(R), tmp_path / "unused.png")
    axes = drawn[0].axes[0]
    dots = [line for line in axes.lines if line.get_linestyle() == "None"]
    assert len({(line.get_color(), line.get_marker()) for line in dots}) == len(METHODS)
    at_first = {float(x) for line in dots for x in line.get_xdata() if x < 0.5}
    assert len(at_first) == len(METHODS)
    assert max(map(abs, at_first)) < 0.45
    times = [
        {
            "task": "HopperVel",
            "data": "toy",
            "algorithm": name,
            "variant": "",
            "choice": "",
            "single": 0.1,
            "batched": 1e-3,
        }
        for name in METHODS
    ]
    figures.against_time(rows(R), times, tmp_path / "unused.png")
    labelled = [line for line in drawn[1].axes[0].lines if not line.get_label().startswith("_")]
    assert len({(line.get_color(), line.get_marker()) for line in labelled}) == len(METHODS)


def test_some_limits_of_finished_runs_are_chosen():
    found = rows({"bc_all": [[0.1, 0.2]]})
    assert [row["R"] for row in at_limits(found, (40.0,))] == [0.2]
    assert at_limits(found, ()) == found
    with pytest.raises(InputError, match="--cost-limits 30: no run has this limit, accepted are 20, 40"):
        at_limits(found, (20.0, 30.0))


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_a_data_set_of_any_name_is_tabulated_and_drawn(name, tmp_path):
    data = stem(Path(os.fsdecode(name)))
    found = rows({"bc_all": [[0.2, 0.4]], "drcorl": [[0.8, 0.8]]}, data=data)
    found = [row | {"variant": "x_$5_to_$"} for row in found]
    write_table(tmp_path / "results.csv", found)
    assert read_table(tmp_path / "results.csv", texts=("data", "variant"))[0]["data"] == data
    assert data in tables.markdown(found).encode().decode()
    methods = {"task": "HopperVel", "data": data, "variant": "x_$5_to_$", "choice": "", "single": 0.1, "batched": 1e-4}
    times = [methods | {"algorithm": algorithm} for algorithm in ("bc_all", "drcorl")]
    for draw in (figures.over_limits, lambda rows, path: figures.against_time(rows, times, path)):
        draw(found, tmp_path / "figure.png")
        assert (tmp_path / "figure.png").stat().st_size > 10_000
