"""deep.core.randomness: what random numbers follow from, and the generator that runs on the device."""

import numpy as np
import pytest
import torch
from scipy.stats import kstest

from deep.core.randomness import RandomInput, draw_block, uniforms

KEYS = torch.tensor([0, 5, 2**63 - 1, -17])


def split_mix(state: int, count: int) -> list[int]:
    """SplitMix64 as its authors print it, in Python's whole numbers."""
    found, mask = [], 2**64 - 1
    for _ in range(count):
        state = (state + 0x9E3779B97F4A7C15) & mask
        z = state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
        found.append(z ^ (z >> 31))
    return found


def test_the_reference_gives_the_published_first_output() -> None:
    assert split_mix(0, 1) == [0xE220A8397B1DCDAF]


@pytest.mark.parametrize("shape", [(6,), (7,), (2, 3, 5), (1,)])
def test_uniforms_are_split_mix_of_the_key(shape: tuple[int, ...]) -> None:
    count = int(np.prod(shape))
    for key, row in zip(KEYS.tolist(), uniforms(KEYS, *shape), strict=True):
        words = split_mix(key % 2**64, (count + 1) // 2)
        expected = [word >> 40 for word in words] + [(word >> 8) & 0xFFFFFF for word in words]
        assert (row.flatten().double() * 2**24).tolist() == expected[:count]
        assert row.shape == shape


@pytest.mark.parametrize("kind", ["normal", "uniform", "key"])
def test_random_inputs_follow_from_seed_phase_block_and_name_and_from_nothing_else(kind) -> None:
    def one(seeds=(3, 5), phase="cloning", block=2, name="z", others=()) -> torch.Tensor:
        draws = {other: RandomInput("normal", (2,)) for other in others} | {name: RandomInput(kind, (4,))}
        return draw_block(draws, seeds, phase, block, 6, torch.device("cpu"))[name]

    first = one()
    assert first.shape == (6, 2, 4)
    others = one(seeds=(4, 5)), one(phase="critics"), one(block=3), one(name="noise")
    for other in others:
        assert not (other[:, 0] == first[:, 0]).any()
    assert torch.equal(one(seeds=(4, 5))[:, 1], first[:, 1])
    assert torch.equal(one(seeds=(5, 3)), first.flip(1)), "the place of a seed does not matter"
    assert torch.equal(one(others=("a", "b")), first)


def test_uniforms_are_uniform_and_unrelated_between_keys_and_halves() -> None:
    draws = {"key": RandomInput("key")}
    keys = draw_block(draws, (3, 4), "phase", 0, 2, torch.device("cpu"))["key"]
    assert keys.shape == (2, 2)
    assert keys.dtype == torch.int64
    numbers = uniforms(keys.flatten(), 40_000).double()
    assert ((numbers >= 0) & (numbers < 1)).all()
    for row in numbers:
        assert kstest(row.numpy(), "uniform").pvalue > 1e-3
    parts = numbers.unflatten(1, (2, -1)).flatten(0, 1)  # the two halves of the same words, for every key
    shifted = torch.cat([parts[:, :-1], parts[:, 1:]])  # and neighbours within each
    correlation = torch.corrcoef(shifted) - torch.eye(len(shifted))
    assert correlation.abs().max() < 0.035  # five standard errors
    # Negative control: the same key gives the same numbers.
    assert torch.corrcoef(torch.cat([parts, parts[:1]]))[0, -1] > 0.999


def test_a_replica_has_the_same_keys_and_numbers_whatever_is_trained_beside_it() -> None:
    draws = {"a": RandomInput("normal", (2,)), "dropout": RandomInput("key")}
    both = draw_block(draws, (1, 2, 1), "phase", 4, 3, torch.device("cpu"))["dropout"]
    alone = draw_block({"dropout": RandomInput("key")}, (2,), "phase", 4, 3, torch.device("cpu"))["dropout"]
    assert torch.equal(both[:, 1:2], alone)
    assert torch.equal(both[:, 0], both[:, 2])
    assert len(both[:, :2].unique()) == 6
    assert torch.equal(uniforms(both[0], 5)[1:2], uniforms(alone[0], 5))


def test_double_precision_gives_the_same_numbers() -> None:
    single = uniforms(KEYS, 9)
    torch.set_default_dtype(torch.float64)
    try:
        assert torch.equal(uniforms(KEYS, 9), single.double())
    finally:
        torch.set_default_dtype(torch.float32)
