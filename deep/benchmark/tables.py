"""table.md: DSRL's table of reward and cost, per task and data set, with what the numbers may be compared with."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from deep.benchmark.rows import Row, grouped, methods_of
from deep.benchmark.statistics import blocks_of, interval, mean, share_safe
from deep.tasks import within_limit

NOT_COMPARABLE = "These data are not DSRL's own: the scores are not comparable with published ones."
SMOKE = "**Smoke scale: short training and few seeds. This shows that everything runs; it ranks nothing.**"
SMOKE_AMONG = "**Some runs are of smoke scale, short training and few seeds: where that is said, nothing is ranked.**"
LEGEND = (
    "R: return on DSRL's scale from 0 to 1; for a task of one's own, on that of its data's returns. C: cost of an "
    "episode / limit. Both are means over seeds and evaluation episodes in the simulator. **Bold**: safe, C <= 1. "
    "✗: unsafe. short: C <= 1, but episodes end early, which is not safe. ★: the largest R among the safe ones of the "
    "column. In brackets a 95 % interval (bootstrap over seeds); none where there is one seed."
)


def markdown(rows: Sequence[Row]) -> str:
    """The whole file; raises nothing, for rows are checked when they are read."""
    smoke = [row["scale"] == "smoke" for row in rows]
    warning = [SMOKE if all(smoke) else SMOKE_AMONG] if any(smoke) else []
    parts = ["# Reward and cost" + (" (smoke)" if all(smoke) else ""), *warning, LEGEND]
    for part in grouped(rows, "task", "data").values():
        parts += [heading(part), table(part)]
    if len(grouped(rows, "task", "data")) > 1:
        parts += ["## Mean over tasks and data sets", averages(rows)]
    return "\n\n".join(parts) + "\n"


def heading(rows: Sequence[Row]) -> str:
    """Which data the table below is about."""
    first = rows[0]
    titles = {"seeds": "seed", "episodes per replica": "episodes", "preset": "preset", "scale": "scale"}
    found = {title: [str(x) for (x,) in sorted(grouped(rows, key)) if x != ""] for title, key in titles.items()}
    said = [f"{title}: {', '.join(values)}" for title, values in found.items() if values]
    lines = [
        f"## {first['task']}, {'data of DSRL' if first['source'] == 'dsrl' else 'data: ' + first['data']}",
        f"Data source: {first['source']}, sha256 {first['sha256'][:12]}. {'; '.join(said)}.",
    ]
    return "\n\n".join(lines + ([] if first["source"] == "dsrl" else [NOT_COMPARABLE]))


def table(rows: Sequence[Row]) -> str:
    """A line per method: the mean over seeds and limits, as DSRL reports it, then every limit by itself."""
    limits = sorted({row["cost_limit"] for row in rows})
    methods = methods_of(rows)
    by_method = {method: own for (method,), own in grouped(rows, "method").items()}
    columns = [[_mean_cell(by_method[method]) for method in methods]]
    for limit in limits:
        columns.append([_cell([r for r in by_method[method] if r["cost_limit"] == limit]) for method in methods])
    texts = [_column(column) for column in columns]
    head = ["method", "mean: R, C", *(f"limit {limit:g}: R, C" for limit in limits), "safe replicas"]
    shares = [share_safe(by_method[method]) for method in methods]
    lines = [
        [method, *(column[i] for column in texts), f"{share['safe']} of {share['replicas']}"]
        for i, (method, share) in enumerate(zip(methods, shares, strict=True))
    ]
    return _grid(head, lines)


def averages(rows: Sequence[Row]) -> str:
    """A line per method: the mean over all strata; only methods that were run on every task and data set."""
    places = set(grouped(rows, "task", "data"))
    complete = {m: own for (m,), own in grouped(rows, "method").items() if set(grouped(own, "task", "data")) == places}
    texts = _column([_mean_cell(own) for own in complete.values()])
    shares = [share_safe(own) for own in complete.values()]
    lines = [
        [method, text, f"{share['safe']} of {share['replicas']}"]
        for method, text, share in zip(complete, texts, shares, strict=True)
    ]
    left_out = [method for method in methods_of(rows) if method not in complete]
    note = f"\n\nNot run on all of them, and left out: {', '.join(left_out)}." if left_out else ""
    return (_grid(["method", "mean: R, C", "safe replicas"], lines) if lines else "None was run on all.") + note


class Values(NamedTuple):
    """R, C, their intervals as text, and whether some replica's episodes end early."""

    R: float
    C: float
    R_range: str
    C_range: str
    early: bool

    @property
    def safe(self) -> bool:
        """Decided before C is rounded."""
        return bool(within_limit(self.C, 1)) and not self.early


Cell = Values | None
"""None where a method was not run."""


def _mean_cell(rows: Sequence[Row]) -> Cell:
    values = {name: blocks_of(rows, name) for name in ("R", "C")}
    R, C = (float(mean(found)) for found in values.values())
    ranges = [interval(found, mean) for found in values.values()]
    R_range, C_range = ("" if found is None else f" [{found[0]:.2f}, {found[1]:.2f}]" for found in ranges)
    return Values(R, C, R_range, C_range, _early(rows))


def _cell(rows: Sequence[Row]) -> Cell:
    if not rows:
        return None
    R, C = (float(np.mean([row[name] for row in rows])) for name in ("R", "C"))
    return Values(R, C, "", "", _early(rows))


def _early(rows: Sequence[Row]) -> bool:
    return any(row.get("ends_early") for row in rows)


def _column(cells: Sequence[Cell]) -> list[str]:
    """The texts of a column."""
    best = max((cell.R for cell in cells if cell is not None and cell.safe), default=np.nan)
    return [_text(cell, best) for cell in cells]


def _text(cell: Cell, best: float) -> str:
    if cell is None:
        return "-"
    R, C, R_range, C_range, early = cell
    if not cell.safe:
        return f"{R:.2f}{R_range}, {C:.2f}{C_range} " + ("short" if early and within_limit(C, 1) else "✗")
    return f"**{R:.2f}**{R_range}, **{C:.2f}**{C_range}" + (" ★" if best == R else "")


def _grid(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    rule = ["---"] * len(head)
    return "\n".join(f"| {' | '.join(line)} |" for line in [head, rule, *lines])
