"""Every format: content that is not wholly inside the file and allocated is rejected, and the array is named."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from deep.data.dataset import KEYS
from deep.data.formats import FORMATS, hdf5
from deep.data.load import EMBEDDED, load, task_of
from tests.support.recordings import HOPPER, arrays, each_layout, recording, write
from theory.support.errors import InputError

Change = Callable[[h5py.File, str], None]
HALF = np.s_[: sum((5, 1, 1000, 3)) // 2]


def replace(file: h5py.File, key: str, **options) -> h5py.Dataset:
    """The array again, not written, with other options of storage."""
    old = file[key]
    assert isinstance(old, h5py.Dataset)
    shape, dtype = old.shape, old.dtype
    del file[key]
    return file.create_dataset(key, shape, dtype, **options)


def never_written(file: h5py.File, key: str) -> None:
    replace(file, key)


def never_written_in_chunks(file: h5py.File, key: str) -> None:
    replace(file, key, chunks=True, compression="gzip")


def another_fill_value(file: h5py.File, key: str) -> None:
    replace(file, key, chunks=True, fillvalue=1)


def grown(file: h5py.File, key: str) -> None:
    """An interrupted writer: all arrays grown to their final size, this one not filled any further."""
    values = np.asarray(file[key])
    chunks = tuple(max(1, size // 3) for size in values.shape)
    new = replace(file, key, chunks=chunks, maxshape=(None,) * values.ndim)
    kept = tuple(slice(0, chunk) for chunk in chunks)
    new[kept] = values[kept]


def virtual(file: h5py.File, key: str) -> None:
    values = np.asarray(file[key])
    del file[key]
    layout = h5py.VirtualLayout(values.shape, values.dtype)
    layout[...] = h5py.VirtualSource("absent.h5", key, values.shape)
    file.create_virtual_dataset(key, layout)


def in_another_file(file: h5py.File, key: str) -> Path:
    """A good copy of the array, in another file."""
    other = Path(file.filename).with_name("other.h5")
    with h5py.File(other, "w") as copy:
        copy[key] = np.asarray(file[key])
    del file[key]
    return other


def external_link(file: h5py.File, key: str) -> None:
    file[key] = h5py.ExternalLink(in_another_file(file, key).name, key)


def soft_link_that_leaves(file: h5py.File, key: str) -> None:
    file["bridge"] = h5py.ExternalLink(in_another_file(file, key).name, "/")
    file[key] = h5py.SoftLink(f"/bridge/{key}")


def circle(file: h5py.File, key: str) -> None:
    del file[key]
    file[key] = h5py.SoftLink(f"/{key}_again")
    file[f"{key}_again"] = h5py.SoftLink(key)


def external_storage(file: h5py.File, key: str) -> None:
    values = np.asarray(file[key])
    raw = Path(file.filename).with_name("raw.bin")
    raw.write_bytes(values.tobytes())
    del file[key]
    file.create_dataset(key, values.shape, values.dtype, external=[(str(raw), 0, values.nbytes)])


def as_text(file: h5py.File, key: str) -> None:
    values = np.asarray(file[key]).astype("S8")
    del file[key]
    file[key] = values


def missing_filter(file: h5py.File, key: str) -> None:
    old = file[key]
    assert isinstance(old, h5py.Dataset)
    shape, kind = old.shape, h5py.h5t.py_create(old.dtype)
    del file[key]
    plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plan.set_chunk(shape)
    plan.set_filter(32001, h5py.h5z.FLAG_OPTIONAL)  # blosc, a plugin that h5py does not bring
    h5py.h5d.create(file.id, key.encode(), kind, h5py.h5s.create_simple(shape), plan)


def gigabytes(file: h5py.File, key: str) -> None:
    """A few bytes that claim to be many: integers that are all alike, by HDF5's own filter for them."""
    replace(file, key)
    del file[key]
    new = file.create_dataset(key, (1 << 29,), "i4", chunks=(1 << 24,), scaleoffset=0, compression="gzip")
    new[: 1 << 24] = 0
    for start in range(1 << 24, 1 << 29, 1 << 24):
        new.id.write_direct_chunk((start,), new.id.read_direct_chunk((0,))[1])


BAD: dict[str, tuple[Change, str]] = {
    "never written": (never_written, "has {key} of shape .* that was never written"),
    "never written, in chunks": (never_written_in_chunks, "has {key} of shape .* with 0 of its . chunks written"),
    "never written, read as ones": (another_fill_value, "has {key} of shape .* with 0 of its . chunks written"),
    "grown and half filled": (grown, "has {key} of shape .* with . of its .* chunks written"),
    "a virtual data set": (virtual, "has {key} as a virtual data set, with values in other files .absent.h5."),
    "an external link": (external_link, "has {key} in another file .other.h5."),
    "a soft link to an external one": (soft_link_that_leaves, "has {key} in another file .other.h5."),
    "links in a circle": (circle, "has no array {key} but a circle of links"),
    "external storage": (external_storage, "has {key} in external storage, with values in other files ..*raw.bin."),
    "texts": (as_text, "has {key} of type .S8"),
    "a filter that is not installed": (missing_filter, "has {key} behind the HDF5 filter 32001"),
    "absent": (lambda file, key: file.__delitem__(key), "has no array {key}"),
    "a group": (lambda file, key: (file.__delitem__(key), file.create_group(key))[0], "has no array {key}"),
}
each_array = {
    "plain": KEYS,
    "packed": (
        "observations",
        "final_observations",
        "actions",
        "rewards",
        "costs",
        "lengths",
        "ends",
        "policies",
    ),
}
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


def test_the_cases_cover_every_format():
    assert {module.__name__.rsplit(".", 1)[1].replace("dsrl", "plain") for module in FORMATS} == set(each_array)


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
    monkeypatch.setattr(hdf5, "array", lambda *rest: pytest.fail("an array was read"))
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
    read = FORMATS[1].read

    def read_and_touch(path: Path, name: str):
        fields = read(path, name)
        os.utime(path, ns=(1, 1))
        return fields

    monkeypatch.setattr(FORMATS[1], "read", read_and_touch)
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


def test_the_embedded_file_of_before_the_mark_is_still_this_projects():
    path = EMBEDDED / "HopperVel.hdf5"
    with h5py.File(path) as file:
        assert hdf5.MARK not in file.attrs
        assert hdf5.is_own(file)
    assert task_of(path) == HOPPER


@each_layout
def test_names_as_long_as_the_system_allows_can_be_written(tmp_path, layout):
    path = write(tmp_path / ("a" * 250 + ".hdf5"), recording(), layout)
    np.testing.assert_array_equal(arrays(load(HOPPER, path))["costs"], recording().costs)
    with pytest.raises(InputError, match="cannot be written"):
        write(tmp_path / ("a" * 500), recording(), layout)
    assert "does not exist" in rejection(tmp_path / ("a" * 500))
