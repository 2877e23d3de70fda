"""The sentences with which data are rejected."""

from typing import NoReturn

import numpy as np

from theory.support.errors import InputError


def raise_input_error(name: str, found: str, accepted: str) -> NoReturn:
    """Raise `InputError` with the sentence that `name` is or has what was found, and what is accepted."""
    raise InputError(f"{name} {found}: {accepted}") from None


def raise_on_rows(bad: np.ndarray, values: np.ndarray, key: str, name: str, accepted: str) -> None:
    """Reject the values under `key` if any of them is bad, naming the first row that holds one, and its column."""
    if bad.any():
        place = tuple(int(i) for i in np.argwhere(bad)[0])
        row = f"row {place[0]} of {key}" if place else key
        column = f", column {place[1]}" if len(place) == 2 else ""
        raise_input_error(name, f"has {values[place]} in {row}{column}", accepted)
