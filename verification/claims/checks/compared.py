"""The compared methods' rules on finite problems, through their own functions."""

from dataclasses import replace
from itertools import product
from math import log

import numpy as np
import torch
from torch import Tensor

from deep.methods.actor_critic.caps import best_head
from deep.methods.actor_critic.cpq import masked
from deep.methods.fisor import feasibility_backup
from deep.methods.parts.budget import discounted_budget
from deep.tasks import TASKS
from theory.evaluation import evaluate, occupancy
from verification.checker.instances import Case, cases, generator, over
from verification.claims.claim import Sides, difference, joined, sides

LENGTH, STATES, ACTIONS = 5, 3, 2
"""Of the episodes that are played out."""


def contraction(broken: bool) -> Sides:
    """max |T Q - T Q'| against gamma max |Q - Q'| under one mask; broken: masks of two cost critics."""

    def measure(case: Case) -> Sides:
        cmdp, kappa = case.cmdp, torch.zeros(case.cmdp.batch, dtype=torch.float64)
        Q, change, Q_c, shift = case.normal(4, *cmdp.r.shape[1:]).unbind(1)

        def backup(Q: Tensor, Q_c: Tensor) -> Tensor:
            kept = masked(Q.flatten(1), Q_c.flatten(1), kappa).view_as(Q)
            return cmdp.r + cmdp.gamma[:, None, None] * cmdp.next_value((case.policy * kept).sum(-1))

        near = Q + 0.01 * change
        gap = (backup(Q, Q_c) - backup(near, Q_c + 0.01 * shift if broken else Q_c)).abs().amax((1, 2))
        before = torch.maximum((near - Q).abs(), (0.01 * shift).abs() if broken else torch.zeros(())).amax((1, 2))
        return sides(gap, cmdp.gamma * before, 1e-12)

    return over(measure)


def greedy_is_safe(broken: bool) -> Sides:
    """The best masked value of actions with Q_c <= kappa is at least 0, that of all others; broken: rewards below 0."""

    def measure(case: Case) -> Sides:
        cmdp, Q_c = case.cmdp, evaluate(case.cmdp, case.policy).Q_c
        kappa = Q_c.flatten(1).median(1).values
        r = cmdp.r - (1 + cmdp.r.amax()) if broken else cmdp.r
        Q = torch.zeros_like(r)
        for _ in range(300):
            kept = masked(Q.flatten(1), Q_c.flatten(1), kappa).view_as(Q)
            Q = r + cmdp.gamma[:, None, None] * cmdp.next_value((case.policy * kept).sum(-1))
        best = torch.where(Q_c <= kappa[:, None, None], Q, -torch.inf).amax(-1)
        return sides(-best[best > -torch.inf], 0.0, 1e-12)

    return over(measure, cases((0.3, 0.5, 0.9)))


def threshold_per_step(broken: bool) -> Sides:
    """E_d[c] against (1-gamma) V_c by the policy's visits; broken: V_c."""

    def measure(case: Case) -> Sides:
        cmdp = case.cmdp
        mean = (occupancy(cmdp, case.policy)[..., None] * case.policy * cmdp.c).sum((1, 2))
        cost = evaluate(cmdp, case.policy).J_c
        return difference(mean, cost if broken else (1 - cmdp.gamma) * cost, 1e-9)

    return over(measure)


def feasibility(broken: bool) -> Sides:
    """|1{V_h <= 0} - 1{some policy has no cost}| on random graphs whose forced costs are near; broken: gamma = 1/30."""
    found, height, gamma = [], 25.0, 1 / 30 if broken else 0.9
    near = 10 if broken else int(log(1 + height) / -log(gamma))
    for seed in range(60):
        rng, size = generator(60, seed), 12
        following = torch.from_numpy(rng.integers(0, size, (size, ACTIONS)))
        costly = torch.from_numpy(rng.random((size, ACTIONS)) < 0.4)
        h = torch.where(costly, height, -1.0).double()
        V, steps = h.amin(1), torch.zeros(size)
        doomed = costly.all(1)
        for step in range(1, 400):
            V = feasibility_backup(h, V[following], gamma).amin(1)
            now = (costly | doomed[following]).all(1)
            steps, doomed = torch.where(now & ~doomed, step, steps), now
        clear = steps <= near
        found.append(difference((V <= 0)[clear].double(), (~doomed)[clear].double(), 0.0))
    return joined(found)


def _least_costs(P: np.ndarray, c: np.ndarray, gamma: float) -> np.ndarray:
    """Q_c (step, state, action) of the cheapest behaviour in an episode of LENGTH steps."""
    Q, V = np.zeros((LENGTH, STATES, ACTIONS)), np.zeros(STATES)
    for t in reversed(range(LENGTH)):
        Q[t] = c[t] + gamma * P[t] @ V
        V = Q[t].min(-1)
    return Q


def _episode(seed: int, chance: bool) -> tuple[np.ndarray, np.ndarray]:
    """Transitions (step, state, action, state), deterministic or random, and costs of 0 and 1."""
    rng = generator(61, seed)
    shape = (LENGTH, STATES, ACTIONS)
    P = rng.dirichlet(np.ones(STATES), shape) if chance else np.eye(STATES)[rng.integers(0, STATES, shape)]
    return P, (rng.random(shape) < 0.4).astype(float)


def switch_without_chance(broken: bool) -> Sides:
    """An episode's cost against the limit, by `best_head` on costs to go that are not discounted; broken: discounted.

    Action 0 is the reward's, and earns 1.
    """
    gamma, found = 0.5 if broken else 1.0, []
    task = replace(TASKS["HopperVel"], episode_length=LENGTH)
    reward = torch.tensor([1.0, 0.0]).double()[None, :, None]
    for seed, limit in product(range(200), (0.5, 1.0, 2.0)):
        P, c = _episode(seed, chance=False)
        Q, s, spent = _least_costs(P, c, gamma), 0, 0.0
        if _least_costs(P, c, 1.0)[0, 0].min() > limit:
            continue
        for t in range(LENGTH):
            left = torch.tensor([[max(limit - spent, 0.0)]]).double()
            kappa = discounted_budget(left, torch.tensor([[float(t)]]), task, gamma) if broken else left + 1e-9
            a = int(best_head(reward, torch.from_numpy(Q[t, s])[None, :, None], kappa))
            spent += c[t, s, a]
            s = int(P[t, s, a].argmax())
        found.append(sides(spent, limit, 1e-9))
    return joined(found)


def slack_in_expectation(broken: bool) -> Sides:
    """The expected cost against the limit, where action 0 is taken if the slack pays for it; broken: by the budget left
    after the costs that occurred."""
    found = []
    for seed, share in product(range(60), (0.2, 0.5, 0.8)):
        P, c = _episode(seed, chance=True)
        Q = _least_costs(P, c, 1.0)
        limit = float(Q[0, 0].min() + share)

        def cost(t: int, s: int, left: float, P: np.ndarray = P, c: np.ndarray = c, Q: np.ndarray = Q) -> float:
            """From state s with this slack, or budget, left."""
            if t == LENGTH:
                return 0.0
            least = Q[t, s].min()
            a = 0 if Q[t, s, 0] - (0.0 if broken else least) <= left else int(Q[t, s].argmin())
            after = left - (c[t, s, a] if broken else Q[t, s, a] - least)
            return c[t, s, a] + sum(P[t, s, a, n] * cost(t + 1, n, after) for n in range(STATES))

        found.append(sides(cost(0, 0, limit if broken else share), limit, 1e-9))
    return joined(found)
