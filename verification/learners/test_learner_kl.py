r"""The reverse-KL gradient of deep.methods.drcorl.score against closed form, quadrature and autograd, with exact
scores.

Behaviour: a Gaussian, or a mixture of Gaussians, diagonal; its noised score comes from autograd of the log-density. The
policy N(m, diag s^2) enters by samples a = m + s z, and expectations over z and eps are Gauss-Hermite sums
(`verification.lattice.mixtures`), so that no tolerance covers for sampling.
"""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from verification.lattice.mixtures import Mixture, at_level, kl_gradient


def doubles(values: object) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


GAUSSIAN = Mixture(doubles([1.0]), doubles([[-0.5]]), doubles([[0.4]]))
TWO_HUMPS = Mixture(doubles([0.4, 0.6]), doubles([[-0.6], [0.5]]), doubles([[0.25], [0.35]]))
PLANE = Mixture(doubles([1.0]), doubles([[-0.5, 0.3]]), doubles([[0.4, 0.6]]))


def found_gradient(
    behaviour: Mixture, mean: list[float], log_std: list[float] | None, t: float, weight: str, fixed: bool = False
) -> Tensor:
    """What deep/ says, with the behaviour's exact score."""
    spread = None if log_std is None else doubles(log_std)
    order = 60 if weight == "limit" else 24 if len(mean) == 1 else 8
    return kl_gradient(behaviour.predictor, doubles(mean), spread, t, weight, order, fixed)


def omega(t: float, weight: str) -> float:
    """The factor on the KL for which the factor before the predicted noise is w(t): sigma^2, 1 or alpha / sigma."""
    alpha, sigma = (float(value) for value in at_level(t))
    return {"vds": sigma**3 / alpha, "stable": sigma / alpha, "score": 1.0}[weight]


def closed_form(behaviour: Mixture, mean: Tensor, log_std: Tensor | None, t: float) -> Tensor:
    """KL(pi_t || mu_t) between diagonal Gaussians."""
    alpha, sigma = at_level(t)
    variance = sigma**2 + (alpha * log_std.exp()) ** 2 if log_std is not None else sigma**2 * torch.ones_like(mean)
    reference = behaviour.noised(t)
    ratio = variance / reference.stds[0] ** 2
    return 0.5 * (ratio + (alpha * mean - reference.means[0]) ** 2 / reference.stds[0] ** 2 - 1 - ratio.log()).sum()


def by_quadrature(behaviour: Mixture, mean: Tensor, log_std: Tensor | None, t: float) -> Tensor:
    """The same in one dimension for any behaviour: the integral of p log(p / q) on a fine grid."""
    alpha, sigma = at_level(t)
    variance = sigma**2 + ((alpha * log_std.exp()) ** 2 if log_std is not None else 0.0)
    policy = Mixture(doubles([1.0]), (alpha * mean)[None], (variance.sqrt() * torch.ones_like(mean))[None])
    x = torch.linspace(-6, 6, 40_001, dtype=torch.float64).unsqueeze(-1)
    log_p = policy.log_density(x)
    return torch.trapezoid(log_p.exp() * (log_p - behaviour.noised(t).log_density(x)), x[:, 0])


def exact_gradient(
    kl: Callable[..., Tensor], behaviour: Mixture, mean: list[float], log_std: list[float] | None, t: float
) -> Tensor:
    parameters = [doubles(values).requires_grad_(True) for values in (mean, log_std) if values is not None]
    value = kl(behaviour, parameters[0], parameters[1] if log_std is not None else None, t)
    return torch.cat(torch.autograd.grad(value, parameters))


@pytest.mark.parametrize("weight", ["vds", "stable", "score"])
@pytest.mark.parametrize("t", [0.05, 0.3, 0.8])
@pytest.mark.parametrize("log_std", [None, [-1.0]])
def test_one_gaussian_by_closed_form_and_by_quadrature(weight: str, t: float, log_std: list[float] | None):
    found = found_gradient(GAUSSIAN, [0.3], log_std, t, weight)
    for kl in (closed_form, by_quadrature):
        expected = omega(t, weight) * exact_gradient(kl, GAUSSIAN, [0.3], log_std, t)
        torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-9)
        assert (found + expected).abs().max() > found.abs().max()  # the sign that Eq. (23) prints fails


@pytest.mark.parametrize("t", [0.1, 0.3, 0.8])
@pytest.mark.parametrize("log_std", [None, [-1.0]])
@pytest.mark.parametrize("mean", [-0.7, 0.1])
def test_a_mixture_by_quadrature(t: float, log_std: list[float] | None, mean: float):
    found = found_gradient(TWO_HUMPS, [mean], log_std, t, "stable")
    expected = omega(t, "stable") * exact_gradient(by_quadrature, TWO_HUMPS, [mean], log_std, t)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    other_score = found_gradient(GAUSSIAN, [mean], log_std, t, "stable")
    assert (other_score - expected).abs().max() > 1e-3


def test_two_dimensions_by_closed_form():
    mean, log_std = [0.3, -0.2], [-1.0, -0.5]
    found = found_gradient(PLANE, mean, log_std, 0.3, "score")
    expected = omega(0.3, "score") * exact_gradient(closed_form, PLANE, mean, log_std, 0.3)
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-9)


def test_constant_variance_leaves_the_mean_its_gradient():
    """With Sigma = sigma^2 I fixed the gradient is the mean's part of the Gaussian's, and not the Dirac policy's."""
    free = found_gradient(TWO_HUMPS, [0.1], [-1.0], 0.1, "score")
    fixed = found_gradient(TWO_HUMPS, [0.1], [-1.0], 0.1, "score", fixed=True)
    torch.testing.assert_close(fixed, free[:1], rtol=1e-12, atol=0)
    dirac = found_gradient(TWO_HUMPS, [0.1], None, 0.1, "score")
    assert (fixed - dirac).abs().max() > 0.1 * dirac.abs().max()


def test_a_narrow_gaussian_has_the_dirac_policys_gradient():
    dirac = found_gradient(TWO_HUMPS, [0.1], None, 0.1, "score")
    errors = [
        float((found_gradient(TWO_HUMPS, [0.1], [log_std], 0.1, "score")[:1] - dirac).abs() / dirac.abs())
        for log_std in (-1.0, -3.0, -5.0)
    ]
    assert errors[2] < 1e-3 < 0.1 < errors[0]
    assert errors[1] / errors[2] == pytest.approx(math.exp(4), rel=0.1)  # it goes as the variance


def test_without_its_entropy_term_the_gradient_is_wrong():
    """The log-determinant dropped, as Eq. (23) does: that is the gradient of the cross entropy alone."""
    expected = omega(0.3, "score") * exact_gradient(closed_form, GAUSSIAN, [0.3], [-1.0], 0.3)

    def without_entropy(behaviour: Mixture, mean: Tensor, log_std: Tensor, t: float) -> Tensor:
        alpha, sigma = at_level(t)
        return closed_form(behaviour, mean, log_std, t) + 0.5 * (sigma**2 + (alpha * log_std.exp()) ** 2).log().sum()

    printed = omega(0.3, "score") * exact_gradient(without_entropy, GAUSSIAN, [0.3], [-1.0], 0.3)
    found = found_gradient(GAUSSIAN, [0.3], [-1.0], 0.3, "score")
    assert (found - expected).abs().max() < 1e-9 < 0.05 < (found - printed).abs().max()


@pytest.mark.parametrize("behaviour", [GAUSSIAN, TWO_HUMPS], ids=["gaussian", "mixture"])
def test_the_limit_t_to_0_is_the_clean_policies_gradient(behaviour: Mixture):
    """`reverse_kl_limit` with the exact score: KL(pi || mu) itself, by quadrature at t = 0, as its t goes to 0."""
    expected = exact_gradient(by_quadrature, behaviour, [0.1], [-1.0], 0.0)
    found = [found_gradient(behaviour, [0.1], [-1.0], t, "limit") for t in (0.1, 0.02, 0.002, 0.0002)]
    errors = [float((gradient - expected).abs().max() / expected.abs().max()) for gradient in found]
    assert errors[0] > errors[1] > errors[2] > errors[3]
    assert errors[3] < 1e-3
    assert (found[3] + expected).abs().max() > expected.abs().max()  # the sign that Eq. (23) prints
    # Eq. (23) also leaves the entropy term out, which is worth exactly 1 in the gradient of log std.
    cross_entropy = found[3] + torch.tensor([0.0, 1.0])
    assert (cross_entropy - expected).abs().max() > 0.9


def test_a_dirac_policy_in_the_limit_follows_the_score():
    mean = doubles([0.1]).requires_grad_(True)
    expected = -torch.autograd.grad(TWO_HUMPS.log_density(mean), mean)[0]
    found = found_gradient(TWO_HUMPS, [0.1], None, 1e-5, "limit")
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=0)
    assert (found_gradient(TWO_HUMPS, [0.1], None, 0.3, "limit") - expected).abs().max() > 0.1 * expected.abs().max()
