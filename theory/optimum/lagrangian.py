"""The constrained optimum by its Lagrangian: a search on the multiplier, policy iteration inside; batched and finite.

The attainable pairs (V_c, V_r) form a polytope whose corners are deterministic policies. One policy within the budget
and one beyond it define a line; the best response to the line's slope either lies on it, and then the optimum is the
mixture of the two that spends the budget exactly, or replaces one of them. Every replacement is a new corner.
"""

import torch
from torch import Tensor

from theory.cmdp.shapes import PerState, PerStateAction
from theory.cmdp.sparse import AnyCMDP
from theory.optimum.certificate import Solution, assemble
from theory.optimum.policies import Corner, budget_unit, corner, one_hot_argmax, visits

ROUNDING = 8 * torch.finfo(torch.float64).eps
"""What comparisons of values ignore, relative to the values' own size."""
NEAR_ONE = "gamma is too near 1 for float64"


def best_response(
    cmdp: AnyCMDP, payoff: PerStateAction, start: PerStateAction | None = None
) -> tuple[PerStateAction, PerState]:
    """A deterministic policy maximising E sum gamma^t payoff, and its value function, by Howard's policy iteration.

    An action changes only where that improves Q by more than rounding, so that ties cannot cycle. Raises RuntimeError
    if that goes on for longer than it could, which means that gamma is too near 1 for float64.
    """
    policy = one_hot_argmax(payoff) if start is None else start
    improvements = 500 + cmdp.states * cmdp.actions
    for _ in range(improvements):
        v = cmdp.solve(policy, (policy * payoff).sum(-1, keepdim=True)).squeeze(-1)
        Q = payoff + cmdp.gamma[:, None, None] * cmdp.next_value(v)
        tolerance = (ROUNDING * (v.abs().amax(-1) + payoff.abs().amax((1, 2))))[:, None]
        improvable = Q.amax(-1) > (policy * Q).sum(-1) + tolerance
        if not bool(improvable.any()):
            return policy, v
        policy = torch.where(improvable[..., None], one_hot_argmax(Q), policy)
    raise RuntimeError(f"policy iteration did not settle in {improvements} improvements, as it does unless {NEAR_ONE}.")


def solve_lagrangian(cmdp: AnyCMDP) -> Solution:
    """See `theory.optimum.solve`; the returned policy mixes at most two deterministic ones."""
    reward_scale = cmdp.r.abs().amax((1, 2)) / (1 - cmdp.gamma)
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
        policy, value = best_response(cmdp, cmdp.r - slope[:, None, None] * cmdp.c, beyond.policy)
        new = corner(cmdp, policy)
        gain = (new.reward - slope * new.cost) - (beyond.reward - slope * beyond.cost)
        rounding = ROUNDING * (reward_scale + slope * (new.cost + beyond.cost))
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
