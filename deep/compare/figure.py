"""The figure of a comparison: scores of every replica, and estimates beside what the simulator found."""

from __future__ import annotations

import io
from collections.abc import Sequence

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt

from deep.compare.table import Run

MARKERS = "os^vDPX*<>"


def figure(runs: Sequence[Run]) -> bytes:
    """A PNG. Left: C and R of every replica. Right: the estimated cost beside the simulated one."""
    shown, (scores, estimates) = plt.subplots(1, 2, figsize=(11, 4.6), layout="constrained")
    for i, run in enumerate(runs):
        style = {"color": f"C{i % 10}", "marker": MARKERS[i % len(MARKERS)], "linestyle": "none", "alpha": 0.7}
        label = run.name.replace("$", r"\$")
        played = [result for result in run.results if "cost_return" in result]
        scores.plot([r["cost"] for r in played], [r["reward"] for r in played], label=label, **style)
        both = [result for result in played if result.get("offline_cost_estimate") is not None]
        estimates.plot([r["cost_return"] for r in both], [r["offline_cost_estimate"] for r in both], **style)
    scores.axvline(1, color="grey", ls="--", lw=0.8)
    scores.set(xlabel="C: cost of an episode / its limit (dashed: 1)", ylabel="R: return, 0 to 1", title="scores")
    largest = max(estimates.get_xlim()[1], estimates.get_ylim()[1])
    estimates.plot([0, largest], [0, largest], color="grey", ls="--", lw=0.8)
    estimates.set(
        xlabel="cost of an episode in the simulator", ylabel="cost estimated from the data", title="estimates"
    )
    shown.legend(loc="outside lower center", ncols=4, frameon=False)
    content = io.BytesIO()
    shown.savefig(content, dpi=110, format="png")
    plt.close(shown)
    return content.getvalue()
