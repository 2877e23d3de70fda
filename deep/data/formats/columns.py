"""Tables with named columns, .csv or .parquet: a row for each transition, trajectory after trajectory.

A vector is a column of lists (.parquet), or numbered columns: observations_0, observations_1, ... or observations.0 or
observations[0], from 0 on. Names are those of DSRL's layout (`deep.data.formats.table`) or those of `--columns`. An
empty cell is rejected. Needs the package pyarrow.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from deep.data.formats.errors import raise_input_error
from deep.data.formats.table import ArrayTable, fields_of
from deep.data.reading import AS_IT_IS, Reading
from theory.support.errors import InputError

NUMBERED = re.compile(r"(.+?)[_.\[](\d+)\]?")


def accepts(path: Path) -> bool:
    """Whether the file's name ends in .csv or .parquet."""
    return path.is_file() and path.suffix.lower() in (".csv", ".parquet")


def read(path: Path, name: str, reading: Reading = AS_IT_IS) -> dict[str, Any]:
    """The fields; an error calls the file `name`."""
    return fields_of(ArrayTable(vectors(_columns(path, name))), name, reading)


def _columns(path: Path, name: str) -> dict[str, np.ndarray]:
    """Every column as an array, lists as rows."""
    pyarrow, csv, parquet = packages(name)
    try:
        table = csv.read_csv(path) if path.suffix.lower() == ".csv" else parquet.read_table(path)
    except (pyarrow.ArrowException, OSError) as error:
        text = " ".join(str(error).split())
        raise_input_error(name, f"cannot be read ({text})", "a complete table with named columns is accepted")
    found = {}
    for key, column in zip(table.column_names, table.columns, strict=True):
        found[key] = array_of(column, key, name)
    return found


def packages(name: str) -> tuple[Any, Any, Any]:
    """pyarrow and its readers of .csv and .parquet; raises `InputError` where it is not installed."""
    try:
        import pyarrow
        from pyarrow import csv, parquet
    except ImportError as error:
        raise InputError(f"{name} needs the package pyarrow: `pip install pyarrow` installs it") from error
    return pyarrow, csv, parquet


def array_of(column: Any, key: str, name: str) -> np.ndarray:
    """A column, or the rows of a column of lists of one length."""
    import pyarrow

    if column.null_count:
        row = int(np.flatnonzero(column.is_null().to_numpy())[0])
        raise_input_error(name, f"has an empty cell in row {row} of {key}", "a number in each is accepted")
    if not (pyarrow.types.is_list(column.type) or pyarrow.types.is_fixed_size_list(column.type)):
        return np.array(column.to_numpy())  # a copy, because pyarrow's memory cannot be written
    lengths = column.combine_chunks().value_lengths().to_numpy() if pyarrow.types.is_list(column.type) else None
    size = column.type.list_size if lengths is None else int(lengths[0]) if len(lengths) else 0
    if lengths is not None and (lengths != size).any():
        row = int(np.flatnonzero(lengths != size)[0])
        raise_input_error(name, f"has {lengths[row]} numbers in row {row} of {key}", f"{size} in each are accepted")
    flat = column.combine_chunks().flatten()
    if flat.null_count:
        raise_input_error(name, f"has an empty cell in {key}", "a number in each is accepted")
    return np.array(flat.to_numpy(zero_copy_only=False)).reshape(len(column), size)


def vectors(columns: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Columns numbered from 0 on are the entries of one vector; all others stay what they are."""
    numbered: dict[str, dict[int, str]] = {}
    for key in columns:
        if match := NUMBERED.fullmatch(key):
            numbered.setdefault(match[1], {})[int(match[2])] = key
    found = dict(columns)
    for key, parts in numbered.items():
        if sorted(parts) == list(range(len(parts))) and key not in columns:
            found[key] = np.stack([found.pop(parts[i]) for i in range(len(parts))], axis=1)
    return found
