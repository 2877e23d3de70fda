"""Marks of the ends of trajectories under names that no option and no format gave: they may say that there are more.

`done` that marks the terminal states alone makes one trajectory of several, where `episode_id` or `truncations` beside
it shows the others. Such an array is not read, as its name is a guess; where it marks an end that was not found, or
another kind of end than the one that was assumed, the data are rejected, and an option says whether it counts. The
same holds for `env_id` and the like, where they change within a trajectory (`deep.data.formats.environments`), and for
an end inside an episode by its number.
"""

from __future__ import annotations

import shlex
from collections.abc import Collection, Mapping
from typing import NoReturn

import numpy as np
from jaxtyping import Bool

from deep.data.formats.errors import raise_input_error
from deep.data.formats.going_on import SPLIT
from deep.data.formats.joined import Table
from deep.data.formats.missing import ENDS, FLAGS, SYNONYMS, parts, plain
from theory.support.errors import InputError

RUNS = ("run", "run_id")
"""Names that no rejection proposes, as a run may have many episodes: where it changes there is an end in any case."""


def check_unread(
    table: Table,
    names: Mapping[str, str],
    flags: Mapping[str, np.ndarray],
    decided: Collection[str],
    read: Collection[str],
    name: str,
) -> tuple[str, ...]:
    """Remarks on ends inside episodes, by an array that was not read and numbers them.

    Raises `InputError` where an array that was not read marks an end that was not found, or another kind of end than
    the one that was assumed because no flag was read, or where ends inside episodes cannot be ends.

    Args:
        table: the arrays of the file.
        names: the array of each key.
        flags: the terminals and timeouts that were found, (n,); of another shape, which is rejected later, they are not
            compared.
        decided: the keys of which an option says what is read.
        read: the keys that were read.
        name: the file's.
    """
    ends, remarks = flags["terminals"] | flags["timeouts"], ()
    if ends.ndim != 1:
        return ()
    assumed = not set(FLAGS) & set(read)
    found = table.listing()
    used = {part for key in read for part in parts(names[key], found)}
    for key in (*ENDS, "environments"):
        if key in decided or (key == "episodes" and "dones" in decided):
            continue
        for array, (shape, _) in found.items():
            same = _is_named(array, key) and shape in (ends.shape, (*ends.shape, 1))
            if array in used or not same:
                continue
            marked = _marks(key, table, array)
            if marked is not None and (bad := marked & ~ends).any():
                row = int(np.flatnonzero(bad)[0])
                if key == "environments":
                    _reject_environments(array, row, name)
                by = " and ".join(names[each] for each in ENDS if each in read)
                _reject(key, array, names, read, f"marks an end in row {row} by {array}, and none by {by}", name)
            if key == "episodes" and marked is not None:
                remarks += _check_inside(array, np.ravel(table.read(array)), flags, read, name)
            other = flags[next(each for each in FLAGS if each != key)] if key in FLAGS and assumed else None
            if marked is not None and other is not None and (bad := marked & other).any():
                row, kind = int(np.flatnonzero(bad)[0]), key.removesuffix("s")
                by = f"marks a {kind} in row {row} by {array}, and an end of another kind was assumed there"
                _reject(key, array, names, (), by, name)
    return remarks


def _check_inside(
    array: str, values: np.ndarray, flags: Mapping[str, np.ndarray], read: Collection[str], name: str
) -> tuple[str, ...]:
    """A remark on ends inside episodes by the numbers `values`, (n,), of an array. A number that comes back numbers
    something else. Raises `InputError` where all timeouts stand at changes of the number, and terminals alone do not.
    """
    ends, same = flags["terminals"] | flags["timeouts"], values[1:] == values[:-1]
    inside = ends[:-1] & same
    is_number = 0 < (~same).sum() < len(np.unique(values))
    if not inside.any() or not is_number or array.rsplit("/", 1)[-1].lower() in RUNS:
        return ()
    row, timed_out = int(np.flatnonzero(inside)[0]), flags["timeouts"][:-1]
    alone = " ".join([shlex.quote(f"episodes={array}"), *(f"{key}=" for key in ENDS if key in read)])
    way = f"--columns {alone} takes {array} alone for the ends"
    if not timed_out.any() or (timed_out & same).any():
        return (f"{int(inside.sum())} ends are inside {array}, the first one in row {row}: {SPLIT}; {way}",)
    accepted = f"one in an episode's last row is accepted; {way}, --columns episodes= leaves it out of account"
    raise_input_error(name, f"has an end in row {row}, inside {array} {values[row]}", accepted)


def _is_named(array: str, key: str) -> bool:
    """Whether the name of an array is one of those that say the key."""
    words = (key, *SYNONYMS[key].split(), *(RUNS if key == "episodes" else ()))
    return plain(array.rsplit("/", 1)[-1]) in map(plain, words)


def _marks(key: str, table: Table, array: str) -> Bool[np.ndarray, " n"] | None:
    """The ends that this array marks; None where it holds something else."""
    try:
        values = np.ravel(table.read(array))
    except InputError:  # such as a column with an empty cell, which nobody asked for
        return None
    if key in FLAGS or key == "dones":
        words = [str(each).lower() for each in np.unique(values)] if values.dtype.kind in "OUS" else []
        if words and set(words) <= {"true", "false"}:
            values = np.array([str(each).lower() == "true" for each in values])
        is_flag = values.dtype.kind in "biuf" and bool(np.isin(values, (0, 1)).all()) and not values.all()
        return values.astype(bool) if is_flag else None
    if values.dtype.kind == "f" and not (values == np.round(values)).all():
        return None
    return np.append(values[1:] != values[:-1], False)


def _reject_environments(array: str, row: int, name: str) -> NoReturn:
    """Raise `InputError` for rows of several environments by turns."""
    found = f"has another {array} after row {row}, within a trajectory, as if environments were recorded by turns"
    accepted = "rows of one environment after another are accepted; "
    raise_input_error(name, found, f"{accepted}{_together(array)}; --columns environments= leaves it out of account")


def _together(array: str) -> str:
    return f"--columns {shlex.quote(f'environments={array}')} takes the rows of each {array} together, in their order"


def by_turns(table: Table, decided: Collection[str]) -> str | None:
    """What takes the rows of several environments together, where an array names these and each comes back after
    another one."""
    for array in [] if "environments" in decided else table.listing():
        marked = _marks("environments", table, array) if _is_named(array, "environments") else None
        if marked is not None and marked.sum() >= len(np.unique(table.read(array))) > 1:
            return _together(array)
    return None


def _reject(key: str, array: str, names: Mapping[str, str], read: Collection[str], found: str, name: str) -> None:
    columns = {key: array}
    if key == "timeouts" and "dones" in read and "terminals" not in read:
        columns = {"terminals": names["dones"], "timeouts": array}
    proposed = " ".join(shlex.quote(f"{each}={text}") for each, text in columns.items())
    way = f"--columns {proposed} reads {array}, --columns {key}= leaves it out of account"
    raise_input_error(name, found, f"marks of the ends that agree are accepted; {way}")
