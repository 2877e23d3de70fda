"""`python -m deep.benchmark.ope_study RUN ...`: offline estimates of a policy's cost against the simulator, over many
policies.

Takes the policies of finished runs of `deep.train` and others around them (`deep/benchmark/ope_study/policies.py`),
estimates their cost from the data by every estimator, and plays them in the simulator. A command that was stopped goes
on when it is called again.
"""

import json
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from deep.cli.run_folder import check_no_run, check_run
from theory.support.command import command, read
from theory.support.errors import InputError
from theory.support.files import writing
from theory.support.tables import write_table


@dataclass(frozen=True)
class Options:
    """Study the offline estimates on the policies of finished runs; writes results.csv, summary.json and study.png."""

    runs: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Folders of finished runs of deep.train, one or more, of one task."""
    out: Path = Path("runs/study")
    """Folder for the results."""
    episodes: int = 20
    """Simulator episodes that are a policy's truth."""
    estimators: Literal["all", "dynamics"] = "all"
    """All, or the estimates of the learned dynamics alone: of whole episodes and, where the gate uses them, paired. The
    others take most of the time."""
    threads: int = 1
    """CPU threads of torch; more pay on idle cores only."""


def main(arguments: list[str] | None = None, prog: str = "python -m deep.benchmark.ope_study") -> None:
    words = list(sys.argv[1:] if arguments is None else arguments)
    with command(lambda: f"finished parts are saved in --out; go on with: {prog} {shlex.join(words)}"):
        run(read(Options, __name__, words, prog))


def run(options: Options) -> dict[str, Any]:
    """Measure what is not yet measured; returns the summary, which it has also written."""
    if options.episodes < 2 or not options.runs:
        raise InputError(
            f"--episodes {options.episodes} on {len(options.runs)} runs: accepted are at least 2 episodes and a run"
        )
    for path in options.runs:
        check_run(path)
    check_no_run(options.out)
    from deep.benchmark.ope_study.figure import draw
    from deep.benchmark.ope_study.measure import Estimators, RowFile, measure
    from deep.benchmark.ope_study.policies import FinishedRun
    from deep.benchmark.ope_study.summary import four_digits, summarise
    from deep.core.validation import use_threads
    from deep.methods.drcorl.gate import GateConfig
    from deep.runs.folder import RunFolder

    use_threads(options.threads)
    finished = [FinishedRun.read(path) for path in options.runs]
    if len({run.experiment.task.name for run in finished}) > 1 or len({run.path.name for run in finished}) < len(
        finished
    ):
        raise InputError(f"{', '.join(map(str, options.runs))}: accepted are runs of one task with different names")
    with writing(options.out):
        options.out.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, Any]] = []
    for run in finished:
        file = RowFile(options.out / f"{run.path.name}.jsonl", run.digest, options.episodes, options.estimators)
        file.read()  # before anything is computed: it may be another run's
        estimators = Estimators(run.experiment, options.estimators)
        for candidates in run.candidates():
            if candidates.name not in file.read():
                print(f"{run.path.name}: measuring {candidates.name}", flush=True)
                file.add(candidates.name, measure(run, estimators, candidates, options.episodes))
            rows += file.read()[candidates.name]
    summary = {
        "task": finished[0].experiment.task.name,
        "dataset_sha256": sorted({str(run.experiment.data.sha256) for run in finished}),
        "episodes": options.episodes,
        **summarise(rows, GateConfig().min_length_ratio * float(finished[0].experiment.data.lengths.mean())),
    }
    write_table(options.out / "results.csv", four_digits(rows))
    RunFolder(options.out).write_json("summary.json", summary)
    draw(rows, options.out / "study.png")
    print(json.dumps(summary, indent=1))
    return summary


if __name__ == "__main__":
    main()
