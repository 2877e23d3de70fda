"""The folder that holds the truth of a run: config.json, metrics.jsonl, checkpoint.safetensors, summary.json, plots."""

import fcntl
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from theory.errors import InputError


@dataclass(frozen=True)
class Position:
    """How far a run has come: steps done within a phase, and the bytes of metrics.jsonl that belong to them."""

    phase: str
    step: int
    metrics_bytes: int


class RunFolder:
    """Creates a run's folder or goes on in it; one process at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock: int | None = None

    @property
    def checkpoint(self) -> Path:
        return self.path / "checkpoint.safetensors"

    @property
    def metrics(self) -> Path:
        return self.path / "metrics.jsonl"

    def open(self, config: Mapping[str, Any], resume: bool) -> None:
        """Make the folder with its config.json, or check that a resumed run is the same run.

        Raises `InputError` when the folder holds a run and `resume` is false, when there is nothing to resume, when
        `identity` in the two configurations differs, and when another process works there.
        """
        existing = self.path / "config.json"
        if existing.exists() and not resume:
            raise InputError(
                f"--out {self.path} already holds a run: give another folder, or --resume to go on with it"
            )
        if resume and not existing.exists():
            raise InputError(f"--resume: there is no run in {self.path} (no config.json in it)")
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(self.path / ".lock", os.O_CREAT | os.O_RDWR)
        except OSError as error:
            raise InputError(f"--out {self.path} cannot be written ({error.strerror})") from None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self.close()
            raise InputError(f"another process is training in {self.path}: give another folder, or wait") from None
        if resume:
            before, now = read_json(existing)["identity"], json.loads(json.dumps(config["identity"]))
            changed = sorted(key for key in before.keys() | now.keys() if before.get(key) != now.get(key))
            if changed:
                found = ", ".join(f"{key} was {before.get(key)}, now {now.get(key)}" for key in changed)
                raise InputError(f"--resume: the run in {self.path} has other settings: {found}")
        else:
            self.write_json("config.json", config)
            self.metrics.write_text("")

    def close(self) -> None:
        """Let another process have the folder."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def write_json(self, name: str, content: Mapping[str, Any]) -> None:
        """Write a JSON file whole or not at all."""
        write_whole(self.path / name, json.dumps(content, indent=2).encode())

    def append_metrics(self, record: Mapping[str, Any]) -> None:
        """One line of metrics.jsonl."""
        with self.metrics.open("a") as file:
            file.write(json.dumps(record) + "\n")

    def read_metrics(self) -> list[dict[str, Any]]:
        """All lines of metrics.jsonl."""
        return [json.loads(line) for line in self.metrics.read_text().splitlines()]

    def save(self, tensors: Mapping[str, Tensor], phase: str, step: int) -> None:
        """Write the checkpoint, replacing the one before only when it is complete."""
        place = {"phase": phase, "step": str(step), "metrics_bytes": str(self.metrics.stat().st_size)}
        contiguous = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
        write_whole(self.checkpoint, save(contiguous, metadata=place))

    @torch.no_grad()
    def load(self, tensors: Mapping[str, Tensor]) -> Position | None:
        """Fill the tensors from the checkpoint and say where it was written; None where there is none yet.

        Raises `InputError` for a checkpoint that cannot be read or is of another kind of run.
        """
        if not self.checkpoint.exists():
            return None
        try:
            with safe_open(self.checkpoint, "pt") as file:
                place = file.metadata() or {}
                stored = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
            position = Position(place["phase"], int(place["step"]), int(place["metrics_bytes"]))
        except (SafetensorError, OSError, KeyError, ValueError) as error:
            raise InputError(f"{self.checkpoint} cannot be read as a checkpoint ({error})") from None
        shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
        found = {name: tuple(tensor.shape) for name, tensor in stored.items()}
        if shapes != found:
            wrong = next(name for name in sorted(shapes.keys() | found.keys()) if shapes.get(name) != found.get(name))
            raise InputError(
                f"{self.checkpoint} is of another run: {wrong} has shape {found.get(wrong)}, not {shapes.get(wrong)}"
            )
        for name, tensor in tensors.items():
            tensor.copy_(stored[name])
        return position

    def rewind_metrics(self, size: int) -> None:
        """Drop the lines that were written after a checkpoint that counted `size` bytes."""
        with self.metrics.open("ab") as file:
            file.truncate(size)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file whole or not at all; raises `InputError` where it cannot be written."""
    temporary = path.with_name(path.name + ".tmp")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise InputError(f"{path} cannot be written ({error.strerror}); what was there before is kept") from None


def read_json(path: Path) -> dict[str, Any]:
    """A JSON file's content; raises `InputError` where there is none."""
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read as JSON ({error})") from None
