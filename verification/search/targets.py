"""What can be searched: an objective per claim, and how a found point becomes a complete exact instance."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from theory.optimum import best_response
from verification.check import value
from verification.checker.optima import as_cmdp, exact_optimum, lifted, total_value
from verification.search import objectives
from verification.search.ascent import Objective
from verification.search.space import Size

Given = dict[str, Any]


@dataclass(frozen=True)
class Target:
    """An inequality: its objective, the sizes to search in turn, and, where it is false, how to complete an instance.

    `complete` adds to P, r, c, rho, gamma, eta and policies whatever the claim's statement needs (None where the point
    has no completion); without it the claim is true and only the best ratio is reported. `threshold` is the ratio
    from which on certificates are tried. `also` are claims that the same instance refutes; `positive` policies keep
    every action while an instance is shrunk, as a softmax does.
    """

    objective: Objective
    sizes: tuple[Size, ...]
    complete: Callable[[Given], Given | None] | None = None
    threshold: float = 1.02
    also: tuple[str, ...] = ()
    positive: bool = True


def safe(given: Given) -> Given | None:
    """L40: nothing costs, the comparator is the reward's optimum."""
    zero = [[Fraction(0) for _ in row] for row in given["r"]]
    given = {**given, "c": zero}
    cmdp = as_cmdp(given)
    best = best_response(cmdp, cmdp.r)[0][0].int().tolist()
    v = [Fraction(str(x)) for x in value(*(lifted(x) for x in (given["P"], given["r"], given["gamma"], best)))]
    return given | {"pi_star": best, "v": v, "multiplier": 0, "limit": 0, "h_minus": 0}


def unsafe(given: Given) -> Given | None:
    """L41: reward 1 for action 0 alone, which is then optimal at any budget that it keeps."""
    first = [[Fraction(int(a == 0)) for a in range(len(row))] for row in given["r"]]
    given = {**given, "r": first, "pi_star": first}
    v = 1 / (1 - Fraction(given["gamma"]))
    now, best = (total_value(given, "c", policy) for policy in (given["pi"], first))
    limit = Fraction(math.ceil(best)) if math.ceil(best) <= now else best
    h_plus = Fraction(math.floor(now - limit))
    if now < limit + h_plus:
        return None
    return given | {"v": [v] * len(first), "multiplier": 0, "limit": limit, "h_plus": h_plus}


def conflict(given: Given) -> Given | None:
    """L43: the budget is the policy's own cost, which the optimum spends too."""
    limit = total_value(given, "c", given["pi"])
    optimum = exact_optimum(given, limit)
    if optimum is None:
        return None
    return given | optimum | {"limit": limit, "h_minus": Fraction(1, 100), "h_plus": Fraction(1, 100)}


def mixture(given: Given) -> Given | None:
    given = {**given, "pi_1": given["pi"], "pi_2": given["pi_other"]}
    return given | {"limit": max(total_value(given, "c", given[name]) for name in ("pi_1", "pi_2"))}


def long(states: int, actions: int) -> Size:
    """For L40 and L41, which cannot fail below the horizon 16 S A."""
    return Size(states, actions, horizons=(16.0 * states * actions, 5000.0), floor=1e-4)


def sized(policies: int = 1, extras: int = 0, gamma: float | None = None) -> tuple[Size, ...]:
    return tuple(Size(S, A, policies, extras, gamma) for S, A in ((1, 2), (2, 2), (3, 3)))


TARGETS: dict[str, Target] = {
    "L40": Target(objectives.safe_lemma, (long(3, 3), long(4, 2)), safe),
    "L41": Target(objectives.unsafe_lemma, (long(3, 3), long(4, 2)), unsafe),
    "L43": Target(
        objectives.conflict_lemma, (Size(1, 3, gamma=0.5, floor=1e-9), Size(2, 3, gamma=0.5, floor=1e-6)), conflict
    ),
    "W1": Target(objectives.mixture, (Size(2, 2, 2, floor=0.02),), mixture, positive=False, also=("T15b", "T16")),
    "S2": Target(objectives.common_ascent, (Size(1, 3, gamma=0.5, floor=0.02),), dict),
    "P1": Target(objectives.proposition, sized(2)),
    "P1t": Target(objectives.sharpened, sized(2)),
    "P3": Target(objectives.term_one, sized(2)),
    "I1": Target(objectives.hoeffding, sized(2)),
    "L40c": Target(objectives.critic_error, sized(2, 1)),
    "C4": Target(objectives.jensen, sized(1, 1)),
    "D7": Target(objectives.hinge, sized(1, 1)),
    "D8": Target(objectives.predicted, sized(1, 1)),
    "D9": Target(objectives.theorem_of_safe_dql, sized(1, 1)),
    "D10": Target(objectives.shift, sized(2)[1:]),
    "D10t": Target(objectives.sharp_shift, sized(2)[1:]),
    "TC": Target(objectives.corrected_theorem, sized(2)),
}
