"""Running jobs on local processes or on an existing Dask cluster; what is finished is not run again.

Every job is a process of its own, with its run's folder OUT/runs/NAME and its output in OUT/runs/NAME.log. A job that
was interrupted goes on from its checkpoint. Where a job runs changes no bit of its results. OUT/seconds.json has the
processor seconds of every job, summed over the commands that worked on it.
"""

import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from deep.benchmark.jobs import Job
from deep.core.files import read_json, wrong_form
from theory.support.cluster import connect
from theory.support.files import write_whole, writing

ROOT = Path(__file__).parents[2]
CHILD = "deep.benchmark.child"
"""The module that a job's process runs."""
MARKER = "benchmark.json"
"""The file by which a worker knows that it sees the benchmark's folder."""


class Outcome(NamedTuple):
    """How a job ended: `error` is None or one sentence; `seconds` is the processor time of its process."""

    job: Job
    error: str | None
    seconds: float = 0.0


Take = Callable[[Sequence[Job]], Job | None]
"""What starts next while these jobs run; None where nothing may start as long as they do."""


def in_order(jobs: Sequence[Job]) -> Take:
    """All the jobs, one after the other."""
    waiting = iter(jobs)
    return lambda running: next(waiting, None)


def run_folder(folder: Path, job: Job) -> Path:
    """The folder of the job's run."""
    return folder / "runs" / job.name


def finished(folder: Path, job: Job) -> bool:
    """Whether the job's results are there."""
    return (run_folder(folder, job) / "summary.json").exists()


def seconds_of(folder: Path) -> dict[str, float]:
    """The processor seconds of the benchmark's jobs so far, by name. Raises `InputError` for a damaged file."""
    path = folder / "seconds.json"
    if not path.exists():
        return {}
    with wrong_form(path, "the seconds of a benchmark's jobs"):
        return {str(name): float(seconds) for name, seconds in read_json(path).items()}


@dataclass(frozen=True)
class Place:
    """Where jobs run."""

    folder: Path
    workers: int
    """Local processes at a time."""
    dask: str | None
    """The scheduler of a cluster, in the place of local processes."""
    threads: int
    """CPU threads of each job."""


def run_all(take: Take, place: Place, ended: Callable[[Outcome], None] = lambda outcome: None) -> list[Outcome]:
    """Run the jobs that `take` gives, telling of each; `ended` is called after each. Returns their outcomes."""
    folder, outcomes = place.folder, []
    with writing(folder / "runs"):
        (folder / "runs").mkdir(exist_ok=True)
    began, seconds = time.monotonic(), seconds_of(folder)
    for outcome in _on_cluster(take, place, place.dask) if place.dask is not None else _here(take, place):
        outcomes.append(outcome)
        name = outcome.job.name
        seconds[name] = round(seconds.get(name, 0.0) + outcome.seconds, 1)
        write_whole(folder / "seconds.json", json.dumps(seconds, indent=1).encode())
        how = "finished" if outcome.error is None else f"FAILED: {outcome.error}"
        _tell(f"{name} {how} ({len(outcomes)} ended, {time.monotonic() - began:.0f} s)")
        ended(outcome)
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

    def ended(self) -> bool:
        """Whether the process has ended; it is left to `outcome` to collect it."""
        return os.waitid(os.P_PID, self.process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def outcome(self) -> Outcome:
        """Wait until the process has ended."""
        _, status, usage = os.wait4(self.process.pid, 0)
        self.process.returncode = os.waitstatus_to_exitcode(status)
        if self.process.stdin is not None:
            self.process.stdin.close()
        return Outcome(self.job, self._error(), usage.ru_utime + usage.ru_stime)

    def _error(self) -> str | None:
        """None if the job succeeded, else one sentence."""
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
            [sys.executable, "-m", CHILD, *words],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C reaches the benchmark alone, which then ends its children
            env={**os.environ, "OMP_NUM_THREADS": str(threads), "PYTHONPATH": path},
        )
        return Running(job, process, log, offset)


def _here(take: Take, place: Place) -> Iterator[Outcome]:
    """On this machine, `workers` jobs at a time."""
    running = list[Running]()
    try:
        while True:
            while len(running) < place.workers and (job := take([child.job for child in running])) is not None:
                running.append(start(job, place.folder, place.threads))
                _tell(f"{job.name} started")
            if not running:
                return
            for child in [child for child in running if child.ended()]:
                running.remove(child)
                yield child.outcome()
            time.sleep(0.1)
    finally:
        for child in running:
            child.process.kill()
            child.outcome()


def run_job(job: Job, folder: Path, threads: int) -> Outcome:
    """A job from start to end, on a machine that shares the benchmark's folder."""
    if not (folder / MARKER).exists():
        sentence = f"{folder} is not on {platform.node()}: give --out a folder that all workers of the cluster share"
        return Outcome(job, sentence)
    if finished(folder, job):  # by a worker that was lost before it could say so
        return Outcome(job, None)
    return start(job, folder, threads).outcome()


def _on_cluster(take: Take, place: Place, address: str) -> Iterator[Outcome]:
    """On a Dask cluster; a worker runs as many jobs at a time as it has threads."""
    with connect(address) as client:
        from distributed import as_completed

        submit: Callable = client.submit
        futures = {}
        ended = as_completed([], loop=client.loop)

        def give() -> None:
            """Submit all that may start now; what was taken first has the highest priority."""
            before = len(futures)
            while (job := take([given for future, given in futures.items() if not future.done()])) is not None:
                # The same key in another call of this command finds the job that still runs.
                key = f"benchmark-{place.folder}-{job.name}"
                future = submit(run_job, job, place.folder, place.threads, key=key, priority=-len(futures))
                futures[future] = job
                ended.add(future)
            if len(futures) > before:
                _tell(f"{len(futures) - before} jobs given to the cluster at {address}")

        give()
        for future in ended:
            lost = future.exception()
            job = futures.pop(future)
            if lost is None:
                yield future.result()
            else:
                yield Outcome(job, f"the cluster lost it ({type(lost).__name__}: {lost})")
            give()
