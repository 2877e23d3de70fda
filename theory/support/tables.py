"""Tables of results as CSV files."""

import csv
import io
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from theory.support.files import write_whole

Row = dict[str, Any]


def write_table(path: Path, rows: Sequence[Row]) -> None:
    """One line per row; floats are written so that reading them back gives the same bits."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(dict.fromkeys(name for row in rows for name in row)))
    writer.writeheader()
    writer.writerows({name: repr(float(v)) if isinstance(v, float) else v for name, v in row.items()} for row in rows)
    write_whole(path, text.getvalue().encode())


def read_table(path: Path, texts: Collection[str] = ()) -> list[Row]:
    """The rows that `write_table` wrote: numbers and truth values as such, None for what is empty.

    What stands in the columns named in `texts` stays text, whatever it looks like.
    """
    with path.open(newline="", encoding="utf-8") as file:
        return [
            {name: text if name in texts else _value(text) for name, text in line.items()}
            for line in csv.DictReader(file, restval="")
        ]


def _value(text: str) -> Any:
    if text in ("", "True", "False"):
        return {"": None, "True": True, "False": False}[text]
    if len(text) > 30 or "_" in text:  # a hash, which may look like a number; Python reads 1_000 as one
        return text
    for number in (int, float):
        try:
            return number(text)
        except ValueError:
            continue
    return text
