"""The exact constrained optimum, by three routes that share no solver: see `solve`."""

from theory.cmdp.sparse import AnyCMDP
from theory.optimum.certificate import Certificate, Solution, certify
from theory.optimum.lagrangian import best_response, solve_lagrangian
from theory.support.errors import InputError

__all__ = ["Certificate", "Solution", "best_response", "certify", "solve"]

METHODS = ("lagrangian", "highs", "clarabel")


def solve(cmdp: AnyCMDP, method: str = "lagrangian") -> Solution:
    """Maximise V_r(rho) subject to V_c(rho) <= budget, for every CMDP of the batch.

    `lagrangian` (the reference; batched, and the one for large sparse CMDPs) searches the multiplier with policy
    iteration; `highs` solves the occupancy-measure linear program by the simplex method and refines its basis;
    `clarabel` solves it by an interior-point method through cvxpy. The last two take one CMDP at a time, within.

    Returns a `Solution` with `.value`, `.cost`, `.policy`, `.occupancy`, `.multiplier` and `.certificate`. Where the
    budget is infeasible `.value` is NaN, `.cost` the smallest attainable cost, and the certificate holds the evidence.
    Raises InputError for an unknown method, RuntimeError where a route ends without an answer. An answer is no better
    than its certificate, whose residuals bound the value's error: ask `.certificate.holds()`.
    Source: Altman (1999), chapters 3 (linear program) and 4 (mixtures).
    """
    if method == "lagrangian":
        return solve_lagrangian(cmdp)
    if method == "highs":
        from theory.optimum.linear_program import solve_highs

        return solve_highs(cmdp)
    if method == "clarabel":
        from theory.optimum.conic import solve_clarabel

        return solve_clarabel(cmdp)
    raise InputError(f"method must be one of {', '.join(METHODS)}, not {method!r}.")
