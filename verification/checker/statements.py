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


def entry(text: str, formal: Statement) -> dict[str, Any]:
    """One claim's words and formulas, under the names that a certificate has for them."""
    return {
        "statement": text,
        "let": dict(formal.let),
        "assume": list(formal.assume),
        "conclusion": formal.conclusion,
    }


def statements() -> dict[str, dict[str, Any]]:
    """The content of the file: every claim with a formal statement, and the exact optima."""
    claims = {claim.id: entry(claim.statement, claim.formal) for claim in CLAIMS.values() if claim.formal}
    return claims | {OPTIMUM_CLAIM: entry(OPTIMUM_TEXT, OPTIMUM)}


def write_statements(path: Path = STATEMENTS) -> Path:
    path.write_text(json.dumps(statements(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return path
