r"""Statistics over replicas: interquartile means, stratified bootstrap, shares of safe replicas, comparisons.

A stratum is a task with one data set at one cost limit. The bootstrap draws seeds with replacement within each task,
the same ones for all its limits: the replicas of one seed share their early stages, so that limits are no independent
repetitions. Source: Agarwal et al. 2021, "Deep RL at the edge of the statistical precipice" (IQM: the mean of the
middle half of all scores; probability of improvement: their Eq. for P(X > Y), below).

A score may be NaN, where it is defined for safe replicas alone: IQM and mean are then those of the others. A high IQM
of few safe replicas is no success: it stands beside the share of safe ones, and pairs are compared by `better`, which
ranks every unsafe replica below every safe one.
"""

from collections.abc import Callable, Sequence
from itertools import combinations
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Float64
from scipy.stats import binomtest

from deep.benchmark.rows import Row, grouped, method_of, methods_of
from theory.support.errors import InputError

DRAWS = 2000
Block = Float64[np.ndarray, "*draw _seed _limit _method"]
"""Scores of one task with one data set, whose seeds and limits are its own. Draws of the bootstrap lead."""
Statistic = Callable[[Sequence[Block]], Float[np.ndarray, "*draw"]]


def scored(rows: Sequence[Row]) -> list[Row]:
    """The rows with three more scores, of which the first and the last are NaN for unsafe replicas.

    R_safe: R. better: R, and minus infinity for an unsafe replica. regret: what the best trajectory of the data within
    the limit earns more than the policy, in R; NaN also where that trajectory is not known.
    """
    nan = float("nan")
    found = []
    for row in rows:
        best, safe = row.get("R_best_in_data"), row["safe"]
        regret = nan if best is None or not safe else best - row["R"]
        own = {"R_safe": row["R"] if safe else nan, "better": row["R"] if safe else -np.inf, "regret": regret}
        found.append(row | own)
    return found


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
    """The mean over everything that is not NaN; NaN where nothing is left."""
    values = pooled(blocks)
    return _mean_of(values, ~np.isnan(values))


def iqm(blocks: Sequence[Block]) -> Float[np.ndarray, "*draw"]:
    """The interquartile mean: of n scores the floor(n/4) smallest and as many of the largest are left out."""
    values = np.sort(pooled(blocks), axis=-1)  # NaN are last
    count = (~np.isnan(values)).sum(axis=-1, keepdims=True)
    place = np.arange(values.shape[-1])
    return _mean_of(values, (place >= count // 4) & (place < count - count // 4))


def _mean_of(values: Float[np.ndarray, "*draw score"], kept: Bool[np.ndarray, "*draw score"]) -> np.ndarray:
    count = kept.sum(axis=-1)
    total = np.where(kept, values, 0.0).sum(axis=-1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


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
    """A 95 % percentile bootstrap interval; None where a task has one seed, of whose spread nothing is known.

    Draws in which the statistic is not defined, because no replica of them is safe, are left out.
    """
    if min(len(block) for block in blocks) < 2:
        return None
    rng = np.random.default_rng(seed)
    drawn = [block[rng.integers(len(block), size=(DRAWS, len(block)))] for block in blocks]
    found = statistic(drawn)
    found = found[~np.isnan(found)]
    if not found.size:
        return None
    low, high = np.quantile(found, [0.025, 0.975])
    return float(low), float(high)


def estimate(blocks: Sequence[Block], statistic: Statistic) -> dict[str, Any]:
    """A statistic with its interval; both None where it is not defined."""
    value = float(statistic(blocks))
    return {"value": None if np.isnan(value) else value, "interval": interval(blocks, statistic)}


def share_safe(rows: Sequence[Row]) -> dict[str, Any]:
    """The share of safe replicas, with Wilson's 95 % interval (which takes replicas for independent)."""
    safe = sum(row["safe"] for row in rows)
    found = binomtest(safe, len(rows)).proportion_ci(method="wilson")
    return {"safe": safe, "replicas": len(rows), "value": safe / len(rows), "interval": (found.low, found.high)}


def of_methods(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Every method over all that it was run on: R, C, the IQM of R among its safe replicas, their mean regret."""
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
        more = scored(own)
        about["R_safe"] = {"iqm": estimate(blocks_of(more, "R_safe"), iqm)}
        about["regret"] = {"mean": estimate(blocks_of(more, "regret"), mean)}
        found.append(about)
    return found


def of_places(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """The methods on every data set by itself."""
    return [
        {"task": task, "data": data, "kind": part[0].get("kind"), "methods": of_methods(part)}
        for (task, data), part in grouped(rows, "task", "data").items()
    ]


def of_pairs(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Every two methods, over the tasks, data, seeds and limits that both have.

    First better than second (the probability of improvement): more R among safe replicas, or safe where the other is
    not.
    """
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
            about["probability_first_better"] = estimate(blocks_of(scored(both), "better"), probability_larger)
            found.append(about)
    return found
