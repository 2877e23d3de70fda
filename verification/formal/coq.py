"""Running coqc: building the proofs, listing their axioms, and checking that theorems say what their texts say."""

import os
import shutil
import subprocess
from collections.abc import Collection, Iterable
from functools import cache
from pathlib import Path

from verification.formal.sources import FOLDER, REFUTING, TRUSTED, WITH_INTERVAL, split, statements, texts
from verification.formal.theorems import CONTROLS, MODULES, REFUTATIONS, THEOREMS, Control

INSTALL = "apt-get install -y coq libcoq-interval"
OLDEST = (8, 16)
"""The proofs use lemmas that older versions of the standard library do not have."""
TIMEOUT = 600
"""Seconds that one file may take; the slowest takes about five on an idle core."""
STANDARD_AXIOMS = frozenset(
    {
        "ClassicalDedekindReals.sig_forall_dec",
        "ClassicalDedekindReals.sig_not_dec",
        "FunctionalExtensionality.functional_extensionality_dep",
        "Classical_Prop.classic",
    }
)
"""What the standard library's real numbers assume; no proof of this project may assume more."""
PRIMITIVES = "PrimInt63."
"""The kernel's machine integers, which Coq lists among the axioms of what computes with them (Enclosures.v)."""


class Rejected(Exception):
    """coqc does not accept a file; the text is its message."""


def installed() -> bool:
    """Whether there is a coqc that is new enough."""
    return shutil.which("coqc") is not None and tuple(map(int, version().split(".")[:2])) >= OLDEST


def version() -> str:
    """Coq's version, as 8.16.1."""
    shown = subprocess.run(["coqc", "--version"], capture_output=True, text=True, check=True).stdout
    return shown.split("version ")[1].split()[0]


@cache
def has_interval() -> bool:
    """Whether the library Coq-Interval is there, which the certificates with exp and log need."""
    if not installed():
        return False
    command = ["coqtop", "-q", "-batch", "-require-import", "Interval.Float.Basic"]
    return subprocess.run(command, capture_output=True, text=True, check=False).returncode == 0


def compile_file(folder: Path, name: str) -> str:
    """What coqc prints on a file of the folder; Rejected where it fails."""
    command = ["coqc", "-q", "-Q", ".", "", f"{name}.v"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=TIMEOUT, check=False)
    if done.returncode != 0:
        raise Rejected(f"{name}.v: {done.stderr.strip()}")
    return done.stdout


def build(folder: Path, sources: Path = FOLDER) -> None:
    """Compile every file, in a copy; those that need Coq-Interval where it is there."""
    os.makedirs(folder, exist_ok=True)
    for name in texts(sources):
        if name in WITH_INTERVAL and not has_interval():
            continue
        shutil.copy(sources / f"{name}.v", folder)
        compile_file(folder, name)


def qualified(name: str) -> str:
    """A theorem's name with its file and module, as Coq finds it whatever else is imported."""
    known = texts()
    file = next(file for file in ("Statements", "Counterexamples", *REFUTING) if name in statements(known[file]))
    return ".".join([file, *([MODULES[name]] if name in MODULES else []), name])


def named() -> list[str]:
    """Every theorem that the ledger names, and the broken version of each."""
    found = {name for table in (THEOREMS, REFUTATIONS) for names in table.values() for name in names}
    return [qualified(name) for name in (*sorted(found), *(f"{control.theorem}_broken" for control in CONTROLS))]


def axioms(folder: Path) -> set[str]:
    """The axioms that the theorems, their refuted broken versions and the certificates' lemmas use, all together."""
    files = ["Statements", "Counterexamples", *REFUTING, "Certificates"]
    return _axioms(folder, files, [*named(), *statements(texts()["Certificates"])])


def enclosure_axioms(folder: Path) -> set[str]:
    """Those of the certificates' lemmas in Enclosures.v, without the kernel's machine integers."""
    found = _axioms(folder, ["Enclosures"], list(statements(texts()["Enclosures"])))
    return {name for name in found if not name.startswith(PRIMITIVES)}


def _axioms(folder: Path, files: Iterable[str], names: Iterable[str]) -> set[str]:
    listed = ", ".join(f"@{name}" for name in names)
    text = f"Require Import {' '.join(files)}.\nDefinition all := ({listed}).\nPrint Assumptions all.\n"
    (folder / "Assumptions.v").write_text(text, encoding="utf-8")
    return listed_axioms(compile_file(folder, "Assumptions"))


def listed_axioms(shown: str) -> set[str]:
    """The names in the output of `Print Assumptions`: the first word of every line that is not indented.

    Whatever else Coq lists there, such as variables of a section, is a name that is not allowed.
    """
    lines = (line for line in shown.splitlines() if line and not line[0].isspace())
    words = {line.split()[0].rstrip(":") for line in lines}
    return words - {"Axioms", "Closed"}


def broken(control: Control, statement: str) -> str:
    """The statement that the control breaks."""
    if control.old not in statement or control.old == control.new:
        raise ValueError(f"{control.theorem} does not contain {control.old!r}, or the control changes nothing")
    return quantified(statement.replace(control.old, control.new))


def quantified(statement: str) -> str:
    """A statement as one formula: its binders under `forall`."""
    binders, claim = split(statement)
    return f"forall {binders}, {claim}" if binders else claim


def check_controls(folder: Path, controls: Collection[Control] = CONTROLS) -> None:
    """Rejected unless every theorem proves what its text says, with no hypothesis of a section, and what the control
    makes of it is refuted. The texts are read with the names and notations of Definitions.v alone, so that no other
    file can give a word of them another meaning."""
    known = texts()
    proved, printed = statements(known["Statements"]), statements(known["Counterexamples"])
    goals = []
    for control in controls:
        name = control.theorem
        goals.append((quantified(proved[name]), name))
        goals.append((f"~ ({broken(control, proved[name])})", f"{name}_broken"))
    goals += [(quantified(text), name) for name, text in printed.items()]
    lines = [f"Goal {text}.\nProof. exact {qualified(name)}. Qed.\n" for text, name in goals]
    files = ["Counterexamples", *(["Statements", *REFUTING] if controls else [])]
    header = f"Require {' '.join(files)}.\nRequire Import {TRUSTED}.\n"
    (folder / "Controls.v").write_text(header + "".join(lines), encoding="utf-8")
    compile_file(folder, "Controls")
