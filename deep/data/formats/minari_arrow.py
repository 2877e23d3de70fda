"""Minari's data sets in Arrow or Parquet: a folder with data/metadata.json, which stands for the data set, and

    data/i/part-*.arrow or .parquet    a table of T + 1 rows for every episode i, from 0 on

whose columns are those of `deep.data.formats.minari`. Actions, rewards and both flags end with a row of zeros, which is
left out. A part of a structure is named by its place, as in HDF5: infos/cost, observations/position. Needs the package
pyarrow. Source: minari/dataset/_storages/arrow_storage.py.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from deep.data.formats import minari
from deep.data.formats.columns import WHOLE, ColumnTable, packages
from deep.data.formats.errors import raise_input_error
from deep.data.formats.joined import JoinedTable
from deep.data.formats.missing import raise_missing
from deep.data.reading import AS_IT_IS, Reading

SUFFIXES = {"arrow": "arrow", "parquet": "parquet"}
"""Minari's name of a storage, and how its files end."""
PADDED = ("actions", "rewards", "terminals", "timeouts")


def accepts(path: Path) -> bool:
    """Whether this is the metadata of a data set in one of these forms."""
    return path.name == minari.METADATA and minari.metadata(path).get("minari_data_format") in SUFFIXES


def files(path: Path) -> list[Path]:
    """All files that hold the data set: its metadata, and the parts of every episode."""
    return [path, *sorted(path.parent.glob("[0-9]*/part-*"))]


def read(path: Path, name: str, reading: Reading = AS_IT_IS) -> dict[str, Any]:
    """The seven arrays, the episodes in their order; an error calls the data set `name`."""
    reading.check_keys(minari.KEYS, name, "a Minari data set")
    given = reading.names()
    names = minari.NAMES | given
    if reading.cost_function is not None:
        del names["costs"]
    count = minari.metadata(path).get("minari_total_episodes")
    if not isinstance(count, int) or count < 1:
        raise_input_error(name, f"has {count} episodes in its metadata", "at least one is accepted")
    found = _columns(path.parent / "0", name).listing()
    names |= reading.others([each for each in found if each.startswith(minari.INFOS)])
    others = minari.other_costs(found, names, reading)
    episodes = [_episode(path.parent / str(i), names, others, given, name) for i in range(count)]
    fields = minari.joined(episodes, path, name, reading)
    found = [each.name for each in path.parent.glob("[0-9]*") if not each.is_file()]
    if more := len({*found} - {str(i) for i in range(count)}):
        fields["remarks"] = (*fields["remarks"], minari.more_episodes(more, "folder", count))
    return fields


def _episode(
    folder: Path, names: dict[str, str], others: list[str], given: dict[str, str], name: str
) -> dict[str, np.ndarray]:
    """The arrays of one episode, a row for each step."""
    found = JoinedTable(_columns(folder, name), name)
    if missing := {key: array for key, array in names.items() if not found.has(array)}:
        raise_missing(found.listing(), missing, name, given)
    arrays = {key: found.read(array) for key, array in names.items()}
    arrays |= {key: arrays[key][:-1] for key in PADDED if not names[key].startswith(minari.INFOS)}
    return minari.with_others(minari.aligned(arrays, names, f"episode {folder.name}", name), found, others)


def _columns(folder: Path, name: str) -> ColumnTable:
    """The columns of an episode's table, those of a structure under their place in it."""
    pyarrow, _, parquet = packages(name)
    parts = sorted(folder.glob("part-*"), key=lambda part: (len(part.name), part.name))
    if not parts:
        raise_input_error(
            name, f"has no episode {folder.name}", "a data set with the episodes of its metadata is accepted"
        )
    try:
        tables = [
            parquet.read_table(part, **WHOLE)
            if part.suffix == ".parquet"
            else pyarrow.ipc.open_file(pyarrow.BufferReader(part.read_bytes())).read_all()
            for part in parts
        ]
        table = pyarrow.concat_tables(tables)
        while any(pyarrow.types.is_struct(column.type) for column in table.columns):
            table = _without_structures(table, pyarrow)
    except (pyarrow.ArrowException, OSError, UnicodeError) as error:
        text = " ".join(str(error).split())
        raise_input_error(
            name, f"has an episode {folder.name} that cannot be read ({text})", "complete files are accepted"
        )
    return ColumnTable(dict(zip(table.column_names, table.columns, strict=True)), name)


def _without_structures(table: Any, pyarrow: Any) -> Any:
    """The table with every structure's entries as columns, which are named structure/entry."""
    columns: dict[str, Any] = {}
    for key, column in zip(table.column_names, table.columns, strict=True):
        if pyarrow.types.is_struct(column.type):
            parts = column.combine_chunks().flatten()
            columns |= {f"{key}/{field.name}": part for field, part in zip(column.type, parts, strict=True)}
        else:
            columns[key] = column
    return pyarrow.table(columns)
