"""What the data of a run are, as far as its rows need it: the kind, and the best returns within each cost limit."""

import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from deep.data.load import load
from deep.tasks import find_task, within_limit
from theory.support.errors import InputError

UNKNOWN = "unknown"
"""The kind of data whose file is gone or has changed."""


class Reference(NamedTuple):
    """A data set: its kind (`deep.data.kinds`), and by cost limit the best R of one of its trajectories, and of one of
    the pool that it was drawn from."""

    kind: str
    best: dict[float, float]
    pool_best: dict[float, float]

    def columns(self, limit: float) -> dict[str, Any]:
        """Of a row at this limit: None where the data have no trajectory within it, or no pool that is known."""
        found = {"R_best_in_data": self.best.get(limit), "R_best_in_pool": self.pool_best.get(limit)}
        return {"kind": self.kind, **found}


def reference(task: str, source: str, path: str, sha256: str | None, limits: Iterable[float]) -> Reference:
    """What is known of the data that a run's summary names; of a file that is gone or has changed, nothing."""
    found = _read(task, source if source == "embedded" else path)
    if found is None or found[0] != sha256:
        return Reference(UNKNOWN, {}, {})
    _, returns, costs, about = found
    within = {limit: returns[within_limit(costs, limit)] for limit in limits}
    best = {limit: own.max() for limit, own in within.items() if own.size}
    scored = dict(zip(best, find_task(task).normalised_reward(list(best.values())).tolist(), strict=True))
    numbers = json.loads(str(about.get("kind_numbers", '{"limits": []}')))
    pool = {float(row["limit"]): float(row["R_pool_best"]) for row in numbers["limits"]}
    return Reference(str(about.get("kind", "full")), scored, pool or scored)


@cache
def _read(task: str, which: str) -> tuple[str | None, np.ndarray, np.ndarray, dict[str, Any]] | None:
    """The hash, the returns and costs of the trajectories, and how the file was made; None where it cannot be read."""
    try:
        data = load(find_task(task), which if which == "embedded" else Path(which))
    except InputError:
        return None
    return data.sha256, data.trajectory_returns, data.trajectory_costs, dict(data.provenance)
