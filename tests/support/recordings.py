"""Small data sets for tests: what is in them, and how they are written."""

from pathlib import Path

import numpy as np
import pytest

from deep.data.dataset import KEYS, OfflineDataset
from deep.data.load import save, save_packed
from deep.tasks import TASKS

HOPPER = TASKS["HopperVel"]
LENGTHS = (5, 1, 1000, 3)
each_layout = pytest.mark.parametrize("layout", ["plain", "packed"])


def recording(lengths=LENGTHS, seed: int = 0, fractions: bool = False, task: str = "HopperVel") -> OfflineDataset:
    """Smooth-ish random transitions of trajectories of these lengths, which end in all three ways."""
    rng = np.random.default_rng(seed)
    rows, size = sum(lengths), TASKS[task].observation_size
    last = np.cumsum(lengths) - 1
    observations = rng.normal(size=(rows, size)).astype(np.float32)
    next_observations = np.roll(observations, -1, axis=0)
    next_observations[last] = rng.normal(size=(len(lengths), size))
    actions = rng.uniform(-1, 1, size=(rows, TASKS[task].action_size)).astype(np.float32)
    actions[0] = 1
    costs = rng.uniform(0, 3, size=rows) if fractions else rng.random(rows) < 0.3
    flags = np.zeros((2, rows), dtype=bool)
    flags[:, last] = rng.permuted(np.resize([[1, 0, 1], [0, 1, 1]], (2, len(lengths))), axis=1)
    flags[1, last] |= ~flags[0, last]
    return OfflineDataset(
        task,
        observations,
        next_observations,
        actions,
        rng.normal(size=rows).astype(np.float32),
        costs.astype(np.float32),
        *flags,
        policies=rng.integers(0, 9, size=len(lengths)).astype(np.int32),
        provenance={"command": "a test ∑", "empty": "", "seed": 3},
    )


def arrays(dataset: OfflineDataset) -> dict[str, np.ndarray]:
    return {key: getattr(dataset, key) for key in (*KEYS, "policies")}


def write(path: Path, dataset: OfflineDataset, layout: str) -> Path:
    (save_packed if layout == "packed" else save)(path, dataset)
    return path
