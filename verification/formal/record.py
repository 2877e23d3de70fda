"""record.json: what Coq accepted, and when that record is out of date."""

import json
from functools import cache
from pathlib import Path
from typing import Any

from verification.formal import sources
from verification.formal.theorems import PARTS, REASONS, REFUTATIONS, THEOREMS

RECORD = Path(__file__).parent / "record.json"
COMMAND = "python -m verification.formal"


@cache
def load(path: Path = RECORD) -> dict[str, Any]:
    """The record; empty where there is none."""
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {"theorems": {}}


def evidence(claim_id: str, certificates: tuple[str, ...] = (), record: dict[str, Any] | None = None) -> dict[str, Any]:
    """The ledger's object on what Coq checked of a claim: theorems and refutations with the hashes of their statements
    and dependencies, Coq's version and the axioms. A theorem that has changed since it was recorded is left out."""
    record = load() if record is None else record
    now = sources.fingerprints()

    def bound(wanted: tuple[str, ...] | list[str]) -> dict[str, Any]:
        return {x: now[x] for x in wanted if x in now and record["theorems"].get(x) == now[x]}

    answer: dict[str, Any] = {
        "theorems": bound(THEOREMS.get(claim_id, ())),
        "parts": bound(PARTS.get(claim_id, ())),
        "refutations": bound([*REFUTATIONS.get(claim_id, ()), *(f"{name}_fails" for name in certificates)]),
    }
    if answer["theorems"] or answer["parts"] or answer["refutations"]:
        answer |= {"coq": record["coq"], "axioms": record["axioms"]}
    if claim_id in REASONS:
        answer["reason"] = REASONS[claim_id]
    return answer


def proves(claim_id: str, found: dict[str, Any]) -> bool:
    """Whether every theorem that the claim names is recorded as it stands."""
    wanted = THEOREMS.get(claim_id, ())
    return bool(wanted) and set(wanted) == set(found["theorems"])


def outdated() -> list[str]:
    """The theorems that have changed since they were recorded, and recorded ones that are gone."""
    recorded, now = load()["theorems"], sources.fingerprints()
    return sorted(name for name in recorded.keys() | now.keys() if recorded.get(name) != now.get(name))


def summary(installed_version: str | None) -> list[str]:
    """Lines on the record for the end of a test run; `installed_version` is None where there is no coqc."""
    record = load()
    count = len(record["theorems"])
    lines = [f"machine-checked: {count} theorems and lemmas by Coq {record.get('coq')}; axioms: the standard library's"]
    lines[0] += f" {', '.join(x.rsplit('.', 1)[-1] for x in record.get('axioms', ()))}"
    if changed := outdated():
        lines.append(f"STALE: {len(changed)} of them have changed: {COMMAND} checks and records them again")
    if installed_version is None:
        lines.append(
            "no coqc 8.16 or later, so this is the committed record: apt-get install -y coq libcoq-interval, then "
            "pytest again"
        )
    elif installed_version != record.get("coq"):
        lines.append(f"Coq {installed_version} is installed here: {COMMAND} records its answer")
    return lines
