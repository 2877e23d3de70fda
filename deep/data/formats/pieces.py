"""Trajectories of which a file holds only a piece.

A trajectory breaks off where the rows of the file, or of one of its environments, stop without an end, and where the
next observation of a row is not the row after. In a ring buffer that has wrapped, as next_observations show, the last
row goes on in row 0: that trajectory stands in two pieces, and the one after a break is the oldest, whose first steps
were overwritten. Flags in the first row of each episode, in place of its last one, make pieces as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool

from deep.data.formats.continuity import gaps
from deep.data.formats.errors import raise_input_error
from deep.data.formats.numbered import IN_THE_LAST, SHIFTED

WRAPPED = (
    "this is a ring buffer that has wrapped: trajectories that it does not hold from their first step on are left out"
)
UNKNOWN = (
    "nothing shows which trajectory of this ring buffer is the oldest one: its first steps may have been overwritten"
)


class Pieces(NamedTuple):
    """The rows to leave out, (n,), and what to say of these and of the others."""

    cut: Bool[np.ndarray, " n"]
    remarks: tuple[str, ...]


def pieces(fields: Mapping[str, np.ndarray], last: Bool[np.ndarray, " n"], drop: bool, name: str) -> Pieces:
    """The pieces that can be seen.

    Args:
        fields: arrays with a row for each step, among them terminals and timeouts.
        last: the last row of the file, or of each of its environments.
        drop: whether pieces are left out; otherwise those that only `deep.data.dataset.check` rejects are none here.
        name: the file's.

    Raises:
        InputError: flags stand in the first rows of episodes, or `drop` is false and a ring buffer has wrapped.
    """
    ends, none = fields["terminals"] | fields["timeouts"], np.zeros(len(last), dtype=bool)
    if ends.shape != last.shape or not len(ends):
        return Pieces(none, ())  # the shape is rejected later
    gap = gaps(fields) & ~ends & ~last
    remarks = _check_place(ends, gap, drop, name)
    stops = np.flatnonzero(ends | last | gap)
    number = np.searchsorted(stops, np.arange(len(ends)))  # of the piece that each row belongs to
    headless = np.zeros(len(stops), dtype=bool)
    for final in np.flatnonzero(last):
        first = int(np.flatnonzero(last[:final])[-1]) + 1 if last[:final].any() else 0
        if not _wraps(fields, ends, first, int(final)):
            continue
        if not drop:
            found = f"is a ring buffer that has wrapped: by next_observations, row {first} follows row {final}"
            accepted = "whole trajectories are accepted; --last-trajectory drop leaves out those that the buffer does "
            raise_input_error(name, found, f"{accepted}not hold from their first to their last step in a row")
        after = number[first : final + 1][1:][gap[first:final]]
        headless[[number[first], *after]] = True
        remarks += () if len(after) else (UNKNOWN,)
    if not drop:
        return Pieces(none, ())
    if headless.any():
        remarks = (WRAPPED, *remarks)
    elif gap.sum() == 1 and ends[-1]:
        row = int(np.flatnonzero(gap)[0]) + 1
        note = f"row {row} follows a trajectory that was cut off, and is taken for the first step of another one; in a "
        remarks += (f"{note}ring buffer that was full, its first steps are overwritten",)
    return Pieces((headless | ~ends[stops])[number], remarks)


def _check_place(ends: np.ndarray, gap: np.ndarray, drop: bool, name: str) -> tuple[str, ...]:
    """A remark where row 0 is an end and the last row is none; raises `InputError` where next_observations show that
    each end is a start, and without `drop`."""
    if not ends[0] or ends[-1]:
        return ()
    after = np.append(False, gap[:-1])
    if gap.any() and (after[1:] == ends[1:]).all():
        raise_input_error(name, f"marks ends where next_observations show starts, {SHIFTED}", IN_THE_LAST)
    found = "marks an end in row 0 and none in its last row"
    if not drop:
        way = "--last-trajectory drop leaves out the rows after the last flag, where row 0 is an episode of one step"
        raise_input_error(name, f"{found}, {SHIFTED}", f"{IN_THE_LAST}; {way}")
    return (f"the file {found}: row 0 is taken for an episode of one step; {IN_THE_LAST}, not in its first one",)


def _wraps(fields: Mapping[str, np.ndarray], ends: np.ndarray, first: int, last: int) -> bool:
    """Whether the trajectory in row `last` goes on in row `first`. Where another trajectory begins with that
    observation, or it stands in both rows, it says nothing."""
    observations, follows = fields["observations"], fields.get("next_observations")
    if follows is None or follows.shape != observations.shape or ends[last] or not ends[first:last].any():
        return False
    starts = first + np.flatnonzero(ends[first:last]) + 1
    same = (observations[[last, *starts]] == observations[first]).all(axis=tuple(range(1, observations.ndim)))
    return np.array_equal(follows[last], observations[first]) and not same.any()
