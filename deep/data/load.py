"""Data sets found or downloaded, read in whatever format they have, checked and written."""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from deep.data.data_path import data_path
from deep.data.dataset import ACTION_TOLERANCE, OfflineDataset, check
from deep.data.download import download, folder, url_of
from deep.data.formats import FORMATS, columns, dsrl, hdf5, minari, packed
from deep.data.formats.errors import raise_input_error
from deep.data.formats.joined import ROWS
from deep.data.formats.table import KEYS
from deep.data.reading import AS_IT_IS, Reading
from deep.data.tails import suspicions
from deep.data.timeouts import drop_unknown_successors
from deep.tasks import TASKS, Task, find_task
from theory.support.errors import one_line

EMBEDDED = Path(__file__).parent / "embedded"
ACCEPTED = "HDF5 of DSRL, D4RL, d3rlpy or Minari, numpy's .npz, .csv, .tsv, .parquet and folders of Minari or of such "
ACCEPTED += "tables are accepted; deep.save_episodes writes a list of episodes from Python"
"""The formats, for a rejection."""


def load(task: Task, which: str | Path = "auto", reading: Reading = AS_IT_IS) -> OfflineDataset:
    """Read and check a data set of the task.

    The last step of a trajectory that timed out is left out where its next observation is none
    (`deep.data.timeouts`); `remarks` then says so.

    Actions outside [-1, 1] are rejected on the velocity tasks, whose reward charges for the action as it was given, and
    clipped on the others, as their simulators clip them first of all: the transition is then one of the clipped action.
    (DSRL's public files of Bullet tasks hold such actions, and its authors advise to clip them: issue 5 of DSRL. On
    Bullet's Ant the recorded reward charges for the unclipped action, and is a lower bound on the clipped one's.)

    Args:
        task: the task whose observation and action sizes the data must have.
        which: "dsrl" for DSRL's own file in the folder DSRL_DATASET_DIR (default ~/.dsrl/datasets), downloaded into it
            where it is missing (`deep.data.download`); "embedded" for the one that comes with this package; "auto" for
            the first of these that lies here, or a path or minari:ID (`deep.data.data_path`).
        reading: what the arrays of a file of another writer are taken for.

    Raises:
        InputError: there is no such file and none can be had, or something in it is not as the format says.
    """
    source, path = _locate(task, which)
    if source == "dsrl" and not os.path.exists(path):
        download(path, partial(_load, task, source=source, name=url_of(path)))
    return _load(task, path, source, str(path), reading)


def save(path: str | Path, dataset: OfflineDataset) -> None:
    """Write DSRL's layout (float32 and bool, gzip); `policies` and `provenance` become attributes.

    Raises `InputError` for data that `load` would reject or change. An existing file is replaced once the new one is
    complete.
    """
    check(dataset, find_task(dataset.task), f"the data for {path}")
    attributes = _attributes(dataset) | ({} if dataset.policies is None else {"policies": dataset.policies})
    dsrl.write(path, {key: getattr(dataset, key) for key in KEYS}, attributes)


def save_packed(path: str | Path, dataset: OfflineDataset) -> None:
    """Write the packed layout (`deep.data.formats.packed`). Raises `InputError` as `save` does, and for values over
    65504."""
    check(dataset, find_task(dataset.task), f"the data for {path}")
    packed.write(path, {key: getattr(dataset, key) for key in KEYS}, dataset.policies, _attributes(dataset))


def _attributes(dataset: OfflineDataset) -> dict[str, Any]:
    remarks = {hdf5.REMARKS: "; ".join(dataset.remarks)} if dataset.remarks else {}
    return {"task": dataset.task} | dict(dataset.provenance) | remarks


def _locate(task: Task, which: str | Path) -> tuple[str, Path]:
    """The source's name and the path that `which` means."""
    known = {"dsrl": folder() / task.dsrl_file, "embedded": EMBEDDED / f"{task.name}.hdf5"}
    if which == "auto":
        which = next((source for source, path in known.items() if os.path.exists(path)), "auto")
    if which not in ("auto", *known):
        return "file", data_path(str(which))
    which = str(which)
    if which == "auto" or (which == "embedded" and not os.path.exists(known[which])):
        missing = {"auto": "no data", "embedded": "no embedded data"}[which]
        ways = f"download DSRL's file {task.dsrl_file} into {folder()} with --dataset dsrl, collect data with "
        ways += f"python -m deep.collect --task {task.name}, or name a file with --dataset FILE"
        raise_input_error(missing, f"of {task.name} were found", ways)
    return which, known[which]


def _load(task: Task, path: Path, source: str, name: str, reading: Reading = AS_IT_IS) -> OfflineDataset:
    """The data set in the file at `path`, which an error calls `name`."""
    fields, sha256 = read(path, name, reading)
    recorded, rows = fields.pop("task"), fields.pop(ROWS, None)
    if recorded is not None and str(recorded) != task.name:
        raise_input_error(name, f"was recorded on {recorded}", f"data of {task.name} are accepted here")
    if "next_observations" not in fields:
        raise_input_error(name, "has no array next_observations", "a file that has one is accepted")
    clipped = _clip(fields["actions"]) if _simulator_clips(task) else {}
    dataset = OfflineDataset(task.name, **(fields | clipped), source=source, path=path, sha256=sha256)
    check(dataset, task, name, rows)
    dataset = replace(dataset, remarks=(*dataset.remarks, *suspicions(dataset)))
    return drop_unknown_successors(dataset, name)


def read(path: Path, name: str, reading: Reading = AS_IT_IS) -> tuple[dict[str, Any], str]:
    """The fields of the file at `path` in the first format that accepts it, and its hash, of which computed costs are a
    part. A folder stands for the file or files of a Minari data set.

    Raises `InputError`, which calls the file `name`: it is of no format, or it changes while it is read.
    """
    path = file_of(path, name)
    try:
        found = format_of(path, name)
        files = found.files(path) if hasattr(found, "files") else [path]
        before, sha256 = [_version(file) for file in files], _hash(files)
        fields = found.read(path, name, reading)
        after = [_version(file) for file in files]
    except OSError as error:
        raise_input_error(name, f"cannot be read ({error})", "a complete, readable file is accepted")
    if before != after:
        raise_input_error(name, "was changed while it was read", "a file that its writer has closed is accepted")
    if reading.cost_function is not None:
        sha256 = hashlib.sha256(sha256.encode() + fields["costs"].tobytes()).hexdigest()
    return fields | {"remarks": tuple(map(one_line, fields["remarks"]))}, sha256


def format_of(path: Path, name: str) -> Any:
    """The module of the first format that accepts the file; raises `InputError`, which calls it `name`, where none
    does."""
    if (found := next((each for each in FORMATS if each.accepts(path)), None)) is not None:
        return found
    try:
        path.open("rb").close()
    except OSError as error:
        raise_input_error(name, f"cannot be read ({error})", "a complete, readable file is accepted")
    kind = "a complete .npz archive" if path.suffix.lower() == ".npz" else "an HDF5 file, nor of another known format"
    raise_input_error(name, f"is not {kind}", ACCEPTED)


def task_of(path: Path) -> Task | None:
    """The task that a file was recorded on: by its attribute, in files of this project, or by DSRL's name for it."""
    file, recorded = file_of(path, str(path)), None
    format_of(file, str(path))
    if dsrl.accepts(file):
        with hdf5.opened(file, str(path)) as opened:
            recorded = hdf5.attributes(opened, ("task",)).get("task") if hdf5.is_own(opened) else None
    by_file = {task.dsrl_file: task for task in TASKS.values()}
    return TASKS.get(str(recorded)) or by_file.get(path.name)


def file_of(path: Path, name: str) -> Path:
    """The file itself, a folder of tables, or the file of a Minari data set's folder; raises `InputError` where there
    is none."""
    if os.path.isdir(path):
        return path if columns.accepts(path) else minari.file_in(path, name)
    if not os.path.isfile(path):
        accepted = "a file of data is accepted, or the folder of a Minari data set or of .csv or .parquet files"
        raise_input_error(name, "is not a file" if os.path.exists(path) else "does not exist", accepted)
    return path


def _version(path: Path) -> tuple[int, int, int]:
    status = os.stat(path)
    return status.st_size, status.st_mtime_ns, status.st_ino


def _hash(files: list[Path]) -> str:
    """The hash of a file; of several, that of their hashes."""
    found = []
    for path in files:
        with path.open("rb") as content:
            found.append(hashlib.file_digest(content, "sha256").hexdigest())
    return found[0] if len(found) == 1 else hashlib.sha256("".join(found).encode()).hexdigest()


def _simulator_clips(task: Task) -> bool:
    return task.family != "velocity"


def _clip(actions: np.ndarray) -> dict[str, Any]:
    """The actions as the simulator applies them, and how many it changes; `check` rejects bad arrays."""
    if actions.ndim != 2 or not np.isfinite(actions).all():
        return {}
    outside = (np.abs(actions) > 1 + ACTION_TOLERANCE).any(axis=1)
    return {"actions": actions.clip(-1, 1), "clipped": int(outside.sum())}
