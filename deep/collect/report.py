"""What a collected data set or a kind drawn from it looks like: a table and a scatter plot."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np

from deep.collect.recipes import limits
from deep.data.dataset import OfflineDataset
from deep.tasks import within_limit
from theory.support.files import write_whole

SHOWN_LIMITS = (10, 20, 40, 80)
"""Episodic cost limits in the table and in the plot."""


def plot(dataset: OfflineDataset, file: Path) -> None:
    """Every trajectory in the plane of cost and return, coloured by run if known, with the distributions of both."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # imported here: workers need no matplotlib
    from matplotlib.figure import Figure

    costs, returns = dataset.trajectory_costs, dataset.trajectory_returns
    figure = Figure(figsize=(9, 6.5), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(2, 2, width_ratios=(6, 1), height_ratios=(1, 6))
    plane = figure.add_subplot(grid[1, 0])
    origins, kind = _origins(dataset), f"{name}, " if (name := dataset.provenance.get("kind")) else ""
    for number in np.unique(origins[:, 0]).astype(int).tolist():
        own = origins[:, 0] == number
        path = " → ".join(f"{limit:g}" for limit in limits(dataset.task, number)) if number >= 0 else "unknown"
        plane.scatter(
            costs[own], returns[own], s=9, alpha=0.6, lw=0, color=f"C{number % 10}", label=f"run {number}: {path}"
        )
    order = np.argsort(costs)
    best = np.maximum.accumulate(returns[order])
    plane.step(costs[order], best, where="post", color="black", lw=1, label="best return within the cost")
    for limit in SHOWN_LIMITS:
        plane.axvline(limit, color="grey", lw=0.7, ls=":")
    plane.set_xscale("function", functions=(lambda x: np.sqrt(np.maximum(x, 0)), np.square))  # low costs matter most
    ticks = [0, *SHOWN_LIMITS, 150, 250]
    plane.set_xticks(ticks, [str(tick) for tick in ticks])
    plane.set(xlim=(0, costs.max() + 3), ylim=(min(0, returns.min()), None))
    plane.set(xlabel="episode cost (square-root scale; dotted: limits)", ylabel="episode return")
    plane.legend(fontsize=8, title="run: its cost limits", loc="lower right", markerscale=2)
    above = figure.add_subplot(grid[0, 0], sharex=plane)
    above.hist(costs, bins=np.linspace(0, np.sqrt(costs.max()), 60) ** 2, color="grey")
    above.set(
        ylabel="trajectories",
        title=f"{dataset.task}: {kind}{len(costs)} trajectories of {len(np.unique(origins, axis=0))} policies",
    )
    beside = figure.add_subplot(grid[1, 1], sharey=plane)
    beside.hist(returns, bins=60, color="grey", orientation="horizontal")
    beside.set(xlabel="trajectories")
    for axes in (above, beside):
        axes.spines[["top", "right"]].set_visible(False)
    above.tick_params(labelbottom=False)
    beside.tick_params(labelleft=False)
    content = io.BytesIO()
    figure.savefig(content, format="png")
    write_whole(file, content.getvalue())


def _origins(dataset: OfflineDataset) -> np.ndarray:
    """Where each trajectory's policy comes from (`pipeline.SOURCE`); run -1 where the data do not say it."""
    behaviour = dataset.provenance.get("behaviour")
    if behaviour is None or dataset.policies is None:
        return np.full((len(dataset.ends), 1), -1)
    return np.array(json.loads(behaviour))[dataset.policies]


def table(dataset: OfflineDataset) -> str:
    """What the data hold, and what of it is eligible at each limit."""
    costs, returns, policies = dataset.trajectory_costs, dataset.trajectory_returns, np.asarray(dataset.policies)
    lines = [
        f"{len(costs)} trajectories, {len(dataset)} transitions, {len(np.unique(policies))} policies; "
        f"costs {costs.min():.0f} to {costs.max():.0f}, returns {returns.min():.0f} to {returns.max():.0f}"
    ]
    for limit in SHOWN_LIMITS:
        eligible = within_limit(costs, limit)
        best, several = returns[eligible].max(initial=-np.inf), len(np.unique(policies[eligible]))
        lines.append(f"cost <= {limit}: {eligible.sum()} trajectories of {several} policies, best return {best:.0f}")
    return "\n".join(lines)


def kind_table(dataset: OfflineDataset) -> str:
    """The numbers of a kind of data (`deep.data.kinds.describe`), a line for each limit."""
    numbers: dict[str, Any] = json.loads(dataset.provenance["kind_numbers"])
    lines = [
        f"{dataset.provenance['kind']}: {numbers['trajectories']} trajectories, {numbers['transitions']} transitions, "
        f"{numbers['safe_share']:.0%} safe; good safe parts in the unsafe: {numbers['good_safe_parts']:.0%}"
    ]
    for row in numbers["limits"]:
        scores = "".join(
            f", {title} {row[key]:.3f}"
            for key, title in (("R_mean", "mean R"), ("R_best", "best R"), ("R_pool_best", "best R of the pool"))
            if key in row
        )
        lines.append(f"cost <= {row['limit']:g}: {row['within']} trajectories ({row['share']:.0%}){scores}")
    return "\n".join(lines)
