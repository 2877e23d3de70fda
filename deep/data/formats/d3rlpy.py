"""d3rlpy's files of version 2: what `ReplayBuffer.dump` writes, for every episode i

    observations_i   (T, o)
    actions_i        (T, a)
    rewards_i        (T, 1)
    terminated_i     one flag; an episode without it timed out

and num_episodes, columns and version. There is no next observation after the last step (`deep.data.timeouts`), and
there are no costs: `--cost-function` gives them, or `--columns costs=NAME` for arrays NAME_i. Files of version 1 have
one row per transition (`deep.data.formats.dsrl`). d3rlpy's own recording does not end an episode after a single step:
its file holds that step as the first of the next episode, which no reader can see. Source: d3rlpy/dataset/io.py.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from deep.data.formats import hdf5
from deep.data.formats.dsrl import HDF5Table
from deep.data.formats.errors import raise_input_error
from deep.data.formats.table import ArrayTable, fields_of, raise_missing
from deep.data.reading import AS_IT_IS, Reading
from theory.support.errors import InputError

MARKS = ("num_episodes", "columns", "version")


def accepts(path: Path) -> bool:
    """Whether this is an HDF5 file with the arrays that mark d3rlpy's."""
    try:
        with hdf5.opened(path, str(path)) as file:
            return all(hdf5.has(file, mark) for mark in MARKS)
    except InputError:
        return False


def read(path: Path, name: str, reading: Reading = AS_IT_IS) -> dict[str, Any]:
    """The arrays without next_observations, the episodes in their order; an error calls the file `name`."""
    names = {key: key for key in ("observations", "actions", "rewards", "costs")} | reading.names()
    if reading.cost_function is not None:
        del names["costs"]
    with hdf5.opened(path, name) as file:
        table = HDF5Table(file, name)
        table.inspect("num_episodes")
        count = int(table.read("num_episodes"))
        if count < 1:
            raise_input_error(name, f"has {count} episodes", "at least one is accepted")
        for key, array in names.items():
            if not table.has(f"{array}_0"):
                raise_missing(table, key, f"{array}_0", name)
        parts: dict[str, list[np.ndarray]] = {key: [] for key in (*names, "terminals", "timeouts")}
        for i in range(count):
            for array in (*names.values(), "terminated"):
                table.inspect(f"{array}_{i}")
            for key, array in names.items():
                parts[key].append(table.read(f"{array}_{i}"))
            end = np.arange(len(parts["rewards"][-1])) == len(parts["rewards"][-1]) - 1
            terminated = bool(table.read(f"terminated_{i}"))
            parts["terminals"].append(end & terminated)
            parts["timeouts"].append(end & (not terminated))
    arrays = {key: np.concatenate(values) for key, values in parts.items()}
    return fields_of(ArrayTable(arrays), name, Reading(None, reading.cost_function, reading.last_trajectory))
