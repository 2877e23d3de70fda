"""What all commands share: how options are read, how a mistake and Ctrl-C end, output that any terminal can show."""

import contextlib
import io
import shlex
import signal
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, TypeVar

from theory.support.errors import InputError, exit_on_closed_output, exit_on_input_error, exit_on_interrupt
from theory.support.options import options_of, title_of
from theory.support.shorthelp import short_help
from theory.support.words import checked

Kind = TypeVar("Kind")


@contextlib.contextmanager
def command(saved: Callable[[], str]) -> Iterator[None]:
    """Wrap a command: a mistake or Ctrl-C ends in one line on stderr, never in a traceback.

    `saved` says after Ctrl-C what is saved and how to go on, in one line.
    """
    for stream in (sys.stdout, sys.stderr):  # a terminal that cannot show a character shows "?" in its place
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    with exit_on_closed_output(), exit_on_interrupt(saved), exit_on_input_error():
        yield


@contextlib.contextmanager
def interrupts_held() -> Iterator[None]:
    """Hold back Ctrl-C meanwhile; processes that are started here never receive it.

    A terminal sends Ctrl-C to all processes. The main process ends the workers, and theirs would be tracebacks.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def going_on(prog: str, words: Sequence[str]) -> str:
    """The command that goes on with an interrupted one."""
    return f"go on with: {prog} {shlex.join(words if '--resume' in words else [*words, '--resume'])}"


def read(
    kind: type[Kind],
    module: str,
    arguments: Sequence[str] | None,
    prog: str,
    shown: Collection[str] = (),
    **more: Any,
) -> Kind:
    """The options of a command whose dataclass `kind` is defined in `module`; `more` goes to `tyro.cli`.

    Raises `InputError` for a mistake on the command line.
    """
    started = sys.modules["__main__"].__spec__
    if module == "__main__" and started is not None:
        module = started.name  # python -m MODULE
    return parsed(kind, checked_words(module, kind.__name__, arguments, prog, shown), prog, **more)


def checked_words(
    module: str, kind: str, arguments: Sequence[str] | None, prog: str, shown: Collection[str] = ()
) -> list[str]:
    """The command line for `parsed`, checked by the source of the dataclass `kind`, which is not imported.

    `shown` names the options of the short help, which --help prints and ends the command with; none: all. --help-all
    shows all. Raises `InputError` for a mistake.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    if "--help-all" in words:
        return ["--help"]
    helps = bool({"-h", "--help"} & set(words))
    if helps and shown:
        print(short_help(prog, title_of(module, kind), options_of(module, kind), shown))
        sys.exit(0)
    return words if helps else checked(words, options_of(module, kind), {}, prog)


def parsed(kind: Callable[..., Kind], words: Sequence[str] | None, prog: str, **more: Any) -> Kind:
    """What `tyro.cli` makes of the words for a dataclass; `more` goes to it.

    Raises `InputError` where a configuration, nested or not, rejects its values: tyro alone would print a box and exit.
    """
    import tyro

    box = io.StringIO()
    try:
        with contextlib.redirect_stderr(box):
            return tyro.cli(kind, args=words, prog=prog, **more)
    except ValueError as error:
        raise InputError(str(error)) from error
    except SystemExit as end:
        if rejected := _input_error(end):
            raise InputError(str(rejected)) from None
        sys.stderr.write(box.getvalue())
        raise


def _input_error(error: BaseException | None) -> InputError | None:
    """The `InputError` during whose handling this one was raised; None where there is none."""
    while error is not None and not isinstance(error, InputError):
        error = error.__context__
    return error
