"""The server as a fixture, and the two things that tests of a download do with it."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from deep.data import download
from deep.data.load import load, save
from tests.data.download.server import NAME, Server, whole
from tests.support.recordings import HOPPER, recording
from theory.support.errors import InputError


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
