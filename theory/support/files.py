"""Files that are written whole or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from theory.support.errors import InputError

_KEPT_LETTERS = 40


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn what goes wrong while `path` is written (a full disk, a missing right) into one sentence."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or " ".join(str(error).split())
        raise InputError(f"{path} cannot be written ({reason}); what was there before is kept") from None


def temporary_name(path: Path) -> Path:
    """The name, beside `path`, under which its new content is gathered. It is short enough where `path` is.

    The process's number keeps a process that is about to end from writing into its successor's file.
    """
    return path.with_name(f"{path.name[:_KEPT_LETTERS]}.{os.getpid()}.tmp")


def remove_leftovers(folder: Path) -> None:
    """Remove what processes that were killed while they wrote into the folder have left there."""
    for leftover in folder.glob("*.tmp"):
        leftover.unlink(missing_ok=True)


def stem(path: Path) -> str:
    """The name without its ending, as text that can be printed and written: a name need not be UTF-8."""
    return path.stem.encode("utf-8", "backslashreplace").decode()


def write_whole(path: Path, content: bytes) -> None:
    """Write a file whole or not at all; raises `InputError` where it cannot be written."""
    temporary = temporary_name(path)
    with writing(path):
        try:
            with temporary.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except OSError:
            with suppress(OSError):
                temporary.unlink()
            raise
