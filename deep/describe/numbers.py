"""What is in a data set, in numbers. Returns and costs are undiscounted sums over a trajectory.

0.0 is added to extremes of the data, as -0.0 would be printed as -0.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from deep.data.custom import cost_limits, recorded_lengths
from deep.data.dataset import OfflineDataset
from deep.tasks import Task, within_limit


def numbers(data: OfflineDataset, task: Task | None = None) -> dict[str, Any]:
    """Counts, extremes and medians, and for every cost limit what satisfies it.

    The limits are the task's, or the quartiles of the costs above 0. `task` is None for data of no task of the table.
    """
    returns, costs, lengths = data.trajectory_returns, data.trajectory_costs, recorded_lengths(data)
    limits = cost_limits(costs) if task is None else task.cost_limits
    return {
        "trajectories": len(data.ends),
        "transitions": len(data),
        "observation_size": data.observations.shape[1],
        "action_size": data.actions.shape[1],
        "action_range": [float(data.actions.min()) + 0.0, float(data.actions.max()) + 0.0],
        "lengths": _spread(lengths),
        "terminal_share": float(data.terminals[data.ends].mean()),
        "returns": _spread(returns),
        "costs": _spread(costs),
        "free_share": float((costs == 0).mean()),
        "costly_steps_share": float((data.costs > 0).mean()),
        "largest_step_cost": float(data.costs.max()) + 0.0,
        "correlation": _correlation(costs, returns),
        "limits": [within(limit, costs, returns, task) for limit in limits],
    }


def _spread(values: np.ndarray) -> list[float]:
    """Least, median and greatest."""
    return [float(values.min()), float(np.median(values)), float(values.max())]


def _correlation(costs: np.ndarray, returns: np.ndarray) -> float | None:
    """Pearson's, of cost and return over trajectories; None where one of them is the same in all."""
    if np.ptp(costs) == 0 or np.ptp(returns) == 0:
        return None
    return float(np.corrcoef(costs, returns)[0, 1])


def within(limit: float, costs: np.ndarray, returns: np.ndarray, task: Task | None = None) -> dict[str, Any]:
    """How many of these trajectories satisfy a limit, and their mean and greatest return, where there are any."""
    chosen = returns[within_limit(costs, limit)]
    row: dict[str, Any] = {"limit": limit, "trajectories": len(chosen), "share": len(chosen) / len(costs)}
    row |= {"mean_return": float(chosen.mean()), "best_return": float(chosen.max())} if len(chosen) else {}
    if len(chosen) and task is not None:
        row["best_R"] = float(task.normalised_reward(chosen.max()))
    return row


def text(data: OfflineDataset, found: dict[str, Any], task: Task | None = None) -> str:
    """The numbers in a few lines."""
    actions = "actions of {} in [{:g}, {:g}]".format(found["action_size"], *found["action_range"])
    step_costs = f"up to {found['largest_step_cost']:g}, {found['costly_steps_share']:.1%} of the steps above 0"
    lines = [
        f"{found['trajectories']:,} trajectories, {found['transitions']:,} transitions"
        + (f" of {task.name}" if task else ", of no task of the table"),
        f"observations of {found['observation_size']} numbers, {actions}",
        f"steps       {_said(found['lengths'])}; {found['terminal_share']:.0%} end in a terminal state",
        f"return      {_said(found['returns'])}",
        f"cost        {_said(found['costs'])}; {found['free_share']:.0%} cost nothing",
        f"step costs  {step_costs}",
    ]
    if found["largest_step_cost"] == 0:
        lines.append("no step costs anything: what would cost is unknown")
    if found["correlation"] is not None:
        lines.append(f"cost and return of a trajectory have the correlation {found['correlation']:.2f}")
    for row in found["limits"]:
        line = f"cost <= {row['limit']:g}: {row['trajectories']} trajectories ({row['share']:.0%})"
        if row["trajectories"]:
            line += f", mean return {row['mean_return']:.4g}, best {row['best_return']:.4g}"
        lines.append(line + (f" (R {row['best_R']:.2f})" if "best_R" in row else ""))
    return "\n".join([*lines, *data.remarks])


def _said(spread: list[float]) -> str:
    least, median, greatest = spread
    return f"{least:.4g} to {greatest:.4g}, median {median:.4g}"
