"""Small data sets, and options that make a run small enough for a test."""

import numpy as np

from deep.data.dataset import OfflineDataset

SHORT = 40
"""Steps of the longest trajectory in `small_dataset`, and of an episode under the fixture `short_episodes`."""

TINY = """--dynamics.steps 4 --dynamics.members 2 --dynamics.hidden 16 --dynamics.episodes 2 --behaviour.steps 4
--behaviour.width 16 --behaviour.batch-size 16 --critics.steps 4 --critics.regression-steps 2 --critics.hidden 16
--critics.ensemble 2 --cloning-steps 4 --adaptation-steps 4 --batch-size 16 --hidden 16""".split()
"""Options of deep.train that make DRCORL small enough for a test."""

TINY_SAFE_DQL = """--algorithm safe_dql --behaviour-steps 4 --improvement-steps 4 --batch-size 16 --hidden 16 16
--critics.hidden 16 --candidates 3 --dynamics.members 2 --dynamics.hidden 16""".split()
"""The same for Safe-DQL."""

TINY_COLLECTION = {
    "--trajectories": 6, "--episodes": 3, "--runs": 2, "--pilots": 2, "--snapshot-every": 2, "--steps": 160,
    "--ppo.environments": 4, "--ppo.horizon": 8, "--ppo.segment": 2, "--ppo.minibatch": 16, "--ppo.epochs": 2,
    "--ppo.hidden": 8,
}  # fmt: skip


def small_dataset(trajectories: int = 12, steps: int = SHORT, seed: int = 0) -> OfflineDataset:
    """Trajectories of HopperVel's dimensions from a stable random linear system; costs and ends of every kind."""
    rng = np.random.default_rng(seed)
    drift, push = 0.9 * np.eye(11), rng.normal(size=(3, 11)) / 4
    lengths = np.where(np.arange(trajectories) % 3 == 0, steps // 2, steps)
    columns: dict[str, list[np.ndarray]] = {"observations": [], "next_observations": [], "actions": []}
    for length in lengths:
        state = rng.normal(size=11)
        for _ in range(length):
            action = np.clip(rng.normal(size=3) / 2, -1, 1)
            following = state @ drift + action @ push
            for name, value in zip(columns, (state, following, action), strict=True):
                columns[name].append(value)
            state = following
    data = {name: np.array(rows, dtype=np.float32) for name, rows in columns.items()}
    ends = np.zeros(lengths.sum(), dtype=bool)
    ends[np.cumsum(lengths) - 1] = True
    terminals = ends & np.repeat(lengths < steps, lengths)
    # A third of the trajectories is free of cost.
    risky = np.repeat(np.arange(trajectories) % 3 != 1, lengths)
    costs = (risky & (data["next_observations"][:, 0] > 0)).astype(np.float32)
    rewards = data["next_observations"][:, 1].astype(np.float32)
    return OfflineDataset(
        "HopperVel",
        data["observations"],
        data["next_observations"],
        data["actions"],
        rewards,
        costs,
        terminals,
        ends & ~terminals,
    )


def two_gaits(count: int = 6, steps: int = 30) -> OfflineDataset:
    """Trajectories over the same states with action +1/2 (even ones) or -1/2 (odd ones); trajectory 2 is the best."""
    rng = np.random.default_rng(0)
    states = rng.normal(size=(count, steps + 1, 11)).cumsum(axis=1).astype(np.float32)
    sign = np.where(np.arange(count) % 2 == 0, 0.5, -0.5)
    actions = np.repeat(sign, steps)[:, None].astype(np.float32) * np.ones((1, 3), dtype=np.float32)
    rewards = np.repeat(np.array([9.2, 9.5, 10.0, 9.9, 9.4, 1.0]) / steps, steps).astype(np.float32)
    timeouts = np.zeros(count * steps, dtype=bool)
    timeouts[steps - 1 :: steps] = True
    return OfflineDataset(
        "HopperVel",
        states[:, :-1].reshape(-1, 11),
        states[:, 1:].reshape(-1, 11),
        actions,
        rewards,
        np.zeros(count * steps, dtype=np.float32),
        np.zeros(count * steps, dtype=bool),
        timeouts,
    )
