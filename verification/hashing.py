"""What a verdict rests on, as one hash: the project's files that a claim's module and the certified instances import,
the judge, the ratios that the search reached, and the claim's certificates.

A change to any of them, a comment's too, makes the verdict stale until `python -m verification.ledger` has run again.
"""

import ast
import hashlib
from collections.abc import Collection
from functools import cache
from pathlib import Path

from verification.certify import CERTIFICATES

ROOT = Path(__file__).parent.parent
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


def rests_on(module: str, without: Collection[str] = ()) -> list[Path]:
    """The files that a module imports, itself included, transitively, but for those `without` and through them."""
    known, waiting = set(without), [module]
    while waiting:
        name = waiting.pop()
        if name not in known:
            known.add(name)
            waiting += imports(name)
    return sorted({path for name in known - set(without) if (path := source(name))})


def fingerprint(module: str, certificates: tuple[str, ...]) -> str:
    """The hash of a claim's evidence; line endings do not matter."""
    digest = hashlib.sha256()
    sources = sorted({*rests_on(module), *rests_on("verification.certified")})
    judges = [ROOT / "verification" / name for name in ("ledger.py", "best_ratios.json")]
    for path in [*sources, *judges, *(CERTIFICATES / f"{name}.json" for name in certificates)]:
        digest.update(path.relative_to(ROOT).as_posix().encode())
        digest.update(path.read_bytes().replace(b"\r\n", b"\n"))
    return digest.hexdigest()[:16]
