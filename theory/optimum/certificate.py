"""A solution of a constrained MDP is judged by its residuals, not by agreement with another solver.

primal   max  <x, r>/(1-gamma)   s.t.  x >= 0,  <x, c>/(1-gamma) <= l,
                                       sum_a x(s, a) = (1-gamma) rho(s) + gamma (P^T x)(s)
dual     min  <rho, v> + lambda l  s.t.  lambda >= 0,  v(s) >= r(s, a) - lambda c(s, a) + gamma (P v)(s, a)
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float64
from torch import Tensor

from theory.cmdp.shapes import Mask, PerCMDP, PerState, PerStateAction
from theory.cmdp.sparse import AnyCMDP

ROUNDING = 4 * torch.finfo(torch.float64).eps


@dataclass(frozen=True, eq=False)
class Certificate:
    """What the residuals of the optimality conditions can do to the value (all (batch,)), and the evidence.

    flow: |sum_a x - (1-gamma) rho - gamma P^T x|_1 / (1-gamma);   negativity: |min(x, 0)|_1 / (1-gamma);
    budget: max(0, cost - l), in units of c_max/(1-gamma);
    dual: delta/(1-gamma), delta the largest violation of v >= r - lambda c + gamma P v, in units of M/(1-gamma);
    gap: <rho, v> + lambda l - value, and complementarity: lambda (l - cost), in units of M/(1-gamma).
    An occupancy x' sums to 1, so weak duality gives, for every policy within the budget,

        V_r = <x', r>/(1-gamma) <= <x', v - gamma P v + delta>/(1-gamma) + lambda l = <rho, v> + lambda l
              + delta/(1-gamma) = value + (gap + dual) M/(1-gamma).

    (I - gamma P_pi^T)^{-1} is at most 1/(1-gamma) in the 1-norm, so x lies within flow + 3 negativity of the occupancy
    of its own policy pi (proportional to max(x, 0)), which thus keeps

        |V_r^pi - value| <= (flow + 3 negativity) M/(1-gamma),   V_c^pi - l <= (budget + flow + 3 negativity)
        c_max/(1-gamma).

    flow and delta contain what rounding can hide in them, about 4 eps of what they subtract, so that near gamma = 1,
    where float64 cannot tell, no certificate holds.
    Where the budget is infeasible v satisfies v <= c + gamma P v up to delta instead, so that every policy costs at
    least <rho, v> - delta/(1-gamma), in units of c_max/(1-gamma); `margin` = <rho, v> - l - delta/(1-gamma) > 0 is the
    proof (NaN where feasible), and gap compares <rho, v> with the cost of the returned policy.
    """

    flow: PerCMDP
    negativity: PerCMDP
    budget: PerCMDP
    dual: PerCMDP
    gap: PerCMDP
    complementarity: PerCMDP
    margin: PerCMDP

    @property
    def worst(self) -> PerCMDP:
        """The largest residual in absolute value."""
        residuals = (self.flow, self.negativity, self.budget, self.dual, self.gap, self.complementarity)
        return torch.stack([x.abs() for x in residuals]).amax(0)

    def holds(self, tolerance: float = 1e-8) -> Bool[Tensor, "batch"]:
        """True where every residual is within `tolerance` and, if infeasible, the evidence has a positive margin."""
        return (self.worst <= tolerance) & (torch.isnan(self.margin) | (self.margin > 0))


@dataclass(frozen=True, eq=False)
class Solution:
    """The constrained optimum of every CMDP of a batch.

    value V_r*(rho) (NaN where infeasible), cost V_c of `policy` (the smallest attainable where infeasible), multiplier
    lambda >= 0 (infinite where infeasible), feasible: (batch,); policy and occupancy (normalised to 1):
    (batch, state, action); dual_value v: (batch, state), of the certificate. `basis` (HiGHS only): per CMDP the indices
    of the basic columns (state * action, then one slack per row).
    `extremes`, `mixing` (Lagrangian only): two deterministic policies (batch, 2, state, action) and the weights
    (batch, 2) with which a trajectory-wise mixture of them attains the optimum.
    """

    value: PerCMDP
    cost: PerCMDP
    policy: PerStateAction
    occupancy: PerStateAction
    multiplier: PerCMDP
    dual_value: PerState
    feasible: Mask
    certificate: Certificate
    extremes: Float64[Tensor, "batch 2 state action"] | None = None
    mixing: Float64[Tensor, "batch 2"] | None = None
    basis: list | None = None


def certify(cmdp: AnyCMDP, occupancy: PerStateAction, v: PerState, multiplier: PerCMDP, feasible: Mask) -> Certificate:
    """The residuals of a primal-dual pair (occupancy normalised to 1, v unnormalised), computed from the CMDP alone."""
    gamma = cmdp.gamma
    cost_scale = positive(cmdp.c.amax((1, 2)) / (1 - gamma))
    weight = torch.where(feasible, multiplier, 0.0)
    lagrangian = cmdp.r - weight[:, None, None] * cmdp.c
    scale = torch.where(feasible, positive(cmdp.bound / (1 - gamma)), cost_scale)
    reward = (occupancy * cmdp.r).sum((1, 2)) / (1 - gamma)
    cost = (occupancy * cmdp.c).sum((1, 2)) / (1 - gamma)
    inflow = (1 - gamma)[:, None] * cmdp.rho + gamma[:, None] * cmdp.arrival(occupancy)
    next_v = gamma[:, None, None] * cmdp.next_value(v)
    advantage = lagrangian + next_v - v[..., None]
    defect = torch.where(feasible, advantage.amax((1, 2)), (v[..., None] - cmdp.c - next_v).amax((1, 2))).clamp(min=0)
    defect = defect + ROUNDING * (v.abs().amax(-1) + torch.where(feasible, lagrangian.abs().amax((1, 2)), 0.0))
    flow = (occupancy.sum(-1) - inflow).abs().sum(-1) + ROUNDING * occupancy.abs().sum((1, 2))
    dual_objective = (cmdp.rho * v).sum(-1)
    slack = cmdp.budget - cost
    return Certificate(
        flow=flow / (1 - gamma),
        negativity=(-occupancy).clamp(min=0).sum((1, 2)) / (1 - gamma),
        budget=torch.where(feasible, (-slack).clamp(min=0) / cost_scale, 0.0),
        dual=defect / (1 - gamma) / scale,
        gap=torch.where(feasible, dual_objective + weight * cmdp.budget - reward, cost - dual_objective) / scale,
        complementarity=weight * slack / scale,
        margin=torch.where(feasible, torch.nan, dual_objective - cmdp.budget - defect / (1 - gamma)),
    )


def positive(scale: PerCMDP) -> PerCMDP:
    """The scale, or 1 where it is zero (a CMDP without reward or without cost)."""
    return torch.where(scale > 0, scale, 1.0)


def assemble(
    cmdp: AnyCMDP,
    occupancy: PerStateAction,
    fallback: PerStateAction,
    v: PerState,
    multiplier: PerCMDP,
    feasible: Mask,
    **extras: object,
) -> Solution:
    """The Solution of an occupancy; its policy is that of `fallback` in states that are never visited."""
    mass = occupancy.sum(-1, keepdim=True)
    visited = mass > 1e-13
    policy = torch.where(visited, occupancy / torch.where(visited, mass, 1.0), fallback)
    scaled = occupancy / (1 - cmdp.gamma)[:, None, None]
    return Solution(
        value=torch.where(feasible, (scaled * cmdp.r).sum((1, 2)), torch.nan),
        cost=(scaled * cmdp.c).sum((1, 2)),
        policy=policy,
        occupancy=occupancy,
        multiplier=torch.where(feasible, multiplier, torch.inf),
        dual_value=v,
        feasible=feasible,
        certificate=certify(cmdp, occupancy, v, multiplier, feasible),
        **extras,  # pyright: ignore[reportArgumentType]
    )
