"""What `python -m theory.npg_sweep` does once its folder is there: run the jobs, write the table and the figures."""

from collections.abc import Sequence

from theory.support.files import write_whole
from theory.support.tables import write_table
from theory.sweep.figures import draw_all
from theory.sweep.grid import Job
from theory.sweep.options import Sweep
from theory.sweep.schedule import run_all
from theory.sweep.summary import report


def run(sweep: Sweep, todo: Sequence[Job]) -> None:
    """Run the jobs that are missing in the folder; write runs.csv, summary.txt and the figures, and print the table."""
    rows = run_all(todo, sweep.out, sweep.workers, sweep.dask)
    write_table(sweep.out / "runs.csv", rows)
    text = report(rows)
    write_whole(sweep.out / "summary.txt", (text + "\n").encode())
    print(text)
    for path in draw_all(rows, sweep.out):
        print(path)
