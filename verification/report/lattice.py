"""The report's section on the lattice tasks: deep learners compared with the exact optimum."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

RESULTS = Path(__file__).parents[1] / "lattice" / "results.json"
Row = dict[str, Any]


class Table(NamedTuple):
    """A text and the table that it introduces."""

    text: str
    header: list[str]
    rows: list[list[str]]


SCORES = """\
Lattice tasks have continuous observations and actions and are finite CMDPs. So the optimum within the cost limit is
exact, and so are every trained policy's value and cost; a diffusion policy is represented by 128 samples per state.
Gap: the optimum's value minus the policy's, median over seeds. A gap is negative where a policy violates the cost
limit and earns more. Slack: the smallest difference between the sharpened bound of Proposition 3.1 and the cost; no
episode can cost more than 20. Safe-DQL's rows are for best-of-N with ten samples. Training budgets are small: these
rows test the theory and do not rank the methods. A row may have been trained with older code of the method;
`pytest verification` ends with a notice where that is so."""

THEOREM_9 = """\
Safe-DQL's Theorem 9 is about the diffusion policy itself, without best-of-N. Every term is measured on the trained
networks; the table has medians over seeds. The bound is the sum of the columns between cost and bound. The theorem
assumes that the behaviour policy pi_0 has zero hinge and that the policy is optimal; the table has the measured hinge
and suboptimality instead."""


def tables(results: Path = RESULTS) -> list[Table]:
    """Both tables, or none where there are no results."""
    if not results.is_file():
        return []
    rows = json.loads(results.read_text(encoding="utf-8"))["results"]
    return [_scores(rows), _theorem_9([row for row in rows if "theorem9_bound" in row])]


def _groups(rows: Sequence[Row], *names: str) -> list[tuple[tuple[Any, ...], list[Row]]]:
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(row[name] for name in names), []).append(row)
    return sorted(groups.items())


def _scores(rows: Sequence[Row]) -> Table:
    header = ["task", "limit", "optimum", "method", "within limit", "gap", "largest violation", "slack"]
    lines = []
    for (task, limit, method), group in _groups(rows, "task", "cost_limit", "method"):
        within = f"{sum(row['violation'] <= 0 for row in group)}/{len(group)}"
        gap, worst = median(row["gap"] for row in group), max(row["violation"] for row in group)
        slack, optimum = min(row["slack_tight"] for row in group), group[0]["optimal_value"]
        lines.append(
            [task, f"{limit:g}", f"{optimum:.2f}", method, within, f"{gap:.2f}", f"{worst:.2f}", f"{slack:.0f}"]
        )
    return Table(SCORES, header, lines)


TERMS: dict[str, Callable[[Row], float]] = {
    "cost": lambda row: row["theorem9_J_c"],
    "kappa": lambda row: row["theorem9_kappa"],
    "eps_c": lambda row: row["theorem9_eps_c"],
    "hinge of pi_0": lambda row: row["theorem9_reference_hinge"],
    "L_d(pi_0)/lambda": lambda row: row["theorem9_reference_cloning"] / row["theorem9_penalty"],
    "2 eta B_r/lambda": lambda row: 2 * row["theorem9_eta"] * row["theorem9_B_r"] / row["theorem9_penalty"],
    "suboptimality/lambda": lambda row: row["theorem9_suboptimality"] / row["theorem9_penalty"],
    "Delta_occ": lambda row: row["theorem9_shift"],
    "bound": lambda row: row["theorem9_bound"],
}


def _theorem_9(rows: Sequence[Row]) -> Table:
    lines = [
        [task, f"{limit:g}", *(f"{median(map(term, group)):.2f}" for term in TERMS.values())]
        for (task, limit), group in _groups(rows, "task", "cost_limit")
    ]
    return Table(THEOREM_9, ["task", "limit", *TERMS], lines)
