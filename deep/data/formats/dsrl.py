"""DSRL's layout: one row per transition, trajectory after trajectory.

    observations, next_observations   (N, o) float32
    actions                           (N, a) float32
    rewards, costs                    (N,) float32
    terminals, timeouts               (N,) bool; the last row of each trajectory has one of them

compressed with gzip, without attributes: DSRL's scripts/process_dataset.py writes them so, and its `get_dataset`
requires all seven. What other writers do is read too: float64, columns (N, 1), costs and flags as whole numbers, flags
as the numbers 0 and 1. Other arrays are not read.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from deep.data.formats import hdf5

KEYS = ("observations", "next_observations", "actions", "rewards", "costs", "terminals", "timeouts")
FLAGS = ("terminals", "timeouts")
_FLOATS = ("float32", "float64")
_NUMBERS = ("int8", "uint8", "int32", "int64", *_FLOATS)
_TYPES = {**dict.fromkeys(KEYS, _FLOATS), "costs": _NUMBERS, **dict.fromkeys(FLAGS, ("bool", *_NUMBERS))}


def accepts(path: Path) -> bool:
    """Whether this is an HDF5 file; what it lacks of this layout is for `read` to say."""
    return path.is_file() and h5py.is_hdf5(path)


def read(path: Path, name: str) -> dict[str, Any]:
    """The seven arrays, float32 and bool, without next_observations where the file has none; an error calls it `name`.

    Shapes are compared before anything is read. The attributes `task`, `layout` and `policies` mean something in the
    files of `write` alone; every other writer's attributes are kept in `provenance` and decide nothing.
    """
    with hdf5.opened(path, name) as file:
        attributes, own = hdf5.attributes(file), hdf5.is_own(file)
        about = {key: attributes.pop(key, None) for key in ("task", "policies", "layout")} if own else {}
        attributes.pop(hdf5.MARK, None)
        layout = about.get("layout")
        if layout is not None and str(layout) != "plain":
            hdf5.raise_input_error(name, f"has the layout {str(layout)!r}", "plain and packed are accepted")
        keys = [key for key in KEYS if hdf5.has(file, key) or key != "next_observations"]
        shapes = {key: hdf5.inspect(file, key, name, _TYPES[key]).shape for key in keys}
        rows = shapes["rewards"][:1]
        for key, shape in shapes.items():
            if not rows or shape[:1] != rows:
                accepted = (
                    f"{rows[0]} rows, as in rewards, are accepted" if rows else "one row a transition is accepted"
                )
                hdf5.raise_input_error(name, f"has {key} of shape {shape}", accepted)
        fields: dict[str, Any] = {key: hdf5.array(file, key, name, _TYPES[key]) for key in keys}
    for key in ("rewards", "costs", *FLAGS):
        if fields[key].shape[1:] == (1,):
            fields[key] = fields[key][:, 0]
    for key in FLAGS:
        hdf5.raise_on_rows(~np.isin(fields[key], (0, 1)), fields[key], key, name, "0 and 1 are accepted")
        fields[key] = fields[key].astype(bool)
    fields["costs"] = fields["costs"].astype(np.float32, copy=False)
    return fields | {"policies": about.get("policies"), "task": about.get("task"), "provenance": attributes}


def write(path: str | Path, fields: Mapping[str, np.ndarray], attributes: Mapping[str, Any]) -> None:
    """Write the seven arrays as DSRL's files hold them, with the attributes and the mark of this project's files."""
    arrays = {key: fields[key].astype(bool if key in FLAGS else np.float32) for key in KEYS}
    hdf5.write(path, arrays, {**attributes, "layout": "plain"}, {}, {"compression": "gzip", "shuffle": True})
