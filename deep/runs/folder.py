"""The folder that holds the truth of a run: config.json, metrics.jsonl, checkpoint.safetensors, summary.json, plots.

sessions.json holds, for every command that has worked on the run, how many seconds it took, with which software, and
whether it has saved a checkpoint.
"""

import json
import math
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from deep.cli.run_folder import check_folder
from deep.core.files import Lock, read_json, read_tensors, write_tensors, wrong_form
from deep.runs.config_file import read_config, with_fingerprints
from theory.support.errors import InputError
from theory.support.files import write_whole, writing

AT_THE_END = ("results.png", "training.png")
"""What a finished run has drawn."""


@dataclass(frozen=True)
class Position:
    """How far a run has come: steps done within a phase, and the bytes of metrics.jsonl that belong to them."""

    phase: str
    step: int
    metrics_bytes: int


def read_checkpoint(path: Path) -> tuple[dict[str, Tensor], Position, dict[str, str]]:
    """The tensors of a run's checkpoint, where it was written, and its notes; raises `InputError` for a file that is
    damaged or none."""
    stored, notes = read_tensors(path, "the checkpoint of a run", "train again in another folder")
    with wrong_form(path, "the checkpoint of a run"):
        return stored, Position(notes["phase"], int(notes["step"]), int(notes["metrics_bytes"])), notes


@torch.no_grad()
def fill(tensors: Mapping[str, Tensor], stored: Mapping[str, Tensor], path: Path) -> None:
    """Copy what a checkpoint holds into tensors of the same names; raises `InputError`, and changes nothing, where they
    differ in shape or type."""
    shapes, found = (
        {name: (tuple(tensor.shape), tensor.dtype) for name, tensor in each.items()} for each in (tensors, stored)
    )
    if shapes != found:
        wrong = next(name for name in sorted(shapes.keys() | found.keys()) if shapes.get(name) != found.get(name))
        raise InputError(
            f"{path} is of another run: {wrong} is {found.get(wrong)} in it, not {shapes.get(wrong)}: put that run's "
            "own back"
        )
    for name, tensor in tensors.items():
        tensor.copy_(stored[name])


class RunFolder:
    """Creates a run's folder or goes on in it; one process at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.listeners: list[Callable[[Mapping[str, Any]], None]] = []
        """Called with every line that is appended to metrics.jsonl."""
        self._lock: Lock | None = None
        self._earlier: list[dict[str, Any]] = []
        self._session: dict[str, Any] = {}
        self._began = 0.0

    @property
    def config(self) -> Path:
        return self.path / "config.json"

    @property
    def checkpoint(self) -> Path:
        return self.path / "checkpoint.safetensors"

    @property
    def metrics(self) -> Path:
        return self.path / "metrics.jsonl"

    @property
    def sessions(self) -> Path:
        return self.path / "sessions.json"

    def open(self, config: Mapping[str, Any], resume: bool, began: float | None = None) -> dict[str, Any]:
        """Make the folder with its config.json, or check that a resumed run is the same run; that file's content.

        A run that was killed before it had written config.json is begun by `resume` as well. `began` is the time
        (`time.monotonic`) from which this session's seconds count, now where it is left out.

        Raises `InputError` when the folder holds a run and `resume` is false, when there is nothing to resume, when
        `compare` does, and when another process works there.
        """
        check_folder(self.path, resume)
        self.acquire()
        try:
            check_folder(self.path, resume)  # once more: another process may have come first
            if self.config.exists():
                self.compare(config)
            else:
                with writing(self.metrics):
                    self.metrics.write_text("")
                self.write_json("config.json", with_fingerprints(dict(config)))
            self._earlier = self._read_sessions() if self.sessions.exists() else []
            self._session = {name: config[name] for name in ("commit", "versions") if name in config}
            self._began = time.monotonic() if began is None else began
            self.record_elapsed()
            return read_config(self.path)
        except InputError:
            self.release()
            raise

    def _read_sessions(self) -> list[dict[str, Any]]:
        with wrong_form(self.sessions, "the sessions of a run"):
            sessions = read_json(self.sessions)["sessions"]
            if not isinstance(sessions, list):
                raise TypeError("the sessions are no list")
            found = [{**session, "seconds": float(session["seconds"])} for session in sessions]
            if wrong := [session["seconds"] for session in found if not 0 <= session["seconds"] < math.inf]:
                raise ValueError(f"a session took {wrong[0]:g} seconds")
            return found

    def record_elapsed(self) -> float:
        """Write down how long this session has lasted so far; the seconds of all sessions."""
        session = self._session | {"seconds": time.monotonic() - self._began}
        self.write_json("sessions.json", {"sessions": [*self._earlier, session]})
        return sum(session["seconds"] for session in [*self._earlier, session])

    def compare(self, config: Mapping[str, Any]) -> None:
        """Raise `InputError` where the run in the folder differs in its `identity`, or in what else it
        `dependencies`."""
        before, now = read_config(self.path), json.loads(json.dumps(config))
        with wrong_form(self.config, "a run's settings"):
            before, now = (_compared(content) for content in (before, now))
        if changed := differences(before, now):
            raise InputError(f"--out: the run in {self.path} has other settings: {changed}")

    def acquire(self) -> None:
        """Have the folder, which is made where it is missing; raises `InputError` while another process has it."""
        self._lock = Lock(self.path)

    def __enter__(self) -> "RunFolder":
        return self

    def __exit__(self, *exception: object) -> None:
        self.release()

    def release(self) -> None:
        """Let another process have the folder."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def write_json(self, name: str, content: Mapping[str, Any]) -> None:
        """Write a JSON file whole or not at all."""
        write_whole(self.path / name, json.dumps(content, indent=2).encode())

    def append_metrics(self, record: Mapping[str, Any]) -> None:
        """One line of metrics.jsonl."""
        with writing(self.metrics), self.metrics.open("a") as file:
            file.write(json.dumps(record) + "\n")
        for listener in self.listeners:
            listener(record)

    def read_metrics(self, torn: bool = False) -> list[dict[str, Any]]:
        """All lines of metrics.jsonl; raises `InputError` for a file that is missing, or a line of another form.

        `torn`: without a last line that has no end, which a killed process leaves.
        """
        try:
            text = self.metrics.read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            raise InputError(f"{self.metrics} cannot be read ({error}): put it back as it was written") from None
        lines = (text[: text.rfind("\n") + 1] if torn else text).splitlines()
        return [self._record(number, line) for number, line in enumerate(lines, 1)]

    def _record(self, number: int, line: str) -> dict[str, Any]:
        with wrong_form(self.metrics, f"a block's metrics in line {number}"):
            record = json.loads(line)
            values = {name: value for name, value in record.items() if name not in ("phase", "step")}
            if not all(isinstance(number, int | float) for value in values.values() for number in value):
                raise ValueError("a metric is no list of numbers")
            return {"phase": str(record["phase"]), "step": int(record["step"]), **values}

    def refuse_lost_checkpoint(self) -> None:
        """Raise `InputError` where a run without a checkpoint has saved one, has figures, or metrics of several phases.

        A phase ends with a checkpoint, and a run with its figures, so there was one: training again would erase what
        the run has found.
        """
        earlier = self._read_sessions() if self.sessions.exists() else []
        left = [self.sessions] if any(session.get("saved") for session in earlier) else []
        left += [self.path / name for name in AT_THE_END if (self.path / name).exists()]
        if self.metrics.exists() and len({record["phase"] for record in self.read_metrics(torn=True)}) > 1:
            left.append(self.metrics)
        if left:
            raise InputError(
                f"{self.checkpoint} is gone, and {left[0]} shows that there was one: restore it, or train again in "
                "another folder"
            )

    def save(self, tensors: Mapping[str, Tensor], phase: str, step: int) -> None:
        """Write the checkpoint, replacing the one before only when it is complete."""
        with writing(self.metrics), self.metrics.open("rb") as file:
            os.fsync(file.fileno())  # the checkpoint counts these lines: they may not be lost before it
            size = os.fstat(file.fileno()).st_size
        notes = {"run": self._run(), "phase": phase, "step": str(step), "metrics_bytes": str(size)}
        write_tensors(self.checkpoint, tensors, notes)
        self._session["saved"] = True
        self.record_elapsed()

    def load(self, tensors: Mapping[str, Tensor]) -> Position | None:
        """Fill the tensors from the checkpoint and say where it was written; None where there is none yet.

        Raises `InputError` for a checkpoint that cannot be read, is damaged, or is of another run.
        """
        if not self.checkpoint.exists():
            return None
        stored, position, notes = read_checkpoint(self.checkpoint)
        if notes.get("run") != self._run():
            raise InputError(f"{self.checkpoint} is of another run than {self.config}: put that run's own back")
        fill(tensors, stored, self.checkpoint)
        return position

    def _run(self) -> str:
        return str(read_json(self.config).get("run"))

    def rewind_metrics(self, size: int) -> None:
        """Drop the lines that were written after a checkpoint that counted `size` bytes.

        Raises `InputError` where lines are missing that it has counted.
        """
        there = self.metrics.stat().st_size if self.metrics.exists() else 0
        if there < size:
            raise InputError(
                f"{self.metrics} has {there} bytes where the checkpoint has counted {size}: put it back as it was"
            )
        with writing(self.metrics), self.metrics.open("ab") as file:
            file.truncate(size)


def _compared(config: Mapping[str, Any]) -> dict[str, Any]:
    """What two configurations of one run share. Where the data lie is no part of it, their hash is."""
    identity = dict(config["identity"])
    if identity.get("dataset_sha256") is not None:
        identity.pop("dataset", None)
    return identity | config.get("dependencies", {})


def _flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings by their dotted names."""
    found: dict[str, Any] = {}
    for key, value in settings.items():
        found |= _flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {prefix + key: value}
    return found


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """What differs between nested settings, by their dotted names, in words; empty where nothing does."""
    before, now = _flat(before), _flat(now)
    changed = sorted(key for key in before.keys() | now.keys() if before.get(key) != now.get(key))
    return ", ".join(f"{key} was {before.get(key)}, now {now.get(key)}" for key in changed)


def changed_since(config: Mapping[str, Any], software: Mapping[str, Any]) -> list[str]:
    """A line where a run is gone on with by other software than that of its config.json; else none."""
    changed = differences({name: config.get(name) for name in software}, software)
    return [f"gone on with by other software than summary.json will name: {changed}"] if changed else []
