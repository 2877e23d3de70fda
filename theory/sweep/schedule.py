"""Running jobs: serially, on local processes by joblib, or on an existing Dask cluster; kept job by job in a folder.

A job's rows are written to a temporary name and renamed, so that what is there is whole; a resumed sweep runs the jobs
that are not there. Jobs are pure functions on one thread: where they run changes no bit of their results.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from tqdm import tqdm

from theory.errors import InputError
from theory.files import write_whole
from theory.sweep.grid import Cell, Grid, Job
from theory.sweep.work import run_job

Rows = list[dict[str, Any]]


def prepare(folder: Path, grid: Grid, resume: bool) -> None:
    """Make the folder and its config.json; InputError if it holds another sweep, or any without `resume`."""
    config = folder / "config.json"
    settings = json.loads(json.dumps(asdict(grid)))
    if config.exists():
        if not resume:
            raise InputError(f"{folder} already holds a sweep; add --resume to go on with it, or choose another --out.")
        if json.loads(config.read_text())["grid"] != settings:
            raise InputError(
                f"{folder} holds a sweep with another grid; resume it with that one, or choose another --out."
            )
    elif folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder} is neither empty nor a sweep; choose another --out.")
    (folder / "jobs").mkdir(parents=True, exist_ok=True)
    write_whole(config, json.dumps({"grid": settings, "versions": versions()}, indent=2).encode())


def run_all(jobs: Sequence[Job], folder: Path, workers: int, dask: str | None) -> Rows:
    """Run what is missing, with a progress bar, and return all rows, sorted by their cells."""
    path = {job.name: folder / "jobs" / f"{job.name}.json" for job in jobs}
    todo = [job for job in jobs if not path[job.name].exists()]
    size = {job.name: len(job.cells) for job in jobs}
    done = sum(size.values()) - sum(size[job.name] for job in todo)
    with tqdm(total=sum(size.values()), initial=done, unit="run", desc="sweep", smoothing=0.1) as bar:
        for name, rows in results(todo, workers, dask):
            write_whole(path[name], json.dumps(rows).encode())
            bar.update(size[name])
    rows = [row for job in jobs for row in json.loads(path[job.name].read_text())]
    return sorted(rows, key=lambda row: [row[field.name] for field in fields(Cell)])


def results(jobs: Sequence[Job], workers: int, dask: str | None) -> Iterator[tuple[str, Rows]]:
    """(name, rows) of every job, as they finish."""
    if dask is not None:
        yield from _by_dask(jobs, dask)
    elif workers == 1 or len(jobs) <= 1:
        yield from (_named(job) for job in jobs)
    else:
        from joblib import Parallel, delayed

        run: Any = Parallel(n_jobs=workers, return_as="generator_unordered")
        yield from run(delayed(_named)(job) for job in jobs)


def _by_dask(jobs: Sequence[Job], address: str) -> Iterator[tuple[str, Rows]]:
    with connect(address) as client:
        from distributed import as_completed

        futures = [client.submit(_named, job, key=f"sweep-{job.name}", priority=-i) for i, job in enumerate(jobs)]
        for future in as_completed(futures, loop=client.loop):
            yield future.result()


def connect(address: str) -> Any:
    """A client of the Dask scheduler at this address; raises `InputError` where none answers or Dask is missing."""
    try:
        from distributed import Client
    except ImportError:
        raise InputError("--dask needs the package distributed, which the extra 'cluster' installs.") from None
    try:
        return Client(address, timeout="10s", set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        raise InputError(f"no Dask scheduler answers at {address} ({type(error).__name__}).") from None


def _named(job: Job) -> tuple[str, Rows]:
    return job.name, run_job(job)


def versions() -> dict[str, str]:
    from importlib.metadata import version

    return {name: version(name) for name in ("numpy", "torch", "scipy", "highspy")}
