"""Single environments, stepped in worker processes: for tasks without a batched simulator."""

from __future__ import annotations

import multiprocessing as mp
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from types import ModuleType
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from deep.envs.vector import SerialVectorEnv, Step, VectorEnv, cores
from deep.tasks import Task
from theory.support.errors import InputError

PATIENCE = 10.0
"""Seconds that a worker is given to end by itself."""


class WorkerPool(VectorEnv):
    """Single environments dealt out to worker processes; each equals `deep.tasks.make(task)` bit for bit.

    What an environment does depends on its own seeds and actions only, so the number of workers changes nothing.
    Workers are new processes (spawned), never forks, which may hang after torch or MuJoCo have started threads.

    What goes wrong in a worker is raised here in one sentence, as the same `InputError` or as a `RuntimeError`. Its
    environments then have to be reset; the other workers go on. The reset starts a worker anew that has died.

    Args:
        task: a row of the table of tasks.
        count: number of environments, at least 1.
        workers: number of processes; 0 takes all cores.
    """

    def __init__(self, task: Task, count: int, workers: int = 0):
        super().__init__(task, count)
        number = cores(workers, count)
        self._worker, self._place = np.arange(count) % number, np.arange(count) // number
        self._workers = [_Worker(task, int(places)) for places in np.bincount(self._worker)]
        nothing = ("reset", np.zeros(0, int), np.zeros(0, int))
        try:
            self._exchange(dict.fromkeys(range(number), nothing))  # returns when all are made, or raises why not
        except BaseException:
            self.close()
            raise

    def _reset(self, seeds: list[int], indices: Int[np.ndarray, " n"]) -> Float[np.ndarray, "n observation"]:
        for number in np.unique(self._worker[indices]):
            self._workers[number].start()
        observations = np.empty((len(indices), self.task.observation_size))
        for rows, current in self._ask("reset", np.array(seeds), indices):
            observations[rows] = current[self._place[indices[rows]]]
        return observations

    def _step(self, actions: np.ndarray, indices: Int[np.ndarray, " n"]) -> Step:
        n, answers = len(indices), self._ask("step", actions, indices)
        step = Step(np.empty((n, self.task.observation_size)), np.empty(n), np.empty(n), *np.empty((2, n), bool))
        for rows, part in answers:
            for whole, column in zip(step, part, strict=True):
                whole[rows] = column
        return step

    def close(self) -> None:
        """End the workers."""
        for worker in self._workers:
            worker.stop()

    def _ask(self, method: str, inputs: np.ndarray, indices: np.ndarray) -> list[tuple[np.ndarray, Any]]:
        """Let the workers do this to their share of the environments; the rows of every share, and what came back."""
        worker = self._worker[indices]
        shares = {number: np.flatnonzero(worker == number) for number in np.unique(worker).tolist()}
        answers = self._exchange(
            {number: (method, inputs[rows], self._place[indices[rows]]) for number, rows in shares.items()}
        )
        return [(rows, answers[number]) for number, rows in shares.items()]

    def _exchange(self, messages: dict[int, tuple[Any, ...]]) -> dict[int, Any]:
        """Send every worker its message, then hear all of them before an error is raised: none is heard out of turn."""
        for number, message in messages.items():
            self._workers[number].send(message)
        answers, errors = {}, []
        for number in messages:
            try:
                answers[number] = self._workers[number].receive()
            except (InputError, RuntimeError) as error:
                errors.append(error)
                self.elapsed[self._worker == number] = -1
        if errors:
            raise errors[0]
        return answers


class _Worker:
    """A process that holds `count` environments."""

    def __init__(self, task: Task, count: int):
        self.task, self.count = task, count
        self.process: SpawnProcess | None = None
        self.start()

    def start(self) -> None:
        """Start the process, unless it runs."""
        if self.process is not None:
            return
        context = mp.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, self.task, self.count), daemon=True)
        with _main_hidden(self.task):
            self.process.start()
        theirs.close()

    def send(self, message: tuple[Any, ...]) -> None:
        # A pipe to a process that died is broken; `receive` notices and says so.
        with suppress(BrokenPipeError, ConnectionResetError):
            self.pipe.send(message)

    def receive(self) -> Any:
        """The answer to the oldest message that has none yet; raises what went wrong in the process."""
        try:
            done, answer = self.pipe.recv()
        except (EOFError, ConnectionResetError):
            code = self.stop()
            raise RuntimeError(
                f"a process that simulates {self.task.name} ended (exit code {code}); a script that uses several "
                'processes needs the line `if __name__ == "__main__":` before its work'
            ) from None
        if not done:
            raise answer
        return answer

    def stop(self) -> int | None:
        """End the process, by force if need be; its exit code."""
        if self.process is None:
            return None
        self.pipe.close()  # the process sees it and ends
        self.process.join(PATIENCE)
        if self.process.exitcode is None:
            self.process.kill()
            self.process.join()
        code = self.process.exitcode
        self.process.close()
        self.process = None
        return code


@contextmanager
def _main_hidden(task: Task) -> Iterator[None]:
    """Let no new process import the caller's script, which without a `__main__` guard would do its work again.

    The one exception is a gymnasium id without a module, as in `MyTask-v0`: the script may have registered it.
    """
    if task.env is not None and ":" not in task.env:
        yield
        return
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")  # spawning imports the file that this module names: none
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _serve(pipe: Connection, task: Task, count: int) -> None:
    """The work of a process: make the environments, do to them what comes through the pipe, end when it is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent says when to stop
    envs = None
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):
        while True:
            method, inputs, indices = pipe.recv()
            try:
                envs = envs or SerialVectorEnv(task, count)
                answer = (True, getattr(envs, method)(inputs, indices))
            except InputError as error:
                answer = (False, InputError(str(error)))
            except Exception as error:
                answer = (False, RuntimeError(f"simulating {task.name} failed: {type(error).__name__}: {error}"))
            pipe.send(answer)
    if envs is not None:
        envs.close()
