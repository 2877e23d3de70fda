"""The cost-return plane of a data set: a dot for each trajectory."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from deep.data.dataset import OfflineDataset
from theory.support.files import write_whole


def plane(data: OfflineDataset, limits: Sequence[float], title: str) -> bytes:
    """A PNG: every trajectory, the limits, and the best return within each cost."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # imported here: it takes half a second
    from matplotlib.figure import Figure

    costs, returns = data.trajectory_costs, data.trajectory_returns
    figure = Figure(figsize=(8, 5), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    ends = data.terminals[data.ends]
    for chosen, colour, label in ((~ends, "C0", "timed out"), (ends, "C3", "ended in a terminal state")):
        if chosen.any():
            axes.scatter(
                costs[chosen], returns[chosen], s=10, alpha=0.5, lw=0, c=colour, label=f"{label}: {chosen.sum():,}"
            )
    order = np.argsort(costs, kind="stable")
    best = np.maximum.accumulate(returns[order])
    axes.step(costs[order], best, where="post", color="black", lw=1, label="best return within the cost")
    for limit in limits:
        axes.axvline(limit, color="grey", lw=0.8, ls=":")
    axes.set(xlabel="cost of a trajectory (dotted: limits)", ylabel="return of a trajectory")
    axes.set_title(title.encode(errors="replace").decode().replace("$", r"\$"))
    figure.legend(loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    content = io.BytesIO()
    figure.savefig(content, format="png")
    return content.getvalue()


def write(path: Path, data: OfflineDataset, limits: Sequence[float], title: str) -> None:
    """Write `plane`, whole or not at all."""
    write_whole(path, plane(data, limits, title))
