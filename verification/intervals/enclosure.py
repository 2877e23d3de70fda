"""The sweep's algorithms in ball arithmetic: numbers are enclosures, rounded outwards, and decisions are certain.

The iterates are those of `theory.npg.algorithms.step` with exact critics, from the uniform policy: gradient
manipulation (Algorithm 3 of the DRCORL preprint with h- = 0) in three metrics, and CRPO. A policy is kept as the
differences log pi(a|s) - log pi(0|s), to which a natural gradient step adds eta (u(s, a) - u(s, 0)) / (1-gamma).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from flint import arb, arb_mat, ctx, fmpq

Rule = Literal["advantage", "q_vector", "fisher", "crpo"]
Table = list[list[arb]]
MAX_WEIGHT = 1
"""The clip of x and y in the Fisher metric, where the theorem needs one."""


class Undecided(Exception):
    """An enclosure is too wide for a comparison: the run needs more bits."""


class Problem(NamedTuple):
    """A CMDP with rational entries: P[s][a][s'], r[s][a], c[s][a], rho[s], the discount and the budget."""

    P: list[list[list[fmpq]]]
    r: list[list[fmpq]]
    c: list[list[fmpq]]
    rho: list[fmpq]
    gamma: fmpq
    limit: fmpq


class Values(NamedTuple):
    """Enclosures of J_r, J_c, the Q and A tables of both payoffs, and the occupancy (empty where nobody asks)."""

    J_r: arb
    J_c: arb
    Q_r: Table
    Q_c: Table
    A_r: Table
    A_c: Table
    d: list[arb]


@dataclass
class Trace:
    """What a run met: J_r, J_c, the region's letter (s, a, c, u) and the weight x of every iteration."""

    J_r: list[arb] = field(default_factory=list)
    J_c: list[arb] = field(default_factory=list)
    regions: list[str] = field(default_factory=list)
    x: list[arb] = field(default_factory=list)

    def mixture(self, values: Sequence[arb]) -> arb:
        """The trajectory mixture's value: the mean with weights x."""
        total = sum(self.x, arb(0))
        if not total > 0:
            raise Undecided
        return sum((x * v for x, v in zip(self.x, values, strict=True)), arb(0)) / total


def at_most(x: arb, y: arb | fmpq) -> bool:
    """x <= y; Undecided where the enclosures do not tell."""
    if x <= y:
        return True
    if x > y:
        return False
    raise Undecided


def softmax(differences: Table) -> Table:
    """pi(a|s) from log pi(a|s) - log pi(0|s)."""
    exponentials = [[x.exp() for x in row] for row in differences]
    return [[x / total for x in row] for row in exponentials if (total := sum(row, arb(0)))]


def evaluate(problem: Problem, policy: Table, occupancy: bool) -> Values:
    """Values by the Bellman equation, and the normalised occupancy by the flow equation where it is wanted."""
    S, A = len(problem.r), len(problem.r[0])
    states, gamma = range(S), problem.gamma
    step = [
        [sum((p * row[t] for p, row in zip(policy[s], problem.P[s], strict=True)), arb(0)) for t in states]
        for s in states
    ]
    system = arb_mat(S, S, [int(s == t) - gamma * step[s][t] for s in states for t in states])
    payoffs = [dot(policy[s], payoff[s]) for s in states for payoff in (problem.r, problem.c)]
    V = system.solve(arb_mat(S, 2, payoffs))
    tables = []
    for k, payoff in enumerate((problem.r, problem.c)):
        v = [V[s, k] for s in states]
        Q = [[payoff[s][a] + gamma * dot(v, problem.P[s][a]) for a in range(A)] for s in states]
        tables.append((dot(v, problem.rho), Q, [[q - v[s] for q in Q[s]] for s in states]))
    d: list[arb] = []
    if occupancy:
        flow = system.transpose().solve(arb_mat(S, 1, [arb((1 - gamma) * x) for x in problem.rho]))
        d = [flow[s, 0] for s in states]
    (J_r, Q_r, A_r), (J_c, Q_c, A_c) = tables
    return Values(J_r, J_c, Q_r, Q_c, A_r, A_c, d)


def dot(x: Sequence[arb], y: Sequence[fmpq] | Sequence[arb]) -> arb:
    return sum((a * b for a, b in zip(x, y, strict=True)), arb(0))


def products(rule: Rule, values: Values, policy: Table) -> tuple[arb, arb, arb]:
    """(rr, rc, cc): inner products of the ascent directions of reward and minus cost, up to a common factor."""
    good, bad = (values.Q_r, values.Q_c) if rule == "q_vector" else (values.A_r, values.A_c)
    rr, rc, cc = arb(0), arb(0), arb(0)
    for s, (row_r, row_c) in enumerate(zip(good, bad, strict=True)):
        for a, (g, b) in enumerate(zip(row_r, row_c, strict=True)):
            weight = values.d[s] * policy[s][a] if rule == "fisher" else arb(1)
            rr, rc, cc = rr + weight * g * g, rc - weight * g * b, cc + weight * b * b
    return rr, rc, cc


def manipulation_weights(rr: arb, rc: arb, cc: arb) -> tuple[arb, arb, str]:
    """Eq. (12), with certain cases; the region is c (conflict) or a (aligned)."""
    half = arb(1) / 2
    if rc < 0 and rr > 0 and cc > 0:
        return half - rc / (2 * rr), half - rc / (2 * cc), "c"
    if rc >= 0:
        return half, half, "a"
    raise Undecided


def weights(rule: Rule, problem: Problem, h_plus: fmpq, values: Values, policy: Table) -> tuple[arb, arb, str]:
    """x, y and the region: Algorithm 3 with h- = 0, or CRPO."""
    one, zero = arb(1), arb(0)
    within = at_most(values.J_c, problem.limit + h_plus)
    if rule == "crpo":
        return (one, zero, "s") if within else (zero, one, "u")
    if at_most(values.J_c, problem.limit):
        return one, zero, "s"
    if not within:
        return zero, one, "u"
    x, y, region = manipulation_weights(*products(rule, values, policy))
    return (x.min(arb(MAX_WEIGHT)), y.min(arb(MAX_WEIGHT)), region) if rule == "fisher" else (x, y, region)


def run(problem: Problem, rule: Rule, eta: fmpq, h_plus: fmpq, steps: int, bits: int) -> Trace:
    """`steps` iterations with numbers of so many bits; Undecided where they are too few."""
    S, A = len(problem.r), len(problem.r[0])
    trace, differences, before = Trace(), [[arb(0)] * A for _ in range(S)], ctx.prec
    rate = eta / (1 - problem.gamma)
    ctx.prec = bits
    try:
        for _ in range(steps):
            policy = softmax(differences)
            values = evaluate(problem, policy, rule == "fisher")
            x, y, region = weights(rule, problem, h_plus, values, policy)
            trace.J_r.append(values.J_r)
            trace.J_c.append(values.J_c)
            trace.regions.append(region)
            trace.x.append(x)
            u = [
                [x * q - y * k for q, k in zip(*rows, strict=True)] for rows in zip(values.Q_r, values.Q_c, strict=True)
            ]
            differences = [
                [
                    old + rate * (new - row[0]) if a else arb(0)
                    for a, (old, new) in enumerate(zip(line, row, strict=True))
                ]
                for line, row in zip(differences, u, strict=True)
            ]
    finally:
        ctx.prec = before
    return trace
