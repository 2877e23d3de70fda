"""`python -m deep.study`: offline estimates of a policy's cost against the simulator, over many policies.

Trains what it needs (or goes on where it was stopped), measures every policy, and writes results.csv, summary.json and
study.png. A command that was killed goes on when it is called again.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import tyro

from deep.runs import RunFolder
from deep.study.measure import Estimators, RowFile, measure
from deep.study.policies import Scale, make, train_base, usual_scale
from deep.study.summary import summarise, write_csv
from theory.errors import InputError, exit_on_input_error


@dataclass(frozen=True)
class Options:
    """Study the offline estimates on one data set."""

    out: Path = Path("runs/study")
    """Folder of the study: its runs, rows, results."""
    task: str = "HopperVel"
    """Short name or DSRL id of a task."""
    dataset: str = "embedded"
    """As in deep.train."""
    seeds: tuple[int, ...] = (0, 1, 2)
    """Every seed has its own models, clone and critics; at least two."""
    episodes: int = 20
    """Simulator episodes that are a policy's truth."""
    threads: int = 0
    """CPU threads of torch; 0 leaves its default."""


def main(arguments: list[str] | None = None) -> None:
    options = tyro.cli(Options, args=arguments, prog="python -m deep.study", description=__doc__)
    with exit_on_input_error():
        if options.episodes < 2 or len(options.seeds) < 2:
            raise InputError(
                f"--episodes {options.episodes} and --seeds {list(options.seeds)}: accepted are at least two of each"
            )
        if options.threads > 0:
            torch.set_num_threads(options.threads)
        run(usual_scale(options.task, options.dataset, options.seeds), options.out, options.episodes)


def run(scale: Scale, out: Path, episodes: int) -> dict[str, Any]:
    """All sources in turn; returns the summary, which it has also written."""
    from deep.study.figure import draw

    base = train_base(scale, out / "base")
    estimators = Estimators(base)
    rows: list[dict[str, Any]] = []
    for name, source in scale.sources.items():
        place = name.replace(", ", "-").replace(" ", "-")
        steps, snapshots = make(scale, source, out / "base", out / place)
        file = RowFile(out / f"{place}.jsonl", episodes)
        # All adaptations of a seed share step 0, their clone, and untrained clones are nobody's policy.
        for step, theta in list(zip(steps, snapshots, strict=True))[1:]:
            if step not in file.read():
                print(f"{name}: measuring step {step}", flush=True)
                file.add(step, measure(base, estimators, theta, episodes))
        rows += [{"source": name, "step": step, **row} for step, found in file.read().items() for row in found]
    summary = summarise(rows)
    summary["dataset_sha256"] = base.data.sha256
    write_csv(out / "results.csv", rows)
    RunFolder(out).write_json("summary.json", summary)
    draw(rows, out / "study.png")
    print(json.dumps(summary, indent=2))
    return summary


if __name__ == "__main__":
    main()
