"""How good the policies of a run are, in words: beside the data's best trajectory, and what the table may hide."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from deep.evaluate.doubts import DOUBTS
from deep.runs.experiment import Experiment
from deep.tasks import within_limit

SHORT = 0.9
"""Episodes end early where their mean length is below this share of the mean length in the data."""


def ends_early(experiment: Experiment, length: float) -> bool:
    """Whether episodes of this mean length [steps] are shorter than the data's."""
    return length < SHORT * float(experiment.data.lengths.mean())


def contradictions(results: Sequence[dict[str, Any]]) -> list[str]:
    """A line for every replica whose offline estimate and simulator disagree; these lines come first on the screen."""
    lines = []
    for row in results:
        if "cost_return" not in row or row["offline_cost_estimate"] is None:
            continue
        low, high = row["offline_cost_interval"]
        within, possible = within_limit([high, low], row["cost_limit"])
        if (within and not row["safe"]) or (not possible and row["safe"]):
            predicted = "satisfied" if within else "violated"
            lines.append(
                f"CONTRADICTION, {_replica(row)}: the offline estimate of {row['offline_cost_estimate']:.1f} "
                f"[{low:.1f}, {high:.1f}] predicts that the cost limit is {predicted}; in the simulator the mean cost "
                f"is {row['cost_return']:.1f}. The offline estimate is wrong."
            )
    return lines


def verdict(experiment: Experiment, results: Sequence[dict[str, Any]]) -> list[str]:
    """R and C of every policy beside the best trajectory of the data and the cloned ones; then what needs a warning.

    Without a simulator only the estimates that are in doubt are named.
    """
    simulated = "cost_return" in results[0]
    lines = [*_beside(experiment, results), *_warnings(experiment, results)] if simulated else []
    lines += [_doubt(row) for row in results if row.get("offline_doubt")]
    return [*lines, ""] if lines else []


def _beside(experiment: Experiment, results: Sequence[dict[str, Any]]) -> list[str]:
    task, data = experiment.task, experiment.data
    selection = experiment.method.cloned
    lines = [f"{'seed':>4} {'limit':>6}  {'policy':<18} {'best trajectory':<18} cloned trajectories (R, C)"]

    def scores(returns: np.ndarray, costs: np.ndarray, limit: float) -> str:
        reward, cost = task.normalised_reward(returns).mean(), task.normalised_cost(costs, limit).mean()
        return f"R {reward:5.2f}  C {cost:5.2f}"

    for row in results:
        limit = row["cost_limit"]
        within = np.flatnonzero(within_limit(data.trajectory_costs, limit))
        best, cloned = "none within limit", ""
        if within.size:
            top = within[[data.trajectory_returns[within].argmax()]]
            best = scores(data.trajectory_returns[top], data.trajectory_costs[top], limit)
            if selection is not None:
                chosen = selection.choose(data, limit)
                cloned = scores(data.trajectory_returns[chosen], data.trajectory_costs[chosen], limit)
        own = f"R {row['reward']:5.2f}  C {row['cost']:5.2f}"
        lines.append(f"{row['seed']:>4} {limit:>6g}  {own:<18} {best:<18} {cloned}".rstrip())
    lines.append("best trajectory: the one of the data with the greatest return whose cost is within the limit.")
    return lines


def _warnings(experiment: Experiment, results: Sequence[dict[str, Any]]) -> list[str]:
    lines = []
    usual = float(experiment.data.lengths.mean())
    for row in results:
        if row["ends_early"]:
            cheap = " A policy that ends early accumulates little cost: it is not called safe." if row["safe"] else ""
            lines.append(
                f"{_replica(row)}: the episodes end early, after {row['episode_length']:.0f} of "
                f"{experiment.task.episode_length} steps on average (in the data after {usual:.0f}).{cheap}"
            )
        if row["safe"] and row["episodes_over_limit"]:
            lines.append(
                f"{_replica(row)}: safe on average, but {row['episodes_over_limit']} of {row['episodes']} episodes "
                "cost more than the limit."
            )
    if any(row["cost_limit"] == 0 for row in results):
        lines.append("At limit 0, C is the episode cost + 1 (DSRL's convention): C = 1 means that nothing was paid.")
    return lines


def _doubt(row: dict[str, Any]) -> str:
    doubt = row["offline_doubt"]
    score = f" (OOD score {row['offline_ood_score']:.3g}; that of the data is 1)" if doubt == "far" else ""
    return f"{_replica(row)}: the cost is unknown from the data alone: {DOUBTS[doubt]}{score}."


def _replica(row: dict[str, Any]) -> str:
    return f"seed {row['seed']}, limit {row['cost_limit']:g}"
