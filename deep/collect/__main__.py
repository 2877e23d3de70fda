"""Make a DSRL-format data set from scratch: trajectories of many safe policies, all over the plane of cost and return.

    python -m deep.collect --task HopperVel --seed 0 --out hopper.hdf5

Several runs of PPO-Lagrangian pass through the plane, each on its own path of cost limits, and leave snapshots of their
policies behind. Every snapshot then plays `episodes` whole episodes, so that each behaviour policy is seen several
times and exactly as it is; finished training episodes would mix policies and, since a falling policy finishes sooner,
favour short falls. Some play with part of their exploration noise: they do the same with fewer violations. Of these
policies, taken cell by cell from a grid over mean cost and mean return, as many are kept as make up the trajectories
asked for.

Runs are single-threaded and share nothing, hence the file does not depend on the number of workers. They save what they
have next to the output, from where `--resume` goes on.

    python -m deep.collect --task HopperVel --kind tempting stitching          # a pool and two kinds drawn from it
    python -m deep.collect --pool hopper.hdf5 --kind tempting --out mine.hdf5  # mine-tempting.hdf5, from this pool

A kind of data (`deep.data.kinds`) is a set of trajectories drawn from a pool so that methods can be told apart on it.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import shlex
import shutil
import sys
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
import tyro

from deep.cli.command import command, read
from deep.collect.recipes import Settings, recipe
from deep.data.kinds import Kind, Subset
from deep.tasks import find_task
from theory.support.errors import InputError
from theory.support.files import write_whole, writing

if TYPE_CHECKING:  # imported after the command line has been checked, because torch takes seconds
    from deep.collect.subsets import Save
    from deep.core.files import Lock
    from deep.data.dataset import OfflineDataset

SHORT = "task out seed pool kind trajectories episodes runs noise layout minari resume overwrite workers".split()
"""The options that --help shows."""


@dataclass(frozen=True)
class Arguments:
    """Collect a DSRL-format data set by online safe reinforcement learning."""

    out: Path
    """The file to write, .hdf5, by default TASK.hdf5; a scatter plot and a data card go beside it, .png and .md."""
    settings: Annotated[Settings, tyro.conf.arg(name="")] = field(default_factory=Settings)
    layout: Literal["packed", "plain"] = "packed"
    """packed: float16, a fifth of the size; plain: exactly DSRL's layout."""
    resume: bool = False
    """Continue a collection that was stopped."""
    minari: bool = False
    """Also write each set as a Minari data set, the folder NAME-v0; needs the package minari."""
    overwrite: bool = False
    """Replace an existing file, or start a stopped collection anew."""
    workers: int = 0
    """Runs at a time; 0: one per core. The data do not depend on it."""
    kind: tuple[Kind, ...] = ()
    """Kinds of data to draw from the pool; each is written beside --out, as OUT-KIND.hdf5."""
    pool: str | None = None
    """Draw from this file instead of collecting: a path, "embedded" or "dsrl"; only --kind's files are written."""
    subset: Subset = field(default_factory=Subset)


def prepare(arguments: Arguments) -> tuple[Settings, Path, Lock]:
    """The settings, checked and complete, and the folder that a stopped collection goes on from, locked."""
    out, settings = arguments.out, replace(arguments.settings, task=find_task(arguments.settings.task).name)
    at_least_1 = {key: value for key, value in asdict(settings).items() if key not in ("task", "seed", "noise", "ppo")}
    at_least_1 |= {f"ppo.{key}": value for key, value in asdict(settings.ppo).items() if isinstance(value, int)}
    from deep.core.files import Lock

    bounds = [
        (settings.seed, 0, "seed"),
        (arguments.workers, 0, "workers"),
        *((v, 1, k) for k, v in at_least_1.items()),
    ]
    for value, low, name in bounds:
        if value < low:
            raise InputError(f"--{name.replace('_', '-')} {value}: at least {low} is accepted")
    if not settings.noise or not all(0 < share < np.inf for share in settings.noise):
        raise InputError(f"--noise {' '.join(map(str, settings.noise))}: one number above 0 or more are accepted")
    folder = out.with_suffix(".unfinished")
    if out.exists() and not (arguments.overwrite or (arguments.resume and folder.exists())):
        raise InputError(f"--out {out} exists: another name is accepted, or --overwrite with it")
    if folder.exists() and not (arguments.resume or arguments.overwrite):
        raise InputError(f"{folder} holds a stopped collection: --resume goes on with it, --overwrite starts anew")
    record, text = folder / "settings.json", json.dumps(asdict(settings), indent=1)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = Lock(folder)
        if not arguments.resume:
            _empty(folder, record)
        if record.exists() and record.read_text() != text:
            raise InputError(f"{record} holds other settings than this command: the same are accepted, or --overwrite")
    except OSError as error:
        raise InputError(f"--out {out}: {error.strerror} ({error.filename}); a place to write is accepted") from None
    if not record.exists():
        write_whole(record, text.encode())
    return settings, folder, lock


def _empty(folder: Path, record: Path) -> None:
    """Remove a stopped collection, last of all the record of its settings: what is left always belongs to it."""
    for path in folder.glob("run-*"):
        path.unlink()
    record.unlink(missing_ok=True)


def _discard(folder: Path) -> None:
    """Remove the parts of a collection that is complete, by a single step as others see it."""
    done = folder.with_suffix(".done")
    if folder.exists():
        folder.rename(done)
    shutil.rmtree(done, ignore_errors=True)


def is_complete(arguments: Arguments) -> bool:
    """Whether there is nothing left to resume: the file is there, whole, and of these settings."""
    out = arguments.out
    if not (arguments.resume and out.exists()) or out.with_suffix(".unfinished").exists():
        return False
    from deep.data.load import load

    settings = replace(arguments.settings, task=find_task(arguments.settings.task).name)
    return load(find_task(settings.task), out).provenance.get("settings") == json.dumps(asdict(settings))


def check_kinds(arguments: Arguments) -> None:
    """Raise `InputError` for options of kinds and pools that do not go together, or an existing file of a kind."""
    if not arguments.kind:
        if arguments.pool is not None:
            raise InputError(f"--pool {arguments.pool}: --kind is needed with it, which names the kinds to draw")
        if arguments.subset != Subset():
            raise InputError("--subset options belong to --kind: it is needed with them")
        return
    arguments.subset.check()
    from deep.collect.subsets import collects_nothing, kind_path

    if arguments.pool is not None:
        if not collects_nothing(arguments.settings):
            raise InputError(
                f"--pool {arguments.pool} is drawn from, not collected: only --task and --seed are accepted"
            )
        if arguments.resume:
            raise InputError("--resume goes on with a collection, and --pool collects nothing: one of them is accepted")
        if arguments.settings.seed < 0:
            raise InputError(f"--seed {arguments.settings.seed}: at least 0 is accepted")
    existing = [path for kind in arguments.kind if (path := kind_path(arguments.out, kind)).exists()]
    if existing and not (arguments.overwrite or arguments.resume):
        raise InputError(f"{existing[0]} exists: another --out is accepted, or --overwrite with it")


def parse(words: list[str] | None = None, prog: str = "python -m deep.collect") -> Arguments:
    """The command line; the task comes first, because the other defaults depend on it."""
    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    first.add_argument("--task")
    first.add_argument("--pool")
    given = first.parse_known_args(words)[0]
    settings = recipe(given.task or _task_of_pool(given.pool))
    return read(Arguments, __name__, words, prog, SHORT, default=Arguments(Path(f"{settings.task}.hdf5"), settings))


def _task_of_pool(pool: str | None) -> str:
    """The task that the file of --pool says it is of; HopperVel without one."""
    if pool in (None, "embedded", "dsrl"):
        return "HopperVel"
    from deep.data.load import task_of

    if (task := task_of(Path(pool).expanduser())) is None:
        raise InputError(f"--pool {pool} does not say which task it is of: --task is needed with it")
    return task.name


def main(words: list[str] | None = None, prog: str = "python -m deep.collect") -> None:
    given = list(sys.argv[1:] if words is None else words)
    again = shlex.join([word for word in given if word not in ("--resume", "--overwrite")] + ["--resume"])
    folders: list[Path] = []

    def saved() -> str:
        if not folders:
            return "nothing is saved, for the collection had not begun"
        return f"what was collected is saved in {folders[0]}; go on with: {prog} {again}"

    with command(saved):
        run(parse(given, prog), folders)


def run(arguments: Arguments, folders: list[Path]) -> None:
    """Collect and write, then draw kinds; `folders` gets what an interrupted command can be continued from."""
    if arguments.out.suffix != ".hdf5":
        raise InputError(f"--out {arguments.out}: a name that ends in .hdf5 is accepted")
    check_kinds(arguments)
    check_minari(arguments)
    if arguments.pool is None:
        collect_pool(arguments, folders)
        folders[:] = [arguments.out]
    if arguments.kind:
        draw_kinds(arguments)


def collect_pool(arguments: Arguments, folders: list[Path]) -> None:
    """Collect the trajectories and write them, unless that is done."""
    if is_complete(arguments):
        _discard(arguments.out.with_suffix(".unfinished"))
        print(f"{arguments.out} is complete")
        return
    settings, folder, lock = prepare(arguments)
    folders.append(folder)
    from deep.collect.report import plot, table
    from deep.collect.workers import collect
    from deep.data.load import load
    from deep.describe.card import write_card

    dataset = collect(settings, folder, arguments.workers or len(os.sched_getaffinity(0)))
    with writing(arguments.out):
        writer(arguments)(arguments.out, dataset)
    print(table(dataset), flush=True)
    figure = folder / "figure.png"  # a killed process leaves a part of it in the folder that is removed
    plot(dataset, figure)
    picture = arguments.out.with_suffix(".png")
    figure.replace(picture)
    write_card(arguments.out, load(find_task(settings.task), arguments.out), picture)  # as the layout has rounded it
    _discard(folder)
    lock.release()


def writer(arguments: Arguments) -> Save:
    """What writes a data set in the layout asked for, and with --minari as a Minari data set beside it."""
    from deep.convert.minari_writer import write_minari
    from deep.data.load import save, save_packed

    def write(path: Path, dataset: OfflineDataset) -> None:
        {"packed": save_packed, "plain": save}[arguments.layout](path, dataset)
        if arguments.minari:
            shutil.rmtree(minari_folder(path), ignore_errors=True)
            write_minari(minari_folder(path), dataset, find_task(dataset.task))

    return write


def minari_folder(path: Path) -> Path:
    """Where the Minari data set lies beside a file: Minari's names end in a version."""
    return path.with_name(f"{path.stem}-v0")


def check_minari(arguments: Arguments) -> None:
    """Raise `InputError` where --minari cannot be done: before anything is collected."""
    if not arguments.minari:
        return
    if importlib.util.find_spec("minari") is None:
        raise InputError("--minari needs the package minari: `pip install minari` installs it")
    from deep.collect.subsets import kind_path

    pools = [arguments.out] if arguments.pool is None else []
    files = [*pools, *(kind_path(arguments.out, kind) for kind in arguments.kind)]
    folders = [minari_folder(file) for file in files]
    existing = [folder for folder in folders if folder.exists()]
    if existing and not (arguments.overwrite or arguments.resume):
        raise InputError(f"{existing[0]} exists: another --out is accepted, or --overwrite with it")
    if foreign := [folder for folder in existing if not (folder / "data" / "metadata.json").is_file()]:
        raise InputError(f"{foreign[0]} is no Minari data set: another --out is accepted with --minari")


def draw_kinds(arguments: Arguments) -> None:
    """Draw the kinds from the pool's file: what a packed pool has rounded is rounded in its kinds."""
    from deep.collect.subsets import write_kinds
    from deep.data.load import load

    task = find_task(arguments.settings.task)
    pool = load(task, arguments.pool or arguments.out)
    source = pool.source if pool.source in ("embedded", "dsrl") else Path(str(pool.path)).name
    seed = arguments.settings.seed
    write_kinds(pool, arguments.kind, arguments.subset, seed, arguments.out, writer(arguments), source)


if __name__ == "__main__":
    main()
