"""Whole commands: shapes are checked in the tests of their parts."""

from collections.abc import Iterator

import pytest

from tests.support import lighter


@pytest.fixture(scope="package", autouse=True)
def without_shape_checks() -> Iterator[None]:
    with lighter.unchecked():
        yield
