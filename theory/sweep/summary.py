"""From rows to a table: medians and worst cases, ratios to the bounds, slopes in T with bootstrap intervals."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from theory.support.tables import Row

INSTANCE = ("family", "states", "actions", "gamma", "tightness", "seed")


def column(rows: Sequence[Row], name: str) -> np.ndarray:
    return np.array([row.get(name, np.nan) for row in rows], dtype=float)


def select(rows: Sequence[Row], **wanted: Any) -> list[Row]:
    return [row for row in rows if all(row[name] == value for name, value in wanted.items())]


def slope(rows: Sequence[Row], name: str, against: str = "steps", seed: int = 0) -> tuple[float, float, float, int]:
    """(median, lower, upper, instances): the log-log slope per instance, bootstrapped over instances at 95 %.

    An instance counts where it has all values of `against` and every value of `name` exceeds 1e-12.
    """
    values = sorted({row[against] for row in rows})
    if len(values) < 2:
        return np.nan, np.nan, np.nan, 0
    per_instance: dict[tuple, dict[int, float]] = {}
    for row in rows:
        per_instance.setdefault(tuple(row[key] for key in INSTANCE), {})[row[against]] = row.get(name, np.nan)
    slopes = []
    for curve in per_instance.values():
        y = np.array([curve.get(x, np.nan) for x in values])
        if np.all(y > 1e-12):
            slopes.append(np.polyfit(np.log(values), np.log(y), 1)[0])
    if not slopes:
        return np.nan, np.nan, np.nan, 0
    draws = np.random.default_rng(seed).choice(slopes, (2000, len(slopes)))
    low, high = np.quantile(np.median(draws, axis=1), [0.025, 0.975])
    return float(np.median(slopes)), float(low), float(high), len(slopes)


def vacuous(rows: Sequence[Row], bound: str = "bound_gap") -> tuple[int, int]:
    """(vacuous, all) runs that have the bound; vacuous means at or above the range of the values."""
    limit = column(rows, bound)
    has = ~np.isnan(limit)
    return int(np.sum(limit[has] >= column(rows, "range")[has])), int(has.sum())


def primary(row: Row) -> str:
    """The output that the run's own theorem is about."""
    if row["algorithm"] == "safe_dql":
        return "last"
    return "mixture_printed" if row["schedule"] == "printed" else "mixture_corrected"


def label(row: Row) -> str:
    name = row["algorithm"].replace("manipulation", "gradient manipulation").replace("_", "-")
    detail = [row["metric"].replace("_", "-"), "" if row["schedule"] == "corrected" else row["schedule"]]
    return ", ".join(part for part in (name, *detail) if part)


def exact_table(rows: Sequence[Row]) -> list[str]:
    """One line per algorithm, metric and schedule, over the runs with exact critics."""
    exact = [row for row in rows if row["critic"] == "exact" and row["algorithm"] != "safe_dql"]
    longest = max((row["steps"] for row in exact), default=0)
    lines = [
        f"Exact critics; gaps and violations in units of the value range, at T = {longest}; ratios over all T.",
        f"{'':44}{'runs':>5} {'gap':>8} {'worst':>8} {'viol.':>8} {'worst':>8} {'gap/bound':>16} {'viol./h+':>9} "
        f"{'vacuous':>8}  slope of the gap in T (95 %)   last iterate",
    ]
    for name in dict.fromkeys(map(label, exact)):
        group = [row for row in exact if label(row) == name]
        last = select(group, steps=longest)
        output, range_ = primary(group[0]), column(last, "range")
        gap, violation = column(last, f"gap_{output}") / range_, column(last, f"violation_{output}") / range_
        bound = "bound_gap_47" if group[0]["schedule"] == "printed" else "bound_gap"
        ratio = column(group, f"gap_{output}") / column(group, bound)
        over = column(group, f"violation_{output}") / column(group, "bound_violation")
        empty, has = vacuous(group, bound)
        lines.append(
            f"{name:44}{len(group):5d} {nan(np.median, gap):8.4f} {nan(np.max, gap):8.4f} "
            f"{nan(np.median, violation):8.4f} {nan(np.max, violation):8.4f} "
            f"{pair(ratio):>16} {number(nan(np.max, over)):>9} "
            f"{f'{100 * empty / has:.0f} %' if has else '-':>8}  {interval(slope(group, f'gap_{output}')):<30} "
            f"{interval(slope(group, 'gap_last'))}"
        )
    return lines


def remarks(rows: Sequence[Row]) -> list[str]:
    """The counts that a table of medians hides."""
    exact = [row for row in rows if row["critic"] == "exact"]
    bounded = [row for row in exact if not np.isnan(row.get("bound_gap", np.nan))]
    empty, has = vacuous(bounded)
    safe = select(rows, algorithm="safe_dql")
    empty_safe, has_safe = vacuous(safe, "bound_violation")
    printed = [row for row in exact if row["schedule"] == "printed" and row["algorithm"] != "safe_dql"]
    above = column(printed, "gap_mixture_printed") > column(printed, "bound_gap_48")
    posterior = column(bounded, "gap_mixture_corrected") / column(bounded, "bound_gap_posterior")
    worst = max((row["lp_residual"] for row in rows), default=np.nan)
    differ = np.nanmax(column(rows, "lp_difference")) if rows else np.nan
    return [
        f"Bounds on the gap that say something: {has - empty} of {has} runs ({100 * (1 - empty / max(has, 1)):.0f} %); "
        f"with Safe-DQL's on the cost, {has - empty + has_safe - empty_safe} of {has + has_safe} "
        f"({100 * (1 - (empty + empty_safe) / max(has + has_safe, 1)):.0f} %). The others exceed the value range.",
        f"Gap over the bound with the run's own weights and KL_0: at most {number(nan(np.max, posterior))}.",
        f"Printed schedule: Eq. (46) returns 0/0 in {int(np.isnan(column(printed, 'gap_mixture_printed')).sum())} and "
        f"exceeds Eq. (48) in {int(above.sum())} of {len(printed)} runs.",
        f"Optima certified by their linear programs: worst residual {worst:.1e}, largest difference from the "
        f"Lagrangian route {differ:.1e}.",
    ]


def offline_table(rows: Sequence[Row]) -> list[str]:
    """Critics estimated from N transitions: their error, and what becomes of gap and violation."""
    estimated = [row for row in rows if row["critic"] != "exact"]
    if not estimated:
        return []
    lines = [
        "Estimated critics; medians over runs, the error being the largest |Q - Q_hat| met on the way.",
        f"{'':44}{'N':>7} {'error':>9} {'gate':>9} {'gap':>9} {'violation':>10} {'KL to pi_b':>11}",
    ]
    for critic in dict.fromkeys(row["critic"] for row in estimated):
        group = select(estimated, critic=critic)
        for N in sorted({row["N"] for row in group}):
            some = select(group, N=N)
            names = (
                "critic_error",
                "gate_error",
                "gap_mixture_corrected",
                "violation_mixture_corrected",
                "kl_behaviour",
            )
            medians = [nan(np.median, column(some, name)) for name in names]
            texts = " ".join(f"{number(value):>9}" for value in medians)
            lines.append(f"{critic.replace('_', ', '):44}{N:7d} {texts}")
        manipulated = [row for row in group if row["algorithm"] == "manipulation"]
        lines.append(f"{'':44}slope of the error in N: {interval(slope(manipulated, 'critic_error', 'N'))}")
    return lines


def safe_dql_table(rows: Sequence[Row]) -> list[str]:
    """Theorem 9 by penalty: cost above kappa, and the bound on it."""
    runs = select(rows, algorithm="safe_dql")
    if not runs:
        return []
    at_budget = column(runs, "reference_at_budget")
    lines = [
        "Safe-DQL; medians and worst case of J_c - kappa, medians of Theorem 9's bound on it (and with the sufficient",
        f"Delta_occ). With kappa = budget {100 * at_budget.mean():.0f} % of the runs would have a reference policy.",
        f"{'':44}{'runs':>5} {'J_c - k':>9} {'worst':>9} {'bound':>9} {'tight':>9} {'vacuous':>8} {'broken':>7}",
    ]
    for penalty in sorted({row["penalty"] for row in runs}):
        group = select(runs, penalty=penalty)
        cost, bound = column(group, "violation_last"), column(group, "bound_violation")
        tight = column(group, "bound_violation_tight")
        numbers = [float(x) for x in (np.median(cost), np.max(cost), np.median(bound), np.median(tight))]
        empty, has = vacuous(group, "bound_violation")
        lines.append(
            f"{f'lambda = {penalty:g}':44}{len(group):5d} {' '.join(f'{number(x):>9}' for x in numbers)} "
            f"{100 * empty / has:6.0f} % {int((cost > bound).sum()):7d}"
        )
    return lines


def report(rows: Sequence[Row]) -> str:
    """The text that the command prints and keeps as summary.txt."""
    parts = (exact_table(rows), remarks(rows), offline_table(rows), safe_dql_table(rows))
    return "\n\n".join("\n".join(lines) for lines in parts if lines)


def nan(reduce: Callable[[np.ndarray], Any], values: np.ndarray) -> float:
    """The reduction over the values that are numbers, NaN if there are none."""
    numbers = values[~np.isnan(values)]
    return float(reduce(numbers)) if len(numbers) else np.nan


def number(value: float) -> str:
    return "-" if np.isnan(value) else f"{value:.3g}"


def pair(values: np.ndarray) -> str:
    return f"{number(nan(np.median, values))} / {number(nan(np.max, values))}"


def interval(estimate: tuple[float, float, float, int]) -> str:
    middle, low, high, count = estimate
    return "-" if count == 0 else f"{middle:.2f} [{low:.2f}, {high:.2f}] (n = {count})"
