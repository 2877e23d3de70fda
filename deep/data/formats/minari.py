"""Minari's data sets in HDF5: a folder with data/main_data.hdf5, which `minari.create_dataset_from_buffers` writes. For
those in Arrow and Parquet see `deep.data.formats.minari_arrow`.

    episode_i/observations                  (T + 1, o): the last one is what followed the last step
    episode_i/actions                       (T, a)
    episode_i/rewards                       (T,)
    episode_i/terminations, truncations     (T,) bool
    episode_i/infos/cost                    (T,), or (T + 1,) with that of the reset first, which is left out

for every episode i. Minari has no costs of its own: --columns costs=infos/NAME names another entry. An episode whose
last step has neither flag is taken for one that timed out. `--columns observations=observations/NAME` takes one part of
observations that are a dictionary. data/metadata.json goes into `provenance`.
"""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from deep.data.formats import hdf5
from deep.data.formats.dsrl import HDF5Table
from deep.data.formats.errors import raise_input_error
from deep.data.formats.table import ArrayTable, fields_of, raise_missing
from deep.data.reading import AS_IT_IS, Reading
from theory.support.errors import InputError

MAIN = Path("data") / "main_data.hdf5"
METADATA = "metadata.json"
NAMES = {
    "observations": "observations",
    "actions": "actions",
    "rewards": "rewards",
    "costs": "infos/cost",
    "terminals": "terminations",
    "timeouts": "truncations",
}


def file_in(folder: Path, name: str) -> Path:
    """The file that holds the episodes of the data set in a folder, or the metadata of one in Arrow or Parquet; raises
    `InputError` where there is none."""
    if (folder / MAIN).is_file():
        return folder / MAIN
    about = folder / "data" / METADATA
    if about.is_file():
        if metadata(about).get("minari_data_format") in ("arrow", "parquet"):
            return about
        found = "is a Minari data set without data/main_data.hdf5"
        raise_input_error(name, found, 'one written with data_format="hdf5", "arrow" or "parquet" is accepted')
    raise_input_error(name, "is a folder", "a file is accepted, or the folder of a Minari data set")


def accepts(path: Path) -> bool:
    """Whether this is an HDF5 file with Minari's groups of episodes."""
    try:
        with hdf5.opened(path, str(path)) as file:
            return all(hdf5.has(file, f"episode_0/{key}") for key in ("rewards", "terminations", "truncations"))
    except InputError:
        return False


def read(path: Path, name: str, reading: Reading = AS_IT_IS) -> dict[str, Any]:
    """The seven arrays, the episodes in their order; an error calls the data set `name`."""
    given = reading.names()
    names = NAMES | given
    if reading.cost_function is not None:
        del names["costs"]
    with hdf5.opened(path, name) as file:
        groups = sorted((key for key in map(str, file) if key.startswith("episode_")), key=_number)
        first = file[groups[0]]
        assert isinstance(first, h5py.Group)
        for key, array in names.items():
            if not hdf5.has(file, f"{groups[0]}/{array}"):
                raise_missing(HDF5Table(first, name), key, array, name)
        episodes = [_episode(file, group, names, name) for group in groups]
    return joined(episodes, path, name, reading)


def joined(episodes: list[dict[str, np.ndarray]], path: Path, name: str, reading: Reading) -> dict[str, Any]:
    """The fields of all episodes; `path` lies beside the metadata, or is the metadata."""
    arrays = {key: np.concatenate([episode[key] for episode in episodes]) for key in episodes[0]}
    ends = np.cumsum([len(episode["rewards"]) for episode in episodes]) - 1
    open_ended = ~(arrays["terminals"][ends].astype(bool) | arrays["timeouts"][ends].astype(bool))
    arrays["timeouts"][ends[open_ended]] = True
    rest = Reading(None, reading.cost_function, reading.last_trajectory)
    fields = fields_of(ArrayTable(arrays), name, rest)
    if open_ended.any():
        note = f"{int(open_ended.sum())} episodes end with neither flag and are taken for timed out"
        fields["remarks"] = (*fields["remarks"], note)
    return fields | {"provenance": metadata(path.parent / METADATA)}


def _number(group: str) -> int:
    digits = group.removeprefix("episode_")
    return int(digits) if digits.isdigit() else -1


def _episode(file: h5py.File, group: str, names: dict[str, str], name: str) -> dict[str, np.ndarray]:
    """The arrays of one episode, a row for each step."""
    table = HDF5Table(file, name)
    arrays = {}
    for key, array in names.items():
        table.inspect(f"{group}/{array}")
        arrays[key] = table.read(f"{group}/{array}")
    return aligned(arrays, names, group, name)


def aligned(arrays: dict[str, np.ndarray], names: dict[str, str], group: str, name: str) -> dict[str, np.ndarray]:
    """The arrays of one episode with a row for each step, and next_observations; an error names the group."""
    steps = len(arrays["rewards"])
    seen = arrays["observations"]
    if len(seen) != steps + 1:
        found = f"has {len(seen)} observations in {group} of {steps} steps"
        raise_input_error(name, found, f"{steps + 1}, the last of which follows the last step, are accepted")
    for key, values in arrays.items():
        if key == "costs" and len(values) == steps + 1:
            arrays[key] = values[1:]
        elif key != "observations" and len(values) != steps:
            raise_input_error(name, f"has {len(values)} rows of {names[key]} in {group}", f"{steps} are accepted")
    return arrays | {"observations": seen[:-1], "next_observations": seen[1:]}


def metadata(path: Path) -> dict[str, Any]:
    """The texts and numbers in the file that Minari keeps beside the episodes; empty where it cannot be read."""
    with suppress(OSError, ValueError, AttributeError):
        content = json.loads(path.read_text(encoding="utf-8"))
        return {f"minari_{key}": value for key, value in content.items() if isinstance(value, str | int | float)}
    return {}
