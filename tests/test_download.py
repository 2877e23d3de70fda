"""The download of DSRL's files, from a server on this machine that answers as servers do, well and badly."""

import fcntl
import hashlib
import os
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from deep import datasets, download, http_file
from deep.datasets import load, save
from tests.test_datasets import HOPPER, recording
from theory.errors import InputError

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


@pytest.fixture(scope="module")
def content(tmp_path_factory) -> bytes:
    path = tmp_path_factory.mktemp("content") / NAME
    save(path, recording([40, 1, 200, 3]))
    return path.read_bytes()


@pytest.fixture
def server(content, monkeypatch, tmp_path) -> Iterator[Server]:
    server = Server(content)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    monkeypatch.setenv("DSRL_DATASET_URL", server.url + "/some/where/")
    monkeypatch.setenv("DSRL_DATASET_DIR", str(tmp_path / "dsrl"))
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(download, "PAUSES", (0, 0, 0, 0))
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "dsrl" / NAME


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


# Good ends


def test_a_missing_file_is_downloaded_once(server, path, content):
    found = load(HOPPER, "dsrl")
    assert (found.source, found.path) == ("dsrl", path)
    assert found.sha256 == hashlib.sha256(content).hexdigest()
    assert os.listdir(path.parent) == [NAME]
    assert load(HOPPER, "dsrl").sha256 == load(HOPPER, "auto").sha256 == found.sha256
    assert server.ranges == [None]


def test_auto_does_not_download(server, path, tmp_path, monkeypatch):
    monkeypatch.setattr(datasets, "EMBEDDED", tmp_path)
    save(tmp_path / "HopperVel.hdf5", recording([3]))
    assert load(HOPPER, "auto").source == "embedded"
    assert server.ranges == []


def test_a_download_that_breaks_off_goes_on_where_it_stopped(server, path, content, capsys):
    server.script = [whole(cut=1000), whole(cut=0), whole(cut=500)]
    load(HOPPER, "dsrl")
    assert server.ranges == [None, "bytes=1000-", "bytes=1000-", "bytes=1500-"]
    assert path.read_bytes() == content
    shown = capsys.readouterr().err
    assert shown.count("trying again") == 3
    assert f"{NAME}: 100%" in shown


def test_any_number_of_breaks_is_borne_while_there_is_progress(server, path, content):
    server.usual = whole(cut=len(content) // 20)
    load(HOPPER, "dsrl")
    assert len(server.ranges) in (20, 21)
    assert path.read_bytes() == content


def test_a_later_call_goes_on_where_an_earlier_one_stopped(server, path, content):
    begin(path, server, 2000)
    load(HOPPER, "dsrl")
    assert server.ranges == ["bytes=2000-"]
    assert path.read_bytes() == content
    assert os.listdir(path.parent) == [NAME]


def test_a_part_that_is_whole_needs_no_server(server, path, content):
    begin(path, server, 2000)
    path.with_name(NAME + ".part").write_bytes(content)
    load(HOPPER, "dsrl")
    assert server.ranges == []


@pytest.mark.parametrize("trouble", [reset, stall, broken_chunk, garbage])
def test_trouble_on_the_line_is_borne(server, path, content, trouble, monkeypatch):
    monkeypatch.setattr(http_file, "TIMEOUT", 0.1)
    server.script = [trouble]
    load(HOPPER, "dsrl")
    server.over.set()
    assert len(server.ranges) == 2
    assert path.read_bytes() == content


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_passing_faults_are_tried_again(server, path, content, status):
    begin(path, server, 2000)
    server.script = [fixed(status, b"x" * 100)] * 3
    load(HOPPER, "dsrl")
    assert server.ranges == ["bytes=2000-"] * 4
    assert path.read_bytes() == content


def test_without_a_length_the_end_of_the_answer_is_the_end_of_the_file(server, path, content):
    server.usual = whole(length=lambda true: None)
    load(HOPPER, "dsrl")
    assert path.read_bytes() == content


# Starting anew


@pytest.mark.parametrize("change", ["tag", "size"])
def test_a_file_that_has_changed_is_begun_anew(server, path, content, change, tmp_path):
    begin(path, server, 2000)
    if change == "tag":
        server.tag = '"second"'
    save(tmp_path / "other", recording([40, 1, 200, 3] if change == "tag" else [40], seed=1))
    server.content = (tmp_path / "other").read_bytes()
    load(HOPPER, "dsrl")
    assert server.ranges == ["bytes=2000-", None]
    assert path.read_bytes() == server.content != content


def test_a_server_without_ranges_sends_all_again(server, path, content):
    server.script = [whole(cut=1000)]
    server.usual = whole(ranges=False)
    load(HOPPER, "dsrl")
    assert server.ranges == [None, "bytes=1000-"]
    assert path.read_bytes() == content


def test_a_server_without_ranges_that_always_breaks_off_is_given_up(server, path):
    server.usual = whole(ranges=False, cut=1000)
    refused("broke off after 1000 of")
    assert len(server.ranges) == 6


def test_without_a_tag_versions_cannot_be_told_apart(server, path, content):
    server.tag = None
    server.script = [whole(cut=1000)]
    load(HOPPER, "dsrl")
    assert server.ranges == [None, None]
    assert path.read_bytes() == content


@pytest.mark.parametrize("record", [None, b"{", b'{"odd": 1}', b"[]", b"\xff"])
def test_a_part_of_unknown_origin_is_begun_anew(server, path, content, record):
    begin(path, server, 2000)
    part_record = path.with_name(NAME + ".part.json")
    part_record.write_bytes(record) if record is not None else part_record.unlink()
    load(HOPPER, "dsrl")
    assert server.ranges == [None]
    assert path.read_bytes() == content


def test_a_part_that_is_longer_than_the_file_is_begun_anew(server, path, content):
    begin(path, server, 2000)
    path.with_name(NAME + ".part").write_bytes(content + b"more")
    load(HOPPER, "dsrl")
    assert server.ranges == [f"bytes={len(content) + 4}-", None]
    assert path.read_bytes() == content


def test_a_part_from_another_place_is_not_taken(server, path, content):
    begin(path, server, 2000)
    server.script = [whole(shift=1)]
    load(HOPPER, "dsrl")
    assert server.ranges == ["bytes=2000-", None]
    assert path.read_bytes() == content


# Bad ends: no file, and a sentence


def test_a_server_that_promises_too_much_is_given_up(server, path, content):
    server.usual = whole(length=lambda true: true + 7)
    error = refused(f"broke off after {len(content)} of {len(content) + 7} bytes|answers 416")
    for part in (NAME, server.url, str(path.parent), "by hand"):
        assert part in str(error)
    assert not path.exists()


def test_a_file_cut_by_a_wrong_length_is_refused(server, path, content):
    server.usual = whole(length=lambda true: true - 7)
    error = refused(f"{NAME} cannot be read .*what came is kept as {path}.refused")
    assert str(error).startswith(server.url)
    assert sorted(os.listdir(path.parent)) == [NAME + ".refused"]
    server.usual = whole()
    assert load(HOPPER, "dsrl").sha256 == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_a_file_that_is_not_there_is_asked_for_once(server, path, status):
    server.usual = fixed(status, b"no such file")
    assert f"fetch {server.url}/some/where/{NAME} by hand and put it into {path.parent}" in str(refused(f"{status}"))
    assert len(server.ranges) == 1
    assert not path.exists()


def test_a_server_that_always_fails_is_given_up(server, path):
    server.usual = fixed(500)
    refused("the server answers 500")
    assert len(server.ranges) == 5


def test_a_web_page_is_not_the_file_and_costs_nothing_that_was_there(server, path, content):
    begin(path, server, 2000)
    server.script = [fixed(200, b"<html>log in</html>", Content_Type="text/html; charset=utf-8")]
    refused("web page")
    load(HOPPER, "dsrl")
    assert server.ranges == ["bytes=2000-"] * 2
    assert path.read_bytes() == content


def test_a_web_page_in_disguise_is_refused(server, path):
    server.usual = fixed(200, b"<html>log in</html>", Content_Type="application/octet-stream", Content_Length=19)
    refused("is not an HDF5 file")
    assert not path.exists()


def test_a_part_that_does_not_say_which_is_refused(server, path):
    begin(path, server, 2000)
    server.usual = fixed(206, b"x" * 10, Content_Length=10)
    refused("sends a part, but not which")


def test_data_of_another_task_are_refused(server, path, tmp_path):
    save(tmp_path / "other", recording([40], task="SwimmerVel"))
    server.content = (tmp_path / "other").read_bytes()
    refused("was recorded on SwimmerVel")
    assert not path.exists()


def test_no_server_is_told(server, path, monkeypatch):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # nobody listens there
        monkeypatch.setenv("DSRL_DATASET_URL", f"http://127.0.0.1:{unused.getsockname()[1]}")
        error = refused("no answer .*refused")
    assert "by hand" in str(error)


def test_no_network_is_told_at_once(server, path, monkeypatch):
    asked = []

    def lookup(*arguments, **options):
        asked.append(arguments[0])
        raise socket.gaierror(-3, "Temporary failure in name resolution")

    monkeypatch.delenv("DSRL_DATASET_URL")
    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    error = refused("no answer .*name resolution")
    assert f"fetch https://huggingface.co/datasets/YYY-45/DSRL/resolve/main/{NAME} by hand" in str(error)
    assert str(path.parent) in str(error)
    assert asked == ["huggingface.co"]


def test_a_folder_that_cannot_be_written_is_told(server, path):
    path.parent.write_text("a file in the folder's place")
    refused("cannot be written: File exists")


def test_a_full_disk_is_told(server, path, monkeypatch):
    def full(file):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    refused("part cannot be written: No space left on device")
    assert not path.exists()


@pytest.mark.parametrize("url", ["ftp://host/x", "file:///tmp", "huggingface.co"])
def test_other_addresses_are_refused(server, monkeypatch, url):
    monkeypatch.setenv("DSRL_DATASET_URL", url)
    refused(f"DSRL_DATASET_URL {url}: an address that starts with http")


# The hub redirects to a storage, and tells size and hash itself


def redirect(sha256: str, size: int) -> Callable[[Handler], None]:
    def answer(handler: Handler) -> None:
        if handler.path.startswith("/storage"):
            return whole()(handler)
        where = f"{handler.server.url}/storage/{NAME}"
        handler.answer(302, b"", Location=where, X_Linked_ETag=f'"{sha256}"', X_Linked_Size=size, Content_Length=0)

    return answer


def test_the_hubs_hash_is_checked(server, path, content):
    server.usual = redirect(hashlib.sha256(b"other").hexdigest(), len(content))
    refused("was damaged on its way")
    assert not path.exists()
    server.usual = redirect(hashlib.sha256(content).hexdigest(), len(content))
    load(HOPPER, "dsrl")
    assert path.read_bytes() == content


def test_the_hubs_hash_tells_versions_apart_where_the_storage_does_not(server, path, content):
    server.usual = redirect(hashlib.sha256(content).hexdigest(), len(content))
    server.script = [server.usual, whole(cut=1000)]
    load(HOPPER, "dsrl")
    assert server.ranges == [None, None, "bytes=1000-", "bytes=1000-"]
    server.ranges.clear()
    path.unlink()
    server.tag = '"another storage"'
    server.script = [server.usual, whole(cut=1000)]
    load(HOPPER, "dsrl")
    assert path.read_bytes() == content


def test_the_hubs_size_is_checked(server, path, content):
    server.usual = redirect(hashlib.sha256(content).hexdigest(), len(content) + 1)
    refused("tells two sizes")
    assert not path.exists()


# Two at once


def until_one_waits(capsys) -> None:
    told, latest = "", time.monotonic() + 20
    while "waiting for it" not in told and time.monotonic() < latest:
        time.sleep(0.01)
        told += capsys.readouterr().err
    assert "waiting for it" in told


def test_of_several_at_once_one_downloads(server, path, content, capsys):
    go_on = threading.Event()

    def answer(handler: Handler) -> None:
        go_on.wait(20)
        whole()(handler)

    server.usual = answer
    found = []
    threads = [threading.Thread(target=lambda: found.append(load(HOPPER, "dsrl").sha256)) for _ in range(3)]
    for thread in threads:
        thread.start()
    until_one_waits(capsys)
    go_on.set()
    for thread in threads:
        thread.join(20)
    assert found == [hashlib.sha256(content).hexdigest()] * 3
    assert server.ranges == [None]
    assert os.listdir(path.parent) == [NAME]


def test_who_waits_for_a_process_that_is_stopped_goes_on_itself(server, path, content, capsys):
    begin(path, server, 2000)
    thread = threading.Thread(target=lambda: load(HOPPER, "dsrl"))
    with path.with_name(NAME + ".part.json").open("ab") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        thread.start()
        until_one_waits(capsys)
        assert server.ranges == []
    thread.join(20)
    assert server.ranges == ["bytes=2000-"]
    assert path.read_bytes() == content
