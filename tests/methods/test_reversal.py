"""deep.methods.sequence.reversal: guided samples against densities in closed form, and the state that is known."""

from math import exp, sqrt

import numpy as np
import pytest
import torch
from scipy.stats import norm
from torch import Tensor

from deep.methods.parts.diffusion_policy import Chain
from deep.methods.sequence.reversal import ascending, classifier_free, diffuse_window, sample_plan


def gaussian_noise(chain: Chain, mean: float):
    """The exact eps(x_k, k) where x_0 ~ N(mean, 1): x_k ~ N(sqrt(abar) mean, 1), eps = sqrt(1 - abar) (x - ...)."""

    def noise(x: torch.Tensor, k: int) -> torch.Tensor:
        bar = chain.alpha_bars[k - 1]
        return (1 - bar) ** 0.5 * (x - bar**0.5 * mean)

    return noise


def sampled(strength: float, beta: float, slope: float = 0.7) -> torch.Tensor:
    """Samples for q = N(1, 1) given c, N(-1, 1) without, and J(x_0) = slope x_0, smoothed to x_k."""
    chain = Chain(400, "cosine")

    def ascent(x: torch.Tensor, k: int) -> torch.Tensor:
        # E[x_0 | x_k] rises by sqrt(abar) with x_k where x_0 has the variance 1.
        return torch.full_like(x, slope * chain.alpha_bars[k - 1] ** 0.5)

    noise = classifier_free(gaussian_noise(chain, 1.0), gaussian_noise(chain, -1.0), strength)
    start = torch.from_numpy(np.random.default_rng(0).normal(size=(1, 20_000, 1, 1)))
    return sample_plan(ascending(noise, ascent, chain, beta), chain, start, None, largest=50.0)


@pytest.mark.parametrize(
    ("strength", "beta", "mean"), [(1.0, 0.0, 1.0), (0.0, 0.0, -1.0), (1.0, 2.0, 2.4), (1.0, -2.0, -0.4)]
)
def test_guided_samples_have_the_tilted_gaussians_mean(strength, beta, mean):
    """N(mu, 1) exp(beta a x) is N(mu + beta a, 1). A wrong sign, or a missing sqrt(1 - abar), moves the mean."""
    found = sampled(strength, beta)
    assert found.mean().item() == pytest.approx(mean, abs=0.05)
    assert found.std().item() == pytest.approx(1, abs=0.05)


class Mixture:
    """x_0 ~ sum_i p_i N(m_i, s^2), with everything that guidance by J(x_0) = x_0 needs in closed form."""

    p, m, s = (0.3, 0.7), (-2.0, 1.5), 0.4

    def __init__(self, chain: Chain) -> None:
        self.chain = chain

    def log_parts(self, x: Tensor, k: int) -> Tensor:
        """log p_i N(x; sqrt(abar) m_i, abar s^2 + 1 - abar), for both parts."""
        bar = self.chain.alpha_bars[k - 1]
        variance = bar * self.s**2 + 1 - bar
        parts = [np.log(p) - (x - sqrt(bar) * m).square() / (2 * variance) for p, m in zip(self.p, self.m, strict=True)]
        return torch.stack(parts)

    def noise(self, x: Tensor, k: int) -> Tensor:
        """-sqrt(1 - abar) grad log q_k."""
        x = x.detach().requires_grad_(True)
        (score,) = torch.autograd.grad(torch.logsumexp(self.log_parts(x, k), 0).sum(), x)
        return -sqrt(1 - self.chain.alpha_bars[k - 1]) * score

    def ascent(self, beta: float):
        """grad of log E[exp(beta x_0) | x_k] / beta."""

        def gradient(x: Tensor, k: int) -> Tensor:
            x, bar = x.detach().requires_grad_(True), self.chain.alpha_bars[k - 1]
            variance = bar * self.s**2 + 1 - bar
            log_shares = self.log_parts(x, k).log_softmax(0)
            means = [m + self.s**2 * sqrt(bar) / variance * (x - sqrt(bar) * m) for m in self.m]
            spread = self.s**2 * (1 - bar) / variance
            log_mean = torch.logsumexp(log_shares + beta * torch.stack(means) + beta**2 * spread / 2, 0)
            return torch.autograd.grad(log_mean.sum(), x)[0] / beta

        return gradient

    def cdf(self, x: np.ndarray, beta: float) -> np.ndarray:
        """Of the density in proportion to q(x) exp(beta x), a mixture again."""
        weights = np.array([p * exp(beta * m) for p, m in zip(self.p, self.m, strict=True)])
        parts = [norm.cdf(x, m + beta * self.s**2, self.s) for m in self.m]
        return (weights / weights.sum()) @ np.array(parts)


def largest_gap(samples: Tensor, mixture: Mixture, beta: float) -> float:
    """The Kolmogorov-Smirnov distance of the samples from the tilted mixture."""
    ordered = np.sort(samples.flatten().numpy())
    return float(np.abs(np.arange(1, len(ordered) + 1) / len(ordered) - mixture.cdf(ordered, beta)).max())


def test_guided_samples_of_a_mixture_have_the_tilted_density():
    """The weights of the parts change, and not their means alone. No guidance, and too little, are told apart."""
    mixture = Mixture(Chain(300, "cosine"))
    start = torch.from_numpy(np.random.default_rng(0).normal(size=(1, 10_000, 1, 1)))
    plain = sample_plan(mixture.noise, mixture.chain, start, None, largest=50.0)
    assert largest_gap(plain, mixture, 0.0) < 0.03
    guided = ascending(mixture.noise, mixture.ascent(-0.5), mixture.chain, -0.5)
    samples = sample_plan(guided, mixture.chain, start, None, largest=50.0)
    assert largest_gap(samples, mixture, -0.5) < 0.03
    assert largest_gap(samples, mixture, 0.0) > 0.3
    assert largest_gap(samples, mixture, -0.4) > 0.05


def test_the_first_state_is_never_noised():
    chain, states = Chain(5, "cosine"), torch.randn(1, 4, 3, 2)
    noise, level = torch.randn(1, 4, 3, 2), torch.tensor([[1, 2, 4, 5]])
    noisy = diffuse_window(chain, states, level, noise, 2)
    assert torch.equal(noisy[:, :, 0], states[:, :, 0])
    bar = torch.tensor([chain.alpha_bars[k - 1] for k in (1, 2, 4, 5)])[None, :, None, None]
    torch.testing.assert_close(noisy[:, :, 1:], bar.sqrt() * states[:, :, 1:] + (1 - bar).sqrt() * noise[:, :, 1:])


def test_of_a_state_and_an_action_the_state_alone_is_known():
    chain, windows, noise = Chain(5, "cosine"), torch.randn(1, 4, 3, 5), torch.randn(1, 4, 3, 5)
    noisy = diffuse_window(chain, windows, torch.tensor([[0, 1, 4, 5]]), noise, 2)
    assert torch.equal(noisy[0, :, 0, :2], windows[0, :, 0, :2])
    assert torch.equal(noisy[0, 0], windows[0, 0]), "level 0"
    assert (noisy[0, 1:, 0, 2:] != windows[0, 1:, 0, 2:]).all()
    first = torch.randn(1, 4, 2)
    plans = sample_plan(lambda x, k: torch.zeros_like(x), chain, noise, first, largest=0.5)
    assert torch.equal(plans[:, :, 0, :2], first)
    assert (plans[:, :, 0, 2:].abs() <= 0.5).all()
