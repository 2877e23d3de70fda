"""HDF5 files read with suspicion and written whole: every fault is one sentence, never a half-written file.

Texts of variable length lie in a heap without checksums, and where that heap is damaged the HDF5 library crashes or
never returns. Attributes that hold such texts are therefore left unread, and none are written.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

import h5py
import numpy as np

from theory.support.errors import InputError


def raise_input_error(name: str, found: str, accepted: str) -> NoReturn:
    """Raise `InputError` with the sentence that `name` is or has what was found, and what is accepted."""
    raise InputError(f"{name} {found}: {accepted}") from None


def raise_on_rows(bad: np.ndarray, values: np.ndarray, key: str, name: str, accepted: str) -> None:
    """Refuse the values under `key` if any of them is bad, naming the first row that holds one."""
    if bad.any():
        place = tuple(int(i) for i in np.argwhere(bad)[0])
        row = f"row {place[0]} of {key}" if place else key
        raise_input_error(name, f"has {values[place]} in {row}", accepted)


def attributes(file: h5py.File) -> dict[str, Any]:
    """The attributes that are numbers, texts of fixed length (both fit for JSON) or arrays of these."""
    return {key: _python(file.attrs[key]) for key in file.attrs if file.attrs.get_id(key).dtype.kind in "biufS"}


def dataset(file: h5py.File, key: str, name: str) -> h5py.Dataset:
    """The array under `key`, not yet read."""
    item = file.get(key)
    if not isinstance(item, h5py.Dataset):
        raise_input_error(name, f"has no array {key}", "a file that has one is accepted")
    return item


def array(
    file: h5py.File, key: str, name: str, dtypes: tuple[str, ...], shape: tuple[int, ...] | None = None
) -> np.ndarray:
    """The array under `key`, of one of these types and of this shape, if given; floating-point values as float32."""
    item = dataset(file, key, name)
    if str(item.dtype) not in dtypes:
        raise_input_error(name, f"has {key} of type {item.dtype}", f"{' or '.join(dtypes)} is accepted")
    if item.shape is None or shape not in (None, item.shape):
        raise_input_error(name, f"has {key} of shape {item.shape}", f"{shape or 'an array'} is accepted")
    values = np.asarray(item[()])
    if values.dtype.kind != "f":
        return values
    with np.errstate(over="ignore"):  # a float64 too large becomes infinite, and is refused as such
        return values.astype(np.float32, copy=False)


def write(
    path: str | Path,
    arrays: Mapping[str, np.ndarray],
    attributes: Mapping[str, Any],
    chunks: Mapping[str, tuple[int, ...]],
    compression: Mapping[str, Any],
) -> None:
    """Write arrays and attributes; an existing file is replaced once the new one is complete."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".tmp")
    try:
        # The 1.10 format has checksums, and allows attributes above 64 kB: the policies of many trajectories.
        with h5py.File(temporary, "w", libver=("v110", "v110")) as file:
            for key, values in arrays.items():
                file.create_dataset(key, data=values, chunks=chunks.get(key, True), **compression)
            for key, value in attributes.items():  # texts of fixed length lie inside the checksums
                file.attrs[key] = np.bytes_(value.encode()) if isinstance(value, str) else value
        with temporary.open("rb") as whole:
            os.fsync(whole.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _python(value: Any) -> Any:
    value = value.item() if isinstance(value, np.generic) else value
    return value.decode(errors="replace") if isinstance(value, bytes) else value
