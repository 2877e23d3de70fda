"""Writing certificates: an instance and a statement become a JSON file with the values that the checker recomputes.

Nothing here is trusted: every certificate has to pass `verification.check`.
"""

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from flint import arb, fmpq

from verification import check
from verification.check import Rejected, agrees, digest, measure, verify

CERTIFICATES = Path(__file__).parents[1] / "certificates"
DIGITS = 24


@dataclass(frozen=True)
class Statement:
    """A claim in the checker's language: abbreviations, the conditions it makes, and what it concludes."""

    let: Mapping[str, str]
    assume: Sequence[str]
    conclusion: str

    def needs(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The part of an instance that the formulas name, without what they define themselves."""
        formulas = [*self.let.values(), *self.assume, self.conclusion]
        named = {name for name in given if any(re.search(rf"\b{name}\b", text) for text in formulas)}
        return {name: x for name, x in given.items() if name in named and name not in self.let}

    def measure(self, given: Mapping[str, Any]) -> tuple[dict[str, Any], bool, bool, bool]:
        """The values at an instance; whether the conditions, the conclusion and its negation are certain."""
        return measure(texts(given), self.let, self.assume, self.conclusion)

    def negated_by(self, given: Mapping[str, Any]) -> bool:
        """Whether the instance is certainly a counterexample."""
        _, assumed, _, false = self.measure(given)
        return assumed and false


def texts(entry: Any) -> Any:
    """Numbers as exact rationals "p/q"; TypeError for a Python float, which is seldom the number that was meant."""
    if isinstance(entry, Mapping):
        return {name: texts(x) for name, x in entry.items()}
    if isinstance(entry, (list, tuple)):
        return [texts(x) for x in entry]
    if isinstance(entry, float):
        raise TypeError(f"{entry} is a float; give a Fraction, an int or a text.")
    return str(Fraction(entry))


def stated(x: Any) -> Any:
    """A value in the checker's form: exact, or correctly rounded to `DIGITS` decimals."""
    if isinstance(x, list):
        return [stated(y) for y in x]
    return str(x) if isinstance(x, fmpq) else decimal(x)


def decimal(x: arb) -> str:
    if x == 0:
        return f"0.{'0' * DIGITS}e0"
    size = float((abs(x).log() / arb(10).log()).mid())
    magnitude = math.floor(size) if math.isfinite(size) else 0  # a ball that is not finite, or contains 0
    for exponent in (magnitude, magnitude + 1, magnitude - 1):
        mantissa = (x / arb(10) ** exponent * 10**DIGITS + fmpq(1, 2)).floor().unique_fmpz()
        if mantissa is not None and len(str(abs(int(mantissa)))) == DIGITS + 1:
            digits = str(abs(int(mantissa)))
            text = f"{'-' if mantissa < 0 else ''}{digits[0]}.{digits[1:]}e{exponent}"
            if agrees(text, x):
                return text
    raise Rejected(f"{x} is not determined to {DIGITS} digits.")


def certificate(
    claim: str, statement: str, formal: Statement, given: Mapping[str, Any], verdict: str
) -> dict[str, Any]:
    """A certificate of any statement; Rejected where the checker does not confirm its values and verdict."""
    values = formal.measure(given)[0]
    answer = {
        "claim": claim,
        "statement": statement,
        "given": texts(given),
        "let": dict(formal.let),
        "assume": list(formal.assume),
        "conclusion": formal.conclusion,
        "verdict": verdict,
        "values": {
            "let": {name: stated(x) for name, x in values["let"].items()},
            "assume": stated(values["assume"]),
            "conclusion": stated(values["conclusion"]),
        },
    }
    answer["digest"] = digest(answer)
    verify(answer)
    return answer


def write(name: str, content: Mapping[str, Any], folder: Path = CERTIFICATES) -> Path:
    path = folder / f"{name}.json"
    text = json.dumps(content, indent=1, ensure_ascii=False)
    rows = r'\[\s+((?:"[^"\s]*",?\s+)+)\]'  # a row of numbers on one line
    text = re.sub(rows, lambda row: f"[{' '.join(row[1].split())}]", text)
    path.write_text(text + "\n", encoding="utf-8")
    return path


def read(name: str, folder: Path = CERTIFICATES) -> dict[str, Any]:
    return check.read(folder / f"{name}.json")
