"""Offline data sets in DSRL's HDF5 format: found or downloaded, read, checked in full, written.

DSRL's own layout (`deep.data.formats.dsrl`) and a smaller one (`deep.data.formats.packed`) are read alike. Nothing is
filtered: the density cut, outliers, noise and gaps of DSRL's `pre_process_data` are options of its training scripts and
not part of its data.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from jaxtyping import Float64, Int

from deep.data.download import download, folder, url_of
from deep.data.formats import dsrl as plain
from deep.data.formats import hdf5, packed
from deep.data.formats.dsrl import FLAGS, KEYS
from deep.data.formats.hdf5 import raise_input_error, raise_on_rows
from deep.tasks import Task, find_task
from theory.support.errors import InputError

EMBEDDED = Path(__file__).parent / "embedded"
ACTION_TOLERANCE = 1e-5  # rounding of a clipped action
CONTINUITY_TOLERANCE = 1e-4  # absolute and relative, between next_observations and the row that follows


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
        clipped: the number of transitions whose recorded action lay outside [-1, 1] and was clipped by `load`.
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
    clipped: int = 0
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

    Actions outside [-1, 1] are refused on the velocity tasks, whose reward charges for the action as it was given, and
    clipped on the others, as their simulators clip them first of all: the transition is then one of the clipped action.
    (DSRL's public files of Bullet tasks hold such actions, and its authors advise to clip them: issue 5 of DSRL. On
    Bullet's Ant the recorded reward charges for the unclipped action, and is a lower bound on the clipped one's.)

    Args:
        task: the task whose observation and action sizes the data must have.
        which: "dsrl" for DSRL's own file in the folder DSRL_DATASET_DIR (default ~/.dsrl/datasets), downloaded into it
            where it is missing (`deep.data.download`); "embedded" for the one that comes with this package; "auto" for
            the first of these that lies here, or a file's path.

    Raises:
        InputError: there is no such file and none can be had, or something in it is not as the format says.
    """
    source, path = _locate(task, which)
    if source == "dsrl" and not os.path.exists(path):
        download(path, partial(_load, task, source=source, name=url_of(path)))
    return _load(task, path, source=source, name=str(path))


def save(path: str | Path, dataset: OfflineDataset) -> None:
    """Write the plain layout, exactly DSRL's (float32 and bool, gzip); `policies` and `provenance` become attributes.

    Raises `InputError` for data that `load` would refuse or change. An existing file is replaced once the new one is
    complete.
    """
    check(dataset, find_task(dataset.task), f"the data for {path}")
    attributes = _attributes(dataset) | ({} if dataset.policies is None else {"policies": dataset.policies})
    plain.write(path, {key: getattr(dataset, key) for key in KEYS}, attributes)


def save_packed(path: str | Path, dataset: OfflineDataset) -> None:
    """Write the packed layout (`deep.data.formats.packed`). Raises `InputError` as `save` does, and for values over
    65504."""
    check(dataset, find_task(dataset.task), f"the data for {path}")
    packed.write(path, {key: getattr(dataset, key) for key in KEYS}, dataset.policies, _attributes(dataset))


def _attributes(dataset: OfflineDataset) -> dict[str, Any]:
    return {"task": dataset.task} | dict(dataset.provenance)


def _locate(task: Task, which: str | Path) -> tuple[str, Path]:
    """The source's name and the path that `which` means."""
    known = {"dsrl": folder() / task.dsrl_file, "embedded": EMBEDDED / f"{task.name}.hdf5"}
    if which == "auto":
        which = next((source for source, path in known.items() if os.path.exists(path)), "auto")
    if which not in ("auto", *known):
        return "file", Path(which).expanduser()
    which = str(which)
    if which == "auto" or (which == "embedded" and not os.path.exists(known[which])):
        missing = {"auto": "no data", "embedded": "no embedded data"}[which]
        ways = f"download DSRL's file {task.dsrl_file} into {folder()} with --dataset dsrl, collect data with "
        ways += f"python -m deep.collect --task {task.name}, or name a file with --dataset FILE"
        raise_input_error(missing, f"of {task.name} were found", ways)
    return which, known[which]


def _load(task: Task, path: Path, source: str, name: str) -> OfflineDataset:
    """The data set in the file at `path`, which a refusal calls `name`."""
    with opened(path, name) as (file, sha256):
        if (found := hdf5.attributes(file).get("task", task.name)) != task.name:
            raise_input_error(name, f"was recorded on {found}", f"data of {task.name} are accepted here")
        fields = read(file, name)
    clipped = _clip(fields["actions"]) if _simulator_clips(task) else {}
    dataset = OfflineDataset(task.name, **(fields | clipped), source=source, path=path, sha256=sha256)
    check(dataset, task, name)
    return dataset


@contextmanager
def opened(path: Path, name: str) -> Iterator[tuple[h5py.File, str]]:
    """The HDF5 file at `path` and its hash; whatever keeps it from being read is an `InputError` of one sentence."""
    if not os.path.isfile(path):
        raise_input_error(
            name, "is not a file" if os.path.exists(path) else "does not exist", "an HDF5 file is accepted"
        )
    try:
        with path.open("rb") as content:
            sha256 = hashlib.file_digest(content, "sha256").hexdigest()
        if not h5py.is_hdf5(path):
            raise_input_error(name, "is not an HDF5 file", "DSRL's HDF5 format is accepted")
        with h5py.File(path, "r") as file:
            yield file, sha256
    except InputError:
        raise
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, MemoryError) as error:  # depends on the damage
        raise_input_error(
            name, f"cannot be read ({' '.join(str(error).split())})", "a complete, readable HDF5 file is accepted"
        )


def read(file: h5py.File, name: str, optional: Collection[str] = ()) -> dict[str, Any]:
    """The fields of an `OfflineDataset` that either layout holds; `optional` arrays may be absent from a plain file."""
    attributes = hdf5.attributes(file)
    attributes.pop("task", None)
    if (layout := str(attributes.pop("layout", "plain"))) not in ("plain", "packed"):
        raise_input_error(name, f"has the layout {layout!r}", "plain and packed are accepted")
    policies = attributes.pop("policies", None)
    fields = packed.read(file, name) if layout == "packed" else plain.read(file, name, optional)
    return {"policies": policies, "provenance": attributes} | fields


def _simulator_clips(task: Task) -> bool:
    return task.family != "velocity"


def _clip(actions: np.ndarray) -> dict[str, Any]:
    """The actions as the simulator takes them, and how many it changes; bad arrays are left for `check`."""
    if actions.ndim != 2 or not np.isfinite(actions).all():
        return {}
    outside = (np.abs(actions) > 1 + ACTION_TOLERANCE).any(axis=1)
    return {"actions": actions.clip(-1, 1), "clipped": int(outside.sum())}


def check(dataset: OfflineDataset, task: Task, name: str) -> None:
    """Refuse, by `InputError`, values that no recording of the task can have; `name` is what the sentence calls it."""
    if not dataset.rewards.size:
        raise_input_error(name, "has no transitions", "at least one is needed")
    rows = dataset.rewards.shape[:1]
    vectors = {"observations": task.observation_size, "next_observations": task.observation_size}
    vectors["actions"] = task.action_size
    for key in KEYS:
        found, accepted = getattr(dataset, key).shape, (*rows, vectors[key]) if key in vectors else rows
        if found != accepted:
            raise_input_error(name, f"has {key} of shape {found}", f"{accepted} is accepted for {task.name}")
    for key in KEYS:
        if key not in FLAGS:
            values = getattr(dataset, key)
            raise_on_rows(~np.isfinite(values), values, key, name, "finite numbers are accepted")
    raise_on_rows(dataset.costs < 0, dataset.costs, "costs", name, "costs of at least 0 are accepted")
    outside = np.abs(dataset.actions) > 1 + ACTION_TOLERANCE
    raise_on_rows(outside, dataset.actions, "actions", name, "actions inside [-1, 1] are accepted")

    done = dataset.terminals | dataset.timeouts
    if not done[-1]:
        raise_input_error(name, "stops in the middle of a trajectory", "the last row must be a terminal or a timeout")
    if (longest := dataset.lengths.max()) > task.episode_length:
        row, accepted = dataset.starts[dataset.lengths.argmax()], f"at most {task.episode_length} are accepted"
        raise_input_error(name, f"has a trajectory of {longest} steps from row {row} on", accepted)
    follows, row_after = dataset.next_observations[:-1], dataset.observations[1:]
    gap = np.abs(follows - row_after) > CONTINUITY_TOLERANCE * (1 + np.abs(row_after))
    accepted = "inside a trajectory the observations one row later are accepted"
    raise_on_rows(gap & ~done[:-1, None], follows, "next_observations", name, accepted)
    if (policies := dataset.policies) is not None:
        policies = np.asarray(policies)
        if policies.shape != dataset.ends.shape or policies.dtype.kind not in "iu":
            found = f"has policies of shape {policies.shape} and type {policies.dtype}"
            raise_input_error(
                name, found, f"one whole number for each of the {len(dataset.ends)} trajectories is accepted"
            )
