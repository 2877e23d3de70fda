"""Claims of the papers about results, judged on the runs of this project: grade *measured*.

These verdicts are statements about the data, presets and seeds of the committed tables, which are not DSRL's: they
prove and refute nothing. They stand apart from the ledger, whose verdicts follow from exact computations.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from deep.benchmark.rows import Row
from deep.benchmark.statistics import share_safe
from verification.measured.evidence import Evidence, by_method, by_place

SUPPORTED, CONTRADICTED, OPEN = "supported on our data", "contradicted on our data", "open"
GRADE = "measured"
GENERATIVE = ("safe_dql", "fisor", "cdt", "b2r", "tcdp", "cdd", "sdgd")
"""Methods that act by a diffusion model or a transformer."""
MARGIN = 0.05
"""What R has to differ by for one method to count as poor."""


@dataclass(frozen=True)
class Finding:
    """A verdict and the numbers that it follows from."""

    verdict: str
    numbers: str


@dataclass(frozen=True)
class MeasuredClaim:
    """One statement about results."""

    id: str
    source: str
    statement: str
    criterion: str
    """What has to be measured for `SUPPORTED`; else the claim is contradicted, or open where there are no runs."""
    measure: Callable[[Evidence], Finding]

    def record(self, evidence: Evidence) -> dict[str, Any]:
        """The claim with its verdict, as claims.json has it."""
        found = self.measure(evidence)
        named = {"id": self.id, "source": self.source, "statement": self.statement, "criterion": self.criterion}
        return named | {"grade": GRADE, "verdict": found.verdict, "numbers": found.numbers}


def decided(holds: bool, numbers: str) -> Finding:
    """A verdict from a predicate."""
    return Finding(SUPPORTED if holds else CONTRADICTED, numbers)


def safe_text(rows: Sequence[Row]) -> str:
    """ "k of n replicas safe [95 % interval]"."""
    share = share_safe(rows)
    low, high = (f"{100 * x:.0f}" for x in share["interval"])
    return f"{share['safe']} of {share['replicas']} replicas safe [{low}, {high} %]"


def meets_limits(evidence: Evidence) -> Finding:
    """Whether every DRCORL replica is safe, on every data set, with one set of hyper-parameters."""
    rows = evidence.of("drcorl")
    if not rows:
        return Finding(OPEN, "no run of DRCORL")
    places = "; ".join(f"{place}: {safe_text(own)}" for place, own in by_place(rows).items())
    return decided(all(row["safe"] for row in rows), f"{safe_text(rows)} ({places})")


def safe_and_poor(evidence: Evidence) -> Finding:
    """Whether on most data sets BC-Safe is safe, and MARGIN of R below the best method that is safe there."""
    parts: list[str] = []
    safe, poor = 0, 0
    for place, rows in by_place(evidence.of(*{row["algorithm"] for row in evidence.rows})).items():
        methods = by_method(rows)
        own = methods.pop("BC-Safe", None)
        others = {
            name: float(np.mean([row["R"] for row in found]))
            for name, found in methods.items()
            if own is not None and all(row["safe"] for row in found) and cells(found) >= cells(own)
        }
        if own is None or not others:
            continue
        R, best = float(np.mean([row["R"] for row in own])), max(others, key=others.__getitem__)
        safe += all(row["safe"] for row in own)
        poor += others[best] - R >= MARGIN
        parts.append(f"{place}: {safe_text(own)}, R {R:.2f}, {best} {others[best]:.2f}")
    if not parts:
        return Finding(OPEN, "no run of BC-Safe beside a safe method")
    return decided(2 * min(safe, poor) > len(parts), "; ".join(parts))


def cells(rows: Sequence[Row]) -> set[tuple[int, float]]:
    """The seeds and cost limits of the rows."""
    return {(row["seed"], row["cost_limit"]) for row in rows}


def faster(evidence: Evidence) -> Finding:
    """Whether DRCORL takes less time for 1000 actions, one state at a time, than every generative method."""
    times = {f"{t['algorithm']} {t['choice']}".strip(): t["single"] for t in evidence.seconds}
    own = times.get("drcorl")
    others = {name: seconds for name, seconds in times.items() if name.split()[0] in GENERATIVE}
    if own is None or not others:
        return Finding(OPEN, "no measured times of DRCORL and of a generative method")
    shown = ", ".join(f"{name} {1000 * seconds:.0f}" for name, seconds in others.items())
    return decided(own < min(others.values()), f"milliseconds for 1000 actions: drcorl {1000 * own:.0f}; {shown}")


def violates_simple_tasks(evidence: Evidence) -> Finding:
    """Whether CDT is unsafe in some replica on BallRun or BallCircle."""
    rows = evidence.of("cdt")
    simple = [row for row in rows if row["task"] in ("BallRun", "BallCircle")]
    if not simple:
        others = "; ".join(f"{place}: {safe_text(own)}" for place, own in by_place(rows).items())
        return Finding(OPEN, "no run on BallRun or BallCircle" + (f"; elsewhere {others}" if others else ""))
    return decided(not all(row["safe"] for row in simple), safe_text(simple))


def one_weight(evidence: Evidence) -> Finding:
    """Whether TCDP is safe at every limit of at least two, with one guidance weight."""
    rows = evidence.of("tcdp")
    limits = sorted({row["cost_limit"] for row in rows})
    if len(limits) < 2:
        return Finding(OPEN, "no run of TCDP at two cost limits")
    shown = (f"limit {x:g}: {safe_text([row for row in rows if row['cost_limit'] == x])}" for x in limits)
    return decided(all(row["safe"] for row in rows), "; ".join(shown))


DRCORL, TCDP = "DRCORL, Guo et al. 2025", "TCDP, Zhang et al. 2025"
CLAIMS = (
    MeasuredClaim(
        "X1",
        f"{DRCORL}, abstract",
        "DRCORL consistently meets cost limits with the same hyper-parameters.",
        "every replica of its default settings is safe",
        meets_limits,
    ),
    MeasuredClaim(
        "X2",
        f"{TCDP}, section 3",
        "BC-Safe satisfies the constraints on most tasks, and its rewards are not competitive.",
        f"on most data sets all its replicas are safe, and on most R is at least {MARGIN:g} below the best method "
        "whose replicas there are all safe",
        safe_and_poor,
    ),
    MeasuredClaim(
        "X3",
        f"{DRCORL}, section 5.2",
        "DRCORL acts faster than methods based on diffusion models or transformers.",
        "1000 actions, one state at a time, on one core, quick presets, take less time than those of each such method "
        "that was timed",
        faster,
    ),
    MeasuredClaim(
        "X4",
        f"{TCDP}, section 3",
        "CDT violates constraints in the simpler tasks BallRun and BallCircle.",
        "some replica there is unsafe",
        violates_simple_tasks,
    ),
    MeasuredClaim(
        "X5",
        f"{TCDP}, section 3",
        "TCDP's one parameter beta remains unchanged across cost limits.",
        "with one beta every replica is safe at each of two limits or more",
        one_weight,
    ),
)
