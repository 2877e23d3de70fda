"""left/right of every inequality that is searched, differentiable, through the project's own evaluation and bounds."""

import torch
from torch import Tensor

from theory import bounds
from theory.adaptation import manipulation_weights
from theory.evaluation import evaluate
from theory.npg.algorithms import configure, init, step
from theory.npg.npg import inner_products, metric_codes
from theory.npg.outputs import iteration_weights
from theory.npg.safe_dql import Problem, minimise, theorem_9
from theory.optimum import best_response, solve
from verification.claims.proposition import divergences
from verification.search.space import Point


def moment(at: Point, d_star: Tensor, u: Tensor) -> Tensor:
    return bounds.log_moment(d_star, at.policies[0].log(), u, at.eta, at.cmdp.gamma)


def remainder(at: Point) -> Tensor:
    """2 eta S A M^2/(1-gamma)^3 with M = 1, which is at least the largest payoff here."""
    return torch.as_tensor(bounds.iteration_printed(0.0, at.eta, at.cmdp.states, at.cmdp.actions, 1.0, at.cmdp.gamma))


def safe_lemma(at: Point) -> Tensor:
    """(40): I0 leaves log moment <= remainder. The comparator is the reward's optimum; nothing costs."""
    with torch.no_grad():
        best, _ = best_response(at.cmdp, at.cmdp.r)
    return moment(at, evaluate(at.cmdp, best).d, evaluate(at.cmdp, at.policies[0]).A_r) / remainder(at)


def first_action(at: Point) -> Tensor:
    """The policy that always takes action 0, which a reward of 1 for that action makes optimal."""
    return torch.zeros_like(at.cmdp.r).index_fill(-1, torch.tensor([0]), 1.0)


def unsafe_lemma(at: Point) -> Tensor:
    """(41) as printed: I0 with y = 1 leaves log moment <= remainder + 2 (V_c^t - V_c*), in the unsafe region."""
    now, best = evaluate(at.cmdp, at.policies[0]), evaluate(at.cmdp, first_action(at))
    excess = now.J_c - best.J_c
    ratio = moment(at, best.d, -now.A_c) / (remainder(at) + 2 * excess.clamp(min=0))
    return torch.where(excess > 0, ratio, -1 + excess)


def conflict_lemma(at: Point) -> Tensor:
    """(43) against the optimum at the budget V_c^t: I0 leaves log moment <= (x + y) remainder + 2 y (V_c^t - V_c*).

    Weights in the Fisher metric.
    """
    now = evaluate(at.cmdp, at.policies[0])
    with torch.no_grad():
        optimum = solve(at.cmdp.with_budget(now.J_c.detach()))
    rr, rc, cc = inner_products(now, at.policies[0], at.cmdp.gamma, metric_codes(["fisher"] * at.cmdp.batch))
    x, y = manipulation_weights(rr, rc, cc)
    u = x[:, None, None] * now.A_r - y[:, None, None] * now.A_c
    slack = (now.J_c.detach() - optimum.cost).clamp(min=0)
    ratio = moment(at, optimum.occupancy.sum(-1), u) / ((x + y) * remainder(at) + 2 * y * slack)
    return torch.where(rc < 0, ratio, -rc)


def mixture(at: Point) -> Tensor:
    """V_c of the state-wise mixture over the larger of both costs."""
    one, two = at.policies
    costs = [evaluate(at.cmdp, pi).J_c for pi in (one, two)]
    return evaluate(at.cmdp, (one + two) / 2).J_c / torch.maximum(*costs)


def common_ascent(at: Point) -> Tensor:
    """S2: the least 1 - cosine (in the Fisher metric) of g_r with the direction manipulated in the three metrics."""
    parts = [ascent_in(at, metric) for metric in ("euclidean", "advantage", "q_vector")]
    return torch.stack(parts).amin(0)


def ascent_in(at: Point, metric: str) -> Tensor:
    """1 - cosine of g_r with the direction manipulated in one metric; below 0 where the gradients are aligned."""
    now, pi = evaluate(at.cmdp, at.policies[0]), at.policies[0]
    rr, rc, cc = inner_products(now, pi, at.cmdp.gamma, metric_codes([metric] * at.cmdp.batch))
    x, y = manipulation_weights(rr, rc, cc)
    u = x[:, None, None] * now.A_r - y[:, None, None] * now.A_c
    visits = now.d[..., None] * pi

    def inner(a: Tensor, b: Tensor) -> Tensor:
        return (visits * a * b).sum((1, 2))

    u = u - (pi * u).sum(-1, keepdim=True)
    cosine = inner(u, now.A_r) / (inner(u, u) * inner(now.A_r, now.A_r)).sqrt().clamp(min=1e-12)
    return torch.where(rc < 0, 1 - cosine, -rc.clamp(max=1.0))


def proposition(at: Point, tight: bool = False) -> Tensor:
    """The excess of P1 or P1t: policy 0 learned, policy 1 behaviour."""
    pi, b = at.policies
    learned, behaviour = evaluate(at.cmdp, pi), evaluate(at.cmdp, b)
    eps_adv = (b * learned.A_c).sum(-1).amax(-1)
    eps_dist = torch.maximum(*divergences(pi, b)).amax(-1)
    bound = bounds.cost_upper_bound_tight if tight else bounds.cost_upper_bound_printed
    right = bound(0.0, at.cmdp.c.amax((1, 2)), eps_adv, eps_dist, at.cmdp.gamma)
    return (learned.J_c - behaviour.J_c) / right


def sharpened(at: Point) -> Tensor:
    return proposition(at, tight=True)


def term_one(at: Point) -> Tensor:
    """Eq. (33) from end to end."""
    pi, b = at.policies
    learned = evaluate(at.cmdp, pi)
    eps_dist = torch.maximum(*divergences(pi, b)).amax(-1)
    left = (learned.d * (b * learned.A_c).sum(-1)).sum(-1).abs() / (1 - at.cmdp.gamma)
    return left * (1 - at.cmdp.gamma) ** 2 / (at.cmdp.c.amax((1, 2)) * (2 * eps_dist).sqrt())


def hoeffding(at: Point) -> Tensor:
    """I1 with x = 1, y = 0, M = 1; the comparator is policy 1."""
    d_star = evaluate(at.cmdp, at.policies[1]).d
    left = moment(at, d_star, evaluate(at.cmdp, at.policies[0]).A_r)
    return left / bounds.hoeffding_remainder(at.eta, 1.0, 0.0, 1.0, at.cmdp.gamma)


def critic_error(at: Point) -> Tensor:
    """L40c with a free error; policy 1 is the comparator."""
    pi, best = at.policies
    error, d = at.extras[0], evaluate(at.cmdp, best).d
    left = (d[..., None] * (best - pi) * error).sum((1, 2)) / (1 - at.cmdp.gamma)
    return left * (1 - at.cmdp.gamma) ** 2 / (3 * error.square().sum((1, 2)).sqrt())


def jensen(at: Point) -> Tensor:
    """C4: E_rho min_a Q against min_a E_rho Q, the states being the outcomes of the noise."""
    Q = at.extras[0]
    return (at.cmdp.rho * Q.amin(-1)).sum(-1) / (at.cmdp.rho[..., None] * Q).sum(1).amin(-1)


def hinge(at: Point) -> Tensor:
    """D7 with kappa = 1/2."""
    Q, pi = at.extras[0], at.policies[0]
    weight = at.cmdp.rho[..., None] * pi
    right = bounds.predicted_cost_bound(0.5, (weight * bounds.hinge(Q, 0.5)).sum((1, 2)))
    return (weight * Q).sum((1, 2)) / right


def predicted(at: Point) -> Tensor:
    """D8 with one free critic."""
    pi = at.policies[0]
    Q, guess = evaluate(at.cmdp, pi).Q_c, at.extras[0] / (1 - at.cmdp.gamma)[:, None, None]
    weight = at.cmdp.rho[..., None] * pi
    eps = (Q - guess).amax((1, 2)).clamp(min=0)
    return (weight * Q).sum((1, 2)) / bounds.true_cost_bound((weight * guess).sum((1, 2)), eps)


def theorem_of_safe_dql(at: Point) -> Tensor:
    """D9: behaviour is policy 0, the data's states are rho, kappa just allows an action everywhere, lambda = 50."""
    mu = at.policies[0]
    critics = at.extras[0][:, None] / (1 - at.cmdp.gamma)[:, None, None, None]
    kappa = critics.amax(1).amin(-1).amax(-1) + 1e-6
    problem = Problem(evaluate(at.cmdp, mu).Q_r, critics, mu, at.cmdp.rho, kappa, 0.01, 50.0)
    report = theorem_9(at.cmdp, problem, minimise(problem))
    return report.J_c / report.bound


def shift(at: Point, factor: float = 2.0) -> Tensor:
    """D10: V of policy 0 under rho and under the data's states, the occupancy of policy 1."""
    V, D = evaluate(at.cmdp, at.policies[0]).V_c, evaluate(at.cmdp, at.policies[1]).d
    B_c = at.cmdp.c.amax((1, 2)) / (1 - at.cmdp.gamma)
    tv = 0.5 * (at.cmdp.rho - D).abs().sum(-1)
    ratio = ((at.cmdp.rho - D) * V).sum(-1) / bounds.occupancy_shift(B_c, tv.clamp(min=1e-6), factor)
    return torch.where(tv > 1e-6, ratio, tv)  # below that both sides are rounding


def sharp_shift(at: Point) -> Tensor:
    return shift(at, 1.0)


def corrected_theorem(at: Point, steps: int = 30) -> Tensor:
    """TC: the gap to policy 1, whose cost is the budget, over 2R/T, in A-space; the start is uniform."""
    comparator = evaluate(at.cmdp, at.policies[1])
    cmdp = at.cmdp.with_budget(comparator.J_c)
    uniform = cmdp.uniform_policy()
    kl = bounds.comparator_kl(comparator.d, at.policies[1], uniform.log())
    K = bounds.remainder_constant(1.0, cmdp.gamma, pairs=cmdp.states * cmdp.actions)
    eta = torch.as_tensor(bounds.best_eta(kl, K, steps))
    R = bounds.regret(kl, eta, K, steps)
    config = configure(cmdp.batch, steps, eta.detach(), h_plus=torch.as_tensor(bounds.h_plus_corrected(R, steps)))
    state, weight, reward = init(cmdp, config), 0.0, 0.0
    for _ in range(steps):
        state, info = step(cmdp, config, state)
        w = iteration_weights(info)[:, 0]
        weight, reward = weight + w, reward + w * info.critic.J_r
    gap = comparator.J_r - reward / weight
    return gap / bounds.gap_corrected(torch.as_tensor(R), steps)
