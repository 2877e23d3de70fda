"""The maximum mean discrepancy (MMD) between samples of two distributions of actions (Kumar et al. 2019, BEAR)."""

import torch
from jaxtyping import Float
from torch import Tensor

FLOOR = 1e-6
"""Added below the root, whose slope at 0 is infinite."""


def mmd(
    x: Float[Tensor, "n batch many act"], y: Float[Tensor, "n batch several act"], sigma: float
) -> Float[Tensor, "n batch"]:
    """sqrt(mean k(x, x) - 2 mean k(x, y) + mean k(y, y) + 1e-6) of every row, k(a, b) = exp(-|a - b|^2 / (2 sigma)).

    The means are over all pairs, equal ones included (the biased estimator). The kernel's denominator has sigma, not
    its square: at sigma = 50 and distances of order 1 the MMD is about .1 times the distance of the means.
    """
    xx, xy, yy = (_mean_kernel(a, b, sigma) for a, b in ((x, x), (x, y), (y, y)))
    return ((xx - 2 * xy + yy).clamp(min=0) + FLOOR).sqrt()


def _mean_kernel(a: Tensor, b: Tensor, sigma: float) -> Float[Tensor, "n batch"]:
    """The mean of k(a, b) - 1."""
    squares = a.square().sum(-1).unsqueeze(-1) + b.square().sum(-1).unsqueeze(-2)
    distances = squares - 2 * a @ b.transpose(-1, -2)
    return torch.expm1(-distances / (2 * sigma)).mean((-1, -2))  # the three means of 1 cancel: 1 - 2 + 1
