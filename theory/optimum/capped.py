"""Costs far above the budget, such as 1e12 for a forbidden action, replaced by smaller ones with the same optimum.

With c' = min(c, cap) no policy costs more than with c. So the optimum for c' is an upper bound, and a budget that is
infeasible for c' is infeasible for c. If the solution for c' gives no mass to the pairs with c > cap, its cost is the
same for c, and v and lambda stay dual feasible (r - lambda c <= r - lambda c'): it is the optimum for c as well.
Otherwise the cap is raised. The solver receives numbers of similar size, and the certificate is that of c itself.
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
from theory.optimum.policies import budget_unit

Pairs = Bool[Tensor, "batch state action"]
FIRST_CAP = 1e4
"""The first cap, in units of the budget. Costs of ordinary CMDPs lie below it, and nothing is replaced."""


def solve_capped(cmdp: AnyCMDP, route: Callable[[AnyCMDP, Pairs], Solution]) -> Solution:
    """The answer of `route` for the costs as they are; it is called with CMDPs whose costs are capped.

    `route` takes the CMDP and the mask (batch, state, action) of the pairs whose cost is capped.
    """
    largest = cmdp.c.amax((1, 2))
    cap = (FIRST_CAP * budget_unit(cmdp)).minimum(largest)
    while True:
        over = cmdp.c > cap[:, None, None]
        if not bool(over.any()):
            return route(cmdp, over)
        answer = route(with_cap(cmdp, cap), over)
        uses = ((answer.occupancy != 0) & over).any(-1).any(-1)
        if not bool(uses.any()):
            return restated(cmdp, answer)
        cap = torch.where(uses, FIRST_CAP * cap, cap).minimum(largest)


def with_cap(cmdp: AnyCMDP, cap: PerCMDP) -> AnyCMDP:
    """The same CMDP with min(c, cap) for its cost."""
    kind = FiniteCMDP if isinstance(cmdp, FiniteCMDP) else SparseCMDP
    return kind(cmdp.P, cmdp.r, cmdp.c.minimum(cap[:, None, None]), cmdp.rho, cmdp.gamma, cmdp.budget)


def restated(cmdp: AnyCMDP, answer: Solution) -> Solution:
    """The same solution with cost and certificate computed from the costs of `cmdp`."""
    cost = (answer.occupancy * cmdp.c).sum((1, 2)) / (1 - cmdp.gamma)
    parts = (answer.occupancy, answer.dual_value, answer.multiplier, answer.feasible, answer.policy)
    return replace(answer, cost=cost, certificate=certify(cmdp, *parts))
