"""Arrays in numpy's .npz: those of OmniSafe's collector, or those of DSRL's layout.

    obs, next_obs         (N, o) float32
    action                (N, a) float32
    reward, cost, done    (N, 1) float32

OmniSafe's `OfflineDataCollector` writes these. `done` does not say why a trajectory ended: those of the longest length
are taken for timeouts, and shorter ones for terminals. Each of its agents begins a new trajectory where the one before
stopped, which `--last-trajectory drop` leaves out. Source: omnisafe/common/offline/data_collector.py.
"""

from __future__ import annotations

import lzma
import math
import struct
import tokenize
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy

from deep.data.formats.errors import raise_input_error
from deep.data.formats.table import ArrayTable, fields_of
from deep.data.reading import AS_IT_IS, Reading

NAMES = {
    "observations": "obs",
    "next_observations": "next_obs",
    "actions": "action",
    "rewards": "reward",
    "costs": "cost",
    "dones": "done",
}

READERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
DAMAGED = (
    OSError, ValueError, EOFError, RuntimeError, MemoryError, LookupError, ArithmeticError, TypeError, SyntaxError,
    tokenize.TokenError, struct.error, zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, lzma.LZMAError,
)  # fmt: skip
"""What Python's and numpy's readers raise for damaged archives, encrypted ones, and unknown compression."""


def accepts(path: Path) -> bool:
    """Whether this is an archive of numpy's arrays."""
    try:
        with zipfile.ZipFile(path) as archive:
            return any(entry.endswith(".npy") for entry in archive.namelist())
    except DAMAGED:
        return False


def read(path: Path, name: str, reading: Reading = AS_IT_IS) -> dict[str, Any]:
    """The fields; an error calls the file `name`."""
    try:
        with zipfile.ZipFile(path) as archive:
            arrays = _arrays(archive)
    except DAMAGED as error:
        text = " ".join(str(error).split()) or type(error).__name__
        accepted = "a complete .npz of arrays of numbers, a row for each step, is accepted"
        if "allow_pickle" in text:
            accepted += "; deep.save_episodes writes lists of episodes from Python"
        raise_input_error(name, f"cannot be read ({text})", accepted)
    names = {key: array for key, array in NAMES.items() if array in arrays}
    return fields_of(ArrayTable(arrays), name, reading, names)


def _arrays(archive: zipfile.ZipFile) -> dict[str, np.ndarray]:
    """All arrays by their names; raises one of `DAMAGED` where a part of the archive is not as its header says."""
    arrays: dict[str, np.ndarray] = {}
    for entry in archive.infolist():
        archive.open(entry).close()  # compares the entry's name with the one in the list
        if not entry.filename.endswith(".npy"):
            continue
        key = entry.filename.removesuffix(".npy")
        if key in arrays:
            raise ValueError(f"it holds two arrays {key}")
        _check_size(archive, entry)
        with archive.open(entry) as file:
            arrays[key] = npy.read_array(file, allow_pickle=False)
            file.read(1)  # at the end the checksum is compared, however many bytes the array has taken
    return arrays


def _check_size(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> None:
    """Raise `ValueError` unless the entry has as many bytes as its header says: before memory for them is taken."""
    with archive.open(entry) as file:
        version = npy.read_magic(file)
        if version not in READERS:
            raise ValueError(f"{entry.filename} is of numpy's format {version[0]}.{version[1]}")
        shape, _, dtype = READERS[version](file)
        size, there = math.prod(shape) * dtype.itemsize, entry.file_size - file.tell()
    if size != there and not dtype.hasobject:
        raise ValueError(f"{entry.filename} holds {there} bytes where an array {shape} of {dtype} has {size}")
