r"""Right-hand sides of the papers' bounds, one function each, every constant explicit.

All arguments may be floats or tensors that broadcast. Common symbols: S, A numbers of states and actions; r and c lie
in [0, M]; `kl` stands for E_{d*} KL(pi* || pi), d* the comparator's normalised occupancy; `kl_drop` for
E_{d*}[KL(pi*||pi_t) - KL(pi*||pi_{t+1})]; eps_offline bounds the critic error; values are unnormalised.
Equation numbers are those of the DRCORL preprint unless said otherwise. A name ending in `_printed` is the paper's
statement, whether true or not; the docstring of a corrected one states the correction.
"""

import torch
from jaxtyping import Float64
from torch import Tensor

from theory.cmdp.shapes import PerCMDP, PerState, PerStateAction

Real = float | int | Tensor


# Proposition 3.1 ------------------------------------------------------------------------------------------------------


def cost_upper_bound_printed(V_c_behaviour: Real, c_max: Real, eps_adv: Real, eps_dist: Real, gamma: Real) -> Real:
    """Eq. (13): V_c^pi <= V_c^pi_b + (c_max + gamma eps_adv) sqrt(2 eps_dist) / (1-gamma)^2.

    eps_adv = max_s E_{a ~ pi_b} A_c^pi(s, a); eps_dist bounds KL(pi||pi_b) and KL(pi_b||pi) in every state.
    """
    return V_c_behaviour + (c_max + gamma * eps_adv) * (2 * eps_dist) ** 0.5 / (1 - gamma) ** 2


def cost_upper_bound_tight(V_c_behaviour: Real, c_max: Real, eps_adv: Real, eps_dist: Real, gamma: Real) -> Real:
    """Ours, at most half of Eq. (13)'s excess: V_c^pi_b + (c_max - gamma delta) sqrt(eps_dist/2) / (1-gamma)^2.

    delta = max(0, -eps_adv). Proof: V_c^pi - V_c^pi_b = E_{d^pi_b} sum_a (pi - pi_b) Q_c^pi / (1-gamma), the span of
    Q_c^pi is at most (c_max - gamma delta)/(1-gamma), and TV <= sqrt(eps_dist/2) by Pinsker. Where delta = 0 two bounds
    of the ledger are sharper: c_max sqrt(eps_dist/2)/(1-gamma)^{3/2}, of the right power in 1-gamma (claim P1s), and
    c_max tau/((1-gamma) (1 - gamma (1-tau))) with tau = max_s TV(pi, pi_b), which is attained (P1v).
    """
    delta = torch.as_tensor(-eps_adv, dtype=torch.float64).clamp(min=0)
    return V_c_behaviour + (c_max - gamma * delta) * (eps_dist / 2) ** 0.5 / (1 - gamma) ** 2


# One iteration --------------------------------------------------------------------------------------------------------


def comparator_kl(d_star: PerState, pi_star: PerStateAction, log_policy: PerStateAction) -> PerCMDP:
    """E_{s ~ d*} KL(pi*(.|s) || pi(.|s)), with 0 log 0 = 0."""
    return (d_star[..., None] * (torch.special.xlogy(pi_star, pi_star) - pi_star * log_policy)).sum((1, 2))


def log_moment(
    d_star: PerState, log_policy: PerStateAction, u: PerStateAction, eta: PerCMDP, gamma: PerCMDP
) -> PerCMDP:
    """E_{d*}[(1/eta) log E_{pi_t} exp(eta u / (1-gamma))]: all that the per-iteration lemmas are about.

    With u = x A_r - y A_c the identity  x (V_r* - V_r^t) + y (V_c^t - V_c*) = kl_drop / eta + log_moment  is exact.
    """
    step = (eta / (1 - gamma))[:, None, None]
    return (d_star * torch.logsumexp(log_policy + step * u, dim=-1)).sum(-1) / eta


def hoeffding_remainder(eta: Real, x: Real, y: Real, M: Real, gamma: Real) -> Real:
    """log_moment <= eta (x+y)^2 M^2 / (8 (1-gamma)^4), by Hoeffding's lemma: u has range (x+y) M / (1-gamma).

    For r and c in [0, M] and x, y >= 0. Where r is negative somewhere M is the larger of the ranges max - min of r and
    c: |r| <= M is not enough (r = (-1, 1), gamma = 0, x = 1, y = 0, eta = 1/10 has .0499 > 1/80).
    """
    return eta * (x + y) ** 2 * M**2 / (8 * (1 - gamma) ** 4)


def iteration_printed(
    kl_drop: Real, eta: Real, S: Real, A: Real, M: Real, gamma: Real, critic_error: Real = 0.0, factor: Real = 1.0
) -> Real:
    """The common right-hand side of Eqs. (40) to (43).

    kl_drop/eta + 2 eta S A M^2 factor / (1-gamma)^3 + 3 (1 + eta M) critic_error / (1-gamma)^2, where factor is x + y
    in (43) (the proof needs its square), else 1, and critic_error is |Q - Q_hat|_2 of the reward in (40), of the cost
    in (41), and half their sum in (42) and (43). The left-hand sides are V_r* - V_r^t (40), V_c* - V_c^t (41), the mean
    of the two (42), and their sum with weights x, y (43).
    """
    remainder = 2 * eta * S * A * M**2 * factor / (1 - gamma) ** 3
    return kl_drop / eta + remainder + 3 * (1 + eta * M) * critic_error / (1 - gamma) ** 2


def critic_error_tight(d_star: PerState, error: PerStateAction, gamma: PerCMDP) -> PerCMDP:
    """What the critic's error can cost one iteration: E_{d*} span_a(Q - Q_hat) / (1-gamma)."""
    return (d_star * (error.amax(-1) - error.amin(-1))).sum(-1) / (1 - gamma)


# Theorem 3.1 as printed -----------------------------------------------------------------------------------------------


def h_plus_printed(S: Real, A: Real, gamma: Real, T: Real, eps_dist: Real, M: Real) -> Real:
    """The slack below Eq. (45): 2 sqrt(S A / ((1-gamma)^3 T)) (eps_dist + 4 M^2 + 6 M)."""
    return 2 * (S * A / ((1 - gamma) ** 3 * T)) ** 0.5 * (eps_dist + 4 * M**2 + 6 * M)


def h_plus_informative_from(S: Real, A: Real, gamma: Real, eps_dist: Real, M: Real) -> Real:
    """The T at which the printed h+ falls to M/(1-gamma), the range of V_c; below it no policy is ever unsafe."""
    return 4 * S * A * (eps_dist + 4 * M**2 + 6 * M) ** 2 / ((1 - gamma) * M**2)


def eta_printed(S: Real, A: Real, gamma: Real, eps_dist: Real, M: Real) -> Real:
    """The step size above Eq. (48) at eps_offline = 0, solved for eta, which its right-hand side contains.

    eta = sqrt(eps_dist (1-gamma)^3 / (2 eta S A M^2)), hence eta^3 = eps_dist (1-gamma)^3 / (2 S A M^2): free of T.
    """
    return (eps_dist * (1 - gamma) ** 3 / (2 * S * A * M**2)) ** (1 / 3)


def gap_47_printed(
    eta: Real, S: Real, A: Real, gamma: Real, T: Real, eps_dist: Real, M: Real, eps_offline: Real = 0.0, C: Real = 1.0
) -> Real:
    """Eq. (47): (4/T) (eps_dist/eta + 2 eta S A M^2 T/(1-gamma)^3 + 3 C T (1 + eta M) eps_offline/(1-gamma)^2)."""
    remainder = 2 * eta * S * A * M**2 * T / (1 - gamma) ** 3
    critic = 3 * C * T * (1 + eta * M) * eps_offline / (1 - gamma) ** 2
    return 4 / T * (eps_dist / eta + remainder + critic)


def gap_48_printed(
    eta: Real, S: Real, A: Real, gamma: Real, T: Real, M: Real, eps_offline: Real = 0.0, C: Real = 1.0
) -> Real:
    """Eq. (48): sqrt(32 (2 eta S A M^2 + 3 (1 + eta M) (1-gamma) eps) / ((1-gamma)^3 T)) + 3 C eps / (1-gamma)^2."""
    inner = 2 * eta * S * A * M**2 + 3 * (1 + eta * M) * (1 - gamma) * eps_offline
    return (32 * inner / ((1 - gamma) ** 3 * T)) ** 0.5 + 3 * C * eps_offline / (1 - gamma) ** 2


def violation_49_printed(h_plus: Real, eps_offline: Real = 0.0) -> Real:
    """Eq. (49): V_c - b <= 2 h+ + 2 eps_offline."""
    return 2 * h_plus + 2 * eps_offline


# Theorem 3.1 corrected ------------------------------------------------------------------------------------------------


def remainder_constant(M: Real, gamma: Real, pairs: Real | None = None, max_weight: Real | None = None) -> Real:
    """K such that one iteration's log_moment is at most eta K, for r and c in [0, M].

    pairs = S A: projection in A- or Q-space, where |u|_2^2 <= (|g_r|^2 + |g_c|^2)/2 <= S A M^2 / (1-gamma)^2, and two
    entries of u differ by at most sqrt(2) |u|_2: K = S A M^2 / (4 (1-gamma)^4);
    max_weight = X: weights clipped at X each, x + y <= 2 X: K = 4 X^2 M^2 / (8 (1-gamma)^4);
    neither: x + y = 1 (CRPO): K = M^2 / (8 (1-gamma)^4).
    Unclipped projections need a K that grows with S A (claim TCs, machine-checked); the other two do not.
    """
    if pairs is not None:
        return pairs * M**2 / (4 * (1 - gamma) ** 4)
    total = 1.0 if max_weight is None else 2 * max_weight
    return hoeffding_remainder(1.0, total, 0.0, M, gamma)


def best_eta(kl: Real, K: Real, T: Real) -> Real:
    """The step size that minimises R: sqrt(kl / (T K))."""
    return (kl / (T * K)) ** 0.5


def regret(kl: Real, eta: Real, K: Real, T: Real) -> Real:
    """R = kl/eta + eta T K, which bounds sum_t x_t (V_r* - V_r^t) + y_t (V_c^t - V_c*)."""
    return kl / eta + eta * T * K


def h_plus_corrected(R: Real, T: Real) -> Real:
    """h+ = R / T, with h- = 0: the least slack of the corrected theorem (claim TC, machine-checked)."""
    return R / T


def gap_corrected(R: Real, T: Real, least_weight: Real = 0.5) -> Real:
    """gap <= R / (least_weight T) of the trajectory mixture with weights x_t: 2 R/T, or R/T for CRPO (weights 1).

    For any slack h+ >= R/T. With w = least_weight every iteration has y_t (V_c^t - V_c*) >= h+ (1 - x_t/w): unsafe ones
    since x_t = 0, y_t = 1 and V_c^t - V_c* > h+, all others since x_t >= w. Hence G + h+ (T - X/w) <= R for the sums G
    of x_t (V_r* - V_r^t) and X of x_t. Where T > X/w this gives G <= R X/(w T); otherwise G <= R does, as the cost
    terms are not negative. The violation is at most h+, by the choice of regions.
    """
    return R / (least_weight * T)


def gap_at_best_eta(kl: Real, S: Real, A: Real, gamma: Real, T: Real, M: Real) -> Real:
    """2 M sqrt(kl S A / T) / (1-gamma)^2: 2R/T at the best eta, projection in A- or Q-space."""
    return 2 * M * (kl * S * A / T) ** 0.5 / (1 - gamma) ** 2


def gap_first_version(kl: Real, eta: Real, S: Real, A: Real, gamma: Real, T: Real, M: Real) -> Real:
    """4 R/T with h+ = 2 R/T and K = S A M^2 / (2 (1-gamma)^4): the constants of this project's first proof (claim TC4).

    True, and 2 sqrt(2) times `gap_at_best_eta` at its own best step size.
    """
    return 4 * regret(kl, eta, 2 * remainder_constant(M, gamma, pairs=S * A), T) / T


def gap_a_posteriori(R: Real, critic_errors: Real, gate_errors: Real, sum_x: Real) -> Real:
    """(R + critic_errors + gate_errors) / sum_t x_t, valid where |J_c_hat - J_c| never exceeds h+ while unsafe.

    critic_errors = sum_t critic_error_tight of x_t Q_r - y_t Q_c; gate_errors = sum of y_t |J_c_hat - J_c| over the
    iterations with manipulated gradients; both zero with exact critics.
    """
    return (R + critic_errors + gate_errors) / sum_x


# Safe-DQL -------------------------------------------------------------------------------------------------------------


def hinge(Q: Float64[Tensor, "*shape"], kappa: Real) -> Float64[Tensor, "*shape"]:
    """ReLU(Q - kappa), the penalty of Safe-DQL's Eq. (1); Lemma 7: Q <= kappa + hinge(Q)."""
    return (Q - kappa).clamp(min=0)


def predicted_cost_bound(kappa: Real, expected_hinge: Real) -> Real:
    """Safe-DQL, Lemma 7: E Q_max <= kappa + E ReLU(Q_max - kappa)."""
    return kappa + expected_hinge


def true_cost_bound(predicted: Real, eps_c: Real) -> Real:
    """Safe-DQL, Lemma 8: E Q_c^pi <= E Q_max + eps_c, if one critic is below the truth by at most eps_c anywhere."""
    return predicted + eps_c


def safe_dql_bound(
    kappa: Real, eps_c: Real, bc_loss: Real, penalty: Real, eta: Real, B_r: Real, shift: Real, suboptimality: Real = 0.0
) -> Real:
    """Safe-DQL, Theorem 9: J_c <= kappa + eps_c + L_d(pi_0)/lambda + 2 eta B_r/lambda + Delta_occ.

    With `occupancy_shift(..., factor=1)` for Delta_occ every term is attained (claim D9t).

    penalty = lambda; bc_loss = L_d(pi_0) of a policy with zero hinge; shift = Delta_occ; a minimiser that is only
    `suboptimality` close adds suboptimality/lambda.
    """
    return kappa + eps_c + (bc_loss + 2 * eta * B_r + suboptimality) / penalty + shift


def occupancy_shift(B_c: Real, tv: Real, factor: float = 2.0) -> Real:
    """Safe-DQL, Theorem 9: Delta_occ = 2 B_c TV(mu_0, D_S) as printed; factor = 1 suffices, for 0 <= Q_c <= B_c."""
    return factor * B_c * tv
