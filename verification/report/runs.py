"""The report's section on runs in ball arithmetic: `verification.intervals`."""

from pathlib import Path
from typing import Any

from verification.intervals.cases import RESULTS
from verification.intervals.record import faults, load
from verification.report.lattice import Table

TEXT = """\
The sweep's algorithms, run on small rational CMDPs in ball arithmetic: every number is an enclosure, rounded outwards,
and every decision on a region is certain, so that no rounding error is left between the theorem and the run. Gap and
violation are those of the trajectory mixture after T iterations, h+ is R/T with log A for the KL at the start, and the
bound is 2R/T (R/T for CRPO) with the comparator's own KL_0; all numbers shown are rounded, the comparisons are of the
enclosures. The regions are the numbers of safe, aligned, conflicting and unsafe iterations. The last column says how
far the same run in double precision is from the enclosure, over all iterations. The file of the runs is bound to
their code and their content by hashes. The tests make four of the runs again, one of each rule, which these hashes
draw; `python -m pytest -m exhaustive verification/tests/test_intervals.py` makes the others."""


def tables(results: Path = RESULTS) -> list[Table]:
    """The table of certified runs, or none where there are no results."""
    if not results.is_file():
        return []
    header = ["CMDP", "gamma", "rule", "T", "regions", "gap", "bound", "violation", "h+", "certified", "float error"]
    stored = load(results)
    return [Table(" ".join([TEXT, *faults(stored)]), header, [_line(row) for row in stored["runs"]])]


def _middle(text: str) -> str:
    """The middle of an enclosure, to four digits."""
    middle = text.lstrip("[").split(" ")[0]
    return f"{float(middle):.4f}"


def _line(row: dict[str, Any]) -> list[str]:
    run = row["run"]
    numerator, denominator = row["h_plus"].split("/")
    return [
        f"{run['family']}, {run['states']} states, {run['actions']} actions",
        run["gamma"],
        run["rule"].replace("_", " "),
        str(run["steps"]),
        "/".join(str(row["regions"][letter]) for letter in "sacu"),
        _middle(row["gap"]),
        _middle(row["gap_bound"]),
        _middle(row["violation"]),
        f"{int(numerator) / int(denominator):.4f}",
        "yes" if all(row["holds"].values()) else "NO",
        row["float_error"],
    ]
