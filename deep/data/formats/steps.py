"""Columns with the step within the trajectory, or the time: they do not decrease from row to row of a trajectory.

Rows in another order, rows that stand twice and trajectories whose ends are not marked show in them. Two kinds differ:

counter   whole numbers that begin low and grow by one stride nearly everywhere: they have to increase, and a gap means
          that rows are missing. One without a fault settles what the other columns leave open
time      a date, a number that is not whole, a large one, or a column of such a name: it may stand still, as a rounded
          time does, and have gaps; a remark says so

Other whole numbers have to increase, and may have gaps.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple, NoReturn

import numpy as np

from deep.data.formats.errors import raise_input_error

PLAIN = ("step", "steps", "t", "time", "timestep", "timesteps", "time_step", "time_steps", "timestamp", "step_id")
"""Names of such a column, in any case."""
TIMES = ("time", "timestamp")
"""Those of them that say it is a time."""
ACCEPTED = (
    "rows in the order of their steps, with the end of each trajectory marked, are accepted; sort the rows by episode "
)
ACCEPTED += "and step, or --columns steps={} "
GAP = 1.9
"""Usual differences from one row to the next that make a gap."""
NEARLY = 0.9
"""The share of the differences that are one stride in a counter."""
LOW = 1e6
"""A counter begins below it."""


class _Column(NamedTuple):
    key: str
    values: np.ndarray
    change: np.ndarray  # from a row to the next one of its trajectory, (m,)
    usual: float  # the most frequent change where the column counts, or else the median of those above 0
    counts: bool
    times: bool

    @property
    def good(self) -> bool:
        """Whether this is a counter without a fault."""
        return self.counts and bool((self.change == self.usual).all())


def is_readable(values: np.ndarray) -> bool:
    """Whether these are numbers or times, (n,), and none is missing."""
    return values.ndim == 1 and values.dtype.kind in "iufMm" and not (values != values).any()


def check_steps(
    columns: Mapping[str, np.ndarray], fields: Mapping[str, Any], rows: np.ndarray, name: str
) -> tuple[str, ...]:
    """Remarks on gaps, and on times that stand still.

    Args:
        columns: the steps, (n,) each, of the rows of `fields`, by the column's name.
        fields: those of a data set, with a row for each step.
        rows: the numbers of the rows in the file, (n,).
        name: the file's.

    Raises:
        InputError: inside a trajectory steps decrease, steps that are no times stand still, or a counter has a gap.
    """
    inside = np.flatnonzero(~(fields["terminals"] | fields["timeouts"])[:-1])
    read = [_column(key, values, inside, name) for key, values in columns.items()] if len(inside) else []
    good = next((each for each in read if each.good), None)
    remarks: list[str] = []
    for each in read:
        change = each.change
        if (change < 0).any():
            _reject(each, change < 0, "after", inside, rows, good, name)
        if (still := change == 0).any():
            if good is None and (not each.times or _twice(fields, inside[still])):
                _reject(each, still, "after", inside, rows, good, name)
            place = int(rows[inside[np.flatnonzero(still)[0]]])
            remarks.append(
                f"{each.key} stands still after {int(still.sum())} rows of trajectories, the first one row {place}"
            )
        if (gaps := change > GAP * each.usual).any():
            if good is None and each.counts:
                _reject(each, gaps, "right after", inside, rows, good, name)
            place = int(rows[inside[np.flatnonzero(gaps)[0]]])
            remarks.append(
                f"{each.key} has {int(gaps.sum())} gaps inside trajectories, the first one after row {place}"
            )
    return tuple(remarks)


def _column(key: str, values: np.ndarray, inside: np.ndarray, name: str) -> _Column:
    if not is_readable(values):
        found = f"has {key} of shape {values.shape} and type {values.dtype}"
        raise_input_error(name, found, "a number a row is accepted")
    kind = values.dtype.kind
    numbers = values.astype(np.float64 if kind == "f" else np.int64)
    with np.errstate(over="ignore"):  # from -1e308 to 1e308: an infinite gap
        change = np.diff(numbers)[inside]
    whole = kind not in "Mm" and bool((numbers == np.round(numbers)).all())
    low = bool(np.abs(numbers.astype(np.float64)).min() < LOW)
    strides, counts = np.unique(change, return_counts=True)
    stride, share = float(strides[counts.argmax()]), counts.max() / len(change)
    counter = whole and low and stride > 0 and bool(share >= NEARLY)
    usual = stride if counter else float(np.median(change[change > 0])) if (change > 0).any() else 0.0
    return _Column(key, values, change, usual, counter, key.lower() in TIMES or not whole or not low)


def _reject(
    column: _Column,
    where: np.ndarray,
    words: str,
    inside: np.ndarray,
    rows: np.ndarray,
    good: _Column | None,
    name: str,
) -> None:
    """Raise `InputError` for the first of these changes."""
    raise_on_order(
        column.key, column.values, int(inside[np.flatnonzero(where)[0]]), rows, name, words, good and good.key
    )


def raise_on_order(
    key: str,
    values: np.ndarray,
    place: int,
    rows: np.ndarray,
    name: str,
    words: str = "after",
    good: str | None = None,
) -> NoReturn:
    """Raise `InputError` for the change of `values`, (n,), from `place` to the row after it.

    Args:
        key: the column.
        values: its numbers or times.
        place: an index of them.
        rows: the numbers of the rows in the file, (n,).
        name: the file's.
        words: how the two follow each other.
        good: a column of steps without a fault, if there is one.
    """
    found = f"has {key} {values[place + 1]} in row {rows[place + 1]}, {words} {values[place]}, in one trajectory"
    way = ACCEPTED.format("") + f"leaves {key} out of account"
    if good is not None:
        way = ACCEPTED.format(good) + f"goes by {good} alone, which increases throughout"
    raise_input_error(name, found, way)


def _twice(fields: Mapping[str, Any], places: np.ndarray) -> bool:
    """Whether most of these rows stand there again in the next row."""
    same = np.ones(len(places), dtype=bool)
    for key in ("observations", "actions", "rewards"):
        values = np.asarray(fields[key]).reshape(len(fields[key]), -1)
        same &= (values[places] == values[places + 1]).all(axis=1)
    return bool(same.mean() > 0.5)


def steps_of(table: Any, columns: Collection[str], rows: np.ndarray) -> dict[str, np.ndarray]:
    """These columns of a table, in these rows; (n, 1) is taken for (n,)."""
    found = {column: table.read(column)[rows] for column in columns}
    return {column: values[:, 0] if values.shape[1:] == (1,) else values for column, values in found.items()}
