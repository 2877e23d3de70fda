"""`python -m deep.convert IN OUT`: a data set of any format in DSRL's layout, or as a Minari data set.

OUT.hdf5 is what DSRL's own reader takes; `--to minari` writes the folder OUT that `minari.MinariDataset` takes, with
the costs in infos/cost. The units of the actions stay. A data card, OUT.md, goes beside it.
"""

from __future__ import annotations

import re
import shlex
import shutil
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from deep.data.data_path import data_path
from deep.data.reading import Reading
from theory.support.command import command, read
from theory.support.errors import InputError


@dataclass(frozen=True)
class Options:
    """Write a data set in DSRL's layout, or as a Minari data set, with a data card beside it."""

    source: Annotated[str, tyro.conf.Positional]
    """The data: a path of any format that deep.train takes, or minari:ID."""
    out: Annotated[Path, tyro.conf.Positional]
    """The file, .hdf5; with --to minari the folder, whose name ends in a version: mine-v0."""
    to: Literal["dsrl", "minari"] = "dsrl"
    """dsrl: one HDF5 file. minari: a folder; needs the package minari."""
    task: str | None = None
    """The task that the data are of, if the file does not say it."""
    overwrite: bool = False
    """Replace what is there."""
    reading: Annotated[Reading, tyro.conf.arg(name="")] = field(default_factory=Reading)
    """What the arrays are taken for."""


def main(arguments: list[str] | None = None, prog: str = "python -m deep.convert") -> None:
    words = list(sys.argv[1:] if arguments is None else arguments)
    with command(lambda: "nothing was written"):
        run(read(Options, __name__, words, prog), f"python -m deep.convert {shlex.join(words)}")


def run(options: Options, words: str = "") -> Path:
    """Read, check and write; the path of the data card."""
    _check(options)
    from deep.data.conversion import read_any, write
    from deep.data.load import task_of
    from deep.describe.card import write_card
    from deep.describe.command import train_command
    from deep.tasks import find_task

    path = data_path(options.source)
    task = task_of(path) if options.task is None else find_task(options.task)
    data = read_any(path, options.reading)
    about: dict[str, Any] = {"conversion": words} if words else {}
    if task is not None:
        about["task"] = task.name
    if options.to == "dsrl":
        write(options.out, data, about)
    else:
        from deep.convert.minari_writer import write_minari

        if options.out.exists():
            shutil.rmtree(options.out)
        write_minari(options.out, data, task)
    known = {"converted_from": path.name, "source_sha256": str(data.sha256)} | dict(data.provenance) | about
    described = replace(data, provenance=known, task=task.name if task else data.task)
    card = write_card(options.out, described)
    print(f"{options.out}: {len(data.ends):,} trajectories, {len(data):,} transitions", *data.remarks, sep="\n")
    trained = train_command(str(options.out), data, task, written=True)
    print(f"data card: {card}", f"to train on it: {trained}", sep="\n")
    return card


def _check(options: Options) -> None:
    """Raise `InputError` for what can be seen to be wrong without the data."""
    from deep.describe.card import card_of

    if options.to == "dsrl" and options.out.suffix not in (".hdf5", ".h5"):
        raise InputError(f"{options.out}: a name that ends in .hdf5 is accepted")
    if options.to == "minari" and not re.fullmatch(r"[\w-]+-v\d+", options.out.name):
        raise InputError(f"{options.out} with --to minari: the name of a folder such as mine-v0 is accepted")
    path = data_path(options.source)
    if not path.exists():
        where = "" if str(path) == options.source else f" (it would be {path})"
        raise InputError(f"{options.source} does not exist{where}: a path or minari:ID is accepted")
    if options.out.exists():
        if path.exists() and options.out.samefile(path):
            raise InputError(f"{options.out} is the data set itself: another name is accepted")
        if not options.overwrite:
            raise InputError(f"{options.out} exists: another name is accepted, or --overwrite with it")
        if options.out.is_dir() and not (options.out / "data" / "metadata.json").is_file():
            raise InputError(f"{options.out} is a folder of other content: another name is accepted")
    if not options.overwrite and (card := card_of(options.out)).exists():
        raise InputError(f"{card}, the name of the data card, exists: another name is accepted, or --overwrite with it")


if __name__ == "__main__":
    main()
