"""Dropout masks from keys, in fewer passes over memory than `deep.core.randomness.uniforms` with a comparison takes."""

from math import ceil, prod

import torch
from jaxtyping import Float, Int
from torch import Tensor

from deep.core.randomness import pairs

PIECE = 2**15
"""Random numbers that are computed at a time on a CPU: its cache holds them through all operations."""


def kept(keys: Int[Tensor, " n"], share: float, *shape: int) -> Float[Tensor, "n ..."]:
    """1 where `uniforms(keys, *shape)` is at least `share`, 0 elsewhere, by comparing whole numbers."""
    outputs, least = (prod(shape) + 1) // 2, ceil(torch.tensor(share).item() * 2**24)
    result = torch.empty(len(keys), 2, outputs, device=keys.device)
    size = PIECE if keys.device.type == "cpu" else outputs
    for start in range(0, outputs, size):
        place = slice(start, min(start + size, outputs))
        first, second = pairs(keys, torch.arange(place.start + 1, place.stop + 1, device=keys.device))
        result[:, 0, place], result[:, 1, place] = first >= least, second >= least
    return result.flatten(1)[:, : prod(shape)].unflatten(1, shape)
