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
"""

from __future__ import annotations

import argparse
import io
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
from deep.collect.recipes import Settings, limits, recipe
from deep.tasks import find_task, within_limit
from theory.support.errors import InputError
from theory.support.files import write_whole, writing

if TYPE_CHECKING:  # imported after the command line has been checked, because torch takes seconds
    from deep.core.files import Lock
    from deep.data.dataset import OfflineDataset

SHORT = "task out seed trajectories episodes runs noise layout resume overwrite workers".split()
"""The options that --help shows."""
SHOWN_LIMITS = (10, 20, 40, 80)
"""Episodic cost limits in the table and in the plot."""


@dataclass(frozen=True)
class Arguments:
    """Collect a DSRL-format data set by online safe reinforcement learning."""

    out: Path
    """The file to write, .hdf5, by default TASK.hdf5; a scatter plot goes beside it, .png."""
    settings: Annotated[Settings, tyro.conf.arg(name="")] = field(default_factory=Settings)
    layout: Literal["packed", "plain"] = "packed"
    """packed: float16, a fifth of the size; plain: exactly DSRL's layout."""
    resume: bool = False
    """Continue a collection that was stopped."""
    overwrite: bool = False
    """Replace an existing file, or start a stopped collection anew."""
    workers: int = 0
    """Runs at a time; 0: one per core. The data do not depend on it."""


def plot(dataset: OfflineDataset, path: Path) -> None:
    """Every trajectory in the plane of cost and return, coloured by run, with the distributions of both beside it."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # imported here: workers need no matplotlib
    from matplotlib.figure import Figure

    costs, returns = dataset.trajectory_costs, dataset.trajectory_returns
    figure = Figure(figsize=(9, 6.5), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(2, 2, width_ratios=(6, 1), height_ratios=(1, 6))
    plane = figure.add_subplot(grid[1, 0])
    origins = np.array(json.loads(dataset.provenance["behaviour"]))[dataset.policies]
    for number in np.unique(origins[:, 0]).astype(int).tolist():
        own = origins[:, 0] == number
        path_of_limits = " → ".join(f"{limit:g}" for limit in limits(dataset.task, number))
        plane.scatter(
            costs[own], returns[own], s=9, alpha=0.6, lw=0, color=f"C{number}", label=f"run {number}: {path_of_limits}"
        )
    order = np.argsort(costs)
    best = np.maximum.accumulate(returns[order])
    plane.step(costs[order], best, where="post", color="black", lw=1, label="best return within the cost")
    for limit in SHOWN_LIMITS:
        plane.axvline(limit, color="grey", lw=0.7, ls=":")
    plane.set_xscale("function", functions=(lambda x: np.sqrt(np.maximum(x, 0)), np.square))  # low costs matter most
    ticks = [0, *SHOWN_LIMITS, 150, 250]
    plane.set_xticks(ticks, [str(tick) for tick in ticks])
    plane.set(xlim=(0, costs.max() + 3), ylim=(min(0, returns.min()), None))
    plane.set(xlabel="episode cost (square-root scale; dotted: limits)", ylabel="episode return")
    plane.legend(fontsize=8, title="run: its cost limits", loc="lower right", markerscale=2)
    above = figure.add_subplot(grid[0, 0], sharex=plane)
    above.hist(costs, bins=np.linspace(0, np.sqrt(costs.max()), 60) ** 2, color="grey")
    above.set(
        ylabel="trajectories",
        title=f"{dataset.task}: {len(costs)} trajectories of {len(np.unique(origins, axis=0))} policies",
    )
    beside = figure.add_subplot(grid[1, 1], sharey=plane)
    beside.hist(returns, bins=60, color="grey", orientation="horizontal")
    beside.set(xlabel="trajectories")
    for axes in (above, beside):
        axes.spines[["top", "right"]].set_visible(False)
    above.tick_params(labelbottom=False)
    beside.tick_params(labelleft=False)
    content = io.BytesIO()
    figure.savefig(content, format="png")
    write_whole(path, content.getvalue())


def table(dataset: OfflineDataset) -> str:
    """What the data hold, and what of it is eligible at each limit."""
    costs, returns, policies = dataset.trajectory_costs, dataset.trajectory_returns, np.asarray(dataset.policies)
    lines = [
        f"{len(costs)} trajectories, {len(dataset)} transitions, {len(np.unique(policies))} policies; "
        f"costs {costs.min():.0f} to {costs.max():.0f}, returns {returns.min():.0f} to {returns.max():.0f}"
    ]
    for limit in SHOWN_LIMITS:
        eligible = within_limit(costs, limit)
        best, several = returns[eligible].max(initial=-np.inf), len(np.unique(policies[eligible]))
        lines.append(f"cost <= {limit}: {eligible.sum()} trajectories of {several} policies, best return {best:.0f}")
    return "\n".join(lines)


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
    if out.suffix != ".hdf5":
        raise InputError(f"--out {out}: a name that ends in .hdf5 is accepted")
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


def parse(words: list[str] | None = None, prog: str = "python -m deep.collect") -> Arguments:
    """The command line; the task comes first, because the other defaults depend on it."""
    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    first.add_argument("--task", default="HopperVel")
    settings = recipe(first.parse_known_args(words)[0].task)
    return read(Arguments, __name__, words, prog, SHORT, default=Arguments(Path(f"{settings.task}.hdf5"), settings))


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
    """Collect and write; appends to `folders` the one that the collection can be continued from."""
    if is_complete(arguments):
        _discard(arguments.out.with_suffix(".unfinished"))
        print(f"{arguments.out} is complete")
        return
    settings, folder, lock = prepare(arguments)
    folders.append(folder)
    from deep.collect.workers import collect

    dataset = collect(settings, folder, arguments.workers or len(os.sched_getaffinity(0)))
    from deep.data.load import save, save_packed

    with writing(arguments.out):
        {"packed": save_packed, "plain": save}[arguments.layout](arguments.out, dataset)
    print(table(dataset), flush=True)
    figure = folder / "figure.png"  # a killed process leaves a part of it in the folder that is removed
    plot(dataset, figure)
    figure.replace(arguments.out.with_suffix(".png"))
    _discard(folder)
    lock.release()


if __name__ == "__main__":
    main()
