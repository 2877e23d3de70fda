"""HDF5 files whose content is not wholly inside them or not written, and the sentence with which each is rejected."""

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np

from deep.data.dataset import KEYS

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
    "never written, read as ones": (
        another_fill_value,
        "has {key} of shape .* with 0 of its . chunks written, .* read as (1|True)",
    ),
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
