"""The constrained optimum as a linear program over occupancy measures, by HiGHS' simplex method.

Presolve is off, so that the final basis belongs to the program as written; the basis is then solved again in float64
with a residual in extended precision, which takes the solution from the simplex tolerance to rounding error.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import highspy
import numpy as np
import scipy.sparse as sp
import torch
from jaxtyping import Bool
from scipy.sparse.linalg import splu
from torch import Tensor

from theory.cmdp.dense import FiniteCMDP
from theory.cmdp.sparse import AnyCMDP, SparseCMDP, to_sparse
from theory.optimum.certificate import Solution, assemble
from theory.optimum.policies import greedy_policy
from theory.optimum.policy_iteration import NEAR_ONE

UNSOLVED = f"the numbers of this program differ too much in size, or {NEAR_ONE}; method lagrangian may solve it."


class Program(NamedTuple):
    """maximise objective @ x  subject to  matrix x = (rows below `inequalities`) or <= (the last rows) rhs,  x >= 0."""

    objective: np.ndarray
    matrix: Any  # scipy.sparse.csc_array; scipy's types do not say what it holds
    rhs: np.ndarray
    inequalities: int


class Vertex(NamedTuple):
    """A basic solution: x, the rows' multipliers y, and the basic columns (x first, then one slack per row)."""

    x: np.ndarray
    y: np.ndarray
    basis: np.ndarray


def occupancy_program(cmdp: SparseCMDP, constrained: bool = True) -> Program:
    """x(s, a) = normalised occupancy; flow rows, then the budget row; without the budget: minimise the cost alone."""
    gamma = float(cmdp.gamma[0])
    leaving = sp.kron(sp.eye_array(cmdp.states), np.ones((1, cmdp.actions)), format="csr")
    flow = leaving - gamma * cmdp.P.T
    r, c = (x[0].reshape(-1).numpy() / (1 - gamma) for x in (cmdp.r, cmdp.c))
    rhs = (1 - gamma) * cmdp.rho[0].numpy()
    if not constrained:
        return Program(-c, sp.csc_array(flow), rhs, 0)
    matrix = sp.vstack([flow, sp.csr_array(c[None])])
    return Program(r, sp.csc_array(matrix), np.append(rhs, float(cmdp.budget[0])), 1)


def scaled(program: Program) -> Program:
    """The same program in units that suit a solver's absolute tolerances; its bases are those of `program`.

    The objective is divided by its largest entry. x is divided by 1-gamma, the sum of the flow rows' right-hand side,
    which makes it the unnormalised occupancy. The budget row is divided by its right-hand side or its largest entry,
    whichever is smaller. All factors are powers of two. A budget beyond twice what the row can attain is cut to that.
    """
    flows = len(program.rhs) - program.inequalities
    inflow = program.rhs[:flows].sum()
    unit = power_of_two(inflow)
    mass = inflow / unit / np.asarray(program.matrix[:flows].sum(0)).min()  # at least sum x, by the flow rows
    largest = np.array([np.abs(row.data).max(initial=0.0) for row in program.matrix.tocsr()[flows:]])
    budgets = np.clip(program.rhs[flows:] / unit, -2 * mass * largest, 2 * mass * largest)
    sizes = np.where(budgets == 0, largest, np.minimum(largest, np.abs(budgets)))
    factors = np.array([1.0] * flows + [1 / power_of_two(size) for size in sizes])
    return Program(
        program.objective / power_of_two(np.abs(program.objective).max()),
        sp.csc_array(sp.diags_array(factors) @ program.matrix),
        np.append(program.rhs[:flows] / unit, budgets) * factors,
        program.inequalities,
    )


def power_of_two(size: float) -> float:
    """The largest power of two that is at most `size`; 1 for 0."""
    return float(2.0 ** np.floor(np.log2(size))) if size > 0 else 1.0


ATTEMPTS = ({}, {"simplex_strategy": 4}, {"simplex_scale_strategy": 0}, {"simplex_scale_strategy": 4})
"""HiGHS options that are tried one after the other: as they are, the primal simplex method, other scalings."""


def run_simplex(program: Program) -> np.ndarray | None:
    """The optimal basis (sorted column indices, slacks after the variables), or None where infeasible.

    HiGHS receives the program scaled. Raises RuntimeError, in one sentence, where it ends without an answer.
    """
    statuses = []
    for attempt in ATTEMPTS:
        solver = _simplex(scaled(program), attempt)
        status = solver.getModelStatus()
        if status in (highspy.HighsModelStatus.kInfeasible, highspy.HighsModelStatus.kUnboundedOrInfeasible):
            return None
        if status == highspy.HighsModelStatus.kOptimal:
            basis = solver.getBasis()
            basic = [s == highspy.HighsBasisStatus.kBasic for s in (*basis.col_status, *basis.row_status)]
            return np.flatnonzero(basic)
        statuses.append(solver.modelStatusToString(status))
    raise RuntimeError(f"HiGHS ends with status {', '.join(dict.fromkeys(statuses))}: {UNSOLVED}")


def _simplex(program: Program, attempt: Mapping[str, int]) -> highspy.Highs:
    """HiGHS after it has run on the program."""
    rows, columns = program.matrix.shape
    lp = highspy.HighsLp()
    lp.num_col_, lp.num_row_, lp.sense_ = columns, rows, highspy.ObjSense.kMaximize
    lp.col_cost_, lp.col_lower_, lp.col_upper_ = program.objective, np.zeros(columns), np.full(columns, np.inf)
    lower = program.rhs.copy()
    lower[rows - program.inequalities :] = -np.inf
    lp.row_lower_, lp.row_upper_ = lower, program.rhs
    lp.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    lp.a_matrix_.start_, lp.a_matrix_.index_ = program.matrix.indptr, program.matrix.indices
    lp.a_matrix_.value_ = program.matrix.data
    solver = highspy.Highs()
    options = {"output_flag": False, "presolve": "off", "solver": "simplex", "threads": 1}
    options |= {"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10}
    # On some ill-conditioned programs the dual simplex method goes on for ever; others need a few steps for each row.
    options |= {"simplex_iteration_limit": 1000 + 100 * (rows + columns)}
    for name, value in {**options, "small_matrix_value": 1e-12, **attempt}.items():
        solver.setOptionValue(name, value)
    solver.passModel(lp)
    solver.run()
    return solver


def refine(program: Program, basis: np.ndarray) -> Vertex:
    """Solve the basis exactly: B x_B = rhs and B^T y = objective_B, one step of iterative refinement each."""
    rows, columns = program.matrix.shape
    full: Any = sp.csc_array(sp.hstack([program.matrix, sp.eye_array(rows)]))
    B: Any = sp.csc_array(full[:, basis])
    factors = splu(B)
    objective = np.append(program.objective, np.zeros(rows))[basis]
    x_B = _refined(B, lambda b: factors.solve(b), program.rhs)
    y = _refined(sp.csc_array(B.T), lambda b: factors.solve(b, trans="T"), objective)
    x = np.zeros(columns + rows)
    x[basis] = x_B
    return Vertex(x[:columns], y, basis)


def _refined(B: Any, solve: Callable[[np.ndarray], np.ndarray], b: np.ndarray) -> np.ndarray:
    z = solve(b)
    triples = B.tocoo()
    for _ in range(2):
        residual = b.astype(np.longdouble)
        np.subtract.at(residual, triples.row, triples.data.astype(np.longdouble) * z[triples.col])
        z = z + solve(residual.astype(np.float64))
    return z


def solve_highs(cmdp: AnyCMDP, over: Bool[Tensor, "batch state action"]) -> Solution:
    """See `theory.optimum.solve`; CMDPs are solved one after the other, and `.basis` holds each one's basis.

    A pair of `over`, whose cost was capped, that is basic with a mass of rounding size (1e-13) counts as not used.
    """
    vertices, feasible = [], []
    for i in range(cmdp.batch):
        one = to_sparse(cmdp, i) if isinstance(cmdp, FiniteCMDP) else cmdp
        program = occupancy_program(one)
        basis = run_simplex(program)
        feasible.append(basis is not None)
        if basis is None:
            program = occupancy_program(one, constrained=False)
            basis = run_simplex(program)
            if basis is None:
                raise RuntimeError(
                    f"HiGHS returns infeasible for a program without a budget, as it never is unless {NEAR_ONE}."
                )
        vertices.append(refine(program, basis))
    mask = torch.tensor(feasible)
    x = torch.from_numpy(np.stack([v.x for v in vertices])).reshape(cmdp.r.shape)
    x = torch.where(over & (x.abs() <= 1e-13), 0.0, x)
    # x sums to 1 and the payoffs carry 1/(1-gamma), hence v = (1-gamma) y; infeasible rows maximised -cost.
    v = torch.from_numpy(np.stack([v.y[: cmdp.states] for v in vertices])) * (1 - cmdp.gamma)[:, None]
    v = torch.where(mask[:, None], v, -v)
    multiplier = torch.tensor([vertex.y[-1] if ok else 0.0 for vertex, ok in zip(vertices, feasible, strict=True)])
    multiplier = multiplier.to(torch.float64).clamp(min=0)  # HiGHS' tolerance lets it be negative
    return assemble(
        cmdp,
        occupancy=x,
        fallback=greedy_policy(cmdp, v, multiplier, mask),
        v=v,
        multiplier=multiplier,
        feasible=mask,
        basis=[vertex.basis for vertex in vertices],
    )
