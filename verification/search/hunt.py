"""Searching one claim: gradient ascent, then certificates of what it found."""

import argparse
import json
import time
import warnings
from pathlib import Path

import torch

from theory.support.files import writing
from verification.checker.certify import CERTIFICATES, write
from verification.checker.counterexamples import build
from verification.claims.topics import CLAIMS
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


def hunt_all(chosen: argparse.Namespace) -> int:
    """Search the claims that the options choose; 0 if every false one among them is refuted, else 1."""
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
