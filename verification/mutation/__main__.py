"""Mutation testing: which share of small mistakes in the formulas do the tests catch?

The command draws a seeded sample of mutants, the same number from each file, and tests each in a temporary copy of the
tree. The first pass runs the tests nearest to the file; the second pass runs wider tests on the survivors. A failing
test catches the mutant, and so does the time limit. Any other end of pytest (a usage error, a crash) gives no verdict.
At the end every test that caught a mutant runs on the unchanged tree and has to pass.

verification/mutation/seedN.json stores the verdicts; the same command continues an interrupted run.
verification/mutation/reasons.json gives the reason why a survivor is no gap in the tests ("equivalent: ...").
"""

import argparse
import ast
import json
import random
import shutil
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any

from theory.support.errors import InputError, check_seeds
from verification.command import Parser, ends_cleanly
from verification.mutation.mutants import Mutant, mutants, mutated
from verification.mutation.targets import NEAR, WIDE

if TYPE_CHECKING:
    from verification.mutation.child import Run  # imports the heavy packages: only where tests are run

ROOT = Path(__file__).parent.parent.parent
FOLDER = ROOT / "verification/mutation"
REASONS = FOLDER / "reasons.json"
COPIED = ("theory", "deep", "tests", "verification", "pyproject.toml")


def sample(seed: int, per_file: int) -> list[tuple[Mutant, str]]:
    """Mutants and the files they make: one of each file, then another of each, so that any beginning is spread out."""
    rounds: list[list[tuple[Mutant, str]]] = [[] for _ in range(per_file)]
    for file in NEAR:
        tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
        everything = mutants(file, tree)
        random.Random(f"{seed} {file}").shuffle(everything)
        for row, mutant in zip(rounds, everything, strict=False):
            row.append((mutant, mutated(tree, mutant)))
    return [pair for row in rounds for pair in row]


@dataclass
class Job:
    """A mutant at work in a copy of the tree."""

    mutant: Mutant
    stage: str
    copy: Path
    run: "Run"

    def verdict(self) -> dict[str, Any]:
        m = self.mutant
        where = {"file": m.file, "line": m.line, "before": m.before, "after": m.after}
        found = {"verdict": "survived"}
        if self.run.failed:
            found = {"verdict": "caught", "by": self.run.failed}
        elif self.run.stopped:
            found = {"verdict": "stopped", "by": self.run.stopped}
        return where | found | {"tests": self.stage, "seconds": round(self.run.seconds, 1)}


def tests_of(file: str, stage: str) -> list[str]:
    return NEAR[file] if stage == "near" else [t for t in WIDE[file.split("/")[0]] if t not in NEAR[file]]


def waiting(verdict: dict[str, Any] | None, stage: str) -> bool:
    """Whether this stage is a mutant's next one."""
    before = {"near": "none", "wide": "near"}[stage]
    if verdict is None:
        return before == "none"
    if verdict["verdict"] == "stopped":
        return verdict["tests"] == stage
    return verdict["verdict"] == "survived" and verdict["tests"] == before


def work(pairs: list[tuple[Mutant, str]], known: dict[str, Any], stage: str, options: argparse.Namespace) -> None:
    """Run one stage of every mutant whose next stage it is; each verdict is written at once."""
    from verification.mutation.child import Run

    queue = [pair for pair in pairs if waiting(known.get(pair[0].name), stage)]
    deadline = monotonic() + 60 * options.minutes
    with tempfile.TemporaryDirectory() as folder:
        copies = [fresh_copy(Path(folder) / str(i)) for i in range(options.workers)]
        jobs: list[Job] = []
        try:
            while jobs or (queue and monotonic() < deadline):
                while copies and queue and monotonic() < deadline:
                    mutant, source = queue.pop(0)
                    copy = copies.pop()
                    (copy / mutant.file).write_text(source, encoding="utf-8")
                    jobs.append(Job(mutant, stage, copy, Run(copy, tests_of(mutant.file, stage), options.limit)))
                for job in [job for job in jobs if job.run.over()]:
                    jobs.remove(job)
                    shutil.copyfile(ROOT / job.mutant.file, job.copy / job.mutant.file)
                    copies.append(job.copy)
                    known[job.mutant.name] = verdict = job.verdict()
                    write(known, options)
                    result = verdict.get("by", "SURVIVED")
                    print(f"{len(queue):4} {verdict['seconds']:6} s  {job.mutant.name}: {result}", flush=True)
                sleep(0.05)
        finally:
            for job in jobs:
                job.run.stop()


def control(known: dict[str, Any], limit: int) -> str:
    """Run every test that caught a mutant on the unchanged tree; the name of the first that fails, or ""."""
    from verification.mutation.child import Run

    tests = sorted({v["by"] for v in known.values() if v["verdict"] == "caught" and "::" in v["by"]})
    with tempfile.TemporaryDirectory() as folder:
        run = Run(fresh_copy(Path(folder) / "tree"), tests, limit)
        try:
            while not run.over():
                sleep(0.05)
        finally:
            run.stop()
    return run.failed or run.stopped


def fresh_copy(folder: Path) -> Path:
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copyfile(source, folder / name)
    return folder


def results_of(seed: int) -> Path:
    """Where the verdicts of this sample are."""
    return FOLDER / f"seed{seed}.json"


def write(known: dict[str, Any], options: argparse.Namespace) -> None:
    text = {"seed": options.seed, "per_file": options.per_file, "mutants": known}
    results = results_of(options.seed)
    part = results.with_suffix(".tmp")
    part.write_text(json.dumps(text, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    part.replace(results)


def in_the_code(known: dict[str, Any]) -> int:
    """How many of the stored mutants are still mutants of today's code: the same file, line and text."""
    trees = {file: ast.parse((ROOT / file).read_text(encoding="utf-8")) for file in NEAR}
    return len({mutant.name for file, tree in trees.items() for mutant in mutants(file, tree)} & set(known))


def summary(known: dict[str, Any], reasons: dict[str, str], current: int) -> str:
    """The survivors with their reasons, the two rates among the mutants with a verdict, how many are `current`."""
    survivors = [name for name, verdict in known.items() if verdict["verdict"] == "survived"]
    equivalent = [name for name in survivors if reasons.get(name, "").startswith("equivalent")]
    counts, hung = (Counter(v.get(key) for v in known.values()) for key in ("verdict", "by"))
    caught, judged = counts["caught"], counts["caught"] + counts["survived"]
    lines = [f"{name}\n      {known[name]['tests']} tests; {reasons.get(name, 'NO REASON YET')}" for name in survivors]
    rest = max(judged - len(equivalent), 1)
    lines.append(f"caught {caught} of {judged} ({hung['time limit']} by the time limit): {caught / max(judged, 1):.1%}")
    lines.append(f"without the {len(equivalent)} equivalent ones: {caught / rest:.1%}")
    lines.append(f"without a verdict, for pytest neither passed nor failed: {counts['stopped']}")
    lines.append(f"still in today's code under their file, line and text: {current} of {len(known)}")
    return "\n".join(lines)


def options_of(arguments: list[str] | None) -> argparse.Namespace:
    """The command's options; InputError for a wrong one."""
    parser = Parser("verification.mutation", __doc__ or "")
    parser.add_argument("--seed", type=int, default=0, help="of the sample, from 0 on")
    parser.add_argument("--per-file", type=int, default=5, help="mutants drawn from each file")
    parser.add_argument("--workers", type=int, default=2, help="mutants tested at the same time")
    parser.add_argument("--limit", type=int, default=200, help="processor seconds that a mutant's tests may take")
    parser.add_argument("--minutes", type=float, default=600, help="start no mutant of a pass after this time")
    parser.add_argument("--stages", nargs="+", default=["near", "wide"], choices=["near", "wide"])
    parser.add_argument("--again", action="store_true", help="test the survivors again")
    parser.add_argument("--report", action="store_true", help="run nothing, print the stored verdicts")
    options = parser.parse_args(arguments)
    check_seeds([options.seed])
    for name in ("per_file", "workers", "limit", "minutes"):
        if not getattr(options, name) > 0:
            raise InputError(f"--{name.replace('_', '-')} must be positive, not {getattr(options, name)}.")
    return options


def main(arguments: list[str] | None = None) -> None:
    options = options_of(arguments)
    results = results_of(options.seed)
    stored = json.loads(results.read_text(encoding="utf-8")) if results.is_file() else {"mutants": {}}
    known = stored["mutants"]
    if options.again:
        known = {n: v | ({"tests": "none"} if v["verdict"] == "survived" else {}) for n, v in known.items()}
    if not options.report:
        pairs = sample(options.seed, options.per_file)
        known = {mutant.name: known[mutant.name] for mutant, _ in pairs if mutant.name in known}
        for stage in options.stages:
            work(pairs, known, stage, options)
        if failed := control(known, 10 * options.limit):
            raise SystemExit(f"{failed} fails on the unchanged tree, so the verdicts mean nothing.")
    reasons = json.loads(REASONS.read_text(encoding="utf-8")) if REASONS.is_file() else {}
    print(summary(known, reasons, in_the_code(known)))


if __name__ == "__main__":
    with ends_cleanly("the verdicts so far are stored, and the same command continues"):
        main()
