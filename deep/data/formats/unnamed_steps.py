"""Counters of steps under a name that says nothing: where one is out of order within a trajectory, the rows are.

Whole numbers are taken for a counter where, sorted, they grow by one and the same stride in every trajectory, or in the
whole file, and a trajectory has at least `LEAST` rows. Numbers drawn for the rows of a file do so as well: those of a
file count where the rows in their order are nearer to each other than in the file's. One that increases throughout
shows that the rows are in order, whatever the others say; one that decreases throughout counts the steps that are left.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from deep.data.formats.joined import Table
from deep.data.formats.steps import raise_on_order
from theory.support.errors import InputError

LEAST = 5
"""Rows of the longest trajectory."""
NUMBERS = ("int", "uint", "float")


def check_unnamed(table: Table, used: Collection[str], fields: Mapping[str, Any], rows: np.ndarray, name: str) -> None:
    """Raise `InputError` where a counter decreases within a trajectory.

    Args:
        table: the arrays of the file.
        used: those that were read for something else.
        fields: of a data set, with a row for each step.
        rows: the numbers of these rows in the file, (n,).
        name: the file's.
    """
    ends = np.asarray(fields["terminals"] | fields["timeouts"])
    if ends.ndim != 1 or not len(ends):
        return
    inside = np.flatnonzero(~ends[:-1])
    number = np.cumsum(ends) - ends
    if not len(inside) or np.bincount(number).max() < LEAST:
        return
    found: tuple[str, np.ndarray, int] | None = None
    for key, (shape, dtype) in table.listing().items():
        if key in used or len(shape) not in (1, 2) or shape[1:] not in ((), (1,)) or not dtype.startswith(NUMBERS):
            continue
        values = _whole_numbers(table, key, rows)
        if values is None:
            continue
        change = np.diff(values)[inside]
        if change[0] > 0 and (change == change[0]).all():
            return
        if (
            found is None
            and (change > 0).any()
            and (change < 0).any()
            and (_counts(values, number, inside) or _shows_order(values, fields["observations"]))
        ):
            found = key, values, int(inside[np.flatnonzero(change < 0)[0]])
    if found is not None:
        key, values, place = found
        raise_on_order(key, values, place, rows, name)


def _whole_numbers(table: Table, key: str, rows: np.ndarray) -> np.ndarray | None:
    """The array in these rows, (n,) int64; None where it holds something else."""
    try:
        values = np.ravel(table.read(key))
    except InputError:  # such as a column with an empty cell, which nobody asked for
        return None
    if values.dtype.kind not in "iuf" or len(values) <= rows.max():
        return None
    values = values[rows].astype(np.float64) if values.dtype.kind == "f" else values[rows]  # 2**53 is inf in float16
    if values.dtype.kind == "f" and not ((values == np.round(values)) & (np.abs(values) < 2**53)).all():
        return None
    return values.astype(np.int64)


def _counts(values: np.ndarray, number: np.ndarray, inside: np.ndarray) -> bool:
    """Whether the values, sorted within each trajectory, grow by one stride."""
    return _is_even(np.diff(values[np.lexsort((values, number))])[inside])


def _shows_order(values: np.ndarray, observations: np.ndarray) -> bool:
    """Whether the values, sorted, grow by one stride, and the observations, (n, ...), change less in their order."""
    if not _is_even(np.diff(np.sort(values))):
        return False
    rows = observations.reshape(len(observations), -1).astype(np.float64)
    spread = rows.std(axis=0)
    rows = rows / np.where(spread > 0, spread, 1.0)
    sorted_, given = (np.abs(np.diff(rows[order], axis=0)).sum() for order in (np.argsort(values), slice(None)))
    return bool(sorted_ < given)


def _is_even(change: np.ndarray) -> bool:
    return bool(change[0] > 0 and (change == change[0]).all())
