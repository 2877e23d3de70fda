"""A user's own small laboratory, which knows gymnasium and h5py and nothing of this project.

A cart on a line is pushed by a force from -2 to 2 towards the origin; a step costs 1 where it moves faster than 0.5.
"""

from pathlib import Path

import gymnasium
import h5py
import numpy as np
from gymnasium.spaces import Box
from gymnasium.wrappers import TimeLimit

LENGTH = 30
WEAR = 10
"""Steps after which a worn cart breaks."""


class Cart(gymnasium.Env):
    """Terminates, if `edge` is given, where the cart leaves [-edge, edge]."""

    metadata = {"render_modes": ["rgb_array"]}  # noqa: RUF012 (gymnasium's own way)

    def __init__(
        self, edge=np.inf, bound=2.0, six=False, cost="cost", forces=1, worn=False, blind=False, render_mode=None
    ):
        self.edge, self.six, self.cost, self.render_mode = edge, six, cost, render_mode
        self.worn, self.blind, self.steps = worn, blind, 0
        self.observation_space = Box(-np.inf, np.inf, (2,))
        self.action_space = Box(-bound, bound, (forces,))

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.state = self.np_random.uniform(-1, 1, 2)
        return self.state.astype(np.float32), {}

    def step(self, action):  # pyright: ignore[reportIncompatibleMethodOverride]  (six values are the older interface)
        assert self.action_space.contains(action), action
        self.steps += 1
        if self.worn and self.steps > WEAR:
            raise OSError("motor stall")
        position, velocity = self.state
        velocity = velocity + 0.2 * float(action[0])
        self.state = np.array([position + 0.2 * velocity, velocity])
        reward, cost = -abs(self.state[0]), float(abs(velocity) > 0.5)
        fell = bool(abs(self.state[0]) > self.edge)
        if self.six:
            return self.state.astype(np.float32), reward, cost, fell, False, {}
        seen = np.full(2, np.nan) if self.blind else self.state
        return seen.astype(np.float32), reward, fell, False, {self.cost: cost}

    def render(self):
        frame = np.zeros((40, 40, 3), dtype=np.uint8)
        frame[20, int(np.clip(20 + 5 * self.state[0], 0, 39))] = 255
        return frame


for name, options in {
    "Cart-v0": {},
    "CartWithEdge-v0": {"edge": 0.9},
    "CartOfSix-v0": {"six": True},
    "CartWithoutCost-v0": {"cost": "price"},
    "UnboundedCart-v0": {"bound": np.inf},
    "WornCart-v0": {"worn": True},
    "BlindCart-v0": {"blind": True},
    "CartOfTwoForces-v0": {"forces": 2},
}.items():
    gymnasium.register(name, entry_point=f"{__name__}:Cart", kwargs=options, max_episode_steps=LENGTH)


def with_its_own_clock(**options) -> gymnasium.Env:
    return TimeLimit(Cart(**options), 25)


gymnasium.register("CartWithItsOwnClock-v0", entry_point=with_its_own_clock)
gymnasium.register("CartWithoutClock-v0", entry_point=f"{__name__}:Cart")


def record(path: Path, episodes: int = 12, name: str = "Cart-v0") -> Path:
    """Controllers of different vigour, and noise, as plain arrays."""
    env, rng = gymnasium.make(name), np.random.default_rng(0)
    rows = {key: [] for key in ("observations", "next_observations", "actions", "rewards", "costs")}
    rows |= {"terminals": [], "timeouts": []}
    for episode in range(episodes):
        observation, _ = env.reset(seed=episode)
        vigour, done = rng.uniform(0.2, 3), False
        while not done:
            push = -vigour * (observation[0] + observation[1]) + rng.normal(0, 0.7)
            action = np.clip([push], -2, 2).astype(np.float32)
            following, reward, terminated, truncated, info = env.step(action)
            values = (observation, following, action, reward, info["cost"], terminated, truncated)
            for key, value in zip(rows, values, strict=True):
                rows[key].append(value)
            observation, done = following, terminated or truncated
    with h5py.File(path, "w") as file:
        for key, values in rows.items():
            file[key] = np.array(values, dtype=bool if key in ("terminals", "timeouts") else np.float32)
    return path
