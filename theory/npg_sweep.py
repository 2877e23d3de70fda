"""`python -m theory.npg_sweep`: every safe-adaptation algorithm on a grid of CMDPs, against optimum and bounds.

Options and folder are checked before torch is imported: a mistake is rejected at once. `theory.sweep.execute` does
the work.
"""

import sys
from collections.abc import Sequence

from theory.support.cluster import connect
from theory.support.command import command, going_on, read
from theory.sweep.folder import prepare, progress
from theory.sweep.grid import Job, expand, jobs
from theory.sweep.options import QUICK, Sweep

SHOWN = "out quick workers dask resume".split()
"""The options that --help shows."""


def main(arguments: Sequence[str] | None = None, prog: str = "python -m theory.npg_sweep") -> None:
    """The command; wrong input ends in one sentence and exit code 2, Ctrl-C in one line and exit code 130."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    begun: list[tuple[Sweep, Sequence[Job]]] = []

    def saved() -> str:
        if not begun:
            return "nothing is saved, for the sweep had not begun"
        sweep, todo = begun[-1]
        return f"{progress(sweep.out, todo)}; {going_on(prog, words)}"

    with command(saved):
        sweep = read(Sweep, "theory.sweep.options", words, prog, SHOWN)
        grid = QUICK if sweep.quick else sweep.grid
        todo = jobs(expand(grid))
        if sweep.dask is not None:
            connect(sweep.dask).close()  # an address that does not answer leaves no folder behind
        prepare(sweep.out, grid, sweep.resume)
        begun.append((sweep, todo))
        from theory.sweep.execute import run

        run(sweep, todo)


if __name__ == "__main__":
    main()
