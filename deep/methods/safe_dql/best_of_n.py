"""The choice of an action among samples of a stochastic policy."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from deep.core.randomness import RandomInput, draw_block


def selection_score(
    reward: Float[Tensor, "n batch"], cost: Float[Tensor, "n batch"], kappa: Float[Tensor, " n"]
) -> Float[Tensor, "n batch"]:
    """A number that orders candidates: Q_r where Q_c <= kappa; all others lie below these, the cheaper the higher."""
    beyond = cost - kappa.unsqueeze(1)
    return torch.where(beyond <= 0, reward, reward.amin(1, keepdim=True) - 1 - beyond)


def best_of_n(
    candidates: Float[Tensor, "n many act"], scores: Float[Tensor, "n many"], count: int
) -> Float[Tensor, "n batch act"]:
    """Of each `count` candidates that lie side by side the one of greatest merit."""
    grouped = candidates.unflatten(1, (-1, count))
    best = scores.unflatten(1, (-1, count)).argmax(-1)
    index = best.unsqueeze(-1).unsqueeze(-1).expand(-1, -1, 1, grouped.shape[-1])
    return grouped.gather(2, index).squeeze(2)


def acting_noise(
    seeds: Sequence[int],
    call: int,
    batch: int,
    count: int,
    steps: int,
    size: int,
    device: torch.device,
    part: int = 0,
) -> Float[Tensor, "replicas step many act"]:
    """Standard normals for `count` samples at each of `batch` states, in the `call`-th step of an evaluation.

    They follow from (seed, "acting", call, part) and from the state's place in the batch: an evaluation can be
    repeated, and the first episodes of a longer one are the same. `part` numbers the batches of one step.
    """
    draw = RandomInput("normal", (batch, count, steps, size))
    name = f"acting, part {part}" if part else "acting"
    return draw_block({"z": draw}, seeds, name, call, 1, device)["z"][0].flatten(1, 2).transpose(1, 2)
