"""The constrained optimum by an interior-point method: the same linear program written in cvxpy, solved by Clarabel."""

import warnings

import cvxpy as cp
import numpy as np
import torch
from jaxtyping import Bool
from torch import Tensor

from theory.cmdp.dense import FiniteCMDP
from theory.cmdp.sparse import AnyCMDP, SparseCMDP, to_sparse
from theory.optimum.certificate import Solution, assemble
from theory.optimum.linear_program import UNSOLVED, occupancy_program
from theory.optimum.policies import greedy_policy, policy_of, visits

TOLERANCES = {"tol_gap_abs": 1e-9, "tol_gap_rel": 1e-9, "tol_feas": 1e-9, "max_iter": 500}
DROPPED = 1e-8
SOLVED = (cp.OPTIMAL, cp.OPTIMAL_INACCURATE)


def solve_clarabel(cmdp: AnyCMDP, over: Bool[Tensor, "batch state action"]) -> Solution:
    """See `theory.optimum.solve`; agrees with the other routes to about 1e-6, an interior-point method's accuracy.

    An interior-point method leaves about 1e-9 of mass on every pair. Where the cost of some pairs was capped (`over`),
    actions of such a mass are dropped, because their cost before the cap may be many times the budget.
    """
    answers = [_solve_one(to_sparse(cmdp, i) if isinstance(cmdp, FiniteCMDP) else cmdp) for i in range(cmdp.batch)]
    x, v, multiplier, feasible = zip(*answers, strict=True)
    mask = torch.tensor(feasible)
    duals = torch.from_numpy(np.stack(v))
    multipliers = torch.tensor(multiplier, dtype=torch.float64)
    occupancy = torch.from_numpy(np.stack(x)).reshape(cmdp.r.shape)
    fallback = greedy_policy(cmdp, duals, multipliers, mask)
    kept = visits(cmdp, policy_of(torch.where(occupancy > DROPPED, occupancy, 0.0), fallback))
    answer = assemble(
        cmdp,
        occupancy=torch.where(over.any((1, 2), keepdim=True), kept, occupancy),
        fallback=fallback,
        v=duals,
        multiplier=multipliers,
        feasible=mask,
    )
    if bool((answer.certificate.margin <= 0).any()):
        raise RuntimeError("Clarabel returns infeasible without a proof; method lagrangian can decide.")
    return answer


def _solve_one(cmdp: SparseCMDP) -> tuple[np.ndarray, np.ndarray, float, bool]:
    """(occupancy, v, lambda, feasible); where infeasible, of the cheapest policy.

    The solver receives payoffs divided by |r|_max and c_max, and the budget row divided by the smaller of c_max and the
    budget, so that a violation counts in the unit of the budget. A budget beyond 2 c_max/(1-gamma) in size is cut to
    that: a budget of 1e12 would hide all other numbers from the solver's relative tolerance.
    """
    program = occupancy_program(cmdp, constrained=False)
    r, c = (payoff[0].reshape(-1).numpy() for payoff in (cmdp.r, cmdp.c))
    r_max, c_max = (float(np.abs(payoff).max()) or 1.0 for payoff in (r, c))
    limit = float((1 - cmdp.gamma[0]) * cmdp.budget[0] / c_max)
    row = min(1.0, abs(limit)) or 1.0
    x = cp.Variable(r.size, nonneg=True)
    flow = program.matrix @ x == program.rhs
    budget = (c / (c_max * row)) @ x <= min(max(limit, -2.0), 2.0) / row
    status = _run(cp.Problem(cp.Maximize((r / r_max) @ x), [flow, budget]))
    feasible = status in SOLVED
    if not feasible:
        if status not in (cp.INFEASIBLE, cp.INFEASIBLE_INACCURATE):
            raise RuntimeError(f"Clarabel ends with status {status}, neither solved nor infeasible: {UNSOLVED}")
        status = _run(cp.Problem(cp.Minimize((c / (c_max * row)) @ x), [flow]))
        if status not in SOLVED:
            raise RuntimeError(
                f"Clarabel ends with status {status} for the smallest cost, which every CMDP has: {UNSOLVED}"
            )
    assert x.value is not None
    # cvxpy's multipliers of equalities belong to the minimisation it hands to the solver.
    v = np.asarray(flow.dual_value) * (r_max if feasible else -c_max * row)
    active = feasible and limit < 1
    multiplier = float(np.asarray(budget.dual_value).item()) * r_max / (c_max * row) if active else 0.0
    return np.maximum(x.value, 0), v, multiplier, feasible


def _run(problem: cp.Problem) -> str:
    """The status that Clarabel ends with; "failed" where it raises."""
    try:
        with warnings.catch_warnings():  # an inaccurate solution is judged by its certificate
            warnings.filterwarnings("ignore", message="Solution may be inaccurate")
            problem.solve(solver=cp.CLARABEL, **TOLERANCES)
    except cp.SolverError:
        return "failed"
    return problem.status
