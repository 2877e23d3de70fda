"""Running jobs: serially, on local processes by joblib, or on an existing Dask cluster; kept job by job in a folder.

A job's rows are written to a temporary name and renamed, so that what is there is whole; a resumed sweep runs the jobs
that are not there. Jobs are pure functions on one thread: where they run changes no bit of their results.
"""

import hashlib
import json
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from tqdm import tqdm

from theory.support.cluster import connect
from theory.support.errors import InputError
from theory.support.files import remove_leftovers, write_whole, writing
from theory.sweep.grid import Cell, Grid, Job
from theory.sweep.work import run_job

Rows = list[dict[str, Any]]


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


def run_all(jobs: Sequence[Job], folder: Path, workers: int, dask: str | None) -> Rows:
    """Run what is missing, with a progress bar, and return all rows, sorted by their cells."""
    path = {job.name: folder / "jobs" / f"{job.name}.json" for job in jobs}
    size = {job.name: len(job.cells) for job in jobs}
    todo = [job for job in jobs if saved_rows(path[job.name], size[job.name]) is None]
    done = sum(size.values()) - sum(size[job.name] for job in todo)
    with tqdm(total=sum(size.values()), initial=done, unit="run", desc="sweep", smoothing=0.1) as bar:
        for name, rows in results(todo, workers, dask):
            write_rows(path[name], rows)
            bar.update(size[name])
    rows = [row for job in jobs for row in saved_rows(path[job.name], size[job.name]) or []]
    if len(rows) < sum(size.values()):
        raise InputError(f"jobs in {folder} were changed while the sweep ran; the same command with --resume goes on.")
    return sorted(rows, key=lambda row: [row[field.name] for field in fields(Cell)])


def progress(folder: Path, jobs: Sequence[Job]) -> str:
    """One sentence: how many jobs are saved in the folder, and how to go on."""
    if not (folder / "config.json").exists():
        return "nothing is saved yet; the same command starts again"
    saved = sum((folder / "jobs" / f"{job.name}.json").exists() for job in jobs)
    return f"{saved} of {len(jobs)} jobs are saved in {folder}; the same command with --resume goes on"


def saved_rows(path: Path, size: int) -> Rows | None:
    """A job's rows; None where its file is not there, is damaged, or has another number of rows: it is run again."""
    kept = read(path)
    whole = isinstance(kept, dict) and isinstance(kept.get("rows"), list) and len(kept["rows"]) == size
    return kept["rows"] if whole and kept.get("sha256") == _digest(kept["rows"]) else None


def write_rows(path: Path, rows: Rows) -> None:
    """Keep a job's rows with their digest."""
    write_whole(path, json.dumps({"sha256": _digest(rows), "rows": rows}).encode())


def _digest(rows: Any) -> str:
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()


def results(jobs: Sequence[Job], workers: int, dask: str | None) -> Iterator[tuple[str, Rows]]:
    """(name, rows) of every job, as they finish."""
    if dask is not None:
        yield from _by_dask(jobs, dask)
    elif workers == 1 or len(jobs) <= 1:
        yield from (_named(job) for job in jobs)
    else:
        from joblib import Parallel, delayed

        run: Any = Parallel(n_jobs=workers, return_as="generator_unordered")
        with interrupts_held():
            outputs = run(delayed(_named)(job) for job in jobs)
        yield from outputs


@contextmanager
def interrupts_held() -> Iterator[None]:
    """Hold back Ctrl-C meanwhile; processes that are started here never receive it.

    A terminal sends Ctrl-C to all processes. The main process ends the workers, and theirs would be tracebacks.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _by_dask(jobs: Sequence[Job], address: str) -> Iterator[tuple[str, Rows]]:
    with connect(address) as client:
        from distributed import as_completed

        futures = [client.submit(_named, job, key=f"sweep-{job.name}", priority=-i) for i, job in enumerate(jobs)]
        for future in as_completed(futures, loop=client.loop):
            yield future.result()


def _named(job: Job) -> tuple[str, Rows]:
    return job.name, run_job(job)


def versions() -> dict[str, str]:
    from importlib.metadata import version

    return {name: version(name) for name in ("numpy", "torch", "scipy", "highspy")}
