"""From a found point to a small exact counterexample: round, certify, shrink."""

from collections.abc import Callable, Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Any

from torch import Tensor

from verification.check import Rejected
from verification.checker.certify import Statement, texts
from verification.search.space import Point

Given = dict[str, Any]
Complete = Callable[[Given], Given | None]


def rounded(x: float, digits: int) -> Fraction:
    """x to so many significant digits."""
    return Fraction(Decimal(f"{x:.{digits - 1}e}"))


def payoff(x: float, digits: int) -> Fraction:
    """x to so many decimals; at 0 decimals 0 or 1."""
    return Fraction(round(x * 10**digits), 10**digits)


def row(p: list[float], digits: int, positive: bool) -> list[Fraction]:
    """A distribution near p; the largest entry takes the rest, and without `positive` small entries vanish."""
    entries = [rounded(x, digits) if positive or x >= 0.5 * 10**-digits else Fraction(0) for x in p]
    largest = max(range(len(p)), key=p.__getitem__)
    entries[largest] += 1 - sum(entries)
    return entries


def snapped(point: Point, i: int, digits: int) -> Given:
    """The i-th point with its numbers rounded; gamma = 1 - 1/H with H rounded."""
    cmdp = point.cmdp

    def table(tensor: Tensor, f: Callable[[float], Fraction]) -> list[list[Fraction]]:
        return [[f(x) for x in line] for line in tensor[i].tolist()]

    policies = [[row(p, digits, positive=True) for p in policy[i].tolist()] for policy in point.policies]
    horizon = rounded(1 / (1 - float(cmdp.gamma[i])), digits)
    return {
        "P": [[row(p, digits, positive=False) for p in rows] for rows in cmdp.P[i].tolist()],
        "r": table(cmdp.r, lambda x: payoff(x, digits - 1)),
        "c": table(cmdp.c, lambda x: payoff(x, digits - 1)),
        "rho": row(cmdp.rho[i].tolist(), digits, positive=False),
        "gamma": 1 - 1 / horizon,
        "eta": rounded(float(point.eta[i]), digits),
        "pi": policies[0],
        "pi_other": policies[-1],
    }


def refutes(formal: Statement, complete: Complete, given: Given) -> Given | None:
    """The completed instance, cut to what the statement names, if the checker finds it a counterexample."""
    try:
        full = complete(given)
        if full is None:
            return None
        needed = formal.needs(texts(full))
        return needed if formal.negated_by(needed) else None
    except (Rejected, ZeroDivisionError, ValueError, RuntimeError):
        return None


def weight(given: Any) -> int:
    """How long an instance is to write down."""
    if isinstance(given, dict):
        return sum(weight(x) for x in given.values())
    return sum(weight(x) for x in given) if isinstance(given, (list, tuple)) else len(str(given))


def simpler(given: Given, positive: bool) -> Iterator[Given]:
    """The instance with one number or one row replaced by another one, mostly shorter; policies stay `positive`."""
    for name in ("P", "pi", "pi_other", "rho"):
        for trail in rows(given[name], (name,)):
            keep = positive and name.startswith("pi")
            yield from (replaced(given, trail, p) for p in simpler_rows(at(given, trail), keep))
    for name in ("r", "c"):
        for s, line in enumerate(given[name]):
            for a, x in enumerate(line):
                shorter = (Fraction(0), Fraction(1), Fraction(1, 2), *(rounded(float(x), k) for k in (1, 2)))
                yield from (replaced(given, (name, s, a), other) for other in shorter)
    yield from (replaced(given, ("eta",), rounded(float(given["eta"]), k)) for k in (1, 2))
    horizon = float(1 / (1 - given["gamma"]))
    powers = [10**k for k in range(1, 7) if 10**k < horizon]
    yield from (replaced(given, ("gamma",), 1 - 1 / Fraction(h)) for h in (2, *powers, rounded(horizon, 1)))


def simpler_rows(row_: list[Fraction], positive: bool) -> Iterator[list[Fraction]]:
    p = [float(x) for x in row_]
    largest = max(range(len(p)), key=p.__getitem__)
    if not positive:
        yield [Fraction(int(i == largest)) for i in range(len(p))]
    yield [Fraction(1, len(p))] * len(p)
    for parts in (2, 4, 10):
        short = [max(Fraction(round(x * parts)), Fraction(int(positive))) / parts for x in p]
        short[largest] += 1 - sum(short)
        if min(short) >= 0 and (min(short) > 0 or not positive):
            yield short
    for digits in (1, 2, 3):
        yield row(p, digits, positive)
    # The same power of ten for every small entry is shorter still.
    for power in range(1, 9):
        short = [Fraction(1, 10**power) for _ in p]
        short[largest] += 1 - sum(short)
        yield short


def rows(entry: Any, trail: tuple) -> list[tuple]:
    if not isinstance(entry[0], list):
        return [trail]
    return [inner for i, x in enumerate(entry) for inner in rows(x, (*trail, i))]


def at(given: Any, trail: tuple) -> Any:
    for key in trail:
        given = given[key]
    return given


def replaced(given: Any, trail: tuple, new: Any) -> Any:
    """A copy with one entry changed."""
    if not trail:
        return new
    if isinstance(given, dict):
        return {**given, trail[0]: replaced(given[trail[0]], trail[1:], new)}
    return [replaced(x, trail[1:], new) if i == trail[0] else x for i, x in enumerate(given)]


def without(given: Given, state: int | None = None, action: int | None = None) -> Given | None:
    """The instance with a state (its inflow sent to the others in proportion) or an action left out."""
    S, A = len(given["r"]), len(given["r"][0])
    states = [s for s in range(S) if s != state]
    actions = [a for a in range(A) if a != action]

    def cut(p: list[Fraction], keep: list[int]) -> list[Fraction] | None:
        left = [p[i] for i in keep]
        return [x / sum(left) for x in left] if sum(left) > 0 else None

    P = [[cut(given["P"][s][a], states) for a in actions] for s in states]
    policies = {name: [cut(given[name][s], actions) for s in states] for name in ("pi", "pi_other")}
    rho = cut(given["rho"], states)
    everything = [rho, *(x for line in P for x in line), *(x for policy in policies.values() for x in policy)]
    if not states or not actions or any(x is None for x in everything):
        return None
    payoffs = {name: [[given[name][s][a] for a in actions] for s in states] for name in ("r", "c")}
    return {**given, **payoffs, **policies, "P": P, "rho": rho}


def shrink(formal: Statement, complete: Complete, given: Given, positive: bool) -> Given:
    """Leave out states and actions, then shorten numbers, as long as the checker still finds a counterexample."""
    for axis in ("state", "action"):
        i = 0
        while i < len(given["r"] if axis == "state" else given["r"][0]):
            smaller = without(given, **{axis: i})
            if smaller is not None and refutes(formal, complete, smaller):
                given = smaller
            else:
                i += 1
    improving = True
    while improving:
        improving = False
        for other in simpler(given, positive):
            if weight(other) < weight(given) and refutes(formal, complete, other):
                given, improving = other, True
                break
    return given
