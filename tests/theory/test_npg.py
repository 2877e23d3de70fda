"""The natural gradient by its closed form, by the Fisher pseudo-inverse and by autograd; the printed form refuted."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.theory.strategies import FEW, SETTINGS, Recipe, policy_for, recipes
from theory import FiniteCMDP
from theory.adaptation import in_conflict
from theory.cmdp.dense import concatenate
from theory.evaluation import evaluate
from theory.npg.npg import fisher_matrix, inner_products, metric_codes, natural_gradient, npg_step, policy_gradient

GAMMAS = (0.0, 0.3, 0.5, 0.9)


def differentiable_value(cmdp: FiniteCMDP, theta: torch.Tensor) -> torch.Tensor:
    policy = torch.softmax(theta, -1)
    V = cmdp.solve(policy, (policy * cmdp.r).sum(-1, keepdim=True)).squeeze(-1)
    return (cmdp.rho * V).sum(-1)


@FEW
@given(recipes(gammas=GAMMAS), st.integers(0, 1000))
def test_policy_gradient_is_autograd_s(recipe: Recipe, seed: int) -> None:
    cmdp = recipe.make()
    theta = policy_for(cmdp, seed, spread=1.0).log().requires_grad_()
    (by_autograd,) = torch.autograd.grad(differentiable_value(cmdp, theta).sum(), theta)
    policy = torch.softmax(theta.detach(), -1)
    values = evaluate(cmdp, policy)
    torch.testing.assert_close(
        policy_gradient(values, policy, values.A_r, cmdp.gamma), by_autograd, rtol=1e-9, atol=1e-11
    )


@FEW
@given(recipes(gammas=GAMMAS), st.integers(0, 1000))
def test_closed_form_equals_the_explicit_fisher_inverse(recipe: Recipe, seed: int) -> None:
    cmdp = recipe.make()
    policy = policy_for(cmdp, seed, spread=0.7)
    values = evaluate(cmdp, policy)
    gradient = policy_gradient(values, policy, values.A_r, cmdp.gamma)
    eta = torch.full((cmdp.batch,), 0.1, dtype=torch.float64)
    explicit = torch.log_softmax(policy.log() + 0.1 * natural_gradient(cmdp, policy, gradient), -1)
    closed = npg_step(policy.log(), values.A_r, eta, cmdp.gamma)
    visited = (values.d > 1e-9)[..., None]
    torch.testing.assert_close(
        torch.where(visited, explicit, 0.0), torch.where(visited, closed, 0.0), rtol=1e-7, atol=1e-7
    )
    from_Q = npg_step(policy.log(), values.Q_r, eta, cmdp.gamma)
    torch.testing.assert_close(from_Q, closed, rtol=1e-9, atol=1e-9)
    twice = npg_step(policy.log(), 2 * values.A_r, eta, cmdp.gamma)
    if float((values.A_r.abs() * policy).max()) > 1e-3:
        assert float((twice - closed).abs().max()) > 1e-6, "negative control"


def test_fisher_matrix_is_the_expected_outer_product_of_scores() -> None:
    cmdp = Recipe("dirichlet", 3, 2, 0.5, 0.5, 1, 1).make()
    theta = policy_for(cmdp, 3).log().requires_grad_()
    d, policy = evaluate(cmdp, torch.softmax(theta.detach(), -1)).d, torch.softmax(theta.detach(), -1)
    expected = torch.zeros(6, 6, dtype=torch.float64)
    for s in range(3):
        for a in range(2):
            (score,) = torch.autograd.grad(torch.log_softmax(theta, -1)[0, s, a], theta)
            expected += d[0, s] * policy[0, s, a] * torch.outer(score.flatten(), score.flatten())
    assert float(expected.abs().max()) > 0.01
    torch.testing.assert_close(fisher_matrix(d, policy)[0], expected, rtol=1e-12, atol=1e-14)


def test_fisher_matrix_weighted_by_rho_as_printed_never_learns() -> None:
    """rho = delta(s0), s0 -> s1, the only choice at s1: no step with rho-weights, one with the occupancy's."""
    P = torch.zeros(2, 2, 2, dtype=torch.float64)
    P[:, :, 1] = 1
    r = torch.tensor([[0.0, 0.0], [1.0, 0.0]])
    cmdp = FiniteCMDP(P, r, torch.zeros(2, 2), [1.0, 0.0], 0.5, 1.0)
    policy = cmdp.uniform_policy()
    values = evaluate(cmdp, policy)
    gradient = policy_gradient(values, policy, values.A_r, cmdp.gamma)
    assert float(gradient.abs().max()) > 0.1
    assert float(natural_gradient(cmdp, policy, gradient, "rho").abs().max()) < 1e-12
    proper = natural_gradient(cmdp, policy, gradient)[0, 1]
    assert proper[0].item() - proper[1].item() == pytest.approx(2.0, abs=1e-10)


@SETTINGS
@given(recipes(gammas=GAMMAS), st.integers(0, 1000))
def test_inner_products_in_the_fisher_and_euclidean_metric_are_those_of_the_gradients(
    recipe: Recipe, seed: int
) -> None:
    cmdp = recipe.make()
    policy = policy_for(cmdp, seed, spread=0.7)
    values = evaluate(cmdp, policy)
    g_r = policy_gradient(values, policy, values.A_r, cmdp.gamma).reshape(cmdp.batch, -1)
    g_c = policy_gradient(values, policy, -values.A_c, cmdp.gamma).reshape(cmdp.batch, -1)
    n_r, n_c = (natural_gradient(cmdp, policy, g.reshape(cmdp.r.shape)).reshape(cmdp.batch, -1) for g in (g_r, g_c))
    F = fisher_matrix(values.d, policy)
    pairs = {
        "euclidean": [(g_r * g_r).sum(-1), (g_r * g_c).sum(-1), (g_c * g_c).sum(-1)],
        "fisher": [torch.einsum("bi,bij,bj->b", p, F, q) for p, q in ((n_r, n_r), (n_r, n_c), (n_c, n_c))],
        "advantage": [
            (p * q).sum((1, 2))
            for p, q in ((values.A_r, values.A_r), (values.A_r, -values.A_c), (values.A_c, values.A_c))
        ],
    }
    for name, expected in pairs.items():
        products = inner_products(values, policy, cmdp.gamma, metric_codes([name] * cmdp.batch))
        for one, other in zip(products, expected, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("metric", ["fisher", "euclidean", "advantage"])
def test_a_gradient_that_is_rounding_has_no_direction(metric: str) -> None:
    """Of a signal that is the same everywhere the advantages are some 1e-16 of the values, and not 0."""
    cmdp = Recipe("dirichlet", 3, 3, 0.9, 0.5, 1, 4).make()
    policy, some, same = policy_for(cmdp, 3), 1e6 * cmdp.r, torch.full_like(cmdp.r, 3e5)

    def products(r: torch.Tensor, c: torch.Tensor) -> tuple[torch.Tensor, ...]:
        changed = FiniteCMDP(cmdp.P, r, c, cmdp.rho, cmdp.gamma, cmdp.budget)
        values = evaluate(changed, policy)
        assert values.A_r.any()
        assert values.A_c.any()
        return inner_products(values, policy, changed.gamma, metric_codes([metric] * changed.batch))

    for signals in ((some, same), (same, some)):
        rr, rc, cc = products(*signals)
        vanishing, other = (cc, rr) if signals[1] is same else (rr, cc)
        assert (other > 0).all()
        assert not vanishing.any()
        assert not rc.any()
    # Advantages of 1e-9 of the values are no rounding: this cost has the reward's direction.
    rr, rc, cc = products(some, same + 1e-9 * some)
    torch.testing.assert_close(rc, -1e-9 * rr, rtol=1e-4, atol=0)
    assert in_conflict(rr, rc, cc).all()


def test_each_cmdp_of_a_batch_has_its_own_metric() -> None:
    cmdp = Recipe("dirichlet", 3, 2, 0.5, 0.5, 1, 4).make().select(torch.tensor([0, 0, 0, 0]))
    policy = policy_for(cmdp.select(0), 3).expand(4, -1, -1)
    values = evaluate(cmdp, policy)
    codes = metric_codes(["fisher", "euclidean", "advantage", "q_vector"])
    together = inner_products(values, policy, cmdp.gamma, codes)
    for i in range(4):
        alone = inner_products(values, policy, cmdp.gamma, codes[i].expand(4))
        assert [x[i].item() for x in together] == [x[i].item() for x in alone]
    assert len({round(x, 9) for x in together[1].tolist()}) == 4


@pytest.mark.parametrize("metric", ["fisher", "euclidean", "advantage", "q_vector"])
def test_inner_products_do_not_depend_on_the_rest_of_the_batch(metric: str) -> None:
    """What is rounding is judged by a CMDP's own values: a neighbour with payoffs of 1e16 makes nothing vanish."""
    small = Recipe("dirichlet", 3, 3, 0.9, 0.5, 1, 1).make()
    large = FiniteCMDP(small.P, 1e16 * small.r, 1e16 * small.c, small.rho, small.gamma, small.budget)
    together, policy = concatenate([small, large]), policy_for(small, 3)
    policies = policy.expand(2, -1, -1)
    found = inner_products(evaluate(together, policies), policies, together.gamma, metric_codes([metric] * 2))
    alone = inner_products(evaluate(small, policy), policy, small.gamma, metric_codes([metric]))
    for one, other in zip(found, alone, strict=True):
        assert other.item() != 0
        torch.testing.assert_close(one[:1], other)
