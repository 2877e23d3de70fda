"""Damaged .npz, .csv and .parquet: rejected in a sentence, or read; with checksums, read with the content they had.

A process of its own reads the files, so that a crash or a hang of a library is a failed test.
"""

import multiprocessing
import shutil
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deep.data.custom import CustomData, load_custom
from deep.data.dataset import KEYS, OfflineDataset
from tests.support.damaged_bytes import (
    flip_bits,
    flip_in_the_head,
    flip_in_the_tail,
    overwrite,
    rejected_or_whole,
    truncate,
)
from tests.support.recordings import recording
from theory.support.errors import InputError

pyarrow = pytest.importorskip("pyarrow")
parquet: Any = pytest.importorskip("pyarrow.parquet")
csv: Any = pytest.importorskip("pyarrow.csv")

SECONDS = 20
"""A file that takes longer is a hang."""
ALL, SAMPLE = 1000, 40
MUTATIONS = (flip_bits, flip_in_the_head, truncate, overwrite, flip_in_the_tail)


def written(folder: Path) -> dict[str, Path]:
    """The same data in every form."""
    data = recording((5, 1, 60, 3))
    arrays: dict[str, Any] = {key: getattr(data, key) for key in KEYS}
    columns: dict[str, np.ndarray] = {}
    for key, values in arrays.items():
        columns |= {key: values} if values.ndim == 1 else {f"{key}_{j}": values[:, j] for j in range(values.shape[1])}
    table = pyarrow.table(columns)
    found = {
        "npz": folder / "plain.npz",
        "npz, compressed": folder / "compressed.npz",
        "parquet with checksums": folder / "checksums.parquet",
        "parquet": folder / "plain.parquet",
        "csv": folder / "log.csv",
    }
    np.savez(found["npz"], **arrays)
    np.savez_compressed(found["npz, compressed"], **arrays)
    parquet.write_table(table, found["parquet with checksums"], write_page_checksum=True)
    parquet.write_table(table, found["parquet"], compression="gzip", use_dictionary=False)
    csv.write_csv(table, found["csv"])
    return found


CHECKED = ("npz", "npz, compressed", "parquet with checksums")
"""What has checksums."""


def outcome(path: Path) -> str | OfflineDataset:
    """The sentence that rejects the file, or its content."""
    try:
        return load_custom(path, CustomData())[1]
    except InputError as error:
        return str(error)


@pytest.fixture(scope="module")
def reader():
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        assert "does not exist" in str(pool.submit(outcome, Path("absent")).result())  # imports take longer than a file
        yield pool


def check_files(numbers: range, folder: Path, reader: ProcessPoolExecutor) -> int:
    """How many of the files with these numbers are rejected."""
    rejected, files = 0, written(folder)
    good = {form: outcome(path) for form, path in files.items()}
    for number in numbers:
        form, rng = list(files)[number % len(files)], np.random.default_rng(number)
        mutation = MUTATIONS[number // len(files) % len(MUTATIONS)]
        path = Path(shutil.copy(files[form], folder / f"file{files[form].suffix}"))
        mutation(path, rng)
        found, expected = reader.submit(outcome, path).result(timeout=SECONDS), good[form]
        case = f"file {number}: {mutation.__name__} of {form}"
        assert isinstance(expected, OfflineDataset), expected
        rejected += rejected_or_whole(found, path, expected if form in CHECKED else None, case)
    return rejected


def test_a_sample_of_damaged_tables(tmp_path, reader):
    assert check_files(range(SAMPLE), tmp_path, reader) > SAMPLE / 2


@pytest.mark.exhaustive
def test_a_thousand_damaged_tables(tmp_path, reader):
    assert check_files(range(ALL), tmp_path, reader) > ALL / 2
