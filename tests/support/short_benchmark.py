"""`python -m deep.benchmark` whose jobs have short episodes and no figures."""

from typing import Any

from deep.benchmark import __main__ as benchmark
from deep.benchmark import running

CHILD = "tests.support.short_child"


def dask_setup(worker: Any) -> None:
    """Dask calls this in every worker that preloads this module."""
    running.CHILD = CHILD


if __name__ == "__main__":
    running.CHILD = CHILD
    benchmark.main()
