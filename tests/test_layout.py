"""Imports run down, nobody imports a command, `__init__.py` holds no code, tests share helpers in tests/support."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import pytest

from tests.support import order

ROOT = Path(__file__).parent.parent

FLOORS = (
    ("theory",),
    ("deep.cli",),
    ("deep.tasks",),
    ("deep.envs",),
    ("deep.data",),
    ("deep.core",),
    ("deep.nn", "deep.describe"),
    ("deep.convert",),
    ("deep.ope", "deep.collect"),
    ("deep.methods",),
    ("deep.runs",),
    ("deep.evaluate", "deep.export"),
    ("deep.page",),
    ("deep.training", "deep.compare", "deep.deploy"),
    ("deep.train",),
    ("deep.benchmark", "deep.speed", "deep.api", "deep.tune"),
    ("deep", "deep.console"),
    ("verification",),
)
"""The rooms from the ground up. A module imports from its own room and from floors below; rooms of one floor are apart.

The room "deep" is `deep/__init__.py`, the interface for scripts, and what lies beside the rooms, as `deep/__main__.py`.
"""

FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}

MAY_IMPORT_TRAIN = "deep.benchmark.child"
"""The training command in a process that ends with its parent."""

WITH_CODE = {"deep", "deep.data.formats", "deep.envs", "deep.speed", "theory", "theory.optimum"}
"""Packages whose `__init__.py` may hold code: interfaces, lists of formats and of ids, a setting that torch reads."""


class Import(NamedTuple):
    """One module imports another, `line` of its file."""

    module: str
    line: int
    imported: str

    def __str__(self) -> str:
        return f"{self.module}:{self.line} imports {self.imported}"


def modules(root: Path, *packages: str) -> dict[str, Path]:
    """The Python files of the packages by the module's name; a package goes by its own name."""
    files = [file for package in packages for file in (root / package).rglob("*.py")]
    return {".".join(file.relative_to(root).with_suffix("").parts).removesuffix(".__init__"): file for file in files}


def imports(known: Mapping[str, Path]) -> Iterator[Import]:
    """Every import of one of these modules by another, at the top or inside a function, with the packages on the way.

    `from a.b import c` is an import of a.b.c where that is a module, and of a.b where it is a name in it. Imports for
    annotations alone (`if TYPE_CHECKING:`) count.
    """
    for module, file in known.items():
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom):
                package = file.relative_to(file.parents[module.count(".") + (file.name == "__init__.py")])
                above = [*package.parts[: -node.level]] if node.level else []
                base = ".".join([*above, *([node.module] if node.module else [])])
                names = [f"{base}.{alias.name}" for alias in node.names]
                found = {name if name in known else base for name in names}
            elif isinstance(node, ast.Import):
                found = {alias.name for alias in node.names}
            else:
                continue
            yield from (Import(module, node.lineno, name) for name in found & known.keys() - {module})


def packages_of(module: str) -> list[str]:
    parts = module.split(".")
    return [".".join(parts[:length]) for length in range(1, len(parts))]


def room(module: str) -> str:
    """The room of FLOORS that a module belongs to: of theory and verification there is one each."""
    parts = module.split(".")
    inner = ".".join(parts[:2])
    return inner if inner in FLOOR else parts[0]


def climbing(found: Iterable[Import]) -> list[str]:
    """Imports from a higher floor, or from another room of the same floor."""
    return [
        str(link)
        for link in found
        if room(link.imported) != room(link.module) and FLOOR[room(link.imported)] >= FLOOR[room(link.module)]
    ]


def of_commands(found: Iterable[Import]) -> list[Import]:
    """Imports of a command: of a `__main__`, or of `deep.train` by another module than the benchmark's child."""
    return [
        link
        for link in found
        if link.imported.endswith("__main__") or (link.imported == "deep.train" and link.module != MAY_IMPORT_TRAIN)
    ]


def circle(found: Iterable[Import], depth: int | None = None) -> list[str]:
    """The names along one circle of imports, [] where there is none; names are cut to `depth` parts (None: whole).

    Python runs the `__init__.py` of every package on the way to a module, so these are imported too, but for those that
    the importing module lies in.
    """
    graph: dict[str, set[str]] = {}
    for link in found:
        run = [link.imported, *(x for x in packages_of(link.imported) if not link.module.startswith(f"{x}."))]
        here, *there = (".".join(name.split(".")[:depth]) for name in (link.module, *run))
        graph.setdefault(here, set()).update({*there} - {here})
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1]
    return []


def is_code(statement: ast.stmt) -> bool:
    return not (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant))


def packages_with_code(known: Mapping[str, Path]) -> set[str]:
    """Packages whose `__init__.py` holds more than a docstring."""
    inits = {name: file for name, file in known.items() if file.name == "__init__.py"}
    return {name for name, file in inits.items() if any(map(is_code, ast.parse(file.read_text()).body))}


@cache
def installed() -> dict[str, Path]:
    """The modules of the three packages without their tests."""
    found = modules(ROOT, "deep", "theory", "verification")
    return {name: file for name, file in found.items() if "test" not in name.rsplit(".", 1)[-1].split("_")}


@cache
def links() -> tuple[Import, ...]:
    return tuple(imports(installed()))


def test_imports_run_down():
    assert climbing(links()) == []


def test_every_module_has_a_room():
    """A new folder of deep/ needs a floor: without one its modules would count as the interface."""
    rooms = {path.stem for path in (ROOT / "deep").iterdir() if path.is_dir() or path.suffix == ".py"}
    assert {f"deep.{name}" for name in rooms - {"__init__", "__main__", "__pycache__"}} <= FLOOR.keys()


def test_nobody_imports_a_command():
    assert [str(link) for link in of_commands(links())] == []


def test_there_is_no_circle_between_the_rooms_of_deep():
    assert circle((link for link in links() if link.module.startswith("deep.")), 2) == []


@pytest.mark.parametrize("package", ["deep", "theory", "verification"])
def test_there_is_no_circle_between_modules(package):
    """Which module is imported first decides whether a circle fails: a command may, and its test may not."""
    assert circle(link for link in links() if link.module.startswith(package)) == []


def test_packages_hold_no_code_but_the_interfaces():
    assert packages_with_code(installed()) <= WITH_CODE


def test_no_test_imports_from_another_test_file():
    """Helpers are in tests/support, so that a file of tests can be moved, split or run alone."""
    known = modules(ROOT, "tests", "verification")
    names = {name: name.rsplit(".", 1)[-1] for name in known}
    tests = {name for name, last in names.items() if last.startswith("test_") or last == "conftest"}
    assert len(tests) > 60
    assert [str(link) for link in imports(known) if link.imported in tests] == []


def test_the_longest_test_files_run_first():
    assert [name for name in order.LONGEST if not (ROOT / name).is_file()] == []
    paths = [ROOT / name for name in ("tests/a.py", order.LONGEST[1], "tests/b.py", order.LONGEST[0])]
    items = [SimpleNamespace(path=path) for path in paths]
    order.longest_first(items)
    assert [item.path for item in items] == [paths[3], paths[1], paths[0], paths[2]]


@pytest.mark.parametrize(
    ("asked", "run"), [([], "1 passed, 1 deselected"), (["-m", "exhaustive"], "1 failed, 1 desel")]
)
def test_exhaustive_tests_run_where_they_are_asked_for_alone(asked, run, tmp_path):
    text = "import pytest\n\ndef test_a():\n    pass\n\n@pytest.mark.exhaustive\ndef test_b():\n    raise ValueError\n"
    (tmp_path / "test_two.py").write_text(text)
    command = [sys.executable, "-m", "pytest", "-c", "pyproject.toml", "-p", "no:cacheprovider", *asked, str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run in done.stdout, done.stdout + done.stderr


# Negative controls ----------------------------------------------------------------------------------------------------


def tree(root: Path, files: Mapping[str, str]) -> dict[str, Path]:
    """Modules with this text, in packages."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        for folder in path.relative_to(root).parents:
            if folder != Path():
                (root / folder / "__init__.py").touch()
    return modules(root, *{name.split("/")[0] for name in files})


@pytest.mark.parametrize(
    "text",
    [
        "from deep.methods.bc import BC",
        "import deep.methods.bc",
        "from deep.methods import bc",
        "from ..methods.bc import BC",
        "from .. import train",
        "def later():\n    from deep.methods import bc",
        "if True:\n    import deep.collect.ppo as ppo",
        "from verification import check",
        "from deep import methods",
    ],
)
def test_an_import_that_climbs_is_found(text, tmp_path):
    below = {"deep/methods/bc.py": "", "deep/collect/ppo.py": "", "deep/train.py": "", "verification/check.py": ""}
    known = tree(tmp_path, below | {"deep/ope/dice.py": text})
    (sentence,) = climbing(imports(known))
    assert sentence.startswith("deep.ope.dice:")


BELOW = ("deep/ope/features.py", "deep/core/phase.py", "theory/bounds.py")


def test_imports_down_and_within_a_room_are_accepted(tmp_path):
    text = "import theory\nfrom deep.core import phase\nfrom deep.ope import features\nfrom . import features\n"
    known = tree(tmp_path, {"deep/ope/dice.py": text, **dict.fromkeys(BELOW, "")})
    assert {link.imported for link in imports(known)} == {"theory", "deep.core.phase", "deep.ope.features"}
    assert climbing(imports(known)) == []


def test_the_import_of_a_command_is_found(tmp_path):
    text = "from deep.evaluate.__main__ import main\nfrom deep import train\n"
    files = {"deep/evaluate/__main__.py": "", "deep/train.py": ""}
    known = tree(tmp_path, files | {"deep/export/portable.py": text, "deep/benchmark/child.py": "import deep.train"})
    assert {(link.module, link.imported) for link in of_commands(imports(known))} == {
        ("deep.export.portable", "deep.evaluate.__main__"),
        ("deep.export.portable", "deep.train"),
    }


def test_a_circle_is_found_between_modules_and_between_rooms(tmp_path):
    known = tree(tmp_path, {"deep/a/x.py": "import deep.b.y", "deep/b/y.py": "", "deep/b/z.py": "import deep.a.x"})
    assert circle(imports(known)) == []
    assert sorted(set(circle(imports(known), 2))) == ["deep.a", "deep.b"]
    (tmp_path / "deep" / "b" / "y.py").write_text("def later():\n    from deep.b import z")
    assert sorted(set(circle(imports(known)))) == ["deep.a.x", "deep.b.y", "deep.b.z"]
    (tmp_path / "deep" / "b" / "y.py").write_text("")
    (tmp_path / "deep" / "b" / "__init__.py").write_text("from deep.b import z")  # a.x runs it on its way to b.y
    assert sorted(set(circle(imports(known)))) == ["deep.a.x", "deep.b", "deep.b.z"]


def test_code_in_an_init_is_found(tmp_path):
    known = tree(tmp_path, {"deep/a/x.py": "", "deep/b/y.py": ""})
    (tmp_path / "deep" / "a" / "__init__.py").write_text('"""A docstring is no code."""\n')
    (tmp_path / "deep" / "b" / "__init__.py").write_text('"""A docstring."""\nfrom deep.b.y import *\n')
    assert packages_with_code(known) == {"deep.b"}


# Words ----------------------------------------------------------------------------------------------------------------

PRIVATE = re.compile(
    r"\b(?:"
    r"foret(?:ell|old)|forecasts?|departure|merit|merit_of|look_every|looked at|steer\w*|judging half|voices|"
    r"in the eyes of|its word|company|(?:keeps?|kept|breaks?) the limit|owners?|alive|falling linearly|average_rate|"
    r"descends?|restart_from|of chance|own[ _]data|plain layout|lockstep|in_turn|replayed|portable|twins|choosing|"
    r"second[ _]opinions?|one_more_member|further|range\.holds|refus(?:e|es|ed|al|ing)|rests?[ _]on|origin|time-outs?|"
    r"roll-outs?"
    r")\b",
    re.IGNORECASE,
)
"""Words of this project's early texts. The field says predict, OOD score, selection score, EMA, timeout, rollout."""

TEXT = {".py", ".md", ".html", ".js", ".css", ".toml", ".txt", ".cff", ""}


def private_words(root: Path, names: list[str]) -> list[str]:
    """`file:line: word` of every private word in the texts among these files; data and JSON are left out."""
    found = []
    for name in names:
        if Path(name).suffix not in TEXT or not (root / name).is_file():
            continue
        for number, line in enumerate((root / name).read_text().splitlines(), 1):
            found += [f"{name}:{number}: {match[0]}" for match in PRIVATE.finditer(line)]
    return found


def tracked(*folders: str) -> list[str]:
    done = subprocess.run(["git", "ls-files", *folders], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip("this is no git checkout: " + done.stderr.strip())
    return done.stdout.splitlines()


def test_no_private_words():
    assert private_words(ROOT, tracked("deep", "theory", "verification")) == []


def test_a_private_word_is_found(tmp_path):
    (tmp_path / "a.py").write_text('"""Fine: predicted, selection score, timeout."""\n# What is Foretold: merit_of\n')
    (tmp_path / "b.json").write_text('{"x": "roll-out"}')
    assert private_words(tmp_path, ["a.py", "b.json", "gone.py"]) == ["a.py:2: Foretold", "a.py:2: merit_of"]
