"""Finished runs beside each other: what is read of each, the tables, what keeps them from being compared."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deep.core.files import read_json, wrong_form
from deep.page.run_page import flat
from deep.runs.config_file import read_config
from deep.tasks import within_limit
from theory.support.errors import InputError

COLUMNS = (
    "run", "method", "limit", "seeds", "R", "C", "safe", "steps", "return", "cost", "estimated cost", "seconds"
)  # fmt: skip
BASELINES = ("fitted_q", "nearest", "dice")
ESTIMATES = ("run", "method", "limit", "seeds", "estimated cost", "95 % interval", "of the limit", "estimated return",
             *(f"{what} by {name}" for what in ("cost", "return") for name in BASELINES))  # fmt: skip
DATA = ("run", "data", "limit", "trajectories", "mean cost", "mean return", "within", "mean return within",
        "best return within")  # fmt: skip


@dataclass(frozen=True)
class Part:
    """A table with its heading. Columns that are empty in all rows are left out."""

    heading: str
    columns: tuple[str, ...]
    rows: list[list[str]]

    @classmethod
    def of(cls, heading: str, columns: tuple[str, ...], rows: list[list[str]]) -> Part:
        if not all(isinstance(cell, str) for row in rows for cell in row):
            raise TypeError("a cell of the table is no text")
        kept = [i for i, _ in enumerate(columns) if not rows or any(row[i] for row in rows)]
        return cls(heading, tuple(columns[i] for i in kept), [[row[i] for i in kept] for row in rows])

    def text(self) -> str:
        """The table in Markdown."""
        lines = [self.columns, ["---"] * len(self.columns), *self.rows]
        return "\n".join([f"{self.heading}:", "", *("| " + " | ".join(line) + " |" for line in lines)])


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
        found = cls(name, read_config(path), read_json(path / "summary.json"))
        with wrong_form(path / "summary.json", "the summary of a run"):
            parts([found])
        with wrong_form(path / "config.json", "a run's settings"):
            flat(found.config["identity"])
            notes([found])
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
        scores += [_mean(own, "reward_return", ".4g"), _mean(own, "cost_return"), _mean(own, "offline_cost_estimate")]
        scores += [f"{run.summary['seconds']:.0f}"]
        table.append([run.name, run.summary["algorithm"], f"{limit:g}", f"{len(own)}", *scores])
    return table


def estimates(run: Run) -> list[list[str]]:
    """A row for each cost limit: the estimates from the data, by the learned dynamics and by the baseline estimators.

    Costs and returns are means over the seeds, with the least and the greatest. The interval is the widest of the
    seeds': from the least lower to the greatest upper end.
    """
    table = []
    for limit in sorted({result["cost_limit"] for result in run.results}):
        own = [result for result in run.results if result["cost_limit"] == limit]
        cells = [run.name, run.summary["algorithm"], f"{limit:g}", f"{len(own)}"]
        cells += [_mean(own, "offline_cost_estimate"), *_interval(own, limit)]
        cells += [_mean(own, "offline_return_estimate", ".4g")]
        for key, form in (("offline_baselines", ".3g"), ("offline_baseline_returns", ".4g")):
            cells += [_mean([result.get(key, {}) for result in own], name, form) for name in BASELINES]
        table.append(cells)
    return table


def _interval(results: Sequence[dict[str, Any]], limit: float) -> list[str]:
    """The widest interval, and what the intervals say of the limit."""
    found = [result for result in results if result.get("offline_cost_estimate") is not None]
    if not found:
        return ["", "unknown"]
    ends = [result["offline_cost_interval"] for result in found]
    words = [_of_limit(result, limit) for result in found]
    counts = [f"{words.count(word)} {word}" for word in dict.fromkeys(words)]
    low, high = min(low for low, _ in ends), max(high for _, high in ends)
    return [f"{low:.3g} to {high:.3g}", ", ".join(counts)]


def _of_limit(result: dict[str, Any], limit: float) -> str:
    low, high = result["offline_cost_interval"]
    if result.get("offline_doubt") or (within_limit(low, limit) and not within_limit(high, limit)):
        return "unclear"
    return "satisfied" if within_limit(high, limit) else "violated"


def of_data(run: Run) -> list[list[str]]:
    """A row for each cost limit: the returns of the run's data, and of the trajectories within the limit.

    Runs of earlier versions have not recorded them.
    """
    data, table = run.summary["dataset"], []
    path = Path(str(data["path"])).name
    for row in data.get("within", []):
        cells = [run.name, path, f"{row['limit']:g}", f"{data['trajectories']}"]
        cells += [f"{data['mean_cost']:.3g}", f"{data['mean_return']:.4g}", f"{row['trajectories']}"]
        table.append([*cells, *(f"{row[key]:.4g}" if key in row else "" for key in ("mean_return", "best_return"))])
    return table


def parts(runs: Sequence[Run]) -> list[Part]:
    """The tables: the scores, the estimates from the data, and the data themselves."""
    return [
        Part.of("Scores", COLUMNS, [row for run in runs for row in rows(run)]),
        Part.of("Estimates from the data alone", ESTIMATES, [row for run in runs for row in estimates(run)]),
        Part.of("The data that each run was trained on", DATA, [row for run in runs for row in of_data(run)]),
    ]


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
    unsimulated = [run.name for run in runs if "cost_return" not in run.results[0]]
    found = [f"Not simulated, so that there are estimates alone: {', '.join(unsimulated)}."] if unsimulated else []
    for what, value in (
        ("tasks", lambda run: run.summary["task"]),
        ("data sets", lambda run: run.summary["dataset"]["sha256"]),
        ("numbers of evaluation episodes", lambda run: run.results[0].get("episodes")),
        ("seeds", lambda run: run.config["identity"]["seeds"]),
    ):
        if len({str(value(run)) for run in runs} - {"None"}) > 1:
            found.append(f"The runs have different {what}.")
    return found


def explanations(runs: Sequence[Run]) -> list[str]:
    """What words and columns mean, a sentence each."""
    found = []
    if any(result.get("ends_early") and result.get("safe") for run in runs for result in run.results):
        found.append("short: C <= 1, but the episodes end early.")
    if any("offline_cost_interval" in result for run in runs for result in run.results):
        found.append(
            "Of the limit: satisfied where a replica's whole interval is within it, violated where all of it lies "
            "above, and else unclear."
        )
    if not all(of_data(run) for run in runs):
        found.append("Runs of earlier versions have not recorded the returns of their data.")
    return found


def text(runs: Sequence[Run]) -> str:
    """The tables in Markdown."""
    tables = [part.text() for part in parts(runs) if part.rows]
    return "\n\n".join([*notes(runs), *tables, *explanations(runs)])
