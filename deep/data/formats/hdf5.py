"""HDF5 files: opened with every fault named in one sentence, and written whole or not at all.

What `inspect` accepts lies inside the file and is allocated in full, so that the hash of the file covers all of it.
HDF5 reads values that were never written, or whose source is missing, as zeros; a cost of zero must never be invented.

Texts of variable length lie in a heap without checksums, and where that heap is damaged the HDF5 library crashes or
never returns. Attributes that hold such texts are therefore left unread, and none are written.
"""

from __future__ import annotations

import math
import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from h5py import h5d, h5l, h5z  # pyright: ignore[reportAttributeAccessIssue]  (compiled, without stubs)

from deep.data.formats.errors import raise_input_error
from deep.data.formats.meaning import check_meaning, numbers_of
from theory.support.errors import InputError, one_line
from theory.support.files import temporary_name, writing

MARK = "safe_offline_rl_format"
"""The attribute of the files that this project writes. Only in these are `task`, `layout` and `policies` its own."""
REMARKS = "remarks"
"""The attribute of these files with what was assumed or left out when the file was written."""
LENGTH = "recorded_length"
"""The attribute of these files with the steps of the longest trajectory before any were left out."""
LARGEST_RATIO = 1100
"""gzip shrinks by at most 1032; what claims to hold more than this times its stored bytes is no recording."""
UNSUSPICIOUS_BYTES = 1 << 28
"""Arrays below this size are read whatever their compression."""
SAID_BEFORE = "said when the file was written: "
_LINK_DEPTH = 16
_SHOWN_SOURCES = 3
_FAULTS = (OSError, RuntimeError, KeyError, ValueError, TypeError, ArithmeticError, MemoryError, SystemError)
"""What h5py raises, depending on the damage."""


@contextmanager
def opened(path: Path, name: str) -> Iterator[h5py.File]:
    """The HDF5 file at `path`; whatever keeps it from being read is an `InputError` of one sentence."""
    try:
        if not h5py.is_hdf5(path):
            raise_input_error(name, "is not an HDF5 file", "DSRL's HDF5 format is accepted")
        with h5py.File(path, "r") as file:
            yield file
    except InputError:
        raise
    except _FAULTS as error:
        text = " ".join(str(error).split())
        if "unable to lock file" in text and ("errno = 11" in text or "errno = 35" in text):
            raise_input_error(
                name, "is locked: a program has it open for writing", "a file that its writer has closed is accepted"
            )
        if "already open for write" in text or "consistency flags" in text:
            raise_input_error(
                name,
                "is marked as open for writing: its writer has not finished, or was stopped",
                "a file that its writer has closed is accepted (h5clear -s removes the mark)",
            )
        raise_input_error(name, f"cannot be read ({text})", "a complete, readable HDF5 file is accepted")


def is_own(file: h5py.File) -> bool:
    """Whether this project wrote the file: it has the mark, or is a packed file of the time before the mark."""
    if MARK in file.attrs:
        return True
    packed_only = all(has(file, key) for key in ("lengths", "ends", "final_observations"))
    return packed_only and str(attributes(file, ("layout",)).get("layout")) == "packed"


def attributes(file: h5py.Group, keys: Collection[str] | None = None) -> dict[str, Any]:
    """The attributes, or those under `keys`, that are numbers, texts of fixed length (both fit for JSON) or arrays."""
    names = [key for key in file.attrs if keys is None or key in keys]
    return {one_line(key): _python(file.attrs[key]) for key in names if _is_readable(file, key)}


def _is_readable(file: h5py.Group, key: str) -> bool:
    attribute = file.attrs.get_id(key)
    if attribute.shape is None or attribute.dtype.kind not in "biufS":
        return False
    return math.prod(attribute.shape) * attribute.dtype.itemsize <= os.path.getsize(file.file.filename)


def taken_remarks(attributes: dict[str, Any]) -> tuple[str, ...]:
    """The remarks in the attributes of a file of this project, which are taken out of them."""
    found = np.ravel(attributes.pop(REMARKS, "")).tolist()
    text = "; ".join(str(_python(each)) for each in found)
    return (f"{SAID_BEFORE}{text.removeprefix(SAID_BEFORE)}",) if text else ()


def taken_length(attributes: dict[str, Any], name: str) -> int | None:
    """The recorded length in such attributes, which is taken out of them; raises `InputError` for what is none."""
    found = attributes.pop(LENGTH, None)
    if found is not None and (type(found) is not int or found < 1):
        raise_input_error(name, f"has the {LENGTH} {found!r}", "a whole number of at least 1 is accepted")
    return found


def has(file: h5py.Group, key: str) -> bool:
    """Whether the file has a link of this name, whatever it leads to; a/b is b in the group a."""
    folder, _, last = key.rpartition("/")
    group = file.get(folder) if folder else file
    return isinstance(group, h5py.Group) and group.id.links.exists(last.encode())


def inspect(file: h5py.Group, key: str, name: str, dtypes: Collection[str] = ()) -> h5py.Dataset:
    """The array under `key`, of one of these types, not yet read. Its values lie inside the file, all of them are
    allocated, their filters are installed, and they are what they stand for; anything else is rejected."""
    _check_links(file, key, key, name)
    item = file.get(key)
    if not isinstance(item, h5py.Dataset):
        raise_input_error(name, f"has no array {key}", "a file that has one is accepted")
    if item.shape is None:
        raise_input_error(name, f"has {key} of shape None", "an array is accepted")
    if dtypes and str(item.dtype) not in dtypes:
        raise_input_error(name, f"has {key} of type {item.dtype}", f"{' or '.join(dtypes)} is accepted")
    plan = item.id.get_create_plist()
    virtual = plan.get_layout() == h5d.VIRTUAL
    if virtual or plan.get_external_count():
        kind = "as a virtual data set" if virtual else "in external storage"
        sources = (
            [source.file_name for source in item.virtual_sources()] if virtual else [x[0] for x in item.external or ()]
        )
        shown = ", ".join(str(source) for source in list(dict.fromkeys(sources))[:_SHOWN_SOURCES])
        found = f"has {key} {kind}, with values in other files ({shown})"
        raise_input_error(name, found, "arrays inside the file are accepted")
    check_meaning(item, key, name)
    _check_filters(plan, key, name)
    _check_allocation(item, plan.get_layout(), key, name)
    return item


def _check_links(file: h5py.Group, path: str, key: str, name: str, depth: int = 0) -> None:
    """Reject a link on the way to `path` that leaves the file. Soft links inside the file are followed, step by step,
    without opening what they lead to."""
    group, parts = file, [part for part in path.split("/") if part not in ("", ".")]
    for number, part in enumerate(parts):
        links, step = group.id.links, part.encode()
        if not links.exists(step):
            return
        kind = links.get_info(step).type
        if kind == h5l.TYPE_SOFT:
            if depth >= _LINK_DEPTH:
                raise_input_error(name, f"has no array {key} but a circle of links", "an array is accepted")
            target = links.get_val(step).decode(errors="surrogateescape")
            before = "" if target.startswith("/") else "/".join(parts[:number])
            _check_links(file, "/".join((before, target, *parts[number + 1 :])), key, name, depth + 1)
            return
        if kind != h5l.TYPE_HARD:
            place = links.get_val(step)[0].decode(errors="replace") if kind == h5l.TYPE_EXTERNAL else "a link of a user"
            raise_input_error(name, f"has {key} in another file ({place})", "arrays inside the file are accepted")
        if number + 1 < len(parts):
            group = group[part]
            if not isinstance(group, h5py.Group):
                return


def _check_filters(plan: Any, key: str, name: str) -> None:
    for number in range(plan.get_nfilters()):
        code, _, _, title = plan.get_filter(number)
        if not h5z.filter_avail(code):
            called = f"{code} ({title.decode(errors='replace').strip()})" if title else f"{code}"
            accepted = "gzip, which `h5repack -f GZIP=4` writes, is accepted, or any filter that is installed"
            raise_input_error(name, f"has {key} behind the HDF5 filter {called}, which is not installed here", accepted)


def _check_allocation(item: h5py.Dataset, layout: int, key: str, name: str) -> None:
    """Reject what was never written, in whole or in part, and what claims more values than its bytes can hold."""
    promised, stored = math.prod(item.shape) * item.dtype.itemsize, item.id.get_storage_size()
    accepted = "arrays written in full are accepted"
    read_as = f"would be read as {item.fillvalue if np.any(item.fillvalue) else 'zeros'}"
    if promised == 0 or layout == h5d.COMPACT:
        return
    if layout == h5d.CHUNKED:
        chunks = math.prod(-(-size // chunk) for size, chunk in zip(item.shape, item.chunks or (), strict=True))
        written = item.id.get_num_chunks()
        if written < chunks:
            found = f"has {key} of shape {item.shape} with {written} of its {chunks} chunks written, "
            raise_input_error(name, f"{found}the others {read_as}", accepted)
    elif stored < promised:
        raise_input_error(name, f"has {key} of shape {item.shape} that was never written, it {read_as}", accepted)
    size = os.path.getsize(item.file.filename)
    if stored > size or (promised > UNSUSPICIOUS_BYTES and promised > LARGEST_RATIO * stored):
        raise_input_error(name, f"claims {promised:,} bytes of {key} in a file of {size:,}", accepted)


def array(
    file: h5py.File, key: str, name: str, dtypes: tuple[str, ...], shape: tuple[int, ...] | None = None
) -> np.ndarray:
    """The array under `key`, of one of these types and of this shape, if given; floating-point values as float32."""
    item = inspect(file, key, name, dtypes)
    if shape not in (None, item.shape):
        raise_input_error(name, f"has {key} of shape {item.shape}", f"{shape} is accepted")
    found = numbers_of(item, key, name)
    if found.dtype.kind != "f":
        return found
    with np.errstate(over="ignore"):  # a float64 too large becomes infinite, and is rejected as such
        return found.astype(np.float32, copy=False)


def write(
    path: str | Path,
    arrays: Mapping[str, np.ndarray],
    attributes: Mapping[str, Any],
    chunks: Mapping[str, tuple[int, ...]],
    compression: Mapping[str, Any],
) -> None:
    """Write arrays and attributes; an existing file is replaced once the new one is complete.

    Raises `InputError` where the file cannot be written.
    """
    path = Path(path)
    temporary = temporary_name(path)
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            # The 1.10 format has checksums, and allows attributes above 64 kB: the policies of many trajectories.
            with h5py.File(temporary, "w", libver=("v110", "v110")) as file:
                for key, values in arrays.items():
                    file.create_dataset(key, data=values, chunks=chunks.get(key, True), **compression)
                for key, value in {**attributes, MARK: 1}.items():  # texts of fixed length lie inside the checksums
                    file.attrs[key] = np.bytes_(value.encode()) if isinstance(value, str) else value
            with temporary.open("rb") as whole:
                os.fsync(whole.fileno())
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)


def _python(value: Any) -> Any:
    value = value.item() if isinstance(value, np.generic) else value
    return value.decode(errors="replace") if isinstance(value, bytes) else value
