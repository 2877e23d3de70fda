"""From named arrays with a row for each transition, as files of many writers hold them, to the fields of a data set.

Numbers of any type become float32. Whole numbers that float32 cannot hold are rejected; float64 is rounded. Flags are 0
and 1 in any type. Columns (n, 1) are taken for (n,).

Where a trajectory ends is said by `terminals` and `timeouts`, or else

    terminals (optional) and dones      an end that is no terminal is a timeout; without terminals those of the longest
                                        length are timeouts, and the shorter ones terminals
    terminals (optional) and episodes   the last row before the number changes; one that is no terminal is a timeout
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, NamedTuple, NoReturn, Protocol, runtime_checkable

import numpy as np

from deep.data.formats.errors import raise_input_error, raise_on_rows
from deep.data.reading import Reading, costs_by

KEYS = ("observations", "next_observations", "actions", "rewards", "costs", "terminals", "timeouts")
FLAGS = ("terminals", "timeouts")
SYNONYMS = {
    "observations": "obs observation state states",
    "next_observations": "next_obs next_observation next_state next_states",
    "actions": "action act acts",
    "rewards": "reward rew",
    "costs": "cost violation violations",
    "terminals": "terminal terminated terminations",
    "timeouts": "timeout truncated truncations time_limit",
    "dones": "done ends episode_terminals",
    "episodes": "episode episode_id trajectory",
}
"""Names that other writers use: a rejection proposes them."""
CONTINUITY_TOLERANCE = 1e-4
"""Absolute and relative, between next_observations and the row that follows."""
SHOWN = 12
"""Arrays that a rejection lists."""


class Found(NamedTuple):
    """What can be said of an array before it is read."""

    shape: tuple[int, ...]
    dtype: str


@runtime_checkable
class Table(Protocol):
    """The arrays of a file, each read when it is asked for."""

    def listing(self) -> Mapping[str, Found]:
        """The arrays that can be read, by name."""
        ...

    def has(self, name: str) -> bool:
        """Whether there is anything of this name."""
        ...

    def inspect(self, name: str) -> Found:
        """Shape and type; raises `InputError` for what cannot be read."""
        ...

    def read(self, name: str) -> np.ndarray:
        """The array."""
        ...


class ArrayTable:
    """Arrays in memory."""

    def __init__(self, arrays: Mapping[str, np.ndarray]) -> None:
        self.arrays = arrays

    def listing(self) -> Mapping[str, Found]:
        return {name: self.inspect(name) for name in self.arrays}

    def has(self, name: str) -> bool:
        return name in self.arrays

    def inspect(self, name: str) -> Found:
        return Found(self.arrays[name].shape, str(self.arrays[name].dtype))

    def read(self, name: str) -> np.ndarray:
        return self.arrays[name]


def fields_of(table: Table, name: str, reading: Reading, names: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The fields of a data set (`deep.data.formats`) from a table; an error calls the file `name`.

    `names` are those of the format's own arrays by key, where they are not the keys themselves.
    """
    given = reading.names()
    names = {key: key for key in SYNONYMS} | dict(names or {}) | given
    for key, array in given.items():
        if not table.has(array):
            raise_missing(table, key, array, name)
    keys = _keys(table, names, reading, name)
    shapes = {key: table.inspect(names[key]).shape for key in keys}
    rows = shapes["rewards"][:1]
    for key, shape in shapes.items():
        if not rows or shape[:1] != rows:
            accepted = f"{rows[0]} rows, as in rewards, are accepted" if rows else "one row a transition is accepted"
            raise_input_error(name, f"has {names[key]} of shape {shape}", accepted)
    arrays = {key: table.read(names[key]) for key in keys}
    for key in arrays.keys() - {"observations", "next_observations", "actions"}:
        if arrays[key].shape[1:] == (1,):
            arrays[key] = arrays[key][:, 0]
    fields = {
        key: as_float32(values, names[key], name) for key, values in arrays.items() if key in KEYS and key not in FLAGS
    }
    flags, remarks = _flags(arrays, names, name)
    return completed(fields | flags, remarks, reading, name)


def _keys(table: Table, names: Mapping[str, str], reading: Reading, name: str) -> list[str]:
    """The keys to read, in the order of `KEYS`; raises `InputError` where one is missing that is needed."""
    there = {key: table.has(names[key]) for key in names}
    keys = ["observations", "actions", "rewards", *([] if reading.cost_function else ["costs"])]
    given = reading.names()
    other = next((key for key in ("dones", "episodes") if key in given), None)
    if other is None and not there["timeouts"]:
        other = next((key for key in ("dones", "episodes") if there[key]), None)
    if other is None:
        keys += ["terminals", "timeouts"]
    else:
        keys += [other, *(["terminals"] if there["terminals"] else [])]
    if there["next_observations"]:
        keys.append("next_observations")
    for key in sorted(keys, key=list(SYNONYMS).index):
        if not there[key]:
            raise_missing(table, key, names[key], name)
    return sorted(keys, key=list(SYNONYMS).index)


def raise_missing(table: Table, key: str, array: str, name: str) -> NoReturn:
    """Raise `InputError`: there is no such array; what there is, and which of it may serve."""
    found = table.listing()
    shown = [f"{each} {list(shape)} {dtype}" for each, (shape, dtype) in list(found.items())[:SHOWN]]
    rest = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    accepted = f"a file that has one is accepted; it has {', '.join(shown) or 'no arrays'}{rest}"
    ways = [f"--columns {key}={near}"] if (near := nearest(key, array, found)) else []
    ways += ["--cost-function MODULE:NAME"] if key == "costs" else []
    raise_input_error(name, f"has no array {array}", accepted + (f"; {' or '.join(ways)} may serve" if ways else ""))


def nearest(key: str, array: str, found: Mapping[str, Found]) -> str | None:
    """The array that may serve for a key: one of a synonym, or else one of a similar name."""
    last = {each: each.rsplit("/", 1)[-1].lower() for each in found}
    for wanted in (array, key, *SYNONYMS[key].split()):
        if each := next((each for each, short in last.items() if short == wanted.lower()), None):
            return each
    close = get_close_matches(array.lower(), list(last.values()), 1, 0.75)
    return next((each for each, short in last.items() if close and short == close[0]), None)


def as_float32(values: np.ndarray, key: str, name: str) -> np.ndarray:
    """Numbers as float32; raises `InputError` for other types and for whole numbers that float32 does not hold."""
    if values.dtype.kind not in "biuf" or values.dtype.itemsize > 8:
        raise_input_error(name, f"has {key} of type {values.dtype}", "numbers of at most 64 bits are accepted")
    with np.errstate(over="ignore"):  # a float64 too large becomes infinite, and is rejected as such
        converted = values.astype(np.float32, copy=False)
    if values.dtype.kind in "iu" and values.dtype.itemsize > 2:
        accepted = "whole numbers that float32 holds are accepted"
        raise_on_rows(converted.astype(np.float64) != values, values, key, name, accepted)
    return converted


def _as_flag(values: np.ndarray, key: str, name: str) -> np.ndarray:
    if values.dtype.kind not in "biuf":
        raise_input_error(name, f"has {key} of type {values.dtype}", "booleans or the numbers 0 and 1 are accepted")
    raise_on_rows(~np.isin(values, (0, 1)), values, key, name, "0 and 1 are accepted")
    return values.astype(bool)


def _flags(
    arrays: Mapping[str, np.ndarray], names: Mapping[str, str], name: str
) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """terminals and timeouts, and what was assumed."""
    terminals = _as_flag(arrays["terminals"], names["terminals"], name) if "terminals" in arrays else None
    if "timeouts" in arrays:
        assert terminals is not None
        return {"terminals": terminals, "timeouts": _as_flag(arrays["timeouts"], names["timeouts"], name)}, ()
    if "episodes" in arrays:
        numbers = arrays["episodes"]
        ends = np.append(numbers[1:] != numbers[:-1], True)
        terminals = np.zeros(len(ends), dtype=bool) if terminals is None else terminals
        return {"terminals": terminals, "timeouts": ends & ~terminals}, ()
    ends = _as_flag(arrays["dones"], names["dones"], name)
    if terminals is not None:
        return {"terminals": terminals, "timeouts": ends & ~terminals}, ()
    places, lengths = np.flatnonzero(ends), _lengths(ends, arrays)
    longest = lengths.max(initial=0)
    timeouts = np.zeros(len(ends), dtype=bool)
    timeouts[places[lengths == longest]] = True
    remark = (
        f"{names['dones']} do not say why a trajectory ended: {int(timeouts.sum())} of {longest} steps are taken for "
        f"timeouts, {int((ends & ~timeouts).sum())} shorter ones for terminals"
    )
    return {"terminals": ends & ~timeouts, "timeouts": timeouts}, (remark,)


def _lengths(ends: np.ndarray, arrays: Mapping[str, np.ndarray]) -> np.ndarray:
    """The steps of each trajectory that ends. One that breaks off before, as its next observation is not the row after,
    is no part of the trajectory that follows."""
    last = ends.copy()
    if "next_observations" in arrays:
        gap = differs(arrays["next_observations"][:-1], arrays["observations"][1:])
        last[:-1] |= gap.reshape(len(gap), -1).any(1)
    places = np.flatnonzero(last)
    return np.diff(places, prepend=-1)[ends[places]]


def completed(fields: dict[str, Any], remarks: tuple[str, ...], reading: Reading, name: str) -> dict[str, Any]:
    """The fields with the costs of `reading.cost_function`, and without trajectories that do not end where these are to
    be dropped."""
    if reading.cost_function is not None:
        fields = fields | {"costs": costs_by(reading.cost_function, fields)}
        remarks = (*remarks, f"costs by {reading.cost_function}, in place of the file's")
    if reading.last_trajectory == "drop":
        kept = ~_without_end(fields)
        if kept.any() and not kept.all():
            left_out = int((~kept).sum())
            fields = {key: values[kept] for key, values in fields.items()}
            remarks = (*remarks, f"{left_out} rows of trajectories that were cut off are left out")
    return {"policies": None, "provenance": {}, "task": None} | fields | {"remarks": remarks}


def _without_end(fields: Mapping[str, np.ndarray]) -> np.ndarray:
    """The rows after the last end of a trajectory, and those of trajectories that break off inside the file."""
    ends = fields["terminals"] | fields["timeouts"]
    cut = np.zeros(len(ends), dtype=bool)
    cut[-1:] = ~ends[-1:]
    if "next_observations" in fields:
        gap = differs(fields["next_observations"][:-1], fields["observations"][1:])
        cut[:-1] |= gap.reshape(len(gap), -1).any(1) & ~ends[:-1]
    last = np.flatnonzero(ends | cut)
    number = np.searchsorted(last, np.arange(len(ends)))  # of the piece that each row belongs to
    return cut[last][number]


def differs(follows: np.ndarray, row_after: np.ndarray) -> np.ndarray:
    """Where the next observations of rows are not the observations one row later."""
    return np.abs(follows - row_after) > CONTINUITY_TOLERANCE * (1 + np.abs(row_after))
