"""Rows of a benchmark whose answers are known."""

from collections.abc import Mapping
from typing import Any

from deep.benchmark.rows import Row
from deep.tasks import within_limit


def rows(
    scores: Mapping[str, Any], cost: float | Mapping[str, Any] = 0.5, limits=(20.0, 40.0), **fixed: Any
) -> list[Row]:
    """R by algorithm, [seed, limit]; C is `cost`, or a table like R's where `cost` maps algorithms."""
    shared = {"task": "HopperVel", "data": "toy", "variant": "", "choice": "", "source": "file", "sha256": "ab" * 32}
    shared |= {"episodes": 20, "preset": "quick", "scale": "quick", "reward_min": 0.0, "reward_max": 1000.0} | fixed
    found = []
    for algorithm, table in scores.items():
        for seed, line in enumerate(table):
            for limit, R in zip(limits, line, strict=False):
                C = cost[algorithm][seed][limits.index(limit)] if isinstance(cost, Mapping) else cost
                cell = {
                    "algorithm": algorithm,
                    "seed": seed,
                    "cost_limit": limit,
                    "R": R,
                    "C": C,
                    "safe": bool(within_limit(C, 1)),
                }
                found.append(shared | cell | {"run": f"{shared['task']}-{algorithm}"})
    return found
