"""Judging every claim, and the ledger that holds the verdicts."""

import json
import math
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch

from verification.check import check
from verification.checker.certified import holds_on
from verification.checker.certify import read
from verification.checker.hashing import fingerprint
from verification.checker.instances import SEED
from verification.claims.claim import HOLDS, Check, Claim, verdict
from verification.claims.topics import CLAIMS, TOPICS, topic_of
from verification.formal.record import evidence, proves
from verification.intervals.record import evidence as certified_runs

LEDGER = Path(__file__).parent / "ledger.json"
RATIOS = Path(__file__).parent / "best_ratios.json"
RUNS = "TC"
"""The claim that the certified runs are evidence for."""


@dataclass(frozen=True)
class Outcome:
    """The result of a check: whether it passes and its broken version fails, the instances, the ratios left/right."""

    holds: bool
    control_fails: bool
    instances: int
    tolerance: float
    median: float | None
    largest: float | None

    def record(self) -> dict[str, Any]:
        return {
            "instances": self.instances,
            "seed": SEED,
            "largest_tolerance": float(f"{self.tolerance:.2g}"),
            "passes": self.holds,
            "control_fails": self.control_fails,
        }


@cache
def outcome(claim_id: str, which: str) -> Outcome:
    """The outcome of a claim's "printed" check or of its "repair"."""
    chosen = CLAIMS[claim_id].printed if which == "printed" else CLAIMS[claim_id].repair
    examined = chosen if isinstance(chosen, Check) else chosen.check if chosen else None
    if examined is None:
        raise ValueError(f"{claim_id} has no {which} check")
    correct, broken = examined.measure(False), examined.measure(True)
    ratios = correct.ratios
    some = len(ratios) > 0
    return Outcome(
        holds=correct.holds,
        control_fails=not broken.holds,
        instances=len(correct.left),
        tolerance=float(correct.tolerance.abs().max()),
        median=float(ratios.median()) if some else None,
        largest=float(ratios.max()) if some else None,
    )


def refuted(claim: Claim) -> bool:
    """Whether every counterexample is accepted by the trusted checker and refutes this very statement."""
    for name in claim.counterexamples:
        content = read(name)
        check(content)
        if claim.formal is None or not same_statement(claim, content):
            raise ValueError(f"certificate {name} is not about the statement of {claim.id}")
    return bool(claim.counterexamples)


def same_statement(claim: Claim, content: dict[str, Any]) -> bool:
    """Whether the certificate names the claim, has its statement and formulas, and refutes it."""
    formal = claim.formal
    return (
        formal is not None
        and content["let"] == dict(formal.let)
        and content["assume"] == list(formal.assume)
        and content["conclusion"] == formal.conclusion
        and content["verdict"] == "fails"
        and content["statement"] == claim.statement
        and content["claim"] == claim.id
    )


@cache
def certified(claim_id: str) -> int:
    """The number of instances on which a claim that holds is certified; 0 where it has no formal statement."""
    claim = CLAIMS[claim_id]
    if claim.formal is None or claim.counterexamples:
        return 0
    applicable, all_hold = holds_on(claim.formal)
    return applicable if all_hold else 0


def proof_grade(claim_id: str, proof: str) -> list[str]:
    """Whether Coq has checked the claim or its correction; else whether a proof is written out."""
    if proves(claim_id, evidence(claim_id)):
        return ["machine-checked"]
    return ["proved"] if proof else []


def positive_grade(claim: Claim, result: Outcome) -> str:
    """The grade of a claim that holds, the strongest evidence first."""
    rigorous = certified(claim.id)
    parts = proof_grade(claim.id, claim.proof)
    parts += [f"certified on {rigorous} instances"] if rigorous else []
    runs = certified_runs()["runs"] if claim.id == RUNS else 0
    parts += [f"certified on {runs} runs"] if runs else []
    return ", ".join([*parts, f"float-checked on {result.instances} instances"])


def judge(claim: Claim) -> dict[str, Any]:
    """The ledger's object for a claim; every part of it is computed here."""
    printed = outcome(claim.id, "printed") if claim.printed else None
    repaired = outcome(claim.id, "repair") if claim.repair else None
    is_refuted = refuted(claim)
    answer = verdict(printed.holds if printed else None, is_refuted, claim.repair, repaired.holds if repaired else None)
    if answer == HOLDS and printed:
        grade = positive_grade(claim, printed)
    else:
        grade = "refuted exactly" if is_refuted else "not refuted exactly"
    tight = printed or repaired
    repair = None
    if claim.repair and repaired:
        repair = {
            "kind": claim.repair.kind,
            "statement": claim.repair.statement,
            "grade": ", ".join(
                [*proof_grade(claim.id, claim.repair.proof), f"float-checked on {repaired.instances} instances"]
            ),
            "proof": claim.repair.proof,
            "control": claim.repair.check.control,
            "check": repaired.record(),
        }
    return {
        "id": claim.id,
        "topic": topic_of(claim.id),
        "source": claim.source,
        "statement": claim.statement,
        "reading": claim.reading,
        "assumptions": claim.assumptions,
        "verdict": answer,
        "grade": grade,
        "correction": repair,
        "tightness": tightness(claim.id, tight),
        "evidence": {
            "check": printed.record() if printed else None,
            "control": claim.printed.control if claim.printed else None,
            "certificates": list(claim.counterexamples),
            "proof": claim.proof,
        },
        "machine_check": evidence(claim.id, claim.counterexamples),
        "certified_runs": certified_runs() if claim.id == RUNS else None,
        "notes": claim.notes,
        "hash": fingerprint(TOPICS[topic_of(claim.id)].__name__, claim.counterexamples),
    }


def tightness(claim_id: str, result: Outcome | None) -> dict[str, Any] | None:
    """Median and largest left/right over the instances, and the best ratio that the search reached."""
    searched = json.loads(RATIOS.read_text()).get(claim_id) if RATIOS.exists() else None
    if (result is None or result.largest is None) and searched is None:
        return None
    answer: dict[str, Any] = {"median": None, "largest": None, "searched": None}
    if result and result.median is not None and result.largest is not None:
        answer |= {"median": significant(result.median), "largest": significant(result.largest)}
    if searched:
        answer["searched"] = significant(searched["ratio"])
    return answer


def significant(x: float, digits: int = 4) -> float:
    return x if x == 0 or not math.isfinite(x) else float(f"{x:.{digits}g}")


def load(path: Path = LEDGER) -> list[dict[str, Any]]:
    return json.loads(path.read_text(encoding="utf-8"))


def stale(entry: dict[str, Any]) -> bool:
    """Whether code, a certificate, a formal proof or a certified run that the entry depends on has changed since it was
    judged."""
    claim = CLAIMS[entry["id"]]
    if claim.id == RUNS and entry["certified_runs"] != certified_runs():
        return True
    return entry["hash"] != fingerprint(TOPICS[topic_of(claim.id)].__name__, claim.counterexamples) or entry[
        "machine_check"
    ] != evidence(claim.id, claim.counterexamples)


def judge_all() -> None:
    """Judge every claim, print the verdicts and write the ledger."""
    torch.set_num_threads(1)
    entries = []
    for claim in CLAIMS.values():
        entries.append(judge(claim))
        print(f"{claim.id:<5} {entries[-1]['verdict']:<3} {entries[-1]['grade']}")
    LEDGER.write_text(json.dumps(entries, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"{LEDGER}: {len(entries)} claims")
