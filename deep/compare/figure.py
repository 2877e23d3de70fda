"""The figure of a comparison: scores, estimates beside the simulator's costs, and costs and returns with intervals."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from typing import Any

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
from matplotlib.lines import Line2D

from deep.compare.table import BASELINES, Run

MARKERS = "os^vDPX*<>"
THIN = {"fitted_q": "1", "nearest": "2", "dice": "3"}
"""The marker of each baseline estimator."""


def figure(runs: Sequence[Run]) -> bytes:
    """A PNG with the panels that there is something for.

    scores: C and R of every replica that was simulated.
    estimates: estimated beside simulated costs.
    costs and returns: where there is any estimate, the estimated cost of every replica with its interval, divided by
    its limit, at the estimated return; the baseline estimators'; the simulator's; the data's returns as lines.
    """
    results = [result for run in runs for result in run.results]
    panels: list[Callable[[Any, Sequence[Run]], None]] = []
    if any("cost_return" in result for result in results):
        panels.append(_scores)
    if any("cost_return" in result and _estimated(result) for result in results):
        panels.append(_estimates)
    if any(_estimated(result) or result.get("offline_baseline_returns") for result in results):
        panels.append(_plane)
    panels = panels or [_scores]
    shown, axes = plt.subplots(1, len(panels), figsize=(5.5 * len(panels), 4.8), layout="constrained", squeeze=False)
    for draw, place in zip(panels, axes[0], strict=True):
        draw(place, runs)
    names = [Line2D([], [], **_style(i), label=run.name.replace("$", r"\$")) for i, run in enumerate(runs)]
    handles, columns = names + (_meanings() if _plane in panels else []), min(4, 2 * len(panels))
    shown.legend(handles=handles, loc="outside lower center", ncols=columns, frameon=False, fontsize=8)
    content = io.BytesIO()
    shown.savefig(content, dpi=110, format="png")
    plt.close(shown)
    return content.getvalue()


def _style(i: int) -> dict[str, Any]:
    return {"color": f"C{i % 10}", "marker": MARKERS[i % len(MARKERS)], "linestyle": "none", "alpha": 0.7}


def _estimated(result: dict[str, Any]) -> bool:
    return result.get("offline_cost_estimate") is not None


def _scores(axes: Any, runs: Sequence[Run]) -> None:
    for i, run in enumerate(runs):
        played = [result for result in run.results if "cost_return" in result]
        axes.plot([r["cost"] for r in played], [r["reward"] for r in played], **_style(i))
    axes.axvline(1, color="grey", ls="--", lw=0.8)
    axes.set(xlabel="C: cost of an episode / its limit (dashed: 1)", ylabel="R: return, 0 to 1", title="scores")


def _estimates(axes: Any, runs: Sequence[Run]) -> None:
    for i, run in enumerate(runs):
        both = [result for result in run.results if "cost_return" in result and _estimated(result)]
        axes.plot([r["cost_return"] for r in both], [r["offline_cost_estimate"] for r in both], **_style(i))
    largest = max(axes.get_xlim()[1], axes.get_ylim()[1])
    axes.plot([0, largest], [0, largest], color="grey", ls="--", lw=0.8)
    axes.set(xlabel="cost of an episode in the simulator", ylabel="cost estimated from the data", title="estimates")


def _plane(axes: Any, runs: Sequence[Run]) -> None:
    for i, run in enumerate(runs):
        style = _style(i)
        for result in run.results:
            limit = result["cost_limit"]
            if _estimated(result):
                height = result["offline_return_estimate"]
                axes.plot(
                    [_ratio(end, limit) for end in result["offline_cost_interval"]], [height] * 2, color=style["color"]
                )
                axes.plot(_ratio(result["offline_cost_estimate"], limit), height, **style, markerfacecolor="white")
            costs, returns = result.get("offline_baselines", {}), result.get("offline_baseline_returns", {})
            for name in [name for name in BASELINES if costs.get(name) is not None and name in returns]:
                axes.plot(_ratio(costs[name], limit), returns[name], THIN[name], color=style["color"], alpha=0.7)
            if "cost_return" in result:
                axes.plot(_ratio(result["cost_return"], limit), result["reward_return"], **style)
        for row in run.summary.get("dataset", {}).get("within", []):
            for key, line in (("mean_return", ":"), ("best_return", "-.")):
                if key in row:
                    axes.axhline(row[key], color=style["color"], ls=line, lw=0.8)
    axes.axvline(1, color="grey", ls="--", lw=0.8)
    axes.set(xlabel="C: cost of an episode / its limit (dashed: 1)", ylabel="return of an episode")
    axes.set_title("costs and returns")


def _ratio(cost: float, limit: float) -> float:
    """C as in the scores: at limit 0 the cost + 1."""
    return cost / limit if limit else cost + 1


def _meanings() -> list[Any]:
    """What the marks of the third panel mean, in black."""
    marks = {"estimate, interval": ("o", "-", "white"), "simulator": ("o", "none", "black")}
    marks |= {f"estimate by {name}": (THIN[name], "none", "black") for name in BASELINES}
    lines = {"data within the limit, mean": ":", "data within the limit, best": "-."}
    return [
        *(Line2D([], [], color="k", marker=m, ls=ls, mfc=face, label=label) for label, (m, ls, face) in marks.items()),
        *(Line2D([], [], color="k", ls=ls, lw=0.8, label=label) for label, ls in lines.items()),
    ]
