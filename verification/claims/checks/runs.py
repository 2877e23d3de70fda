"""Runs of many iterations: the sum over t that Eq. (44) bounds."""

from dataclasses import replace
from functools import cache
from itertools import product
from typing import NamedTuple

import torch
from jaxtyping import Float64
from torch import Tensor

from theory import bounds
from theory.adaptation import Region
from theory.cmdp.shapes import PerCMDP
from theory.evaluation import evaluate
from theory.npg.algorithms import configure, init, step
from theory.npg.npg import Metric
from verification.checker.instances import Case, batches, cases
from verification.claims.claim import Sides, joined, sides

SETTINGS = tuple(product(Metric, (1e-3, 0.1, 1.0)))
"""Metrics and step sizes, the latter in units of (1-gamma)^2."""
STEPS = 300


class Sums(NamedTuple):
    """Sums over a run's iterations against a comparator pi*, which need not be optimal.

    reward: of x_t (V_r* - V_r^t); cost: of y_t (V_c^t - V_c*); remainder: of eta (x_t + y_t)^2 M^2/(8 (1-gamma)^4);
    start: KL_0/eta with KL_0 = E_{d*} KL(pi* || pi_0); visits: the number of iterations in each region.
    """

    reward: PerCMDP
    cost: PerCMDP
    remainder: PerCMDP
    start: PerCMDP
    visits: Float64[Tensor, "batch region"]


def accumulated(case: Case) -> Sums:
    """The sums of gradient manipulation's runs from `policy`, against `other`; the batch holds the instances once for
    each setting.

    The budget is the mean of the two costs and the slacks a quarter of their difference, so that runs pass regions.
    """
    cmdp, policy, other, _ = case
    metric, scale = (
        torch.tensor(x).repeat_interleave(cmdp.batch // len(SETTINGS)) for x in zip(*SETTINGS, strict=True)
    )
    eta = scale.double() * (1 - cmdp.gamma) ** 2
    best, first = evaluate(cmdp, other), evaluate(cmdp, policy)
    cmdp, slack = cmdp.with_budget((best.J_c + first.J_c) / 2), (best.J_c - first.J_c).abs() / 4
    config = replace(configure(cmdp.batch, STEPS, eta, h_plus=slack, h_minus=slack), metric=metric)
    state = init(cmdp, config, policy)
    start = bounds.comparator_kl(best.d, other, state.log_policy) / eta
    reward, cost, remainder = (torch.zeros_like(eta) for _ in range(3))
    visits = torch.zeros(cmdp.batch, len(Region), dtype=torch.float64)
    for _ in range(STEPS):
        state, info = step(cmdp, config, state)
        x, y, region = info.weights
        reward += x * (best.J_r - info.critic.J_r)
        cost += y * (info.critic.J_c - best.J_c)
        remainder += bounds.hoeffding_remainder(eta, x, y, cmdp.bound, cmdp.gamma)
        visits += torch.nn.functional.one_hot(region, len(Region))
    return Sums(reward, cost, remainder, start, visits)


@cache
def runs() -> tuple[Sums, ...]:
    """Of all instances; those of one shape are one batch."""
    return tuple(map(accumulated, batches(cases(), len(SETTINGS))))


def summed(broken: bool) -> Sides:
    """Both sums against KL_0/eta and the remainders; broken: minus the costs' alone, the left side of Eq. (44)."""
    found = []
    for run in runs():
        left = -run.cost if broken else run.reward + run.cost
        right = run.start + run.remainder
        found.append(sides(left, right, 1e-9 * (1 + right)))
    return joined(found)
