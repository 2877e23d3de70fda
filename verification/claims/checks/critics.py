"""Critics on sampled data: expectiles, pessimism, confidence bounds, scores, accuracy, the cost of an episode."""

from typing import Any

import numpy as np
import torch
from scipy.optimize import minimize_scalar
from torch import Tensor

from deep.methods.parts.critics import episodic_to_discounted, expectile_loss, upper_confidence
from deep.tasks import TASKS
from theory.evaluation import bellman_residual, evaluate
from theory.offline.critics import FittedQ, empirical_model, fitted_q_critic, model_critic
from theory.offline.data import behaviour_policy, sample
from verification.checker.instances import Case, cases, generator, over, softmax_policy
from verification.claims.claim import Sides, difference, joined, sides


def expectile(broken: bool) -> Sides:
    """The minimiser of deep.methods.parts.critics.expectile_loss solves tau E(x - e)_+ = (1 - tau) E(e - x)_+; broken:
    a quantile."""
    rng, found = generator(30), []
    for _ in range(30):
        x, tau = torch.from_numpy(rng.normal(size=25)), float(rng.uniform(0.3, 0.9))

        def loss(e: float, x: Tensor = x, tau: float = tau) -> float:
            return float(expectile_loss(x - e, tau).mean())

        best: Any = minimize_scalar(loss, bounds=(-4, 4), method="bounded", options={"xatol": 1e-10})
        e = float(np.quantile(x.numpy(), tau)) if broken else float(best.x)
        balance = tau * (x - e).clamp(min=0).mean() - (1 - tau) * (e - x).clamp(min=0).mean()
        found.append(difference(balance, 0.0, 1e-6))
    return joined(found)


def pessimism(broken: bool) -> Sides:
    """Fitted Q_c with alpha = 1/5 against alpha = 0, at the data's own policy; broken: the printed form."""

    def measure(case: Case) -> Sides:
        cmdp, batch = case.cmdp, case.cmdp.batch
        data = sample(cmdp, softmax_policy(cmdp, case.seed, 0.3), [2000] * batch, range(batch))
        n = data.pairs
        seen = n.sum(-1, keepdim=True) > 0
        behaviour = torch.where(seen, n / torch.where(seen, n.sum(-1, keepdim=True), 1.0), 1 / cmdp.actions)
        options = {"sweeps": 300, "alpha": 0.2, "pessimism": "printed" if broken else "corrected"}
        plain = FittedQ(empirical_model(cmdp, data), data, sweeps=300)(behaviour)
        pushed = fitted_q_critic(cmdp, data, **options)(behaviour)
        visited = n > 0
        return difference(pushed.Q_c[visited], plain.Q_c[visited], 1e-9)

    # Where a visited pair leads to a state without data, the two differ there by design: dense transitions only.
    return over(measure, [case for case in cases((0.3, 0.5, 0.9), ((1, 2), (2, 2), (3, 3))) if case.seed < 9])


def jensen(broken: bool) -> Sides:
    """E min_i Q_i against min_i E Q_i over noise; broken: the maximum."""
    rng = generator(31)
    Q = torch.from_numpy(rng.normal(size=(200, 500, 4)) + rng.normal(size=(200, 1, 4)))
    fold = torch.amax if broken else torch.amin
    return sides(fold(Q, -1).mean(1), fold(Q.mean(1), -1), 1e-12)


def coverage(broken: bool) -> Sides:
    """.97 against the share of 5000 ensembles of 4 whose mean + 2 std covers 0; broken: a common bias of -1 sigma."""
    rng, found = generator(32), []
    for _ in range(40):
        errors = torch.from_numpy(rng.normal(size=(1, 4, 5000))) - (1.0 if broken else 0.0)
        found.append(sides(0.97, (upper_confidence(errors, 2.0) >= 0).double().mean(), 0.0))
    return joined(found)


def normalised(broken: bool) -> Sides:
    """|1{DSRL's score <= 1} - 1{C <= l}|, l = 0 and C = l included; broken: Eq. (26)'s score, C_min > 0, e = 1/10."""
    rng, found = generator(33), []
    for limit in (0.0, *rng.uniform(0, 50, 99)):
        costs = np.array([0.0, limit / 2, limit, limit + 0.5, *rng.uniform(0, 2 * limit + 2, 6)])
        least = rng.uniform(0, 10)
        score = (costs - least) / (limit + 0.1) if broken else TASKS["HopperVel"].normalised_cost(costs, limit)
        found.append(difference(torch.from_numpy(score <= 1).double(), torch.from_numpy(costs <= limit).double(), 0.0))
    return joined(found)


def evaluation_operator(broken: bool) -> Sides:
    """T Q^pi - Q^pi with E_{a' ~ pi}, by theory.evaluation; broken: with the maximum, as printed."""

    def measure(case: Case) -> Sides:
        Q = evaluate(case.cmdp, case.policy).Q_c
        unit = 1e-9 * (1 + case.cmdp.bound) / (1 - case.cmdp.gamma)
        if not broken:
            return sides(bellman_residual(case.cmdp, case.policy, Q, case.cmdp.c), 0.0, unit)
        backup = case.cmdp.c + case.cmdp.gamma[:, None, None] * case.cmdp.next_value(Q.amax(-1))
        return sides((backup - Q).abs().amax((1, 2)), 0.0, unit)

    return over(measure)


def uniform_accuracy(broken: bool) -> Sides:
    """|Q_hat - Q| of many policies at once against gamma c_max |P_hat - P|_1/(2 (1-gamma)^2); broken: / 100."""

    def measure(case: Case) -> Sides:
        cmdp, batch = case.cmdp, case.cmdp.batch
        behaviour = behaviour_policy(cmdp, case.policy, 0.5)
        data = sample(cmdp, behaviour, [3000] * batch, [case.seed + i for i in range(batch)])
        covered = (data.pairs > 0).all(-1).all(-1)
        error = (empirical_model(cmdp, data).P - cmdp.P).abs().sum(-1).amax((1, 2))
        bound = cmdp.gamma * cmdp.c.amax((1, 2)) * error / (2 * (1 - cmdp.gamma) ** 2)
        critic, found = model_critic(cmdp, data), []
        for i in range(4):
            policy = softmax_policy(cmdp, 1000 + 7 * case.seed + i, 3.0)
            gap = (critic(policy).Q_c - evaluate(cmdp, policy).Q_c).abs().amax((1, 2))
            found.append(sides(gap[covered], (bound / 100 if broken else bound)[covered], 1e-9))
        return joined(found)

    return over(measure)


def episodic(broken: bool) -> Sides:
    """An episode's cost from the discounted one, started in P_pi's stationary law; broken: started in one state."""

    def measure(case: Case) -> Sides:
        cmdp, L = case.cmdp, 50
        P_pi = (case.policy.unsqueeze(-1) * cmdp.P).sum(2)
        law = torch.full_like(cmdp.rho, 1 / cmdp.states)
        lazy = 0.5 * (P_pi + torch.eye(cmdp.states, dtype=torch.float64))
        for _ in range(60):
            lazy = lazy @ lazy
            lazy = lazy / lazy.sum(-1, keepdim=True)
        law = (law.unsqueeze(1) @ lazy).squeeze(1)
        start = torch.eye(cmdp.states, dtype=torch.float64)[0].expand_as(law) if broken else law
        c_pi, now, total = (case.policy * cmdp.c).sum(-1), start, 0.0
        for _ in range(L):
            total = total + (now * c_pi).sum(-1)
            now = (now.unsqueeze(1) @ P_pi).squeeze(1)
        value = (start * evaluate(cmdp, case.policy).V_c).sum(-1)
        scale = torch.tensor([episodic_to_discounted(1.0, float(g), L, "data") for g in cmdp.gamma])
        return difference(value / scale, torch.as_tensor(total), 1e-7 * L)

    return over(measure)


def objectives(broken: bool) -> Sides:
    """Eq. (11) with multiplier 1 orders policies as Eq. (21) does where r is constant; broken: as r is."""

    def measure(case: Case) -> Sides:
        one, two = (evaluate(case.cmdp, pi) for pi in (case.policy, case.other))
        flat = 1.0 if broken else 0.0
        eleven = (flat * one.J_r - one.J_c) - (flat * two.J_r - two.J_c)
        return sides(-eleven * (two.J_c - one.J_c), 0.0, 1e-12)

    return over(measure)
