"""`python -m tests.support.short_child`: a job of deep.benchmark with short episodes and without figures."""

import os
import time

from deep import training
from deep.benchmark import child, running
from tests.support.lighter import no_figures, short_episodes

STALL = "TESTS_STALL"
"""Where this environment variable is set, a job trains and then waits to be killed."""


def use() -> None:
    """The jobs that this process starts run this module."""
    running.CHILD = "tests.support.short_child"


def stall(*report: object) -> None:
    time.sleep(600)


if __name__ == "__main__":
    if STALL in os.environ:
        training.report = stall  # pyright: ignore[reportAttributeAccessIssue]
    with short_episodes(), no_figures():
        child.main()
