"""The figure of a comparison: scores of every replica, and estimates beside what the simulator found."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt

from deep.compare.table import Run

MARKERS = "os^vDPX*<>"


def figure(runs: Sequence[Run]) -> bytes:
    """A PNG. Left: C and R of every replica. Right, where there are estimates: these beside the simulated costs."""
    estimated = [
        [r for r in run.results if r.get("offline_cost_estimate") is not None and "cost_return" in r] for run in runs
    ]
    count = 2 if any(estimated) else 1
    shown, axes = plt.subplots(1, count, figsize=(5.5 * count, 4.6), layout="constrained", squeeze=False)
    scores = axes[0, 0]
    for i, run in enumerate(runs):
        style = {"color": f"C{i % 10}", "marker": MARKERS[i % len(MARKERS)], "linestyle": "none", "alpha": 0.7}
        label = run.name.replace("$", r"\$")
        played = [result for result in run.results if "cost_return" in result]
        scores.plot([r["cost"] for r in played], [r["reward"] for r in played], label=label, **style)
        if count == 2:
            found = ([r[key] for r in estimated[i]] for key in ("cost_return", "offline_cost_estimate"))
            axes[0, 1].plot(*found, **style)
    scores.axvline(1, color="grey", ls="--", lw=0.8)
    scores.set(xlabel="C: cost of an episode / its limit (dashed: 1)", ylabel="R: return, 0 to 1", title="scores")
    if count == 2:
        _label(axes[0, 1])
    shown.legend(loc="outside lower center", ncols=4, frameon=False)
    content = io.BytesIO()
    shown.savefig(content, dpi=110, format="png")
    plt.close(shown)
    return content.getvalue()


def _label(estimates: Any) -> None:
    largest = max(estimates.get_xlim()[1], estimates.get_ylim()[1])
    estimates.plot([0, largest], [0, largest], color="grey", ls="--", lw=0.8)
    estimates.set(
        xlabel="cost of an episode in the simulator", ylabel="cost estimated from the data", title="estimates"
    )
