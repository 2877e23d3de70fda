"""How a policy acts that draws its actions: with random inputs that are numbered by episode and step."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from deep.core.randomness import generator

EPISODES = 512
"""Episodes that share one stream of random numbers at a step. Other values give other numbers."""


class ActingState(NamedTuple):
    """The number of the next draw of each row of a batch, on the host."""

    episode: Int[Tensor, "replicas batch"]
    step: Int[Tensor, "replicas batch"]


class SamplingPolicy:
    """The policies of all replicas, with one way to make an action from standard normals.

    Args:
        choose: (observations (replica, batch, obs), normals (replica, T, batch n, size)) -> actions (replica, batch,
            act); each row has n candidates, side by side, and each of them T vectors of normals.
        shape: (n, T, size) of the normals of one row.
        seeds: the seed of each replica.
        device: where the networks are.
    """

    markov, max_batch = True, 512
    """N candidates for every row and replica take memory: 50 of them at 25 000 states for 9 replicas took 24 GB."""

    def __init__(
        self,
        choose: Callable[[Tensor, Tensor], Tensor],
        shape: tuple[int, int, int],
        seeds: Sequence[int],
        device: torch.device,
    ) -> None:
        self.choose, self.shape, self.seeds, self.device = choose, shape, seeds, device

    def start(self, batch: int) -> ActingState:
        replicas = len(self.seeds)
        return ActingState(torch.arange(batch).expand(replicas, -1), torch.zeros(replicas, batch, dtype=torch.int64))

    def act(
        self, state: ActingState, observations: Float[Tensor, "replicas batch obs"]
    ) -> tuple[Float[Tensor, "replicas batch act"], ActingState]:
        z = acting_noise(self.seeds, state, self.shape, self.device)
        return self.choose(observations, z), state._replace(step=state.step + 1)

    def observe(self, state: ActingState, rewards: Tensor, costs: Tensor, done: Tensor) -> ActingState:
        return state


def acting_noise(
    seeds: Sequence[int],
    state: ActingState,
    shape: tuple[int, int, int],
    device: torch.device,
) -> Float[Tensor, "replicas step many act"]:
    """Standard normals for the samples in each row of a batch, side by side; the shape is (samples, steps, entries).

    They follow from (seed, episode, step) of the row alone. So an evaluation can be repeated, its first episodes are
    those of a longer one, and neither other replicas nor the split of a batch matter.
    """
    streams: dict[tuple[int, int, int], np.ndarray] = {}
    blocks, places = (state.episode // EPISODES).numpy(), (state.episode % EPISODES).numpy()
    numbers = state.step.numpy()
    z = np.empty((*state.episode.shape, *shape), dtype=np.float32)
    for r, seed in enumerate(seeds):
        for number, block in set(zip(numbers[r].tolist(), blocks[r].tolist(), strict=True)):
            rows = (numbers[r] == number) & (blocks[r] == block)
            needed, key = int(places[r][rows].max()) + 1, (seed, number, block)
            if len(streams.get(key, ())) < needed:
                name = f"acting, part {block}" if block else "acting"
                rng = generator(seed, name, number, "z")
                streams[key] = rng.standard_normal((needed, *shape), dtype=np.float32)
            z[r, rows] = streams[key][places[r][rows]]
    return torch.from_numpy(z).to(device, torch.get_default_dtype()).flatten(1, 2).transpose(1, 2)
