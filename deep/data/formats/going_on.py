"""Marks inside an episode, such as "goal reached", after which the recording goes on: a column of steps shows them.

Such a column goes on across an end where it grows by the stride that it has within trajectories, and begins anew where
it decreases. One that does either at all ends says nothing: it counts the steps of the episode, or those of the file.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Int

from deep.data.formats.errors import raise_input_error
from deep.data.formats.missing import Found
from deep.data.formats.steps import NEARLY, PLAIN, is_readable
from theory.support.errors import InputError

TOLERANCE = 1e-3
"""Of a time's stride, relative."""
SPLIT = "if an episode goes on there, as after a goal that was reached, its cost is split"
SINGLE = "trajectories have a single step"
OTHER_MARKS = "--columns dones=NAME terminals= timeouts= takes other marks for the ends"


class _Across(NamedTuple):
    """What a column does from the last row of each trajectory to the next row, (n - 1,)."""

    goes_on: Bool[np.ndarray, " between"]
    anew: Bool[np.ndarray, " between"]


def of_single_steps(lengths: Int[np.ndarray, " trajectories"]) -> tuple[str, ...]:
    """A remark where most trajectories, of these numbers of steps, have a single one."""
    count = int((lengths == 1).sum())
    if 2 * count <= len(lengths) or len(lengths) < 2:
        return ()
    note = f"{count} of {len(lengths)} {SINGLE}: if the flags mark the steps that are no end, or every step, the cost "
    return (f"{note}of an episode is split; {OTHER_MARKS}",)


def plain_steps(table: Any, used: Collection[str], rows: np.ndarray) -> dict[str, np.ndarray]:
    """The columns of a table whose name says plainly that they hold the step or the time, in these rows, (n,) each;
    those aside that were read for something else, or cannot be read."""
    listing: Mapping[str, Found] = table.listing()
    there = [each for each in listing if each.rsplit("/", 1)[-1].lower() in PLAIN and each not in used]
    found = {}
    for each in there:
        try:
            values = np.ravel(table.read(each))
        except InputError:  # such as a column with an empty cell, which nobody asked for
            continue
        if len(values) > rows.max(initial=0) and is_readable(values):
            found[each] = values[rows]
    return found


def check_ends(
    columns: Mapping[str, np.ndarray],
    fields: Mapping[str, Any],
    one: Bool[np.ndarray, " between"],
    timeouts: str | None,
    name: str,
) -> tuple[str, ...]:
    """A remark where a column of steps goes on across some ends and begins anew after others.

    Args:
        columns: steps or times, (n,) each, by the column's name.
        fields: those of a data set, with a row for each step.
        one: whether a row and the next one are of one recording.
        timeouts: the array in the file that marks the timeouts; None where there is none that could mark all ends.
        name: the file's.

    Raises:
        InputError: it begins anew after all timeouts, and goes on after terminals alone: these are no ends.
    """
    remarks = []
    for key, values in columns.items():
        across = _across(values, fields, one)
        if not across.goes_on.any() or not across.anew.any():
            continue
        timed_out = np.asarray(fields["timeouts"])[:-1] & one
        if timeouts is not None and timed_out.any() and not (timed_out & ~across.anew).any():
            _reject(key, values, across, timed_out, timeouts, name)
        count, anew = int(across.goes_on.sum()), int(across.anew.sum())
        note = f"{key} goes on across {count} ends, and begins anew after {anew} others: {SPLIT}; {OTHER_MARKS}"
        remarks.append(note)
    return tuple(remarks)


def _across(values: np.ndarray, fields: Mapping[str, Any], one: Bool[np.ndarray, " between"]) -> _Across:
    """What a column does across the ends; nothing where it has no stride."""
    ends = np.asarray(fields["terminals"] | fields["timeouts"])[:-1]
    change = np.diff(values.astype(np.float64 if values.dtype.kind == "f" else np.int64))
    none = np.zeros_like(one)
    if ends.shape != one.shape or ends.all():  # another shape is rejected later
        return _Across(none, none)
    stride = float(np.median(change[~ends]))
    same = np.abs(change - stride) <= TOLERANCE * stride
    if not stride > 0 or same[~ends].mean() < NEARLY:
        return _Across(none, none)
    return _Across(ends & one & same, ends & one & (change < 0))


def _reject(
    key: str, values: np.ndarray, across: _Across, timed_out: Bool[np.ndarray, " between"], timeouts: str, name: str
) -> None:
    place = int(np.flatnonzero(across.goes_on)[0])
    found = f"has {key} {values[place + 1]} after {values[place]} across the end in row {place}, and {key} begins anew "
    found += f"after {int(across.anew.sum())} others"
    ways = [f"--columns dones={timeouts} terminals= timeouts= takes {timeouts} alone for the ends"]
    if (across.anew & ~timed_out).any():
        ways = []
    ways.append(f"--columns steps= leaves {key} out of account")
    accepted = "marks at the ends of episodes alone are accepted, none after which an episode goes on"
    raise_input_error(name, found, "; ".join([accepted, *ways]))
