"""Bad files: of another structure, of another kind, cut off or damaged; each is refused by one sentence."""

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from deep.data.dataset import FLAGS, KEYS
from deep.data.load import load, save_packed
from tests.support.recordings import HOPPER, arrays, each_layout, recording, write
from theory.support.errors import InputError

# Bad structure: each makes one change to a good plain file


def swap(key: str, value) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        new = value(file[key][()])  # pyright: ignore[reportIndexIssue]
        del file[key]
        file[key] = new

    return change


def drop(key: str) -> Callable[[h5py.File], None]:
    return lambda file: file.__delitem__(key)


def into_group(file: h5py.File) -> None:
    del file["costs"]
    file.create_group("costs")


def dangling(file: h5py.File) -> None:
    del file["costs"]
    file["costs"] = h5py.ExternalLink("absent.hdf5", "costs")


def mark(key: str, text: str) -> Callable[[h5py.File], None]:
    return lambda file: file.attrs.__setitem__(key, np.bytes_(text.encode()))


def enormous(file: h5py.File) -> None:
    del file["costs"]
    file.create_dataset("costs", shape=(10**15,), dtype="f4", chunks=(1000,))  # takes no space until it is written


BAD_PLAIN = {
    **{f"no {key}": (drop(key), f"has no array {key}") for key in KEYS},
    **{f"{key} as text": (swap(key, lambda x: x.astype("S8")), f"has {key} of type .S8") for key in KEYS},
    **{
        f"{key} as integers that float32 lacks": (
            swap(key, lambda x: np.full(x.shape, 2**24 + 1)),
            f"has 16777217 in row 0 of {key}.*whole numbers that float32 holds",
        )
        for key in ("observations", "next_observations", "actions", "rewards", "costs")
    },
    "complex numbers": (swap("rewards", lambda x: x.astype(complex)), "has rewards of type complex128"),
    **{f"{key} of 2": (swap(key, lambda x: 2 * x.astype(np.int8)), f"has 2 in row . of {key}") for key in FLAGS},
    **{f"half {key}": (swap(key, lambda x: x * np.float32(0.5)), f"has 0.5 in row . of {key}") for key in FLAGS},
    **{f"NaN in {key}": (swap(key, lambda x: x + np.float32(np.nan)), f"has nan in row 0 of {key}") for key in FLAGS},
    "too large for float32": (
        swap("rewards", lambda x: x * np.float64(1e300)),
        r"has -?[\d.]+e\+(299|300) in row 0 of rewards",
    ),
    "one number": (swap("rewards", lambda x: x[0]), r"has .* of shape"),
    "nothing": (swap("rewards", lambda x: h5py.Empty("f4")), "has rewards of shape None"),
    "group": (into_group, "has no array costs"),
    "more than fits into memory": (enormous, r"has costs of shape \(10+,\) with 0 of its 10+ chunks written"),
    "dangling link": (dangling, r"has costs in another file \(absent.hdf5\)"),
    "other task": (
        mark("task", "AntVel"),
        "was recorded on AntVel: data of HopperVel",
    ),
    "other layout": (mark("layout", "odd"), "has the layout 'odd'"),
    "plain called packed": (mark("layout", "packed"), "has no array lengths"),
}
BAD_PACKED = {
    **{
        f"no {key}": (drop(key), f"has no array {key}")
        for key in ("observations", "final_observations", "actions", "rewards", "costs", "lengths", "ends")
    },
    "packed called plain": (
        mark("layout", "plain"),
        "has no array terminals or timeouts: .*it has actions .3, 1009. float16",
    ),
    "lengths too long": (swap("lengths", lambda x: x + 1), r"has rewards of shape \(1009,\): \(1013,\)"),
    "a length of 0": (swap("lengths", lambda x: x * (x != 1)), "has bad lengths"),
    "lengths in a table": (swap("lengths", lambda x: x[None]), "has "),
    "no lengths": (swap("lengths", lambda x: x[:0]), "has "),
    "fewer ends": (swap("ends", lambda x: x[1:]), r"has ends of shape \(3,\): \(4,\)"),
    "no kind of end": (swap("ends", lambda x: 0 * x), "has a bad end"),
    "unknown kind of end": (swap("ends", lambda x: x + 3), "has a bad end"),
    "fewer last observations": (swap("final_observations", lambda x: x[:, 1:]), "has final_observations of shape"),
    "fewer costs": (swap("costs", lambda x: x[1:]), "has costs of shape"),
    "fewer costs as numbers": (swap("costs", lambda x: np.zeros(7, np.float32)), "has costs of shape"),
    "fewer rewards": (swap("rewards", lambda x: x[1:]), "of shape"),
    "fewer actions": (swap("actions", lambda x: x[1:]), "has actions of shape"),
    "fewer policies": (swap("policies", lambda x: x[1:]), "has policies of shape"),
    "NaN": (swap("observations", lambda x: x * np.float16(np.nan)), "has nan in row 0 of observations"),
}
BAD_FILES = [pytest.param("plain", *case, id=f"plain, {name}") for name, case in BAD_PLAIN.items()]
BAD_FILES += [pytest.param("packed", *case, id=f"packed, {name}") for name, case in BAD_PACKED.items()]


@pytest.mark.parametrize(("layout", "change", "sentence"), BAD_FILES)
def test_bad_structure_is_refused(tmp_path, layout, change, sentence):
    path = write(tmp_path / "file.hdf5", recording(), layout)
    with h5py.File(path, "r+") as file:
        change(file)
    with pytest.raises(InputError, match=sentence) as error:
        load(HOPPER, path)
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)


@each_layout
def test_data_of_a_task_with_other_sizes_are_refused(tmp_path, layout):
    path = write(tmp_path / "file.hdf5", recording(task="SwimmerVel"), layout)
    with h5py.File(path, "r+") as file:
        del file.attrs["task"]  # as in DSRL's own files
    with pytest.raises(InputError, match=r"has observations of shape .*: .* is accepted"):
        load(HOPPER, path)


def test_values_too_large_for_half_precision_are_not_packed(tmp_path):
    dataset = recording()
    dataset.rewards[3] = -1e5
    with pytest.raises(InputError, match="cannot hold 100000 in rewards"):
        save_packed(tmp_path / "file.hdf5", dataset)


# Bad files


def test_absent_files_and_folders_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"absent\.hdf5 does not exist"):
        load(HOPPER, tmp_path / "absent.hdf5")
    with pytest.raises(InputError, match="is a folder"):
        load(HOPPER, tmp_path)
    with pytest.raises(InputError, match="is not a file"):
        load(HOPPER, "/dev/null")


@pytest.mark.parametrize("content", [b"", b"observations,actions\n1,2\n", bytes(range(256)) * 9])
def test_other_kinds_of_files_are_refused(tmp_path, content):
    (tmp_path / "file.hdf5").write_bytes(content)
    with pytest.raises(InputError, match="is not an HDF5 file"):
        load(HOPPER, tmp_path / "file.hdf5")


def test_a_file_that_may_not_be_read_is_refused(tmp_path, monkeypatch):
    path = write(tmp_path / "file.hdf5", recording(), "plain")

    def raise_input_error(*arguments, **options):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "open", raise_input_error)  # chmod would not stop a test that runs as root
    with pytest.raises(InputError, match=r"cannot be read \(.*Permission denied.*\)"):
        load(HOPPER, path)


@each_layout
def test_a_truncated_file_is_refused_wherever_it_stops(tmp_path, layout):
    content = write(tmp_path / "file.hdf5", recording(), layout).read_bytes()
    for size in np.linspace(8, len(content) - 1, 60).astype(int):
        (tmp_path / "cut.hdf5").write_bytes(content[:size])
        with pytest.raises(InputError, match="cannot be read"):
            load(HOPPER, tmp_path / "cut.hdf5")


def test_a_packed_file_with_damaged_numbers_is_refused(tmp_path):
    """The format's and gzip's checksums find any change of the numbers, wherever it is."""
    path = write(tmp_path / "file.hdf5", recording(), "packed")
    content, good = bytearray(path.read_bytes()), arrays(load(HOPPER, path))
    rng, refused = np.random.default_rng(0), 0
    for place in rng.integers(0, len(content), 150):
        damaged = content.copy()
        damaged[place] ^= 1 << rng.integers(8)
        path.write_bytes(damaged)
        try:
            found = arrays(load(HOPPER, path))
        except InputError:
            refused += 1
        else:
            for key in good:
                np.testing.assert_array_equal(found[key], good[key])
    assert refused > 75
