"""The benchmark's statistics on rows whose answers are known."""

import json
import math
from typing import Any

import numpy as np
import pytest
from scipy import stats

from deep.benchmark import statistics
from deep.benchmark.statistics import (
    blocks_of,
    difference,
    estimate,
    interval,
    iqm,
    mean,
    probability_larger,
    scored,
    share_safe,
)
from tests.support.benchmark_rows import rows
from theory.support.errors import InputError


def only(*tables_: Any) -> list[np.ndarray]:
    """Blocks of one method."""
    return [np.array(table, dtype=np.float64)[:, :, None] for table in tables_]


def test_the_interquartile_mean_leaves_out_a_quarter_at_each_end():
    assert iqm(only([[0, 1000], [1, 2], [3, 4], [5, -500]])) == pytest.approx((1 + 2 + 3 + 4) / 4)
    assert iqm(only([[0, 1, 5]])) == pytest.approx(2), "of three scores none is left out"
    rng = np.random.default_rng(0)
    for n in range(1, 14):
        values = rng.normal(size=n)
        kept = np.sort(values)[n // 4 : n - n // 4]
        assert iqm(only(values[None])) == pytest.approx(kept.mean())
        assert iqm(only(values[None])) == pytest.approx(stats.trim_mean(values, 0.25))
    pooled = only([[0.0, 1.0]], [[2.0, 9.0]])
    assert iqm(pooled) == pytest.approx(1.5), "over all tasks together, not task by task"


def test_an_interval_draws_seeds_together_over_limits_and_apart_over_tasks():
    # Of two seeds a draw is twice the first with probability 1/4: the interval reaches from one to the other.
    assert interval(only([[0], [10]]), mean) == (0, 10)
    assert interval(only([[0, 10], [10, 0]]), mean) == (5, 5), "limits of one seed stay together"
    assert interval(only([[0], [10]], [[10], [0]]), mean) == (0, 10), "tasks are drawn apart"
    assert interval(only([[3, 4]]), mean) is None
    assert interval(only([[3], [4]], [[5]]), mean) is None


def test_an_interval_of_one_stratum_is_scipys():
    values = np.random.default_rng(1).normal(size=12)
    expected = stats.bootstrap(
        (values,), np.mean, n_resamples=20_000, method="percentile", rng=np.random.default_rng(2)
    )
    found = interval(only(values[:, None]), mean)
    assert found == pytest.approx(tuple(expected.confidence_interval), abs=0.04)
    assert found != pytest.approx((values.min(), values.max()), abs=0.2)


def pair(first: Any, second: Any) -> list[np.ndarray]:
    return [np.stack([np.array(first, dtype=np.float64), np.array(second, dtype=np.float64)], axis=-1)]


def test_the_probability_of_a_larger_score_is_mann_whitneys():
    assert probability_larger(pair([[1], [3]], [[2], [2]])) == 0.5
    assert probability_larger(pair([[1], [2]], [[2], [2]])) == 0.25, "a tie counts half"
    assert probability_larger(pair([[3, 0], [3, 0]], [[2, 1], [2, 1]])) == 0.5, "limits are not mixed"
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(7, 1)), rng.normal(0.3, size=(7, 1))
    u = stats.mannwhitneyu(x[:, 0], y[:, 0]).statistic
    assert probability_larger(pair(x, y)) == pytest.approx(u / 49)
    assert probability_larger(pair(y, x)) == pytest.approx(1 - u / 49)


def test_differences_are_paired():
    first, second = [[10.0, 0.0], [20.0, 5.0]], [[9.0, 0.0], [19.0, 4.0]]
    assert difference(pair(first, second)) == pytest.approx(0.75)
    low, high = interval(pair(first, second), difference) or (math.nan, math.nan)
    assert (low, high) == (0.5, 1.0), "the spread between seeds cancels"


def test_methods_are_compared_where_both_were_run():
    both = rows({"bc_all": [[0.1, 0.2], [0.3, 0.4]], "drcorl": [[0.5, 0.0], [0.9, 0.0]]})
    part = [row for row in both if row["algorithm"] == "bc_all" or row["cost_limit"] == 20]
    (found,) = statistics.of_pairs(part)
    assert (found["first"], found["second"], found["pairs"]) == ("BC-All", "DRCORL", 2)
    assert found["R"]["difference"]["value"] == pytest.approx(-0.5)
    assert found["R"]["probability_first_larger"]["value"] == 0
    assert found["C"]["probability_first_larger"]["value"] == 0.5
    methods = {about["method"]: about for about in statistics.of_methods(part)}
    assert methods["BC-All"]["R"]["mean"]["value"] == pytest.approx(0.25)
    assert methods["DRCORL"]["cost_limits"] == [20.0]
    assert methods["DRCORL"]["seeds"] == [0, 1]
    (skewed,) = statistics.of_methods(rows({"bc_all": [[0, 0], [0, 1]]}))
    assert (skewed["R"]["mean"]["value"], skewed["R"]["iqm"]["value"]) == (0.25, 0)
    with pytest.raises(InputError, match="every seed at every cost limit"):
        blocks_of(part[:-2] + part[-1:] + rows({"drcorl": [[0, 1]]})[1:], "R")


def test_the_share_of_safe_replicas_has_wilsons_interval():
    safe = share_safe(rows({"bc_all": np.zeros((9, 1))}, {"bc_all": [[0.2]] * 7 + [[1.2]] * 2}))
    n, p, z = 9, 7 / 9, stats.norm.ppf(0.975)
    centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    assert (safe["safe"], safe["replicas"]) == (7, 9)
    assert safe["interval"] == pytest.approx((centre - half, centre + half))


def test_unsafe_replicas_are_no_part_of_the_mean_of_the_middle_half():
    nan = math.nan
    assert iqm(only([[0, 1000], [1, 2], [3, 4], [5, nan], [-500, nan]])) == pytest.approx((0 + 1 + 2 + 3 + 4 + 5) / 6)
    assert iqm(only([[nan, 7]])) == 7
    assert np.isnan(iqm(only([[nan, nan]])))
    assert estimate(only([[nan], [nan]]), iqm) == {"value": None, "interval": None}
    # One of two seeds is safe, with R .4: every draw that holds it gives .4, the draws without it are left out.
    assert estimate(only([[0.4], [nan]]), iqm) == {"value": 0.4, "interval": (0.4, 0.4)}


def test_every_safe_replica_is_better_than_every_unsafe_one():
    R = {"bc_all": [[0.9, 0.9]], "drcorl": [[0.2, 0.6]]}
    C = {"bc_all": [[5.0, 0.5]], "drcorl": [[0.2, 7.0]]}
    (found,) = statistics.of_pairs(rows(R, C))
    assert found["probability_first_better"]["value"] == 0.5, "each is safe at one limit"
    assert found["R"]["probability_first_larger"]["value"] == 1
    (found,) = statistics.of_pairs(rows(R, C | {"bc_all": [[5.0, 1.5]]}))
    assert found["probability_first_better"]["value"] == 0.25, "two unsafe replicas are equal"


def test_regret_is_against_the_best_trajectory_and_for_safe_replicas():
    R, C = {"bc_all": [[0.5, 0.9], [0.3, 0.7]]}, {"bc_all": [[0.5, 2.0], [0.5, 1.0]]}
    here = [row | {"R_best_in_data": 0.6 if row["cost_limit"] == 20 else 0.8} for row in rows(R, C)]
    assert [row["regret"] for row in scored(here)] == pytest.approx([0.1, math.nan, 0.3, 0.1], nan_ok=True)
    (found,) = statistics.of_methods(here)
    assert found["regret"]["mean"]["value"] == pytest.approx((0.1 + 0.3 + 0.1) / 3)
    low, high = found["regret"]["mean"]["interval"]
    assert (low, high) == pytest.approx((0.1, 0.2)), "drawn twice, the first seed has one regret and the second two"
    assert found["R_safe"]["iqm"]["value"] == pytest.approx((0.5 + 0.3 + 0.7) / 3)
    (unknown,) = statistics.of_methods(rows(R, C))
    assert unknown["regret"]["mean"] == {"value": None, "interval": None}
    json.dumps(statistics.of_places(here), allow_nan=False)
