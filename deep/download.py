"""DSRL's own files, fetched from where DSRL keeps them: resumed where a download broke off, checked, then named.

The bytes of FILE are gathered in FILE.part; FILE.part.json says of which version of the file they are, so that the rest
is not taken from another one. Only a file that is complete and that the reader accepts gets its name. One process
downloads, others wait for it.

DSRL_DATASET_DIR is the folder of DSRL's files (default ~/.dsrl/datasets), DSRL_DATASET_URL the address they are under
(default `HOST`): for a mirror, say.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from email.message import Message
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import IO, Any, BinaryIO, NoReturn
from urllib.error import HTTPError, URLError
from urllib.request import HTTPRedirectHandler, Request, build_opener

from tqdm import tqdm

from theory.errors import InputError

HOST = "https://huggingface.co/datasets/YYY-45/DSRL/resolve/main"
PAUSES = (1.0, 2.0, 4.0, 8.0)  # seconds before each further attempt that follows one without progress
TIMEOUT = 30.0  # seconds without a byte
_PASSING = (408, 425, 429, 500, 502, 503, 504)  # answers of a server that may do better later


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
        check: reads the complete file and raises `InputError` for a bad one, which is then kept as FILE.refused.

    Raises:
        InputError: the file cannot be had, is damaged, or cannot be written; says what to fetch by hand, and whereto.
    """
    url, part, record = url_of(path), path.with_name(path.name + ".part"), path.with_name(path.name + ".part.json")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _alone(part) as file:
            if path.exists():
                part.unlink()
                return
            version = _gather(url, file, record)
            refusal = _refusal(part, version, check)
            os.replace(part, path.with_name(path.name + ".refused") if refusal else path)
            record.unlink(missing_ok=True)
    except OSError as error:
        _give_up(url, path, f"{error.filename or part} cannot be written: {error.strerror}")
    except _Broken as error:
        _give_up(url, path, str(error))
    if refusal:
        raise InputError(f"{refusal}; what came is kept as {path}.refused") from None


@dataclass(frozen=True)
class Version:
    """What tells one version of a file on a server from another.

    Attributes:
        tag: its entity tag or, for want of one, when it was last modified; None when the server says neither.
        size: its bytes; None when the server does not say.
        sha256: its hash, hexadecimal, where the server tells it, as the Hugging Face hub does for large files.
    """

    tag: str | None = None
    size: int | None = None
    sha256: str | None = None


class _Broken(Exception):
    """A download stopped; another attempt may get further, unless `final`."""

    def __init__(self, reason: str, final: bool = False) -> None:
        super().__init__(reason)
        self.final = final


class _Redirects(HTTPRedirectHandler):
    """Remembers what the hub says of a file while it redirects to the storage, which knows less of it."""

    def __init__(self) -> None:
        self.linked: dict[str, str] = {}

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> Request | None:
        self.linked |= {key.lower(): value for key, value in headers.items() if key.lower().startswith("x-linked-")}
        return super().redirect_request(req, fp, code, msg, headers, newurl)


@contextmanager
def _alone(part: Path) -> Iterator[BinaryIO]:
    """The open .part file, once no other process has it; a lock goes with the process that holds it."""
    while True:
        with part.open("ab") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                print(f"another process downloads {part}: waiting for it", file=sys.stderr, flush=True)
                fcntl.flock(file, fcntl.LOCK_EX)
            if _is_at(part, file):  # else the process that was waited for has completed and renamed it
                yield file
                return


def _is_at(path: Path, file: BinaryIO) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False


def _gather(url: str, file: BinaryIO, record: Path) -> Version:
    """All bytes of the file, in as many attempts as make progress; raises `_Broken`."""
    furthest, failures = file.tell(), 0
    while True:
        try:
            return _attempt(url, file, record)
        except _Broken as error:
            file.flush()
            failures = 0 if file.tell() > furthest else failures + 1
            furthest = max(furthest, file.tell())
            if error.final or failures > len(PAUSES):
                raise
            print(f"{error}: trying again", file=sys.stderr, flush=True)
            time.sleep(PAUSES[max(failures - 1, 0)])


def _attempt(url: str, file: BinaryIO, record: Path) -> Version:
    """Ask for the bytes that are missing, or for all where what there is cannot be gone on with."""
    known = _recorded(record)
    if known is None or known.tag is None:
        file.truncate(0)
    have = file.seek(0, os.SEEK_END)
    if known and have and have == known.size:
        return known
    redirects = _Redirects()
    with _open(url, have, redirects, file) as response:
        start, version = _content(response, redirects.linked)
        if start and (start != have or version != known):
            file.truncate(0)
            raise _Broken(f"the server has another version of {url} than the one begun")
        if not start:
            file.truncate(0)
            record.write_text(json.dumps(asdict(version)))
        with tqdm(total=version.size, initial=start, unit="B", unit_scale=True, desc=url.rsplit("/", 1)[1]) as bar:
            for block in _blocks(response):
                file.write(block)
                bar.update(len(block))
    file.flush()
    os.fsync(file.fileno())
    got = file.seek(0, os.SEEK_END)
    if version.size is not None and got != version.size:
        if got > version.size:
            file.truncate(0)
        raise _Broken(f"the connection broke off after {got} of {version.size} bytes")
    return version


def _recorded(record: Path) -> Version | None:
    with suppress(OSError, ValueError, TypeError):
        return Version(**json.loads(record.read_text()))
    return None


def _open(url: str, have: int, redirects: _Redirects, file: BinaryIO) -> HTTPResponse:
    """The server's answer to a request for the bytes from `have` on."""
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    try:
        response = build_opener(redirects).open(Request(url, headers=headers), timeout=TIMEOUT)
    except HTTPError as error:
        error.close()
        if error.code == 416:  # there are no such bytes: what there is belongs to another version
            file.truncate(0)
        raise _Broken(f"the server answers {error.code} {error.reason}", error.code not in (416, *_PASSING)) from None
    except (OSError, HTTPException) as error:
        reason = error.reason if isinstance(error, URLError) else error
        raise _Broken(f"no answer ({reason})", final=isinstance(reason, socket.gaierror)) from None
    if response.headers.get_content_type() == "text/html":  # a log-in page of the network, for one
        response.close()
        raise _Broken("the server sends a web page instead", final=True)
    return response


def _content(response: HTTPResponse, linked: dict[str, str]) -> tuple[int, Version]:
    """Where the bytes of an answer start, and of what they are."""
    headers: Message = response.headers
    start, size = 0, headers.get("Content-Length")
    if response.status == 206:
        found = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", headers.get("Content-Range", ""))
        if not found:
            raise _Broken(f"the server sends a part, but not which ({headers.get('Content-Range')})", final=True)
        start, size = int(found[1]), found[2] if found[2] != "*" else None
    size, told = (int(text) if text and text.isdecimal() else None for text in (size, linked.get("x-linked-size")))
    if size is not None and told is not None and size != told:
        raise _Broken(f"the server tells two sizes, {told} and {size} bytes")
    tag = (linked.get("x-linked-etag") or headers.get("ETag") or headers.get("Last-Modified") or "").strip('"') or None
    hashed = linked.get("x-linked-etag", "").strip('"')
    sha256 = hashed if re.fullmatch("[0-9a-f]{64}", hashed) else None
    return start, Version(tag, size if size is not None else told, sha256)


def _blocks(response: HTTPResponse) -> Iterator[bytes]:
    try:
        while block := response.read(1 << 18):
            yield block
    except (OSError, HTTPException) as error:
        raise _Broken(f"the connection broke off ({error or type(error).__name__})") from None


def _refusal(part: Path, version: Version, check: Callable[[Path], Any]) -> str | None:
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
