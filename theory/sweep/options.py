"""The options of `python -m theory.npg_sweep`, read without torch."""

from dataclasses import dataclass, field
from pathlib import Path

from theory.support.errors import InputError
from theory.sweep.grid import Grid

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
MOST_WORKERS = 1024


@dataclass(frozen=True)
class Sweep:
    """Run a grid of finite CMDPs x algorithms, print a table, write all runs and figures to a folder."""

    out: Path = Path("runs/npg_sweep")
    """Folder for runs.csv, summary.txt, config.json and the figures."""
    quick: bool = False
    """A small grid that takes seconds; the settings under --grid are then ignored."""
    workers: int = 2
    """Local processes; the results do not depend on it."""
    dask: str | None = None
    """Address of an existing Dask scheduler, such as tcp://127.0.0.1:8786, to run the jobs on."""
    resume: bool = False
    """Go on with the sweep that the folder holds."""
    grid: Grid = field(default_factory=Grid)

    def __post_init__(self) -> None:
        if not 1 <= self.workers <= MOST_WORKERS:
            raise InputError(f"--workers {self.workers}: accepted is a number from 1 to {MOST_WORKERS}")
