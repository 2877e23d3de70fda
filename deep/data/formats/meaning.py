"""What the numbers of an HDF5 array mean by its own type and attributes, where that is something else than they are."""

from __future__ import annotations

import math

import h5py
import numpy as np

from deep.data.formats.errors import raise_input_error, raise_on_rows

NEUTRAL = {"scale_factor": 1, "add_offset": 0}
"""Attributes by which netCDF's readers, such as xarray, change the numbers of an array, unless they have these values.
"""
MISSING = ("_FillValue", "missing_value")
"""Attributes with the numbers that mean for them that there is none."""
BOOLEANS = ({"false": 0, "true": 1}, {"no": 0, "yes": 1})
"""Enumerations whose numbers are those of booleans."""
DECODED = "decoded numbers, as xarray's open_dataset returns them, are accepted"
_FEW = 16
"""Numbers in an attribute that is read."""


def numbers_of(item: h5py.Dataset, key: str, name: str) -> np.ndarray:
    """The numbers of an inspected array; raises `InputError` where its own attributes call some of them missing."""
    found = np.asarray(item[()])
    for attribute in MISSING:
        mark = _number_in(item, attribute)
        if mark is not None:
            accepted = f"numbers that the attribute {attribute} does not mark as missing are accepted"
            with np.errstate(over="ignore", invalid="ignore"):  # a mark of another type is none of these numbers
                own = mark.astype(found.dtype)  # 7.1 in float64 marks 7.1 in float32
            raise_on_rows(np.isin(found, own[np.isclose(own, mark)]), found, key, name, accepted)
    return found


def _number_in(item: h5py.Dataset, attribute: str) -> np.ndarray | None:
    """The numbers in an attribute, (n,), n > 0; None where it has none."""
    if attribute not in item.attrs:
        return None
    about = item.attrs.get_id(attribute)
    few = about.shape is not None and 0 < math.prod(about.shape) <= _FEW
    return np.ravel(np.asarray(item.attrs[attribute])) if few and about.dtype.kind in "iuf" else None


def check_meaning(item: h5py.Dataset, key: str, name: str) -> None:
    """Reject numbers that stand for others by an attribute, or for words, but those of a boolean, and entries of
    several numbers."""
    words = h5py.check_enum_dtype(item.dtype)
    if words is not None and {word.lower(): number for word, number in words.items()} not in BOOLEANS:
        shown = ", ".join(f"{word} is {number}" for word, number in sorted(words.items(), key=lambda each: each[1]))
        raise_input_error(name, f"has {key} of an enumeration, in which {shown}", "numbers or booleans are accepted")
    if item.dtype.kind == "V":
        parts = f"entries of several parts ({', '.join(item.dtype.names)})" if item.dtype.names else "unnamed bytes"
        raise_input_error(name, f"has {key} with {parts}", "an array of numbers is accepted")
    for attribute, neutral in NEUTRAL.items():
        value = _number_in(item, attribute)
        if value is not None and (value != neutral).any():
            raise_input_error(name, f"has {key} with the attribute {attribute} {value[0]:g}", DECODED)
