r"""Statistics over replicas: interquartile means, stratified bootstrap, shares of safe replicas, comparisons.

A stratum is a task with one data set at one cost limit. The bootstrap draws seeds with replacement within each task,
the same ones for all its limits: the replicas of one seed share their early stages, so that limits are no independent
repetitions. Source: Agarwal et al. 2021, "Deep RL at the edge of the statistical precipice" (IQM: the mean of the
middle half of all scores; probability of improvement: their Eq. for P(X > Y), below).
"""

from collections.abc import Callable, Sequence
from itertools import combinations
from typing import Any

import numpy as np
from jaxtyping import Float, Float64
from scipy.stats import binomtest, trim_mean

from deep.benchmark.rows import Row, grouped, method_of, methods_of
from theory.support.errors import InputError

DRAWS = 2000
Block = Float64[np.ndarray, "*draw _seed _limit _method"]
"""Scores of one task with one data set, whose seeds and limits are its own. Draws of the bootstrap lead."""
Statistic = Callable[[Sequence[Block]], Float[np.ndarray, "*draw"]]


def blocks_of(rows: Sequence[Row], name: str) -> list[Block]:
    """The scores of the methods in `rows` by task and data set, at the seeds and limits that all of them have.

    Raises `InputError` where a method lacks a limit for some of its seeds.
    """
    found = []
    for (task, data), part in grouped(rows, "task", "data").items():
        cells = [{(row["seed"], row["cost_limit"]): row[name] for row in own} for own in _by_method(rows, part)]
        shared = set.intersection(*(set(own) for own in cells))
        seeds, limits = ({cell[i] for cell in shared} for i in (0, 1))
        if len(shared) != len(seeds) * len(limits):
            raise InputError(f"{task} ({data}): accepted are runs that have every seed at every cost limit")
        if shared:
            block = [[[own[seed, limit] for own in cells] for limit in sorted(limits)] for seed in sorted(seeds)]
            found.append(np.array(block, dtype=np.float64))
    return found


def _by_method(rows: Sequence[Row], part: Sequence[Row]) -> list[list[Row]]:
    return [[row for row in part if method_of(row) == method] for method in methods_of(rows)]


def pooled(blocks: Sequence[Block]) -> Float[np.ndarray, "*draw score"]:
    """All scores of one method."""
    return np.concatenate([block[..., 0].reshape(*block.shape[:-3], -1) for block in blocks], axis=-1)


def mean(blocks: Sequence[Block]) -> Float[np.ndarray, "*draw"]:
    """The mean over everything."""
    return np.asarray(pooled(blocks).mean(-1))


def iqm(blocks: Sequence[Block]) -> Float[np.ndarray, "*draw"]:
    """The interquartile mean: of n scores the floor(n/4) smallest and as many of the largest are left out."""
    return np.asarray(trim_mean(pooled(blocks), 0.25, axis=-1))


def difference(blocks: Sequence[Block]) -> Float[np.ndarray, "*draw"]:
    """The mean of first minus second method over pairs of equal task, data, seed and limit."""
    return mean([block[..., :1] - block[..., 1:2] for block in blocks])


def probability_larger(blocks: Sequence[Block]) -> Float[np.ndarray, "*draw"]:
    r"""P(X > Y) = mean over strata of 1/(N^2) sum_{i, j} [x_i > y_j] + [x_i = y_j] / 2, over seeds i and j."""
    strata = []
    for block in blocks:
        x, y = block[..., :, None, :, 0], block[..., None, :, :, 1]
        strata.append(((x > y) + 0.5 * (x == y)).mean(axis=(-3, -2)))
    return np.asarray(np.concatenate(strata, axis=-1).mean(-1))


def interval(blocks: Sequence[Block], statistic: Statistic, seed: int = 0) -> tuple[float, float] | None:
    """A 95 % percentile bootstrap interval; None where a task has one seed, of whose spread nothing is known."""
    if min(len(block) for block in blocks) < 2:
        return None
    rng = np.random.default_rng(seed)
    drawn = [block[rng.integers(len(block), size=(DRAWS, len(block)))] for block in blocks]
    low, high = np.quantile(statistic(drawn), [0.025, 0.975])
    return float(low), float(high)


def estimate(blocks: Sequence[Block], statistic: Statistic) -> dict[str, Any]:
    """A statistic with its interval."""
    return {"value": float(statistic(blocks)), "interval": interval(blocks, statistic)}


def share_safe(rows: Sequence[Row]) -> dict[str, Any]:
    """The share of safe replicas, with Wilson's 95 % interval (which takes replicas for independent)."""
    safe = sum(row["safe"] for row in rows)
    found = binomtest(safe, len(rows)).proportion_ci(method="wilson")
    return {"safe": safe, "replicas": len(rows), "value": safe / len(rows), "interval": (found.low, found.high)}


def of_methods(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Every method over all that it was run on."""
    found = []
    for (method,), own in grouped(rows, "method").items():
        scores = {name: blocks_of(own, name) for name in ("R", "C")}
        about = {
            "method": method,
            "tasks": [f"{task} ({data})" for task, data in grouped(own, "task", "data")],
            "cost_limits": sorted({row["cost_limit"] for row in own}),
            "seeds": sorted({row["seed"] for row in own}),
            "safe": share_safe(own),
        }
        for name, values in scores.items():
            about[name] = {"mean": estimate(values, mean), "iqm": estimate(values, iqm)}
        found.append(about)
    return found


def of_pairs(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Every two methods, over the tasks, data, seeds and limits that both have."""
    found = []
    for first, second in combinations(methods_of(rows), 2):
        both = [row for row in rows if method_of(row) in (first, second)]
        own = {name: blocks_of(both, name) for name in ("R", "C")}
        own = {name: values for name, values in own.items() if values}
        if own:
            about: dict[str, Any] = {"first": first, "second": second, "pairs": sum(b[..., 0].size for b in own["R"])}
            for name, values in own.items():
                larger = estimate(values, probability_larger)
                about[name] = {"difference": estimate(values, difference), "probability_first_larger": larger}
            found.append(about)
    return found
