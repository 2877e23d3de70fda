"""One natural-gradient iteration: the closed form, the identity of the convergence proof, Eqs. (40) to (43)."""

from typing import NamedTuple

import torch
from torch import Tensor

from theory import bounds
from theory.adaptation import Region
from theory.cmdp.dense import FiniteCMDP
from theory.cmdp.shapes import PerCMDP
from theory.evaluation import Evaluation, evaluate
from theory.npg.algorithms import configure, init, step
from theory.npg.npg import Metric, natural_gradient, npg_step, policy_gradient
from verification.checker.instances import Case, cases, over
from verification.claims.claim import Sides, difference, joined, sides

ETAS = (1e-3, 0.1, 10.0)


class Iteration(NamedTuple):
    """What one update did against a comparator; x and y are the weights of reward and of minus cost."""

    cmdp: FiniteCMDP
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


def iterate(case: Case, eta: float, metric: Metric = Metric.FISHER, region: str = "band") -> Iteration:
    """One step of theory.npg.algorithms from `policy` towards `other`, with the budget and slacks that force a
    region."""
    now, best = evaluate(case.cmdp, case.policy), evaluate(case.cmdp, case.other)
    shift = {"safe": 1.0, "unsafe": -1.0, "band": 0.0}[region]
    budget = now.J_c + shift
    cmdp = case.cmdp.with_budget(budget)
    rate = eta * (1 - cmdp.gamma) ** 2
    config = configure(cmdp.batch, 1, rate, metric=metric, h_plus=0.5, h_minus=0.5)
    state = init(cmdp, config, case.policy)
    after, info = step(cmdp, config, state)
    x, y = info.weights.x, info.weights.y
    drop = bounds.comparator_kl(best.d, case.other, state.log_policy) - bounds.comparator_kl(
        best.d, case.other, after.log_policy
    )
    u = x[:, None, None] * now.A_r - y[:, None, None] * now.A_c
    moment = bounds.log_moment(best.d, state.log_policy, u, rate, cmdp.gamma)
    return Iteration(cmdp, now, best, x, y, drop, moment, rate, info.weights.region)


def every(measure, region: str = "band", metrics: tuple[Metric, ...] = tuple(Metric), where=None) -> Sides:
    """The sides over all instances, step sizes and metrics."""
    return joined(
        [
            over(lambda case, eta=eta, metric=metric: measure(iterate(case, eta, metric, region)), where)
            for eta in ETAS
            for metric in metrics
        ]
    )


def small_horizon() -> list[Case]:
    """Instances with 1/(1-gamma) <= 16 S A."""
    return [case for case in cases() if bool((16 * case.policy[0].numel() * (1 - case.cmdp.gamma) >= 1).all())]


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

    def heavy(case: Case) -> Iteration:
        it = iterate(case, ETAS[0])
        x, y = torch.full_like(it.x, 30.0), torch.full_like(it.y, 10.0)
        u = 30 * it.now.A_r - 10 * it.now.A_c
        moment = bounds.log_moment(it.best.d, case.policy.log(), u, it.eta, it.cmdp.gamma)
        return it._replace(x=x, y=y, moment=moment)

    return joined([every(measure), over(lambda case: measure(heavy(case)))])


def safe_lemma(broken: bool) -> Sides:
    """Eq. (40) where 1/(1-gamma) <= 16 S A; broken: without 1/(1-gamma)^3."""

    def measure(it: Iteration) -> Sides:
        factor = (1 - it.cmdp.gamma) ** 3 if broken else 1.0
        return sides(it.reward - it.drop / it.eta, factor * it.remainder, it.unit)

    return every(measure, "safe", (Metric.FISHER,), small_horizon())


def unsafe_lemma(broken: bool) -> Sides:
    """V_c^t - V_c* (broken: V_c* - V_c^t) within the remainder where 1/(1-gamma) <= 16 S A."""

    def measure(it: Iteration) -> Sides:
        left = -it.cost if broken else it.cost
        return sides(left - it.drop / it.eta, it.remainder, it.unit)

    return every(measure, "unsafe", (Metric.FISHER,), small_horizon())


def band_lemma(broken: bool, region: Region, power: int) -> Sides:
    """x dR + y (V_c^t - V_c*) against kl_drop/eta + the remainder with (x+y)^2/(16 S A (1-gamma))."""

    def measure(it: Iteration) -> Sides:
        here = it.region == region
        sign = -1.0 if broken else 1.0
        left = it.x * it.reward + sign * it.y * it.cost - it.drop / it.eta
        bound = bounds.hoeffding_remainder(it.eta, it.x, it.y, it.cmdp.bound, it.cmdp.gamma)
        right = it.remainder if power == 3 else torch.as_tensor(bound)
        return sides(left[here], right[here], it.unit[here])

    return every(measure, "band", tuple(Metric), small_horizon() if power == 3 else None)


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
