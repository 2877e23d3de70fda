"""What all commands share: how options are read, how a mistake and Ctrl-C end, output that any terminal can show."""

import contextlib
import io
import os
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, TypeVar

from deep.cli.shorthelp import short_help
from deep.cli.source import options_of
from deep.cli.words import checked
from theory.support.errors import InputError, exit_on_input_error, exit_on_interrupt

Kind = TypeVar("Kind")


@contextlib.contextmanager
def command(saved: Callable[[], str]) -> Iterator[None]:
    """Wrap a command: a mistake or Ctrl-C ends in one line on stderr, never in a traceback.

    `saved` tells after Ctrl-C what is saved and how to go on, in one line.
    """
    for stream in (sys.stdout, sys.stderr):  # a terminal that cannot show a character shows "?" in its place
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        with exit_on_interrupt(saved), exit_on_input_error():
            yield
    except BrokenPipeError:  # the reader of the output, such as `head`, has closed it
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 (the interpreter flushes it when it exits)
        sys.exit(1)


def read(
    kind: type[Kind],
    module: str,
    arguments: Sequence[str] | None,
    prog: str,
    shown: Collection[str] = (),
    **more: Any,
) -> Kind:
    """The options of a command whose dataclass `kind` is defined in `module`; `more` goes to `tyro.cli`.

    `shown` names the options that --help shows; none: all. --help-all shows all.

    Raises `InputError` for a mistake on the command line.
    """
    import tyro

    words = list(sys.argv[1:] if arguments is None else arguments)
    started = sys.modules["__main__"].__spec__
    if module == "__main__" and started is not None:
        module = started.name  # python -m MODULE
    if "--help-all" in words:
        words = ["--help"]
    elif shown and {"-h", "--help"} & set(words):
        title = (kind.__doc__ or "").strip().splitlines()[0]
        print(short_help(prog, title, options_of(module, kind.__name__), shown))
        sys.exit(0)
    if not {"-h", "--help"} & set(words):
        words = checked(words, options_of(module, kind.__name__), {}, prog)
    try:
        return tyro.cli(kind, args=words, prog=prog, **more)
    except ValueError as error:  # a configuration that rejects its values
        raise InputError(str(error)) from error
