"""How Safe-DQL acts: random inputs numbered by episode and step, and one of two choices among samples."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from deep.core.randomness import generator

if TYPE_CHECKING:
    from deep.methods.safe_dql.safe_dql import SafeDQL

Choice = Literal["best-of-n", "sample"]

EPISODES = 512
"""Episodes that share one stream of random numbers at a step. Other values give other numbers."""


class ActingState(NamedTuple):
    """The number of the next draw of each row of a batch, on the host."""

    episode: Int[Tensor, "replicas batch"]
    step: Int[Tensor, "replicas batch"]


class SafeDQLPolicy:
    """The evaluated diffusion policies. best-of-n: the best of N samples; sample: one sample."""

    markov, max_batch = True, 512
    """N candidates for every row and replica take memory: 50 of them at 25 000 states for 9 replicas took 24 GB."""

    def __init__(self, method: "SafeDQL", choice: Choice) -> None:
        self.method, self.choice = method, choice

    def start(self, batch: int) -> ActingState:
        replicas = len(self.method.problem.replicas)
        return ActingState(torch.arange(batch).expand(replicas, -1), torch.zeros(replicas, batch, dtype=torch.int64))

    def act(
        self, state: ActingState, observations: Float[Tensor, "replicas batch obs"]
    ) -> tuple[Float[Tensor, "replicas batch act"], ActingState]:
        method, best = self.method, self.choice == "best-of-n"
        problem, count = method.problem, method.config.candidates if best else 1
        shape = (count, method.chain.steps, method.policy.action_size)
        z = acting_noise(problem.replica_seeds, state, shape, problem.device)
        actions = method.best(observations, z) if best else method.sample(observations, z)
        return actions, state._replace(step=state.step + 1)

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
