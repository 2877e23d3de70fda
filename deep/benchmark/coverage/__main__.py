"""`python -m deep.benchmark.coverage RUN`: why the cost that DRCORL's critics estimate differs from the true one.

For the clone and for the policy that was kept, of every seed and cost limit: the critics' estimates averaged over the
data's states, the start states, and the states that the policy visits in the simulator; the share of these that lie far
from the data, and what they cost; and the estimates once the policy's own episodes are among the data
(`deep/benchmark/coverage/measure.py`). With --noise also what learned dynamics say of these policies
(`deep/benchmark/coverage/models.py`).
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from deep.cli.run_folder import check_run
from theory.support.command import command, read
from theory.support.errors import InputError
from theory.support.files import write_whole, writing

COLUMNS = (
    ("policy", "policy", ""), ("seed", "seed", "d"), ("limit", "limit", "g"), ("cost", "cost", ".1f"),
    ("steps", "steps", ".0f"), ("critics: data", "data", ".1f"), ("starts", "starts", ".1f"),
    ("visited", "visited", ".1f"), ("right", "visited_true", ".1f"), ("far", "share_far", ".0%"),
    ("cost a step: near", "cost_rate_near", ".2f"), ("far", "cost_rate_far", ".2f"),
    ("own episodes: data", "data_with_own_episodes", ".1f"), ("visited", "visited_with_own_episodes", ".1f"),
)  # fmt: skip
"""The table's columns: the heading, the entry of a row, how it is written."""
OF_DYNAMICS = (
    *COLUMNS[:4], ("noise of the models", "models_noise", "g"), ("estimate", "models_cost", ".1f"),
    ("from", "low", ".1f"), ("to", "high", ".1f"), ("OOD score", "models_ood_score", ".3g"),
    ("far", "share_far", ".0%"), ("far in the models", "models_share_far", ".0%"),
)  # fmt: skip
"""The same of the table of the learned dynamics."""


@dataclass(frozen=True)
class Options:
    """Compare the critics of a finished DRCORL run with the simulator; writes a JSON file."""

    directory: Annotated[Path, tyro.conf.Positional]
    """Folder of a finished run of deep.train --algorithm drcorl."""
    out: Path = Path("runs/coverage.json")
    """File for the figures."""
    episodes: int = 10
    """Simulator episodes of each policy."""
    steps: int = 2000
    """TD steps of the critics at each policy, first on the data, then with its own episodes besides."""
    noise: tuple[float, ...] = ()
    """Learned dynamics to ask as well, one ensemble for each of these numbers (`--dynamics.noise` of deep.train)."""
    dynamics_steps: int = 8000
    """Training steps of each ensemble."""
    dataset: Path | None = None
    """Where the file of the run's data is now, if it has been moved since; its hash is compared."""


def main(arguments: list[str] | None = None, prog: str = "python -m deep.benchmark.coverage") -> None:
    with command(lambda: f"nothing was written; the same command measures again: {prog} DIR"):
        run(read(Options, __name__, arguments, prog))


def run(options: Options) -> dict[str, Any]:
    """Measure, print a table, write the file; returns what it holds."""
    if options.episodes < 1 or options.steps < 0:
        raise InputError(
            f"--episodes {options.episodes}, --steps {options.steps}: accepted are at least 1 and at least 0"
        )
    if options.dynamics_steps < 1 or not all(0 <= noise < float("inf") for noise in options.noise):
        raise InputError(
            f"--dynamics-steps {options.dynamics_steps}, --noise {' '.join(map(str, options.noise))}: accepted are at "
            "least 1 and finite numbers of at least 0"
        )
    check_run(options.directory)
    if options.out.exists():
        raise InputError(f"--out {options.out} exists: a new file is accepted")
    with writing(options.out):  # before minutes of work
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.touch()
        options.out.unlink()
    from deep.benchmark.coverage.measure import Study
    from deep.benchmark.coverage.models import Models
    from deep.core.phase import BLOCK
    from deep.core.provenance import machine, software_versions
    from deep.core.validation import use_threads
    from deep.runs.experiment import finished

    for name, steps in (("--steps", options.steps), ("--dynamics-steps", options.dynamics_steps)):
        if steps % BLOCK:
            raise InputError(f"{name} {steps}: accepted is a multiple of {BLOCK}")
    use_threads(1)
    experiment, _ = finished(options.directory, options.dataset)
    if experiment.settings.algorithm != "drcorl" or not experiment.task.simulated:
        raise InputError(
            f"{options.directory} is a run of {experiment.settings.algorithm} on {experiment.task.name}: accepted is "
            "one of drcorl on a task that has a simulator"
        )
    models = []
    for noise in sorted(set(options.noise)):
        print(f"learned dynamics with noise {noise:g}: {options.dynamics_steps} steps", flush=True)
        models.append(Models.trained(noise, options.dynamics_steps, experiment.problem))
    rows = Study(experiment, options.episodes, options.steps, tuple(models)).rows()
    content = {
        "task": experiment.task.name,
        "data": experiment.data.sha256,
        "episodes": options.episodes,
        "steps": options.steps,
        "dynamics_steps": options.dynamics_steps if models else 0,
        "machine": machine(),
        **software_versions(),
        "rows": rows,
    }
    write_whole(options.out, json.dumps(content, indent=1).encode())
    print(table(rows), *([said(rows)] if models else []), f"written: {options.out}", sep="\n")
    return content


def table(rows: list[dict[str, Any]]) -> str:
    """The rows as text, costs of an episode; the last two columns are of critics that know the policy's episodes."""
    return written(COLUMNS, rows)


def said(rows: list[dict[str, Any]]) -> str:
    """What learned dynamics say of the same policies, as text."""
    return written(OF_DYNAMICS, [{**row, **each} for row in rows for each in _by_noise(row)])


def _by_noise(row: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {f"models_{name}": value for name, value in each.items() if name != "interval"}
        | dict(zip(("low", "high"), each["interval"], strict=True))
        for each in row["dynamics"]
    ]


def written(columns: Sequence[tuple[str, str, str]], rows: list[dict[str, Any]]) -> str:
    """Rows as lines whose columns are aligned, a heading first."""
    lines = [[title for title, _, _ in columns]]
    lines += [["-" if row[key] is None else format(row[key], form) for _, key, form in columns] for row in rows]
    width = [max(len(line[i]) for line in lines) for i in range(len(columns))]
    return "\n".join("  ".join(map(str.rjust, line, width)) for line in lines)


if __name__ == "__main__":
    main()
