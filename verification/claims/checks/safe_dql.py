"""Safe-DQL's lemmas and Theorem 9 on exact minimisers with exact, biased and noisy critics."""

from functools import cache
from typing import NamedTuple

import torch

from theory import bounds
from theory.cmdp.dense import FiniteCMDP
from theory.cmdp.families import make
from theory.cmdp.shapes import PerStateAction
from theory.evaluation import evaluate, occupancy
from theory.npg.safe_dql import Problem, Theorem9, biased_critics, minimise, reference_policy, theorem_9
from verification.checker.instances import generator, softmax_policy
from verification.claims.claim import Sides, joined, sides

CELLS = [
    (family, tightness, bias, cloning)
    for family in ("garnet", "dirichlet", "bandit", "deterministic")
    for tightness in (0.3, 0.6, 0.9)
    for bias in (-0.3, 0.0, 0.3)
    for cloning in ("reverse", "forward")
]


class Learned(NamedTuple):
    """A problem, its minimiser, and every term of Theorem 9 at it."""

    cmdp: FiniteCMDP
    problem: Problem
    policy: PerStateAction
    report: Theorem9


@cache
def learned(shifted: bool = True) -> tuple[Learned, ...]:
    """Minimisers on all cells; with `shifted` the data's states differ from the start states."""
    found = []
    for i, (family, tightness, bias, cloning) in enumerate(CELLS):
        cmdp = make(family, 3, 3, 0.6, tightness, range(20))
        mu = softmax_policy(cmdp, 5000 + i, 0.7)
        critics = biased_critics(cmdp, mu, bias, 0.05, seed=i)
        D = occupancy(cmdp, mu) if shifted else cmdp.rho
        problem = Problem(evaluate(cmdp, mu).Q_r, critics, mu, D, cmdp.budget, 0.3, 5.0, cloning)
        policy = minimise(problem)
        found.append(Learned(cmdp, problem, policy, theorem_9(cmdp, problem, policy)))
    return tuple(found)


def finite(left: torch.Tensor, right: torch.Tensor) -> Sides:
    """Where a reference policy exists; elsewhere Theorem 9 says nothing."""
    some = torch.isfinite(right)
    return sides(left[some], right[some], 1e-9)


def lemma_7(broken: bool) -> Sides:
    """Q_max pointwise, and its mean, against kappa + hinge; broken: the hinge of Q_max - 1/10."""
    found = []
    for x in learned():
        Q = x.problem.cost_critics.amax(1)
        kappa = x.problem.kappa[:, None, None]
        hinge = bounds.hinge(Q - (0.1 if broken else 0.0), kappa)
        mean = bounds.predicted_cost_bound(x.problem.kappa, x.report.expected_hinge)
        found += [
            sides(Q, torch.as_tensor(bounds.predicted_cost_bound(kappa, hinge)), 1e-12),
            sides(x.report.predicted, torch.as_tensor(mean), 1e-9),
        ]
    return joined(found)


def lemma_8(broken: bool) -> Sides:
    """E Q_c^pi against E Q_max + eps_c; broken: without eps_c."""
    found = []
    for x in learned():
        true = (x.problem.D[..., None] * x.policy * evaluate(x.cmdp, x.policy).Q_c).sum((1, 2))
        bound = bounds.true_cost_bound(x.report.predicted, 0.0 if broken else x.report.eps_c)
        found.append(sides(true, torch.as_tensor(bound), 1e-9))
    return joined(found)


@cache
def pressed() -> tuple[Learned, ...]:
    """Cells where the bound is nearly attained: a large penalty, too low critics, and a threshold that every state of
    the data can keep."""
    found = []
    for i, family in enumerate(("bandit", "dirichlet", "garnet")):
        cmdp = make(family, 2, 3, 0.6, 0.5, range(40))
        mu = softmax_policy(cmdp, 5500 + i, 0.7)
        critics = biased_critics(cmdp, mu, -0.3, 0.0, seed=i)
        kappa = critics.amax(1).amin(-1).amax(-1) + 0.05
        problem = Problem(evaluate(cmdp, mu).Q_r, critics, mu, cmdp.rho, kappa, 1.0, 500.0)
        policy = minimise(problem)
        found.append(Learned(cmdp, problem, policy, theorem_9(cmdp, problem, policy)))
    return tuple(found)


def theorem(broken: bool) -> Sides:
    """J_c against the bound; broken: without eps_c, where critics are too low."""
    if broken:
        return joined([finite(x.report.J_c, x.report.bound - x.report.eps_c) for x in pressed()])
    return joined([finite(x.report.J_c, x.report.bound) for x in (*learned(), *pressed())])


def sharp_theorem(broken: bool) -> Sides:
    """J_c against the bound with B_c TV, and that bound attained by two states that are never left; broken: without
    eps_c where critics are too low, and half of the shift."""
    tv = torch.linspace(0, 1, 11, dtype=torch.float64)
    shift = torch.as_tensor(bounds.occupancy_shift(1.0, tv, 0.5 if broken else 1.0))
    attained = sides(tv, shift, 1e-12)  # J_c = B_c TV: the state with the cost is not in the data
    if broken:
        return joined([attained, *(finite(x.report.J_c, x.report.bound_tight - x.report.eps_c) for x in pressed())])
    return joined([attained, *(finite(x.report.J_c, x.report.bound_tight) for x in (*learned(), *pressed()))])


def reference(broken: bool) -> Sides:
    """The hinge of theory.npg.safe_dql's reference policy where every state of the data allows one; broken:
    elsewhere."""
    found = []
    for x in learned():
        policy, exists = reference_policy(x.problem)
        hinge = (x.problem.D[..., None] * policy * x.problem.excess).sum((1, 2))
        found.append(sides(hinge[~exists if broken else exists], 0.0, 1e-12))
    return joined(found)


def shift_factor(broken: bool) -> Sides:
    """J_c against the bound with Delta_occ = B_c TV; the shift alone at attaining instances; broken: half of it."""
    rng = generator(40)
    mu_0, D = (torch.from_numpy(rng.dirichlet([0.5] * 4, 300)) for _ in range(2))
    V = torch.where(mu_0 > D, 1.0, 0.0).double()  # the worst values in [0, B_c] with B_c = 1
    tv = 0.5 * (mu_0 - D).abs().sum(-1)
    factor = 0.5 if broken else 1.0
    alone = sides(((mu_0 - D) * V).sum(-1), torch.as_tensor(bounds.occupancy_shift(1.0, tv, factor)), 1e-12)
    return alone if broken else joined([alone, *(finite(x.report.J_c, x.report.bound_tight) for x in learned())])


def printed_shift(broken: bool) -> Sides:
    """|E_{mu_0} V - E_D V| against 2 B_c TV for random V in [0, B_c]; broken: a quarter of it."""
    rng = generator(41)
    mu_0, D = (torch.from_numpy(rng.dirichlet([0.5] * 4, 2000)) for _ in range(2))
    V = torch.from_numpy(rng.uniform(0, 1, (2000, 4)))
    tv = 0.5 * (mu_0 - D).abs().sum(-1)
    factor = 0.5 if broken else 2.0
    return sides(((mu_0 - D) * V).sum(-1).abs(), torch.as_tensor(bounds.occupancy_shift(1.0, tv, factor)), 1e-12)


def without_coverage(broken: bool) -> Sides:
    """The bound where data and behaviour leave states and actions out; broken: without Delta_occ."""
    found = []
    for seed in range(6):
        cmdp = make("dirichlet", 3, 3, 0.6, 0.95, range(20))
        mu = softmax_policy(cmdp, 6000 + seed, 12.0)  # almost deterministic: no coverage, and KL(mu || pi) is huge
        D = torch.zeros_like(cmdp.rho)
        D[:, seed % 3] = 1
        critics = biased_critics(cmdp, mu, 0.0, 0.02, seed=seed)
        kappa = critics.amax(1)[:, seed % 3].amin(-1) + 0.01
        problem = Problem(evaluate(cmdp, mu).Q_r, critics, mu, D, kappa, 0.001, 500.0)
        policy = minimise(problem)
        report = theorem_9(cmdp, problem, policy)
        B_c = cmdp.c.amax((1, 2)) / (1 - cmdp.gamma)
        tv = 0.5 * (cmdp.rho - D).abs().sum(-1)
        shift = torch.as_tensor(bounds.occupancy_shift(B_c, tv))
        found.append(finite(report.J_c, report.bound - shift if broken else report.bound))
    return joined(found)
