"""A collection whose runs are made in the process of the test."""

from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from typing import Any

from deep.collect import workers


class _Here(Executor):
    """Runs what is submitted at once, in this process."""

    def __init__(self, count: int, context: Any, initialise: Callable[..., None], arguments: tuple[Any, ...]) -> None:
        workers._shared.update(zip(("progress", "stop"), arguments, strict=True))

    def submit(self, fn: Callable[..., Any], /, *args: Any, **options: Any) -> Future[Any]:
        done: Future[Any] = Future()
        done.set_result(fn(*args, **options))
        return done


@contextmanager
def one_process() -> Iterator[None]:
    """`deep.collect` starts no worker processes; each would import for seconds what is imported here.

    They are started in tests/commands/test_collect.py and test_interrupts.py. A decorator, or a `with` block.
    """
    pool = workers.ProcessPoolExecutor
    workers.ProcessPoolExecutor = _Here  # pyright: ignore[reportAttributeAccessIssue]
    try:
        yield
    finally:
        workers.ProcessPoolExecutor = pool  # pyright: ignore[reportAttributeAccessIssue]
