"""The page of a run: settings, scores, curves, the plane of costs and returns, and a film where there is one.

It is made from what lies in the run's folder, and is one file that opens in any browser.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deep.core.files import read_json, wrong_form
from deep.page.render import embedded, render
from deep.runs.config_file import read_config

FILM = "film.gif"
"""The name of the film in a run's folder."""
COLUMNS = ("seed", "limit", "R", "C", "cost", "return", "steps", "estimated cost", "interval", "verdict")


def page(run: Path) -> str:
    """The HTML of the run in this folder; raises `InputError` where its files are missing or of another form."""
    config, summary = read_config(run), read_json(run / "summary.json")
    with wrong_form(run / "summary.json", "the summary of a run"):
        data = summary["dataset"]
        about = (
            f"{summary['algorithm']}, {summary['preset']} preset, on {summary['device']}, {summary['seconds']:g} s; "
            f"{data['trajectories']:,} trajectories with {data['transitions']:,} transitions"
        )
        software = {"commit": summary["commit"], **summary["versions"], "data": data["path"], "sha256": data["sha256"]}
        return render(
            "run.html",
            title=f"{summary['task']}: {summary['algorithm']}",
            about=about + ("" if summary["simulated"] else "; nothing was simulated, all numbers are estimates"),
            columns=COLUMNS,
            rows=[row_of(result) for result in summary["results"]],
            screen="\n".join(summary.get("screen", ())).strip(),
            plane=embedded(run / "results.png"),
            curves=embedded(run / "training.png"),
            film=embedded(run / FILM),
            remarks=data.get("remarks", []),
            settings=list(flat(config["identity"]).items()),
            software=list(software.items()),
        )


def row_of(result: Mapping[str, Any]) -> dict[str, Any]:
    """One replica's row of the table: its cells, and what is said of its limit."""
    estimate, interval = result.get("offline_cost_estimate"), result.get("offline_cost_interval")
    cells = [f"{result['seed']}", f"{result['cost_limit']:g}"]
    cells += [number(result.get(key)) for key in ("reward", "cost", "cost_return", "reward_return", "episode_length")]
    cells += [number(estimate), "" if interval is None else f"{interval[0]:.3g} to {interval[1]:.3g}"]
    if "safe" in result:
        verdict = "safe" if result["safe"] else "UNSAFE"
        verdict = "short" if result["safe"] and result.get("ends_early") else verdict
    else:
        verdict = "not simulated"
    kind = {"safe": "safe", "UNSAFE": "unsafe"}.get(verdict, "unknown")
    return {"cells": cells, "verdict": verdict, "class": kind}


def number(value: float | None) -> str:
    """A number of a table; nothing where there is none."""
    return "" if value is None else f"{value:.4g}"


def flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings by their dotted names."""
    found: dict[str, Any] = {}
    for name, value in settings.items():
        found |= flat(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {prefix + name: value}
    return found
