"""The data card: a page of Markdown beside a data set that says what is in it and how it was made."""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deep.data.dataset import OfflineDataset
from deep.describe.command import train_command
from deep.describe.numbers import numbers
from deep.tasks import TASKS, Task
from theory.support.files import write_whole

LONGEST = 300
"""Characters of an entry of the provenance that are shown."""


def write_card(path: Path, data: OfflineDataset, figure: Path | None = None) -> Path:
    """Write the card of the data set that was written to `path`, beside it, and return where.

    `data` is what was written; `figure` is its cost-return plane.
    """
    card = card_of(path)
    write_whole(card, text(path, data, figure).encode())
    return card


def card_of(path: Path) -> Path:
    """The name of the data card beside the data set that is written to `path`."""
    return path.with_name(f"{path.stem if path.suffix else path.name}.md")


def text(path: Path, data: OfflineDataset, figure: Path | None = None) -> str:
    """The card's Markdown."""
    task = TASKS.get(data.task)
    found = numbers(data, task)
    parts = [
        f"# {path.name}",
        _sentence(data, task),
        _table(found),
        "## At each cost limit\n\n" + _limits(found),
        *([] if figure is None else [f"![the cost and the return of each trajectory]({figure.name})"]),
        "## How it was made\n\n" + _made(path, data.provenance),
        *(["## Assumed or left out\n\n" + "\n".join(f"- {remark}" for remark in data.remarks)] if data.remarks else []),
        "## How to read it\n\n" + _how_to_read(path, data, task),
    ]
    return "\n\n".join(parts) + "\n"


def _sentence(data: OfflineDataset, task: Task | None) -> str:
    what = f"Recordings of {task.name} ({task.dsrl_id})" if task else "Recordings of no task of the benchmark"
    kind = f", kind `{data.provenance['kind']}`" if "kind" in data.provenance else ""
    return (
        f"{what}{kind}, for offline reinforcement learning under a limit on the cost of an episode. They are not "
        "those of DSRL: no result on them can be compared with a published one. No licence is stated."
    )


def _table(found: Mapping[str, Any]) -> str:
    rows = {
        "trajectories": f"{found['trajectories']:,}",
        "transitions": f"{found['transitions']:,}",
        "observation, action": f"{found['observation_size']} and {found['action_size']} numbers",
        "actions": "from {:g} to {:g}".format(*found["action_range"]),
        "steps of a trajectory": "{:g} to {:g}, median {:g}".format(*_ends_first(found["lengths"])),
        "return of a trajectory": "{:.5g} to {:.5g}, median {:.5g}".format(*_ends_first(found["returns"])),
        "cost of a trajectory": "{:.5g} to {:.5g}, median {:.5g}".format(*_ends_first(found["costs"])),
        "trajectories that cost nothing": f"{found['free_share']:.1%}",
        "trajectories that end in a terminal state": f"{found['terminal_share']:.1%}",
    }
    return "\n".join(["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows.items())])


def _ends_first(spread: list[float]) -> tuple[float, float, float]:
    least, median, greatest = spread
    return least, greatest, median


def _limits(found: Mapping[str, Any]) -> str:
    lines = ["| limit | trajectories within it | share | mean return | best return |", "|---|---|---|---|---|"]
    for row in found["limits"]:
        returns = [f"{row[key]:.5g}" if key in row else "none" for key in ("mean_return", "best_return")]
        lines.append(f"| {row['limit']:g} | {row['trajectories']} | {row['share']:.1%} | {' | '.join(returns)} |")
    return "\n".join(lines)


def _made(path: Path, provenance: Mapping[str, Any]) -> str:
    lines = []
    if path.is_file():
        lines.append(f"- sha256 of the file: `{hashlib.sha256(path.read_bytes()).hexdigest()}`")
    for key, value in provenance.items():
        shown = value if isinstance(value, str) else json.dumps(value, default=str)
        cut = shown if len(shown) <= LONGEST else f"{shown[:LONGEST]} ... ({len(shown):,} characters in the file)"
        lines.append(f"- {key}: `{cut.replace('`', chr(39))}`")
    return "\n".join(lines) or "Nothing is recorded about it."


def _how_to_read(path: Path, data: OfflineDataset, task: Task | None) -> str:
    trained = train_command(path.name, data, task, written=True) + (f" --task {task.name}" if task else "")
    return f"    python -m deep.describe {shlex.quote(path.name)}\n    {trained}"
