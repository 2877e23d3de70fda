"""How a command ends early: wrong input in one sentence and exit code 2, Ctrl-C in one line and exit code 130."""

import errno
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from numbers import Integral


class InputError(ValueError):
    """A user's input cannot be used; the message is one sentence: which input, its value, what is accepted."""


CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
"""Characters that break a line, that a terminal obeys, or that turn the direction of a text."""


def one_line(text: str) -> str:
    """The text, which a file may hold, as a screen can show it: with spaces for line breaks and control characters."""
    return CONTROL.sub(" ", text)


def check_seeds(seeds: Iterable[object]) -> None:
    """Raise InputError unless all seeds are non-negative integers, as numpy's generators need them."""
    for seed in seeds:
        if not isinstance(seed, Integral) or seed < 0:
            raise InputError(f"seeds must be non-negative integers, not {seed!r}.")


SHOWN = 200
"""Of a longer path, the characters that a sentence shows."""
INTERRUPTED = 130
"""The exit code after Ctrl-C: 128 + SIGINT, the shell's convention."""


UNUSABLE = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENAMETOOLONG, errno.ELOOP, errno.ENOTDIR)
"""What the system says of a path that a user has given, and of none that a command makes up."""


@contextmanager
def exit_on_input_error() -> Iterator[None]:
    """Wrap a command: print an `InputError`'s sentence to stderr and exit with code 2.

    So for a path that cannot be used, wherever it is first read: its name is too long, or it is not this user's to
    read or write (`UNUSABLE`). Any other OSError is a fault of the program, and stays one.
    """
    try:
        yield
    except InputError as error:
        _last_line(f"error: {error}")
        sys.exit(2)
    except OSError as error:
        if error.errno not in UNUSABLE:
            raise
        text = os.strerror(error.errno)
        path = str(error.filename or "a path")
        shown = path if len(path) <= SHOWN else f"{path[:SHOWN]}... ({len(path)} characters)"
        _last_line(f"error: {shown} cannot be used ({text}): a path that this user may read and write is accepted")
        sys.exit(2)


@contextmanager
def exit_on_interrupt(state: Callable[[], str]) -> Iterator[None]:
    """Wrap a command: on Ctrl-C print "interrupted: " and what `state` returns to stderr, and exit with code 130.

    `state` says what is saved and how to go on.
    """
    try:
        yield
    except KeyboardInterrupt:
        _last_line(f"interrupted: {state()}")
        sys.exit(INTERRUPTED)


@contextmanager
def exit_on_closed_output() -> Iterator[None]:
    """Wrap a command: exit with code 1 and without a word where the reader of its output, such as `head`, has ended."""
    try:
        try:
            yield
        finally:  # what an exit has not written yet
            sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


def _last_line(text: str) -> None:
    """Print to stderr, after all that was printed to stdout before."""
    sys.stdout.flush()
    print(one_line(text), file=sys.stderr, flush=True)
