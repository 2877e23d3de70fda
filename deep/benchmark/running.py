"""Running jobs on local processes or on an existing Dask cluster; what is finished is not run again.

Every job is a process of its own, with its run's folder OUT/runs/NAME and its output in OUT/runs/NAME.log. A job that
was interrupted goes on from its checkpoint. Where a job runs changes no bit of its results.
"""

import os
import platform
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from deep.benchmark.jobs import Job
from theory.support.cluster import connect
from theory.support.files import writing

ROOT = Path(__file__).parents[2]
MARKER = "benchmark.json"
"""The file by which a worker knows that it sees the benchmark's folder."""


class Outcome(NamedTuple):
    """How a job ended: `error` is None or one sentence."""

    job: Job
    error: str | None


def run_folder(folder: Path, job: Job) -> Path:
    """The folder of the job's run."""
    return folder / "runs" / job.name


def finished(folder: Path, job: Job) -> bool:
    """Whether the job's results are there."""
    return (run_folder(folder, job) / "summary.json").exists()


def run_all(jobs: Sequence[Job], folder: Path, workers: int, dask: str | None, threads: int) -> list[Outcome]:
    """Run the jobs that are not finished, telling of each; returns the outcomes of these."""
    todo = [job for job in jobs if not finished(folder, job)]
    with writing(folder / "runs"):
        (folder / "runs").mkdir(exist_ok=True)
    _tell(f"{len(jobs)} jobs, {len(jobs) - len(todo)} finished before, {len(todo)} to run")
    if not todo:
        return []
    outcomes = []
    began = time.monotonic()
    ended = _on_cluster(todo, folder, dask, threads) if dask is not None else _here(todo, folder, workers, threads)
    for outcome in ended:
        outcomes.append(outcome)
        how = "finished" if outcome.error is None else f"FAILED: {outcome.error}"
        _tell(f"{outcome.job.name} {how} ({len(outcomes)} of {len(todo)}, {time.monotonic() - began:.0f} s)")
    return outcomes


def _tell(sentence: str) -> None:
    print(f"{time.strftime('%H:%M:%S')}  {sentence}", flush=True)


@dataclass(frozen=True)
class Running:
    """A job's process."""

    job: Job
    process: subprocess.Popen[bytes]
    log: Path
    offset: int
    """Where this process's part of the log begins."""

    def error(self) -> str | None:
        """Wait until the process has ended; None if the job succeeded, else one sentence."""
        self.process.wait()
        if self.process.stdin is not None:
            self.process.stdin.close()
        if self.process.returncode == 0:
            return None
        lines = self.log.read_bytes()[self.offset :].decode(errors="replace").splitlines()
        said = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
        last = next((line for line in reversed(lines) if line.strip()), "it said nothing")
        return said[-1] if said else f"it ended with status {self.process.returncode} ({last}); {self.log} says more"


def start(job: Job, folder: Path, threads: int) -> Running:
    """Start or go on with a job."""
    run = run_folder(folder, job)
    log = run.with_name(f"{job.name}.log")
    resume = ["--resume"] if (run / "config.json").exists() else []
    words = [*job.words(), "--out", str(run), "--threads", str(threads), *resume]
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    with writing(log), log.open("ab") as output:
        offset = output.tell()
        process = subprocess.Popen(
            [sys.executable, "-m", "deep.benchmark.child", *words],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C reaches the benchmark alone, which then ends its children
            env={**os.environ, "OMP_NUM_THREADS": str(threads), "PYTHONPATH": path},
        )
        return Running(job, process, log, offset)


def _here(jobs: Sequence[Job], folder: Path, workers: int, threads: int) -> Iterator[Outcome]:
    """On this machine, `workers` jobs at a time."""
    waiting, running = deque(jobs), list[Running]()
    try:
        while waiting or running:
            while waiting and len(running) < workers:
                running.append(start(waiting.popleft(), folder, threads))
                _tell(f"{running[-1].job.name} started")
            for child in [child for child in running if child.process.poll() is not None]:
                running.remove(child)
                yield Outcome(child.job, child.error())
            time.sleep(0.1)
    finally:
        for child in running:
            child.process.kill()
            child.error()


def run_job(job: Job, folder: Path, threads: int) -> Outcome:
    """A job from start to end, on a machine that shares the benchmark's folder."""
    if not (folder / MARKER).exists():
        sentence = f"{folder} is not on {platform.node()}: give --out a folder that all workers of the cluster share"
        return Outcome(job, sentence)
    if finished(folder, job):  # by a worker that was lost before it could say so
        return Outcome(job, None)
    return Outcome(job, start(job, folder, threads).error())


def _on_cluster(jobs: Sequence[Job], folder: Path, address: str, threads: int) -> Iterator[Outcome]:
    """On a Dask cluster; a worker runs as many jobs at a time as it has threads."""
    with connect(address) as client:
        from distributed import as_completed

        _tell(f"{len(jobs)} jobs given to the cluster at {address}")
        submit: Callable = client.submit
        futures = {}
        for i, job in enumerate(jobs):
            # The same key in another call of this command finds the job that still runs.
            future = submit(run_job, job, folder, threads, key=f"benchmark-{folder}-{job.name}", priority=-i)
            futures[future] = job
        for future in as_completed(futures, loop=client.loop):
            lost = future.exception()
            if lost is None:
                yield future.result()
            else:
                yield Outcome(futures[future], f"the cluster lost it ({type(lost).__name__}: {lost})")
