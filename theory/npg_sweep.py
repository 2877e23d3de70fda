"""`python -m theory.npg_sweep`: every safe-adaptation algorithm on a grid of CMDPs, against optimum and bounds."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import tyro

from theory.support.cluster import connect
from theory.support.errors import InputError, exit_on_input_error, exit_on_interrupt
from theory.support.files import write_whole
from theory.support.tables import write_table
from theory.sweep.grid import Grid, Job, expand, jobs
from theory.sweep.schedule import prepare, progress, run_all
from theory.sweep.summary import report

QUICK = Grid(
    instances=("dirichlet:2:2", "chain:3:2"),
    large_instances=(),
    gammas=(0.3,),
    tightness=(0.4,),
    steps=(30, 100, 300),
    data=(100, 1000),
    data_steps=30,
    critics=("model", "ensemble"),
    seeds=2,
)


@dataclass(frozen=True)
class Sweep:
    """Run a grid of finite CMDPs x algorithms, print a table, write all runs and figures to a folder."""

    out: Path = Path("runs/npg_sweep")
    """Folder for runs.csv, summary.txt, config.json and the figures."""
    quick: bool = False
    """A small grid that takes seconds; the settings under --grid are then ignored."""
    workers: int = min(2, os.cpu_count() or 1)
    """Local processes; the results do not depend on it."""
    dask: str | None = None
    """Address of an existing Dask scheduler, such as tcp://127.0.0.1:8786, to run the jobs on."""
    resume: bool = False
    """Go on with the sweep that the folder holds."""
    grid: Grid = field(default_factory=Grid)


def main(arguments: Sequence[str] | None = None, prog: str = "python -m theory.npg_sweep") -> None:
    """The command; wrong input ends in one sentence and exit code 2, Ctrl-C in one line and exit code 130."""
    with exit_on_input_error():
        sweep = tyro.cli(Sweep, args=arguments, description=__doc__, prog=prog)
        if sweep.workers < 1:
            raise InputError(f"--workers must be at least 1, not {sweep.workers}.")
        grid = QUICK if sweep.quick else sweep.grid
        todo = jobs(expand(grid))
        with exit_on_interrupt(lambda: progress(sweep.out, todo)):
            run(sweep, grid, todo)


def run(sweep: Sweep, grid: Grid, todo: Sequence[Job]) -> None:
    """Run the jobs that are missing in the folder, then write the table, the summary and the figures."""
    if sweep.dask is not None:
        connect(sweep.dask).close()  # an address that does not answer leaves no folder behind
    prepare(sweep.out, grid, sweep.resume)
    rows = run_all(todo, sweep.out, sweep.workers, sweep.dask)
    write_table(sweep.out / "runs.csv", rows)
    text = report(rows)
    write_whole(sweep.out / "summary.txt", (text + "\n").encode())
    print(text)
    from theory.sweep.figures import draw_all

    for path in draw_all(rows, sweep.out):
        print(path)


if __name__ == "__main__":
    main()
