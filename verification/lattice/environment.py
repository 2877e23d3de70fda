"""A lattice task as a gymnasium environment: it draws from the physics, and never looks at the task's finite CMDP."""

from typing import Any

import gymnasium
import numpy as np
from gymnasium.wrappers import TimeLimit

from theory.support.errors import InputError
from verification.lattice.tasks import CUT, GAMMA, Lattice


class LatticeEnv(gymnasium.Env):
    """One step: draw a grid action by the weights of the action, move, draw a node by the weights of the next point.

    The reward is the interpolated one; `info["cost"]` is 1 with the interpolated cost as its probability, else 0. Every
    step is truncated with probability 1 - gamma (see `verification.lattice.tasks`). `info["state"]`: the node's number.
    """

    def __init__(self, lattice: Lattice) -> None:
        self.lattice = lattice
        size = len(lattice.actions.axes)
        self.action_space = gymnasium.spaces.Box(-1.0, 1.0, (size,), np.float32)
        observations = lattice.observe(lattice.states.nodes)
        self.observation_space = gymnasium.spaces.Box(observations.min(axis=0), observations.max(axis=0))
        self.state = -1

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None):
        """Start in a node drawn from the start distribution, or in `options["state"]`."""
        super().reset(seed=seed)
        chosen = (options or {}).get("state")
        self.state = self._draw(self.lattice.rho) if chosen is None else int(chosen)
        return self._observation(), {"state": self.state}

    def step(self, action: np.ndarray):
        """One step; raises `InputError` before the first reset."""
        if self.state < 0:
            raise InputError(f"{self.lattice.name} was stepped before it was reset")
        lattice = self.lattice
        here = np.repeat(lattice.states.nodes[[self.state]], len(lattice.actions.nodes), axis=0)
        step = lattice.physics(here, lattice.actions.nodes)
        weights = lattice.actions.weights(np.asarray(action, dtype=np.float64)[None])[0]
        moved = step.next_points[self._draw(weights)]
        self.state = self._draw(lattice.states.weights(moved[None])[0])
        cost = float(self.np_random.random() < weights @ step.costs)
        timed_out = bool(self.np_random.random() < 1 - GAMMA)
        return self._observation(), float(weights @ step.rewards), False, timed_out, {"cost": cost, "state": self.state}

    def _observation(self) -> np.ndarray:
        return self.lattice.observe(self.lattice.states.nodes[[self.state]])[0]

    def _draw(self, weights: np.ndarray) -> int:
        return int(self.np_random.choice(len(weights), p=weights / weights.sum()))


def make(lattice: Lattice) -> gymnasium.Env:
    """The task's environment, episodes cut after CUT steps."""
    return TimeLimit(LatticeEnv(lattice), CUT)
