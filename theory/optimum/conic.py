"""The constrained optimum by an interior-point method: the same linear program written in cvxpy, solved by Clarabel."""

import cvxpy as cp
import numpy as np
import torch

from theory.cmdp import FiniteCMDP
from theory.optimum.certificate import Solution, assemble
from theory.optimum.linear_program import greedy_policy, occupancy_program
from theory.sparse import AnyCMDP, SparseCMDP, to_sparse

TOLERANCES = {"tol_gap_abs": 1e-9, "tol_gap_rel": 1e-9, "tol_feas": 1e-9, "max_iter": 500}


def solve_clarabel(cmdp: AnyCMDP) -> Solution:
    """See `theory.optimum.solve`; agrees with the other routes to about 1e-6, an interior-point method's accuracy."""
    answers = [_solve_one(to_sparse(cmdp, i) if isinstance(cmdp, FiniteCMDP) else cmdp) for i in range(cmdp.batch)]
    x, v, multiplier, feasible = zip(*answers, strict=True)
    mask = torch.tensor(feasible)
    duals = torch.from_numpy(np.stack(v))
    multipliers = torch.tensor(multiplier, dtype=torch.float64)
    return assemble(
        cmdp,
        occupancy=torch.from_numpy(np.stack(x)).reshape(cmdp.r.shape),
        fallback=greedy_policy(cmdp, duals, multipliers, mask),
        v=duals,
        multiplier=multipliers,
        feasible=mask,
    )


def _solve_one(cmdp: SparseCMDP) -> tuple[np.ndarray, np.ndarray, float, bool]:
    """(occupancy, v, lambda, feasible); where infeasible, of the cheapest policy."""
    gamma = float(cmdp.gamma[0])
    program = occupancy_program(cmdp, constrained=False)
    r, c = (payoff[0].reshape(-1).numpy() / (1 - gamma) for payoff in (cmdp.r, cmdp.c))
    x = cp.Variable(r.size, nonneg=True)
    flow = program.matrix @ x == program.rhs
    budget = c @ x <= float(cmdp.budget[0])
    problem = cp.Problem(cp.Maximize(r @ x), [flow, budget])
    problem.solve(solver=cp.CLARABEL, **TOLERANCES)
    feasible = problem.status in (cp.OPTIMAL, cp.OPTIMAL_INACCURATE)
    if not feasible:
        problem = cp.Problem(cp.Minimize(c @ x), [flow])
        problem.solve(solver=cp.CLARABEL, **TOLERANCES)
    assert x.value is not None
    # cvxpy's multipliers of equalities belong to the minimisation it hands to the solver.
    v = (1 - gamma) * np.asarray(flow.dual_value)
    multiplier = float(np.asarray(budget.dual_value).item()) if feasible else 0.0
    return np.maximum(x.value, 0), v if feasible else -v, multiplier, feasible
