"""Offline data sets in DSRL's HDF5 format: found, read, checked in full, written.

Two layouts are read alike. The *plain* one is DSRL's: one row per transition under `KEYS`. The *packed* one holds the
same transitions in about a fifth of the bytes, marked by the file attribute `layout = "packed"`:

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

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NoReturn

import h5py
import numpy as np
from jaxtyping import Float64, Int

from deep.tasks import Task, find_task
from theory.errors import InputError

KEYS = ("observations", "next_observations", "actions", "rewards", "costs", "terminals", "timeouts")
FLAGS = ("terminals", "timeouts")
EMBEDDED = Path(__file__).parent / "data"
ACTION_TOLERANCE = 1e-5  # rounding of a clipped action
CONTINUITY_TOLERANCE = 1e-4  # absolute and relative, between next_observations and the row that follows
_COMPRESSION: dict[str, Any] = {"compression": "gzip", "compression_opts": 9, "shuffle": True}


@dataclass(frozen=True, eq=False)
class OfflineDataset:
    """Transitions of many trajectories, one after another; the last row of each is a terminal or a timeout.

    The arrays are float32 and bool, as `load` makes sure of; `save` and `save_packed` refuse anything else than these
    shapes, for n transitions in T trajectories.

    Attributes:
        task: the task's short name.
        observations: o_t of each transition, (n, o).
        next_observations: o_{t+1}, also after the last step of a trajectory, (n, o).
        actions: a_t inside [-1, 1], (n, a).
        rewards: r_t, (n,).
        costs: c_t >= 0, (n,).
        terminals: the episode ended because of the state reached, (n,).
        timeouts: the episode ended because its time was over, (n,).
        policies: the behaviour policy's number for each trajectory, (T,), or None if unknown, as in DSRL's files.
        provenance: how the file was made (command, seed, versions): texts and numbers.
        source: "dsrl", "embedded" or "file"; "memory" for data that were not read from a file.
        path: the file read.
        sha256: that file's hash, hexadecimal.
    """

    task: str
    observations: np.ndarray
    next_observations: np.ndarray
    actions: np.ndarray
    rewards: np.ndarray
    costs: np.ndarray
    terminals: np.ndarray
    timeouts: np.ndarray
    policies: np.ndarray | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict)
    source: str = "memory"
    path: Path | None = None
    sha256: str | None = None

    def __len__(self) -> int:
        return len(self.rewards)

    @cached_property
    def ends(self) -> Int[np.ndarray, " trajectory"]:
        """The last row of each trajectory."""
        return np.flatnonzero(self.terminals | self.timeouts)

    @cached_property
    def starts(self) -> Int[np.ndarray, " trajectory"]:
        """The first row of each trajectory."""
        return np.concatenate([[0], self.ends[:-1] + 1])

    @cached_property
    def lengths(self) -> Int[np.ndarray, " trajectory"]:
        """The number of steps of each trajectory."""
        return self.ends - self.starts + 1

    @cached_property
    def trajectory_returns(self) -> Float64[np.ndarray, " trajectory"]:
        """The undiscounted return of each trajectory."""
        return np.add.reduceat(self.rewards, self.starts, dtype=np.float64)

    @cached_property
    def trajectory_costs(self) -> Float64[np.ndarray, " trajectory"]:
        """The undiscounted cost of each trajectory."""
        return np.add.reduceat(self.costs, self.starts, dtype=np.float64)


def load(task: Task, which: str | Path = "auto") -> OfflineDataset:
    """Read and check a data set of the task.

    Args:
        task: the task whose observation and action sizes the data must have.
        which: "dsrl" for DSRL's own file in the folder DSRL_DATASET_DIR (default ~/.dsrl/datasets), "embedded" for
            the one that comes with this package, "auto" for the first of these that exists, or a file's path.

    Raises:
        InputError: there is no such file, or something in it is not as the format says.
    """
    source, path = _locate(task, which)
    name = str(path)
    if not os.path.isfile(path):
        _refuse(name, "is not a file" if os.path.exists(path) else "does not exist", "an HDF5 file is accepted")
    try:
        with path.open("rb") as opened:
            sha256 = hashlib.file_digest(opened, "sha256").hexdigest()
        if not h5py.is_hdf5(path):
            _refuse(name, "is not an HDF5 file", "DSRL's HDF5 format is accepted")
        with h5py.File(path, "r") as file:
            fields = _read(file, task, name)
    except (OSError, RuntimeError, KeyError, MemoryError) as error:  # h5py's kind of error depends on the damage
        _refuse(name, f"cannot be read ({' '.join(str(error).split())})", "a complete, readable HDF5 file is accepted")
    dataset = OfflineDataset(task.name, **fields, source=source, path=path, sha256=sha256)
    _check(dataset, name)
    return dataset


def save(path: str | Path, dataset: OfflineDataset) -> None:
    """Write the plain layout, exactly DSRL's (float32 and bool, gzip); `policies` and `provenance` become attributes.

    Raises `InputError` for data that `load` would refuse. An existing file is replaced once the new one is complete.
    """
    _check(dataset, f"the data for {path}")
    arrays = {key: getattr(dataset, key).astype(bool if key in FLAGS else np.float32) for key in KEYS}
    attributes = {} if dataset.policies is None else {"policies": dataset.policies}
    _write(path, dataset, arrays, attributes, {"compression": "gzip", "shuffle": True})


def save_packed(path: str | Path, dataset: OfflineDataset) -> None:
    """Write the packed layout, see the module's head. Raises `InputError` as `save` does, and for values over 65504."""
    _check(dataset, f"the data for {path}")
    binary_costs = bool(np.isin(dataset.costs, (0, 1)).all())
    arrays = {
        "observations": _half(dataset.observations.T, "observations", path),
        "final_observations": _half(dataset.next_observations[dataset.ends].T, "next_observations", path),
        "actions": _half(dataset.actions.T, "actions", path),
        "rewards": _half(dataset.rewards, "rewards", path),
        "costs": np.packbits(dataset.costs == 1) if binary_costs else dataset.costs.astype(np.float32),
        "lengths": dataset.lengths.astype(np.int32),
        "ends": (dataset.terminals + 2 * dataset.timeouts)[dataset.ends].astype(np.uint8),
    }
    if dataset.policies is not None:
        arrays["policies"] = dataset.policies.astype(np.int32)
    _write(path, dataset, arrays, {"layout": "packed"}, _COMPRESSION)


def _refuse(name: str, found: str, accepted: str) -> NoReturn:
    raise InputError(f"{name} {found}: {accepted}") from None


def _locate(task: Task, which: str | Path) -> tuple[str, Path]:
    """The source's name and the path that `which` means."""
    folder = Path(os.environ.get("DSRL_DATASET_DIR") or "~/.dsrl/datasets").expanduser()
    known = {"dsrl": folder / task.dsrl_file, "embedded": EMBEDDED / f"{task.name}.hdf5"}
    if which == "auto":
        which = next((source for source, path in known.items() if os.path.exists(path)), "auto")
    if which not in ("auto", *known):
        return "file", Path(which).expanduser()
    which = str(which)
    if which == "auto" or not os.path.exists(known[which]):
        missing = {"auto": "no data", "dsrl": "no DSRL file", "embedded": "no embedded data"}[which]
        ways = f"put DSRL's file {task.dsrl_file} into {folder}, collect data with python -m deep.collect --task "
        _refuse(missing, f"of {task.name} were found", ways + f"{task.name}, or name a file with --dataset FILE")
    return which, known[which]


def _read(file: h5py.File, task: Task, name: str) -> dict[str, Any]:
    """The fields of an `OfflineDataset` that either layout holds."""
    attributes = {key: _python(value) for key, value in file.attrs.items()}
    if (found := str(attributes.pop("task", task.name))) != task.name:
        _refuse(name, f"was recorded on {found}", f"data of {task.name} are accepted here")
    if (layout := str(attributes.pop("layout", "plain"))) not in ("plain", "packed"):
        _refuse(name, f"has the layout {layout!r}", "plain and packed are accepted")
    policies = attributes.pop("policies", None)
    fields = _read_packed(file, task, name) if layout == "packed" else _read_plain(file, name)
    return {"policies": policies, "provenance": attributes} | fields


def _python(value: Any) -> Any:
    """An attribute as a Python number or text, so that it can be written on, into JSON for one; arrays stay arrays."""
    value = value.item() if isinstance(value, np.generic) else value
    return value.decode(errors="replace") if isinstance(value, bytes) else value


def _read_plain(file: h5py.File, name: str) -> dict[str, Any]:
    fields = {key: _array(file, key, name, ("bool",) if key in FLAGS else ("float32", "float64")) for key in KEYS}
    for key in ("rewards", "costs", *FLAGS):
        if fields[key].shape[1:] == (1,):
            fields[key] = fields[key][:, 0]
    return fields


def _read_packed(file: h5py.File, task: Task, name: str) -> dict[str, Any]:
    lengths = _array(file, "lengths", name, ("int32",)).astype(np.int64)
    ends = _array(file, "ends", name, ("uint8",), lengths.shape)
    if lengths.ndim != 1 or not lengths.size or lengths.min() < 1:
        _refuse(name, "has bad lengths of trajectories", "a list of numbers of at least 1 is accepted")
    if not np.isin(ends, (1, 2, 3)).all():
        _refuse(name, "has a bad end of a trajectory", "1, 2 and 3 are accepted in ends")
    count, rows, last = len(lengths), int(lengths.sum()), np.cumsum(lengths) - 1

    observations = _array(file, "observations", name, ("float16",), (task.observation_size, rows)).T
    next_observations = np.roll(observations, -1, axis=0)
    next_observations[last] = _array(file, "final_observations", name, ("float16",), (task.observation_size, count)).T
    if str(_item(file, "costs", name).dtype) == "uint8":
        bits = _array(file, "costs", name, ("uint8",), ((rows + 7) // 8,))
        costs = np.unpackbits(bits, count=rows).astype(np.float32)
    else:
        costs = _array(file, "costs", name, ("float32",))
    flags = np.zeros((2, rows), dtype=bool)
    flags[:, last] = ends & 1, ends & 2
    return {
        "observations": np.ascontiguousarray(observations),
        "next_observations": np.ascontiguousarray(next_observations),
        "actions": np.ascontiguousarray(_array(file, "actions", name, ("float16",), (task.action_size, rows)).T),
        "rewards": _array(file, "rewards", name, ("float16",)),
        "costs": costs,
        "terminals": flags[0],
        "timeouts": flags[1],
        "policies": _array(file, "policies", name, ("int32",)) if "policies" in file else None,
    }


def _item(file: h5py.File, key: str, name: str) -> h5py.Dataset:
    item = file.get(key)
    if not isinstance(item, h5py.Dataset):
        _refuse(name, f"has no array {key}", f"a DSRL file needs {', '.join(KEYS)}")
    return item


def _array(
    file: h5py.File, key: str, name: str, dtypes: tuple[str, ...], shape: tuple[int, ...] | None = None
) -> np.ndarray:
    """The array under `key`, of one of these types and of this shape, if given; floating-point values as float32."""
    item = _item(file, key, name)
    if str(item.dtype) not in dtypes:
        _refuse(name, f"has {key} of type {item.dtype}", f"{' or '.join(dtypes)} is accepted")
    if item.shape is None or shape not in (None, item.shape):
        _refuse(name, f"has {key} of shape {item.shape}", f"{shape or 'an array'} is accepted")
    values = np.asarray(item[()])
    if values.dtype.kind != "f":
        return values
    with np.errstate(over="ignore"):  # a float64 too large becomes infinite, and is refused as such
        return values.astype(np.float32, copy=False)


def _check(dataset: OfflineDataset, name: str) -> None:
    """Refuse, by `InputError`, values that no recording of the task can have; `name` is what the sentence calls it."""
    task = find_task(dataset.task)
    if not dataset.rewards.size:
        _refuse(name, "has no transitions", "at least one is needed")
    rows = dataset.rewards.shape[:1]
    vectors = {"observations": task.observation_size, "next_observations": task.observation_size}
    vectors["actions"] = task.action_size
    for key in KEYS:
        found, accepted = getattr(dataset, key).shape, (*rows, vectors[key]) if key in vectors else rows
        if found != accepted:
            _refuse(name, f"has {key} of shape {found}", f"{accepted} is accepted for {task.name}")
    for key in KEYS:
        if key not in FLAGS:
            _refuse_rows(~np.isfinite(getattr(dataset, key)), dataset, key, name, "finite numbers are accepted")
    _refuse_rows(dataset.costs < 0, dataset, "costs", name, "costs of at least 0 are accepted")
    outside = np.abs(dataset.actions) > 1 + ACTION_TOLERANCE
    _refuse_rows(outside, dataset, "actions", name, "actions inside [-1, 1] are accepted")

    done = dataset.terminals | dataset.timeouts
    if not done[-1]:
        _refuse(name, "stops in the middle of a trajectory", "the last row must be a terminal or a timeout")
    if (longest := dataset.lengths.max()) > task.episode_length:
        row, accepted = dataset.starts[dataset.lengths.argmax()], f"at most {task.episode_length} are accepted"
        _refuse(name, f"has a trajectory of {longest} steps from row {row} on", accepted)
    follows, row_after = dataset.next_observations[:-1], dataset.observations[1:]
    gap = np.abs(follows - row_after) > CONTINUITY_TOLERANCE * (1 + np.abs(row_after))
    accepted = "inside a trajectory the observations one row later are accepted"
    _refuse_rows(gap & ~done[:-1, None], dataset, "next_observations", name, accepted)
    if (policies := dataset.policies) is not None:
        policies = np.asarray(policies)
        if policies.shape != dataset.ends.shape or policies.dtype.kind not in "iu":
            found = f"has policies of shape {policies.shape} and type {policies.dtype}"
            _refuse(name, found, f"one whole number for each of the {len(dataset.ends)} trajectories is accepted")


def _refuse_rows(bad: np.ndarray, dataset: OfflineDataset, key: str, name: str, accepted: str) -> None:
    """Refuse the data if any element is bad, naming the first row that holds one."""
    if bad.any():
        place = tuple(int(i) for i in np.argwhere(bad)[0])
        _refuse(name, f"has {getattr(dataset, key)[place]} in row {place[0]} of {key}", accepted)


def _half(values: np.ndarray, key: str, path: str | Path) -> np.ndarray:
    with np.errstate(over="ignore"):
        packed = values.astype(np.float16)
    if np.isinf(packed).any():
        _refuse(str(path), f"cannot hold {np.abs(values).max():g} in {key}", "a packed file takes values up to 65504")
    return packed


def _write(
    path: str | Path,
    dataset: OfflineDataset,
    arrays: Mapping[str, np.ndarray],
    attributes: Mapping[str, Any],
    compression: Mapping[str, Any],
) -> None:
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".tmp")
    try:
        # The 1.10 format has checksums, and allows attributes above 64 kB: the policies of many trajectories.
        with h5py.File(temporary, "w", libver=("v110", "v110")) as file:
            for key, values in arrays.items():
                # One chunk holds one variable for a while: together with the shuffled bytes this compresses best.
                chunk = (1, min(values.shape[1], 1 << 17)) if "layout" in attributes and values.ndim == 2 else True
                file.create_dataset(key, data=values, chunks=chunk, **compression)
            # Texts of fixed length lie inside the checksums; others lie in a heap without any.
            for key, value in ({"task": dataset.task} | dict(dataset.provenance) | dict(attributes)).items():
                file.attrs[key] = np.bytes_(value.encode()) if isinstance(value, str) else value
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
