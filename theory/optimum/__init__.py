"""The exact constrained optimum, by three routes that share no solver: see `solve`."""

from theory.cmdp.sparse import AnyCMDP
from theory.optimum.capped import solve_capped
from theory.optimum.certificate import Certificate, Solution, certify
from theory.optimum.lagrangian import solve_lagrangian
from theory.optimum.policy_iteration import best_response
from theory.support.errors import InputError

__all__ = ["Certificate", "Solution", "best_response", "certify", "solve"]

METHODS = ("lagrangian", "highs", "clarabel")


def solve(cmdp: AnyCMDP, method: str = "lagrangian") -> Solution:
    """Maximise V_r(rho) subject to V_c(rho) <= budget, for every CMDP of the batch.

    `lagrangian` (the reference; batched, and the one for large sparse CMDPs) searches the multiplier with policy
    iteration. `highs` solves the linear program over occupancy measures by the simplex method and refines its basis.
    `clarabel` solves it by an interior-point method through cvxpy. The last two take the CMDPs one after the other.
    Costs far above the budget are capped for the solver; see `theory.optimum.capped` for why that is exact.

    Returns a `Solution` with `.value`, `.cost`, `.policy`, `.occupancy`, `.multiplier`, `.feasible` and `.certificate`.
    `.feasible` is a bool tensor (batch,). Where the budget is infeasible `.feasible` is False, `.value` is NaN, `.cost`
    is the smallest attainable cost, and the certificate holds the evidence.
    The error of an answer is bounded by the residuals of its certificate: check `.certificate.holds()`.
    Raises InputError for an unknown method, RuntimeError where a route ends without an answer.
    Source: Altman (1999), chapters 3 (linear program) and 4 (mixtures).
    """
    if method == "lagrangian":
        return solve_capped(cmdp, lambda capped, _: solve_lagrangian(capped))
    if method == "highs":
        from theory.optimum.linear_program import solve_highs

        return solve_capped(cmdp, solve_highs)
    if method == "clarabel":
        from theory.optimum.conic import solve_clarabel

        return solve_capped(cmdp, solve_clarabel)
    raise InputError(f"method must be one of {', '.join(METHODS)}, not {method!r}.")
