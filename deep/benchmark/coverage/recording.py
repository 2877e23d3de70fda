"""Simulator episodes of all replicas of a run, step by step, and transitions made from them."""

from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from deep.core.method import Act
from deep.data.replay import Replay
from deep.envs.rollout import Player, rollout
from deep.runs.experiment import Experiment

FIRST_SEED = 300_000
"""Start seeds of these episodes; no other command plays them."""


class Trajectory(NamedTuple):
    """One episode: raw observations, actions within [-1, 1], rewards, costs, of t steps."""

    observations: Float[NDArray, "t obs"]
    actions: Float[NDArray, "t act"]
    rewards: Float[NDArray, " t"]
    costs: Float[NDArray, " t"]

    def cost_to_go(self, gamma: float, ended: bool) -> Float[NDArray, " t"]:
        """sum_k gamma^k c_{t+k}; after the last step at the episode's mean rate, or nothing where it has `ended`."""
        tail = 0.0 if ended else self.costs.mean() / (1 - gamma)
        to_go = np.empty(len(self.costs))
        for t in reversed(range(len(to_go))):
            tail = to_go[t] = self.costs[t] + gamma * tail
        return to_go


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
        self.parts[-1].append((*self.now, rewards.copy(), costs.copy(), done.copy()))
        return self.player.observe(state, rewards, costs, done)


def played(experiment: Experiment, act: Act, episodes: int) -> list[list[Trajectory]]:
    """The episodes of each replica's policy."""
    recorder, replicas = _Recorder(experiment.player(act)), len(experiment.problem.replicas)
    seeds = range(FIRST_SEED, FIRST_SEED + episodes)
    lengths = rollout(experiment.task, recorder, seeds, replicas=replicas, threads=1).lengths
    found: list[list[Trajectory]] = [[] for _ in range(replicas)]
    first = 0
    for part in recorder.parts:
        *arrays, _ = (np.stack(column) for column in zip(*part, strict=True))
        count = arrays[0].shape[2]
        for replica, own in enumerate(found):
            own += [
                Trajectory(*(array[: lengths[replica, first + n], replica, n] for array in arrays))
                for n in range(count)
            ]
        first += count
    return found


def extended(replay: Replay, trajectories: list[Trajectory], length: int, reward_scale: float) -> Replay:
    """The data with these episodes' transitions besides. The last step of an episode of the whole `length` is left out,
    as the observation after it is not recorded; that of a shorter one is terminal."""
    parts: list[tuple[Tensor, ...]] = []
    for episode in trajectories:
        observations = replay.normalise(torch.from_numpy(episode.observations).to(replay.observations))
        following = torch.cat([observations[1:], observations[-1:]])
        going_on = torch.ones(len(observations), device=observations.device)
        kept = len(observations) - (len(observations) == length)
        going_on[-1] = 0.0
        actions, rewards, costs = (torch.from_numpy(array).to(observations) for array in episode[1:])
        every = observations, following, actions, rewards * reward_scale, costs, going_on
        parts.append(tuple(column[:kept] for column in every))
    names = ("observations", "next_observations", "actions", "rewards", "costs", "not_terminal")
    columns = map(torch.cat, zip(*parts, strict=True))
    added: dict[str, Tensor] = dict(zip(names, columns, strict=True))
    added |= dict.fromkeys(("reward_to_go", "cost_to_go"), torch.zeros_like(added["costs"]))  # no step reads them
    return replay.with_rows(added)
