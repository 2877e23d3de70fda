"""What results.json is bound to: the code that the runs follow from, and the content of every run.

The meaning of the code counts, as for the ledger's verdicts (`verification.checker.hashing`). A change of it makes the
results stale until `python -m verification.intervals` has run again. An edited number does not fit its digest.
"""

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

from verification.checker.hashing import dependencies, meanings
from verification.intervals.cases import RESULTS

COMMAND = "python -m verification.intervals"


@cache
def sources() -> str:
    """The hash of the code that the cases and their runs depend on."""
    return _hash(meanings(dependencies("verification.intervals.certify")))


def digest(run: dict[str, Any]) -> str:
    """The hash of a run's content, without the digest itself."""
    return _hash({key: value for key, value in run.items() if key != "digest"})


def bound(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """The content of results.json."""
    return {"sources": sources(), "runs": [run | {"digest": digest(run)} for run in runs]}


def load(path: Path = RESULTS) -> dict[str, Any]:
    """The stored results; none where there is no file."""
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {"sources": "", "runs": []}


def faults(stored: dict[str, Any]) -> list[str]:
    """One sentence for each reason why the stored results do not count."""
    answer = [] if stored["runs"] else [f"There are no certified runs; {COMMAND} makes them."]
    if stored["runs"] and stored["sources"] != sources():
        answer.append(f"The certified runs are STALE: their code has changed; {COMMAND} runs them again.")
    for i, run in enumerate(stored["runs"]):
        if run.get("digest") != digest(run):
            answer.append(f"Run {i} of results.json was edited: it does not fit its digest; {COMMAND} makes it again.")
        elif not all(run["holds"].values()):
            answer.append(f"Run {i} of results.json breaks a bound.")
    return answer


def evidence(path: Path = RESULTS) -> dict[str, Any]:
    """What the ledger keeps: the number of runs within their bounds, 0 where anything is wrong, and both hashes."""
    stored = load(path)
    runs = 0 if faults(stored) else len(stored["runs"])
    return {"runs": runs, "sources": sources(), "content": _hash([run.get("digest") for run in stored["runs"]])}


def _hash(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
