"""Kinds of data from a pool: the part of `deep.collect` that draws them, checks their options and writes them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from deep.collect.recipes import Settings, recipe
from deep.collect.report import kind_table, plot
from deep.core.randomness import generator
from deep.data.dataset import OfflineDataset
from deep.data.kinds import Kind, Subset, draw
from deep.data.load import load
from deep.describe.card import write_card
from deep.tasks import find_task
from theory.support.files import writing

Save = Callable[[Path, OfflineDataset], None]


def kind_path(out: Path, kind: str) -> Path:
    """Where a kind is written: pool.hdf5 becomes pool-tempting.hdf5."""
    return out.with_name(f"{out.stem}-{kind}{out.suffix}")


def write_kinds(
    pool: OfflineDataset, kinds: Sequence[Kind], subset: Subset, seed: int, out: Path, save: Save, source: str
) -> None:
    """Draw, write, plot and print each kind; the file's `command` names the pool as `source`.

    A kind that the pool cannot give ends with `InputError`; those before it are written.
    """
    task = find_task(pool.task)
    for kind in dict.fromkeys(kinds):
        dataset = draw(pool, task, kind, subset, generator(seed, "kind", kind))
        about = {"command": command(task.name, source, kind, subset, seed), "seed": seed}
        dataset, path = replace(dataset, provenance={**dataset.provenance, **about}), kind_path(out, kind)
        with writing(path):
            save(path, dataset)
        plot(dataset, path.with_suffix(".png"))
        write_card(path, load(task, path), path.with_suffix(".png"))  # as the layout has rounded it
        print(f"{path}\n{kind_table(dataset)}", flush=True)


def command(task: str, source: str, kind: Kind, subset: Subset, seed: int) -> str:
    """The command that draws this set, with what differs from the defaults."""
    words = [f"python -m deep.collect --task {task} --pool {source} --kind {kind} --seed {seed}"]
    for name, value in asdict(subset).items():
        if value != getattr(Subset(), name):
            values = value if isinstance(value, tuple) else (value,)
            words.append(f"--subset.{name} {' '.join(f'{number:g}' for number in values)}")
    return " ".join(words)


def collects_nothing(settings: Settings) -> bool:
    """Whether no option of a collection was given but the task and the seed."""
    return settings == replace(recipe(settings.task), seed=settings.seed)
