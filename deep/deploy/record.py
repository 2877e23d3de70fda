"""How often off-policy estimates were right: the replicas of the committed studies that have been simulated as well.

    python -m deep.deploy.record notebooks/results      # writes deep/deploy/record.json

A replica counts where its result has both an estimate of the cost of an episode with a 95 % interval, made from the
data alone, and a mean cost over simulator episodes. The estimate *says* that the limit is satisfied where the whole
interval is within it, that it is violated where all of it lies above, and else nothing.

Replicas of one task, data set and seed are not independent: they share the learned dynamics, whatever their limit,
variant and way to act. Together they are one run. What a method's estimates were worth is counted in runs: one in which
any replica's estimate said something counts once, and is right only where all that said so were.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from deep.tasks import find_task, within_limit
from theory.support.command import command
from theory.support.errors import InputError
from theory.support.files import write_whole

RECORD = Path(__file__).with_name("record.json")
Said = Literal["satisfied", "violated", "nothing"]
SAID: tuple[Said, ...] = ("satisfied", "violated", "nothing")


def said(low: float, high: float, limit: float) -> Said:
    """What an interval says of a cost limit."""
    if within_limit(high, limit):
        return "satisfied"
    return "nothing" if within_limit(low, limit) else "violated"


@dataclass(frozen=True)
class Track:
    """What the estimates for one method on one kind of task were worth.

    Attributes:
        method: the method.
        kind: the family of the task, "custom" for data of no task of the table.
        tasks: the tasks and data sets of the runs; empty where there are none.
        satisfied: the runs in which an estimate said that the limit is satisfied, and those in which it was wherever
            one said so.
        violated: the same of the limit being violated.
        elsewhere: the methods and kinds of task that there are runs of.
    """

    method: str
    kind: str
    tasks: tuple[str, ...] = ()
    satisfied: tuple[int, int] = (0, 0)
    violated: tuple[int, int] = (0, 0)
    elsewhere: tuple[str, ...] = ()


def track_of(runs: Sequence[Mapping[str, Any]], method: str, kind: str) -> Track:
    """The track record of a method on a kind of task among `counted` runs."""
    own = [run for run in runs if (run["method"], run["kind"]) == (method, kind)]
    others: dict[tuple[str, str], set[str]] = {}
    for run in runs:
        others.setdefault((run["method"], run["kind"]), set()).add(run["task"])
    elsewhere = [f"{name} on {group} tasks ({', '.join(sorted(found))})" for (name, group), found in others.items()]
    tasks = sorted({f"{run['task']} ({run['data']})" for run in own})

    def counts(words: Said) -> tuple[int, int]:
        such = [run[words] for run in own if run[words]["count"]]
        return len(such), sum(each["right"] == each["count"] for each in such)

    return Track(method, kind, tuple(tasks), counts("satisfied"), counts("violated"), tuple(elsewhere))


def counted(rows: Iterable[Mapping[str, str]]) -> list[dict[str, Any]]:
    """The independent runs of each method: what was said in how many replicas, in how many that was so, and in how many
    the interval holds the cost."""
    found: dict[tuple[str, ...], dict[str, Any]] = {}
    seen = set()
    for row in rows:
        key = tuple(row.get(name, "") for name in ("data", "algorithm", "variant", "choice", "seed", "cost_limit", "C"))
        if not (row.get("offline_cost_low") and row.get("cost")) or key in seen:
            continue
        seen.add(key)  # a table may quote another one's rows
        low, high, limit, cost = (
            float(row[name]) for name in ("offline_cost_low", "offline_cost_high", "cost_limit", "cost")
        )
        satisfied, words = bool(within_limit(cost, limit)), said(low, high, limit)
        run = found.setdefault(tuple(row[name] for name in ("algorithm", "task", "data", "seed")), _empty(row))
        run["replicas"] += 1
        run["inside"] += low <= cost <= high
        run[words]["count"] += 1
        if words == "nothing":
            run[words]["satisfied"] += satisfied
        else:
            run[words]["right"] += satisfied is (words == "satisfied")
    return [found[key] for key in sorted(found)]


def _empty(row: Mapping[str, str]) -> dict[str, Any]:
    names = {"method": row["algorithm"], "kind": find_task(row["task"]).family, "task": row["task"]}
    counts: dict[str, Any] = {name: {"count": 0, "right": 0} for name in SAID[:2]}
    return {**names, "data": row["data"], "seed": int(row["seed"]), "replicas": 0, "inside": 0} | counts | {
        "nothing": {"count": 0, "satisfied": 0}
    }  # fmt: skip


def main(arguments: list[str] | None = None) -> None:
    """Count the rows of every results.csv below a folder, and write the record.

    Raises `InputError` where there is none.
    """
    parser = argparse.ArgumentParser("python -m deep.deploy.record", description=f"Write {RECORD.name} of this module.")
    parser.add_argument("results", type=Path, help="the folder below which every results.csv is counted")
    root = parser.parse_args(arguments).results
    files = sorted(root.rglob("results.csv"))
    if not files:
        raise InputError(f"{root}: there is no results.csv below it, and the record stays as it was")
    tables = {str(file.relative_to(root)): list(csv.DictReader(file.read_text().splitlines())) for file in files}
    runs = counted(row for rows in tables.values() for row in rows)
    record = {"sources": [name for name, rows in tables.items() if counted(rows)], "runs": runs}
    write_whole(RECORD, (json.dumps(record, indent=1) + "\n").encode())


if __name__ == "__main__":
    with command(lambda: "the record stays as it was"):
        main()
