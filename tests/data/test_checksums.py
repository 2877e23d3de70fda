"""Checksums and sizes that archives and tables bring with them are compared, and a mismatch is one sentence."""

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deep.data.custom import CustomData, load_custom
from deep.data.dataset import KEYS
from tests.support.recordings import recording
from theory.support.errors import InputError


def arrays() -> dict[str, Any]:
    return {key: getattr(recording((5, 1, 60, 3)), key) for key in KEYS}


def rejected(path: Path, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        load_custom(path, CustomData())
    assert "\n" not in str(caught.value)


def test_a_compressed_array_that_is_damaged(tmp_path):
    path = tmp_path / "log.npz"
    np.savez_compressed(path, **arrays())
    content = path.read_bytes()
    for start in range(100, len(content) // 2, 150):
        path.write_bytes(
            content[:start] + bytes(byte ^ 255 for byte in content[start : start + 40]) + content[start + 40 :]
        )
        rejected(path, r"log\.npz cannot be read \(.*\): a complete \.npz of arrays")


def with_entries(path: Path, entries: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return path


def npy_of(values: np.ndarray) -> bytes:
    content = io.BytesIO()
    np.save(content, values)
    return content.getvalue()


@pytest.mark.parametrize("rows", [68, 70, 10**12])
def test_an_array_of_another_size_than_its_header_says(tmp_path, rows):
    entries = {f"{key}.npy": npy_of(values) for key, values in arrays().items()}
    path = with_entries(tmp_path / "log.npz", entries)
    assert len(load_custom(path, CustomData())[1]) == 69
    for name in entries:  # in all, so that they agree with one another
        old = b"(69," if b"(69," in entries[name] else b"69"
        head = entries[name][:128].replace(old, old.replace(b"69", str(rows).encode()))
        entries[name] = head.replace(b" " * (len(head) - 128), b"", 1) + entries[name][128:]
    rejected(with_entries(path, entries), r"\.npy holds \d+ bytes where an array")


def test_an_entry_under_another_name_than_in_the_list(tmp_path):
    """next_observations may be missing, but not because one letter of their name was damaged."""
    path = tmp_path / "log.npz"
    np.savez(path, **arrays())
    content = path.read_bytes()
    place = content.rindex(b"next_observations.npy")
    path.write_bytes(content[:place] + b"next_observations.npz" + content[place + 21 :])
    rejected(path, "cannot be read .*next_observations")


def test_an_encrypted_archive(tmp_path):
    path = tmp_path / "log.npz"
    np.savez(path, **arrays())
    content = bytearray(path.read_bytes())
    content[content.rindex(b"PK\x01\x02") + 8] |= 1  # the flag of the last entry in the list
    content[content.rindex(b"PK\x03\x04") + 6] |= 1
    path.write_bytes(content)
    rejected(path, "cannot be read .*encrypted")


def test_a_page_of_parquet_with_another_checksum(tmp_path):
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    values = arrays()
    columns = {key: list(each) if each.ndim > 1 else each for key, each in values.items()}
    costs = np.zeros(69, dtype=np.float32)
    costs[7] = 4
    path = tmp_path / "log.parquet"
    for checksums in (True, False):
        options = {"write_page_checksum": checksums, "compression": "none", "use_dictionary": False}
        parquet.write_table(pyarrow.table(columns | {"costs": costs}), path, **options)
        content = path.read_bytes()
        place = content.index(costs.tobytes())
        path.write_bytes(content[: place + 28] + bytes(4) + content[place + 32 :])
        if checksums:
            rejected(path, r"log\.parquet cannot be read \(.*checksum verification failed.*\): a complete table")
        else:
            assert load_custom(path, CustomData())[1].costs.sum() == 0
