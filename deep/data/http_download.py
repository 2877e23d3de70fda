"""A large file on an HTTP server, from any byte on: what the server answers, and of which version of the file."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import Message
from http.client import HTTPException, HTTPResponse
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import HTTPRedirectHandler, Request, build_opener

TIMEOUT = 30.0  # seconds without a byte
PASSING = (408, 425, 429, 500, 502, 503, 504)  # answers of a server that may do better later


@dataclass(frozen=True)
class Version:
    """What identifies a version of a file on a server.

    Attributes:
        tag: its entity tag or, for want of one, when it was last modified; None when the server says neither.
        size: its bytes; None when the server does not say.
        sha256: its hash, hexadecimal, where the server sends it, as the Hugging Face hub does for large files.
    """

    tag: str | None = None
    size: int | None = None
    sha256: str | None = None


class Broken(Exception):
    """A download stopped.

    Attributes:
        final: another attempt would not help.
        stale: what has come so far does not belong to the file that is there now.
    """

    def __init__(self, reason: str, final: bool = False, stale: bool = False) -> None:
        super().__init__(reason)
        self.final, self.stale = final, stale


@dataclass(frozen=True)
class Answer:
    """The bytes of one version of a file from `start` on, which is 0 where the server does not send parts."""

    start: int
    version: Version
    response: HTTPResponse

    def blocks(self) -> Iterator[bytes]:
        """The bytes, as they come; raises `Broken`."""
        try:
            while block := self.response.read(1 << 18):
                yield block
        except (OSError, HTTPException) as error:
            raise Broken(f"the connection broke off ({error or type(error).__name__})") from None


@contextmanager
def ask(url: str, start: int) -> Iterator[Answer]:
    """Ask for the file from byte `start` on; raises `Broken` when there is no answer, or none that can be used."""
    redirects = _Redirects()
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={start}-"} if start else {})
    try:
        response = build_opener(redirects).open(Request(url, headers=headers), timeout=TIMEOUT)
    except HTTPError as error:
        error.close()
        reason = f"the server answers {error.code} {error.reason}"
        beyond = error.code == 416  # the file has no such bytes
        raise Broken(reason, final=not beyond and error.code not in PASSING, stale=beyond) from None
    except (OSError, HTTPException) as error:
        reason = error.reason if isinstance(error, URLError) else error
        raise Broken(f"no answer ({reason})", final=isinstance(reason, socket.gaierror)) from None
    with response:
        if response.headers.get_content_type() == "text/html":  # a log-in page of the network, for one
            raise Broken("the server sends a web page instead", final=True)
        yield Answer(*_content(response, redirects.linked), response)


class _Redirects(HTTPRedirectHandler):
    """Remembers what the hub says of a file while it redirects to the storage, which knows less of it."""

    def __init__(self) -> None:
        self.linked: dict[str, str] = {}

    def redirect_request(self, req: Request, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Request | None:
        self.linked |= {key.lower(): value for key, value in headers.items() if key.lower().startswith("x-linked-")}
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _content(response: HTTPResponse, linked: dict[str, str]) -> tuple[int, Version]:
    """Where the bytes of an answer start, and which version of the file they are of."""
    headers: Message = response.headers
    start, size = 0, headers.get("Content-Length")
    if response.status == 206:
        found = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", headers.get("Content-Range", ""))
        if not found:
            raise Broken(f"the server sends a part, but not which ({headers.get('Content-Range')})", final=True)
        start, size = int(found[1]), found[2]
    size, linked_size = (
        int(text) if text and text.isdecimal() else None for text in (size, linked.get("x-linked-size"))
    )
    if size is not None and linked_size is not None and size != linked_size:
        raise Broken(f"the server states two sizes, {linked_size} and {size} bytes")
    hashed = linked.get("x-linked-etag", "").strip('"')
    tag = hashed or headers.get("ETag") or headers.get("Last-Modified")
    sha256 = hashed if re.fullmatch("[0-9a-f]{64}", hashed) else None
    return start, Version(tag, linked_size if size is None else size, sha256)
