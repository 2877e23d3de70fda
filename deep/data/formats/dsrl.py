"""DSRL's layout: one row per transition, trajectory after trajectory.

    observations, next_observations   (N, o) float32
    actions                           (N, a) float32
    rewards, costs                    (N,) float32
    terminals, timeouts               (N,) bool; the last row of each trajectory has one of them

compressed with gzip, without attributes: DSRL's scripts/process_dataset.py writes them so, and its `get_dataset`
requires all seven. What other writers do is read too (`deep.data.formats.table`): D4RL's files, whose costs another
array or a function gives, and those of d3rlpy's version 1. Other arrays are not read.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from deep.data.formats import hdf5
from deep.data.formats.errors import raise_input_error
from deep.data.formats.meaning import numbers_of
from deep.data.formats.missing import FLAGS, Found
from deep.data.formats.table import KEYS, fields_of
from deep.data.reading import AS_IT_IS, Reading


def accepts(path: Path) -> bool:
    """Whether this is an HDF5 file; what it lacks of this layout is for `read` to say."""
    if not path.is_file():
        return False
    path.open("rb").close()  # its error names a file that may not be read; h5py's does not
    return h5py.is_hdf5(path)


class HDF5Table:
    """The arrays of an open file or of a group in it; a/b is b in the group a. An error calls the file `name`."""

    def __init__(self, file: h5py.Group, name: str) -> None:
        self.file, self.name = file, name

    def listing(self) -> dict[str, Found]:
        found: dict[str, Found] = {}

        def visit(place: str, item: Any) -> None:
            if isinstance(item, h5py.Dataset) and item.shape is not None:
                found[place] = Found(item.shape, str(item.dtype))

        self.file.visititems(visit)
        return found

    def has(self, name: str) -> bool:
        """Whether there is an array of this name, or a link, of which `inspect` says what it leads to."""
        if not hdf5.has(self.file, name):
            return False
        hard = self.file.get(name, getclass=True, getlink=True) is h5py.HardLink
        return not (hard and isinstance(self.file.get(name), h5py.Group))

    def inspect(self, name: str) -> Found:
        item = hdf5.inspect(self.file, name, self.name)
        if item.dtype.kind not in "biuf":
            raise_input_error(self.name, f"has {name} of type {item.dtype}", "numbers are accepted")
        return Found(item.shape, str(item.dtype))

    def read(self, name: str) -> np.ndarray:
        return numbers_of(hdf5.inspect(self.file, name, self.name), name, self.name)


def read(path: Path, name: str, reading: Reading = AS_IT_IS) -> dict[str, Any]:
    """The seven arrays, float32 and bool, without next_observations where the file has none; an error calls it `name`.

    Shapes are compared before anything is read. The attributes `task`, `layout`, `policies`, `recorded_length` and
    `remarks`, what was assumed or left out when the file was written, mean something in the files of `write` alone;
    every other writer's attributes are kept in `provenance` and decide nothing.
    """
    with hdf5.opened(path, name) as file:
        attributes, own = hdf5.attributes(file), hdf5.is_own(file)
        about = {key: attributes.pop(key, None) for key in ("task", "policies", "layout")} if own else {}
        before = hdf5.taken_remarks(attributes) if own else ()
        length = hdf5.taken_length(attributes, name) if own else None
        attributes.pop(hdf5.MARK, None)
        layout = about.get("layout")
        if layout is not None and str(layout) != "plain":
            raise_input_error(name, f"has the layout {str(layout)!r}", "plain and packed are accepted")
        table = HDF5Table(file, name)
        fields = fields_of(table, name, reading)
    fields["remarks"] = (*before, *fields["remarks"])
    known = {"policies": about.get("policies"), "task": about.get("task"), "recorded_length": length}
    return fields | known | {"provenance": attributes}


def write(path: str | Path, fields: Mapping[str, np.ndarray], attributes: Mapping[str, Any]) -> None:
    """Write the seven arrays as DSRL's files hold them, with the attributes and the mark of this project's files."""
    arrays = {key: fields[key].astype(bool if key in FLAGS else np.float32) for key in KEYS}
    hdf5.write(path, arrays, {**attributes, "layout": "plain"}, {}, {"compression": "gzip", "shuffle": True})
