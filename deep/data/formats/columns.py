"""Tables with named columns, .csv, .tsv or .parquet: a row for each transition, trajectory after trajectory.

A vector is a column of lists (.parquet), or of written ones (`deep.data.formats.written_vectors`); or numbered columns:
observations_0, observations_1, ... or observations.0 or observations[0], from 0 on; or columns that `--columns` joins:
observations=pos,vel. Names are those of DSRL's layout (`deep.data.formats.table`), those that say the same plainly
(`PLAIN`: reward, Done), or those of `--columns`. A folder of such files is one table; each file is an episode, or more
where a column says so (`deep.data.formats.folder`). An empty cell, a text among numbers, a gap in the numbers, and two
columns of one name or meaning are rejected in what is read; other columns may hold anything, but for those of the step
(`deep.data.formats.steps`). Needs the package pyarrow.
"""

from __future__ import annotations

import csv as text_csv
import re
import shlex
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from deep.data.formats import steps
from deep.data.formats.csv_file import read_csv
from deep.data.formats.errors import raise_input_error, raise_on_two
from deep.data.formats.folder import check_files, joined, skipped
from deep.data.formats.folder import files as tables_in
from deep.data.formats.missing import ENDS, JOINED, SYNONYMS, Found, parts
from deep.data.formats.numbered import OF_FILE
from deep.data.formats.table import fields_of, with_steps
from deep.data.formats.written_vectors import raise_on_written, with_lists
from deep.data.reading import AS_IT_IS, Reading
from theory.support.errors import InputError

TEXT = (".csv", ".tsv")
SUFFIXES = (*TEXT, ".parquet")
NUMBERED = re.compile(r"(.+?)[_.\[](\d{1,99})\]?")
"""A column that is one entry of a vector; Python's int() takes no thousands of digits."""
PLAIN = {
    "observations": "observation obs",
    "next_observations": "next_observation next_obs",
    "actions": "action",
    "rewards": "reward",
    "costs": "cost",
    "terminals": "terminal terminated",
    "timeouts": "timeout truncated",
    "dones": "done",
    "episodes": "episode",
}
"""Names, in any case, that say the same as the key."""

WHOLE = {"partitioning": None, "page_checksum_verification": True}
"""How Parquet is read: no columns by the names of folders, and checksums, where the file has them, are compared."""


def accepts(path: Path) -> bool:
    """Whether the file's name ends in .csv, .tsv or .parquet, or this is a folder of such files."""
    return path.suffix.lower() in SUFFIXES if path.is_file() else bool(files(path))


def files(path: Path) -> list[Path]:
    """The file, or those in the folder, run_2 before run_10."""
    return tables_in(path, SUFFIXES)


def read(path: Path, name: str, reading: Reading = AS_IT_IS) -> dict[str, Any]:
    """The fields; an error calls the file `name`."""
    pyarrow = packages(name)[0]
    found = files(path)
    check_files(found, name)
    tables = [_table(each, f"{path / each.name}" if path.is_dir() else name) for each in found]
    columns = ColumnTable(dict(zip(tables[0].column_names, tables[0].columns, strict=True)), name)
    names, given, unread = _plain(columns, reading, name), reading.names(), reading.unread()
    order = [] if "steps" in given or "steps" in unread else _steps(columns, names | given)
    remarks: tuple[str, ...] = ()
    if path.is_dir() and "environments" in given:
        accepted = "one file is accepted with it, because an episode of each may go on in the next file"
        raise_input_error(name, f"is a folder, and has environments={given['environments']} beside it", accepted)
    if path.is_dir():
        known = {key: array for key, array in (names | given).items() if key not in unread}
        together, remarks = joined(tables, found, known, order or [given.get("steps", "")], name, pyarrow)
        columns = ColumnTable(together, name)
        if OF_FILE in columns.columns and "episodes" not in given:
            names["episodes"], reading = OF_FILE, replace(reading, columns=_without_episodes(reading))
    for key, synonyms in SYNONYMS.items():
        if key in ("steps", "environments"):
            continue
        own = given.get(key, names.get(key, key))
        others = [] if key in given or key in ENDS or columns.has(own) else synonyms.split()
        for array in (*parts(own, columns.columns), *others):
            _check_series(columns, array, key, name)
    fields = fields_of(columns, name, reading, names, unread)
    fields["remarks"] = (*fields["remarks"], *remarks, *skipped(path, SUFFIXES))
    readable = [each for each in order if columns.is_readable(each)]
    return with_steps(fields, columns, readable, name)


def _without_episodes(reading: Reading) -> tuple[str, ...] | None:
    """`--columns` without episodes=, which leaves the files to say where a trajectory ends."""
    return tuple(each for each in reading.columns or () if each != "episodes=") or None


def _table(path: Path, name: str) -> Any:
    """One file."""
    pyarrow, csv, parquet = packages(name)
    try:
        if path.suffix.lower() in TEXT:
            table = read_csv(path, name, pyarrow, csv)
        else:
            table = with_lists(parquet.read_table(path, **WHOLE), pyarrow)
    except (pyarrow.ArrowException, OSError, UnicodeError, text_csv.Error) as error:
        text = " ".join(str(error).split())
        raise_input_error(name, f"cannot be read ({text})", "a complete table with named columns is accepted")
    if not len(table):
        raise_input_error(name, "has no rows", "at least one is accepted")
    if twice := [key for i, key in enumerate(table.column_names) if key and key in table.column_names[:i]]:
        raise_input_error(name, f"has two columns {twice[0]}", "columns of different names are accepted")
    return table


def _plain(columns: ColumnTable, reading: Reading, name: str) -> dict[str, str]:
    """The column of each key that has none of its own name, and one whose name says it plainly. Raises `InputError`
    where two may be meant."""
    found, decided = {}, reading.decided()
    for key, words in PLAIN.items():
        there = {each: each for each in columns.columns if each.lower() in (key, *words.split())}
        there |= {",".join(each): k for k, each in columns.vectors.items() if k.lower() in (key, *words.split())}
        if key in decided or not there:
            continue
        if len(there) > 1 and key != "costs":  # these are compared (`deep.data.formats.beside`)
            first, second, *_ = there
            raise_on_two(first, second, key, name)
        found[key] = next(iter(there.values()))
    return found


def _steps(columns: ColumnTable, names: Mapping[str, str]) -> list[str]:
    """The columns whose name says plainly that they hold the step or the time, those aside that another key names."""
    used = {
        each
        for key in SYNONYMS
        for part in parts(names.get(key, key), columns.columns)
        for each in (part, *columns.series.get(part, []))
    }
    return [each for each in columns.columns if each.lower() in steps.PLAIN and each not in used - {"steps"}]


def packages(name: str) -> tuple[Any, Any, Any]:
    """pyarrow and its readers of .csv and .parquet; raises `InputError` where it is not installed."""
    try:
        import pyarrow
        from pyarrow import csv, parquet
    except ImportError as error:
        raise InputError(f"{name} needs the package pyarrow: `pip install pyarrow` installs it") from error
    return pyarrow, csv, parquet


class ColumnTable:
    """Columns of pyarrow, each read when it is asked for; those numbered from 0 on are the entries of one vector. An
    error calls the file `name`."""

    def __init__(self, columns: Mapping[str, Any], name: str) -> None:
        self.columns, self.name = dict(columns), name
        self.numbered: dict[str, dict[int, str]] = {}
        self.twice: dict[str, tuple[str, str]] = {}
        """Two columns of one number."""
        for key in columns:
            if match := NUMBERED.fullmatch(key):
                other = self.numbered.setdefault(match[1], {}).setdefault(int(match[2]), key)
                if other != key:
                    self.twice[match[1]] = other, key
        self.vectors = {
            key: [parts[i] for i in range(len(parts))]
            for key, parts in self.numbered.items()
            if sorted(parts) == list(range(len(parts)))
        }
        """The columns of each vector."""
        self.series = {key: each for key, each in self.vectors.items() if key not in columns}
        """Those that no single column has the name of."""

    def listing(self) -> Mapping[str, Found]:
        """Single columns, and vectors in the place of their columns."""
        of_vectors = {key: vector for vector, keys in self.series.items() for key in keys}
        names = dict.fromkeys(of_vectors.get(key, key) for key in self.columns if key not in ("", OF_FILE))
        return {name: self.inspect(name) for name in names}

    def has(self, name: str) -> bool:
        return name in self.columns or name in self.series

    def inspect(self, name: str) -> Found:
        if name not in self.columns:
            count, dtype = self._form(self.columns[self.series[name][0]])
            return Found((count[0], len(self.series[name])), dtype)
        return Found(*self._form(self.columns[name]))

    def _form(self, column: Any) -> tuple[tuple[int, ...], str]:
        """Shape and type of one column."""
        import pyarrow

        if not _holds_lists(column):
            return (len(column),), _dtype(column.type)
        fixed = pyarrow.types.is_fixed_size_list(column.type)
        size = column.type.list_size if fixed else len(column[0]) if len(column) and column[0].is_valid else 0
        return (len(column), size), _dtype(column.type.value_type)

    def is_readable(self, name: str) -> bool:
        """Whether each cell of the column is a number or a time."""
        column = self.columns[name]
        return not column.null_count and not _holds_lists(column) and steps.is_readable(self.read(name))

    def read(self, name: str) -> np.ndarray:
        if name in self.columns:
            return array_of(self.columns[name], name, self.name)
        return np.stack([array_of(self.columns[key], key, self.name) for key in self.series[name]], axis=1)


def _dtype(kind: Any) -> str:
    """numpy's name of pyarrow's type, and pyarrow's where there is none."""
    try:
        found = np.dtype(kind.to_pandas_dtype())
    except (NotImplementedError, TypeError, ImportError):  # dates of a time zone are pandas' own
        return str(kind)
    return str(kind) if found.kind == "O" else found.name


def _holds_lists(column: Any) -> bool:
    import pyarrow

    types = pyarrow.types
    return any(each(column.type) for each in (types.is_list, types.is_large_list, types.is_fixed_size_list))


def _check_series(columns: ColumnTable, array: str, key: str, name: str) -> None:
    """Raise `InputError` where columns of this vector are numbered with a gap, or two have one number."""
    parts = columns.numbered.get(array)
    if array in columns.twice and array not in columns.columns:
        accepted = f"one column of each number is accepted; --columns {key}=NAME,NAME takes the columns that are named"
        raise_input_error(name, f"has {' and '.join(columns.twice[array])}", accepted)
    if not parts or columns.has(array):
        return
    gap = next(i for i in range(max(parts) + 2) if i not in parts)
    first = parts[min(parts)]
    lacking = re.sub(r"\d+(?=\]?$)", str(gap), first)
    shown = " and ".join(dict.fromkeys((first, parts[max(parts)])))
    accepted = "columns numbered from 0 on, without a gap, are accepted"
    if sorted(parts) == list(range(1, len(parts) + 1)) and (key in (*JOINED, "next_observations") or len(parts) == 1):
        named = ",".join(parts[i] for i in sorted(parts))
        accepted += f"; --columns {shlex.quote(f'{key}={named}')} takes these"
    raise_input_error(name, f"has {shown} but no {lacking}", accepted)


def array_of(column: Any, key: str, name: str) -> np.ndarray:
    """A column, or the rows of a column of lists of one length."""
    import pyarrow

    if column.null_count:
        row = int(np.flatnonzero(column.is_null().to_numpy(zero_copy_only=False))[0])
        found = f"has an empty cell, or one that marks a missing value, in row {row} of {key}"
        raise_input_error(name, found, "a number in each is accepted")
    if not _holds_lists(column):
        raise_on_written(column, key, name, pyarrow)
        if pyarrow.types.is_decimal(column.type):
            column = column.cast(pyarrow.float64())
        return np.array(column.to_numpy(zero_copy_only=False))  # a copy, because pyarrow's memory cannot be written
    column = column.combine_chunks() if isinstance(column, pyarrow.ChunkedArray) else column
    fixed = pyarrow.types.is_fixed_size_list(column.type)
    lengths = None if fixed else column.value_lengths().to_numpy()
    size = column.type.list_size if lengths is None else int(lengths[0]) if len(lengths) else 0
    if lengths is not None and (lengths != size).any():
        row = int(np.flatnonzero(lengths != size)[0])
        raise_input_error(name, f"has {lengths[row]} numbers in row {row} of {key}", f"{size} in each are accepted")
    flat = column.flatten()
    if flat.null_count:
        row = int(np.flatnonzero(flat.is_null().to_numpy(zero_copy_only=False))[0]) // size
        raise_input_error(name, f"has an empty cell in row {row} of {key}", "a number in each is accepted")
    return np.array(flat.to_numpy(zero_copy_only=False)).reshape(len(column), size)
