"""Fixtures that tests share: small data, an untrained experiment on them, short episodes, a user's recording."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from deep.data.dataset import OfflineDataset
from deep.data.load import save
from deep.runs.experiment import Experiment
from tests.support import custom_lab, lighter, order
from tests.support.builders import TINY, small_dataset

# One thread: the networks here are tiny, and equality of results must not depend on how work is split.
torch.set_num_threads(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    order.longest_first(items)


@pytest.fixture(autouse=True)
def seeded() -> None:
    """What a test draws without a generator of its own is the same whatever ran before it."""
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def dataset() -> OfflineDataset:
    return small_dataset()


@pytest.fixture(scope="session")
def dataset_file(tmp_path_factory: pytest.TempPathFactory, dataset: OfflineDataset) -> Path:
    path = tmp_path_factory.mktemp("data") / "small.hdf5"
    save(path, dataset)
    return path


@pytest.fixture(scope="module")
def short_episodes() -> Iterator[None]:
    """For a whole file: see `tests.support.lighter`."""
    with lighter.short_episodes():
        yield


@pytest.fixture(scope="module")
def no_figures() -> Iterator[None]:
    """For a whole file: see `tests.support.lighter`."""
    with lighter.no_figures():
        yield


@pytest.fixture(scope="module")
def unchecked() -> Iterator[None]:
    """For a whole file: see `tests.support.lighter`."""
    with lighter.unchecked():
        yield


@pytest.fixture
def build(dataset_file: Path):
    """An untrained experiment on the small data, from options of the command line."""
    from deep.training import parse, settings_of

    def build(*options: str) -> Experiment:
        tiny = TINY if "--algorithm" not in options else ["--dynamics.steps", "0", "--hidden", "16"]
        words = [*tiny, "--dataset", str(dataset_file), "--device", "cpu", *options]
        return Experiment(settings_of(parse(words)))

    return build


@pytest.fixture
def double() -> Iterator[None]:
    """Tensors are float64 unless a test says otherwise."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's own recording, made without this project."""
    return custom_lab.record(tmp_path_factory.mktemp("custom") / "cart.hdf5")
