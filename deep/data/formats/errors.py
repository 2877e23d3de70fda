"""The sentences with which data are rejected."""

import re
import shlex
from collections.abc import Collection, Sequence
from typing import Any, NoReturn

import numpy as np

from deep.data.reading import as_parameter
from theory.support.errors import InputError, one_line

NAMES_A_ROW = re.compile(r"\brows? \d")
LONGEST = 60
"""Characters of a value that a rejection shows."""
LARGEST = 1e15  # squares and sums of larger numbers leave float32; such numbers mark missing values
AT_MOST = f"numbers of at most {LARGEST:g} in size are accepted, none that mark missing values"


def raise_input_error(name: str, found: str, accepted: str) -> NoReturn:
    """Raise `InputError` with the sentence that `name` is or has what was found, and what is accepted."""
    counted = "; rows are counted from 0" if NAMES_A_ROW.search(found) else ""
    raise InputError(one_line(f"{name} {found}: {accepted}{counted}")) from None


def raise_on_rows(
    bad: np.ndarray | np.bool_, values: np.ndarray, key: str, name: str, accepted: str, rows: np.ndarray | None = None
) -> None:
    """Reject the values under `key` if any of them is bad, naming the first row that holds one, and its column; `rows`
    are the numbers of the rows in the file, if some were left out."""
    if bad.any():
        place = tuple(int(i) for i in np.argwhere(bad)[0])
        row = f"row {place[0] if rows is None else rows[place[0]]} of {key}" if place else key
        column = f", column {place[1]}" if len(place) == 2 else ""
        raise_input_error(name, f"has {values[place]} in {row}{column}", accepted)


def raise_on_texts(values: np.ndarray, key: str, name: str, accepted: str, words: Collection[str] = ()) -> None:
    """Raise `InputError` for the first value that is no number, and none of these words, in an array of texts."""
    if values.dtype.kind in "OUS":
        shown = np.array([shortened(repr(value)) for value in values.ravel().tolist()], dtype=object).reshape(
            values.shape
        )
        good = [_numeric(value) or str(value).lower() in words for value in values.flat]
        raise_on_rows(np.array([not each for each in good]).reshape(values.shape), shown, key, name, accepted)


def raise_without_ends(name: str) -> NoReturn:
    """Raise `InputError` for data of which no row ends a trajectory: without its last one nothing would be left."""
    raise_input_error(
        name, "has no end of a trajectory", "a terminal or a timeout in the last row of each trajectory is accepted"
    )


def raise_on_two(first: str, second: str, key: str, name: str) -> NoReturn:
    """Raise `InputError` for two arrays of which either may be meant."""
    ways = " or ".join(f"--columns {shlex.quote(f'{key}={each}')}" for each in (first, second))
    way = f"{ways} says which it is"
    if key == "costs":
        way += f"; {of_several((first, second))}"
    raise_input_error(name, f"has {first} and {second}, and either may be {key}", way)


def of_several(arrays: Sequence[str]) -> str:
    """What makes one cost of several arrays."""
    shown = listed([*map(as_parameter, arrays)])
    return f"--cost-function MODULE:NAME, a function with the parameters {shown}, makes one cost of them"


def listed(names: Sequence[str]) -> str:
    """The names with commas, and before the last one."""
    return " and ".join(each for each in (", ".join(names[:-1]), names[-1]) if each)


def shortened(text: str) -> str:
    """The text in one line, and of a long one the beginning."""
    line = " ".join(text.split())
    return line if len(line) <= LONGEST else f"{line[:LONGEST]}..."


def _numeric(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return "_" not in str(value)  # 1_000 is a number in Python alone
