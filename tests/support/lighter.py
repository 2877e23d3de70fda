"""What makes a test lighter and takes nothing from what it checks; each is a decorator, or a `with` block."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import jaxtyping

from deep.evaluate import plots
from deep.tasks import TASKS
from tests.support.builders import SHORT
from theory.support.files import write_whole

DRAWN = plots.training, plots.results
UNCHECKED: list[bool] = []
"""An entry for each `unchecked` that has begun and not ended."""


@contextmanager
def short_episodes(steps: int = SHORT, task: str = "HopperVel") -> Iterator[None]:
    """Episodes of the task end after so many steps, in the simulator and in the learned dynamics.

    For a test that does not depend on their length: the trajectories of `small_dataset` have `SHORT` steps, and the
    other 960 steps of HopperVel's own episodes take most of a test's time.
    """
    row = TASKS[task]
    TASKS[task] = replace(row, episode_length=steps)
    try:
        yield
    finally:
        TASKS[task] = row


@contextmanager
def no_figures() -> Iterator[None]:
    """A run's two figures are a few bytes: drawing them takes longer than a short training.

    They are drawn in tests/commands/test_plots.py and test_train.py, and in tests/data/test_custom.py.
    """

    def training(records: Sequence[Any], replicas: Sequence[Any], path: Path) -> None:
        write_whole(path, b"figure" * len(records))

    def results(experiment: Any, played: Any, rows: Sequence[Any], path: Path) -> None:
        write_whole(path, b"figure" * len(rows))

    plots.training, plots.results = training, results
    try:
        yield
    finally:
        plots.training, plots.results = DRAWN  # whatever order several of these end in


@contextmanager
def unchecked() -> Iterator[None]:
    """Shapes and types are not checked at run time.

    For a test of many updates or of a whole command: shapes do not depend on the number of steps, and the unit tests
    of the same functions check them.
    """
    UNCHECKED.append(True)
    jaxtyping.config.update("jaxtyping_disable", True)
    try:
        yield
    finally:
        UNCHECKED.pop()
        jaxtyping.config.update("jaxtyping_disable", bool(UNCHECKED))  # whatever order several of these end in
