"""Costs far above the budget, such as 1e12 for a forbidden action, replaced by smaller ones with the same optimum.

With c' = min(c, cap) no policy costs more than with c. So the optimum for c' is an upper bound, and a budget that is
infeasible for c' is infeasible for c. If the solution for c' gives no mass to the pairs with c > cap, its cost is the
same for c, and v and lambda stay dual feasible (r - lambda c <= r - lambda c'): it is the optimum for c as well.
Otherwise the cap is raised. A positive reward of such a pair is lowered in the same proportion, r' = r c'/c: no budget
pays for it, and it may be as far above the other rewards as the cost is above the budget. v stays dual feasible where
r <= lambda c, because then r - lambda c <= (c'/c) (r - lambda c); where not, the cap is raised. Rewards far below 0 are
replaced as costs are: with r' = max(r, -cap) no policy earns less than with r, and v stays dual feasible. The solver
receives numbers of similar size, and the certificate is that of r and c themselves.
"""

from collections.abc import Callable
from dataclasses import replace

import torch
from jaxtyping import Bool
from torch import Tensor

from theory.cmdp.dense import FiniteCMDP
from theory.cmdp.shapes import PerCMDP
from theory.cmdp.sparse import AnyCMDP, SparseCMDP
from theory.optimum.certificate import Solution, certify
from theory.optimum.policies import budget_unit, reward_unit

Pairs = Bool[Tensor, "batch state action"]
FIRST_CAP = 1e4
"""The first cap, in units of the budget, or of the rewards. Costs and rewards of ordinary CMDPs lie below it."""


def solve_capped(cmdp: AnyCMDP, route: Callable[[AnyCMDP, Pairs], Solution]) -> Solution:
    """The answer of `route` for the costs and rewards as they are; it is called with CMDPs in which they are capped.

    `route` takes the CMDP and the mask (batch, state, action) of the pairs whose cost or reward is capped.
    """
    dearest, worst = cmdp.c.amax((1, 2)), (-cmdp.r).amax((1, 2))
    cost_cap = (FIRST_CAP * budget_unit(cmdp)).minimum(dearest)
    loss_cap = (FIRST_CAP * reward_unit(with_caps(cmdp, cost_cap, worst))).minimum(worst)
    while True:
        dear, bad = cmdp.c > cost_cap[:, None, None], -cmdp.r > loss_cap[:, None, None]
        if not bool((dear | bad).any()):
            return route(cmdp, dear)
        answer = route(with_caps(cmdp, cost_cap, loss_cap), dear | bad)
        used = answer.occupancy != 0
        uses_dear, uses_bad = ((used & over).any(-1).any(-1) for over in (dear, bad))
        tempting = cmdp.r > torch.where(answer.feasible, answer.multiplier, torch.inf)[:, None, None] * cmdp.c
        uses_dear |= (dear & tempting).any(-1).any(-1)
        if not bool((uses_dear | uses_bad).any()):
            return restated(cmdp, answer)
        cost_cap = torch.where(uses_dear, FIRST_CAP * cost_cap, cost_cap).minimum(dearest)
        loss_cap = torch.where(uses_bad, FIRST_CAP * loss_cap, loss_cap).minimum(worst)


def with_caps(cmdp: AnyCMDP, cost_cap: PerCMDP, loss_cap: PerCMDP) -> AnyCMDP:
    """The same CMDP with costs min(c, cost cap), gains in proportion, and rewards of at least -loss cap."""
    kind = FiniteCMDP if isinstance(cmdp, FiniteCMDP) else SparseCMDP
    c = cmdp.c.minimum(cost_cap[:, None, None])
    gains = (cmdp.c > c) & (cmdp.r > 0)
    part = torch.where(gains, c / torch.where(gains, cmdp.c, 1.0), 1.0)
    r = (part * cmdp.r).maximum(-loss_cap[:, None, None])
    return kind(cmdp.P, r, c, cmdp.rho, cmdp.gamma, cmdp.budget)


def restated(cmdp: AnyCMDP, answer: Solution) -> Solution:
    """The same solution with value, cost and certificate computed from the rewards and costs of `cmdp`."""
    reward = (answer.occupancy * cmdp.r).sum((1, 2)) / (1 - cmdp.gamma)
    cost = (answer.occupancy * cmdp.c).sum((1, 2)) / (1 - cmdp.gamma)
    parts = (answer.occupancy, answer.dual_value, answer.multiplier, answer.feasible, answer.policy)
    value = torch.where(answer.feasible, reward, torch.nan)
    return replace(answer, value=value, cost=cost, certificate=certify(cmdp, *parts))
