"""Small problems that tests share."""

from pathlib import Path

import numpy as np
import pytest
import torch

from deep.data.dataset import OfflineDataset
from deep.data.load import save
from deep.runs.experiment import Experiment

# One thread: the networks here are tiny, and equality of results must not depend on how work is split.
torch.set_num_threads(1)


def small_dataset(trajectories: int = 12, steps: int = 40, seed: int = 0) -> OfflineDataset:
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


@pytest.fixture(scope="session")
def dataset() -> OfflineDataset:
    return small_dataset()


@pytest.fixture(scope="session")
def dataset_file(tmp_path_factory: pytest.TempPathFactory, dataset: OfflineDataset) -> Path:
    path = tmp_path_factory.mktemp("data") / "small.hdf5"
    save(path, dataset)
    return path


TINY = """--dynamics.steps 4 --dynamics.members 2 --dynamics.hidden 16 --dynamics.episodes 2 --behaviour.steps 4
--behaviour.width 16 --behaviour.batch-size 16 --critics.steps 4 --critics.regression-steps 2 --critics.hidden 16
--critics.ensemble 2 --cloning-steps 4 --adaptation-steps 4 --batch-size 16 --hidden 16""".split()
"""Options of deep.train that make DRCORL small enough for a test."""


@pytest.fixture
def build(dataset_file: Path):
    """An untrained experiment on the small data, from options of the command line."""
    from deep.train import parse, settings_of

    def build(*options: str) -> Experiment:
        tiny = TINY if "--algorithm" not in options else ["--dynamics.steps", "0", "--hidden", "16"]
        words = [*tiny, "--dataset", str(dataset_file), "--device", "cpu", *options]
        return Experiment(settings_of(parse(words)))

    return build


@pytest.fixture(scope="session")
def recorded(tmp_path_factory) -> Path:
    """A user's own recording, made without this project."""
    from tests.support import custom_lab as custom_lab

    return custom_lab.record(tmp_path_factory.mktemp("custom") / "cart.hdf5")
