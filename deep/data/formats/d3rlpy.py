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

import math
import re
from pathlib import Path
from typing import Any

import numpy as np

from deep.data.formats import hdf5
from deep.data.formats.dsrl import HDF5Table
from deep.data.formats.errors import raise_input_error
from deep.data.formats.joined import JoinedTable
from deep.data.formats.missing import raise_missing
from deep.data.formats.table import ArrayTable, fields_of
from deep.data.reading import AS_IT_IS, Reading
from theory.support.errors import InputError

KEYS = ("observations", "next_observations", "actions", "rewards", "costs", "steps")
"""What `--columns` can name."""
MARKS = ("num_episodes", "columns", "version")
EPISODE = re.compile(r".*_([0-9]{1,9})", re.DOTALL)
"""The name of an episode's array."""


def accepts(path: Path) -> bool:
    """Whether this is an HDF5 file with the arrays that mark d3rlpy's."""
    try:
        with hdf5.opened(path, str(path)) as file:
            return all(hdf5.has(file, mark) for mark in MARKS)
    except InputError:
        return False


def read(path: Path, name: str, reading: Reading = AS_IT_IS) -> dict[str, Any]:
    """The arrays without next_observations, the episodes in their order; an error calls the file `name`."""
    reading.check_keys(KEYS, name, "a file of d3rlpy")
    given = reading.names()
    names = {key: key for key in ("observations", "actions", "rewards", "costs")} | given
    if reading.cost_function is not None:
        del names["costs"]
    with hdf5.opened(path, name) as file:
        table = HDF5Table(file, name)
        count = int(_whole(table, "num_episodes", name))
        if count < 1:
            raise_input_error(name, f"has {count} episodes", "at least one is accepted")
        if missing := {key: array for key, array in names.items() if not JoinedTable(table, name, "{}_0").has(array)}:
            first = {array[:-2]: form for array, form in table.listing().items() if array.endswith("_0")}
            raise_missing(first, missing, name, given, form="{}_0")
        if reading.cost_function is not None:
            every = (array[:-2] for array in table.listing() if array.endswith("_0"))
            names |= reading.others([each for each in every if each not in {*names.values()}])
        beyond = [key for key in table.listing() if (number := EPISODE.fullmatch(key)) and int(number[1]) >= count]
        left = [f"num_episodes is {count}: {len(beyond)} arrays of later episodes are not read"] if beyond else []
        parts: dict[str, list[np.ndarray]] = {key: [] for key in (*names, "terminals", "timeouts")}
        for i in range(count):
            of_episode = JoinedTable(table, name, f"{{}}_{i}")
            for array in names.values():
                of_episode.inspect(array)
            for key, array in names.items():
                parts[key].append(of_episode.read(array))
            end = np.arange(len(parts["rewards"][-1])) == len(parts["rewards"][-1]) - 1
            terminated = _whole(table, f"terminated_{i}", name) != 0
            parts["terminals"].append(end & terminated)
            parts["timeouts"].append(end & (not terminated))
    arrays = {key: np.concatenate(values) for key, values in parts.items()}
    columns = ("steps=steps",) if "steps" in given else None
    found = fields_of(ArrayTable(arrays), name, Reading(columns, reading.cost_function, reading.last_trajectory))
    return found | {"remarks": (*found.get("remarks", ()), *left)}


def _whole(table: HDF5Table, key: str, name: str) -> Any:
    """The one whole number, or flag, under `key`."""
    shape = table.inspect(key).shape
    if math.prod(shape) != 1:
        raise_input_error(name, f"has {key} of shape {shape}", "one number is accepted")
    number = table.read(key).ravel()[0]
    if number != np.floor(number) or np.isinf(number):  # nan differs from itself
        raise_input_error(name, f"has {key} {number:g}", "a whole number is accepted")
    return number
