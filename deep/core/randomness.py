"""Randomness as an input: every random number follows from (seed, names, block), so that resuming needs no state.

Small inputs are drawn on the host, a block of steps at a time. Large ones, such as a dropout mask, come as a key per
replica and step, from which `uniforms` computes the numbers on the device.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from math import prod
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor


def generator(seed: int, *names: str | int) -> np.random.Generator:
    """A Philox (counter-based) generator keyed by the seed and a path of names; the same key gives the same draws."""
    key = sha256(repr((int(seed), *names)).encode()).digest()[:16]
    return np.random.Generator(np.random.Philox(key=np.frombuffer(key, dtype=np.uint64)))


@dataclass(frozen=True)
class RandomInput:
    """One random input of an update, of this shape per replica and step.

    Standard normals, uniforms on [0, 1), or keys for `uniforms`.
    """

    kind: Literal["normal", "uniform", "key"]
    shape: tuple[int, ...] = ()


def draw_block(
    draws: Mapping[str, RandomInput], seeds: Sequence[int], phase: str, block: int, steps: int, device: torch.device
) -> dict[str, Tensor]:
    """The draws of one block of steps, each (steps, replicas, *shape), in torch's default dtype; keys are int64.

    They depend on the replica's seed alone, so replicas of one seed that differ in their cost limit share their
    randomness, and a replica's draws do not depend on the other replicas in the batch.
    """

    def one(seed: int, name: str, draw: RandomInput) -> np.ndarray:
        rng = generator(seed, phase, block, name)
        if draw.kind == "key":
            return rng.integers(2**63, size=(steps, *draw.shape))
        sample = rng.standard_normal if draw.kind == "normal" else rng.random
        return sample((steps, *draw.shape), dtype=np.float32)

    block_draws = {}
    for name, draw in draws.items():
        by_seed = {seed: one(seed, name, draw) for seed in dict.fromkeys(seeds)}
        stacked = np.stack([by_seed[seed] for seed in seeds], axis=1)
        dtype = torch.int64 if draws[name].kind == "key" else torch.get_default_dtype()
        block_draws[name] = torch.from_numpy(stacked).to(device, dtype, non_blocking=True)
    return block_draws


_INCREMENT, _FIRST, _SECOND = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB


def uniforms(keys: Int[Tensor, " n"], *shape: int) -> Float[Tensor, "n ..."]:
    """Uniforms on [0, 1), (n, *shape), multiples of 2^-24 that follow from each row's key alone, on the keys' device.

    The i-th 64 bits are output number key / increment + i of SplitMix64, so that any of them can be computed without
    the others; each gives two numbers of 24 bits. Integer arithmetic makes them the same on every device.
    Source: Steele, Lea and Flood (2014), Fast splittable pseudorandom number generators.
    """
    count = prod(shape)
    halves = torch.cat(pairs(keys, torch.arange(1, (count + 1) // 2 + 1, device=keys.device)), dim=1)[:, :count]
    return (halves.to(torch.get_default_dtype()) * 2.0**-24).unflatten(1, shape)


def pairs(keys: Int[Tensor, " n"], counter: Int[Tensor, " m"]) -> tuple[Int[Tensor, "n m"], Int[Tensor, "n m"]]:
    """Two whole numbers from 0 to 2^24 - 1 of each of these outputs of SplitMix64, counted from 1, for every key."""
    bits = keys.unsqueeze(1) + counter * _signed(_INCREMENT)  # int64 arithmetic is modulo 2^64, as SplitMix64 wants it
    for shift, factor in ((30, _FIRST), (27, _SECOND)):
        bits ^= _shifted(bits, shift)
        bits *= _signed(factor)
    bits ^= _shifted(bits, 31)
    return _shifted(bits, 40), (bits >> 8) & 0xFFFFFF


def _signed(x: int) -> int:
    """The int64 with the bits of this uint64."""
    return x - 2**64 if x >= 2**63 else x


def _shifted(bits: Tensor, by: int) -> Tensor:
    """A shift to the right that fills with zeros; torch's own repeats the sign."""
    return (bits >> by) & (2 ** (64 - by) - 1)
