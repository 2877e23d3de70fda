"""The command: search, certify, shrink, write.

python -m verification.search --claim L43                # search, certify, shrink, write the certificate
python -m verification.search --claim all --seconds 20   # every target, in turn
"""

import argparse
import json
import sys
import time
import warnings
from pathlib import Path

import torch

from theory.support.errors import InputError, check_seeds, exit_on_input_error
from theory.support.files import writing
from verification.checker.certify import CERTIFICATES, write
from verification.checker.counterexamples import build
from verification.claims import CLAIMS
from verification.search.ascent import ascend
from verification.search.snap import refutes, shrink, snapped
from verification.search.space import point
from verification.search.targets import TARGETS, Target

RATIOS = Path(__file__).parent.parent / "best_ratios.json"
NEAR = 0.9
DIGITS = (1, 2, 3, 4, 6, 9)


def hunt(claim_id: str, seed: int, seconds: float) -> tuple[float, dict | None]:
    """The best ratio that was reached, and the smallest certified counterexample that was found."""
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


def report(claim_id: str, best: float, found: dict | None, folder: Path, took: float) -> None:
    if found is not None:
        for name in (claim_id, *TARGETS[claim_id].also):
            print(f"{claim_id}: refuted in {took:.0f} s, certificate {write(name, build(name, found), folder)}")
    elif TARGETS[claim_id].complete is None:
        remark = (
            "close to 1" if best >= NEAR else "the search did not get near 1: the bound is loose, or the search weak"
        )
        print(f"{claim_id}: best ratio {best:.4g} in {took:.0f} s ({remark})")
    else:
        print(f"{claim_id}: no certified counterexample in {took:.0f} s, best ratio {best:.4g}")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m verification.search", description="Search for counterexamples.")
    parser.add_argument("--claim", required=True, help=f"one of {', '.join(TARGETS)}, or all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--seconds", type=float, default=60.0, help="of processor time per claim; less if it is refuted"
    )
    parser.add_argument("--out", type=Path, default=CERTIFICATES, help="folder of the certificates")
    options = parser.parse_args(arguments)
    if options.claim not in (*TARGETS, "all"):
        raise InputError(f"claim must be one of {', '.join(TARGETS)} or all, not {options.claim!r}.")
    if options.seconds <= 0:
        raise InputError(f"seconds must be positive, not {options.seconds:g}.")
    check_seeds([options.seed])
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore", message="Converting a tensor with requires_grad=True")
    with writing(options.out):
        options.out.mkdir(parents=True, exist_ok=True)
    ratios = json.loads(RATIOS.read_text()) if RATIOS.exists() else {}
    failed = False
    for claim_id in TARGETS if options.claim == "all" else [options.claim]:
        start = time.process_time()
        best, found = hunt(claim_id, options.seed, options.seconds)
        report(claim_id, best, found, options.out, time.process_time() - start)
        failed |= TARGETS[claim_id].complete is not None and found is None
        ratios[claim_id] = {"ratio": best, "seed": options.seed, "seconds": options.seconds}
    if options.out == CERTIFICATES:
        RATIOS.write_text(json.dumps(dict(sorted(ratios.items())), indent=1) + "\n")
    return int(failed)


if __name__ == "__main__":
    with exit_on_input_error():
        sys.exit(main())
