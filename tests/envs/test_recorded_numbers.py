"""What deep/envs and deep/collect return for fixed inputs is what was recorded (`tests.support.numbers`)."""

import pytest

from tests.support.lighter import unchecked
from tests.support.numbers.rooms import ROOMS
from tests.support.numbers.summary import check

CASES = [(room, name) for room in ("simulators",) for name in ROOMS[room]()]


@unchecked()
@pytest.mark.parametrize(("room", "name"), CASES)
def test_numbers_are_those_recorded(room, name):
    check(room, name, ROOMS[room]()[name])
