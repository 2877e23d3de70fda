"""`python -m verification.intervals`: rigorous runs of the sweep's algorithms, compared with the corrected theorem."""

import json
from pathlib import Path

from theory.support.errors import InputError
from verification.command import Parser, ends_cleanly
from verification.intervals.cases import CASES, RESULTS
from verification.intervals.certify import certify, rows
from verification.intervals.record import bound

DESCRIPTION = """\
Run the sweep's algorithms on small rational CMDPs in outward-rounded ball arithmetic, and compare the gap and the
violation of the trajectory mixture with the bounds of the corrected Theorem 3.1. Writes
verification/intervals/results.json."""


def main(arguments: list[str] | None = None) -> None:
    parser = Parser("verification.intervals", DESCRIPTION)
    parser.add_argument("--only", type=int, metavar="I", help="run case I alone and print it; results.json stays")
    parser.add_argument(
        "--steps", type=Path, metavar="FILE", help="with --only: also write every iteration's enclosures"
    )
    chosen = parser.parse_args(arguments)
    if chosen.only is None:
        if chosen.steps is not None:
            raise InputError("--steps needs --only.")
        write_all(RESULTS)
        return
    if not 0 <= chosen.only < len(CASES):
        raise InputError(f"--only takes 0 to {len(CASES) - 1}, not {chosen.only}.")
    case = CASES[chosen.only]
    print(json.dumps(certify(case), indent=1))
    if chosen.steps is not None:
        chosen.steps.write_text("\n".join(rows(case)) + "\n", encoding="utf-8")
        print(chosen.steps)


def write_all(path: Path) -> None:
    """Certify every case and write the results."""
    results = []
    for case in CASES:
        results.append(certify(case))
        print(f"{case.name}: gap {results[-1]['gap']}, bound {results[-1]['gap_bound']}, {results[-1]['holds']}")
    path.write_text(json.dumps(bound(results), indent=1) + "\n", encoding="utf-8")
    held = sum(all(result["holds"].values()) for result in results)
    print(f"{path}: all inequalities certified in {held} of {len(results)} runs")


if __name__ == "__main__":
    with ends_cleanly("the results are as they were"):
        main()
