"""The server as a fixture, and where a download goes."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from deep.data import download
from deep.data.load import save
from tests.data.download.server import NAME, Server
from tests.support.recordings import recording


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
