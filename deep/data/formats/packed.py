"""The packed layout: a data set of DSRL's kind in about a fifth of the bytes.

It holds the transitions of DSRL's layout (`deep.data.formats.dsrl`), and is marked by the file attribute `layout =
"packed"`:

    observations, actions   (size, N) float16, one variable after the other: neighbours in time compress well
    final_observations      (size, T) float16, what followed each trajectory's last step; other next_observations are
                            the observations one row later
    rewards                 (N,) float16
    costs                   bits, eight to a byte, when all are 0 or 1; otherwise (N,) float32
    lengths                 (T,) int32, steps of each trajectory
    ends                    (T,) uint8, 1 where a terminal ended it, 2 where a timeout did, 3 for both
    policies                (T,) int32, optional: which behaviour policy made each trajectory

for N transitions in T trajectories. float16 keeps 3 digits: rewards of size 1 move by less than 0.0005 a step, and the
return of 1000 steps by about 0.01.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from deep.data.formats import hdf5
from deep.data.formats.errors import raise_input_error
from deep.data.formats.table import completed
from deep.data.reading import AS_IT_IS, Reading
from theory.support.errors import InputError

_COMPRESSION: dict[str, Any] = {"compression": "gzip", "compression_opts": 9, "shuffle": True}


def accepts(path: Path) -> bool:
    """Whether this is one of this project's files, and says that it is packed."""
    try:
        with hdf5.opened(path, str(path)) as file:
            return hdf5.is_own(file) and str(hdf5.attributes(file, ("layout",)).get("layout")) == "packed"
    except InputError:
        return False


def read(path: Path, name: str, reading: Reading = AS_IT_IS) -> dict[str, Any]:
    """The arrays of DSRL's layout, and `policies`; an error calls the file `name`."""
    if reading.columns is not None:
        raise_input_error(name, "is of the packed layout", "--columns belongs to files of other writers")
    with hdf5.opened(path, name) as file:
        attributes = hdf5.attributes(file)
        about = {"task": attributes.pop("task", None), "provenance": attributes}
        remarks = hdf5.taken_remarks(attributes)
        for key in ("layout", hdf5.MARK):
            attributes.pop(key, None)
        fields = _arrays(file, name)
    policies = fields.pop("policies")
    return completed(fields, remarks, reading, name) | about | {"policies": policies}


def _arrays(file: h5py.File, name: str) -> dict[str, Any]:
    lengths = hdf5.array(file, "lengths", name, ("int32",)).astype(np.int64)
    ends = hdf5.array(file, "ends", name, ("uint8",), lengths.shape)
    if lengths.ndim != 1 or not lengths.size or lengths.min() < 1:
        raise_input_error(name, "has bad lengths of trajectories", "a list of numbers of at least 1 is accepted")
    if not np.isin(ends, (1, 2, 3)).all():
        raise_input_error(name, "has a bad end of a trajectory", "1, 2 and 3 are accepted in ends")
    count, rows, last = len(lengths), int(lengths.sum()), np.cumsum(lengths) - 1

    def halves(key: str, columns: int, size: int | None = None) -> np.ndarray:
        size = size or (*hdf5.inspect(file, key, name).shape, 0)[0]
        return hdf5.array(file, key, name, ("float16",), (size, columns)).T

    rewards = hdf5.array(file, "rewards", name, ("float16",), (rows,))
    observations = halves("observations", rows)
    next_observations = np.roll(observations, -1, axis=0)
    next_observations[last] = halves("final_observations", count, observations.shape[1])
    if str(hdf5.inspect(file, "costs", name).dtype) == "uint8":
        bits = hdf5.array(file, "costs", name, ("uint8",), ((rows + 7) // 8,))
        costs = np.unpackbits(bits, count=rows).astype(np.float32)
    else:
        costs = hdf5.array(file, "costs", name, ("float32",), (rows,))
    flags = np.zeros((2, rows), dtype=bool)
    flags[:, last] = ends & 1, ends & 2
    return {
        "observations": np.ascontiguousarray(observations),
        "next_observations": np.ascontiguousarray(next_observations),
        "actions": np.ascontiguousarray(halves("actions", rows)),
        "rewards": rewards,
        "costs": costs,
        "terminals": flags[0],
        "timeouts": flags[1],
        "policies": hdf5.array(file, "policies", name, ("int32",)) if hdf5.has(file, "policies") else None,
    }


def write(
    path: str | Path, fields: Mapping[str, np.ndarray], policies: np.ndarray | None, attributes: Mapping[str, Any]
) -> None:
    """Write the arrays of DSRL's layout, already checked; raises `InputError` for values over 65504."""
    ends = np.flatnonzero(fields["terminals"] | fields["timeouts"])
    costs = fields["costs"]
    arrays = {
        "observations": _half(fields["observations"].T, "observations", path),
        "final_observations": _half(fields["next_observations"][ends].T, "next_observations", path),
        "actions": _half(fields["actions"].T, "actions", path),
        "rewards": _half(fields["rewards"], "rewards", path),
        "costs": np.packbits(costs == 1) if np.isin(costs, (0, 1)).all() else costs.astype(np.float32),
        "lengths": np.diff(ends, prepend=-1).astype(np.int32),
        "ends": (fields["terminals"] + 2 * fields["timeouts"])[ends].astype(np.uint8),
    }
    if policies is not None:
        arrays["policies"] = policies.astype(np.int32)
    # One chunk holds one variable for a while: together with the shuffled bytes this compresses best.
    chunks = {key: (1, min(values.shape[1], 1 << 17)) for key, values in arrays.items() if values.ndim == 2}
    hdf5.write(path, arrays, {**attributes, "layout": "packed"}, chunks, _COMPRESSION)


def _half(values: np.ndarray, key: str, path: str | Path) -> np.ndarray:
    with np.errstate(over="ignore"):
        packed = values.astype(np.float16)
    if np.isinf(packed).any():
        raise_input_error(
            str(path), f"cannot hold {np.abs(values).max():g} in {key}", "a packed file takes values up to 65504"
        )
    return packed
