"""Dropout masks from keys, in fewer passes over memory than `deep.core.randomness.uniforms` with a comparison takes."""

from collections.abc import Iterator
from math import ceil, prod

import torch
from jaxtyping import Float, Int
from torch import Tensor

from deep.core.randomness import _FIRST, _INCREMENT, _SECOND, _shifted, _signed

PIECE = 2**15
"""Random numbers that are computed at a time on a CPU: its cache holds them through all operations."""


def kept(keys: Int[Tensor, " n"], share: float, *shape: int) -> Float[Tensor, "n ..."]:
    """1 where `uniforms(keys, *shape)` is at least `share`, 0 elsewhere, by comparing whole numbers."""
    pairs, least = (prod(shape) + 1) // 2, ceil(torch.tensor(share).item() * 2**24)
    result = torch.empty(len(keys), 2, pairs, device=keys.device)
    for place, first, second in _numbers(keys, pairs):
        result[:, 0, place], result[:, 1, place] = first >= least, second >= least
    return result.flatten(1)[:, : prod(shape)].unflatten(1, shape)


def _numbers(keys: Int[Tensor, " n"], pairs: int) -> Iterator[tuple[slice, Tensor, Tensor]]:
    """Pairs of whole numbers from 0 to 2^24 - 1 for every key, some at a time: their places, the first, the second.

    Those of `uniforms`: its numbers are these times 2^-24, all the first ones before all the second ones.
    """
    size = PIECE if keys.device.type == "cpu" else pairs
    for start in range(0, pairs, size):
        place = slice(start, min(start + size, pairs))
        counter = torch.arange(place.start + 1, place.stop + 1, device=keys.device)
        bits = keys.unsqueeze(1) + counter * _signed(_INCREMENT)
        for shift, factor in ((30, _FIRST), (27, _SECOND)):
            bits ^= _shifted(bits, shift)
            bits *= _signed(factor)
        bits ^= _shifted(bits, 31)
        yield place, _shifted(bits, 40), (bits >> 8) & 0xFFFFFF
