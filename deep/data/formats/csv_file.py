"""The table in a .csv file, its separator and decimal mark taken from the file itself.

The separator is the one of comma, semicolon and tab that is in the first line, outside quotes; two of them are
rejected. Between semicolons a column of numbers with decimal commas is one of numbers; a file that has decimal points
as well is rejected. A file that begins as UTF-16 does is read as such, one whose first line is no UTF-8 as Latin-1.
Spaces around a name, and the # before the first one, are left out; a line break in a name is a space.
"""

from __future__ import annotations

import codecs
import csv as text_csv
import re
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from deep.data.formats.errors import raise_input_error
from deep.data.formats.written_vectors import with_lists

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs"}
TRUE, FALSE = "true|wahr|vrai|vero|verdadero|verdadeiro|waar", "false|falsch|faux|falso|onwaar"
"""What spreadsheets of several languages write."""
BOOLEAN = f"^({TRUE}|{FALSE})$"
DECIMAL_COMMA = r"^[+-]?(\d+(,\d*)?|,\d+)(e[+-]?\d+)?$"
"""A number as a spreadsheet writes it in most of Europe."""
GROUPED = r"^[+-]?[1-9]\d{0,2},\d{3}$"
"""A number with a decimal comma, or one of at least a thousand."""
UNGROUPED = r"^[+-]?\d{1,3}$"
"""A number below a thousand."""
DECIMAL_POINT = r"^[+-]?\d*[.]\d+(e[+-]?\d+)?$"
NUMBER = re.compile(r"[+-]?[\d.,]*\d[\d.,]*([eE][+-]?\d+)?")
OF_COLUMN = re.compile(r"In CSV column #(\d+)")
"""Where pyarrow's error has the number of the column."""
OF_LINE = re.compile(r"(?:Row #(\d+): )?Expected (\d+) columns, got (\d+): (.*)", re.DOTALL)
"""Where it has a line of another number of cells; one thread alone knows its number."""
HEAD = 1 << 20
"""Bytes in which the first line ends."""


class Layout(NamedTuple):
    """How a file is to be read."""

    encoding: str
    separator: str
    skipped: int = 0
    """Lines before the one with the names."""


def read_csv(path: Path, name: str, pyarrow: Any, csv: Any) -> Any:
    """pyarrow's table; raises `InputError`, which calls the file `name`, and pyarrow's own errors."""
    layout = _layout(path, name)
    table = _typed(path, layout, name, pyarrow, csv)
    names = [re.sub(r"\s*[\r\n]\s*", " ", each.strip()) for each in table.column_names]
    names[0] = names[0].lstrip("#").strip() or names[0]
    table = table.rename_columns(names)
    commas = layout.separator == ";"
    return with_lists(_read_texts(table, commas, name, pyarrow), pyarrow, commas)


def _layout(path: Path, name: str) -> Layout:
    """The encoding and the separator, from the first line."""
    encoding, first = _first_line(path)
    if match := re.fullmatch(r"sep=(.)\s*", first):  # Excel's own line
        if match[1] in SEPARATORS:
            return Layout(encoding, match[1], 1)
        raise_input_error(name, f"has the separator {match[1]!r}", "commas, semicolons and tabs are accepted")
    cells = {each: next(text_csv.reader([first], delimiter=each), []) for each in SEPARATORS}
    found = [each for each in SEPARATORS if len(cells[each]) > 1]
    separator = found[0] if found else ","
    if any(_are_values(cells[each]) for each in found or [","]):
        accepted = "a first line with the names of the columns is accepted"
        raise_input_error(name, f"has numbers in its first line, {_shown(first)}", accepted)
    if not found and first:
        accepted = "a first line with the names of the columns, between commas, semicolons or tabs, is accepted"
        raise_input_error(name, f"has one column by its first line, {_shown(first)}", accepted)
    if len(found) > 1:
        words = " and ".join(SEPARATORS[each] for each in found)
        accepted = 'one separator is accepted, and a name that contains another one in double quotes: "a,b"'
        raise_input_error(name, f"has {words} in its first line, {_shown(first)}", accepted)
    return Layout(encoding, separator)


def _are_values(cells: list[str]) -> bool:
    """Whether these are numbers, but no names such as 0, 1, 2 for the columns of an array, after one for its index."""
    texts = [text for each in cells if (text := each.strip())]
    numbers = [text for text in texts if NUMBER.fullmatch(text)]
    if numbers == [str(i) for i in range(len(numbers))]:
        return False
    return len(numbers) == len(texts) or not all(text.isdigit() for text in numbers)


def _first_line(path: Path) -> tuple[str, str]:
    """The encoding and the first line."""
    with path.open("rb") as file:
        head = file.read(HEAD)
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16", re.split(r"[\r\n]", head.decode("utf-16", errors="ignore"))[0]
    line = re.split(rb"[\r\n]", head)[0]
    try:
        return "utf8", line.decode("utf-8-sig")
    except UnicodeDecodeError:
        return "latin-1", line.decode("latin-1")


def _shown(line: str) -> str:
    return repr(line if len(line) <= 80 else f"{line[:80]}...")


def _typed(path: Path, layout: Layout, name: str, pyarrow: Any, csv: Any) -> Any:
    """The table. pyarrow takes a column's type from its first rows. Where a later row does not fit, it is a float, and
    where a later row is no number, a text."""
    options = {
        "read_options": csv.ReadOptions(encoding=layout.encoding, skip_rows=layout.skipped),
        "parse_options": csv.ParseOptions(delimiter=layout.separator, newlines_in_values=True),
    }
    kinds: dict[str, Any] = {}
    names: list[str] = []
    while True:
        try:
            if not names:
                with csv.open_csv(path, **options) as opened:
                    names = opened.schema.names
            return csv.read_csv(path, convert_options=csv.ConvertOptions(column_types=kinds), **options)
        except pyarrow.ArrowInvalid as error:
            found = OF_COLUMN.search(str(error))
            column = names[int(found[1])] if found else None
            if line := OF_LINE.search(str(error)):
                if line[1] is None and options["read_options"].use_threads:
                    options["read_options"].use_threads = False
                    continue
                _raise_on_line(line, layout, name)
            if column is None or kinds.get(column) == pyarrow.string():
                raise
            kinds[column] = pyarrow.string() if column in kinds else pyarrow.float64()


def _raise_on_line(found: re.Match[str], layout: Layout, name: str) -> NoReturn:
    """Raise `InputError` for a line that has not as many cells as the first one, such as a comment."""
    line = f"line {int(found[1]) + layout.skipped}" if found[1] else "a line"
    cells = "1 cell" if found[3] == "1" else f"{found[3]} cells"
    shown = f"has {cells} in {line}, {_shown(' '.join(found[4].split()))}"
    accepted = "as many in each line as names in the first one are accepted, and no titles or comments"
    raise_input_error(name, f"{shown}, and {found[2]} in its first line", accepted)


def _read_texts(table: Any, commas: bool, name: str, pyarrow: Any) -> Any:
    """The table with columns of texts as booleans or, where `commas` says so, as numbers with decimal commas, if all
    their cells are such."""
    compute: Any = import_module("pyarrow.compute")  # without types
    with_commas, with_points, grouped = [], [], []
    for i, (key, column) in enumerate(zip(table.column_names, table.columns, strict=True)):
        if pyarrow.types.is_string(column.type):
            text = compute.utf8_lower(compute.utf8_trim_whitespace(column))
            if compute.all(compute.match_substring_regex(text, BOOLEAN)).as_py():
                table = table.set_column(i, key, compute.match_substring_regex(text, f"^({TRUE})$"))
                continue
            numbers = compute.match_substring_regex(text, DECIMAL_COMMA)
            if not commas or not compute.any(numbers).as_py():
                continue
            if compute.any(compute.and_(numbers, compute.match_substring(text, ","))).as_py():
                with_commas.append(key)
                either = compute.match_substring_regex(text, f"{GROUPED}|{UNGROUPED}")
                sure = compute.any(compute.and_not(numbers, either)).as_py()
                grouped += [] if sure else [key]
            if compute.any(compute.match_substring_regex(text, DECIMAL_POINT)).as_py():
                with_points.append(key)
            text = compute.if_else(numbers, compute.replace_substring(text, ",", "."), column)
            whole = compute.all(numbers).as_py()
            table = table.set_column(i, key, compute.cast(text, pyarrow.float64()) if whole else text)
        elif pyarrow.types.is_floating(column.type):
            whole = compute.all(compute.equal(column, compute.round(column))).as_py()
            with_points += [] if whole else [key]
    if with_commas and with_points:
        found = f"has decimal commas in {with_commas[0]} and decimal points in {with_points[0]}"
        raise_input_error(name, found, "one of both is accepted")
    if with_commas and grouped == with_commas:
        found = f"has commas with three digits after each in {with_commas[0]}, for decimals or for thousands"
        raise_input_error(name, found, "numbers without separators of thousands, and with decimal points, are accepted")
    return table
