"""The ends of trajectories from a column that numbers them: the last row before the number changes.

Where the file itself stops, nothing says whether the last trajectory was over or was cut off.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from jaxtyping import Bool

from deep.data.formats.errors import raise_input_error, raise_on_rows

OF_FILE = "the file"
"""The column that says which file, of several, a row is from. A file may hold several trajectories."""
AGAIN = "again in row"
"""Part of the sentence on a number that comes back."""
SHIFTED = "as if the flags stood in the first row of each episode"
IN_THE_LAST = "flags in the last row of each episode are accepted"
UNNUMBERED = "--columns episodes= leaves the numbers of episodes out of account"


def flags_of_numbers(
    numbers: np.ndarray,
    known: Mapping[str, Bool[np.ndarray, " n"]],
    keys: Mapping[str, str],
    name: str,
    drop: bool,
    last: Bool[np.ndarray, " n"],
) -> tuple[dict[str, Bool[np.ndarray, " n"]], tuple[str, ...]]:
    """terminals and timeouts, (n,), and what was assumed.

    Args:
        numbers: the trajectory that each row belongs to, (n,): numbers or texts.
        known: one of both flags, or none.
        keys: the names in the file, for an error.
        name: the file's.
        drop: whether a last row, where no flag marks it, is no end rather than a timeout.
        last: the last row of all, and that of each of several environments.

    Raises:
        InputError: a number comes back after another one, or a flag marks an end inside an episode.
    """
    ends = changes(numbers, keys["episodes"], name)
    _reject_inside(known, ends, numbers, keys, name)
    none = np.zeros(len(numbers), dtype=bool)
    assumed = last & ~np.any([none, *known.values()], axis=0)
    ends &= ~(assumed & drop)
    terminals = known.get("terminals", (ends & ~known["timeouts"] & ~assumed) if "timeouts" in known else none)
    timeouts = known.get("timeouts", none) | (ends & ~terminals)
    flags = {"terminals": terminals, "timeouts": timeouts}
    if drop or not assumed.any():
        return flags, ()
    return flags, (_assumed(int(assumed.sum()), int(last.sum()), others=bool((ends & ~assumed).any())),)


def _assumed(count: int, environments: int, others: bool) -> str:
    """The remark on this number of ends that no flag confirms; `others` is whether a trajectory has another end."""
    remark = "the end of the last trajectory is assumed: nothing in its last row says that it is one, "
    remark, left_out = remark + "it is taken for a timeout", "this trajectory"
    if environments > 1:
        remark = f"the ends of the last trajectories of {count} environments are assumed: nothing in their last rows "
        remark, left_out = remark + "says that they are, they are taken for timeouts", "these trajectories"
    return remark + (f"; --last-trajectory drop leaves {left_out} out" if others else "")


def with_numbers(
    flags: Mapping[str, Bool[np.ndarray, " n"]],
    numbers: np.ndarray,
    keys: Mapping[str, str],
    name: str,
    drop: bool,
    last: Bool[np.ndarray, " n"],
) -> tuple[dict[str, Bool[np.ndarray, " n"]], tuple[str, ...]]:
    """terminals and timeouts, (n,), with the ends that a change of `numbers`, (n,), shows and no flag does: these are
    timeouts. The ends of `last` rows are none with `drop`. Raises `InputError` as `flags_of_numbers` does."""
    found = changes(numbers, keys["episodes"], name, UNNUMBERED)
    _reject_inside(flags, found, numbers, keys, name)
    found &= ~(last & drop)
    open_ended = found & ~(flags["terminals"] | flags["timeouts"])
    note = f"{int(open_ended.sum())} of {int(found.sum())} episodes by {keys['episodes']} end without a flag, and are "
    remarks = (note + "taken for timed out",) if open_ended.any() else ()
    return {**flags, "timeouts": flags["timeouts"] | open_ended}, remarks


def terminals_of_dones(
    dones: Bool[np.ndarray, " n"],
    numbers: np.ndarray,
    keys: Mapping[str, str],
    name: str,
    last: Bool[np.ndarray, " n"],
) -> dict[str, Bool[np.ndarray, " n"]] | None:
    """The flags where `dones` mark the terminal states among the ends, which the numbers show: some episode before the
    last one, of all or of its environment, ends without one. None where every such episode ends with one: what they
    mark is then open.

    Raises `InputError` for one inside an episode.
    """
    ends = changes(numbers, keys["episodes"], name, UNNUMBERED)
    if (inside := dones & ~ends).any():
        _reject_first(dones, "dones", ends, keys, name)
        row = int(np.flatnonzero(inside)[0])
        found = f"has {keys['dones']} in row {row}, inside {keys['episodes']} {numbers[row]}"
        accepted = "one in an episode's last row is accepted; "
        way = f"--columns dones={keys['dones']} leaves the numbers of episodes out of account"
        if keys["episodes"] == OF_FILE:
            accepted = "an episode in each file, or a column episode, is accepted; "
            way = f"--columns dones={keys['dones']} takes {keys['dones']} alone for the ends, in all files as one"
        raise_input_error(name, found, accepted + way)
    if dones[ends & ~last].all():
        return None
    return {"terminals": dones, "timeouts": np.zeros_like(dones)}


def _reject_inside(
    flags: Mapping[str, Bool[np.ndarray, " n"]],
    ends: Bool[np.ndarray, " n"],
    numbers: np.ndarray,
    keys: Mapping[str, str],
    name: str,
) -> None:
    """Raise `InputError` for a flag that marks an end where the number does not change."""
    for flag, marked in flags.items():
        if keys["episodes"] != OF_FILE and (inside := marked & ~ends).any():
            _reject_first(marked, flag, ends, keys, name)
            row = int(np.flatnonzero(inside)[0])
            found = f"has {keys[flag]} in row {row}, inside {keys['episodes']} {numbers[row]}"
            ways = f"{UNNUMBERED}" if len(flags) == 2 else f"--columns {flag}= leaves {keys[flag]} out of account"
            raise_input_error(name, found, f"one in an episode's last row is accepted; {ways}")


def _reject_first(
    marked: Bool[np.ndarray, " n"], flag: str, ends: Bool[np.ndarray, " n"], keys: Mapping[str, str], name: str
) -> None:
    """Raise `InputError` where all flags, two or more, stand in first rows of episodes."""
    first = np.append(True, ends[:-1])
    if marked[0] and marked.sum() > 1 and not (marked & ~first).any():
        found = f"has {keys[flag]} in row 0 and in no row but the first one of {keys['episodes']}, {SHIFTED}"
        raise_input_error(name, found, f"{IN_THE_LAST}; --columns {flag}= leaves {keys[flag]} out of account")


def changes(numbers: np.ndarray, key: str, name: str, otherwise: str = "") -> Bool[np.ndarray, " n"]:
    """The last row before each change of the number, and the last row of all. Raises `InputError` where a number comes
    back after another one; `otherwise` says what else may be done."""
    if numbers.ndim != 1:
        raise_input_error(name, f"has {key} of shape {numbers.shape}", "one number for each row is accepted")
    if numbers.dtype.kind == "f":
        raise_on_rows(np.isnan(numbers), numbers, key, name, "a number for each row is accepted")
    ends = np.append(numbers[1:] != numbers[:-1], True)[: len(numbers)]
    starts = np.append(0, np.flatnonzero(ends)[:-1] + 1)[: len(numbers)]
    first = np.unique(numbers[starts], return_index=True)[1]
    if len(first) < len(starts):
        row = int(starts[np.setdiff1d(np.arange(len(starts)), first)[0]])
        accepted = "the rows of an episode together are accepted, in the order of their steps, and another number for "
        accepted += f"each episode; sort the rows by episode and step{', or ' if otherwise else ''}{otherwise}"
        raise_input_error(name, f"has {key} {numbers[row]} {AGAIN} {row}, after other episodes", accepted)
    return ends
