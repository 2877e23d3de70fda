"""One way to refuse a user's input: a single sentence and exit code 2, never a traceback."""

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from numbers import Integral


class InputError(ValueError):
    """A user's input cannot be used; the message is one sentence: which input, what was found, what is accepted."""


def check_seeds(seeds: Iterable[object]) -> None:
    """Raise InputError unless all seeds are non-negative integers, as numpy's generators need them."""
    for seed in seeds:
        if not isinstance(seed, Integral) or seed < 0:
            raise InputError(f"seeds must be non-negative integers, not {seed!r}.")


@contextmanager
def exit_on_input_error() -> Iterator[None]:
    """Wrap a command: print an `InputError`'s sentence to stderr and exit with code 2."""
    try:
        yield
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
