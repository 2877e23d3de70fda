"""The study's figure: where each learner ends in the plane of cost and value, beside the exact optimum."""

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import torch

from theory.evaluation import evaluate
from theory.optimum import solve
from verification.lattice.data import Behaviour
from verification.lattice.tasks import LATTICES


def draw(results: dict[str, Any], path: Path) -> None:
    """One panel per task; the curve is the best value at every budget, beyond which no policy lies."""
    methods = list(dict.fromkeys(row["method"] for row in results["results"]))
    figure, panels = plt.subplots(1, len(LATTICES), figsize=(15, 5), layout="constrained")
    for axes, lattice in zip(panels, LATTICES.values(), strict=True):
        rows = [row for row in results["results"] if row["task"] == lattice.name]
        most = max([row["cost"] for row in rows] + [2 * max(lattice.limits)])
        budgets = torch.from_numpy(np.linspace(0.02, 1.05 * most, 60))
        best = solve(lattice.cmdp.select(torch.zeros(60, dtype=torch.long)).with_budget(budgets))
        axes.plot(budgets, best.value, "k", lw=1, label="exact optimum at a budget")
        behaviour = Behaviour(lattice)
        for policy in behaviour.induced:
            values = evaluate(lattice.cmdp, policy[None])
            axes.plot(values.J_c, values.J_r, "x", c="0.6", label="behaviour policies")
        for k, limit in enumerate(lattice.limits):
            axes.axvline(limit, c="0.4", lw=1, ls=("--", ":")[k])
        for row in rows:
            colour, marker = f"C{methods.index(row['method'])}", "ov"[lattice.limits.index(row["cost_limit"])]
            axes.plot(row["cost"], row["value"], marker, c=colour, ms=6, alpha=0.8, label=row["method"])
        axes.set(xlabel="cost of an episode (exact)", ylabel="value of an episode (exact)", title=lattice.name)
    texts = {text: handle for panel in panels for handle, text in zip(*panel.get_legend_handles_labels(), strict=True)}
    figure.legend(texts.values(), texts.keys(), loc="outside lower center", ncols=5, frameon=False)
    figure.suptitle("circles: the smaller limit (dashed); triangles: the larger one (dotted)", fontsize=10)
    figure.savefig(path, dpi=110)
    plt.close(figure)
