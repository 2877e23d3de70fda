"""What else episodes in memory hold: marks of the ends that are not read, a second array of costs, one buffer for all.

A mark may be one flag, or one for each step. One inside the episode is rejected, and so is one that says another kind
of end than `terminated`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import numpy as np

from deep.data.formats.errors import raise_input_error
from deep.data.formats.missing import SYNONYMS, plain

READ = ("observations", "actions", "rewards")
MARKS = ("terminals", "timeouts", "dones")


def check_marks(entries: Mapping[str, Any], terminated: bool, steps: int, name: str) -> bool:
    """Whether the marks beside `terminated` say that the episode was cut off: there are some, and none is true.

    Raises `InputError` for a true one before the last step, and for one of another kind of end than the episode's.
    """
    marks = {key: _marks(entries, key, steps) for key in MARKS}
    for found in marks.values():
        for entry, flags in found.items():
            if flags[:-1].any():
                shown = f"has {entry} in step {int(np.flatnonzero(flags)[0])} of {steps}"
                raise_input_error(name, shown, "an end in the last step is accepted, and an entry for each episode")
    against = [entry for entry, flags in marks["terminals"].items() if flags[-1] != terminated]
    against += [entry for entry, flags in marks["dones"].items() if terminated and not flags[-1]]
    if against:
        shown = f"has {against[0]} {int(not terminated)} and terminated {int(terminated)} in its last step"
        raise_input_error(name, shown, "marks of the ends that agree are accepted")
    ends = [bool(flags[-1]) for key in ("timeouts", "dones") for flags in marks[key].values()]
    return bool(ends) and not any(ends) and not terminated


def _marks(entries: Mapping[str, Any], key: str, steps: int) -> dict[str, np.ndarray]:
    """The entries that by their names are marks of this kind, (steps,) each; those aside that are no flags."""
    words = {plain(word) for word in (key, *SYNONYMS[key].split())}
    found = {}
    for entry, value in entries.items():
        if plain(entry.rsplit("/", 1)[-1]) not in words or entry == "terminated":
            continue
        try:
            flags = np.ravel(np.asarray(value))
        except (TypeError, ValueError, RuntimeError):  # nobody asked for it
            continue
        if flags.dtype.kind in "biuf" and flags.size in (1, steps) and np.isin(flags, (0, 1)).all():
            last = np.arange(steps) == steps - 1
            found[entry] = flags.astype(bool) if flags.size == steps else last & bool(flags[0])
    return found


def check_costs(entries: Mapping[str, Any], costs: np.ndarray, name: str) -> None:
    """Raise `InputError` where an entry `cost` differs from the costs, (n,)."""
    for entry in entries:
        if entry != "costs" and plain(entry) == "cost" and not _equal(entries[entry], costs):
            accepted = "one of both is accepted, under the name costs"
            raise_input_error(name, f"has costs and {entry}, and either may be costs", accepted)


def _equal(value: Any, costs: np.ndarray) -> bool:
    try:
        return np.array_equal(np.ravel(np.asarray(value, dtype=np.float32)), np.ravel(costs).astype(np.float32))
    except (TypeError, ValueError, RuntimeError):
        return False


def check_buffers(episodes: Iterable[Collection[Any]], name: str) -> None:
    """Raise `InputError` where two episodes, the entries `READ` of each, are one in memory: a list of a buffer that was
    filled again holds its last content several times."""
    found: dict[tuple[int, ...], int] = {}
    for number, entries in enumerate(episodes):
        first = found.setdefault(tuple(map(_place, entries)), number)
        if first != number:
            shown = f"has one episode in memory as episodes {first} and {number}"
            raise_input_error(
                name, shown, "arrays of its own are accepted for each episode, such as copies of a buffer"
            )


def _place(values: Any) -> int:
    """Where the values lie in memory."""
    if isinstance(values, np.ndarray):
        return values.__array_interface__["data"][0]
    return values.data_ptr() if hasattr(values, "data_ptr") else id(values)  # of torch
