"""Exact constrained optima: the basis that HiGHS ends with, solved again in rationals, certified by the checker.

    python -m verification.checker.optima           # writes verification/certificates/optimum_*.json

The simplex method only proposes which columns are basic; primal and dual are then solved exactly, and the checker
verifies feasibility of both and that their objectives agree.
"""

from collections.abc import Mapping
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
from flint import fmpq, fmpq_mat

from verification.check import value
from verification.checker.certify import Statement, certificate, texts, write
from verification.command import Parser, ends_cleanly

if TYPE_CHECKING:
    from theory.cmdp.dense import FiniteCMDP

Given = Mapping[str, Any]

OPTIMUM = Statement(
    {
        "V_r": "value(P,r,gamma,pi_star)",
        "V_c": "value(P,c,gamma,pi_star)",
        "Q_c": "c+gamma*expect(P,V_c)",
        "x": "visits(P,rho,gamma,pi_star)*pi_star",
        "reduced": "r-multiplier*c+gamma*expect(P,v)-v",
    },
    ["reduced <= 0", "multiplier >= 0", "sum(rho*V_c) <= limit"],
    "sum(rho*V_r) == sum(rho*v)+multiplier*limit",
)


OPTIMUM_CLAIM = "optimum"
OPTIMUM_TEXT = "pi_star has the largest reward value of all policies whose cost value is at most the limit."


def fractions(entry: Any) -> Any:
    return [fractions(x) for x in entry] if isinstance(entry, (list, tuple)) else Fraction(str(entry))


def numbers(entry: Any) -> Any:
    return [numbers(x) for x in entry] if isinstance(entry, list) else float(entry)


def rational(x: Fraction) -> fmpq:
    return fmpq(x.numerator, x.denominator)


def as_cmdp(given: Given, limit: Fraction | int = 0) -> "FiniteCMDP":
    """The CMDP of an instance in float64; the budget is `limit`."""
    from theory.cmdp.dense import FiniteCMDP  # imports torch: not for --help

    P, r, c, rho, gamma = (numbers(fractions(given[name])) for name in ("P", "r", "c", "rho", "gamma"))
    return FiniteCMDP(P, r, c, rho, gamma, float(limit))


def exact_optimum(given: Given, limit: Fraction) -> dict[str, Any] | None:
    """pi_star, v and the multiplier of max V_r(rho) s.t. V_c(rho) <= limit, exactly; None where infeasible."""
    from theory.cmdp.sparse import to_sparse
    from theory.optimum.linear_program import occupancy_program, run_simplex

    basis = run_simplex(occupancy_program(to_sparse(as_cmdp(given, limit), 0)))
    if basis is None:
        return None
    P, r, c, rho = (fractions(given[name]) for name in ("P", "r", "c", "rho"))
    gamma, S, A = Fraction(str(given["gamma"])), len(r), len(r[0])
    pairs = [(s, a) for s in range(S) for a in range(A)]

    def column(j: int) -> list[Fraction]:
        if j >= S * A:
            return [Fraction(int(i == j - S * A)) for i in range(S + 1)]
        s, a = pairs[j]
        return [int(t == s) - gamma * P[s][a][t] for t in range(S)] + [c[s][a] / (1 - gamma)]

    columns = [column(int(j)) for j in basis]
    n = len(basis)
    B = fmpq_mat(n, n, [rational(Fraction(columns[j][i])) for i in range(n) for j in range(n)])
    rhs = fmpq_mat(n, 1, [rational((1 - gamma) * x) for x in rho] + [rational(limit)])
    payoff = [r[s][a] / (1 - gamma) for s, a in pairs] + [Fraction(0)] * (S + 1)
    x_basic = B.solve(rhs)
    y = B.transpose().solve(fmpq_mat(n, 1, [rational(payoff[int(j)]) for j in basis]))
    x = {int(j): Fraction(str(x_basic[i, 0])) for i, j in enumerate(basis)}
    policy = []
    for s in range(S):
        row = [x.get(s * A + a, Fraction(0)) for a in range(A)]
        policy.append([p / sum(row) for p in row] if sum(row) > 0 else [Fraction(int(a == 0)) for a in range(A)])
    v = [(1 - gamma) * Fraction(str(y[s, 0])) for s in range(S)]
    return {"pi_star": policy, "v": v, "multiplier": Fraction(str(y[S, 0]))}


def total_value(given: Given, payoff: str, policy: Any) -> Fraction:
    """rho . V of a policy, exactly."""
    P, f, rho = (lifted(given[name]) for name in ("P", payoff, "rho"))
    V = value(P, f, lifted(given["gamma"]), lifted(policy))
    return Fraction(str(sum((p * x for p, x in zip(rho, V, strict=True)), fmpq(0))))


def lifted(entry: Any) -> Any:
    return [lifted(x) for x in entry] if isinstance(entry, (list, tuple)) else rational(Fraction(str(entry)))


def snapped_family(family: str, states: int, actions: int, gamma: str, tightness: float) -> dict[str, Any]:
    """A generated CMDP with its numbers rounded to hundredths (rows to sum to 1)."""
    from theory.cmdp.families import make

    cmdp = make(family, states, actions, float(Fraction(gamma)), tightness, [0])
    given: dict[str, Any] = {"gamma": gamma, "limit": Fraction(round(100 * float(cmdp.budget[0])), 100)}
    for name in ("P", "rho"):
        rows = getattr(cmdp, name)[0].numpy()
        given[name] = np.apply_along_axis(lambda row: hundredths(row), -1, rows).tolist()
    for name in ("r", "c"):
        given[name] = np.vectorize(lambda x: Fraction(round(100 * x), 100))(getattr(cmdp, name)[0].numpy()).tolist()
    return texts(given)


def hundredths(row: np.ndarray) -> np.ndarray:
    """Nearest hundredths; the largest entry takes the rest."""
    rounded = [Fraction(round(100 * float(x)), 100) for x in row]
    rounded[int(np.argmax(row))] += 1 - sum(rounded)
    return np.array(rounded, dtype=object)


FAMILIES = (
    ("dirichlet", 4, 3, "9/10", 0.3),
    ("garnet", 6, 3, "19/20", 0.5),
    ("chain", 5, 3, "99/100", 0.4),
    ("gridworld", 9, 4, "9/10", 0.5),
    ("deterministic", 4, 3, "1/2", 0.6),
    ("bandit", 2, 4, "1/2", 0.5),
)


def main(arguments: list[str] | None = None) -> None:
    description = "Write the certificates of exact constrained optima, verification/certificates/optimum_*.json."
    Parser("verification.checker.optima", description).parse_args(arguments)
    for family, states, actions, gamma, tightness in FAMILIES:
        given = snapped_family(family, states, actions, gamma, tightness)
        optimum = exact_optimum(given, Fraction(given["limit"]))
        if optimum is None:
            raise RuntimeError(f"the rounded budget of {family} is infeasible")
        content = certificate(OPTIMUM_CLAIM, OPTIMUM_TEXT, OPTIMUM, {**given, **texts(optimum)}, "holds")
        print(write(f"optimum_{family}", content))


if __name__ == "__main__":
    with ends_cleanly("the certificates named above are written, the others are as they were"):
        main()
