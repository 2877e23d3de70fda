"""The command: search, certify, shrink; write only where an option names the place.

python -m verification.search --claim L43                # search, certify, shrink, print the counterexample
python -m verification.search --claim L43 --out FOLDER   # the same, and write the certificate to FOLDER
python -m verification.search --claim all --write        # every claim; update the repository's certificates and ratios
"""

import argparse
import sys
from pathlib import Path

from theory.support.errors import InputError, check_seeds
from verification.command import Parser, ends_cleanly

SEARCHED = "L40 L41 L43 W1 S2 P1 P1t P3 I1 L40c C4 D7 D8 D9 D10 D10t TC".split()
"""The claims of `verification.search.targets.TARGETS`, which imports torch."""
SAVED = "what is named above is written where --out or --write was given; the same command searches again"
"""After Ctrl-C."""


def options(arguments: list[str] | None) -> argparse.Namespace:
    """The command's options; InputError for a wrong one."""
    parser = Parser("verification.search", "Search for counterexamples, or for the best ratio of a true inequality.")
    parser.add_argument("--claim", help=f"one of {', '.join(SEARCHED)}, or all")
    parser.add_argument("--seed", type=int, default=0, help="of the random starts, from 0 on (default: 0)")
    help_seconds = "processor seconds per claim; a search that finds a counterexample ends earlier (default: 60)"
    parser.add_argument("--seconds", type=float, default=60.0, help=help_seconds)
    target = parser.add_mutually_exclusive_group()
    target.add_argument("--out", type=Path, help="write the certificates to this folder")
    help_write = "update the repository's own verification/certificates and verification/best_ratios.json"
    target.add_argument("--write", action="store_true", help=help_write)
    chosen = parser.parse_args(arguments)
    if chosen.claim not in (*SEARCHED, "all"):
        given = "missing" if chosen.claim is None else repr(chosen.claim)
        raise InputError(f"claim must be one of {', '.join(SEARCHED)} or all; it is {given}.")
    if not 0 < chosen.seconds < float("inf"):
        raise InputError(f"seconds must be positive, not {chosen.seconds:g}.")
    check_seeds([chosen.seed])
    return chosen


def main(arguments: list[str] | None = None) -> int:
    """0 if every false claim that was searched is refuted, else 1."""
    chosen = options(arguments)
    from verification.search.hunt import hunt_all

    return hunt_all(chosen)


if __name__ == "__main__":
    with ends_cleanly(SAVED):
        sys.exit(main())
