"""Where trajectories end: by `terminals` and `timeouts`, or else by

    one of both (optional) and dones      an end that is no terminal is a timeout, one that is no timeout a terminal; of
                                          dones alone those of the longest length are timeouts, shorter ones terminals
    one of both (optional) and episodes   the last row before the number changes; with episodes alone a timeout. A
                                          number stands in consecutive rows. That the last row of all is an end is
                                          assumed where no flag says so: it is a timeout, or left out on request
    dones and episodes                    where every episode ends with a done, as by dones alone; otherwise dones are
                                          terminals, and the other ends timeouts

Where both flags, or dones with one of them, leave an episode without an end although its number changes, it timed out;
`remarks` says so. A flag inside an episode is rejected, a number that comes back, and dones beside both flags that are
neither the ends nor the terminals.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from deep.data.formats.continuity import gaps
from deep.data.formats.errors import raise_input_error, raise_on_rows, raise_on_texts
from deep.data.formats.missing import FLAGS
from deep.data.formats.numbered import OF_FILE, flags_of_numbers, terminals_of_dones, with_numbers


def as_flag(values: np.ndarray, key: str, name: str) -> np.ndarray:
    """The values as booleans; raises `InputError` for others than 0 and 1, true and false."""
    accepted = "booleans or the numbers 0 and 1 are accepted"
    raise_on_texts(values, key, name, accepted, ("true", "false"))
    if values.dtype.kind not in "biuf":
        raise_input_error(name, f"has {key} of type {values.dtype}", accepted)
    raise_on_rows(~np.isin(values, (0, 1)), values, key, name, "0 and 1 are accepted")
    return values.astype(bool)


def flags_of(
    arrays: Mapping[str, np.ndarray], names: Mapping[str, str], name: str, drop: bool
) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """terminals and timeouts, and what was assumed; with `drop` no end is assumed.

    Where `environments` are among the arrays, the rows are those of one after another, and each has a last trajectory.
    """
    known = {key: as_flag(arrays[key], names[key], name) for key in FLAGS if key in arrays}
    numbers, remarks = arrays.get("episodes"), ()
    last = np.arange(len(arrays["rewards"])) == len(arrays["rewards"]) - 1
    if "environments" in arrays:
        last[:-1] |= np.diff(arrays["environments"]) != 0
    if "dones" in arrays:
        known, remarks = _of_dones(as_flag(arrays["dones"], names["dones"], name), known, arrays, names, name, last)
    if numbers is None:
        return known, remarks
    if len(known) == 2:
        known, more = with_numbers(known, numbers, names, name, drop, last)
        return known, (*remarks, *more)
    return flags_of_numbers(numbers, known, names, name, drop, last)


def _of_dones(
    ends: np.ndarray,
    known: dict[str, np.ndarray],
    arrays: Mapping[str, np.ndarray],
    names: Mapping[str, str],
    name: str,
    last: np.ndarray,
) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """terminals and timeouts by dones, (n,), and what was assumed."""
    if ends.ndim != 1:
        accepted = "one value for each transition is accepted, and a file for each of several environments"
        raise_input_error(name, f"has {names['dones']} of shape {ends.shape}", accepted)
    _check_dones(ends, known, names, name, numbered="episodes" in arrays)
    if len(known) == 2:
        return known, ()
    if "timeouts" in known:
        return {"terminals": ends & ~known["timeouts"], **known}, ()
    if "terminals" in known:
        return {**known, "timeouts": ends & ~known["terminals"]}, ()
    each = "every file" if names["episodes"] == OF_FILE else f"every {names['episodes']}"
    numbers = arrays.get("episodes")
    if numbers is not None and (found := terminals_of_dones(ends, numbers, names, name, last)) is not None:
        return found, (f"{names['dones']} are taken for terminals, as not {each} ends with one",)
    places, lengths = np.flatnonzero(ends), _lengths(ends, arrays, last)
    longest = lengths.max(initial=0)
    timeouts = np.zeros(len(ends), dtype=bool)
    timeouts[places[lengths == longest]] = True
    remark = (
        f"{names['dones']} do not say why a trajectory ended: {int(timeouts.sum())} of {longest} steps are taken for "
        f"timeouts, {int((ends & ~timeouts).sum())} shorter ones for terminals"
    )
    return {"terminals": ends & ~timeouts, "timeouts": timeouts}, (remark,)


def _check_dones(
    ends: np.ndarray, known: Mapping[str, np.ndarray], names: Mapping[str, str], name: str, numbered: bool
) -> None:
    """Raise `InputError` where dones and flags contradict each other: a flag without a done, or with both flags a done
    without one, unless the dones are the terminals. `numbered` is whether numbers of episodes show the ends as well."""
    flagged = np.any(list(known.values()), axis=0) if known else np.zeros_like(ends)
    bad = flagged & ~ends
    if len(known) == 2:
        bad = np.zeros_like(ends) if (ends == known["terminals"]).all() else flagged != ends
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        flags = " and ".join(names[key] for key in known)
        found = f"has {names['dones']} {int(ends[row])} in row {row}, and {int(flagged[row])} by {flags}"
        ways = {" ".join(f"{key}=" for key in known): flags}
        if numbered or len(known) == 2:  # a single flag alone does not show every end
            ways = {"dones=": names["dones"]} | ways
        proposed = ", ".join(f"--columns {way} leaves {left_out} out of account" for way, left_out in ways.items())
        raise_input_error(name, found, f"marks of the ends that agree are accepted; {proposed}")


def _lengths(ends: np.ndarray, arrays: Mapping[str, np.ndarray], last: np.ndarray) -> np.ndarray:
    """The steps of each trajectory that ends. One that breaks off before, as its next observation is not the row after,
    is no part of the trajectory that follows."""
    places = np.flatnonzero(ends | last | gaps(arrays))
    return np.diff(places, prepend=-1)[ends[places]]
