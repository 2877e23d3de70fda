"""metrics.jsonl for other programs, while a run trains: metrics.csv, and the event files of TensorBoard.

metrics.jsonl stays the truth of a run. Each session writes these anew from it when its first block is done, so that
what a killed process has left behind does not matter, and goes on line by line.
"""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

from deep.core.problem import Replica
from deep.runs.folder import RunFolder
from theory.support.errors import InputError
from theory.support.files import writing

Kind = Literal["csv", "tensorboard"]


class Value(NamedTuple):
    """One number of one block; `cost_limit` is None where all limits of the seed share it."""

    phase: str
    step: int
    metric: str
    seed: int
    cost_limit: float | None
    value: float


def values(record: Mapping[str, Any], replicas: Sequence[Replica]) -> Iterator[Value]:
    """The numbers of a line of metrics.jsonl."""
    for name, numbers in record.items():
        if name in ("phase", "step"):
            continue
        every = len(replicas) // len(numbers)
        for i, number in enumerate(numbers):
            seed, limit = replicas[i * every]
            yield Value(record["phase"], record["step"], name, seed, limit if every == 1 else None, number)


class Writer(Protocol):
    """What a kind of log does with the values of a block."""

    def add(self, found: Iterator[Value]) -> None: ...

    def close(self) -> None: ...


class CSVWriter:
    """metrics.csv: a row for each value."""

    def __init__(self, folder: Path) -> None:
        with writing(folder / "metrics.csv"):
            self.file = (folder / "metrics.csv").open("w", newline="", encoding="utf-8")
        self.rows = csv.writer(self.file)
        self.rows.writerow(Value._fields)

    def add(self, found: Iterator[Value]) -> None:
        with writing(Path(self.file.name)):
            self.rows.writerows(["" if entry is None else entry for entry in value] for value in found)
            self.file.flush()

    def close(self) -> None:
        self.file.close()


class TensorBoardWriter:
    """The folder tensorboard: a curve for each metric and replica, under the name of its phase."""

    def __init__(self, folder: Path) -> None:
        from torch.utils.tensorboard import SummaryWriter

        shutil.rmtree(folder / "tensorboard", ignore_errors=True)
        with writing(folder / "tensorboard"):
            self.events = SummaryWriter(str(folder / "tensorboard"))

    def add(self, found: Iterator[Value]) -> None:
        for value in found:
            whose = f"seed {value.seed}" + ("" if value.cost_limit is None else f", limit {value.cost_limit:g}")
            self.events.add_scalar(f"{value.phase}/{value.metric}/{whose}", value.value, value.step)
        self.events.flush()

    def close(self) -> None:
        self.events.close()


WRITERS: dict[Kind, Callable[[Path], Writer]] = {"csv": CSVWriter, "tensorboard": TensorBoardWriter}


class Log:
    """A listener of a run's folder that keeps the logs of these kinds."""

    def __init__(self, kinds: Sequence[Kind], folder: RunFolder, replicas: Sequence[Replica]) -> None:
        """Raises `InputError` where a package is missing."""
        if "tensorboard" in kinds:
            try:
                import torch.utils.tensorboard  # noqa: F401  (whether it can be imported)
            except ImportError as error:
                raise InputError(
                    f"--log tensorboard needs a package ({error}): `pip install tensorboard` installs it"
                ) from error
        self.kinds, self.folder, self.replicas = tuple(dict.fromkeys(kinds)), folder, replicas
        self.writers: list[Writer] = []

    def __call__(self, record: Mapping[str, Any]) -> None:
        """Take a line that was just appended to metrics.jsonl."""
        records = [record]
        if not self.writers:
            self.writers = [WRITERS[kind](self.folder.path) for kind in self.kinds]
            records = self.folder.read_metrics()
        for writer in self.writers:
            for each in records:
                writer.add(values(each, self.replicas))

    def close(self) -> None:
        """Close the files."""
        for writer in self.writers:
            writer.close()
