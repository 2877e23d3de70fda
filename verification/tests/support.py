"""The texts of a certificate and where they stand."""

from collections.abc import Iterator
from typing import Any


def leaves(entry: Any, trail: tuple = ()) -> Iterator[tuple]:
    """The paths to every text of a certificate."""
    if isinstance(entry, dict):
        for key, inner in entry.items():
            yield from leaves(inner, (*trail, key))
    elif isinstance(entry, list):
        for i, inner in enumerate(entry):
            yield from leaves(inner, (*trail, i))
    else:
        yield trail


def at(content: Any, trail: tuple) -> Any:
    for key in trail:
        content = content[key]
    return content
