"""Downloads that end badly: there is no file, and a sentence says why."""

import hashlib
import os
import socket

import pytest

from deep.data.load import load, save
from tests.data.download.server import NAME, begin, fixed, refused, whole
from tests.support.recordings import HOPPER, recording


def test_a_server_that_promises_too_much_is_given_up(server, path, content):
    server.usual = whole(length=lambda true: true + 7)
    error = refused(f"broke off after {len(content)} of {len(content) + 7} bytes|answers 416")
    for part in (NAME, server.url, str(path.parent), "by hand"):
        assert part in str(error)
    assert not path.exists()


def test_a_file_cut_by_a_wrong_length_is_refused(server, path, content):
    server.usual = whole(length=lambda true: true - 7)
    error = refused(f"{NAME} cannot be read .*what came is kept as {path}.rejected")
    assert str(error).startswith(server.url)
    assert sorted(os.listdir(path.parent)) == [NAME + ".rejected"]
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
