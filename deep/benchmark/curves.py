"""The figure of DRCORL's temperature schedules (Fig. 4 of the preprint): training curves and what came of them."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from deep.benchmark.figures import AXIS, cost_scale, finish, place, reward_scale
from deep.benchmark.rows import Row, Run, grouped, methods_of, with_run
from deep.core.files import read_json, wrong_form
from deep.core.phase import block_start
from deep.evaluate.summary import LAST
from deep.runs.config_file import read_config
from deep.runs.folder import RunFolder

Curves = Mapping[str, np.ndarray]
"""By name: "limit" (replicas,), "step" and "beta" (points,), "R" and "C" (points, replicas). R and C are estimates for
the policy before that step; beta is its mean over the block that begins there."""


def schedule_of(run: Run) -> str | None:
    """beta in words, n being the epoch; None for runs that have no such schedule."""
    path = run.path / "config.json"
    with wrong_form(path, "a run's settings"):
        method = read_config(run.path)["identity"]["method"]
        if "adaptation" not in method:
            return None
        t = method["adaptation"]["temperature"]
        line = f"{t['c0']:g} + {t['c1']:g} n"
        formula = {"constant": f"{t['c0']:g}", "sqrt": f"sqrt({line})", "linear": line}[t["growth"]]
        return f"beta = {formula}, epochs of {t['steps_per_epoch']} steps"


def curves_of(run: Run) -> Curves | None:
    """What the learned dynamics predicted during adaptation; None where no policy was evaluated."""
    predicted = {"predicted_cost", "predicted_reward"}  # in DRCORL's last check, too, which has no schedule
    records = [r for r in RunFolder(run.path).read_metrics() if r["phase"] == "adaptation" and predicted <= set(r)]
    if not records:
        return None
    path = run.path / "summary.json"  # its results are in the order of the metrics' replicas
    with wrong_form(path, "the scores of a finished run"):
        summary = read_json(path)
        low, high = summary["normaliser"]["reward_range"]
        limits = np.array([float(result["cost_limit"]) for result in summary["results"]])
    shift = np.where(limits == 0, 1.0, 0.0)  # as in DSRL's C
    found = {key: np.array([record[f"predicted_{key}"] for record in records]) for key in ("reward", "cost")}
    return {
        "limit": limits,
        "step": np.array([block_start(record["step"]) for record in records]),
        "beta": np.array([record["beta"][0] for record in records]),
        "R": (found["reward"] - low) / (high - low),
        "C": (found["cost"] + shift) / (limits + shift),
    }


def recorded(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """The figure's curves as summary.json holds them, to four digits; none where there are no two schedules."""
    found = []
    for run in runs:
        schedule, curves = schedule_of(run), curves_of(run)
        if schedule is not None and curves is not None:
            rounded = {name: np.vectorize(lambda x: float(f"{x:.4g}"))(values) for name, values in curves.items()}
            about = {"run": run.name, "variant": run.variant, "schedule": schedule}
            found.append(about | {name: values.tolist() for name, values in rounded.items()})
    return found if len({curve["schedule"] for curve in found}) > 1 else []


def schedules(rows: Sequence[Row], runs: Sequence[Run]) -> dict[str, Callable[[Path], Path]]:
    """By its file's name a figure for each task and data set that has several schedules."""
    found: dict[str, Callable[[Path], Path]] = {}
    named = {run.name: run for run in runs}
    kept = [row for row in with_run(rows, runs) if row["choice"] != LAST]
    for (task, data), part in grouped(kept, "task", "data").items():
        words = {row["run"]: schedule_of(named[row["run"]]) for row in part}
        part = [row for row in part if words[row["run"]] is not None]
        if len({words[row["run"]] for row in part}) > 1:
            found[f"schedules-{task}-{data}.png"] = partial(_draw, part, named, words)
    return found


def _draw(rows: Sequence[Row], runs: Mapping[str, Run], words: Mapping[str, Any], path: Path) -> Path:
    limits, methods = sorted({row["cost_limit"] for row in rows}), methods_of(rows)
    figure, grid = plt.subplots(
        2, len(limits) + 1, figsize=(max(3.4 * (len(limits) + 1), 10.2), 6.6), layout="constrained", squeeze=False
    )
    for (name,), own in grouped(rows, "run").items():
        curves, colour = curves_of(runs[name]), f"C{methods.index(methods_of(own)[0])}"
        for row in own:
            for panel, key in zip(grid[:, limits.index(row["cost_limit"])], AXIS, strict=True):
                panel.axhline(row[key], 0.97, 1.0, color=colour, lw=3, clip_on=False)
        if curves is None:
            continue
        for i, limit in enumerate(curves["limit"]):
            if limit not in limits:
                continue
            for panel, key in zip(grid[:, limits.index(limit)], AXIS, strict=True):
                panel.plot(curves["step"], curves[key][:, i], color=colour, lw=0.9, alpha=0.8)
        grid[0][-1].plot(curves["step"], curves["beta"], color=colour, label=words[name])
    for k, limit in enumerate(limits):
        grid[0][k].set_title(f"limit {limit:g}", fontsize=10)
        reward_scale(grid[0][k])
        cost_scale(grid[1][k])
        for panel, key in zip(grid[:, k], AXIS, strict=True):
            panel.set(xlabel="step of adaptation", ylabel=AXIS[key] if k == 0 else "")
    _legend(grid[0][-1], grid[1][-1])
    figure.suptitle(place(rows[0]), fontsize=11)
    return finish(
        figure,
        "Lines: the policy in training, estimated by the learned dynamics from the data alone, one a seed. Bars at "
        "the right edge: the policy that was kept, in the simulator.\nDashed: C = 1. The comparison of Fig. 4 of the "
        "DRCORL preprint, which shows simulator returns in training; here training sees no simulator.",
        path,
    )


def _legend(beta: Axes, empty: Axes) -> None:
    beta.set(xlabel="step of adaptation", ylabel="beta, weight of the value gradients")
    empty.axis("off")
    handles, labels = beta.get_legend_handles_labels()
    shown = dict(zip(labels, handles, strict=True))
    empty.legend(shown.values(), [label.replace(", ", ",\n") for label in shown], loc="upper left", frameon=False)
