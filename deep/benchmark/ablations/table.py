"""The scores of all variants as text."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from deep.evaluate.summary import LAST


def table(finished: Mapping[str, Mapping[str, Any]]) -> str:
    """Mean scores over the replicas, how many are safe, and how far the offline estimate is off, in costs.

    First of the policies that were kept, then of those with which adaptation ended. dR is the mean paired difference in
    R to the first variant, with its standard error over replicas.
    """
    kept = {name: found["results"] for name, found in finished.items()}
    last = {name: found["other_choices"][LAST] for name, found in finished.items()}
    return "\n".join(["the policy that is kept", *_lines(kept), "", "the last policy", *_lines(last)])


def _lines(scores: Mapping[str, list[dict[str, Any]]]) -> list[str]:
    lines = [
        f"{'variant':<36} {'R':>6} {'dR':>7} {'+-':>6} {'C':>5} {'safe':>6} {'worst C':>8} {'estimate - cost':>16}"
    ]
    first = np.array([row["reward"] for row in next(iter(scores.values()))])
    for name, rows in scores.items():
        reward, cost = (np.array([row[key] for row in rows]) for key in ("reward", "cost"))
        error = np.array([row["offline_cost_estimate"] - row["cost_return"] for row in rows])
        difference = reward - first
        spread = difference.std(ddof=1) / len(rows) ** 0.5 if len(rows) > 1 else 0.0
        safe = f"{sum(row['safe'] for row in rows)}/{len(rows)}"
        lines.append(
            f"{name:<36} {reward.mean():>6.3f} {difference.mean():>+7.4f} {spread:>6.4f} {cost.mean():>5.2f} {safe:>6}"
            f" {cost.max():>8.2f} {error.mean():>+8.1f} +- {error.std():<4.1f}"
        )
    return lines
