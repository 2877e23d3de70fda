"""Gaussian mixtures as behaviour policies: their exact score at every noise level, deep's KL gradient by quadrature."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from deep.methods.drcorl.score import Predictor, Schedule, reverse_kl, reverse_kl_limit

SCHEDULE = Schedule()


@dataclass(frozen=True, eq=False)
class Mixture:
    """sum_k shares_k N(means_k, diag stds_k^2) over action vectors."""

    shares: Float64[Tensor, " component"]
    means: Float64[Tensor, "component act"]
    stds: Float64[Tensor, "component act"]

    def noised(self, t: float) -> "Mixture":
        """The law of alpha_t a + sigma_t eps."""
        alpha, sigma = at_level(t)
        return Mixture(self.shares, alpha * self.means, (alpha**2 * self.stds**2 + sigma**2).sqrt())

    def log_density(self, a: Float64[Tensor, "*batch act"]) -> Float64[Tensor, "*batch"]:
        """log p(a)."""
        z = (a.unsqueeze(-2) - self.means) / self.stds
        each = -0.5 * z.square() - self.stds.log() - 0.5 * math.log(2 * math.pi)
        return torch.logsumexp(self.shares.log() + each.sum(-1), dim=-1)

    def predictor(self, noisy: Float64[Tensor, "n batch act"], t: Float64[Tensor, "n batch"]) -> Tensor:
        """E[eps | a_t], which is -sigma_t times the score of the noised density; all of t must be one level."""
        with torch.enable_grad():
            a = noisy.detach().requires_grad_(True)
            score = torch.autograd.grad(self.noised(float(t.flatten()[0])).log_density(a).sum(), a)[0]
        return -SCHEDULE.sigma(t).unsqueeze(-1) * score

    def sample(self, count: int, generator: torch.Generator) -> Float64[Tensor, "count act"]:
        """Independent draws."""
        component = torch.multinomial(self.shares, count, replacement=True, generator=generator)
        noise = torch.randn(count, self.means.shape[1], dtype=torch.float64, generator=generator)
        return self.means[component] + self.stds[component] * noise


def at_level(t: float) -> tuple[Tensor, Tensor]:
    """alpha_t and sigma_t in double precision."""
    level = torch.tensor(t, dtype=torch.float64)
    return SCHEDULE.alpha(level), SCHEDULE.sigma(level)


def hermite(dimensions: int, order: int) -> tuple[Float64[Tensor, "n dimensions"], Float64[Tensor, " n"]]:
    """Gauss-Hermite points and weights of a standard normal vector."""
    x, w = np.polynomial.hermite_e.hermegauss(order)
    points = np.stack([m.ravel() for m in np.meshgrid(*[x] * dimensions, indexing="ij")], axis=1)
    each = np.stack([m.ravel() for m in np.meshgrid(*[w / w.sum()] * dimensions, indexing="ij")], axis=1)
    return torch.from_numpy(points), torch.from_numpy(each.prod(axis=1))


def kl_gradient(
    predict: Predictor,
    mean: Float64[Tensor, " act"],
    log_std: Float64[Tensor, " act"] | None,
    t: float,
    weight: str,
    order: int = 24,
    fixed_std: bool = False,
) -> Float64[Tensor, " parameters"]:
    """d/d(mean, log_std) of `deep.methods.drcorl.score.reverse_kl` for N(mean, diag std^2), or a Dirac policy without
    log_std.

    With the weight "limit", of `reverse_kl_limit` read at t. The expectations over z and eps are Gauss-Hermite sums:
    every sample is a replica, so that all can be weighted. A fixed standard deviation is no parameter.
    """
    size = len(mean)
    points, shares = hermite(2 * size, order)
    z, noise = points[:, :size], points[:, size:]
    mean = mean.clone().requires_grad_(True)
    actions, parameters, spread = mean.expand(len(z), size), [mean], None
    if log_std is not None:
        log_std = log_std.clone().requires_grad_(not fixed_std)
        parameters += [] if fixed_std else [log_std]
        actions = actions + log_std.exp() * z
        spread = log_std.expand(len(z), 1, size)
    if weight == "limit":
        each = reverse_kl_limit(predict, SCHEDULE, actions.unsqueeze(1), spread, t)
    else:
        level = torch.full((len(z), 1), t, dtype=torch.float64)
        each = reverse_kl(predict, SCHEDULE, actions.unsqueeze(1), spread, level, noise.unsqueeze(1), weight)  # pyright: ignore[reportArgumentType]
    return torch.cat(torch.autograd.grad((shares * each).sum(), parameters))
