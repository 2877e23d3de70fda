"""The choice of an action among samples of a stochastic policy."""

import torch
from jaxtyping import Float
from torch import Tensor


def selection_score(
    reward: Float[Tensor, "n batch"], cost: Float[Tensor, "n batch"], kappa: Float[Tensor, " n"]
) -> Float[Tensor, "n batch"]:
    """A number that orders candidates: Q_r where Q_c <= kappa; all others lie below these, the cheaper the higher."""
    beyond = cost - kappa.unsqueeze(1)
    return torch.where(beyond <= 0, reward, reward.amin(1, keepdim=True) - 1 - beyond)


def best_of_n(
    candidates: Float[Tensor, "n many act"], scores: Float[Tensor, "n many"], count: int
) -> Float[Tensor, "n batch act"]:
    """Of each `count` candidates that lie side by side the one of the largest selection score."""
    grouped = candidates.unflatten(1, (-1, count))
    best = scores.unflatten(1, (-1, count)).argmax(-1)
    index = best.unsqueeze(-1).unsqueeze(-1).expand(-1, -1, 1, grouped.shape[-1])
    return grouped.gather(2, index).squeeze(2)
