"""Vectors that stand in one cell as text: "[0.1, 0.2]" and "(0.1, 0.2)", as JSON and Python write them, or "[0.1 0.2]",
as numpy does.

Such a column becomes one of lists where every cell has the same number of entries. numpy leaves entries of long vectors
out ("[0. 0. ... 0.]"); such a column stays one of texts, which are rejected where they are read.
"""

from __future__ import annotations

import re
from typing import Any

from deep.data.formats.errors import raise_input_error, shortened

CELL = re.compile(r"\[([^\[\]()_]*)\]|\(([^\[\]()_,]+, [^\[\]()_]*)\)")
"""In round brackets as Python writes a tuple; (1,234) is a negative number to others."""
FIRST = re.compile(r"\s*((array|tensor)?\(?\[|\([^,]+, )")
"""How a cell begins that is meant for a vector."""
BETWEEN = re.compile(r"\d,\d")
WORDS = {"true": 1.0, "false": 0.0}


def with_lists(table: Any, package: Any, commas: bool = False) -> Any:
    """The table, its columns of written vectors as columns of lists; `package` is pyarrow. With `commas`, numbers may
    have decimal commas: vectors in which a comma may be one stay texts."""
    for i, (key, column) in enumerate(zip(table.column_names, table.columns, strict=True)):
        if not is_written(column, package):
            continue
        texts = column.to_pylist()
        if commas and not any("." in text for text in texts) and any(map(BETWEEN.search, texts)):
            continue
        size, entries = len(_entries(texts[0]) or ()), []
        for text in texts if size else ():
            row = _entries(text)
            if row is None or len(row) != size:
                break
            entries.extend(row)
        else:
            if size:
                values = package.array(entries, package.float64())
                offsets = package.array(range(0, len(entries) + 1, size), package.int64())
                table = table.set_column(i, key, package.LargeListArray.from_arrays(offsets, values))
    return table


def is_written(column: Any, package: Any) -> bool:
    """Whether the first cell of a column of texts, none of which is missing, looks like a vector."""
    kinds = (package.string(), package.large_string())
    if column.type not in kinds or not len(column) or column.null_count:
        return False
    return FIRST.match(column[0].as_py()) is not None


def raise_on_written(column: Any, key: str, name: str, package: Any) -> None:
    """Raise `InputError` for the first cell of such a column that is no vector of the first one's size."""
    if not is_written(column, package):
        return
    texts = column.to_pylist()
    size = len(_entries(texts[0]) or ())
    for row, text in enumerate(texts):
        entries = _entries(text)
        if not entries or len(entries) != size:
            shown = repr(shortened(text))
            accepted = (
                f"{f'{size} numbers' if size else 'as many numbers'} in each row are accepted, such as [0.1, 0.2] "
            )
            accepted += "or [0.1 0.2], none left out, or a column for each number"
            raise_input_error(name, f"has {shown} in row {row} of {key}", accepted)


def _entries(text: str) -> list[float] | None:
    """The numbers of a written vector; None where the text is none."""
    match = CELL.fullmatch(text.strip())
    if match is None:
        return None
    inside = match[1] or match[2] or ""
    entries = inside.split(",") if "," in inside else inside.split()
    try:
        return [float(each) for each in entries]
    except ValueError:
        words = [each.strip().lower() for each in entries]
        return [WORDS[word] for word in words] if WORDS.keys() >= set(words) else None
