"""The plain layout, which is that of DSRL's files: one row per transition, trajectory after trajectory.

    observations, next_observations   (N, o) float32
    actions                           (N, a) float32
    rewards, costs                    (N,) float32
    terminals, timeouts               (N,) bool; the last row of each trajectory has one of them

compressed with gzip, without attributes: DSRL's scripts/process_dataset.py writes them so, and its `get_dataset` asks
for all seven. What other writers do is read too: float64, columns (N, 1), costs and flags as whole numbers, flags as
the numbers 0 and 1, further arrays, of which nothing is looked at.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
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


def read(file: h5py.File, name: str, optional: Collection[str] = ()) -> dict[str, Any]:
    """The seven arrays, float32 and bool, without the optional ones that the file lacks; a refusal calls it `name`."""
    keys = [key for key in KEYS if key in file or key not in optional]
    fields = {key: hdf5.array(file, key, name, _TYPES[key]) for key in keys}
    for key in ("rewards", "costs", *FLAGS):
        if fields[key].shape[1:] == (1,):
            fields[key] = fields[key][:, 0]
    for key in FLAGS:
        hdf5.raise_on_rows(~np.isin(fields[key], (0, 1)), fields[key], key, name, "0 and 1 are accepted")
        fields[key] = fields[key].astype(bool)
    return fields | {"costs": fields["costs"].astype(np.float32, copy=False)}


def write(path: str | Path, fields: Mapping[str, np.ndarray], attributes: Mapping[str, Any]) -> None:
    """Write the seven arrays as DSRL's files hold them."""
    arrays = {key: fields[key].astype(bool if key in FLAGS else np.float32) for key in KEYS}
    hdf5.write(path, arrays, attributes, {}, {"compression": "gzip", "shuffle": True})
