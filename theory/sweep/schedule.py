"""Running jobs: serially, on local processes by joblib, or on an existing Dask cluster.

Jobs are pure functions on one thread: where they run changes no bit of their results.
"""

from collections.abc import Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from tqdm import tqdm

from theory.support.cluster import connect
from theory.support.command import interrupts_held
from theory.support.errors import InputError
from theory.sweep.folder import Table, saved_rows, write_rows
from theory.sweep.grid import Cell, Job
from theory.sweep.work import run_job


def run_all(jobs: Sequence[Job], folder: Path, workers: int, dask: str | None) -> Table:
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


def results(jobs: Sequence[Job], workers: int, dask: str | None) -> Iterator[tuple[str, Table]]:
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


def _by_dask(jobs: Sequence[Job], address: str) -> Iterator[tuple[str, Table]]:
    with connect(address) as client:
        from distributed import as_completed

        futures = [client.submit(_named, job, key=f"sweep-{job.name}", priority=-i) for i, job in enumerate(jobs)]
        for future in as_completed(futures, loop=client.loop):
            yield future.result()


def _named(job: Job) -> tuple[str, Table]:
    return job.name, run_job(job)
