"""A bandit on [-1, 1] whose optimum is known: the reward rises with the first entry of the action, its cost does too.

r(a) = (1 + a) / 2,   c(a) = max(0, a):   the best action of a cost of at most kappa is a = min(kappa, 1).
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from deep.core.method import at_states
from deep.core.randomness import draw_block
from deep.data.dataset import OfflineDataset
from deep.data.load import save

OPTIONS = """--gamma 0.5 --cost-limits 200 2000 --dynamics.steps 0
--vae.steps 600 --vae.hidden 32 --vae.learning-rate 5e-3
--regression-steps 300 --steps 600 --batch-size 64 --hidden 32 --critics.hidden 32 --learning-rate 3e-3
--critics.learning-rate 5e-3 --critics.target-rate 0.05""".split()
"""gamma = .5 makes kappa = limit / 500: .4, and 4, which is no limit."""


def record(path: Path, count: int = 900) -> Path:
    """One-step episodes in one state with uniform first entries of the action."""
    rng = np.random.default_rng(0)
    actions = rng.normal(0, 0.1, (count, 3)).clip(-0.25, 0.25).astype(np.float32)
    actions[:, 0] = rng.uniform(-1, 1, count)
    first = actions[:, 0]
    state, yes = np.zeros((count, 11), dtype=np.float32), np.ones(count, dtype=bool)
    data = OfflineDataset("HopperVel", state, state, actions, (1 + first) / 2, first.clip(0), yes, ~yes)
    save(path, data)
    return path


def trained(build: Any, path: Path, *options: str) -> Any:
    """The method after all its phases, for kappa = .4 and for no limit."""
    method = build(*options, *OPTIONS, "--dataset", str(record(path / "ramp.hdf5"))).method
    for phase in method.phases():
        phase.on_start()
        for block in range(phase.steps // 50):
            draws = draw_block(phase.draws, phase.seeds, phase.name, block, 50, torch.device("cpu"))
            for k in range(50):
                phase.update(torch.tensor(float(50 * block + k)), {name: x[k] for name, x in draws.items()})
    return method


def first_entries(method: Any, choice: str = "") -> torch.Tensor:
    """The first entries of 200 actions of either replica, (2, 200)."""
    policy = method.policies()[choice]
    return at_states(policy)(torch.zeros(2, 200, 11))[..., 0]
