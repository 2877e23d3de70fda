"""Finished runs beside each other: what is read of each, the table, what differs between them."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deep.core.files import read_json, wrong_form
from theory.support.errors import InputError

COLUMNS = ("run", "method", "limit", "seeds", "R", "C", "safe", "steps", "cost", "estimated cost", "seconds")


@dataclass(frozen=True)
class Run:
    """A finished run, from config.json and summary.json."""

    name: str
    config: dict[str, Any]
    summary: dict[str, Any]

    @classmethod
    def read(cls, path: Path, name: str) -> Run:
        """Raises `InputError` where there is no finished run."""
        if not (path / "config.json").exists():
            raise InputError(f"there is no run in {path} (no config.json in it)")
        if not (path / "summary.json").exists():
            raise InputError(f"the run in {path} was not evaluated to its end: go on with deep.train --resume")
        found = cls(name, read_json(path / "config.json"), read_json(path / "summary.json"))
        with wrong_form(path / "summary.json", "the summary of a run"):
            rows(found)
        return found

    @property
    def results(self) -> list[dict[str, Any]]:
        """One entry for each replica."""
        return self.summary["results"]


def names_of(paths: Sequence[Path]) -> list[str]:
    """A short name for each run: the last part of its path, with as many parts more as tell them apart."""
    parts = [path.absolute().parts for path in paths]
    for count in range(1, max(map(len, parts)) + 1):
        names = ["/".join(each[-count:]) for each in parts]
        if len(set(names)) == len(names):
            return names
    raise InputError(f"{paths[0]} is named twice: different runs are accepted")


def rows(run: Run) -> list[list[str]]:
    """A row for each cost limit: means over the seeds, each with the least and the greatest.

    A replica is safe, or short where its episodes end early, as on the screen of its run.
    """
    table = []
    for limit in sorted({result["cost_limit"] for result in run.results}):
        own = [result for result in run.results if result["cost_limit"] == limit]
        scores = [_mean(own, "reward"), _mean(own, "cost"), _safe(own), _mean(own, "episode_length", ".4g")]
        scores += [_mean(own, "cost_return"), _mean(own, "offline_cost_estimate"), f"{run.summary['seconds']:.0f}"]
        table.append([run.name, run.summary["algorithm"], f"{limit:g}", f"{len(own)}", *scores])
    return table


def _safe(results: Sequence[dict[str, Any]]) -> str:
    if "safe" not in results[0]:
        return "not simulated"
    short = sum(result["safe"] and bool(result.get("ends_early")) for result in results)
    safe = sum(result["safe"] for result in results) - short
    return f"{safe} of {len(results)}" + (f", {short} short" if short else "")


def _mean(results: Sequence[dict[str, Any]], key: str, form: str = ".3g") -> str:
    values = [result[key] for result in results if result.get(key) is not None]
    if not values:
        return ""
    spread = f" [{min(values):{form}}, {max(values):{form}}]" if len(values) > 1 else ""
    return f"{statistics.fmean(values):{form}}{spread}"


def notes(runs: Sequence[Run]) -> list[str]:
    """What keeps the runs from being compared, a sentence each."""
    found = []
    for what, value in (
        ("tasks", lambda run: run.summary["task"]),
        ("data sets", lambda run: run.summary["dataset"]["sha256"]),
        ("numbers of evaluation episodes", lambda run: run.results[0].get("episodes")),
        ("seeds", lambda run: run.config["identity"]["seeds"]),
    ):
        if len({str(value(run)) for run in runs}) > 1:
            found.append(f"The runs have different {what}.")
    return found


def text(runs: Sequence[Run]) -> str:
    """The table in Markdown."""
    lines = ["| " + " | ".join(COLUMNS) + " |", "|" + "---|" * len(COLUMNS)]
    lines += ["| " + " | ".join(row) + " |" for run in runs for row in rows(run)]
    if any("short" in row[COLUMNS.index("safe")] for run in runs for row in rows(run)):
        lines += ["", "short: C <= 1, but the episodes end early."]
    return "\n".join([*notes(runs), "", *lines]).lstrip()
