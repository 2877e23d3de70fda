"""How long the trained methods take to act on this machine, for Fig. 2 of the DRCORL preprint."""

import dataclasses
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from deep.runs.experiment import Experiment, configuration
from deep.runs.player import PolicyPlayer

ACTIONS = 1000
REPEATS = 3


def measure(run: Path) -> list[dict[str, Any]]:
    """For each way to act: seconds for 1000 actions, at one state after the other and at 1000 states together.

    Processor seconds of one replica, one thread, in this process, from raw observations of the data to actions, after
    a warm-up; the median and the range of three repetitions. Time does not depend on the weights, which are those
    before training.
    """
    settings, _ = configuration(run)
    first = {"seeds": settings.seeds[:1], "cost_limits": settings.cost_limits[:1]}
    return times_of(Experiment(dataclasses.replace(settings, device="cpu", **first)))


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


def _times(experiment: Experiment, choice: str, states: np.ndarray) -> dict[str, float]:
    found: dict[str, float] = {}
    for name, size in (("single", 1), ("batched", ACTIONS)):
        player = experiment.player(experiment.policy(choice))
        _act(player, states[:, :20], size)
        seconds = sorted(_act(player, states, size) for _ in range(REPEATS))
        found |= {name: seconds[REPEATS // 2], f"{name}_low": seconds[0], f"{name}_high": seconds[-1]}
    return found


def _act(player: PolicyPlayer, states: np.ndarray, size: int) -> float:
    """Processor seconds to act once at each of the states, `size` of them at a time, as steps of `size` episodes."""
    lots = [states[:, i : i + size] for i in range(0, states.shape[1], size)]
    state = player.start(0, lots[0].shape[1])
    quiet = np.zeros(lots[0].shape[:2], dtype=np.float32)
    began = time.process_time()
    for lot in lots:
        _, state = player.act(state, lot)
        state = player.observe(state, quiet, quiet, quiet > 0)
    return time.process_time() - began
