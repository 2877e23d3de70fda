"""The study's figure."""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from deep.benchmark.ope_study.summary import DYNAMICS, Table, by_kind, column, exploitation, having
from theory.support.figures import write_figure

SHOWN = {
    "held_out": "learned dynamics, held-out ensemble: whole episodes",
    "paired, held_out": "paired with the clone: held-out ensemble",
    "fitted_q": "fitted-Q, gamma .99, the data's states",
    "nearest": "nearest behaviour",
    "dice": "DICE",
}
STYLES: dict[str, str] = dict(zip(DYNAMICS, ("-", "--", ":", "-", "--"), strict=True))


def draw(rows: Table, path: Path) -> None:
    """Every estimator's cost against the simulator's, by training and held-out models and by OOD score."""
    shown = {name: title for name, title in SHOWN.items() if having(rows, name)}
    figure, grid = plt.subplots(2, -(-len(shown) // 2) + 1, figsize=(19, 9), layout="constrained")
    colours = {kind: f"C{i}" for i, kind in enumerate(by_kind(rows))}
    panels = list(grid.flat)
    _errors_by_degree(panels.pop(), rows, colours)
    _error_by_ood_score(panels.pop(len(panels) // 2), rows, colours)
    for axes, (name, title) in zip(panels, shown.items(), strict=False):
        _scatter(axes, having(rows, name), colours, name)
        axes.set_title(title)
    for axes in panels[len(shown) :]:
        axes.set_visible(False)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=6, frameon=False)
    write_figure(figure, path, dpi=90)
    plt.close(figure)


def _scatter(axes: Axes, rows: Table, colours: dict[str, str], name: str) -> None:
    """The cost that one estimator predicts, with its interval, against the true one, on a scale that shows 0."""
    for kind, part in by_kind(rows).items():
        true, cost = column(part, "true cost"), column(part, f"{name}: cost")
        ends = np.clip([cost - column(part, f"{name}: cost_low"), column(part, f"{name}: cost_high") - cost], 0, None)
        axes.errorbar(true, cost, ends, fmt="none", ecolor=colours[kind], elinewidth=0.5, alpha=0.4)
        axes.plot(true, cost, "o", c=colours[kind], ms=4, label=kind)
    top = max(column(rows, "true cost").max(), column(rows, f"{name}: cost").max()) * 1.2 + 1
    axes.plot([0, top], [0, top], c="0.5", lw=1)
    axes.axvline(20, c="0.7", lw=0.8, ls="--")
    axes.axhline(20, c="0.7", lw=0.8, ls="--")
    axes.set(xscale="symlog", yscale="symlog", xlim=(-0.3, top), ylim=(-0.3, top))
    axes.set(xlabel="true cost of an episode (dashed: 20)", ylabel="estimate, with 95 % interval")


def _errors_by_degree(axes: Axes, rows: Table, colours: dict[str, str]) -> None:
    """The mean error of the training members, the held-out members and another seed's members, by kind and degree."""
    found = exploitation(rows)
    for name in DYNAMICS:
        colour = "C3" if name.startswith("paired") else "0.3"
        axes.plot([entry.get(name, np.nan) for entry in found], STYLES[name], c=colour, marker=".", label=name)
    for i, entry in enumerate(found):
        axes.axvspan(i - 0.5, i + 0.5, color=colours[entry["kind"]], alpha=0.12, lw=0)
    axes.axhline(0, c="0.5", lw=0.8)
    axes.set_xticks(range(len(found)), [f"{e['kind']} {e['degree']:g}" for e in found], rotation=90, fontsize=7)
    axes.set(ylabel="estimate - true cost, mean", yscale="symlog", title="do the training models err otherwise?")
    axes.legend(fontsize=8, frameon=False)


def _error_by_ood_score(axes: Axes, rows: Table, colours: dict[str, str]) -> None:
    """The held-out ensemble's error against its OOD score."""
    for kind, part in by_kind(rows).items():
        error = np.abs(column(part, "held_out: cost") - column(part, "true cost"))
        axes.plot(column(part, "held_out: ood_score"), error, "o", c=colours[kind], ms=4)
    axes.set_xscale("symlog", linthresh=0.1)
    axes.set(yscale="symlog", xlabel="OOD score (1: as on the data)", ylabel="|estimate - true cost|")
    axes.set_title("does the OOD score warn?")
