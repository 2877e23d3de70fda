"""Every bound against the quantity it bounds, and the printed ones where they fail."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.theory.strategies import SETTINGS, Recipe, policy_for, recipes
from theory import bounds
from theory.cmdp.instances import named
from theory.evaluation import evaluate
from theory.npg.algorithms import configure, init, step
from theory.npg.npg import Metric, inner_products, metric_codes


def kl_both_ways(p: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
    """The largest of both divergences over states."""
    return torch.maximum((p * (p / q).log()).sum(-1), (q * (q / p).log()).sum(-1)).amax(-1)


@SETTINGS
@given(recipes(gammas=(0.0, 0.3, 0.5, 0.9, 0.99)), st.integers(0, 1000), st.sampled_from([0.05, 0.5, 2.0]))
def test_proposition_3_1_holds_and_half_of_its_excess_suffices(recipe: Recipe, seed: int, distance: float) -> None:
    cmdp = recipe.make()
    behaviour = policy_for(cmdp, seed, 1.0)
    policy = torch.softmax(behaviour.log() + distance * policy_for(cmdp, seed + 1, 3.0), -1)
    learned, V_b = evaluate(cmdp, policy), evaluate(cmdp, behaviour).J_c
    eps_adv = (behaviour * learned.A_c).sum(-1).amax(-1)
    c_max, eps_dist = cmdp.c.amax((1, 2)), kl_both_ways(policy, behaviour)
    printed = bounds.cost_upper_bound_printed(V_b, c_max, eps_adv, eps_dist, cmdp.gamma)
    tight = bounds.cost_upper_bound_tight(V_b, c_max, eps_adv, eps_dist, cmdp.gamma)
    rounding = 1e-9 * (1 + c_max) / (1 - cmdp.gamma)
    assert bool((learned.J_c <= tight + rounding).all())
    assert bool((tight - V_b <= (printed - V_b) / 2 + rounding).all())


def test_proposition_3_1_without_its_square_root_fails() -> None:
    """Negative control: eps_dist in place of sqrt(2 eps_dist) is no bound."""
    instance = named("absolute_value")
    near = torch.softmax(instance.other.log() + torch.tensor([0.0, 0.01]), -1)
    learned, V_b = evaluate(instance.cmdp, near), evaluate(instance.cmdp, instance.other).J_c
    eps_dist = kl_both_ways(near, instance.other)
    eps_adv = (instance.other * learned.A_c).sum(-1).amax(-1)
    assert learned.J_c > bounds.cost_upper_bound_printed(V_b, 1.0, eps_adv, eps_dist**2 / 2, 0.5)
    assert learned.J_c < bounds.cost_upper_bound_printed(V_b, 1.0, eps_adv, eps_dist, 0.5)


def test_the_terms_of_one_iteration_by_hand() -> None:
    """Two CMDPs with unequal occupancies, so that neither states nor CMDPs can stand for each other."""
    d = torch.tensor([[0.25, 0.75], [1.0, 0.0]], dtype=torch.float64)
    best = torch.tensor([[[1.0, 0.0], [0.5, 0.5]], [[0.2, 0.8], [0.9, 0.1]]], dtype=torch.float64)
    policy = torch.tensor([[[0.5, 0.5], [0.1, 0.9]], [[0.4, 0.6], [0.5, 0.5]]], dtype=torch.float64)
    u = torch.tensor([[[1.0, -2.0], [3.0, 7.0]], [[0.5, 0.0], [-1.0, 4.0]]], dtype=torch.float64)
    eta, gamma = torch.tensor([0.1, 0.3], dtype=torch.float64), torch.tensor([0.5, 0.9], dtype=torch.float64)
    kl, moment, error = [0.0, 0.0], [0.0, 0.0], [0.0, 0.0]
    for i in range(2):
        e, g = eta[i].item(), gamma[i].item()
        for s in range(2):
            weight, values = d[i, s].item(), u[i, s].tolist()
            pairs = list(zip(best[i, s].tolist(), policy[i, s].tolist(), values, strict=True))
            kl[i] += weight * sum(p * math.log(p / q) for p, q, _ in pairs if p)
            moment[i] += weight * math.log(sum(q * math.exp(e * v / (1 - g)) for _, q, v in pairs)) / e
            error[i] += weight * (max(values) - min(values)) / (1 - g)
    assert bounds.comparator_kl(d, best, policy.log()).tolist() == pytest.approx(kl)
    assert bounds.log_moment(d, policy.log(), u, eta, gamma).tolist() == pytest.approx(moment)
    assert bounds.critic_error_tight(d, u, gamma).tolist() == pytest.approx(error)
    assert bounds.hoeffding_remainder(0.1, 2.0, 3.0, 4.0, 0.5) == pytest.approx(0.1 * 5**2 * 4**2 / (8 * 0.5**4))


def test_the_aligned_lemma_fails_with_its_printed_sign_and_holds_corrected() -> None:
    instance = named("aligned_sign")
    cmdp, eta = instance.cmdp, 1e-3
    config = configure(1, 1, eta, h_plus=0.5, h_minus=0.45, metric=Metric.FISHER)
    state = init(cmdp, config, instance.policy)
    values, best = evaluate(cmdp, instance.policy), evaluate(cmdp, instance.other)
    fisher = inner_products(values, instance.policy, cmdp.gamma, metric_codes(["fisher"]))
    vectors = inner_products(values, instance.policy, cmdp.gamma, metric_codes(["advantage"]))
    assert fisher[1] > 0 > vectors[1], "aligned in the Fisher metric, in conflict as advantage vectors"
    after, info = step(cmdp, config, state)
    assert info.weights.x.item() == info.weights.y.item() == 0.5
    drop = bounds.comparator_kl(best.d, instance.other, state.log_policy) - bounds.comparator_kl(
        best.d, instance.other, after.log_policy
    )
    right = bounds.iteration_printed(drop, eta, S=1, A=3, M=1.0, gamma=0.5)
    reward, cost = best.J_r - values.J_r, best.J_c - values.J_c
    assert 0.5 * reward + 0.5 * cost > right
    assert 0.5 * reward - 0.5 * cost <= right


def test_hoeffding_s_remainder_takes_the_range_of_negative_rewards() -> None:
    one = torch.ones(1, dtype=torch.float64)
    policy, advantage, eta = torch.full((1, 1, 2), 0.5).double(), torch.tensor([[[-1.0, 1.0]]]).double(), 0.1 * one
    moment = bounds.log_moment(one[:, None], policy.log(), advantage, eta, 0 * one)
    assert float(moment) > bounds.hoeffding_remainder(0.1, 1.0, 0.0, M=1.0, gamma=0.0), "the largest |r|"
    assert float(moment) <= bounds.hoeffding_remainder(0.1, 1.0, 0.0, M=2.0, gamma=0.0)


def test_corrected_constants_fit_together() -> None:
    kl, S, A, gamma, T, M = 0.9, 3, 2, 0.5, 5000, 1.5
    K = bounds.remainder_constant(M, gamma, pairs=S * A)
    eta = bounds.best_eta(kl, K, T)
    R = bounds.regret(kl, eta, K, T)
    assert bounds.gap_corrected(R, T) == pytest.approx(bounds.gap_at_best_eta(kl, S, A, gamma, T, M), rel=1e-12)
    assert pytest.approx(bounds.gap_corrected(R, T), rel=1e-12) == 2 * R / T
    assert bounds.gap_corrected(R, T, least_weight=1.0) == pytest.approx(R / T)
    for other in (0.9 * eta, 1.1 * eta):
        assert bounds.regret(kl, other, K, T) > R
    assert bounds.remainder_constant(M, gamma) == pytest.approx(M**2 / 8 / (1 - gamma) ** 4)
    assert bounds.remainder_constant(M, gamma, max_weight=1.0) == pytest.approx(M**2 / 2 / (1 - gamma) ** 4)
    assert pytest.approx(M**2 * S * A / 4 / (1 - gamma) ** 4) == K
    assert bounds.h_plus_corrected(R, T) == pytest.approx(R / T)
    first = bounds.gap_first_version(kl, eta / 2**0.5, S, A, gamma, T, M)
    assert first == pytest.approx(8**0.5 * bounds.gap_corrected(R, T), rel=1e-12)
    assert bounds.gap_a_posteriori(R, 1.0, 2.0, 10.0) == pytest.approx((R + 3) / 10)


def test_printed_constants() -> None:
    S, A, gamma, eps, M = 2, 3, 0.5, 0.7, 1.0
    eta = bounds.eta_printed(S, A, gamma, eps, M)
    assert eta == pytest.approx((eps * (1 - gamma) ** 3 / (2 * eta * S * A * M**2)) ** 0.5, rel=1e-12)
    T = bounds.h_plus_informative_from(S, A, gamma, eps, M)
    assert bounds.h_plus_printed(S, A, gamma, T, eps, M) == pytest.approx(M / (1 - gamma), rel=1e-12)
    assert bounds.gap_47_printed(0.1, S, A, gamma, 100, eps, M) == pytest.approx(4 / 100 * (7 + 0.2 * 6 * 100 / 0.125))
    assert bounds.gap_48_printed(0.1, S, A, gamma, 100, M) == pytest.approx((32 * 1.2 / 12.5) ** 0.5)
    extra = bounds.gap_47_printed(0.1, S, A, gamma, 100, eps, M, eps_offline=0.01, C=2)
    assert extra - bounds.gap_47_printed(0.1, S, A, gamma, 100, eps, M) == pytest.approx(4 * 6 * 1.1 * 0.01 / 0.25)
    assert bounds.violation_49_printed(0.3, 0.1) == pytest.approx(0.8)


@SETTINGS
@given(recipes(gammas=(0.3, 0.5, 0.9)), st.integers(0, 1000))
def test_tight_critic_error_covers_what_a_wrong_critic_can_cost(recipe: Recipe, seed: int) -> None:
    """|E_{d*} sum_a (pi* - pi) (Q - Q_hat)| / (1-gamma) is at most the tight term, and can exceed its half."""
    cmdp = recipe.make()
    comparator, policy = policy_for(cmdp, seed, 4.0), policy_for(cmdp, seed + 1, 4.0)
    d = evaluate(cmdp, comparator).d
    error = policy_for(cmdp, seed + 2, 1.0) - 0.5
    cost = (d[..., None] * (comparator - policy) * error).sum((1, 2)) / (1 - cmdp.gamma)
    tight = bounds.critic_error_tight(d, error, cmdp.gamma)
    assert bool((cost.abs() <= tight + 1e-12).all())
    aimed = torch.where(comparator > policy, 1.0, 0.0).double()
    worst = (d[..., None] * (comparator - policy) * aimed).sum((1, 2)) / (1 - cmdp.gamma)
    assert bool((worst <= bounds.critic_error_tight(d, aimed, cmdp.gamma) + 1e-12).all())


def test_the_tight_bound_by_hand() -> None:
    """delta = 1/2, so the span of Q_c is at most (1 - .8 / 2) / .2 = 3, times sqrt(.02 / 2) = .1, times 1 / .2."""
    assert bounds.cost_upper_bound_tight(2.0, 1.0, -0.5, 0.02, 0.8).item() == pytest.approx(2 + 3 * 0.1 / 0.2)  # pyright: ignore[reportAttributeAccessIssue]
    assert bounds.cost_upper_bound_tight(2.0, 1.0, 0.5, 0.02, 0.8).item() == pytest.approx(2 + 5 * 0.1 / 0.2)  # pyright: ignore[reportAttributeAccessIssue]
