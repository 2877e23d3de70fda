"""What the commands of this package share: one sentence for a wrong argument, one line for an interruption."""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from theory.support.command import checked_words
from theory.support.errors import InputError, exit_on_closed_output, exit_on_input_error, exit_on_interrupt


class Parser(argparse.ArgumentParser):
    """A parser for `python -m NAME`; a wrong argument raises InputError. Options have to be written in full."""

    def __init__(self, name: str, description: str) -> None:
        kind = argparse.RawDescriptionHelpFormatter
        super().__init__(f"python -m {name}", description=description, formatter_class=kind, allow_abbrev=False)

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message}; see {self.prog} --help.")


def check_early(module: str, kind: str = "Options") -> None:
    """Reject a wrong command line by the source of the module's dataclass `kind`, before imports that take seconds."""
    with ends_cleanly():
        checked_words(module, kind, None, f"python -m {module}")


@contextmanager
def ends_cleanly(saved: str = "nothing was written") -> Iterator[None]:
    """Wrap a command: an InputError becomes one sentence and exit code 2, Ctrl-C one line and exit code 130.

    `saved` says what an interrupted command leaves behind.
    """
    with exit_on_closed_output(), exit_on_interrupt(lambda: f"{saved}."), exit_on_input_error():
        yield
