"""HTML pages that are one file each: figures are inside, nothing is loaded from elsewhere."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

KINDS = {".png": "image/png", ".gif": "image/gif"}


def render(template: str, **content: Any) -> str:
    """A template of this folder with its content, in which every text is escaped. What is no UTF-8, such as a part of a
    file's name, becomes "?"."""
    loader = FileSystemLoader(Path(__file__).parent)
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    return environment.get_template(template).render(**content).encode(errors="replace").decode()


def embedded(path: Path) -> str | None:
    """A picture as the text that stands for its address; None where there is none."""
    if not path.is_file():
        return None
    return inside(path.read_bytes(), KINDS[path.suffix])


def inside(content: bytes, kind: str = "image/png") -> str:
    """The bytes of a picture as the text that stands for its address."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
