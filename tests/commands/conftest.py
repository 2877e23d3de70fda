"""Whole commands: shapes are checked in the tests of their parts."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import lighter


@pytest.fixture(scope="package", autouse=True)
def without_shape_checks() -> Iterator[None]:
    with lighter.unchecked():
        yield


@pytest.fixture(scope="package")
def file(tmp_path_factory) -> Path:
    """A custom data set."""
    from tests.support import custom_lab  # it registers its environment

    return custom_lab.record(tmp_path_factory.mktemp("data") / "cart.hdf5")


@pytest.fixture(scope="package")
def run(file, tmp_path_factory) -> Path:
    pytest.importorskip("tensorboard")  # of the extra `log`
    from tests.support import watched_runs

    return watched_runs.simulated(file, tmp_path_factory.mktemp("runs") / "simulated")


@pytest.fixture(scope="package")
def unsimulated(file, tmp_path_factory) -> Path:
    from tests.support import watched_runs

    return watched_runs.unsimulated(file, tmp_path_factory.mktemp("runs") / "own")
