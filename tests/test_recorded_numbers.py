"""The comparison of recorded numbers: what it notices, what it forgives, and that every case has its numbers."""

from typing import Any, NamedTuple

import numpy as np
import pytest
import torch

from tests.support import record_numbers
from tests.support.numbers import summary
from tests.support.numbers.rooms import ROOMS
from tests.support.numbers.summary import Case, changes, check, entries, load, measured, write

TABLE = np.random.default_rng(0).normal(size=(3, 4, 4))


class Pair(NamedTuple):
    a: Any
    b: Any


def noticed(one: Any, other: Any, **options: Any) -> bool:
    """Whether two results differ for a case with these options."""
    case = Case(lambda: None, **options)
    return bool(changes(entries(one, case), entries(other, case), case))


MISTAKES = {
    "sign": lambda x: -x,
    "one sign": lambda x: np.where(np.arange(x.size).reshape(x.shape) == 7, -x, x),
    "order": lambda x: x[::-1],
    "axes": lambda x: x.swapaxes(1, 2),
    "shape": lambda x: x.reshape(4, 3, 4),
    "one entry": lambda x: x + 1e-4 * (np.arange(x.size).reshape(x.shape) == 20),
    "a gap": lambda x: np.where(x == x.max(), np.nan, x),
    "scale": lambda x: 1.00001 * x,
}


@pytest.mark.parametrize("mistake", MISTAKES)
@pytest.mark.parametrize("depth", [1, 3])
def test_a_changed_table_is_noticed_and_rounding_is_not(mistake, depth):
    """At depth 1 the table is a part of a fingerprint, beside another one that is far larger."""
    around = {"x": Pair(TABLE, 1e9 * TABLE)}
    assert noticed(around, {"x": Pair(MISTAKES[mistake](TABLE), 1e9 * TABLE)}, depth=depth)
    assert not noticed(around, {"x": Pair(TABLE * (1 + 1e-12), 1e9 * TABLE + 1e-4)}, depth=depth)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (0.0, 1e-3), (True, False), (True, 1.5), ("a", "b"), (None, 0.0), (3, 4), ([1.0, 2.0], [2.0, 1.0]),
        (float("nan"), 1.0), (float("inf"), float("-inf")), ({"a": 1.0}, {"b": 1.0}), ({"a": 1.0}, {}),
        ([0.5, float("nan")], [0.5, 0.0]), (torch.tensor([True, False]), torch.tensor([False, True])),
    ],
)  # fmt: skip
@pytest.mark.parametrize("depth", [0, 2])
def test_changed_numbers_texts_and_names_are_noticed(one, other, depth):
    assert noticed({"x": one}, {"x": other}, depth=depth)
    assert not noticed({"x": one}, {"x": one}, depth=depth)


def test_what_is_far_below_the_tolerance_is_forgiven_and_what_is_above_is_not():
    assert not noticed([2.0, 0.0], [2.0 + 1e-8, 1e-12])
    assert noticed([2.0], [2.0 + 1e-6])
    assert not noticed([2.0], [2.0 + 1e-6], rtol=1e-5)
    assert not noticed(TABLE, TABLE.astype(np.float32), rtol=1e-6)


def test_a_failing_check_names_what_has_changed_and_recording_prints_it(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(summary, "RECORDED", tmp_path)
    result = {"sums": TABLE, "size": 3}
    case = Case(lambda: result)
    write("toy", {"one": measured(case), "gone": {"x": 1}})
    check("toy", "one", case)
    result["size"] = 4
    with pytest.raises(AssertionError, match=r"toy, one: 1 of 2 numbers have changed\nsize: 3 was recorded, 4 is meas"):
        check("toy", "one", case)
    with pytest.raises(AssertionError, match=r"toy, two: its numbers are not recorded yet: python -m .*_numbers toy"):
        check("toy", "two", case)
    monkeypatch.setattr(record_numbers, "ROOMS", {"toy": lambda: {"one": case}})
    record_numbers.main([])
    shown = capsys.readouterr().out
    assert "toy, one: size: 3 was recorded, 4 is measured" in shown
    assert "toy, gone: is no longer a case" in shown
    check("toy", "one", case)
    assert set(load("toy")) == {"one"}
    with pytest.raises(SystemExit, match="unknown room 'x': accepted are toy"):
        record_numbers.main(["x"])


@pytest.mark.parametrize("room", ROOMS)
def test_every_case_of_a_room_is_recorded_and_no_other(room):
    assert list(load(room)) == list(ROOMS[room]()), f"python -m tests.support.record_numbers {room}"


def test_recorded_numbers_are_few():
    assert {path.stem for path in summary.RECORDED.iterdir()} == set(ROOMS)
    assert sum(path.stat().st_size for path in summary.RECORDED.iterdir()) < 250_000
