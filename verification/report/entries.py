"""The text of the report: introduction, one entry per claim, headline, and the page in Markdown."""

from collections import Counter
from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import Any

from verification.checker.certify import read
from verification.claims.claim import VERDICTS
from verification.formal.theorems import SAYS
from verification.report.lattice import tables as lattice
from verification.report.overview import PAPERS, STORY, SUMMARIES, WEIGHTS
from verification.report.runs import tables as runs

Entry = dict[str, Any]
COMPARED = "Compared methods"
"""The topic of the methods that the papers compare with."""

INTRODUCTION = """\
Two papers on safe offline reinforcement learning make about fifty statements that can be checked: the DRCORL preprint
(*Reward-Safety Balance in Offline Safe RL via Diffusion Regularization*, with its slides) and *Safe Offline
Reinforcement Learning using Diffusion Policies* (Safe-DQL). This page gives a verdict on each statement, with the
evidence. It also judges a few statements of our own, which sharpen or repair theirs, and six that the methods depend on
that the papers compare with (CPQ, COptiDICE, FISOR, CAPS). V is an unnormalised sum of
gamma^t. An iteration weighs the reward's advantage by x and minus the cost's advantage by y. rr, rc and cc are the
inner products of the two ascent directions. M bounds r and c. S and A are the numbers of states and actions."""

GRADES = """\
- **machine-checked**: Coq has accepted a proof of the whole statement, or of its correction. The entry names the
theorems, says what each proves, and gives Coq's version; verification/formal/Statements.v has them in full. The only
axioms are those of Coq's real numbers. A broken version of every theorem is refuted, by Coq too.
- **proved**: a proof is written out below, and its statement was checked in floating point on the instances counted.
- **refuted exactly**: there is a counterexample in exact rational numbers, with rigorous enclosures where exp, log or
a root enter. A separate checker of about 260 lines accepts it; the checker shares no code with the rest of the
project.
- **certified on N instances**: the same checker encloses both sides rigorously on N seeded random rational instances.
- **certified on N runs**: the algorithm itself was run N times in ball arithmetic, and was within the bound.
- **float-checked on N instances**: none of N seeded instances in double precision is a counterexample. Never
a proof."""

LIMITS = """\
Checking instances can refute a statement and never prove one. *Holds* without *proved* means that no counterexample
was found. A counterexample refutes what is written, which is often not what was meant; where we could reconstruct the
intended statement, the correction gives it. An asymptotic statement is judged through a consequence at one instance,
which the notes name. All instances are small finite problems, so nothing here predicts how a deep learner behaves. The
search reports the best ratio of left to right side that it reached. A best ratio far below 1 means a loose inequality
or a weak search, and we cannot tell which. Proofs that are not machine-checked were read by their authors only. The
trusted base is the checker, the statements in verification/statements.json, python-flint, and the reader's own
comparison of a formula with the paper's; of machine-checked statements it is Coq and
verification/formal/Definitions.v."""


def paper(entry: Entry) -> str:
    """Which paper a claim is about, or that it is about the compared methods."""
    if entry["topic"] == COMPARED:
        return COMPARED
    return "Safe-DQL" if "Safe-DQL" in entry["source"] else "DRCORL"


def approximate(text: str) -> str:
    """A number for the reader: a short rational exactly, any other to six digits."""
    exact = "e" not in text and "." not in text
    return text if exact and len(text) <= 12 else f"{float(Fraction(text)):.6g}"


def written(entry: Any) -> str:
    """A nested list of numbers on one line."""
    return f"[{', '.join(map(written, entry))}]" if isinstance(entry, list) else str(entry)


def counterexample(name: str) -> list[str]:
    """A certificate as lines of text."""
    content = read(name)
    lines = [f"{key} = {written(x)}" for key, x in content["given"].items()]
    lines += [f"{key} := {formula}" for key, formula in content["let"].items()]
    lines += [f"given that {condition}" for condition in content["assume"]]
    lines.append(f"the claim {content['conclusion']}")
    left, right = content["values"]["conclusion"]
    if not isinstance(left, list) and not isinstance(right, list):
        lines.append(f"reads {approximate(left)} against {approximate(right)}")
    else:
        lines.append(f"reads {written(left)} against {written(right)}")
    return lines


def tightness(entry: Entry) -> str:
    ratios = entry["tightness"]
    if not ratios:
        return ""
    parts = [] if ratios["median"] is None else [f"median {ratios['median']:.3g}, largest {ratios['largest']:.3g}"]
    if ratios["searched"] is not None:
        remark = " (a counterexample)" if entry["evidence"]["certificates"] else ""
        weak = " (not near 1: a loose bound or a weak search)" if ratios["searched"] < 0.9 else ""
        parts.append(f"the search reached {ratios['searched']:.3g}{remark or weak}")
    return "; ".join(parts)


def machine_check(entry: Entry) -> str:
    """Which theorems Coq has accepted about the claim, or against it."""
    found = entry["machine_check"]
    if not (found["theorems"] or found["parts"] or found["refutations"]):
        return ""

    def named(names: Iterable[str]) -> str:
        return ", ".join(f"`{name}`" + (f" ({SAYS[name]})" if name in SAYS else "") for name in names)

    whole = "the correction, by " if entry["correction"] else "the statement, by "
    parts = [f"{whole}{named(found['theorems'])}"] if found["theorems"] else []
    parts += [f"a part of it, by {named(found['parts'])}"] if found["parts"] else []
    parts += [f"the counterexample again, by {named(found['refutations'])}"] if found["refutations"] else []
    return f"{'; '.join(parts)}; Coq {found['coq']}."


def facts(entry: Entry) -> Iterator[tuple[str, str]]:
    """The facts about a claim, as pairs of a label and a text; empty texts are left out."""
    correction, evidence = entry["correction"], entry["evidence"]
    check = evidence["check"] or (correction["check"] if correction else None)
    control = evidence["control"] or (correction["control"] if correction else "")
    titles = {"correction": "Corrected", "assumption": "Holds if", "replacement": "True instead"}
    pairs = [
        ("Assumptions", entry["assumptions"]),
        ("Reading", entry["reading"]),
        (titles[correction["kind"]] if correction else "", f"{correction['statement']}" if correction else ""),
        ("Grade of that", correction["grade"] if correction else ""),
        ("Proof", evidence["proof"] or (correction["proof"] if correction else "")),
        ("Ratio left/right", tightness(entry)),
        ("Machine-checked", machine_check(entry)),
        ("Not machine-checked", entry["machine_check"].get("reason", "")),
        ("Notes", entry["notes"]),
        ("Negative control", control),
        ("Seed and tolerance", f"{check['seed']}; at most {check['largest_tolerance']:g}" if check else ""),
    ]
    return ((label, text) for label, text in pairs if text)


def again(entry: Entry) -> list[str]:
    """The commands that check a claim again."""
    files = " ".join(f"verification/certificates/{name}.json" for name in entry["evidence"]["certificates"])
    commands = [f"python -m verification.check {files}"] if files else []
    if any(entry["machine_check"][kind] for kind in ("theorems", "parts", "refutations")):
        commands.append("python -m verification.formal")
    return [*commands, f'python -m pytest verification -k "[{entry["id"]}]"']


def headline(entries: list[Entry]) -> str:
    """How many claims got each verdict, and how many of those rigorously."""
    counts = Counter(entry["verdict"] for entry in entries)
    exact = sum(entry["grade"] == "refuted exactly" for entry in entries)
    corrections = [entry["correction"]["grade"] for entry in entries if entry["correction"]]
    grades = [*(entry["grade"] for entry in entries), *corrections]
    proved, checked = (sum(grade.startswith(word) for grade in grades) for word in ("proved", "machine-checked"))
    verdicts = ", ".join(f"{meaning}: {counts[verdict]}" for verdict, meaning in VERDICTS.items())
    answer = f"{len(entries)} claims; {verdicts}. {exact} are refuted exactly as printed. "
    return answer + f"{checked + proved} statements and corrections are proved, {checked} of these machine-checked."


def markdown(entries: list[Entry]) -> str:
    lines = ["# What is true in the papers", "", INTRODUCTION, "", headline(entries), ""]
    lines += [f"- {p.short}: {p.authors}. *{p.title}*, {p.year}. {p.where}. <{p.link}>" for p in PAPERS]
    first, second, third, fourth = STORY
    lines += ["", "## Theorem 3.1", "", first, "", second, "", *FORMULAS, "", third, "", fourth, "", "## Overview", ""]
    lines += [f"- *{name}*: {meaning}" for name, meaning in WEIGHTS.items()]
    lines += ["", "| claim | what it says | weight | verdict | source | grade |", "|---|---|---|---|---|---|"]
    lines += [
        f"| {e['id']} | {SUMMARIES[e['id']][0]} | {SUMMARIES[e['id']][1]} | {VERDICTS[e['verdict']]} | {e['source']} "
        f"| {e['grade']} |"
        for e in entries
    ]
    lines += ["", "## Grades", "", GRADES, "", "## What this can and cannot show", "", LIMITS]
    for topic in dict.fromkeys(entry["topic"] for entry in entries):
        lines += ["", f"## {topic}"]
        for entry in (e for e in entries if e["topic"] == topic):
            lines += ["", f"### {entry['id']}: {VERDICTS[entry['verdict']]}", ""]
            lines += [f"*{entry['source']}*. {entry['statement']}", "", f"- Grade: {entry['grade']}"]
            lines += [f"- {label}: {' '.join(text.split())}" for label, text in facts(entry)]
            for name in entry["evidence"]["certificates"]:
                lines += ["", f"Counterexample `{name}`:", "", *(f"    {line}" for line in counterexample(name))]
            lines += ["", "Check again: " + ", ".join(f"`{command}`" for command in again(entry))]
    tables = lattice()
    lines += ["", "## Deep learners with exact regret"] if tables else []
    for table in tables:
        lines += ["", table.text, "", f"| {' | '.join(table.header)} |", "|---" * len(table.header) + "|"]
        lines += [f"| {' | '.join(row)} |" for row in table.rows]
    for table in runs():
        lines += ["", "## Runs in ball arithmetic", "", table.text, "", f"| {' | '.join(table.header)} |"]
        lines += ["|---" * len(table.header) + "|", *(f"| {' | '.join(row)} |" for row in table.rows)]
    return "\n".join([*lines, "", "## How to check everything again", "", *HOW, ""])


FORMULAS = [
    "    K = S A M^2 / (4 (1-gamma)^4),   R = KL_0/eta + eta T K,   h+ >= R/T",
    "    gap <= 2R/T,   violation <= h+,   with the best eta: gap <= 2 M sqrt(KL_0 S A/T) / (1-gamma)^2",
]

HOW = [
    "    python -m pytest verification                     # every check, control and certificate, against the ledger",
    "    python -m verification.check verification/certificates/*.json",
    "    python -m verification.formal                     # every machine-checked proof, where Coq is installed",
    "    python -m verification.intervals                  # the runs in ball arithmetic",
    "    python -m verification.search --claim L43         # search for a counterexample",
    "    python -m verification.ledger; python -m verification.report      # judge again, write this page",
]
