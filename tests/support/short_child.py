"""`python -m tests.support.short_child`: a job of deep.benchmark with short episodes and without figures."""

from deep.benchmark import child, running
from tests.support.lighter import no_figures, short_episodes


def use() -> None:
    """The jobs that this process starts run this module."""
    running.CHILD = "tests.support.short_child"


if __name__ == "__main__":
    with short_episodes(), no_figures():
        child.main()
