"""Running coqc: building the proofs, listing their axioms, and checking that no broken statement was proved."""

import os
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from verification.formal.sources import FOLDER, split, statements, texts
from verification.formal.theorems import CONTROLS, MODULES, REFUTATIONS, THEOREMS, Control

INSTALL = "apt-get install -y coq"
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


class Rejected(Exception):
    """coqc does not accept a file; the text is its message."""


def installed() -> bool:
    """Whether there is a coqc that is new enough."""
    return shutil.which("coqc") is not None and tuple(map(int, version().split(".")[:2])) >= OLDEST


def version() -> str:
    """Coq's version, as 8.16.1."""
    shown = subprocess.run(["coqc", "--version"], capture_output=True, text=True, check=True).stdout
    return shown.split("version ")[1].split()[0]


def compile_file(folder: Path, name: str) -> str:
    """What coqc prints on a file of the folder; Rejected where it fails."""
    command = ["coqc", "-q", "-Q", ".", "", f"{name}.v"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=TIMEOUT, check=False)
    if done.returncode != 0:
        raise Rejected(f"{name}.v: {done.stderr.strip()}")
    return done.stdout


def build(folder: Path, sources: Path = FOLDER) -> None:
    """Compile every file, in a copy."""
    os.makedirs(folder, exist_ok=True)
    for name in texts(sources):
        shutil.copy(sources / f"{name}.v", folder)
        compile_file(folder, name)


def qualified() -> list[str]:
    """Every theorem that the ledger names, as Coq finds it."""
    named = {name for table in (THEOREMS, REFUTATIONS) for names in table.values() for name in names}
    return [f"{MODULES[name]}.{name}" if name in MODULES else name for name in sorted(named)]


def axioms(folder: Path) -> set[str]:
    """The axioms that the theorems use, all together; the certificates' lemmas use none of their own."""
    lemmas = list(statements(texts()["Certificates"]))
    listed = ", ".join(f"@{name}" for name in [*qualified(), *lemmas])
    files = "Statements Counterexamples Certificates"
    text = f"Require Import {files}.\nDefinition all := ({listed}).\nPrint Assumptions all.\n"
    (folder / "Assumptions.v").write_text(text, encoding="utf-8")
    shown = compile_file(folder, "Assumptions")
    return listed_axioms(shown)


def listed_axioms(shown: str) -> set[str]:
    """The names in the output of `Print Assumptions`: the first word of every line that is not indented.

    Whatever else Coq lists there, such as variables of a section, is a name that is not allowed.
    """
    lines = (line for line in shown.splitlines() if line and not line[0].isspace())
    words = {line.split()[0].rstrip(":") for line in lines}
    return words - {"Axioms", "Closed"}


def goals(control: Control, statement: str) -> list[str]:
    """The theorem proves its own statement, and does not prove the broken one."""
    if control.old not in statement:
        raise ValueError(f"{control.theorem} does not contain {control.old!r}")
    answer = []
    for text, proof in (
        (statement, f"exact {control.theorem}. Qed."),
        (statement.replace(control.old, control.new), f"Fail exact {control.theorem}. Abort."),
    ):
        binders, claim = split(text)
        answer.append(f"Goal forall {binders}, {claim}.\nProof. {proof}\n")
    return answer


def check_controls(folder: Path, controls: Iterable[Control] = CONTROLS) -> None:
    """Rejected where a broken statement is proved, or is no statement at all."""
    known = statements(texts()["Statements"])
    parts = [goal for control in controls for goal in goals(control, known[control.theorem])]
    (folder / "Controls.v").write_text("Require Import Statements.\n" + "".join(parts), encoding="utf-8")
    compile_file(folder, "Controls")
