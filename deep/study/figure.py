"""The study's figure."""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np

from deep.study.summary import DYNAMICS, Rows, column, exploitation

SHOWN = {
    "judging": "learned dynamics, judging half",
    "fitted_q": "fitted-Q, gamma 1 - 1/L, start states",
    "nearest": "nearest behaviour",
    "dice": "DICE",
}


def draw(rows: Rows, path: Path) -> None:
    """Every estimator's cost against the simulator's, and what happens along adaptation."""
    figure, grid = plt.subplots(2, 3, figsize=(15, 9), layout="constrained")
    sources = list(dict.fromkeys(row["source"] for row in rows))
    for axes, (name, title) in zip(grid.flat, SHOWN.items(), strict=False):
        _scatter(axes, rows, sources, name)
        axes.set_title(title)
    handles, labels = grid.flat[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False)
    _errors_by_step(grid.flat[4], rows)
    _departure(grid.flat[5], rows, sources)
    figure.savefig(path, dpi=90)
    plt.close(figure)


def _scatter(axes: plt.Axes, rows: Rows, sources: list[str], name: str) -> None:
    """The cost that one estimator foretells, with its interval, against the true one, on a scale that shows 0."""
    for i, source in enumerate(sources):
        part = [row for row in rows if row["source"] == source]
        true, cost = column(part, "true_cost"), column(part, f"{name}: cost")
        ends = np.clip([cost - column(part, f"{name}: cost_low"), column(part, f"{name}: cost_high") - cost], 0, None)
        axes.errorbar(true, cost, ends, fmt="none", ecolor=f"C{i}", elinewidth=0.5, alpha=0.4)
        axes.plot(true, cost, "o", c=f"C{i}", ms=4, label=source)
    top = max(column(rows, "true_cost").max(), column(rows, f"{name}: cost").max()) * 1.2 + 1
    axes.plot([0, top], [0, top], c="0.5", lw=1)
    axes.axvline(20, c="0.7", lw=0.8, ls="--")
    axes.axhline(20, c="0.7", lw=0.8, ls="--")
    axes.set(xscale="symlog", yscale="symlog", xlim=(-0.3, top), ylim=(-0.3, top))
    axes.set(xlabel="true cost of an episode (dashed: 20)", ylabel="foretold, with 95 % interval")


def _errors_by_step(axes: plt.Axes, rows: Rows) -> None:
    """The mean error of the members that steer, that judge, and of another seed's, along adaptation."""
    for i, (source, found) in enumerate(exploitation(rows).items()):
        steps = found["mean error by step"]
        for name, style in zip(DYNAMICS, ("-", "--", ":"), strict=True):
            label = source if style == "-" else None
            axes.plot(list(steps), [errors[name] for errors in steps.values()], style, c=f"C{i}", lw=1.3, label=label)
    axes.axhline(0, c="0.5", lw=0.8)
    axes.set(xlabel="step of adaptation", ylabel="foretold - true cost, mean over seeds", yscale="symlog")
    axes.set_title("steering (line), judging (dashed), another seed's (dotted)")
    axes.legend(fontsize=7, frameon=False)


def _departure(axes: plt.Axes, rows: Rows, sources: list[str]) -> None:
    """The judging half's error against its departure."""
    for i, source in enumerate(sources):
        part = [row for row in rows if row["source"] == source]
        error = np.abs(column(part, "judging: cost") - column(part, "true_cost"))
        axes.plot(column(part, "judging: departure"), error, "o", c=f"C{i}", ms=4)
    axes.set(xscale="log", yscale="symlog", xlabel="departure (1: as on the data)", ylabel="|foretold - true cost|")
    axes.set_title("does the departure warn?")
