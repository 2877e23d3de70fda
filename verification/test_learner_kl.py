r"""The reverse-KL gradient of deep.diffusion against closed form, quadrature and autograd, with exact scores.

Behaviour: a Gaussian, or a mixture of Gaussians, diagonal; its noised score comes from autograd of the log-density. The
policy N(m, diag s^2) enters by samples a = m + s z, and expectations over z and eps are Gauss-Hermite sums: every sample
is a replica of its own, so that the surrogates of all can be weighted. No tolerance covers for sampling.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import Tensor

from deep import diffusion
from deep.diffusion import WEIGHTS, Schedule, reverse_kl

SCHEDULE = Schedule()
ORDER = 24


@dataclass(frozen=True)
class Mixture:
    """sum_k shares_k N(means_k, diag stds_k^2) on action vectors; means, stds (component, act)."""

    shares: Tensor
    means: Tensor
    stds: Tensor

    def noised(self, t: float) -> "Mixture":
        """The law of alpha_t a + sigma_t eps."""
        alpha, sigma = (f(torch.tensor(t, dtype=torch.float64)) for f in (SCHEDULE.alpha, SCHEDULE.sigma))
        return Mixture(self.shares, alpha * self.means, (alpha**2 * self.stds**2 + sigma**2).sqrt())

    def log_density(self, a: Tensor) -> Tensor:
        z = (a.unsqueeze(-2) - self.means) / self.stds
        each = -0.5 * z.square() - self.stds.log() - 0.5 * math.log(2 * math.pi)
        return torch.logsumexp(self.shares.log() + each.sum(-1), dim=-1)

    def predictor(self, noisy: Tensor, t: Tensor) -> Tensor:
        """E[eps | a_t] = -sigma_t times the score of the noised density."""
        level = float(t.flatten()[0])
        with torch.enable_grad():
            a = noisy.detach().requires_grad_(True)
            score = torch.autograd.grad(self.noised(level).log_density(a).sum(), a)[0]
        return -SCHEDULE.sigma(t).unsqueeze(-1) * score


def doubles(values: object) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


GAUSSIAN = Mixture(doubles([1.0]), doubles([[-0.5]]), doubles([[0.4]]))
TWO_HUMPS = Mixture(doubles([0.4, 0.6]), doubles([[-0.6], [0.5]]), doubles([[0.25], [0.35]]))
PLANE = Mixture(doubles([1.0]), doubles([[-0.5, 0.3]]), doubles([[0.4, 0.6]]))


def nodes(dimensions: int, order: int) -> tuple[Tensor, Tensor]:
    """Gauss-Hermite points (n, dimensions) and weights (n,) of a standard normal vector."""
    x, w = np.polynomial.hermite_e.hermegauss(order)
    mesh = np.stack([m.ravel() for m in np.meshgrid(*[x] * dimensions, indexing="ij")], axis=1)
    weight = np.stack([m.ravel() for m in np.meshgrid(*[w / w.sum()] * dimensions, indexing="ij")], axis=1).prod(axis=1)
    return torch.from_numpy(mesh), torch.from_numpy(weight)


def found_gradient(
    behaviour: Mixture, mean: list[float], log_std: list[float] | None, t: float, weight: str, fixed: bool = False
) -> Tensor:
    """d/d(mean, log_std) of the surrogate of deep/, expectations by quadrature; a fixed log_std takes no part."""
    size = len(mean)
    parameters = [doubles(mean).requires_grad_(True)]
    points, shares = nodes(2 * size, ORDER if size == 1 else 8)
    z, noise = points[:, :size], points[:, size:]
    spread = None
    actions = parameters[0].expand(len(z), size)
    if log_std is not None:
        spread = doubles(log_std).requires_grad_(not fixed)
        parameters += [] if fixed else [spread]
        actions = actions + spread.exp() * z
        spread = spread.expand(len(z), 1, size)
    level = torch.full((len(z), 1), t, dtype=torch.float64)
    each = reverse_kl(
        behaviour.predictor, SCHEDULE, actions.unsqueeze(1), spread, level, noise.unsqueeze(1), weight  # pyright: ignore[reportArgumentType]
    )
    return torch.cat(torch.autograd.grad((shares * each).sum(), parameters))


def omega(t: float, weight: str) -> float:
    """The factor on the KL for which the factor before the predicted noise is w(t)."""
    alpha, sigma = (f(torch.tensor(t, dtype=torch.float64)) for f in (SCHEDULE.alpha, SCHEDULE.sigma))
    return float(WEIGHTS[weight](alpha, sigma) * sigma / alpha)


def closed_form(behaviour: Mixture, mean: Tensor, log_std: Tensor | None, t: float) -> Tensor:
    """KL(pi_t || mu_t) between diagonal Gaussians."""
    alpha, sigma = (f(torch.tensor(t, dtype=torch.float64)) for f in (SCHEDULE.alpha, SCHEDULE.sigma))
    variance = sigma**2 + (alpha * log_std.exp()) ** 2 if log_std is not None else sigma**2 * torch.ones_like(mean)
    reference = behaviour.noised(t)
    ratio = variance / reference.stds[0] ** 2
    return 0.5 * (ratio + (alpha * mean - reference.means[0]) ** 2 / reference.stds[0] ** 2 - 1 - ratio.log()).sum()


def by_quadrature(behaviour: Mixture, mean: Tensor, log_std: Tensor | None, t: float) -> Tensor:
    """The same in one dimension for any behaviour: the integral of p log(p / q) on a fine grid."""
    alpha, sigma = (f(torch.tensor(t, dtype=torch.float64)) for f in (SCHEDULE.alpha, SCHEDULE.sigma))
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
        assert (found + expected).abs().max() > found.abs().max()  # the sign that Eq. (23) prints is refused


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


def test_without_its_entropy_term_the_gradient_is_wrong(monkeypatch):
    """A broken surrogate must fail the comparison: the log-determinant dropped, as Eq. (23) does."""
    whole = found_gradient(GAUSSIAN, [0.3], [-1.0], 0.3, "score")
    monkeypatch.setattr(
        diffusion.torch.Tensor, "log", lambda self: torch.zeros_like(self)
    )  # the only logarithm there is that of the determinant
    with pytest.raises(AssertionError):
        torch.testing.assert_close(found_gradient(GAUSSIAN, [0.3], [-1.0], 0.3, "score"), whole, rtol=1e-2, atol=1e-3)
