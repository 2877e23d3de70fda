"""DSRL's own files, fetched from where DSRL keeps them: resumed where a download broke off, checked, then named.

The bytes of FILE are gathered in FILE.part; FILE.part.json says of which version of the file they are, so that the rest
is not taken from another one. The process that downloads has the lock on FILE.part.lock, while others wait. Only a file
that is complete and that the reader accepts gets its name.

DSRL_DATASET_DIR is the folder of DSRL's files (default ~/.dsrl/datasets), DSRL_DATASET_URL the address they are under
(default `HOST`): for a mirror, say.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

from filelock import FileLock, Timeout
from tqdm import tqdm

from deep.data.http_download import Broken, Version, ask
from theory.support.errors import InputError

HOST = "https://huggingface.co/datasets/YYY-45/DSRL/resolve/main"
PAUSES = (1.0, 2.0, 4.0, 8.0)  # seconds before each attempt that follows one without progress


def folder() -> Path:
    """Where DSRL's files lie, as DSRL itself has it."""
    return Path(os.environ.get("DSRL_DATASET_DIR") or "~/.dsrl/datasets").expanduser()


def url_of(path: Path) -> str:
    """The address of DSRL's file of this name."""
    host = os.environ.get("DSRL_DATASET_URL") or HOST
    if not host.startswith(("http://", "https://")):
        raise InputError(f"DSRL_DATASET_URL {host}: an address that starts with http:// or https:// is accepted")
    return f"{host.rstrip('/')}/{path.name}"


def download(path: Path, check: Callable[[Path], Any]) -> None:
    """Fetch DSRL's file of this name, unless another process has done so in the meantime.

    Args:
        path: where the file is to lie.
        check: reads the complete file and raises `InputError` for a bad one, which is then kept as FILE.rejected.

    Raises:
        InputError: the file cannot be had, is damaged, or cannot be written; says what to fetch by hand, and whereto.
    """
    url, part, record = url_of(path), path.with_name(path.name + ".part"), path.with_name(path.name + ".part.json")
    rejection = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _alone(path):
            if not path.exists():
                with record.open("a+b") as recorded, part.open("ab") as file:
                    version = _gather(url, file, recorded)
                rejection = _rejection(part, version, check)
                os.replace(part, path.with_name(path.name + ".rejected") if rejection else path)
            record.unlink(missing_ok=True)
    except OSError as error:
        _give_up(url, path, f"{error.filename or part} cannot be written: {error.strerror}")
    except Broken as error:
        _give_up(url, path, str(error))
    if rejection:
        raise InputError(f"{rejection}; what came is kept as {path}.rejected") from None


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """No other process downloads this file meanwhile; a lock ends with the process that holds it."""
    place = path.with_name(path.name + ".part.lock")
    lock = FileLock(place, thread_local=False, fallback_to_soft=False)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        print(f"another process downloads {path.name}: waiting for it", file=sys.stderr, flush=True)
        lock.acquire()
    try:
        yield
    finally:
        with suppress(OSError):  # Windows removes no open file; who waits for a removed one takes the next
            place.unlink()
        lock.release()


def _gather(url: str, file: BinaryIO, record: BinaryIO) -> Version:
    """All bytes of the file, in as many attempts as make progress; raises `Broken`."""
    furthest, failures = _size(file), 0
    while True:
        try:
            return _attempt(url, file, record)
        except Broken as error:
            failures = 0 if _size(file) > furthest else failures + 1
            furthest = max(furthest, _size(file))
            if error.stale:
                file.truncate(0)
            if error.final or failures > len(PAUSES):
                raise
            print(f"{error}: trying again", file=sys.stderr, flush=True)
            time.sleep(PAUSES[max(failures - 1, 0)])


def _attempt(url: str, file: BinaryIO, record: BinaryIO) -> Version:
    """Ask for the bytes that are missing, or for all where what there is cannot be gone on with."""
    known = _recorded(record)
    if known is None or known.tag is None:
        file.truncate(0)
    have = _size(file)
    if known and have and have == known.size:
        return known
    with ask(url, have) as answer:
        version = answer.version
        if answer.start and (answer.start != have or version != known):
            raise Broken("the server has another version of the file than the one begun", stale=True)
        if not answer.start:
            file.truncate(0)
            _write_record(record, version)
        name = url.rsplit("/", 1)[1]
        with tqdm(total=version.size, initial=answer.start, unit="B", unit_scale=True, desc=name) as bar:
            for block in answer.blocks():
                file.write(block)
                bar.update(len(block))
    file.flush()
    os.fsync(file.fileno())
    got = _size(file)
    if version.size is not None and got != version.size:
        raise Broken(f"the connection broke off after {got} of {version.size} bytes", stale=got > version.size)
    return version


def _size(file: BinaryIO) -> int:
    return file.seek(0, os.SEEK_END)


def _recorded(record: BinaryIO) -> Version | None:
    record.seek(0)
    with suppress(ValueError, TypeError):
        return Version(**json.loads(record.read()))
    return None


def _write_record(record: BinaryIO, version: Version) -> None:
    record.truncate(0)
    record.write(json.dumps(asdict(version)).encode())
    record.flush()


def _rejection(part: Path, version: Version, check: Callable[[Path], Any]) -> str | None:
    """What is wrong with the complete file, if anything."""
    with part.open("rb") as opened:
        found = hashlib.file_digest(opened, "sha256").hexdigest()
    if version.sha256 not in (None, found):
        return f"{part.name} was damaged on its way (SHA-256 {found}): {version.sha256} is accepted"
    try:
        check(part)
    except InputError as error:
        return str(error)
    return None


def _give_up(url: str, path: Path, reason: str) -> NoReturn:
    raise InputError(
        f"DSRL's file {path.name} cannot be downloaded ({reason}): fetch {url} by hand and put it into {path.parent}, "
        "or call again later, which goes on from where it stopped"
    ) from None
