"""What damages the bytes of a file of any format: flipped bits, missing ends, bad sectors; and what may come of it."""

from pathlib import Path

import numpy as np

from deep.data.dataset import KEYS, OfflineDataset


def flip_bits(path: Path, rng: np.random.Generator) -> None:
    content = bytearray(path.read_bytes())
    for place in rng.integers(0, len(content), rng.integers(1, 9)):
        content[place] ^= 1 << rng.integers(8)
    path.write_bytes(content)


def flip_in_the_head(path: Path, rng: np.random.Generator) -> None:
    content = bytearray(path.read_bytes())
    for place in rng.integers(0, min(len(content), 4096), rng.integers(1, 5)):
        content[place] = rng.integers(256)
    path.write_bytes(content)


def flip_in_the_tail(path: Path, rng: np.random.Generator) -> None:
    """Where archives have their list of contents, and Parquet its footer."""
    content = bytearray(path.read_bytes())
    for place in rng.integers(max(len(content) - 1024, 0), len(content), rng.integers(1, 4)):
        content[place] ^= 1 << rng.integers(8)
    path.write_bytes(content)


def truncate(path: Path, rng: np.random.Generator) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: rng.integers(0, len(content))])


def overwrite(path: Path, rng: np.random.Generator) -> None:
    """A stretch of zeros or of noise, as a bad sector leaves it."""
    content = bytearray(path.read_bytes())
    start, size = rng.integers(0, len(content)), rng.integers(1, 600)
    piece = content[start : start + size]
    content[start : start + size] = bytes(len(piece)) if rng.random() < 0.5 else rng.bytes(len(piece))
    path.write_bytes(content)


def rejected_or_whole(found: str | OfflineDataset, path: Path, content: OfflineDataset | None, case: str) -> bool:
    """Whether a damaged file is rejected, in one sentence that begins with its path; else it has to hold the `content`,
    bit by bit, unless that is None: nothing in such a file could show the damage."""
    if isinstance(found, str):
        assert found.startswith(str(path)), case
        assert "\n" not in found, case
        return True
    for key in KEYS if content is not None else ():
        np.testing.assert_array_equal(getattr(found, key), getattr(content, key), err_msg=f"{case}: {key}")
    return False
