"""The constrained optimum by its Lagrangian: a search on the multiplier, policy iteration inside; batched and finite.

The attainable pairs (V_c, V_r) form a polytope whose corners are deterministic policies. One policy within the budget
and one beyond it define a line; the best response to the line's slope either lies on it, and then the optimum is the
mixture of the two that spends the budget exactly, or replaces one of them. Every replacement is a new corner.
"""

import torch
from torch import Tensor

from theory.cmdp.sparse import AnyCMDP
from theory.optimum.certificate import Solution, assemble
from theory.optimum.policies import Corner, budget_unit, corner, visits
from theory.optimum.policy_iteration import NEAR_ONE, ROUNDING, best_response


def solve_lagrangian(cmdp: AnyCMDP) -> Solution:
    """See `theory.optimum.solve`; the returned policy mixes at most two deterministic ones."""
    cheap_policy, cheap_value = best_response(cmdp, -cmdp.c)
    within = corner(cmdp, cheap_policy)
    # Costs that differ by rounding alone are equal: at the smallest cost anything else would mean an infinite slope.
    # What rounding is follows from the budget: a part of the largest cost may be many times the budget.
    limit = cmdp.budget + 1e-13 * budget_unit(cmdp)
    feasible = within.cost <= limit
    rich_policy, rich_value = best_response(cmdp, cmdp.r)
    beyond = corner(cmdp, rich_policy)
    # An inactive budget needs no search: the reward's own optimum is the answer, with multiplier zero.
    inactive = feasible & (beyond.cost <= limit)
    within = choose(inactive, beyond, within)
    settled = inactive | ~feasible
    multiplier, v = torch.zeros_like(cmdp.budget), rich_value
    lines = 200 + cmdp.states * cmdp.actions
    for _ in range(lines):
        if bool(settled.all()):
            break
        rise, run = beyond.reward - within.reward, beyond.cost - within.cost
        slope = torch.where(settled, multiplier, rise.clamp(min=0) / torch.where(settled, 1.0, run))
        # Both ends lie on the line; the one within the budget has the smaller payoffs, and so the smaller rounding.
        priced = slope[:, None, None] * cmdp.c
        policy, value = best_response(cmdp, cmdp.r - priced, within.policy, cmdp.r.abs() + priced)
        new = corner(cmdp, policy)
        gain = (new.reward - slope * new.cost) - (within.reward - slope * within.cost)
        rounding = ROUNDING * (new.reward.abs() + within.reward.abs() + slope * (new.cost + within.cost))
        multiplier, v = slope, torch.where(settled[:, None], v, value)
        on_line = gain <= rounding
        affordable = new.cost <= limit
        within = choose(~settled & ~on_line & affordable, new, within)
        beyond = choose(~settled & ~on_line & ~affordable, new, beyond)
        settled = settled | on_line
    if not bool(settled.all()):
        raise RuntimeError(f"the multiplier's search did not settle in {lines} lines, as it does unless {NEAR_ONE}.")
    excess = torch.where(inactive | ~feasible, 1.0, beyond.cost - within.cost)
    # Both shares come from differences of costs: 1 - share would lose the digits of a share of 1e-12.
    share = torch.where(inactive | ~feasible, 1.0, ((beyond.cost - cmdp.budget) / excess).clamp(0, 1))
    rest = torch.where(inactive | ~feasible, 0.0, ((cmdp.budget - within.cost) / excess).clamp(0, 1))
    mixing = torch.stack([share, rest], dim=-1)
    occupancies = [visits(cmdp, x.policy) for x in (within, beyond)]
    return assemble(
        cmdp,
        occupancy=mixing[:, 0, None, None] * occupancies[0] + mixing[:, 1, None, None] * occupancies[1],
        fallback=within.policy,
        v=torch.where(feasible[:, None], v, -cheap_value),
        multiplier=multiplier,
        feasible=feasible,
        extremes=torch.stack([within.policy, beyond.policy], dim=1),
        mixing=mixing,
    )


def choose(mask: Tensor, yes: Corner, no: Corner) -> Corner:
    return Corner(
        torch.where(mask[:, None, None], yes.policy, no.policy),
        torch.where(mask, yes.reward, no.reward),
        torch.where(mask, yes.cost, no.cost),
    )
