"""What a verdict depends on, as one hash: the meaning of the project's files that a claim's module and the certified
instances import, of the judge, and the bytes of the ratios that the search reached and of the claim's certificates.

The meaning of a file is its code without comments and docstrings. Neither its own name counts nor that of a project
module it imports from, but what that module says does. So a moved file or a better sentence makes no verdict stale; any
other change does, until `python -m verification.ledger` has run again.
"""

import ast
import hashlib
from collections.abc import Collection, Iterable
from functools import cache
from pathlib import Path

from verification.checker.certify import CERTIFICATES

ROOT = Path(__file__).parents[2]
PACKAGES = ("theory", "deep", "verification")


@cache
def source(module: str) -> Path | None:
    """The file of a module of this project, None for any other."""
    if module.split(".")[0] not in PACKAGES:
        return None
    base = ROOT.joinpath(*module.split("."))
    return next((path for path in (base.with_suffix(".py"), base / "__init__.py") if path.is_file()), None)


@cache
def imports(module: str) -> frozenset[str]:
    """The project's modules that one module names in its imports."""
    path, found = source(module), set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if path else ():
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{name.name}" for name in node.names)}
    return frozenset(name for name in found if source(name))


def dependencies(module: str, without: Collection[str] = ()) -> list[Path]:
    """The files that a module imports, itself included, transitively, but for those `without` and through them."""
    visited, waiting = set(without), [module]
    while waiting:
        name = waiting.pop()
        if name not in visited:
            visited.add(name)
            waiting += imports(name)
    return sorted({path for name in visited - set(without) if (path := source(name))})


@cache
def meaning(code: str, without: frozenset[str] = frozenset()) -> str:
    """A hash of a file's code; an import from a project module is hashed with that module's own code, unless it is one
    of those `without`."""
    tree = _stripped(code)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module in without:
            node.module = ""
        elif isinstance(node, ast.ImportFrom) and node.module and source(node.module):
            for name in node.names:  # a name may be a module itself: then its own name, which may change, is left out
                inner = source(found) if (found := f"{node.module}.{name.name}") not in without else None
                name.name = _own(inner.read_text(encoding="utf-8")) if inner else name.name
            node.module = _own(_text(node.module))
        elif isinstance(node, ast.Import):
            for name in node.names:
                name.name = _own(_text(name.name)) if source(name.name) else name.name
    return _digest(tree)


def _text(module: str) -> str:
    path = source(module)
    return path.read_text(encoding="utf-8") if path else ""


@cache
def _own(code: str) -> str:
    """The same hash without the content of imported project modules, which ends the recursion."""
    tree = _stripped(code)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and source(node.module):
            node.module = ""
    return _digest(tree)


def _stripped(code: str) -> ast.Module:
    """The parsed code without docstrings; comments are gone by parsing."""
    tree = ast.parse(code)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):  # texts that stand alone are docstrings
            node.body = [item for item in body if not _is_text(item)]  # pyright: ignore[reportAttributeAccessIssue]
    return tree


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _digest(tree: ast.Module) -> str:
    # Which module an import comes from decides the order that the formatter gives to imports, so their order is left
    # out.
    imported = sorted(ast.dump(node) for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom))
    others = [ast.dump(node) for node in tree.body if not isinstance(node, ast.Import | ast.ImportFrom)]
    return hashlib.sha256("\n".join([*imported, "", *others]).encode()).hexdigest()


def meanings(paths: Iterable[Path], without: Collection[str] = ()) -> list[str]:
    """The meanings of these files, in an order that their names do not decide."""
    return sorted(meaning(path.read_text(encoding="utf-8"), frozenset(without)) for path in paths)


def files(module: str) -> set[Path]:
    """The code that a verdict on a claim of this module depends on; of the judge, which imports all claims, itself."""
    judge = source("verification.judging")
    return {*dependencies(module), *dependencies("verification.checker.certified"), *([judge] if judge else ())}


def fingerprint(module: str, certificates: tuple[str, ...]) -> str:
    """The hash of a claim's evidence; line endings do not matter."""
    digest = hashlib.sha256(meaning(_text(module)).encode())
    for found in meanings(files(module)):
        digest.update(found.encode())
    ratios = ROOT / "verification" / "best_ratios.json"
    for path in (ratios, *(CERTIFICATES / f"{name}.json" for name in certificates)):
        digest.update(path.stem.encode())
        digest.update(path.read_bytes().replace(b"\r\n", b"\n"))
    return digest.hexdigest()[:16]
