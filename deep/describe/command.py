"""The command that trains on a data set, with everything that reading it needs."""

from __future__ import annotations

import math
import shlex

from deep.data.custom import longest_recorded
from deep.data.dataset import ACTION_TOLERANCE, OfflineDataset
from deep.data.formats.minari import action_bounds, hold_all
from deep.data.reading import AS_IT_IS, Reading
from deep.tasks import Task


def train_command(
    name: str, data: OfflineDataset, task: Task | None, reading: Reading = AS_IT_IS, written: bool = False
) -> str:
    """`python -m deep.train --dataset NAME` with the options that these data need.

    Args:
        name: the path or minari:ID.
        data: what is there, the actions in its own units.
        task: the task of the table that deep.train takes the file for; None: none.
        reading: how `data` were read from there.
        written: whether `data` were written there, without the steps left out: the episodes then look shorter. The
            option says what the file itself records, for whoever reads it otherwise.
    """
    words = ["python", "-m", "deep.train", "--dataset", name, *reading.words()]
    if task is None:
        words += _bounds(data)
        longest = longest_recorded(data)
        if (written or data.recorded_length is not None) and longest > data.lengths.max():
            words += ["--episode-length", f"{longest}"]
    return shlex.join(words)


def bounds_are_of_the_data(data: OfflineDataset, task: Task | None) -> bool:
    """Whether `train_command` names bounds of the actions, the extremes of the data."""
    return task is None and bool(_bounds(data))


def _bounds(data: OfflineDataset) -> list[str]:
    """The least and the greatest entry of all actions, rounded outwards, where one is outside [-1, 1], or outside the
    bounds that the data state."""
    low, high = float(data.actions.min()), float(data.actions.max())
    stated = action_bounds(data.provenance, data.actions.shape[1])
    if stated and hold_all(stated, data.actions):
        return []
    if low >= -1 - ACTION_TOLERANCE and high <= 1 + ACTION_TOLERANCE:
        return []
    unit = 10.0 ** (math.floor(math.log10(max(abs(low), abs(high)))) - 2)
    least, most = math.floor(low / unit) * unit, math.ceil(high / unit) * unit
    most = most if most > least else least + unit
    return ["--action-low", f"{least:.6g}", "--action-high", f"{most:.6g}"]
