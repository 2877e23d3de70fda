"""The tidy table: finished runs of `deep.train`, one row per replica and way to act."""

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deep.benchmark.jobs import Job, job_from
from deep.benchmark.references import reference
from deep.benchmark.running import MARKER, finished, run_folder
from deep.core.files import read_json, wrong_form
from deep.evaluate.summary import LAST
from deep.methods.registry import METHODS, rank_of
from deep.runs.config_file import read_config
from theory.support.errors import InputError
from theory.support.files import stem
from theory.support.tables import Row, read_table

CELL = ("task", "data", "algorithm", "variant", "choice", "seed", "cost_limit")
"""What identifies a row."""
TEXTS = ("task", "data", "variant", "choice", "scale", "run", "kind", "command", "machine")
"""Columns that are read as text, whatever they look like."""
TITLES = {name: entry.spec.title for name, entry in METHODS.items()}
CHOICES = {"": "", "best-of-n": "best of N", "sample": "policy itself", LAST: "last policy"}


@dataclass(frozen=True)
class Run:
    """A finished run and what the benchmark calls it."""

    path: Path
    name: str
    variant: str = ""
    scale: str = ""


def runs_of(folder: Path, jobs: Sequence[Job], prefix: str = "") -> list[Run]:
    """The runs of those jobs that are finished."""
    there = [job for job in jobs if finished(folder, job)]
    return [Run(run_folder(folder, job), prefix + job.name, job.variant, job.scale) for job in there]


def collected(entries: Sequence[str]) -> tuple[list[Run], list[Row]]:
    """What --collect names: each entry is a run's folder, a benchmark's, VARIANT=RUN, or an earlier table."""
    found: list[Run] = []
    earlier: list[Row] = []
    for entry in entries:
        if entry.endswith(".csv"):
            earlier += rows_in(Path(entry))
            continue
        variant, _, text = entry.rpartition("=") if not Path(entry).exists() else ("", "", entry)
        path = Path(text)
        if (path / MARKER).exists():
            found += runs_of(path, jobs_in(path / MARKER), f"{path}/")
        elif (path / "summary.json").exists():
            found.append(Run(path, str(path), variant))
        else:
            raise InputError(
                f"--collect {entry}: there is no finished run in {path}; accepted are folders of finished runs of "
                "deep.train, folders of a benchmark, VARIANT=RUN, and the results.csv of a benchmark"
            )
    return found, earlier


def jobs_in(marker: Path) -> list[Job]:
    """The jobs of a benchmark. Raises `InputError` where its file is damaged."""
    with wrong_form(marker, "a benchmark's jobs"):
        return [job_from(job) for job in read_json(marker)["jobs"]]


def rows_in(path: Path) -> list[Row]:
    """The rows of a results.csv. Raises `InputError` where it is none."""
    if not path.is_file():
        raise InputError(f"--collect {path}: there is no such file")
    rows = read_table(path, texts=TEXTS)
    if not rows:
        raise InputError(f"--collect {path}: there are no rows in it")
    if missing := [name for name in (*CELL, "R", "C", "safe", "sha256", "run") if any(name not in row for row in rows)]:
        raise InputError(f"--collect {path}: accepted is a benchmark's results.csv, this table lacks {missing[0]}")
    return rows


def rows_of(runs: Iterable[Run], earlier: Iterable[Row] = ()) -> list[Row]:
    """All rows, those of an earlier table among them, in the order of their cells. Where episodes end early, a replica
    is not called safe: its cost is small because the episode is over.

    Raises `InputError` where two rows are of the same cell, and where one data set's name stands for different files.
    """
    rows = [*earlier, *(row for run in runs for row in _rows(run))]
    rows = [row | {"safe": bool(row["safe"] and not row.get("ends_early"))} for row in rows]
    cells: dict[tuple[Any, ...], Row] = {}
    for row in rows:
        other = cells.setdefault(tuple(row[key] for key in CELL), row)
        if other is not row:
            raise InputError(
                f"the runs {other['run']} and {row['run']} both hold {method_of(row)} on {row['task']}, seed "
                f"{row['seed']}, limit {row['cost_limit']:g}: give one a name of its own, with --collect VARIANT=RUN"
            )
        same = next(row_ for row_ in rows if (row_["task"], row_["data"]) == (row["task"], row["data"]))
        if same["sha256"] != row["sha256"]:
            raise InputError(
                f"the runs {same['run']} and {row['run']} saw different data of {row['task']} under the name "
                f"{row['data']}: files of different content are accepted under different names"
            )
    return sorted(rows, key=lambda row: [rank_of(row[k]) if k == "algorithm" else row[k] for k in CELL])


def at_limits(rows: list[Row], limits: Sequence[float]) -> list[Row]:
    """The rows at these cost limits; all where none is named. Raises `InputError` for a limit that no run has."""
    there = sorted({row["cost_limit"] for row in rows})
    if missing := [limit for limit in limits if limit not in there]:
        found = f"--cost-limits {missing[0]:g}: no run has this limit"
        raise InputError(f"{found}, accepted are {', '.join(f'{limit:g}' for limit in there)}")
    return [row for row in rows if not limits or row["cost_limit"] in limits]


def with_run(rows: Iterable[Row], runs: Iterable[Run]) -> list[Row]:
    """Those rows whose run is there; rows of an earlier table have none."""
    names = {run.name for run in runs}
    return [row for row in rows if row["run"] in names]


def _rows(run: Run) -> list[Row]:
    path = run.path / "summary.json"
    with wrong_form(path, "the scores of a finished run"):
        return _rows_of(run, read_json(path))


def _rows_of(run: Run, summary: dict[str, Any]) -> list[Row]:
    if not summary["simulated"]:
        raise InputError(f"the run in {run.path} has no scores, for nothing was simulated: accepted are runs that have")
    scores = {summary["choice"]: summary["results"], **summary["other_choices"]}
    about = summary["dataset"]
    limits = [float(result["cost_limit"]) for result in summary["results"]]
    known = reference(summary["task"], about["source"], about["path"], about["sha256"], limits)
    low, high = summary["normaliser"]["reward_range"]
    shared = {
        "source": about["source"],
        "sha256": about["sha256"],
        "simulator_episodes_in_training": summary["simulator_episodes_used_in_training"],
        "reward_min": low,
        "reward_max": high,
        "episode_length": summary["normaliser"]["episode_length"],
        "preset": summary["preset"],
        "scale": run.scale,
        "commit": summary["commit"],
        "device": summary["device"],
        "run": run.name,
        "seconds": summary["seconds"],
        **_origin(run.path / "config.json"),
    }
    names = {
        "task": summary["task"],
        "data": stem(Path(about["path"])) if about["source"] == "file" else about["source"],
        "algorithm": summary["algorithm"],
        "variant": run.variant,
    }
    return [
        {**names, "choice": choice, **_scores(result), **known.columns(float(result["cost_limit"])), **shared}
        for choice, results in scores.items()
        for result in results
    ]


def _origin(path: Path) -> Row:
    """The command and the kind of machine of a run, from its config.json; empty where it does not name them.

    Raises `InputError` where the file is gone: the rows would replace those that name them.
    """
    if not path.exists():
        raise InputError(f"{path} is gone: put it back, or train that run again in another folder")
    config = read_config(path.parent)
    with wrong_form(path, "the command of a run"):
        words = config.get("command")
        return {"command": command_of(words) if words else "", "machine": config.get("machine", "")}


def command_of(words: Sequence[str]) -> str:
    """The command of a run without what decides nothing: where it writes, its threads, and the folder of its data."""
    kept: list[str] = []
    rest = iter(words[1:])
    for word in rest:
        if word in ("--out", "--threads"):
            next(rest, None)
        elif word != "--resume":
            kept.append(Path(word).name if kept[-1:] == ["--dataset"] else word)
    return shlex.join(["python", "-m", "deep.train", *kept])


def _scores(result: dict[str, Any]) -> Row:
    predicted = result.get("offline_cost_interval") or (None, None)
    return {
        "seed": result["seed"],
        "cost_limit": float(result["cost_limit"]),
        "R": result["reward"],
        "R_low": result["reward_ci"][0],
        "R_high": result["reward_ci"][1],
        "C": result["cost"],
        "C_low": result["cost_ci"][0],
        "C_high": result["cost_ci"][1],
        "return": result["reward_return"],
        "cost": result["cost_return"],
        "length": result["episode_length"],
        "safe": result["safe"],
        "ends_early": result.get("ends_early"),
        "offline_cost": result["offline_cost_estimate"],
        "offline_cost_low": predicted[0],
        "offline_cost_high": predicted[1],
        "episodes": result["episodes"],
    }


def method_of(row: Row) -> str:
    """What the tables call a row's method: algorithm, variant, way to act."""
    details = ", ".join(filter(None, (row["variant"], CHOICES.get(row["choice"], row["choice"]))))
    return str(TITLES.get(row["algorithm"], row["algorithm"])) + (f" ({details})" if details else "")


def methods_of(rows: Iterable[Row]) -> list[str]:
    """The methods of these rows, in their order."""
    return list(dict.fromkeys(map(method_of, rows)))


def grouped(rows: Iterable[Row], *keys: str) -> dict[tuple[Any, ...], list[Row]]:
    """The rows by the values of these keys; "method" is accepted for a key."""
    found: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        found.setdefault(tuple(method_of(row) if key == "method" else row[key] for key in keys), []).append(row)
    return found
