"""One natural-gradient iteration: the closed form, the identity of the convergence proof, Eqs. (40) to (43)."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from itertools import product
from typing import NamedTuple

import torch
from torch import Tensor

from theory import bounds
from theory.adaptation import Region
from theory.cmdp.dense import FiniteCMDP
from theory.cmdp.shapes import PerCMDP, PerStateAction
from theory.evaluation import Evaluation, evaluate
from theory.npg.algorithms import configure, init, step
from theory.npg.npg import Metric, natural_gradient, npg_step, policy_gradient
from verification.checker.instances import Case, batches, cases, over
from verification.claims.claim import Sides, difference, joined, sides

ETAS = (1e-3, 0.1, 10.0)


class Iteration(NamedTuple):
    """What one update did against a comparator; x and y are the weights of reward and of minus cost."""

    cmdp: FiniteCMDP
    policy: PerStateAction
    now: Evaluation
    best: Evaluation
    x: PerCMDP
    y: PerCMDP
    drop: PerCMDP  # of E_{d*} KL(pi* || pi)
    moment: PerCMDP
    eta: PerCMDP
    region: Tensor

    @property
    def reward(self) -> PerCMDP:
        return self.best.J_r - self.now.J_r

    @property
    def cost(self) -> PerCMDP:
        """V_c^t - V_c*."""
        return self.now.J_c - self.best.J_c

    @property
    def unit(self) -> PerCMDP:
        scale = (1 + self.x + self.y) * (1 + self.cmdp.bound) / (1 - self.cmdp.gamma) ** 2
        return 1e-9 * (scale + self.drop.abs() / self.eta)

    @property
    def remainder(self) -> PerCMDP:
        """2 eta S A M^2/(1-gamma)^3: the right-hand side of Eq. (40) without the drop and the critic's error."""
        cmdp = self.cmdp
        return torch.as_tensor(
            bounds.iteration_printed(0.0, self.eta, cmdp.states, cmdp.actions, cmdp.bound, cmdp.gamma)
        )


def iterate(case: Case, etas: tuple[float, ...], metrics: tuple[Metric, ...], region: str) -> Iteration:
    """One step of theory.npg.algorithms from `policy` towards `other`, with the budget and slacks that force a region.

    Args:
        case: a batch that holds the instances once for each pair of a step size and a metric.
        etas: step sizes in units of (1-gamma)^2.
        metrics: metrics of the projection; the batch's parts follow `product(etas, metrics)`.
        region: safe, unsafe or band.
    """
    settings = zip(*product(etas, metrics), strict=True)
    scale, metric = (torch.tensor(x).repeat_interleave(case.cmdp.batch // len(x)) for x in settings)
    now, best = evaluate(case.cmdp, case.policy), evaluate(case.cmdp, case.other)
    shift = {"safe": 1.0, "unsafe": -1.0, "band": 0.0}[region]
    cmdp = case.cmdp.with_budget(now.J_c + shift)
    rate = scale.double() * (1 - cmdp.gamma) ** 2
    config = replace(configure(cmdp.batch, 1, rate, h_plus=0.5, h_minus=0.5), metric=metric)
    state = init(cmdp, config, case.policy)
    after, info = step(cmdp, config, state)
    x, y = info.weights.x, info.weights.y
    drop = bounds.comparator_kl(best.d, case.other, state.log_policy) - bounds.comparator_kl(
        best.d, case.other, after.log_policy
    )
    u = x[:, None, None] * now.A_r - y[:, None, None] * now.A_c
    moment = bounds.log_moment(best.d, state.log_policy, u, rate, cmdp.gamma)
    return Iteration(cmdp, case.policy, now, best, x, y, drop, moment, rate, info.weights.region)


@cache
def iterations(region: str, etas: tuple[float, ...], metrics: tuple[Metric, ...], short: bool) -> tuple[Iteration, ...]:
    """One iteration at all instances, those of one shape as one batch; `short`: only where 1/(1-gamma) <= 16 S A.

    Kept, because claims and their broken versions measure the same iterations.
    """
    where = [case for case in cases() if not short or _short_horizon(case)]
    return tuple(iterate(case, etas, metrics, region) for case in batches(where, len(etas) * len(metrics)))


def _short_horizon(case: Case) -> bool:
    return bool((16 * case.policy[0].numel() * (1 - case.cmdp.gamma) >= 1).all())


def every(
    measure: Callable[[Iteration], Sides],
    region: str = "band",
    metrics: tuple[Metric, ...] = tuple(Metric),
    short: bool = False,
    etas: tuple[float, ...] = ETAS,
) -> Sides:
    """The sides over all instances, step sizes and metrics."""
    return joined([measure(it) for it in iterations(region, etas, metrics, short)])


def identity(broken: bool) -> Sides:
    """The two sides of I0; broken: the factor 1/(1-gamma) of the exponent is dropped."""

    def measure(it: Iteration) -> Sides:
        scale = (1 - it.cmdp.gamma) if broken else 1.0
        left = it.x * it.reward + it.y * it.cost
        return difference(left, scale * (it.drop / it.eta + it.moment), it.unit)

    return every(measure)


def hoeffding(broken: bool) -> Sides:
    """The log moment against eta (x+y)^2 M^2/(8 (1-gamma)^4); broken: x + y in the place of its square.

    At the methods' own weights, and at x = 30, y = 10, where a lost square shows beside what the bound is loose by.
    """

    def measure(it: Iteration) -> Sides:
        bound = bounds.hoeffding_remainder(it.eta, it.x, it.y, it.cmdp.bound, it.cmdp.gamma)
        return sides(it.moment, bound / (it.x + it.y) if broken else bound, it.unit)

    def heavy(it: Iteration) -> Sides:
        x, y = torch.full_like(it.x, 30.0), torch.full_like(it.y, 10.0)
        u = 30 * it.now.A_r - 10 * it.now.A_c
        moment = bounds.log_moment(it.best.d, it.policy.log(), u, it.eta, it.cmdp.gamma)
        return measure(it._replace(x=x, y=y, moment=moment))

    return joined([every(measure), every(heavy, metrics=(Metric.FISHER,), etas=ETAS[:1])])


def safe_lemma(broken: bool) -> Sides:
    """Eq. (40) where 1/(1-gamma) <= 16 S A; broken: without 1/(1-gamma)^3."""

    def measure(it: Iteration) -> Sides:
        factor = (1 - it.cmdp.gamma) ** 3 if broken else 1.0
        return sides(it.reward - it.drop / it.eta, factor * it.remainder, it.unit)

    return every(measure, "safe", (Metric.FISHER,), short=True)


def unsafe_lemma(broken: bool) -> Sides:
    """V_c^t - V_c* (broken: V_c* - V_c^t) within the remainder where 1/(1-gamma) <= 16 S A."""

    def measure(it: Iteration) -> Sides:
        left = -it.cost if broken else it.cost
        return sides(left - it.drop / it.eta, it.remainder, it.unit)

    return every(measure, "unsafe", (Metric.FISHER,), short=True)


def band_lemma(broken: bool, region: Region, power: int) -> Sides:
    """x dR + y (V_c^t - V_c*) against kl_drop/eta + the remainder with (x+y)^2/(16 S A (1-gamma))."""

    def measure(it: Iteration) -> Sides:
        here = it.region == region
        sign = -1.0 if broken else 1.0
        left = it.x * it.reward + sign * it.y * it.cost - it.drop / it.eta
        bound = bounds.hoeffding_remainder(it.eta, it.x, it.y, it.cmdp.bound, it.cmdp.gamma)
        right = it.remainder if power == 3 else torch.as_tensor(bound)
        return sides(left[here], right[here], it.unit[here])

    return every(measure, short=power == 3)


def aligned_lemma(broken: bool) -> Sides:
    return band_lemma(broken, Region.ALIGN, 3)


def conflict_lemma(broken: bool) -> Sides:
    return band_lemma(broken, Region.CONFLICT, 4)


def critic_error(broken: bool) -> Sides:
    """What a wrong critic costs one safe iteration, against 3 (1 + eta M) |Q - Q_hat|_2/(1-gamma)^2 and the span."""

    def measure(case: Case) -> Sides:
        best = evaluate(case.cmdp, case.other)
        error = 0.3 * case.normal(*case.policy.shape[1:])
        cost = (best.d[..., None] * (case.other - case.policy) * error).sum((1, 2)) / (1 - case.cmdp.gamma)
        tight = bounds.critic_error_tight(best.d, error, case.cmdp.gamma)
        loose = 3 * error.square().sum((1, 2)).sqrt() / (1 - case.cmdp.gamma) ** 2
        factor = 1e-2 if broken else 1.0
        return joined([sides(cost, factor * tight, 1e-12), sides(tight, loose, 1e-12)])

    return over(measure)


def closed_form(broken: bool) -> Sides:
    """F^+ grad V against A/(1-gamma) up to a constant per visited state; broken: F weighted by rho, as printed."""

    def measure(case: Case) -> Sides:
        values = evaluate(case.cmdp, case.policy)
        gradient = policy_gradient(values, case.policy, values.A_r, case.cmdp.gamma)
        natural = natural_gradient(case.cmdp, case.policy, gradient, "rho" if broken else "occupancy")
        eta = 0.1 * (1 - case.cmdp.gamma)
        explicit = torch.log_softmax(case.policy.log() + eta[:, None, None] * natural, -1).exp()
        closed = npg_step(case.policy.log(), values.Q_r, eta, case.cmdp.gamma).exp()
        visited = values.d > 1e-9
        # pinv drops blocks below 1e-12 of the largest: policies near a corner are left out.
        tame = (case.policy.amin(-1) > 1e-4) & visited
        return difference(explicit[tame], closed[tame], 1e-5)

    return over(measure, [case for case in cases() if case.policy.shape[1] * case.policy.shape[2] <= 9])
