"""The options of a command, read from the source of its dataclasses, without an import of torch or of a simulator.

A wrong command line is then rejected at once. `tyro` reads the same dataclasses later and makes the objects; a test
compares the two for every method.
"""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

OWN = ("deep.", "theory.", "verification.")
"""The packages whose source is read."""


@dataclass(frozen=True)
class Option:
    """One option of a command line."""

    name: str
    """As it is written after "--": "gate.eval-every"."""
    kind: str
    """int, float, bool, literal, or text (anything else, unchecked)."""
    several: bool = False
    """Whether it takes any number of values."""
    optional: bool = False
    """Whether None is a value."""
    count: int = 1
    """How many values it takes where it does not take any number."""
    values: tuple[str, ...] = ()
    """literal: the accepted values."""
    default: str = ""
    """As the source has it; empty where there is none."""
    help: str = ""
    positional: bool = False


@cache
def _tree(module: str) -> ast.Module:
    parts = module.split(".")
    package = find_spec(parts[0])
    assert package is not None
    assert package.submodule_search_locations is not None
    path = Path(package.submodule_search_locations[0]).joinpath(*parts[1:])
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return ast.parse(file.read_text(encoding="utf-8"))


@cache
def _names(module: str) -> dict[str, ast.AST | tuple[str, str]]:
    """What the module's names are: a class, an assigned value, or (module, name) of an import from this project.

    Of several definitions of a name, the first counts.
    """
    found: dict[str, ast.AST | tuple[str, str]] = {}
    for statement in ast.walk(_tree(module)):
        if isinstance(statement, ast.ClassDef):
            found.setdefault(statement.name, statement)
        elif isinstance(statement, ast.Assign):
            for target in statement.targets:
                if isinstance(target, ast.Name):
                    found.setdefault(target.id, statement.value)
        elif isinstance(statement, ast.ImportFrom) and (statement.module or "").startswith(
            ("deep.", "theory.", "verification.")
        ):
            for alias in statement.names:
                found.setdefault(alias.asname or alias.name, (str(statement.module), alias.name))
    return found


def _resolve(module: str, name: str) -> tuple[str, ast.AST] | None:
    """The module and the statement that define a name; None where they are not in this project's source."""
    found = _names(module).get(name)
    if isinstance(found, tuple):
        return _resolve(*found)
    return None if found is None else (module, found)


def options_of(module: str, name: str, prefix: str = "") -> list[Option]:
    """The options of a dataclass, those of nested dataclasses included, in the order of the source.

    An option that a subclass states again has the subclass's default and its place in the base.
    """
    return list({option.name: option for option in _options(module, name, prefix)}.values())


def title_of(module: str, name: str) -> str:
    """The first line of a dataclass's docstring."""
    where = _resolve(module, name)
    assert where is not None, (module, name)
    assert isinstance(where[1], ast.ClassDef), (module, name)
    return (ast.get_docstring(where[1]) or "").partition("\n")[0]


def _options(module: str, name: str, prefix: str) -> Iterator[Option]:
    where = _resolve(module, name)
    assert where is not None, (module, name)
    module, node = where
    assert isinstance(node, ast.ClassDef), (module, name)
    for base in node.bases:
        base_name = base.value if isinstance(base, ast.Subscript) else base
        if isinstance(base_name, ast.Name) and base_name.id not in ("Generic", "Protocol", "NamedTuple"):
            yield from _options(module, base_name.id, prefix)
    for position, statement in enumerate(node.body):
        if not isinstance(statement, ast.AnnAssign) or not isinstance(statement.target, ast.Name):
            continue
        annotation, unnamed, positional = _unwrapped(statement.annotation)
        nested = _dataclass(module, annotation)
        label = statement.target.id.replace("_", "-")
        if nested is not None:
            yield from _options(*nested, prefix if unnamed else f"{prefix}{label}.")
        elif not unnamed:
            text = _docstring(node.body[position + 1 :])
            default = ast.unparse(statement.value) if statement.value else ""
            yield _option(module, prefix + label, annotation, default, text, positional)


def _unwrapped(annotation: ast.expr) -> tuple[ast.expr, bool, bool]:
    """(type, whether `tyro.conf.arg(name="")` hides the name, whether it is positional) of an annotation."""
    if isinstance(annotation, ast.Subscript) and ast.unparse(annotation.value) == "Annotated":
        assert isinstance(annotation.slice, ast.Tuple)
        first, *rest = annotation.slice.elts
        marks = " ".join(map(ast.unparse, rest))
        return first, "name=''" in marks, "Positional" in marks
    return annotation, False, False


def _dataclass(module: str, annotation: ast.expr) -> tuple[str, str] | None:
    if not isinstance(annotation, ast.Name):
        return None
    where = _resolve(module, annotation.id)
    return (where[0], annotation.id) if where is not None and isinstance(where[1], ast.ClassDef) else None


def _docstring(rest: list[ast.stmt]) -> str:
    """The string after a field, on one line."""
    if rest and isinstance(rest[0], ast.Expr) and isinstance(rest[0].value, ast.Constant):
        return " ".join(textwrap.dedent(str(rest[0].value.value)).split())
    return ""


def _option(module: str, name: str, annotation: ast.expr, default: str, text: str, positional: bool) -> Option:
    optional = False
    if isinstance(annotation, ast.BinOp):  # X | None
        annotation, optional = annotation.left, True
    module, annotation = _alias(module, annotation)
    several, count = False, 1
    if isinstance(annotation, ast.Subscript) and ast.unparse(annotation.value) == "tuple":
        assert isinstance(annotation.slice, ast.Tuple)
        first, *others = annotation.slice.elts
        several = ast.unparse(others[-1]) == "..."
        (_, annotation), count = _alias(module, first), 1 if several else len(others) + 1
    kind, values = _kind(annotation)
    return Option(name, kind, several, optional, count, values, default, text, positional)


def _alias(module: str, annotation: ast.expr) -> tuple[str, ast.expr]:
    """What a name such as `Kind = Literal[...]` stands for, and its module; anything else as it is."""
    if isinstance(annotation, ast.Name) and annotation.id not in ("int", "float", "bool", "str", "Path"):
        where = _resolve(module, annotation.id)
        if where is not None and isinstance(where[1], ast.expr):
            return where[0], where[1]
    return module, annotation


def _kind(annotation: ast.expr) -> tuple[str, tuple[str, ...]]:
    text = ast.unparse(annotation)
    if text in ("int", "float", "bool"):
        return text, ()
    if isinstance(annotation, ast.Subscript) and ast.unparse(annotation.value) == "Literal":
        parts = annotation.slice.elts if isinstance(annotation.slice, ast.Tuple) else [annotation.slice]
        if all(isinstance(part, ast.Constant) for part in parts):
            return "literal", tuple(str(part.value) for part in parts if isinstance(part, ast.Constant))
    return "text", ()


def config_class(module: str) -> str:
    """The name of a method's configuration: the class of `presets={"quick": ...}` in its module."""
    for node in ast.walk(_tree(module)):
        if isinstance(node, ast.keyword) and node.arg == "presets" and isinstance(node.value, ast.Dict):
            quick = node.value.values[0]
            if isinstance(quick, ast.Name):
                quick = next(
                    statement.value
                    for statement in ast.walk(_tree(module))
                    if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == quick.id
                )
            if isinstance(quick, ast.Call) and ast.unparse(quick.func) == "replace":  # of a configuration's fields
                quick = quick.args[0]
            if isinstance(quick, ast.Call) and isinstance(quick.func, ast.Name):
                return quick.func.id
    raise LookupError(f"{module} states no presets")
