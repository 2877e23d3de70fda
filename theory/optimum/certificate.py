"""The certificate of a constrained optimum: residuals of the optimality conditions, not agreement with another solver.

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
from theory.optimum.policies import budget_unit, corner, greedy_policy, policy_of, positive
from theory.optimum.policy_iteration import best_response
from theory.support.errors import InputError

ROUNDING = 4 * torch.finfo(torch.float64).eps
ALIKE = 1e-13
"""Costs that differ by this part of the budget are the same."""
PLAIN, SHADES = 1e-10, (1e-11, 1e-8, 1e-5, 1e-2, 10.0)
"""Up to PLAIN the dual residual is the simple one; beyond it the sharper one, with SHADES for the multiplier."""


@dataclass(frozen=True, eq=False)
class Certificate:
    """How far the residuals of the optimality conditions can move the value (all (batch,)), and the evidence.

    The unit of the cost is u = min(|l|, c_max/(1-gamma)), with the least positive cost for |l| where l = 0. The unit of
    the value is w, the larger of |value| and the least that one action earns, see `value_unit`. In units of c_max, ten
    times the budget can be a rounding error; in units of the largest reward, which an action may have that no budget
    pays for, the whole value can.

    flow: |sum_a x - (1-gamma) rho - gamma P^T x|_1 / (1-gamma);   negativity: |min(x, 0)|_1 / (1-gamma);
    sign: max(0, -lambda) u, in units of w; elsewhere max(lambda, 0) takes the place of lambda;
    budget: max(0, cost - l) in units of u, cost the larger of <x, c>/(1-gamma) and V_c^pi of the returned policy;
    agreement: |<x, c>/(1-gamma) - V_c^pi| in units of u, as the first is what a solution states as its cost;
    dual: what the violations delta(s, a) of v >= r - lambda c + gamma P v can hide, see `hidden_value`;
    gap: <rho, v> + lambda l - value, value that one of <x, r>/(1-gamma) and V_r^pi of the returned policy which is
    farther from it; complementarity: lambda (l - cost); excess: what a cost above the budget can have added to the
    value, see `value_of_excess`; these too in units of w.
    Weak duality gives, for every policy within the budget and its occupancy x',

        V_r = <x', r>/(1-gamma) <= <x', v - gamma P v + delta>/(1-gamma) + lambda l
            = <rho, v> + lambda l + <x', delta>/(1-gamma) <= value + (gap + dual) w,   V_c^pi - l <= budget u.

    So the optimum lies between value - excess w and value + (gap + dual) w, with the larger of the two values in the
    first and the smaller in the second, up to what a cost of ALIKE |l| is worth.
    (I - gamma P_pi^T)^{-1} is at most 1/(1-gamma) in the 1-norm, so x lies within flow + 3 negativity of the occupancy
    of its own policy pi (proportional to max(x, 0)).

    flow and delta contain what rounding can hide in them, about 4 eps of what they subtract, so that near gamma = 1,
    where float64 cannot decide, no certificate holds.
    Where the budget is infeasible v satisfies v <= c + gamma P v up to delta instead, so that every policy costs at
    least <rho, v> - delta/(1-gamma). `margin` = <rho, v> - l - delta/(1-gamma) > 0 is the proof (NaN where feasible).
    The unit is then u = min(max(cost, |l|), c_max/(1-gamma)): `dual` is delta/(1-gamma), `gap` is cost - <rho, v>, and
    `budget` is max(0, V_c^pi - cost).
    """

    flow: PerCMDP
    negativity: PerCMDP
    sign: PerCMDP
    budget: PerCMDP
    agreement: PerCMDP
    dual: PerCMDP
    gap: PerCMDP
    complementarity: PerCMDP
    excess: PerCMDP
    margin: PerCMDP

    @property
    def worst(self) -> PerCMDP:
        """The largest residual in absolute value."""
        primal = (self.flow, self.negativity, self.budget, self.agreement, self.excess)
        residuals = (*primal, self.sign, self.dual, self.gap, self.complementarity)
        return torch.stack([x.abs() for x in residuals]).amax(0)

    def holds(self, tolerance: float = 1e-8) -> Bool[Tensor, "batch"]:
        """True where every residual is within `tolerance` and, if infeasible, the evidence has a positive margin."""
        return (self.worst <= tolerance) & (torch.isnan(self.margin) | (self.margin > 0))


@dataclass(frozen=True, eq=False)
class Solution:
    """The constrained optimum of every CMDP of a batch.

    `feasible` (batch,), bool: whether some policy satisfies V_c(rho) <= l, for each CMDP by itself. Where it is False
    there is no constrained optimum: `value` is NaN, `multiplier` infinite, `cost` the smallest attainable V_c(rho),
    `policy` one that attains it, and `certificate.margin` > 0 proves that no policy satisfies the budget.
    `value` V_r*(rho), `cost` V_c(rho) of `policy`, `multiplier` lambda >= 0: (batch,); `policy` and `occupancy`
    (normalised to 1): (batch, state, action); `dual_value` v of the certificate: (batch, state).
    `basis` (HiGHS only): per CMDP the indices of the basic columns (state * action, then one slack per row).
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


def certify(
    cmdp: AnyCMDP,
    occupancy: PerStateAction,
    v: PerState,
    multiplier: PerCMDP,
    feasible: Mask,
    policy: PerStateAction | None = None,
) -> Certificate:
    """The residuals of a primal-dual pair (occupancy normalised to 1, v unnormalised), computed from the CMDP alone.

    `policy` is the one that is returned; by default it follows from the occupancy, greedy against v where x is zero.
    Raises InputError where a row of it is no probability distribution.
    """
    gamma = cmdp.gamma
    signed = torch.where(feasible, multiplier, 0.0)
    weight = signed.clamp(min=0)
    if policy is None:
        policy = policy_of(occupancy, greedy_policy(cmdp, v, weight, feasible))
    elif bool((policy < 0).any() | ((policy.sum(-1) - 1).abs() > 1e-9).any()):
        raise InputError("policy: a row has a negative entry or does not sum to 1, as those of a policy do")
    reward = (occupancy * cmdp.r).sum((1, 2)) / (1 - gamma)
    cost = (occupancy * cmdp.c).sum((1, 2)) / (1 - gamma)
    policy, policy_reward, policy_cost = corner(cmdp, policy)
    smallest = positive(cost.maximum(cmdp.budget.abs()).minimum(positive(cmdp.c.amax((1, 2)) / (1 - gamma))))
    unit = torch.where(feasible, value_unit(cmdp, reward), smallest)
    beyond = torch.where(feasible, cost.maximum(policy_cost) - cmdp.budget, policy_cost - cost).clamp(min=0)
    cost_unit = torch.where(feasible, budget_unit(cmdp), smallest)
    inflow = (1 - gamma)[:, None] * cmdp.rho + gamma[:, None] * cmdp.arrival(occupancy)
    flow = (occupancy.sum(-1) - inflow).abs().sum(-1) + ROUNDING * occupancy.abs().sum((1, 2))
    defects = dual_defects(cmdp, v, weight, feasible)
    defect = defects.amax((1, 2)) / (1 - gamma)
    dual_objective = (cmdp.rho * v).sum(-1)
    bound, slack = dual_objective + weight * cmdp.budget, cmdp.budget - cost
    farther = torch.where((bound - reward).abs() > (bound - policy_reward).abs(), reward, policy_reward)
    excess = torch.where(feasible, value_of_excess(cmdp, beyond, reward.maximum(policy_reward)) / unit, 0.0)
    return Certificate(
        flow=flow / (1 - gamma),
        negativity=(-occupancy).clamp(min=0).sum((1, 2)) / (1 - gamma),
        sign=(weight - signed) * budget_unit(cmdp) / unit,
        budget=beyond / cost_unit,
        agreement=(cost - policy_cost).abs() / cost_unit,
        dual=torch.where(feasible, hidden_value(cmdp, defects, unit), defect / unit),
        gap=torch.where(feasible, bound - farther, cost - dual_objective) / unit,
        complementarity=weight * slack / unit,
        excess=excess,
        margin=torch.where(feasible, torch.nan, dual_objective - cmdp.budget - defect),
    )


def value_unit(cmdp: AnyCMDP, value: PerCMDP) -> PerCMDP:
    """The unit w of the value: |value|, or what one action within the budget gains or loses at least, if that is more.

    That is the least of |r| min(1, u/c) over all r != 0, taken once; w is 1 where all are 0. The multiplier is no part
    of w, nor are gains and losses that cancel: a wrong answer that has large ones would widen the unit of its error.
    """
    share = torch.where(cmdp.c > 0, budget_unit(cmdp)[:, None, None] / cmdp.c, 1.0).clamp(max=1)
    least = torch.where(cmdp.r != 0, cmdp.r.abs() * share, torch.inf).amin((1, 2))
    return torch.where(torch.isinf(least), 1.0, value.abs().maximum(least))


def value_of_excess(cmdp: AnyCMDP, beyond: PerCMDP, reward: PerCMDP) -> PerCMDP:
    """What a cost beyond the budget can have added to the value: theta (reward - V_r of the cheapest policy).

    A policy of cost l + b, mixed with the cheapest one of cost m, keeps the budget where theta = b / (b + l - m) is the
    weight of the cheapest. So the optimum is at least the mixture's value. Where m >= l, theta is 1. An excess that
    differs from 0 by rounding alone (ALIKE |l|) counts as none. Infinite where gamma is too near 1 for float64.
    """
    beyond = torch.where(beyond <= ALIKE * cmdp.budget.abs(), 0.0, beyond)
    if not bool((beyond > 0).any()):
        return torch.zeros_like(beyond)
    try:
        cheapest = corner(cmdp, best_response(cmdp, -cmdp.c)[0])
    except RuntimeError:
        return torch.zeros_like(beyond).masked_fill(beyond > 0, torch.inf)
    room = beyond + (cmdp.budget - cheapest.cost).clamp(min=0)
    theta = torch.where(beyond > 0, beyond / positive(room), 0.0)
    return theta * (reward - cheapest.reward).clamp(min=0)


def hidden_value(cmdp: AnyCMDP, defects: PerStateAction, unit: PerCMDP) -> PerCMDP:
    """A bound of <x', delta>/(1-gamma) over all policies within the budget, in units of w.

    delta/(1-gamma) for the largest delta bounds it. Where that exceeds PLAIN, and the budget keeps a policy from the
    states of large delta, weak duality gives a smaller bound for any k >= 0: the best response to delta - k c, and k l.
    Several are tried from small to large, until one is good enough. A small k adds little to the bound, k l; a large
    one is needed for a delta that is rounding of a reward of 1e12, and adds little where l is near the least cost.
    """
    bound = defects.amax((1, 2)) / (1 - cmdp.gamma) / unit
    budget, horizon = cmdp.budget.clamp(min=0), 1 / (1 - cmdp.gamma)
    for shade in SHADES:
        if bool((bound <= PLAIN).all()):
            break
        k = shade * unit / budget_unit(cmdp)
        try:
            _, v = best_response(cmdp, defects - k[:, None, None] * cmdp.c)
        except RuntimeError:  # gamma is too near 1: the bound so far holds all the same
            break
        hidden = (cmdp.rho * v).sum(-1) + k * budget + ROUNDING * horizon * k * budget
        bound = bound.minimum(hidden.clamp(min=0) / unit)
    return bound


def dual_defects(cmdp: AnyCMDP, v: PerState, weight: PerCMDP, feasible: Mask) -> PerStateAction:
    """The violations of v >= r - lambda c + gamma P v, or of v <= c + gamma P v where infeasible, of every pair.

    The rounding of each pair (s, a) is that of its own terms: a pair with lambda c = 1e15 must not hide the others.
    """
    gamma = cmdp.gamma[:, None, None]
    next_v = gamma * cmdp.next_value(v)
    lagrangian = cmdp.r - weight[:, None, None] * cmdp.c
    mask = feasible[:, None, None]
    violation = torch.where(mask, lagrangian + next_v - v[..., None], v[..., None] - cmdp.c - next_v)
    own = torch.where(mask, cmdp.r.abs() + weight[:, None, None] * cmdp.c, cmdp.c)
    terms = own + v.abs()[..., None] + gamma * cmdp.next_value(v.abs())
    return (violation + ROUNDING / 2 * terms).clamp(min=0)


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
    policy = policy_of(occupancy, fallback)
    scaled = occupancy / (1 - cmdp.gamma)[:, None, None]
    return Solution(
        value=torch.where(feasible, (scaled * cmdp.r).sum((1, 2)), torch.nan),
        cost=(scaled * cmdp.c).sum((1, 2)),
        policy=policy,
        occupancy=occupancy,
        multiplier=torch.where(feasible, multiplier, torch.inf),
        dual_value=v,
        feasible=feasible,
        certificate=certify(cmdp, occupancy, v, multiplier, feasible, policy),
        **extras,  # pyright: ignore[reportArgumentType]
    )
