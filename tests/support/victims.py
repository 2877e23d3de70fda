"""Commands run in processes of their own that are killed, or find the disk full, at a chosen operation on a file."""

import multiprocessing as mp
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from matplotlib.figure import Figure

import deep.collect.__main__
import deep.evaluate.__main__
import deep.train
import theory.npg_sweep
import theory.sweep.figures
from deep.envs import velocity_vector  # noqa: F401 imported once, in the server, for all victims
from deep.runs import trainer
from deep.runs.folder import RunFolder
from tests.support.lighter import no_figures, short_episodes
from tests.support.one_process import one_process
from tests.support.training import Walk
from theory.support.words import last_of_each

OPERATIONS = ("open", "os.rename", "os.remove", "os.mkdir", "os.truncate", "os.rmdir")
"""Audit events of Python that say that a file is about to be touched."""

# Victims are forked off a server that has imported everything and computed nothing: a fork of a process that has used
# autograd cannot use it.
_context = mp.get_context("forkserver")
_context.set_forkserver_preload([__name__])


@dataclass(frozen=True)
class Fate:
    """What happens to a process; by default nothing."""

    kill_at: int | None = None
    """Killed (SIGKILL) as it is about to do this operation under the folder, counted from 0."""
    kill_after: float | None = None
    """Killed by its parent after so many seconds."""
    largest_file: int | None = None
    """No file can grow beyond this many bytes, ..."""
    kill_when_large: bool = False
    """... and trying kills the process in the middle of a write, instead of an error like that of a full disk."""


class Death(NamedTuple):
    """How a process ended."""

    code: int
    """Its exit code: minus the signal that killed it."""
    operations: int
    """How many operations it began on files whose paths start as the folder's."""
    printed: str
    seconds: float


def run(work: Callable[..., Any], arguments: Sequence[Any], folder: Path, fate: Fate | None = None) -> Death:
    """Do the work in a process of that fate."""
    fate, operations = fate or Fate(), _context.Value("q", 0)
    reader, writer = _context.Pipe(duplex=False)  # a file could find the disk full
    process = _context.Process(target=_live, args=(work, arguments, str(folder), fate, operations, writer))
    began = time.monotonic()
    process.start()
    writer.close()
    process.join(fate.kill_after)
    if process.is_alive() and fate.kill_after is not None:
        process.kill()
    process.join(120)
    assert process.exitcode is not None, "the process hangs"
    seconds = time.monotonic() - began
    with open(os.dup(reader.fileno())) as printed:
        return Death(process.exitcode, operations.value, printed.read(), seconds)


def _live(work: Callable[..., Any], arguments: Sequence[Any], folder: str, fate: Fate, operations, writer) -> None:
    torch.set_num_threads(1)
    for stream in (1, 2):
        os.dup2(writer.fileno(), stream)
    # The server's own streams were made for other files, and remember whether those could seek.
    sys.stdout, sys.stderr = open(1, "w", closefd=False), open(2, "w", buffering=1, closefd=False)  # noqa: SIM115
    writer.close()
    trainer.SECONDS_BETWEEN_CHECKPOINTS = 0.0

    def on_step(event: str, details: tuple[Any, ...]) -> None:
        if event in OPERATIONS and str(details[0]).startswith(folder):
            if operations.value == fate.kill_at:
                os.kill(os.getpid(), signal.SIGKILL)
            operations.value += 1

    sys.addaudithook(on_step)
    if fate.largest_file is not None:
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL if fate.kill_when_large else signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (fate.largest_file, fate.largest_file))
    work(*arguments)


def walk(path: Path) -> None:
    """The two phases of a random walk, of two and three blocks, begun or gone on with."""
    steps, folder = Walk(steps=(70, 120)), RunFolder(path)
    folder.open({"identity": {"seed": 0}}, resume=(path / ".lock").exists())
    trainer.train(steps.phases(), steps.tensors(), folder, torch.device("cpu"))


def train(words: Sequence[str]) -> None:
    """`python -m deep.train` with figures that take no time, and episodes of 40 steps."""
    with short_episodes(), no_figures():
        deep.train.main(last_of_each(words))


def evaluate(words: Sequence[str]) -> None:
    """`python -m deep.evaluate`, with episodes of 40 steps."""
    with short_episodes():
        deep.evaluate.__main__.main(list(words))


def collect(words: Sequence[str]) -> None:
    """`python -m deep.collect` in one process, with a figure that takes no time."""
    _draw_nothing()
    sys.argv = ["deep.collect", *words]
    with one_process():
        deep.collect.__main__.main()


def sweep(words: Sequence[str]) -> None:
    """`python -m theory.npg_sweep`, with figures that take no time: its algorithms are not run again to draw them."""
    _draw_nothing(1 << 20)
    for name in ("gap_against_T", "region_portrait", "reward_cost_plane", "critic_error_against_N"):
        setattr(theory.sweep.figures, name, lambda *rows: Figure())
    theory.npg_sweep.main(words)


def _draw_nothing(size: int = 6) -> None:
    """A figure is so many bytes."""
    Figure.savefig = lambda self, file, **options: file.write(b"f" * size)  # pyright: ignore
