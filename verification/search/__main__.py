"""The command: search, certify, shrink; write only where an option names the place.

python -m verification.search --claim L43                # search, certify, shrink, print the counterexample
python -m verification.search --claim L43 --out FOLDER   # the same, and write the certificate to FOLDER
python -m verification.search --claim all --write        # every claim; update the repository's certificates and ratios
"""

import argparse
import json
import sys
import time
import warnings
from pathlib import Path

import torch

from theory.support.errors import InputError, check_seeds
from theory.support.files import writing
from verification.checker.certify import CERTIFICATES, write
from verification.checker.counterexamples import build
from verification.claims.topics import CLAIMS
from verification.command import Parser, ends_cleanly
from verification.search.ascent import ascend
from verification.search.snap import refutes, shrink, snapped
from verification.search.space import point
from verification.search.targets import TARGETS, Target

RATIOS = Path(__file__).parent.parent / "best_ratios.json"
NEAR = 0.9
DIGITS = (1, 2, 3, 4, 6, 9)


def hunt(claim_id: str, seed: int, seconds: float) -> tuple[float, dict | None]:
    """The best ratio, and the smallest certified counterexample or None."""
    target = TARGETS[claim_id]
    if target.complete is None:
        best = -float("inf")
        for size in target.sizes:
            for ratios, _ in ascend(target.objective, size, seed, seconds / len(target.sizes)):
                best = max(best, float(ratios.max()))
        return best, None
    return refute(claim_id, target, seed, seconds)


def refute(claim_id: str, target: Target, seed: int, seconds: float) -> tuple[float, dict | None]:
    formal, complete, best = CLAIMS[claim_id].formal, target.complete, -float("inf")
    if formal is None or complete is None:
        raise ValueError(f"{claim_id} has no statement to refute")
    for size in target.sizes:
        for ratios, parameters in ascend(target.objective, size, seed, seconds / len(target.sizes), 64, 300):
            best = max(best, float(ratios.max()))
            found = point(size, parameters)
            order = ratios.argsort(descending=True)
            for i in order[:8].tolist():
                if ratios[i] < target.threshold:
                    continue
                for digits in DIGITS:
                    given = snapped(found, i, digits)
                    if refutes(formal, complete, given):
                        return best, refutes(formal, complete, shrink(formal, complete, given, target.positive))
    return best, None


def report(claim_id: str, best: float, found: dict | None, folder: Path | None, seconds: float) -> None:
    """Print the outcome, and write the certificates to `folder` where there is one."""
    if found is not None:
        for name in (claim_id, *TARGETS[claim_id].also):
            certificate = build(name, found)
            place = write(name, certificate, folder) if folder else f"not written: {json.dumps(certificate['given'])}"
            print(f"{name}: refuted in {seconds:.0f} s, certificate {place}")
    elif TARGETS[claim_id].complete is None:
        remark = "close to 1" if best >= NEAR else "not close to 1: the bound is loose, or the search is weak"
        print(f"{claim_id}: best ratio {best:.4g} in {seconds:.0f} s ({remark})")
    else:
        print(f"{claim_id}: no certified counterexample in {seconds:.0f} s, best ratio {best:.4g}")


def options(arguments: list[str] | None) -> argparse.Namespace:
    """The command's options; InputError for a wrong one."""
    parser = Parser("verification.search", "Search for counterexamples, or for the best ratio of a true inequality.")
    parser.add_argument("--claim", help=f"one of {', '.join(TARGETS)}, or all")
    parser.add_argument("--seed", type=int, default=0, help="of the random starts, from 0 on (default: 0)")
    help_seconds = "processor seconds per claim; a search that finds a counterexample ends earlier (default: 60)"
    parser.add_argument("--seconds", type=float, default=60.0, help=help_seconds)
    target = parser.add_mutually_exclusive_group()
    target.add_argument("--out", type=Path, help="write the certificates to this folder")
    help_write = "update the repository's own verification/certificates and verification/best_ratios.json"
    target.add_argument("--write", action="store_true", help=help_write)
    chosen = parser.parse_args(arguments)
    if chosen.claim not in (*TARGETS, "all"):
        given = "missing" if chosen.claim is None else repr(chosen.claim)
        raise InputError(f"claim must be one of {', '.join(TARGETS)} or all; it is {given}.")
    if not 0 < chosen.seconds < float("inf"):
        raise InputError(f"seconds must be positive, not {chosen.seconds:g}.")
    check_seeds([chosen.seed])
    return chosen


def main(arguments: list[str] | None = None) -> int:
    """0 if every false claim that was searched is refuted, else 1."""
    chosen = options(arguments)
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore", message="Converting a tensor with requires_grad=True")
    folder = CERTIFICATES if chosen.write else chosen.out
    if folder:
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
    ratios = json.loads(RATIOS.read_text(encoding="utf-8")) if RATIOS.exists() else {}
    failed = False
    for claim_id in TARGETS if chosen.claim == "all" else [chosen.claim]:
        start = time.process_time()
        best, found = hunt(claim_id, chosen.seed, chosen.seconds)
        report(claim_id, best, found, folder, time.process_time() - start)
        failed |= TARGETS[claim_id].complete is not None and found is None
        ratios[claim_id] = {"ratio": best, "seed": chosen.seed, "seconds": chosen.seconds}
        if chosen.write:
            RATIOS.write_text(json.dumps(dict(sorted(ratios.items())), indent=1) + "\n", encoding="utf-8")
    return int(failed)


if __name__ == "__main__":
    with ends_cleanly("what is named above is written where --out or --write was given"):
        sys.exit(main())
