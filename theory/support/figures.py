"""Figures: written whole or not at all, and text of users that no figure takes for a formula."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from theory.support.files import write_whole

if TYPE_CHECKING:  # commands start a second earlier without matplotlib
    from matplotlib.figure import Figure


def write_figure(figure: Figure, path: Path, **options: Any) -> None:
    """Write the figure as PNG; `options` are those of `savefig`. Raises `InputError` where it cannot be written."""
    content = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph", UserWarning)  # a letter that the font lacks becomes a box
        figure.savefig(content, format="png", **options)
    write_whole(path, content.getvalue())


def plain(text: str) -> str:
    """The text as a figure shows it: no dollar sign begins a formula, and bytes that are not UTF-8 become "?"."""
    return text.encode(errors="replace").decode().replace("$", r"\$")
