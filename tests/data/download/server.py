"""A server on this machine that answers as servers do, well and badly."""

import socket
import struct
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from deep.data.load import load
from tests.support.recordings import HOPPER
from theory.support.errors import InputError

NAME = HOPPER.dsrl_file


class Server(ThreadingHTTPServer):
    """Serves `content`; the first requests are answered by what is in `script`, the others by `usual`."""

    daemon_threads = True

    def __init__(self, content: bytes) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.content, self.tag = content, '"first"'
        self.usual: Callable[[Handler], None] = whole()
        self.script: list[Callable[[Handler], None]] = []
        self.ranges: list[str | None] = []
        self.over = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request, client_address) -> None:
        """A client that hangs up is no error of the server's."""


class Handler(BaseHTTPRequestHandler):
    server: Server  # pyright: ignore[reportIncompatibleVariableOverride]

    def do_GET(self) -> None:
        assert self.path.endswith(f"/{NAME}")
        self.server.ranges.append(self.headers["Range"])
        (self.server.script.pop(0) if self.server.script else self.server.usual)(self)

    def log_message(self, format, *arguments) -> None:
        pass

    def answer(self, status: int, body: bytes, **headers: str | int | None) -> None:
        self.send_response(status)
        for key, value in headers.items():
            if value is not None:
                self.send_header(key.replace("_", "-"), str(value))
        self.end_headers()
        self.wfile.write(body)


def whole(
    ranges: bool = True, cut: int | None = None, length: Callable[[int], int | None] = lambda true: true, shift: int = 0
) -> Callable[[Handler], None]:
    """The content, or the part asked for; at most `cut` bytes of it, with another length or another start, if given."""

    def answer(handler: Handler) -> None:
        content, asked = handler.server.content, handler.headers["Range"]
        begin = int(asked.removeprefix("bytes=").removesuffix("-")) if asked and ranges else 0
        if begin >= len(content):
            return handler.answer(416, b"", Content_Range=f"bytes */{len(content)}")
        rest, total, place = content[begin:], length(len(content)), None
        if begin:
            place = f"bytes {begin + shift}-{len(content) - 1}/{total}"
        size = None if total is None else total - begin
        handler.answer(
            206 if begin else 200, rest[:cut], Content_Length=size, Content_Range=place, ETag=handler.server.tag
        )

    return answer


def fixed(status: int, body: bytes = b"", **headers: str | int | None) -> Callable[[Handler], None]:
    return lambda handler: handler.answer(status, body, **headers)


def reset(handler: Handler) -> None:
    whole(cut=1000)(handler)
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()


def stall(handler: Handler) -> None:
    whole(cut=1000)(handler)
    if not handler.server.over.wait(20):
        handler.server.ranges.append("the client waited")


def broken_chunk(handler: Handler) -> None:
    handler.protocol_version = "HTTP/1.1"
    handler.answer(200, b"3e8\r\n" + handler.server.content[:900], Transfer_Encoding="chunked", ETag='"first"')


def garbage(handler: Handler) -> None:
    handler.wfile.write(b"what?\r\n\r\n")


def redirect(sha256: str, size: int) -> Callable[[Handler], None]:
    """The hub sends on to a storage, and tells size and hash itself."""

    def answer(handler: Handler) -> None:
        if handler.path.startswith("/storage"):
            return whole()(handler)
        where = f"{handler.server.url}/storage/{NAME}"
        handler.answer(302, b"", Location=where, X_Linked_ETag=f'"{sha256}"', X_Linked_Size=size, Content_Length=0)

    return answer


def refused(match: str) -> InputError:
    with pytest.raises(InputError, match=match) as error:
        load(HOPPER, "dsrl")
    assert "\n" not in str(error.value)
    return error.value


def begin(path: Path, server: Server, cut: int) -> None:
    """A download that was stopped after `cut` bytes."""
    server.usual = whole(ranges=False, cut=cut)
    refused(f"broke off after {cut} of {len(server.content)} bytes")
    assert path.with_name(NAME + ".part").stat().st_size == cut
    assert not path.exists()
    server.usual = whole()
    server.ranges.clear()
