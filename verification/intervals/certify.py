"""One certified run: a rational CMDP with its exact optimum, the theorem's step size and slack, and the comparison."""

import json
import math
from fractions import Fraction
from typing import Any, NamedTuple

import torch
from flint import arb, ctx, fmpq

from theory import bounds
from theory.npg.algorithms import Algorithm, configure
from theory.npg.npg import Metric
from theory.npg.outputs import run as float_run
from verification.check import divergence, value, visits
from verification.checker.optima import OPTIMUM, as_cmdp, exact_optimum, lifted, snapped_family
from verification.intervals.cases import CASES, RESULTS, Case
from verification.intervals.enclosure import MAX_WEIGHT, Problem, Trace, Undecided, run
from verification.intervals.record import bound

BITS = (384, 768, 1536, 3072, 6144)
"""Numbers of bits to try, the first that decides everything wins."""


class Unsuitable(Exception):
    """The rounded CMDP has no policy within its budget."""


class Setting(NamedTuple):
    """A case's CMDP, its optimum in rationals, and the step size and slack, which are floats taken exactly."""

    given: dict[str, Any]
    problem: Problem
    best: fmpq
    kl: arb
    K: fmpq
    eta: fmpq
    h_plus: fmpq


def setting(case: Case) -> Setting:
    """The CMDP, V_r* (certified by the trusted checker's optimality conditions), KL_0 and the sweep's eta and h+.

    eta is best for KL_0 <= log A, as in the sweep, and h+ is R/T for it, rounded up so that the theorem's condition
    holds.
    """
    given = snapped_family(case.family, case.states, case.actions, case.gamma, case.tightness)
    optimum = exact_optimum(given, Fraction(given["limit"]))
    if optimum is None:
        raise Unsuitable(case.name)
    _, assumed, true, _ = OPTIMUM.measure({**given, **optimum})
    if not (assumed and true):
        raise Unsuitable(f"{case.name}: the optimum is not certified")
    P, r, c, rho, gamma, limit, star = (lifted(x) for x in (*(given[n] for n in NAMES), optimum["pi_star"]))
    problem = Problem(P, r, c, rho, gamma, limit)
    ctx.prec = BITS[0]
    d_star: Any = visits(P, rho, gamma, star)
    uniform = [fmpq(1, case.actions)] * case.actions
    kl = sum((d * divergence(row, uniform) for d, row in zip(d_star, star, strict=True)), arb(0))
    best = sum((p * v for p, v in zip(rho, value(P, r, gamma, star), strict=True)), fmpq(0))
    K = constant(case, gamma)
    float_K = float(Fraction(str(K)))
    eta = float(bounds.best_eta(math.log(case.actions), float_K, case.steps))
    R = bounds.regret(math.log(case.actions), eta, float_K, case.steps)
    h_plus = float(bounds.h_plus_corrected(R, case.steps)) * (1 + 2**-40)
    return Setting(given, problem, best, kl, K, exactly(eta), exactly(h_plus))


NAMES = ("P", "r", "c", "rho", "gamma", "limit")


def exactly(x: float) -> fmpq:
    """A float's own value."""
    return fmpq(*x.as_integer_ratio())


def constant(case: Case, gamma: fmpq) -> fmpq:
    """K for payoffs in [0, 1], exactly: `theory.bounds.remainder_constant` in rationals."""
    one = (1 - gamma) ** 4
    if case.rule == "crpo":
        return 1 / (8 * one)
    if case.rule == "fisher":
        return fmpq(MAX_WEIGHT**2) / (2 * one)
    return fmpq(case.states * case.actions) / (4 * one)


def enclosed(found: Setting, case: Case) -> tuple[Trace, int]:
    """The run with as few bits as decide all of its comparisons and enclose its values to 20 digits."""
    for bits in BITS:
        try:
            trace = run(found.problem, case.rule, found.eta, found.h_plus, case.steps, bits)
        except Undecided:
            continue
        if max(float(x.rad()) for x in (*trace.J_r, *trace.J_c)) < 1e-20:
            return trace, bits
    raise Undecided(f"{case.name} is not decided with {BITS[-1]} bits")


def shown(x: arb) -> str:
    """An enclosure in decimals, rounded outwards."""
    return x.str(15)


def certify(case: Case) -> dict[str, Any]:
    """The certified comparison of one run with the corrected theorem: all entries are enclosures or exact."""
    found = setting(case)
    trace, bits = enclosed(found, case)
    ctx.prec = bits
    T, weight = case.steps, 1 if case.rule == "crpo" else 2
    R = found.kl / found.eta + found.eta * T * found.K
    slack = R / T
    gap, violation = found.best - trace.mixture(trace.J_r), trace.mixture(trace.J_c) - found.problem.limit
    bound = weight * slack
    gaps, violations = [found.best - x for x in trace.J_r], [x - found.problem.limit for x in trace.J_c]
    holds = {
        "R/T <= h_plus": bool(slack <= found.h_plus),
        "gap <= bound": bool(gap <= bound),
        "violation <= h_plus": bool(violation <= found.h_plus),
    }
    return {
        "run": case._asdict(),
        "given": found.given,
        "eta": str(found.eta),
        "h_plus": str(found.h_plus),
        "bits": bits,
        "widest": f"{max(float(x.rad()) for x in (*trace.J_r, *trace.J_c)):.1e}",
        "regions": {letter: trace.regions.count(letter) for letter in "sacu"},
        "gap": shown(gap),
        "gap_bound": shown(bound),
        "violation": shown(violation),
        "iterates": {
            "first": [shown(gaps[0]), shown(violations[0])],
            "last": [shown(gaps[-1]), shown(violations[-1])],
            "largest_violation": shown(max(violations, key=lambda x: float(x.mid()))),
        },
        "float_error": f"{float_error(found, case, trace):.1e}",
        "holds": holds,
    }


def float_error(found: Setting, case: Case, trace: Trace) -> float:
    """How far the float64 run of `theory.npg` is from the enclosed one, over all iterations; infinite where the two
    decide on different regions."""
    cmdp = as_cmdp(found.given, Fraction(found.given["limit"]))
    crpo = case.rule == "crpo"
    config = configure(
        1,
        case.steps,
        float(Fraction(str(found.eta))),
        Algorithm.CRPO if crpo else Algorithm.MANIPULATION,
        Metric.ADVANTAGE if crpo else Metric[case.rule.upper()],
        float(Fraction(str(found.h_plus))),
        max_weight=MAX_WEIGHT if case.rule == "fisher" else math.inf,
    )
    path = float_run(cmdp, config, torch.ones(1, case.states, dtype=torch.float64), record=range(case.steps)).path[0]
    if ["sacu"[int(code)] for code in path[:, 2].tolist()] != trace.regions:
        return math.inf
    pairs = zip((*path[:, 0].tolist(), *path[:, 1].tolist()), (*trace.J_r, *trace.J_c), strict=True)
    return max(abs(x - float(y.mid())) for x, y in pairs)


def rows(case: Case) -> list[str]:
    """Every iteration's enclosures, as lines of a table: t, region, gap, violation."""
    found = setting(case)
    trace, bits = enclosed(found, case)
    ctx.prec = bits
    lines = ["t,region,gap,violation"]
    for t, (J_r, J_c, region) in enumerate(zip(trace.J_r, trace.J_c, trace.regions, strict=True)):
        lines.append(f"{t},{region},{shown(found.best - J_r)},{shown(J_c - found.problem.limit)}")
    return lines


def write_all() -> None:
    """Certify every case and write the results."""
    results = []
    for case in CASES:
        results.append(certify(case))
        print(f"{case.name}: gap {results[-1]['gap']}, bound {results[-1]['gap_bound']}, {results[-1]['holds']}")
    RESULTS.write_text(json.dumps(bound(results), indent=1) + "\n", encoding="utf-8")
    held = sum(all(result["holds"].values()) for result in results)
    print(f"{RESULTS}: all inequalities certified in {held} of {len(results)} runs")
