"""Simulator episodes of all replicas of a run as data sets of their own, and the run's data with these besides."""

from copy import copy
from typing import Any

import numpy as np
import torch

from deep.core.method import Act
from deep.core.problem import Problem
from deep.data.dataset import OfflineDataset
from deep.data.formats.table import KEYS
from deep.data.replay import Batch, Replay
from deep.data.timeouts import with_successors
from deep.envs.rollout import Episodes, Player, rollout
from deep.runs.experiment import Experiment

FIRST_SEED = 300_000
"""Start seeds of these episodes; no other command plays them."""


class _Recorder:
    """A player that keeps what it sees."""

    def __init__(self, player: Player) -> None:
        self.player = player
        self.parts: list[list[tuple[np.ndarray, ...]]] = []

    def start(self, first: int, count: int) -> Any:
        self.parts.append([])
        return self.player.start(first, count)

    def act(self, state: Any, observations: np.ndarray) -> tuple[np.ndarray, Any]:
        actions, state = self.player.act(state, observations)
        self.now = observations.copy(), np.clip(actions, -1, 1)
        return actions, state

    def observe(self, state: Any, rewards: np.ndarray, costs: np.ndarray, done: np.ndarray) -> Any:
        self.parts[-1].append((*self.now, rewards.copy(), costs.copy()))
        return self.player.observe(state, rewards, costs, done)


def played(experiment: Experiment, act: Act, episodes: int) -> tuple[Episodes, list[OfflineDataset]]:
    """The episodes of each replica's policy, and a data set for each replica. In these the last step of an episode of
    the whole length is left out, as the observation after it is not recorded; that of a shorter one is terminal."""
    recorder, replicas = _Recorder(experiment.player(act)), len(experiment.problem.replicas)
    seeds = range(FIRST_SEED, FIRST_SEED + episodes)
    found = rollout(experiment.task, recorder, seeds, replicas=replicas, threads=1)
    # (part) (array) (step, replica, episode, ...) -> (replica) (episode) (array) (step, ...)
    parts = [[np.stack(column) for column in zip(*part, strict=True)] for part in recorder.parts]
    trajectories = [
        [[array[:, replica, n] for array in part] for part in parts for n in range(part[0].shape[2])]
        for replica in range(replicas)
    ]
    own = [_data(experiment, *each) for each in zip(trajectories, found.lengths, strict=True)]
    return found, own


def _data(experiment: Experiment, trajectories: list[list[np.ndarray]], lengths: np.ndarray) -> OfflineDataset:
    kept = [[array[:length] for array in each] for each, length in zip(trajectories, lengths, strict=True)]
    names = ("observations", "actions", "rewards", "costs")
    fields: dict[str, Any] = {
        name: np.concatenate(column).astype(np.float32)
        for name, column in zip(names, zip(*kept, strict=True), strict=True)
    }
    whole = lengths == experiment.task.episode_length
    for name, those in (("terminals", ~whole), ("timeouts", whole)):
        fields[name] = np.zeros(lengths.sum(), dtype=bool)
        fields[name][np.cumsum(lengths)[those] - 1] = True
    fields = with_successors(fields, "the policy's episodes")
    return OfflineDataset(experiment.task.name, **{key: fields[key] for key in KEYS})


def extended(problem: Problem, episodes: list[OfflineDataset]) -> Replay:
    """The problem's data with the transitions of these besides, normalised as its own."""
    longer = copy(problem.replay)
    for data in episodes:
        more = Replay(data, problem.gamma, problem.reward_scale, problem.device, normalise_states=False)
        for name in Batch._fields:
            values = getattr(more, name)
            values = problem.replay.normalise(values) if name.endswith("observations") else values
            setattr(longer, name, torch.cat([getattr(longer, name), values]))
    return longer
