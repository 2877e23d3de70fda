"""The figures of a run's folder. Matplotlib is imported where something is drawn: a command starts a second earlier."""

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from deep.core.phase import BLOCK
from deep.core.problem import Replica
from deep.envs.rollout import Episodes
from deep.runs.experiment import Experiment
from theory.support.errors import InputError
from theory.support.figures import plain, write_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def results(experiment: Experiment, played: Episodes | None, rows: Sequence[dict[str, Any]], path: Path) -> None:
    """The reward-cost plane: the data's trajectories, every evaluation episode, each replica's mean and limit.

    Hollow diamonds are the estimates from the data, with the cost's interval. Without episodes all diamonds are.
    """
    data, limits = experiment.data, experiment.settings.cost_limits
    figure = _figure(8, 5)
    axes = figure.subplots()
    axes.scatter(data.trajectory_costs, data.trajectory_returns, s=5, c="0.8", label="data, one dot a trajectory")
    for i, row in enumerate(rows):
        colour = f"C{limits.index(row['cost_limit'])}"
        label = f"limit {row['cost_limit']:g}" if row["seed"] == rows[0]["seed"] else None
        if played is not None:
            axes.scatter(played.costs[i], played.returns[i], s=12, c=colour, alpha=0.35, linewidths=0)
            cost, reward = row["cost_return"], row["reward_return"]
            if row["offline_cost_estimate"] is not None:
                estimate = row["offline_return_estimate"]
                axes.plot(row["offline_cost_interval"], (estimate, estimate), c=colour, lw=1, ls=":")
                axes.plot(row["offline_cost_estimate"], estimate, "D", c="none", ms=7, mec=colour)
        elif row["offline_cost_estimate"] is not None:
            cost, reward = row["offline_cost_estimate"], row["offline_return_estimate"]
            axes.plot(row["offline_cost_interval"], (reward, reward), c=colour, lw=1.5)
        else:
            continue
        axes.plot(cost, reward, "D", c=colour, ms=8, mec="k", label=label)
    for k, limit in enumerate(limits):
        axes.axvline(limit, c=f"C{k}", lw=1, ls="--")
    axes.set(
        xlabel="cost of an episode (dashed: the limits)",
        ylabel="return of an episode",
        title=f"{plain(experiment.task.name)}, {experiment.settings.algorithm}: {_diamonds(played, rows)}",
    )
    figure.legend(loc="outside lower center", ncols=4, frameon=False)
    write_figure(figure, path, dpi=120)


def _diamonds(played: Episodes | None, rows: Sequence[dict[str, Any]]) -> str:
    if played is not None:
        estimated = any(row["offline_cost_estimate"] is not None for row in rows)
        return "diamonds are means over episodes" + (", hollow ones estimates" if estimated else "")
    if rows[0]["offline_cost_estimate"] is None:
        return "nothing was simulated or estimated"
    return "diamonds are estimates from the data, nothing was simulated"


def training(records: Sequence[dict[str, Any]], replicas: Sequence[Replica], path: Path) -> None:
    """Every metric of every phase against its steps, one line per replica (or seed).

    All values stand at the end of their block, those of policy evaluations too, which were measured at its start.
    """
    panels: dict[tuple[str, str], tuple[list[int], list[list[float]]]] = {}
    for record in records:
        for name, values in record.items():
            if name not in ("phase", "step"):
                steps, lines = panels.setdefault((record["phase"], name), ([], []))
                steps.append(record["step"])
                lines.append(values)
    if not panels:
        return
    columns = 4
    rows = -(-len(panels) // columns)
    figure = _figure(14, 2.4 * rows)
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes in grid.flat[len(panels) :]:
        axes.set_visible(False)
    for axes, ((phase, name), (steps, lines)) in zip(grid.flat, panels.items(), strict=False):
        values = np.array(lines)
        # A line per seed has the colour of the seed's first replica: the replicas of a seed lie side by side.
        every = len(replicas) // values.shape[1]
        for i, line in enumerate(values.T):
            replica = replicas[i * every]
            label = f"seed {replica.seed}, limit {replica.cost_limit:g}" if every == 1 else None
            marker = "." if len(steps) == 1 else None
            axes.plot(steps, line, lw=1, label=label, color=f"C{i * every}", marker=marker)
        axes.set_title(f"{phase}: {name}", fontsize=8)
        axes.tick_params(labelsize=7)
    handles, labels = grid.flat[len(panels) - 1].get_legend_handles_labels()
    if len(handles) <= 12:
        title = (
            f"horizontal axis: step of the phase, at the end of a block of {BLOCK}; what is trained once per seed has "
            "the colour of its first limit"
        )
        figure.legend(handles, labels, loc="outside lower center", ncols=6, fontsize=8, frameon=False, title=title)
    write_figure(figure, path, dpi=100)


def draw_all(folder: Path, figures: Mapping[str, Callable[[Path], object]]) -> list[Path]:
    """Draw every figure to its name in the folder; the paths of those drawn.

    One that cannot be drawn costs a line on stderr, not the run. A full disk still raises its `InputError`.
    """
    drawn = []
    for name, draw in figures.items():
        try:
            draw(folder / name)
            drawn.append(folder / name)
        except InputError:
            raise
        except Exception as error:
            reason = " ".join(str(error).split())
            print(f"{name} could not be drawn ({type(error).__name__}: {reason}); all else is written", file=sys.stderr)
    return drawn


def _figure(width: float, height: float) -> "Figure":
    """An empty figure, in inches."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")
