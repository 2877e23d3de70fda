"""The folder of a sweep: its config.json, and the rows of every job that has ended.

A job's rows are written to a temporary name and renamed, so that what is there is whole; a resumed sweep runs the jobs
that are not there.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from theory.support.errors import InputError
from theory.support.files import remove_leftovers, write_whole, writing
from theory.sweep.grid import Grid, Job

Table = list[dict[str, Any]]


def prepare(folder: Path, grid: Grid, resume: bool) -> None:
    """Make the folder and its config.json; InputError if it holds another sweep, or any without `resume`.

    The config is written first: whatever is interrupted then, the folder is a sweep that can be resumed.
    """
    config = folder / "config.json"
    if config.exists():
        if not resume:
            raise InputError(f"{folder} already holds a sweep; add --resume to go on with it, or choose another --out.")
        compare(config, grid)
    elif folder.exists() and (not folder.is_dir() or any(path.suffix != ".tmp" for path in folder.iterdir())):
        raise InputError(f"{folder} is neither empty nor a sweep; choose another --out.")
    else:
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
        write_whole(config, json.dumps({"grid": asdict(grid), "versions": versions()}, indent=2).encode())
    with writing(folder):
        (folder / "jobs").mkdir(exist_ok=True)
        for place in (folder, folder / "jobs"):
            remove_leftovers(place)


def compare(config: Path, grid: Grid) -> None:
    """InputError unless the sweep of this config has the same grid and was begun with the same libraries."""
    kept = read(config)
    if not (isinstance(kept, dict) and isinstance(kept.get("grid"), dict) and isinstance(kept.get("versions"), dict)):
        raise InputError(f"{config} is damaged and does not say which sweep this is; choose another --out.")
    if kept["grid"] != json.loads(json.dumps(asdict(grid))):
        raise InputError(
            f"{config.parent} holds a sweep with another grid; resume it with that one, or choose another --out."
        )
    for name, version in versions().items():
        other = kept["versions"].get(name)
        if other != version:
            raise InputError(
                f"{config.parent} holds a sweep with {name} {other}, and this is {name} {version}; resume it with that "
                "one, or choose another --out."
            )


def read(path: Path) -> Any:
    """What a JSON file holds; None where it is not there or damaged."""
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError, RecursionError):
        return None


def versions() -> dict[str, str]:
    from importlib.metadata import version

    return {name: version(name) for name in ("numpy", "torch", "scipy", "highspy")}


def progress(folder: Path, jobs: Sequence[Job]) -> str:
    """How many of the jobs are saved in the folder."""
    saved = sum((folder / "jobs" / f"{job.name}.json").exists() for job in jobs)
    return f"{saved} of {len(jobs)} jobs are saved in {folder}"


def saved_rows(path: Path, size: int) -> Table | None:
    """A job's rows; None where its file is not there, is damaged, or has another number of rows: it is run again."""
    kept = read(path)
    whole = isinstance(kept, dict) and isinstance(kept.get("rows"), list) and len(kept["rows"]) == size
    return kept["rows"] if whole and kept.get("sha256") == _digest(kept["rows"]) else None


def write_rows(path: Path, rows: Table) -> None:
    """Keep a job's rows with their digest."""
    write_whole(path, json.dumps({"sha256": _digest(rows), "rows": rows}).encode())


def _digest(rows: Any) -> str:
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()
