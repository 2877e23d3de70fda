"""Damaged, truncated and disguised files: each one is rejected in a sentence or read with the content it had.

A process of its own reads the files, so that a crash or a hang of the HDF5 library is a failed test and not the end of
the tests.
"""

import multiprocessing
import shutil
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from functools import wraps
from pathlib import Path

import h5py
import numpy as np
import pytest

from deep.data.custom import CustomData, load_custom
from deep.data.dataset import OfflineDataset
from deep.data.load import load, task_of
from tests.support.damaged_bytes import flip_bits, flip_in_the_head, overwrite, rejected_or_whole, truncate
from tests.support.damaged_files import BAD, each_array, grown
from tests.support.recordings import HOPPER, recording, write
from theory.support.errors import InputError

SECONDS = 20
"""A file that takes longer is a hang; all are read in a few milliseconds."""
ALL, SAMPLE = 1000, 40
Mutation = Callable[[Path, str, np.random.Generator], None]


def key_of(layout: str, rng: np.random.Generator) -> str:
    return str(rng.choice(each_array[layout]))


def of_bytes(damage: Callable[[Path, np.random.Generator], None]) -> Mutation:
    """One that asks for no layout, under its own name."""

    @wraps(damage)
    def mutation(path: Path, layout: str, rng: np.random.Generator) -> None:
        damage(path, rng)

    return mutation


def disguise(path: Path, layout: str, rng: np.random.Generator) -> None:
    """One of the cases of `test_formats`: never written, virtual, external, a link, a group, another type."""
    change = list(BAD.values())[rng.integers(len(BAD))][0]
    with h5py.File(path, "r+") as file:
        change(file, key_of(layout, rng))


def grow(path: Path, layout: str, rng: np.random.Generator) -> None:
    with h5py.File(path, "r+") as file:
        for key in set(rng.choice(each_array[layout], rng.integers(1, 4)).tolist()):
            grown(file, key)


def retype(path: Path, layout: str, rng: np.random.Generator) -> None:
    """Another type that holds the same numbers, or one that is not read."""
    key = key_of(layout, rng)
    with h5py.File(path, "r+") as file:
        values = np.asarray(file[key])
        del file[key]
        with np.errstate(all="ignore"):
            cast = values.astype(str(rng.choice(["f8", ">f4", "f2", "i1", "u8", "c8", "S3", "?"])))
            if cast.dtype.kind in "biuf" and not np.array_equal(cast, values):
                cast = values.astype("c8")  # nobody can see that the writer has changed the numbers
        file[key] = cast


def reshape(path: Path, layout: str, rng: np.random.Generator) -> None:
    key = key_of(layout, rng)
    with h5py.File(path, "r+") as file:
        values = np.asarray(file[key])
        del file[key]
        changes = [
            values[1:],
            values[..., None],
            values.ravel(),
            values[:0],
            values.T,
            np.repeat(values, 2, 0),
        ]
        file[key] = changes[rng.integers(len(changes))]


def spoil_flags(path: Path, layout: str, rng: np.random.Generator) -> None:
    """Another number in the flags, the ends, or the lengths."""
    key = str(rng.choice(["terminals", "timeouts"] if layout == "plain" else ["ends", "lengths"]))
    with h5py.File(path, "r+") as file:
        values = np.asarray(file[key]).astype("i4")
        values[rng.integers(len(values))] = rng.choice(
            [-1, 4, 1 << 30]
        )  # none of them is a flag, an end or a length here
        del file[key]
        file[key] = values if layout == "plain" or key == "lengths" else values.astype("u1")


def attribute(path: Path, layout: str, rng: np.random.Generator) -> None:
    with h5py.File(path, "r+") as file:
        key = str(rng.choice(["layout", "policies", "task", "settings", "next_observations"]))
        values = (3, np.arange(4), np.bytes_(b"odd"), "a text", h5py.Empty("f4"), np.zeros((2, 0)), 2.5)
        file.attrs[key] = values[rng.integers(len(values))]


MUTATIONS: tuple[Mutation, ...] = (
    *map(of_bytes, (flip_bits, flip_in_the_head, truncate, overwrite)),
    disguise, grow, retype, reshape, spoil_flags, attribute,
)  # fmt: skip
HARMLESS = (attribute,)
"""These may change what a file says about itself, and never the arrays."""


def outcome(path: Path) -> str | OfflineDataset:
    """The sentence that rejects the file, or its content."""
    found: str | OfflineDataset
    try:
        found = load(HOPPER, path)
    except InputError as error:
        found = str(error)
    for read in (task_of, lambda path: load_custom(path, CustomData())):
        with suppress(InputError):
            read(path)
    return found


@pytest.fixture(scope="module")
def reader():
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        assert "does not exist" in str(pool.submit(outcome, Path("absent")).result())  # imports take longer than a file
        yield pool


def check_files(numbers: range, folder: Path, reader: ProcessPoolExecutor) -> int:
    """How many of the files with these numbers are rejected; every other one has the content it had."""
    rejected, written = 0, {}
    for layout in each_array:
        path = write(folder / f"{layout}.good", recording((5, 1, 60, 3)), layout)
        written[layout] = path, load(HOPPER, path)
    for number in numbers:
        layout, rng = ("plain", "packed")[number // len(MUTATIONS) % 2], np.random.default_rng(number)
        mutation, (good, content) = MUTATIONS[number % len(MUTATIONS)], written[layout]
        path = Path(shutil.copy(good, folder / "file.hdf5"))
        mutation(path, layout, rng)
        found = reader.submit(outcome, path).result(timeout=SECONDS)
        case = f"file {number}: {mutation.__name__} of a {layout} file"
        rejected += rejected_or_whole(found, path, content, case)
    return rejected


def test_a_sample_of_mutated_files(tmp_path, reader):
    assert check_files(range(SAMPLE), tmp_path, reader) > SAMPLE / 2


@pytest.mark.exhaustive
def test_a_thousand_mutated_files(tmp_path, reader):
    assert check_files(range(ALL), tmp_path, reader) > ALL / 2
