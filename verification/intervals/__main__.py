"""`python -m verification.intervals`: rigorous runs of the sweep's algorithms, compared with the corrected theorem."""

import json
from pathlib import Path

from theory.support.errors import InputError
from verification.command import Parser, ends_cleanly
from verification.intervals.cases import CASES

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
    if chosen.only is None and chosen.steps is not None:
        raise InputError("--steps needs --only.")
    if chosen.only is not None and not 0 <= chosen.only < len(CASES):
        raise InputError(f"--only takes 0 to {len(CASES) - 1}, not {chosen.only}.")
    from verification.intervals.certify import certify, rows, write_all  # imports torch

    if chosen.only is None:
        write_all()
        return
    case = CASES[chosen.only]
    print(json.dumps(certify(case), indent=1))
    if chosen.steps is not None:
        chosen.steps.write_text("\n".join(rows(case)) + "\n", encoding="utf-8")
        print(chosen.steps)


if __name__ == "__main__":
    with ends_cleanly("the results are as they were"):
        main()
