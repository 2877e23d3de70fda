"""Downloads that end well, whatever the server does on the way."""

import fcntl
import hashlib
import os
import threading
import time

import pytest

from deep.data import http_download as http_file
from deep.data import load as datasets
from deep.data.load import load, save
from tests.data.download.server import (
    NAME,
    Handler,
    begin,
    broken_chunk,
    fixed,
    garbage,
    redirect,
    refused,
    reset,
    stall,
    whole,
)
from tests.support.recordings import HOPPER, recording


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


# The hub redirects to a storage, and tells size and hash itself


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
    refused("states two sizes")
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
    with path.with_name(NAME + ".part.lock").open("ab") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        thread.start()
        until_one_waits(capsys)
        assert server.ranges == []
    thread.join(20)
    assert server.ranges == ["bytes=2000-"]
    assert path.read_bytes() == content
