"""A data set as a Minari data set, by Minari's own storage."""

from __future__ import annotations

import json
import os
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from deep.data.custom import longest_recorded
from deep.data.dataset import OfflineDataset
from deep.data.formats.minari import KEPT, KEPT_LENGTH, METADATA, action_bounds, hold_all
from deep.tasks import Task
from theory.support.errors import InputError
from theory.support.files import writing


def write_minari(folder: Path, data: OfflineDataset, task: Task | None = None) -> None:
    """Write the folder: an episode for each trajectory, its costs in infos/cost, in the file's units; what was
    assumed or left out goes into the metadata.

    Minari finds it by its id where the folder lies in $MINARI_DATASETS_PATH. Raises `InputError` where the package is
    missing or the folder cannot be written.
    """
    try:
        import minari
        from gymnasium.spaces import Box
        from minari.data_collector import EpisodeBuffer
    except ImportError as error:
        raise InputError(f"a Minari data set needs a package ({error}): `pip install minari` installs it") from error
    low, high = _action_bounds(data)
    episodes = [  # arrays where Minari's annotations name lists: both are written alike, these at once
        _episode(EpisodeBuffer, data, start, end) for start, end in zip(data.starts, data.ends + 1, strict=True)
    ]
    with writing(folder):
        folder.absolute().parent.mkdir(parents=True, exist_ok=True)
    with writing(folder), tempfile.TemporaryDirectory(dir=folder.absolute().parent) as root, _datasets_in(root):
        minari.create_dataset_from_buffers(
            folder.name,
            episodes,
            observation_space=Box(-np.inf, np.inf, (data.observations.shape[1],), np.float32),
            action_space=Box(low, high, dtype=np.float32),
            algorithm_name=str(data.provenance.get("command", "unknown")),
            description=_description(task),
        )
        about = Path(root) / folder.name / "data" / METADATA
        own = {KEPT_LENGTH: longest_recorded(data)} | ({KEPT: "; ".join(data.remarks)} if data.remarks else {})
        about.write_text(json.dumps(json.loads(about.read_text()) | own))
        (Path(root) / folder.name).rename(folder)


def _action_bounds(data: OfflineDataset) -> tuple[np.ndarray, np.ndarray]:
    """Bounds that hold all actions: those that the data state, or -1 and 1, or else none: the extremes of the data are
    no bounds of the actions."""
    ones = np.ones(data.actions.shape[1], np.float32)
    stated = action_bounds(data.provenance, len(ones)) or (-ones, ones)
    low, high = stated if hold_all(stated, data.actions) else (-np.inf * ones, np.inf * ones)
    return np.asarray(low, np.float32), np.asarray(high, np.float32)


def _episode(kind: Any, data: OfflineDataset, start: int, end: int) -> Any:
    """Minari's buffer of the rows from `start` to `end`."""
    return kind(
        observations=np.concatenate([data.observations[start:end], data.next_observations[end - 1 : end]]),
        actions=data.actions[start:end],
        rewards=data.rewards[start:end],
        terminations=data.terminals[start:end],
        truncations=data.timeouts[start:end],
        infos={"cost": np.append(np.float32(0), data.costs[start:end])},  # the reset's comes first
    )


@contextmanager
def _datasets_in(root: str) -> Iterator[None]:
    """Let Minari write its data sets there, without its remarks on metadata that nobody has to give."""
    before = os.environ.get("MINARI_DATASETS_PATH")
    os.environ["MINARI_DATASETS_PATH"] = root
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            yield
    finally:
        del os.environ["MINARI_DATASETS_PATH"]
        if before is not None:
            os.environ["MINARI_DATASETS_PATH"] = before


def _description(task: Task | None) -> str:
    what = "Trajectories" if task is None else f"Trajectories of {task.name} ({task.dsrl_id})"
    return f"{what} for offline safe reinforcement learning; the cost of each step is infos/cost."
