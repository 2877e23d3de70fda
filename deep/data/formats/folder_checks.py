"""What shows that files of a folder do not belong together: two of the same rows, and one in other units.

Two files of the same rows are rejected. Numbers that are a thousand times those of the other files are remarked on, as
an episode may as well be of another size.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from deep.data.formats.errors import raise_input_error

THOUSAND = (300.0, 3000.0)
"""Between these, each quartile of a file's numbers is a thousand times that of the others."""
QUARTILES = (0.25, 0.5, 0.75)


def check_rows(tables: Sequence[Any], paths: Sequence[Path], name: str, package: Any) -> None:
    """Raise `InputError` for two files that hold the same rows.

    Args:
        tables: pyarrow's tables of the same columns, one for each path.
        paths: the files.
        name: the folder, for an error.
        package: pyarrow.
    """
    found: dict[tuple[int, bytes], Path] = {}
    for path, table in zip(paths, tables, strict=True):
        digest = hashlib.sha256()
        for key in sorted(table.column_names):
            column = table.column(key)
            numbers = _numbers(column, package)
            digest.update(repr(column.to_pylist()).encode() if numbers is None else numbers.tobytes())
        if (other := found.setdefault((len(table), digest.digest()), path)) is not path:
            raise_input_error(
                name, f"has {other.name} and {path.name}, of the same rows", "a folder with one of the two is accepted"
            )


def other_units(tables: Sequence[Any], paths: Sequence[Path], steps: Collection[str], package: Any) -> tuple[str, ...]:
    """A remark on a column whose numbers are about a thousand times as large, or as small, in some files as in the
    others; of `steps` the changes from row to row are compared. The other arguments are those of `check_rows`."""
    for key in tables[0].column_names:
        sizes = np.array([_size(table.column(key), key in steps, package) for table in tables])
        known = sizes[~np.isnan(sizes[:, 0])]
        if not len(known):
            continue
        usual = np.sort(known, axis=0)[(len(known) - 1) // 2]
        for ratio, size in ((sizes / usual, "large"), (usual / sizes, "small")):
            far = ((ratio > THOUSAND[0]) & (ratio < THOUSAND[1])).all(axis=1)
            if far.any():
                more = f" and {int(far.sum()) - 1} more of the files" if far.sum() > 1 else ""
                what = f"the step of {key} from row to row" if key in steps else f"the column {key}"
                note = f"{what} is about 1000 times as {size} in {paths[int(far.argmax())].name}{more} as in the others"
                return (f"{note}: check that all files have the same units, such as m or mm",)
    return ()


def _size(column: Any, changes: bool, package: Any) -> np.ndarray:
    """The quartiles of the numbers of a column, or of their changes, (3,), without sign and zeros; nan where there are
    none."""
    numbers = _numbers(column, package)
    found = np.array([]) if numbers is None or numbers.ndim > 1 else np.abs(np.diff(numbers) if changes else numbers)
    found = found[np.isfinite(found) & (found > 0)]
    return np.quantile(found, QUARTILES) if len(found) else np.full(len(QUARTILES), np.nan)


def _numbers(column: Any, package: Any) -> np.ndarray | None:
    """The numbers of a column, (n,), those of its lists one after another; None where it holds something else."""
    types, kind = package.types, column.type
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        column = package.chunked_array([chunk.flatten() for chunk in column.chunks], kind.value_type)
    if not (types.is_integer(column.type) or types.is_floating(column.type) or types.is_boolean(column.type)):
        return None
    return column.to_numpy().astype(np.float64)
