"""The figure of `verification.lattice.direction`: gap and cost along the ascent, one column per task and limit."""

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt


def draw(results: dict[str, Any], path: Path) -> None:
    """Upper panels: the gap to the exact optimum at the limit. Lower panels: the exact cost, and the limit."""
    rows = results["rows"]
    columns = sorted({(row["task"], row["cost_limit"]) for row in rows})
    variants = list(dict.fromkeys(row["variant"] for row in rows))
    size = (3.4 * len(columns), 6.5)
    figure, panels = plt.subplots(2, len(columns), figsize=size, layout="constrained", squeeze=False)
    for (task, limit), (upper, lower) in zip(columns, panels.T, strict=True):
        for row in rows:
            if (row["task"], row["cost_limit"]) != (task, limit):
                continue
            number = variants.index(row["variant"])
            style = {"c": f"C{number % 10}", "ls": ("-", "--")[number // 10]}
            gaps = [row["optimal_value"] - value for value in row["value"]]
            upper.plot(row["steps"], gaps, **style, label=row["variant"])
            lower.plot(row["steps"], row["cost"], **style)
        upper.axhline(0, c="k", lw=0.8)
        lower.axhline(limit, c="k", lw=0.8)
        upper.set(title=f"{task}, limit {limit:g}", ylabel="gap to the optimum")
        lower.set(xlabel="step of adaptation", ylabel="cost of an episode", ylim=(0, 3 * limit))
    legends = [panel.get_legend_handles_labels() for panel in panels[0]]
    named = {text: handle for legend in legends for handle, text in zip(*legend, strict=True)}
    figure.legend(named.values(), named.keys(), loc="outside lower center", ncols=4, frameon=False)
    figure.savefig(path, dpi=90)
    plt.close(figure)
