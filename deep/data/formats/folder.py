"""The tables of a folder as one: each file is an episode, or more where a column numbers them.

An episode whose number stands in the last row of a file and in the first row of the next one, without a mark of an end
between them, goes on there where the steps do. Without steps it goes on unless every file begins with the same number,
as where each begins to count anew: then either may be meant, and the files are rejected.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from deep.data.formats.errors import raise_input_error
from deep.data.formats.folder_checks import check_rows, other_units
from deep.data.formats.missing import parts
from deep.data.formats.numbered import OF_FILE, UNNUMBERED
from deep.data.formats.steps import GAP, TIMES

MARKED = (1, True, "1", "true", "True", "TRUE")
"""Cells that mark an end."""
RECENT = 200
"""The rows at the end of a file by which the usual difference of its steps is known."""
ARRAYS = (".hdf5", ".h5", ".npz")
"""How files of other formats end, which a folder of tables may hold beside them."""
ENDINGS = (".gz", ".bz2", ".xz", ".zst", ".zip", ".part", ".tmp")
"""What follows in the name of a table that is compressed, or not written to its end."""


def files(path: Path, suffixes: Collection[str]) -> list[Path]:
    """The file, or those in the folder, run_2 before run_10. Raises `InputError` where one cannot be opened."""
    if not path.is_dir():
        return [path]
    seen = sorted(each for each in path.iterdir() if not each.name.startswith("."))
    found = [each for each in seen if each.suffix.lower() in suffixes and not os.path.isdir(each)]
    for each in found:
        dangling = each.is_symlink() and not os.path.exists(each)
        if not os.path.isfile(each):
            kind = "a link that leads to nothing" if dangling else "which is neither a file nor a folder"
            raise_input_error(str(path), f"has {each.name}, {kind}", "a folder without it is accepted")
    # Of the superscript 2, isdigit() is true, and int() takes it for no number.
    return sorted(found, key=lambda each: [int(x) if x.isdecimal() else x for x in re.split(r"(\d+)", each.name)])


def check_files(paths: Sequence[Path], name: str) -> None:
    """Raise `InputError` for two files of one name in two formats."""
    stems: dict[str, Path] = {}
    for path in paths:
        if (other := stems.setdefault(path.stem, path)) is not path:
            found = f"has {other.name} and {path.name}, of one name in two formats"
            raise_input_error(name, found, "a folder with one of the two is accepted")


def skipped(path: Path, suffixes: Collection[str]) -> tuple[str, ...]:
    """Remarks on files in or below the folder that hold tables, or arrays, and are not read; and on broken links."""
    if not path.is_dir():
        return ()
    there = list(_below(path))
    left = [each for each in there if each.parent != path or each.suffix.lower() not in suffixes]
    left = [each for each in left if _is_table(each, (*suffixes, *ARRAYS))]
    shown = sorted(str(each.relative_to(path)) for each in left)
    remarks = (f"{len(left)} more tables of the folder are not read, such as {shown[0]}",) if left else ()
    lost = sorted(str(each.relative_to(path)) for each in there if each.is_symlink() and not os.path.exists(each))
    return (*remarks, *(f"{name} is a link that leads to nothing: no data were read there" for name in lost))


def _below(path: Path) -> Iterator[Path]:
    """The files in and below a folder, through links too. A folder that several links lead to is walked once."""
    above = {path.resolve(), *path.resolve().parents}
    for here, folders, files in os.walk(path, followlinks=True):
        yield from (Path(here, name) for name in files if not name.startswith("."))
        new = {Path(here, name).resolve(): name for name in sorted(folders)}
        new = {real: name for real, name in new.items() if real not in above}
        folders[:] = new.values()  # os.walk goes on with these
        above |= new.keys()


def _is_table(path: Path, suffixes: Collection[str]) -> bool:
    *before, last = path.suffixes or [""]
    endings = before if last.lower() in ENDINGS else [last]  # .csv.123.tmp has the number of a process
    return any(each.lower() in suffixes for each in endings)


def joined(
    tables: Sequence[Any],
    paths: Sequence[Path],
    names: Mapping[str, str],
    steps: Collection[str],
    name: str,
    package: Any,
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The columns of all files, one after another, and remarks on files in other units and on episodes that go on in
    the next file. The numbers of the episodes become different in each file; without such there is a column OF_FILE.

    Args:
        tables: pyarrow's tables, one for each path.
        paths: the files.
        names: the column of each key that there may be.
        steps: the columns of the step or the time.
        name: the folder, for an error.
        package: pyarrow.
    """
    keys, columns = tables[0].column_names, {}
    for path, table in zip(paths, tables, strict=True):
        if lacking := sorted(set(keys) ^ set(table.column_names)):
            has = f"has {lacking[0]} in {paths[0].name if lacking[0] in keys else path.name}"
            without = path.name if lacking[0] in keys else paths[0].name
            raise_input_error(name, f"{has}, and not in {without}", "files with the same columns are accepted")
    check_rows(tables, paths, name, package)
    remarks = other_units(tables, paths, steps, package)
    wanted = {part for array in names.values() for part in parts(array, keys)} | set(steps)
    for key in keys:
        try:
            columns[key] = _column(tables, key, package)
        except package.ArrowException:  # of types that have nothing in common
            if key in wanted:
                kind = tables[0].column(key).type
                i = next(i for i, table in enumerate(tables) if table.column(key).type != kind)
                found = (
                    f"has {key} of type {kind} in {paths[0].name} and {tables[i].column(key).type} in {paths[i].name}"
                )
                raise_input_error(name, found, "one type in all files is accepted")
    number = names.get("episodes", "")
    if number not in keys:
        labels = [path.name for path, table in zip(paths, tables, strict=True) for _ in range(len(table))]
        return columns | {OF_FILE: package.chunked_array([labels], package.string())}, remarks
    labels, going = _labels(tables, paths, number, names, steps, name)
    times = "1 episode goes" if going == 1 else f"{going} times an episode goes"
    note = f"{times} on in the next file, as its {number} stands on both sides; "
    note += "--columns episodes= makes each file an episode"
    columns[number] = package.chunked_array([labels], package.string())
    return columns, (*remarks, note) if going else remarks


def _column(tables: Sequence[Any], key: str, package: Any) -> Any:
    """One column of all files, of a type that holds the numbers of all; raises pyarrow's error where there is none."""
    types = package.types
    kinds = {str(kind): kind for table in tables if not types.is_null(kind := table.column(key).type)}
    found = list(kinds.values()) or [package.null()]

    def numeric(kind: Any) -> bool:
        return types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind)

    lists = all(types.is_list(each) or types.is_large_list(each) or types.is_fixed_size_list(each) for each in found)
    if len(found) == 1:
        kind = found[0]
    elif all(map(numeric, found)):
        kind = package.float64()
    elif lists and all(numeric(each.value_type) for each in found):
        kind = package.list_(package.float64())
    else:
        kind = package.string()
    chunks = [chunk for table in tables for chunk in table.column(key).cast(kind).chunks]
    return package.chunked_array(chunks, kind)


def _labels(
    tables: Sequence[Any],
    paths: Sequence[Path],
    number: str,
    names: Mapping[str, str],
    steps: Collection[str],
    name: str,
) -> tuple[list[str | None], int]:
    """The file and the number of each row's episode, and how many times one goes on in the next file and keeps its
    label."""
    filled = [(path, table, table.column(number).to_pylist()) for path, table in zip(paths, tables, strict=True)]
    filled = [each for each in filled if each[2]]
    alike = len({numbers[0] for _, _, numbers in filled}) == 1
    ends = [column for key in ("terminals", "timeouts", "dones") if (column := names.get(key))]
    labels: list[str | None] = []
    going = 0
    before: tuple[Path, Any, list[Any]] | None = None
    for path, table, numbers in filled:
        own = [None if each is None else f"{path.name} {each}" for each in numbers]
        if before is not None and numbers[0] == before[2][-1] and not _is_marked(before[1], ends):
            follows = _follows(before[1], table, [each for each in steps if each in table.column_names])
            if follows is None and alike:
                found = f"has {number} {numbers[0]} at the end of {before[0].name} and at the start of {path.name}"
                accepted = (
                    "a column step, which says whether the episode goes on there, is accepted, or each episode in "
                )
                raise_input_error(name, found, f"{accepted}one file; {UNNUMBERED}, and makes each file an episode")
            if follows is not False:
                length = next((i for i, each in enumerate(numbers) if each != numbers[0]), len(numbers))
                own[:length] = [labels[-1]] * length
                going += 1
        labels += own
        before = path, table, numbers
    return labels, going


def _is_marked(table: Any, ends: Collection[str]) -> bool:
    """Whether one of these columns marks an end in the table's last row."""
    return any(table.column(key)[-1].as_py() in MARKED for key in ends if key in table.column_names)


def _follows(table: Any, after: Any, steps: Collection[str]) -> bool | None:
    """Whether the steps of the second table go on where those of the first stop; None where there are none."""
    found = []
    for key in steps:
        earlier, first = table.column(key)[-RECENT:].to_pylist(), after.column(key)[0].as_py()
        if any(each is None or isinstance(each, str) for each in (*earlier, first)):
            continue
        change, zero = first - earlier[-1], 0 * (first - first)
        grown = sorted(each for i in range(1, len(earlier)) if (each := earlier[i] - earlier[i - 1]) > zero)
        if (change == zero or not grown) and (key.lower() in TIMES or not isinstance(first, int)):
            continue  # a time that stands still
        found.append(change > zero and (not grown or change <= GAP * grown[len(grown) // 2]))
    return all(found) if found else None
