"""The .v files as text: their order, the theorems in them, and hashes that comments and line breaks do not change."""

import hashlib
import re
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent
HATCHES = re.compile(
    r"\b(Admitted|Admit|admit|give_up|Axioms?|Parameters?|Conjectures?|Declare|bypass_check|type-in-type"
    r"|impredicative-set|Unset\s+(?:Guard|Positivity|Universe)\s+Checking|Definitional\s+UIP|Load|Add\s+(?:Rec\s+)?"
    r"(?:LoadPath|ML)|Cd|Redirect|Drop|Primitive|Register)\b"
)
"""What would let a file compile without a proof, or from text that is in no file here. A Variable or Hypothesis outside
a section shows among the axioms."""
TRUSTED = "Definitions"
"""The file whose names and notations every statement is read with."""
DEFINING = re.compile(
    r"\b(?:Program |Local |Global )*(?:Definition|Example|Fixpoint|CoFixpoint|Function|Inductive|CoInductive|Variant"
    r"|Record|Structure|Class|Instance|Let|Theorem|Lemma|Corollary|Proposition|Fact|Remark|Module(?: Type)?|Notation"
    r"|with(?! \S+ (?:\w+ )*=>)) ([\w']+)"
)
FIELDS = re.compile(r"Record \w+ := \{(.*?)\}\.")
CONSTRUCTORS = re.compile(r"\| ([\w']+)[^|]*? : ")
SYMBOLS = re.compile(
    r'\b(?:(?:Reserved |Local |Global )*Notation "[^"]*"|Infix "[^"]*"|Coercion\b|Canonical\b|Arguments\b'
    r"|Delimit Scope|Bind Scope|Undelimit Scope|Number Notation|String Notation)"
)
"""What changes how a text is read: notations with symbols, implicit arguments and conversions."""
THEOREM = re.compile(r"(?:Theorem|Corollary|Lemma) ([\w']+)\b(.*?)\. Proof\b")
REFUTING = ("Refutations", "RefutationsRules", "RefutationsRuns")
"""The files with a broken version of every theorem, refuted; their other lemmas only help."""
WITH_INTERVAL = ("Elementary", "Enclosures")
"""The files that need the library Coq-Interval."""
RECORDED = ("Statements", "Counterexamples", *REFUTING, "Certificates", "Enclosures")


@cache
def plain(text: str) -> str:
    """The text without comments, which nest, and with single spaces. Marks of comments in a string are none."""
    depth, kept = 0, []
    for part in re.split(r'("[^"]*"|\(\*|\*\))', text):
        if part == "(*":
            depth += 1
        elif part == "*)" and depth:
            depth -= 1
        elif not depth:
            kept.append(part)
    return " ".join("".join(kept).split())


def texts(folder: Path = FOLDER) -> dict[str, str]:
    """The files' plain texts by name, each after those it requires."""
    found = {path.stem: plain(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.v"))}
    return {name: found[name] for name in _ordered(found)}


def required(text: str, known: dict[str, str]) -> list[str]:
    """The project's files that a plain text requires."""
    return [name for name in _required(text) if name in known]


@cache
def _required(text: str) -> tuple[str, ...]:
    return tuple(name for line in re.findall(r"Require (?:Export|Import) ([\w ]+)\.", text) for name in line.split())


def _ordered(found: dict[str, str]) -> list[str]:
    order: list[str] = []

    def visit(name: str) -> None:
        if name not in order:
            for other in required(found[name], found):
                visit(other)
            order.append(name)

    for name in found:
        visit(name)
    return order


def closure(name: str, known: dict[str, str]) -> list[str]:
    """A file and all that it requires."""
    reached, waiting = set(), [name]
    while waiting:
        if (name := waiting.pop()) not in reached:
            reached.add(name)
            waiting += required(known[name], known)
    return sorted(reached)


@cache
def statements(text: str) -> dict[str, str]:
    """The theorems of a plain text: binders, colon and statement by name."""
    return {name: body.strip() for name, body in THEOREM.findall(text)}


def split(statement: str) -> tuple[str, str]:
    """Binders and statement, which the first colon outside brackets parts."""
    depth = 0
    for i, sign in enumerate(statement):
        depth += (sign in "({[") - (sign in ")}]")
        if sign == ":" and depth == 0:
            return statement[:i].strip(), statement[i + 1 :].strip()
    raise ValueError(f"no colon in {statement!r}")


def digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


@cache
def fingerprints(folder: Path = FOLDER) -> dict[str, dict[str, str]]:
    """Of every theorem that the record lists: its file, and the hashes of its statement and of all files that it
    depends on. Certificates' statements are their definitions."""
    known, answer = texts(folder), {}
    for file in RECORDED:
        dependencies = digest(*(known[name] for name in closure(file, known)))
        for name, body in statements(known[file]).items():
            if file in REFUTING and not name.endswith("_broken"):
                continue
            answer[name] = {"file": file, "statement": digest(body), "dependencies": dependencies}
    return answer


def hatches(text: str) -> list[str]:
    """The escape hatches in a plain text."""
    return [match[0] for match in HATCHES.finditer(text)]


@cache
def trusted_names(text: str) -> frozenset[str]:
    """The names that the plain text of Definitions.v gives: definitions, fields of records, cases of inductive ones."""
    fields = [name for body in FIELDS.findall(text) for name in re.findall(r"(?:^|;) ?([\w']+) :", body)]
    cases = [name for body in re.findall(r"Inductive .*?\. ", text) for name in CONSTRUCTORS.findall(body)]
    return frozenset([*DEFINING.findall(text), *fields, *cases])


def shadows(text: str, trusted: str) -> list[str]:
    """What in a plain text gives a name of the trusted one another meaning, or changes how a statement is read."""
    names = [name for name in DEFINING.findall(text) if name in trusted_names(trusted)]
    return [*names, *(match[0] for match in SYMBOLS.finditer(text))]


def shadowing(known: dict[str, str]) -> dict[str, list[str]]:
    """The shadows in every file with theorems about the words of Definitions.v, and in all that these require; and the
    project's files that Definitions.v requires, since one named like a library's would stand in its place."""
    files = {x for name in ("Statements", "Counterexamples", *REFUTING) for x in closure(name, known)} - {TRUSTED}
    found = {name: shadows(known[name], known[TRUSTED]) for name in sorted(files)}
    found[TRUSTED] = required(known[TRUSTED], known)
    return {name: where for name, where in found.items() if where}
