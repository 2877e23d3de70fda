"""`python -m deep.benchmark.ablations RUN`: which part of DRCORL carries its result.

Every variant changes one thing of a finished run and trains again all that the change touches, for the run's own seeds
and limits. What it does not touch, say the behaviour model of a variant of the gate, is taken from the run: the
variants of a seed differ by nothing but the change and what follows from it, and their differences are paired.
"""

import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from deep.benchmark.ablations.variants import VARIANTS, folder_of
from deep.cli.run_folder import check_run
from theory.support.command import command, read
from theory.support.errors import InputError
from theory.support.files import write_whole, writing


@dataclass(frozen=True)
class Options:
    """Train variants of a finished run of DRCORL and compare them; writes results.json and table.txt.

    Two policies of each replica are scored: the selected one, and the one with which adaptation ended.
    """

    run: Annotated[Path, tyro.conf.Positional]
    """Folder of a finished run of deep.train."""
    out: Path = Path("runs/ablations")
    """Folder for the results, one folder per variant in it. A command that was stopped goes on when called again, and
    the tables are of all variants that lie there: two processes may share the work."""
    variants: tuple[str, ...] = tuple(VARIANTS)
    """Which variants, by name."""
    cost_limits: tuple[float, ...] = ()
    """Some of the run's cost limits; none: all of them."""
    episodes: int = 100
    """Simulator episodes that a policy is scored by."""
    threads: int = 1
    """CPU threads of torch; more pay on idle cores only."""


def main(arguments: list[str] | None = None, prog: str = "python -m deep.benchmark.ablations") -> None:
    words = list(sys.argv[1:] if arguments is None else arguments)
    with command(lambda: f"finished parts are saved in --out; go on with: {prog} {shlex.join(words)}"):
        run(read(Options, __name__, words, prog, description=__doc__))


def run(options: Options) -> None:
    """Train and score every variant that is not finished yet."""
    unknown = sorted(set(options.variants) - VARIANTS.keys())
    if unknown:
        raise InputError(f"--variants {unknown[0]!r}: accepted are {', '.join(map(repr, VARIANTS))}")
    check_run(options.run)
    from deep.benchmark.ablations.table import table
    from deep.benchmark.ablations.training import config_of, train_variant
    from deep.benchmark.ope_study.policies import FinishedRun
    from deep.core.files import read_json
    from deep.core.validation import use_threads
    from deep.runs.folder import RunFolder

    use_threads(options.threads)
    base = FinishedRun.read(options.run)
    if base.experiment.settings.algorithm != "drcorl":
        raise InputError(f"{options.run} is a run of {base.experiment.settings.algorithm}: accepted is one of drcorl")
    limits = base.experiment.settings.cost_limits
    if not set(options.cost_limits) <= set(limits):
        raise InputError(f"--cost-limits {list(options.cost_limits)}: accepted are those of the run, {list(limits)}")
    with writing(options.out):
        options.out.mkdir(parents=True, exist_ok=True)
    limits = options.cost_limits or limits
    folders = {name: RunFolder(folder_of(options.out, name)) for name in VARIANTS}
    for name, folder in folders.items():  # all that the tables will hold
        if folder.config.exists():
            folder.compare(config_of(base, VARIANTS[name], limits, options.episodes))
    for name in options.variants:
        if not (folders[name].path / "summary.json").exists():
            print(f"{name}: {VARIANTS[name] or 'nothing changed'}", flush=True)
            train_variant(base, VARIANTS[name], limits, folders[name], options.episodes)
    summaries = {name: folder.path / "summary.json" for name, folder in folders.items()}
    finished = {name: read_json(path) for name, path in summaries.items() if path.exists()}
    RunFolder(options.out).write_json("results.json", finished)
    write_whole(options.out / "table.txt", (table(finished) + "\n").encode())
    print(table(finished))


if __name__ == "__main__":
    main()
