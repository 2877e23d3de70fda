"""What a claim is in the ledger: statement, predicate, evidence, control; and how a verdict follows from them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float64
from torch import Tensor

from verification.checker.certify import Statement

Values = Float64[Tensor, " instance"]

HOLDS, CORRECTED, FALSE, DEPENDS = "H", "HC", "F", "AD"
VERDICTS = {
    HOLDS: "holds",
    CORRECTED: "holds after a stated correction",
    FALSE: "false as printed",
    DEPENDS: "depends on an assumption",
}


class Sides(NamedTuple):
    """left <= right + tolerance at every instance; of an identity, left = |difference| and right = 0."""

    left: Values
    right: Values
    tolerance: Values

    @property
    def holds(self) -> bool:
        """False also where a side is NaN."""
        return bool((self.left <= self.right + self.tolerance).all())

    @property
    def ratios(self) -> Values:
        """left/right where right exceeds the tolerance."""
        some = self.right > self.tolerance.clamp(min=1e-12)
        return self.left[some] / self.right[some]


def sides(left: Tensor | float, right: Tensor | float, tolerance: Tensor | float) -> Sides:
    """Sides from tensors that broadcast, flattened."""
    parts = (torch.as_tensor(x, dtype=torch.float64) for x in (left, right, tolerance))
    return Sides(*(x.reshape(-1) for x in torch.broadcast_tensors(*parts)))


def difference(one: Tensor, other: Tensor | float, tolerance: Tensor | float) -> Sides:
    """The sides of an identity."""
    return sides((one - other).abs(), 0.0, tolerance)


def joined(parts: list[Sides]) -> Sides:
    """All instances of several families."""
    return Sides(*(torch.cat(x) for x in zip(*parts, strict=True)))


@dataclass(frozen=True)
class Check:
    """A predicate on seeded instances, in float64 and through the project's own code where it has the formula.

    `measure(broken)` returns the two sides at every instance; with `broken`, those of the version that `control`
    describes, which is false and has to fail.
    """

    measure: Callable[[bool], Sides]
    control: str


Kind = Literal["correction", "assumption", "replacement"]


@dataclass(frozen=True)
class Repair:
    """What is true instead: a correction of the statement, an assumption it needs, or another statement altogether."""

    kind: Kind
    statement: str
    check: Check
    proof: str = ""


REPAIRED = {"correction": CORRECTED, "assumption": DEPENDS, "replacement": FALSE}


@dataclass(frozen=True)
class Claim:
    """One statement of a paper.

    `printed` checks the statement as printed. `formal` is the statement in the checker's language, and
    `counterexamples` are the names of certificates that refute it. `sound` is the true version. It must certainly hold
    at the same instances, which shows that the refutation is not an error of the checker. `reading` names the reading
    that is judged where there are two; `notes` adds what the numbers do not show.
    """

    id: str
    source: str
    statement: str
    assumptions: str = ""
    printed: Check | None = None
    formal: Statement | None = None
    counterexamples: tuple[str, ...] = ()
    sound: Statement | None = None
    repair: Repair | None = None
    proof: str = ""
    reading: str = ""
    notes: str = ""

    @property
    def checks(self) -> list[Check]:
        return [x for x in (self.printed, self.repair.check if self.repair else None) if x is not None]


def verdict(printed_holds: bool | None, refuted: bool, repair: Repair | None, repair_holds: bool | None) -> str:
    """H where the check passes and nothing refutes it; else what the repair, if its own check passes, makes of it."""
    if printed_holds and not refuted:
        return HOLDS
    if repair is not None and repair_holds:
        return REPAIRED[repair.kind]
    return FALSE
