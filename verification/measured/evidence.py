"""What the papers' claims about results are judged on: the committed tables, and how long the methods take to act."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deep.benchmark.references import reference
from deep.benchmark.rows import Row, method_of, rows_in, rows_of
from deep.evaluate.summary import LAST

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "notebooks" / "results"
TABLE = RESULTS / "table"
LATTICE = ROOT / "verification" / "lattice" / "results.json"


@dataclass(frozen=True)
class Evidence:
    """Rows of runs with the methods' own hyper-parameters, and measured times."""

    rows: Sequence[Row]
    seconds: Sequence[dict[str, Any]]
    """Seconds for 1000 actions, by algorithm and way to act (`deep.benchmark.latency`)."""

    def of(self, *algorithms: str) -> list[Row]:
        """The rows of these methods, without policies that were not kept."""
        return [row for row in self.rows if row["algorithm"] in algorithms and row["choice"] != LAST]


def committed() -> Evidence:
    """The committed rows (`all_rows`) of the methods' own hyper-parameters; the times of the table."""
    times = TABLE / "latency.json"
    seconds = json.loads(times.read_text(encoding="utf-8"))["seconds_for_1000_actions"] if times.exists() else []
    return Evidence([row for row in all_rows() if not row["variant"]], seconds)


def all_rows() -> list[Row]:
    """The rows of `table`, those of `paired` with DRCORL's default, and Safe-DQL's of `benchmark`.

    The data of the last two were drawn from no pool: their kind is full. The best trajectory within the limit is known
    for the embedded data, whose file is here. Data of one name and two hashes get the hash's first letters as well.
    """
    older = [*table("paired"), *(row for row in table("benchmark") if row["algorithm"] == "safe_dql")]
    hashes = {(row["task"], row["data"], row["sha256"]) for row in older}
    names = [name[:2] for name in hashes]
    for row in older:
        if names.count((row["task"], row["data"])) > 1:
            row["data"] += f" {row['sha256'][:4]}"
    limits = sorted({row["cost_limit"] for row in older})
    for row in older:
        known = {"kind": "full"}
        if row["source"] == "embedded":
            known = reference(row["task"], "embedded", "", row["sha256"], limits).columns(row["cost_limit"])
        row.update(known)
    return rows_of([], [*table("table"), *older])


def table(name: str) -> list[Row]:
    """The rows of a committed results.csv; none where there is no such table."""
    path = RESULTS / name / "results.csv"
    return rows_in(path) if path.exists() else []


def lattice_rows(path: Path = LATTICE) -> list[Row]:
    """The lattice study as rows of a benchmark.

    R is the exact value of the policy divided by the optimum's at the cost limit, so that 1 - R is the exact regret as
    a share of the optimum; C is the exact cost divided by the limit.
    """
    content = json.loads(path.read_text(encoding="utf-8"))
    about = content["provenance"]
    return [
        {
            "task": row["task"],
            "data": f"{about['data']['trajectories']} trajectories",
            "kind": "full",
            "algorithm": row["method"],
            "variant": "",
            "choice": "",
            "seed": row["seed"],
            "cost_limit": row["cost_limit"],
            "R": row["value"] / row["optimal_value"],
            "C": row["cost"] / row["cost_limit"],
            "safe": row["violation"] <= 0,
            "R_best_in_data": 1.0,
            "source": "exact",
            "command": about["command"],
            "machine": about["machines"].get(f"{row['method']}, {row['task']}", ""),
            "run": f"{row['method']}, {row['task']}",
        }
        for row in content["results"]
    ]


def by_place(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """The rows by "TASK, DATA"."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(f"{row['task']}, {row['data']}", []).append(row)
    return found


def by_method(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """The rows by method, way to act included."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(method_of(row), []).append(row)
    return found
