"""Every format: content that is not wholly inside the file and allocated is rejected, and the array is named."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from deep.data.dataset import KEYS
from deep.data.formats import FORMATS, dsrl, hdf5
from deep.data.formats.hdf5 import MARK, is_own
from deep.data.load import EMBEDDED, load, task_of
from tests.support.damaged_files import BAD, each_array, gigabytes
from tests.support.recordings import HOPPER, arrays, each_layout, recording, write
from theory.support.errors import InputError

CASES = [
    pytest.param(layout, key, *case, id=f"{layout}, {key}, {name}")
    for layout, keys in each_array.items()
    for number, (name, case) in enumerate(BAD.items())
    for key in dict.fromkeys(("costs", keys[number % len(keys)]))
]
"""Each case with the costs, and with one other array in turn."""


def rejection(path: Path) -> str:
    with pytest.raises(InputError) as error:
        load(HOPPER, path)
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.fixture(scope="module")
def good(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("good")
    return {layout: write(folder / f"{layout}.hdf5", recording(), layout) for layout in each_array}


OTHERS = {"minari_arrow", "minari", "d3rlpy", "npz", "columns"}
"""Formats of other writers: tests/data/test_other_writers.py. Their HDF5 files are read through the same functions."""


def test_the_cases_cover_every_format():
    names = {module.__name__.rsplit(".", 1)[1].replace("dsrl", "plain") for module in FORMATS}
    assert names - OTHERS == set(each_array)


@pytest.mark.parametrize(("layout", "key", "change", "sentence"), CASES)
def test_content_that_is_not_all_in_the_file_is_rejected(tmp_path, good, layout, key, change, sentence):
    path = Path(shutil.copy(good[layout], tmp_path / "file.hdf5"))
    with h5py.File(path, "r+") as file:
        change(file, key)
    assert re.search(sentence.format(key=key), rejection(path))


@pytest.mark.parametrize("key", ["costs", "terminals"])
def test_a_small_file_that_claims_gigabytes_is_rejected_before_they_are_read(tmp_path, good, key):
    path = Path(shutil.copy(good["plain"], tmp_path / "file.hdf5"))
    with h5py.File(path, "r+") as file:
        gigabytes(file, key)
    assert path.stat().st_size < 1e6
    assert f"claims 2,147,483,648 bytes of {key} in a file of" in rejection(path)


def test_shapes_are_compared_before_anything_is_read(tmp_path, good, monkeypatch):
    path = Path(shutil.copy(good["plain"], tmp_path / "file.hdf5"))
    with h5py.File(path, "r+") as file:
        del file["timeouts"]
        file["timeouts"] = np.zeros(1008, dtype=bool)
    monkeypatch.setattr(dsrl.HDF5Table, "read", lambda *rest: pytest.fail("an array was read"))
    assert "has timeouts of shape (1008,): 1009 rows, as in rewards, are accepted" in rejection(path)


@each_layout
def test_soft_links_inside_the_file_are_followed(tmp_path, layout, good):
    path = Path(shutil.copy(good[layout], tmp_path / "file.hdf5"))
    with h5py.File(path, "r+") as file:
        file["group/kept"] = file["costs"]
        del file["costs"]
        file["group/near"] = h5py.SoftLink("kept")
        file["costs"] = h5py.SoftLink("./group/near")
    np.testing.assert_array_equal(load(HOPPER, path).costs, recording().costs)


@each_layout
def test_a_file_that_a_writer_has_open_is_named_as_such(tmp_path, layout, good):
    path = shutil.copy(good[layout], tmp_path / "file.hdf5")
    hold = f"import h5py, sys; f = h5py.File({str(path)!r}, 'r+'); print('open', flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        assert "is locked: a program has it open for writing" in rejection(Path(path))
        writer.communicate(b"")
    assert len(load(HOPPER, path)) == 1009


def test_a_file_whose_writer_was_stopped_is_named_as_such(tmp_path):
    path = tmp_path / "file.hdf5"
    stop = f"import h5py, os; f = h5py.File({str(path)!r}, 'w', libver='latest'); f['x'] = 1; f.swmr_mode = True; "
    subprocess.run([sys.executable, "-c", stop + "f.flush(); os._exit(0)"], check=True)
    assert "is marked as open for writing" in rejection(path)


def test_a_file_that_changes_while_it_is_read_is_rejected(tmp_path, good, monkeypatch):
    path = Path(shutil.copy(good["plain"], tmp_path / "file.hdf5"))
    read = dsrl.read

    def read_and_touch(path: Path, *rest):
        fields = read(path, *rest)
        os.utime(path, ns=(1, 1))
        return fields

    monkeypatch.setattr(dsrl, "read", read_and_touch)
    assert "was changed while it was read" in rejection(path)


# Attributes


def test_attributes_of_other_writers_decide_nothing(tmp_path):
    written, path = recording(), tmp_path / "file.hdf5"
    with h5py.File(path, "w") as file:
        for key in KEYS:
            file[key] = getattr(written, key)
        about = {"task": np.bytes_(b"AntVel"), "layout": np.bytes_(b"packed"), "policies": 3}
        for key, value in (about | {"next_observations": np.bytes_(b"none"), "shortened": 1}).items():
            file.attrs[key] = value
    found = load(HOPPER, path)
    assert found.policies is None
    assert found.shortened is None
    assert found.remarks == ()
    assert found.provenance["policies"] == 3
    assert task_of(path) is None
    for key in KEYS:
        np.testing.assert_array_equal(getattr(found, key), getattr(written, key), strict=True)


@pytest.mark.parametrize("name", ["layout", "task", "policies", "note"])
@pytest.mark.parametrize("value", [h5py.Empty("f4"), np.bytes_(b"\xff\xfe"), "a text", np.zeros((0, 3)), 2.5])
def test_attributes_of_any_kind_do_not_keep_a_file_from_being_read(tmp_path, good, name, value):
    path = Path(shutil.copy(good["plain"], tmp_path / "file.hdf5"))
    with h5py.File(path, "r+") as file:
        del file.attrs[hdf5.MARK]
        file.attrs[name] = value
    np.testing.assert_array_equal(load(HOPPER, path).costs, recording().costs)


@each_layout
@pytest.mark.parametrize(
    ("value", "said"),
    [
        (np.array([b"one", b"two"]), "one; two"),
        (np.array([1, 2]), "1; 2"),
        (np.bytes_("a\x1b[31m\nb\u2028".encode()), "a [31m b "),
    ],
)
def test_remarks_of_any_kind_are_said_in_one_line(tmp_path, good, layout, value, said):
    path = shutil.copy(good[layout], tmp_path / "a.hdf5")
    with h5py.File(path, "r+") as file:
        file.attrs["remarks"] = value
        file["remarks"] = [1.5, 2.5]  # an array of this name is another thing
        file.attrs["a\x1b\nb"] = 3
    found = load(HOPPER, path)
    assert found.remarks == (f"said when the file was written: {said}",)
    assert found.provenance["a  b"] == 3


@each_layout
def test_a_rejection_shows_no_control_characters(tmp_path, good, layout):
    path = shutil.copy(good[layout], tmp_path / "a.hdf5")
    with h5py.File(path, "r+") as file:
        file.attrs["task"] = np.bytes_(b"a\x1b[31m\nb")
    assert "was recorded on a [31m b: " in rejection(Path(path))


def test_the_embedded_file_of_before_the_mark_is_still_this_projects():
    path = EMBEDDED / "HopperVel.hdf5"
    with h5py.File(path) as file:
        assert MARK not in file.attrs
        assert is_own(file)
    assert task_of(path) == HOPPER


@each_layout
def test_names_as_long_as_the_system_allows_can_be_written(tmp_path, layout):
    path = write(tmp_path / ("a" * 250 + ".hdf5"), recording(), layout)
    np.testing.assert_array_equal(arrays(load(HOPPER, path))["costs"], recording().costs)
    with pytest.raises(InputError, match="cannot be written"):
        write(tmp_path / ("a" * 500), recording(), layout)
    assert "does not exist" in rejection(tmp_path / ("a" * 500))
