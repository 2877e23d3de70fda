"""Randomness as an input: every draw follows from (seed, names, block), so that resuming needs no generator state."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal

import numpy as np
import torch
from torch import Tensor


def generator(seed: int, *names: str | int) -> np.random.Generator:
    """A Philox (counter-based) generator keyed by the seed and a path of names; the same key gives the same draws."""
    key = sha256(repr((int(seed), *names)).encode()).digest()[:16]
    return np.random.Generator(np.random.Philox(key=np.frombuffer(key, dtype=np.uint64)))


@dataclass(frozen=True)
class RandomInput:
    """One random input of an update: standard normals, or uniforms on [0, 1), of this shape per replica and step."""

    kind: Literal["normal", "uniform"]
    shape: tuple[int, ...]


def draw_block(
    draws: Mapping[str, RandomInput], seeds: Sequence[int], phase: str, block: int, steps: int, device: torch.device
) -> dict[str, Tensor]:
    """The draws of one block of steps, each (steps, replicas, *shape), in torch's default dtype.

    They depend on the replica's seed alone, so replicas of one seed that differ in their cost limit share their
    randomness, and a replica's draws do not change with the company it is trained in.
    """

    def one(seed: int, name: str, draw: RandomInput) -> np.ndarray:
        rng = generator(seed, phase, block, name)
        sample = rng.standard_normal if draw.kind == "normal" else rng.random
        return sample((steps, *draw.shape), dtype=np.float32)

    block_draws = {}
    for name, draw in draws.items():
        by_seed = {seed: one(seed, name, draw) for seed in dict.fromkeys(seeds)}
        stacked = np.stack([by_seed[seed] for seed in seeds], axis=1)
        block_draws[name] = torch.from_numpy(stacked).to(device, torch.get_default_dtype(), non_blocking=True)
    return block_draws
