"""The runs of a collection in worker processes.

A module of its own: a worker process imports what it runs by name, and a package's `__main__` cannot be imported so.
"""

import multiprocessing as mp
import os
import signal
import sys
import threading
from concurrent.futures import ProcessPoolExecutor, wait
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from deep.collect.pipeline import Plan, assemble, finished, run
from deep.collect.recipes import Settings
from deep.data.dataset import OfflineDataset
from theory.support.command import interrupts_held


def collect(settings: Settings, folder: Path, workers: int) -> OfflineDataset:
    """All runs, in worker processes, with a progress bar; then the data set."""
    context = mp.get_context("spawn")
    progress, stop = context.Value("q", 0), context.Event()
    numbers = [number for number in range(settings.runs) if not finished(folder, number).exists()]
    total = sum(Plan(settings, number).total for number in numbers)
    with ProcessPoolExecutor(workers, context, _initialise, (progress, stop)) as pool:
        with interrupts_held():
            pending = {pool.submit(_work, settings, number, folder) for number in numbers}
        try:
            with tqdm(total=total, unit="step", unit_scale=True, desc=settings.task) as bar:
                while pending:
                    done, pending = wait(pending, timeout=0.5)
                    for future in done:
                        future.result()
                    bar.update(progress.value - bar.n)
        except BaseException:
            stop.set()
            pool.shutdown(cancel_futures=True)
            raise
    return assemble(settings, folder)


_shared: dict[str, Any] = {}  # what a worker process shares with its parent


def _initialise(progress: Any, stop: Any) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent sets `stop`
    torch.set_num_threads(1)
    _shared.update(progress=progress, stop=stop)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End a worker whose parent was killed and can no longer set `stop`."""
    if parent := mp.parent_process():
        parent.join()
        os._exit(1)


def _work(settings: Settings, number: int, folder: Path) -> None:
    def advance(steps: int) -> None:
        if _shared["stop"].is_set():
            sys.exit("stopped")
        with _shared["progress"].get_lock():
            _shared["progress"].value += steps

    run(settings, number, folder, advance)
