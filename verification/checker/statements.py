"""verification/statements.json: what each certificate may be about, by claim, in words and in the checker's language.

The file is generated from the claims. The trusted checker accepts a certificate only if its statement and formulas are
those of the claim that it names, so this file and the checker are what a reader has to trust.
"""

import json
from pathlib import Path
from typing import Any

from verification.checker.certify import Statement
from verification.checker.optima import OPTIMUM, OPTIMUM_CLAIM, OPTIMUM_TEXT
from verification.claims.topics import CLAIMS

STATEMENTS = Path(__file__).parents[1] / "statements.json"


def entry(text: str, formal: Statement, verdict: str) -> dict[str, Any]:
    """One claim's words and formulas, and the only verdict that proves anything, under a certificate's names for them.

    A claim about all instances is refuted by one where it fails; one where it holds says nothing. An optimum is proved
    by a dual solution of the same value; one of another value refutes nothing.
    """
    return {
        "statement": text,
        "let": dict(formal.let),
        "assume": list(formal.assume),
        "conclusion": formal.conclusion,
        "verdict": verdict,
    }


def statements() -> dict[str, dict[str, Any]]:
    """The content of the file: every claim with a formal statement, and the exact optima."""
    claims = {claim.id: entry(claim.statement, claim.formal, "fails") for claim in CLAIMS.values() if claim.formal}
    return claims | {OPTIMUM_CLAIM: entry(OPTIMUM_TEXT, OPTIMUM, "holds")}


def write_statements(path: Path = STATEMENTS) -> Path:
    path.write_text(json.dumps(statements(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return path
