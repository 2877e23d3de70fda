"""How often off-policy estimates were right: every replica of the committed studies that has been simulated as well.

    python -m deep.deploy.record notebooks/results      # writes deep/deploy/record.json

A replica counts where its result has both an estimate of the cost of an episode with a 95 % interval, made from the
data alone, and a mean cost over simulator episodes. The estimate *says* that the limit is satisfied where the whole
interval is within it, that it is violated where all of it lies above, and else nothing.
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

from deep.tasks import within_limit
from theory.support.files import write_whole

RECORD = Path(__file__).with_name("record.json")
Said = Literal["satisfied", "violated", "nothing"]
SAID: tuple[Said, ...] = ("satisfied", "violated", "nothing")


def said(low: float, high: float, limit: float) -> Said:
    """What an interval says of a cost limit."""
    if within_limit(high, limit):
        return "satisfied"
    return "nothing" if within_limit(low, limit) else "violated"


def counted(rows: Iterable[Mapping[str, str]]) -> dict[str, Any]:
    """What was said how often, how often that was so, and in how many the interval holds the cost."""
    found: dict[str, Any] = {name: {"count": 0, "right": 0} for name in SAID[:2]}
    found |= {"nothing": {"count": 0, "satisfied": 0}, "replicas": 0, "inside": 0, "tasks": set()}
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
        found["replicas"] += 1
        found["inside"] += low <= cost <= high
        found["tasks"].add(row["data"] if row["data"] not in ("", "embedded") else row["task"])
        found[words]["count"] += 1
        if words == "nothing":
            found[words]["satisfied"] += satisfied
        else:
            found[words]["right"] += satisfied is (words == "satisfied")
    return found | {"tasks": sorted(found["tasks"])}


def main(arguments: list[str] | None = None) -> None:
    """Count the rows of every results.csv below a folder, and write the record."""
    (root,) = sys.argv[1:] if arguments is None else arguments
    files = sorted(Path(root).rglob("results.csv"))
    tables = {str(file.relative_to(root)): list(csv.DictReader(file.read_text().splitlines())) for file in files}
    record = counted(row for rows in tables.values() for row in rows)
    record["sources"] = [name for name, rows in tables.items() if counted(rows)["replicas"]]
    write_whole(RECORD, (json.dumps(record, indent=1) + "\n").encode())


if __name__ == "__main__":
    main()
