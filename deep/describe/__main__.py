"""`python -m deep.describe FILE`: what is in a data set, and its cost-return plane as a figure.

FILE is a path of any format that deep.train takes, minari:ID, or a task of the table. Nothing is trained or simulated.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from deep.data.data_path import data_path
from deep.data.reading import Reading
from deep.tasks import TASKS, Task, find_task
from theory.support.command import command, read
from theory.support.errors import InputError

if TYPE_CHECKING:  # h5py and scipy are imported after the command line has been checked
    from deep.data.dataset import OfflineDataset


@dataclass(frozen=True)
class Options:
    """Print what is in a data set, and draw the cost and the return of each trajectory."""

    file: Annotated[str, tyro.conf.Positional]
    """The data: a path, minari:ID, or the name of a task."""
    figure: Path | None = None
    """Where the figure goes, .png; default FILE-plane.png in this folder, such as cart.csv-plane.png."""
    reading: Annotated[Reading, tyro.conf.arg(name="")] = field(default_factory=Reading)
    """What the arrays are taken for."""


def main(arguments: list[str] | None = None, prog: str = "python -m deep.describe") -> None:
    with command(lambda: "nothing was written"):
        run(read(Options, __name__, arguments, prog))


def run(options: Options) -> None:
    """Read, print and draw."""
    if options.figure is not None and options.figure.suffix != ".png":
        raise InputError(f"--figure {options.figure}: a name that ends in .png is accepted")
    data, task, path, form = opened(options.file, options.reading)
    from deep.describe.figure import write
    from deep.describe.numbers import numbers, text

    found = numbers(data, task)
    print(f"{path}: {form}", text(data, found, task), sep="\n")
    if data.provenance:
        print("recorded about it: " + ", ".join(sorted(data.provenance)))
    figure = options.figure or Path(f"{path.name}-plane.png")
    write(figure, data, [row["limit"] for row in found["limits"]], f"{path.name}: {len(data.ends):,} trajectories")
    print(f"figure: {figure}", *_what_next(options, data, task), sep="\n")


def opened(name: str, reading: Reading) -> tuple[OfflineDataset, Task | None, Path, str]:
    """The data, their task if it is of the table, where they are, and their format in words."""
    from deep.data.conversion import read_any
    from deep.data.load import file_of, format_of, load, task_of

    path = data_path(name)
    if not path.exists():
        if name.lower() in {task.lower() for task in TASKS} or any(task.dsrl_id == name for task in TASKS.values()):
            task = find_task(name)
            data = load(task, "auto", reading)
            assert data.path is not None
            return data, task, data.path, _form(format_of(data.path, str(data.path)))
        where = "" if str(path) == name else f" (it would be {path})"
        raise InputError(f"{name} does not exist{where}: a path, minari:ID or a task's name is accepted")
    task = task_of(path)
    data = read_any(path, reading)
    return data, task, path, _form(format_of(file_of(path, name), name))


def _form(module: object) -> str:
    """The format's name: the first words of its module."""
    return (module.__doc__ or "").split(":")[0].split(",")[0].rstrip(".")


def _what_next(options: Options, data: OfflineDataset, task: Task | None) -> list[str]:
    """How to train on these data."""
    from deep.describe.command import bounds_are_of_the_data, train_command

    name = options.file if data_path(options.file).exists() else str(data.path)
    lines = [f"to train on it: {train_command(name, data, task, options.reading)}"]
    if task is not None:
        return lines
    if bounds_are_of_the_data(data, task):
        lines.append("the bounds of the actions are the data's: those of the plant or its simulator are better")
    return [*lines, "--env MODULE:ID names its simulator, if there is one"]


if __name__ == "__main__":
    main()
