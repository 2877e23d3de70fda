"""Data in which little is 0, 1 or alike: trajectories of different lengths and ends, costs of several sizes."""

from dataclasses import replace
from functools import cache

import numpy as np

from deep.core.problem import Problem
from deep.data.dataset import OfflineDataset
from deep.data.replay import Replay
from deep.tasks import find_task

LENGTHS = (23, 7, 15, 25, 25, 11, 25, 18, 3, 20)
FELL = (1, 2, 5, 8)
"""Trajectories that end in a terminal state; the others time out."""
TASK = replace(
    find_task("HopperVel"), episode_length=25, reward_range=(-3.0, 12.0), cost_limits=(3.0, 9.0), timeout_rate=0.03
)
SEEDS, LIMITS = (3, 5), (4.0, 11.0)


@cache
def data() -> OfflineDataset:
    """A random linear system; rewards of both signs, costs of 0, .5, 1 and 2."""
    rng = np.random.default_rng(7)
    drift, push = 0.85 * np.eye(11) + 0.05 * rng.normal(size=(11, 11)), rng.normal(size=(3, 11)) / 3
    rows: dict[str, list[np.ndarray]] = {name: [] for name in ("s", "n", "a")}
    for number, length in enumerate(LENGTHS):
        state = rng.normal(size=11) + 0.3 * number
        for _ in range(length):
            action = np.clip(0.2 * state[:3] + rng.normal(size=3) / 2, -1, 1)
            following = state @ drift + action @ push
            for name, value in zip(rows, (state, following, action), strict=True):
                rows[name].append(value)
            state = following
    s, n, a = (np.array(values, dtype=np.float32) for values in rows.values())
    ends = np.zeros(len(s), dtype=bool)
    ends[np.cumsum(LENGTHS) - 1] = True
    terminals = ends & np.isin(np.repeat(np.arange(len(LENGTHS)), LENGTHS), FELL)
    costs = np.select([n[:, 0] > 1.2, n[:, 0] > 0.6, n[:, 0] > 0.2], [2.0, 1.0, 0.5], 0.0).astype(np.float32)
    rewards = (0.4 * n[:, 1] + 0.3 * a[:, 0] - 0.1).astype(np.float32)
    return OfflineDataset("HopperVel", s, n, a, rewards, costs, terminals, ends & ~terminals)


def problem(gamma: float = 0.9) -> Problem:
    """Two seeds with two limits on these data."""
    import torch

    device = torch.device("cpu")
    scale = TASK.expected_length / 15.0
    return Problem(TASK, data(), Replay(data(), gamma, scale, device), SEEDS, LIMITS, gamma, scale, device)
