"""A recording as a table with named columns, .csv, and what its rejection says."""

from pathlib import Path

import numpy as np
import pytest

from deep.data.conversion import read_any
from deep.data.reading import Reading
from tests.support import other_writers as writers
from theory.support.errors import InputError

DATA = writers.recording()
ENDS = DATA["terminals"] | DATA["timeouts"]
NUMBER = np.cumsum(ENDS) - ENDS
LENGTHS = np.diff(np.flatnonzero(ENDS), prepend=-1)
STEP = np.concatenate([np.arange(length) for length in LENGTHS])
FLAGS = {"terminated": DATA["terminals"], "truncated": DATA["timeouts"]}
ROWS = {key: DATA[key] for key in ("observations", "actions", "rewards", "costs")}
LAST = int(LENGTHS[0]) - 1  # row of the first episode


def table(path: Path, rows: np.ndarray | None = None, **columns: np.ndarray) -> Path:
    """A table without next_observations, with these columns and these rows of it."""
    data = ROWS | columns
    taken = np.arange(len(ENDS)) if rows is None else rows
    file = writers.write_csv(path / "a.csv", {key: values[taken] for key, values in data.items()})
    file.write_text(file.read_text().replace("'", ""))  # of texts, such as dates
    return file


def rejected(path: Path, sentence: str, *columns: str) -> None:
    with pytest.raises(InputError, match=sentence) as error:
        read_any(path, Reading(columns=columns or None))
    assert "\n" not in str(error.value)
