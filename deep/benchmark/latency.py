"""How long the trained methods take to act on this machine, for Fig. 2 of the DRCORL preprint."""

import dataclasses
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from deep.runs.experiment import Experiment, configuration
from deep.runs.player import PolicyPlayer
from deep.runs.settings import Settings

ACTIONS = 1000
BATCHED_STEPS = 8
"""Steps that 1000 episodes play together: a planner acts on one plan for several of them."""
REPEATS = 3


def measure(run: Path) -> list[dict[str, Any]]:
    """For each way to act: seconds for 1000 actions, as 1000 steps of one episode, and as a step of 1000 episodes.

    Processor time of one thread, which other work on the machine disturbs little, for one replica, from raw
    observations of the data to actions, after a warm-up; the median and the range of three repetitions. Policies with a
    memory carry it from step to step, and a plan is drawn as often as in an evaluation. Time does not depend on the
    weights, which are those before training.
    """
    return times_of(Experiment(dataclasses.replace(first_replica(configuration(run)[0]), device="cpu")))


def times_of(experiment: Experiment) -> list[dict[str, Any]]:
    """The same of an experiment with one replica."""
    rows = np.random.default_rng(0).choice(len(experiment.data), ACTIONS)
    states = experiment.data.observations[rows][None]
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return [{"choice": choice, **_times(experiment, choice, states)} for choice in experiment.choices]
    finally:
        torch.set_num_threads(threads)


def first_replica(settings: Settings[Any]) -> Settings[Any]:
    """The settings of the first seed with the first cost limit alone."""
    method = settings.method
    per_limit = {name: getattr(method, name)[:1] for name in getattr(method, "PER_LIMIT", ())}
    first = {"seeds": settings.seeds[:1], "cost_limits": settings.cost_limits[:1]}
    return dataclasses.replace(settings, method=dataclasses.replace(method, **per_limit), **first)


def _times(experiment: Experiment, choice: str, states: np.ndarray) -> dict[str, float]:
    found: dict[str, float] = {}
    player = experiment.player(experiment.policy(choice))
    for name, size, rounds in (("single", 1, 1), ("batched", ACTIONS, BATCHED_STEPS)):
        _act(player, states[:, :20], size)
        seconds = sorted(_act(player, np.tile(states, (1, rounds, 1)), size) / rounds for _ in range(REPEATS))
        found |= {name: seconds[REPEATS // 2], f"{name}_low": seconds[0], f"{name}_high": seconds[-1]}
    return found


def _act(player: PolicyPlayer, states: np.ndarray, size: int) -> float:
    """Processor seconds to act once at each of the states, `size` of them at a time, as steps of `size` episodes."""
    steps = [states[:, i : i + size] for i in range(0, states.shape[1], size)]
    state = player.start(0, steps[0].shape[1])
    quiet = np.zeros(steps[0].shape[:2], dtype=np.float32)
    began = time.process_time()
    for observations in steps:
        _, state = player.act(state, observations)
        state = player.observe(state, quiet, quiet, quiet > 0)
    return time.process_time() - began
