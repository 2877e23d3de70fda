"""The simulator as a hybrid method may use it: every episode that training plays is counted."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from numpy.typing import NDArray

from deep.envs.rollout import Episodes, OnStep, rollout
from deep.tasks import Task

FIRST_TRAINING_SEED = 10_000_000
"""Start seeds of training episodes lie above this one, those of the evaluation below."""


class CountedSimulator:
    """Plays episodes of all replicas' policies; the count ends up in the run's summary."""

    def __init__(self, task: Task, replicas: int) -> None:
        self.task = task
        self.episodes = torch.zeros(replicas, dtype=torch.int64)
        """Episodes that each replica has played."""

    def play(
        self,
        act: Callable[[Float[NDArray, "replica n observation"]], Float[NDArray, "replica n action"]],
        episodes: int,
        on_step: OnStep | None = None,
    ) -> Episodes:
        """That many episodes of every replica's policy, each from a start of its own; `act` sees raw observations."""
        first = FIRST_TRAINING_SEED + int(self.episodes[0])
        self.episodes += episodes
        return rollout(self.task, act, range(first, first + episodes), replicas=len(self.episodes), on_step=on_step)
