"""`python -m verification.lattice.study`: train every learner on the lattice tasks, score it exactly, write a report.

A learner whose code and settings have not changed since its rows were written is not trained again, unless --fresh.
Everything runs on one core, so that results do not depend on how work is split; half a minute for DRCORL or Safe-DQL.
"""

from verification.command import check_early, ends_cleanly

if __name__ == "__main__":
    check_early("verification.lattice.study")

import hashlib
import json
import os
import platform
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch

from deep.core.files import read_json
from deep.core.provenance import processor
from deep.methods.registry import METHODS
from theory.support.command import read
from theory.support.errors import InputError
from verification.checker.hashing import ROOT, dependencies, meanings
from verification.lattice.methods import DATA_SEED, TRAJECTORIES, run
from verification.lattice.tasks import GAMMA, LATTICES
from verification.lattice.trials import TRIALS, Trial, described

RESULTS = Path(__file__).parent / "results.json"


@dataclass(frozen=True)
class Options:
    """Train learners on lattice tasks and score them exactly."""

    tasks: tuple[str, ...] = tuple(LATTICES)
    """Which tasks."""
    methods: tuple[str, ...] = tuple(TRIALS)
    """Which learners."""
    fresh: bool = False
    """Train again even what is up to date."""
    out: Path = RESULTS
    """The results file; the figure lies beside it."""


def readers() -> set[str]:
    """The modules that read files of data, which are imported and never called: the study's data are collected in
    memory."""
    formats = {f"deep.data.formats.{path.stem}" for path in (ROOT / "deep" / "data" / "formats").glob("*.py")}
    return formats | {f"deep.data.{name}" for name in ("custom", "data_path", "formats", "load", "reading")}


def rests(trial: Trial) -> list[Path]:
    """The files that a trial's rows depend on: its algorithm and what trains, plays and scores any."""
    # The settings of a trial are hashed themselves, and a new line in the registry changes no other method's result.
    without = {"deep.methods.registry", "verification.lattice.trials", *(entry.module for entry in METHODS.values())}
    shared = dependencies("verification.lattice.methods", without | readers())
    return sorted({*dependencies(METHODS[trial.algorithm].module, readers()), *shared})


def fingerprint(trial: Trial) -> str:
    """A hash of the settings and of the code (without comments and docstrings) that a trial's rows follow from."""
    digest = hashlib.sha256(json.dumps(described(trial), sort_keys=True).encode())
    for found in meanings(rests(trial), readers()):
        digest.update(found.encode())
    return digest.hexdigest()


@cache
def loaded() -> dict[str, str]:
    """The fingerprints of all trials, as the code was at the first call."""
    return {name: fingerprint(trial) for name, trial in TRIALS.items()}


def stale(results: dict[str, Any]) -> list[tuple[str, str]]:
    """(method, task) whose rows are missing or come from other code or settings than the present ones."""
    known, now = results["provenance"]["fingerprints"], {name: fingerprint(trial) for name, trial in TRIALS.items()}
    pairs = [(method, task) for method, trial in TRIALS.items() for task in trial.tasks]
    return [(method, task) for method, task in pairs if known.get(f"{method}, {task}") != now[method]]


def rows_of(results: dict[str, Any], method: str, task: str | None = None) -> list[dict[str, Any]]:
    """The rows of one method, on one task or on all."""
    return [row for row in results["results"] if row["method"] == method and task in (None, row["task"])]


def chosen(options: Options, results: dict[str, Any]) -> list[tuple[str, str]]:
    """(method, task) to train now; raises InputError for a name that there is not."""
    for kind, asked, known in (("task", options.tasks, LATTICES), ("method", options.methods, TRIALS)):
        unknown = [name for name in asked if name not in known]
        if unknown:
            raise InputError(f"unknown {kind} {unknown[0]!r}: accepted are {', '.join(known)}")
    pairs = [(method, task) for method in options.methods for task in options.tasks if task in TRIALS[method].tasks]
    needed = pairs if options.fresh else stale(results)
    return [pair for pair in pairs if pair in needed]


def provenance() -> dict[str, Any]:
    """What all the numbers were made with; each method and task has a fingerprint, a machine and a time besides."""
    return {
        "command": "python -m verification.lattice.study",
        "gamma": GAMMA,
        "data": {"trajectories": TRAJECTORIES, "seed": DATA_SEED},
        "fingerprints": {},
        "machines": {},
        "settings": {},
        "processor_seconds": {},
    }


def machine() -> str:
    """What this process computes with."""
    versions = f"Python {platform.python_version()}, torch {torch.__version__}"
    return f"one of {os.cpu_count()} cores, {processor()}, {versions}"


def main(arguments: list[str] | None = None) -> None:
    """Run the study and write its files."""
    with ends_cleanly("finished rows are saved, and the same command trains the others"):
        options = read(Options, "verification.lattice.study", arguments, "python -m verification.lattice.study")
        loaded()  # of the code that this process runs, whatever is edited meanwhile
        results = read_json(options.out) if options.out.exists() else {"provenance": provenance(), "results": []}
        for method, task in chosen(options, results):
            began = time.process_time()
            rows = [{"task": task, "method": method, **row} for row in run(LATTICES[task], TRIALS[method])]
            replace_rows(results, method, task, rows, time.process_time() - began)
            options.out.write_text(json.dumps(results, indent=1) + "\n")
        print(table(results))
        from verification.lattice import figure

        figure.draw(results, options.out.with_suffix(".png"))


def replace_rows(results: dict[str, Any], method: str, task: str, rows: list[dict[str, Any]], seconds: float) -> None:
    """Put a trial's rows in their place, with what they were made from."""
    others = [row for row in results["results"] if (row["method"], row["task"]) != (method, task)]
    methods, tasks = list(TRIALS), list(LATTICES)
    results["results"] = sorted(others + rows, key=lambda row: (methods.index(row["method"]), tasks.index(row["task"])))
    about = results["provenance"]
    about["fingerprints"][f"{method}, {task}"] = loaded()[method]
    about["machines"][f"{method}, {task}"] = machine()
    about["processor_seconds"][f"{method}, {task}"] = round(seconds, 1)
    about["settings"][method] = described(TRIALS[method])


def table(results: dict[str, Any]) -> str:
    """Means over seeds, in the unit of an episode: the optimum, the policy's value, and its cost beside the limit."""
    lines = [f"{'task':<14} {'method':<27} limit  optimum   value     gap    cost worst cost"]
    for task in LATTICES:
        for method in TRIALS:
            for limit in LATTICES[task].limits:
                rows = [row for row in rows_of(results, method, task) if row["cost_limit"] == limit]
                if rows:
                    mean = {key: sum(row[key] for row in rows) / len(rows) for key in ("value", "gap", "cost")}
                    lines.append(
                        f"{task:<14} {method:<27} {limit:>5g} {rows[0]['optimal_value']:>8.2f} {mean['value']:>7.2f}"
                        f" {mean['gap']:>7.2f} {mean['cost']:>7.2f} {max(row['cost'] for row in rows):>10.2f}"
                    )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
