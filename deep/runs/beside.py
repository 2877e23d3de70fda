"""The learned dynamics trained in a second process, beside the method's own phases.

They follow from the data, the seeds and their own settings alone, so it changes no bit where they are trained. The
second process works in a folder of its own, RUN/dynamics, with a checkpoint and metrics; it ends when the first one
does.

    python -m deep.runs.beside RUN THREADS         what the second process runs
"""

import argparse
import dataclasses
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr
from pathlib import Path
from typing import Any

from tqdm import tqdm

from deep.core.files import read_json
from deep.core.phase import Phase
from deep.core.validation import use_threads
from deep.runs.experiment import Experiment, copy_dynamics, restore
from deep.runs.folder import RunFolder
from deep.runs.trainer import TrainingError, train
from theory.support.errors import InputError

FOLDER = "dynamics"
SECONDS_BETWEEN_LOOKS = 0.5
SECONDS_TO_LEAVE = 20.0


@contextmanager
def phases_beside(experiment: Experiment, folder: RunFolder, processes: int, threads: int) -> Iterator[list[Phase]]:
    """The phases that are left for this process while a second one trains the dynamics.

    The first phase that queries the dynamics waits for them; where none does, they are needed for the estimate alone,
    and the end of the last phase waits. All phases are left where `processes` is 1 or nothing can be trained beside
    anything. `processes` is what the run was begun with: phases that a checkpoint is already beyond are not run again.
    """
    own = experiment.method.phases()
    querying = next((n for n, phase in enumerate(own) if phase.needs_dynamics), len(own))
    beside = sum(phase.steps for phase in own[:querying]) > 0 and experiment.settings.dynamics.steps > 0
    if processes == 1 or not beside:
        yield experiment.phases()
        return
    second = _Second(experiment, folder.path, threads)
    try:
        waiting = min(querying, len(own) - 1)
        own[waiting] = _waits(own[waiting], second.finish)
        yield own
    finally:
        second.stop()


def _waits(phase: Phase, finish: Callable[[], None]) -> Phase:
    """The phase, before which, or where it does not query the dynamics after which, `finish` runs."""
    name = "on_start" if phase.needs_dynamics or phase.steps == 0 else "on_end"
    before = getattr(phase, name)

    def both() -> None:
        finish()
        before()

    changed: dict[str, Any] = {name: both}
    return dataclasses.replace(phase, **changed)


class _Second:
    """The second process, as the first one sees it."""

    def __init__(self, experiment: Experiment, run: Path, threads: int) -> None:
        self.experiment, self.folder = experiment, RunFolder(run / FOLDER)
        command = [sys.executable, "-m", "deep.runs.beside", str(run), str(threads)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )

    def finish(self) -> None:
        """Wait for the end of the process, with its progress, and take what it has trained.

        Raises `TrainingError` where it failed.
        """
        total = sum(phase.steps for phase in self.experiment.dynamics.phases())
        with tqdm(total=total, desc=f"{FOLDER:>14}", unit="step", mininterval=2) as bar:
            while self.process.poll() is None:
                bar.update(self._steps() - bar.n)
                time.sleep(SECONDS_BETWEEN_LOOKS)
            bar.update(self._steps() - bar.n)
        _, error = self.process.communicate()
        if self.process.returncode != 0:
            said = error.strip().splitlines()[-1:] or [f"exit code {self.process.returncode}"]
            raise TrainingError(f"the process that trains the dynamics in {self.folder.path} failed: {said[0]}")
        copy_dynamics(self.experiment, self.folder.path)

    def _steps(self) -> int:
        records = self.folder.read_metrics() if self.folder.metrics.exists() else []
        last: Mapping[str, int] = {record["phase"]: record["step"] for record in records}
        return sum(last.values())

    def stop(self) -> None:
        """End the process where it still runs; its checkpoint stays."""
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait()
        if self.process.stderr is not None:
            self.process.stderr.close()


def main(run: Path, threads: int) -> None:
    """Train the dynamics of this run in its folder of that name, until they are trained or the first process ends."""
    first = os.getppid()
    use_threads(threads)
    experiment = restore(run)
    folder = RunFolder(run / FOLDER)

    def end_with_the_first(record: Mapping[str, Any]) -> None:
        if os.getppid() != first:
            raise SystemExit(1)

    folder.listeners.append(end_with_the_first)
    _open(folder, read_json(run / "config.json"))
    # The first process shows the progress, and reads stderr at the end: a pipe full of bars would block this one.
    with folder, open(os.devnull, "w") as nowhere, redirect_stderr(nowhere):
        train(experiment.dynamics.phases(), experiment.dynamics.tensors(), folder, experiment.device)


def _open(folder: RunFolder, config: Mapping[str, Any]) -> None:
    """Open the folder; a second process whose first one was killed leaves it within a block of steps."""
    until = time.monotonic() + SECONDS_TO_LEAVE
    while True:
        try:
            folder.open(config, resume=(folder.path / ".lock").exists())
        except InputError:
            if time.monotonic() > until:
                raise
            time.sleep(SECONDS_BETWEEN_LOOKS)
        else:
            return


if __name__ == "__main__":
    parser = argparse.ArgumentParser("python -m deep.runs.beside", description="What `--processes 2` starts.")
    parser.add_argument("run", type=Path, help="the folder of a run whose learned dynamics are trained here")
    parser.add_argument("threads", type=int, help="CPU threads of torch")
    options = parser.parse_args()
    try:
        main(options.run, options.threads)
    except InputError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit(130)
