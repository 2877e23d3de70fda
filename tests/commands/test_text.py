"""Text of users, in figures and on the screen: dollar signs, names that are no UTF-8, a terminal that is ASCII."""

import io
import os
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

from deep import train
from deep.core.files import read_json
from deep.evaluate import plots
from tests.support.custom_lab import record
from tests.support.custom_runs import BOUNDS, SETTINGS
from tests.support.file_names import NAMES
from theory.support.figures import plain, write_figure


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_any_name_can_be_drawn(name, tmp_path):
    figure, axes = plt.subplots()
    axes.set_title(plain(os.fsdecode(name)))
    write_figure(figure, tmp_path / "figure.png", dpi=50)
    plt.close(figure)
    assert (tmp_path / "figure.png").stat().st_size > 0


def test_a_run_with_such_a_name_prints_its_table_on_an_ascii_terminal_and_draws(tmp_path, monkeypatch):
    file = Path(os.fsdecode(os.path.join(os.fsencode(tmp_path), NAMES[1])))
    record(file)
    screen = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    errors = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", screen)
    monkeypatch.setattr(sys, "stderr", errors)
    words = ["--dataset", str(file), "--algorithm", "bc_all", *SETTINGS["bc_all"], *BOUNDS, "--cost-limits", "9"]
    train.main([*words, "--out", str(tmp_path / "run")])
    monkeypatch.undo()
    for stream in (screen, errors):
        stream.flush()
    shown = screen.buffer.getvalue().decode("ascii")  # pyright: ignore[reportAttributeAccessIssue]
    assert "seed  limit" in shown
    said = errors.buffer.getvalue().decode("ascii")  # pyright: ignore[reportAttributeAccessIssue]
    assert all("step/s]" in line for line in said.splitlines() if line), "progress bars alone"
    assert all((tmp_path / "run" / f"{name}.png").stat().st_size > 0 for name in ("results", "training"))
    assert read_json(tmp_path / "run" / "summary.json")["dataset"]["path"] == str(file)


def test_a_figure_that_cannot_be_drawn_costs_a_line_and_nothing_else(tmp_path, capsys):
    def broken(path: Path) -> None:
        raise RuntimeError("first line\nsecond line")

    drawn = plots.draw_all(tmp_path, {"a.png": broken, "b.png": Path.touch})
    assert drawn == [tmp_path / "b.png"]
    said = capsys.readouterr().err
    assert said == "a.png could not be drawn (RuntimeError: first line second line); all else is written\n"
    assert (tmp_path / "b.png").exists()
