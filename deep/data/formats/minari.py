"""Minari's data sets in HDF5: a folder with data/main_data.hdf5, which `minari.create_dataset_from_buffers` writes. For
those in Arrow and Parquet see `deep.data.formats.minari_arrow`.

    episode_i/observations                  (T + 1, o): the last one is what followed the last step
    episode_i/actions                       (T, a)
    episode_i/rewards                       (T,)
    episode_i/terminations, truncations     (T,) bool
    episode_i/infos/cost                    (T,), or (T + 1,) with that of the reset first, which is left out

for every episode i. Minari has no costs of its own: --columns costs=infos/NAME names another entry. An episode whose
last step has neither flag is taken for one that timed out. `--columns observations=observations/NAME` takes one part of
observations that are a dictionary, and `--columns steps=infos/NAME` checks the order of the steps. data/metadata.json
goes into `provenance`; finite bounds of its action_space are those of the actions, in files that are converted from it
as well.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from deep.data.formats import hdf5
from deep.data.formats.dsrl import HDF5Table
from deep.data.formats.errors import raise_input_error
from deep.data.formats.joined import JoinedTable
from deep.data.formats.missing import FLAGS, is_a_cost, raise_missing
from deep.data.formats.table import ArrayTable, fields_of
from deep.data.reading import AS_IT_IS, Reading
from theory.support.errors import InputError

MAIN = Path("data") / "main_data.hdf5"
METADATA = "metadata.json"
KEPT = "safe_offline_rl_remarks"
"""The entry of the metadata in which `deep.convert` says what was assumed or left out."""
KEPT_LENGTH = "safe_offline_rl_recorded_length"
"""Its entry with the steps of the longest trajectory before any were left out."""
TOTAL = "total_episodes"
STEPS = "total_steps"
"""The attribute of an episode with the number of its steps."""
SPACE = "minari_action_space"
"""The entry of the provenance with the space of the actions, in JSON."""
NAMES = {
    "observations": "observations",
    "actions": "actions",
    "rewards": "rewards",
    "costs": "infos/cost",
    "terminals": "terminations",
    "timeouts": "truncations",
}
LONELY = (".h5", ".hdf5", ".npy", ".npz", ".pkl")
"""Files of arrays, of which a folder is no data set."""
KEYS = (*NAMES, "steps")
"""What `--columns` can name."""
INFOS = "infos/"
"""Where the arrays are that may have an entry of the reset in front of the steps' own."""


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
    arrays = sorted(each.suffix for each in folder.iterdir() if each.suffix in LONELY)
    kind = f"is a folder of {arrays[0]} files" if arrays else "is a folder"
    accepted = "a file is accepted, or the folder of a Minari data set or of .csv or .parquet files"
    accepted += "; deep.save_episodes writes a list of episodes, such as one from each file, from Python"
    raise_input_error(name, kind, accepted)


def accepts(path: Path) -> bool:
    """Whether this is an HDF5 file with Minari's groups of episodes."""
    try:
        with hdf5.opened(path, str(path)) as file:
            return all(hdf5.has(file, f"episode_0/{key}") for key in ("rewards", "terminations", "truncations"))
    except InputError:
        return False


def read(path: Path, name: str, reading: Reading = AS_IT_IS) -> dict[str, Any]:
    """The seven arrays, the episodes in their order; an error calls the data set `name`."""
    reading.check_keys(KEYS, name, "a Minari data set")
    given = reading.names()
    names = NAMES | given
    if reading.cost_function is not None:
        del names["costs"]
    with hdf5.opened(path, name) as file:
        groups, left = _groups(file, metadata(path.parent / METADATA), name)
        first = file[groups[0]]
        assert isinstance(first, h5py.Group)
        table = JoinedTable(HDF5Table(first, name), name)
        if missing := {key: array for key, array in names.items() if not table.has(array)}:
            raise_missing(table.listing(), missing, name, given)
        names |= reading.others([each for each in table.listing() if each.startswith(INFOS)])
        others = other_costs(table.listing(), names, reading)
        episodes = [_episode(file, group, names, others, name) for group in groups]
    fields = joined(episodes, path, name, reading)
    return fields | {"remarks": (*fields["remarks"], *left)}


def joined(episodes: list[dict[str, np.ndarray]], path: Path, name: str, reading: Reading) -> dict[str, Any]:
    """The fields of all episodes; `path` lies beside the metadata, or is the metadata."""
    shared = [key for key in episodes[0] if all(key in episode for episode in episodes)]
    arrays = {key: np.concatenate([episode[key] for episode in episodes]) for key in shared}
    for key in FLAGS:
        if arrays[key].shape[1:] == (1,):
            arrays[key] = arrays[key][:, 0]
    ends = np.cumsum([len(episode["rewards"]) for episode in episodes]) - 1
    flagged = arrays["terminals"].astype(bool) | arrays["timeouts"].astype(bool)
    open_ended = ~flagged[ends]
    flagged[ends] = False
    if flagged.any():
        number = int(np.searchsorted(ends, np.flatnonzero(flagged)[0]))
        found = f"has an end inside episode {number} of its episodes, counted from 0"
        raise_input_error(name, found, "terminations and truncations in the last steps of episodes are accepted")
    arrays["timeouts"][ends[open_ended]] = True
    columns, given, names = None, reading.names(), {}
    if "steps" in given:
        columns = (f"steps={given['steps']}",)
        arrays[given["steps"]] = arrays.pop("steps")
    if "costs" in arrays and "costs" not in given:
        names["costs"] = NAMES["costs"]
        arrays[NAMES["costs"]] = arrays.pop("costs")
    reading_on = Reading(columns, reading.cost_function, reading.last_trajectory)
    fields = fields_of(ArrayTable(arrays), name, reading_on, names)
    if open_ended.any():
        note = f"{int(open_ended.sum())} episodes end with neither flag and are taken for timed out"
        fields["remarks"] = (*fields["remarks"], note)
    about = metadata(path.parent / METADATA)
    fields["remarks"] = (*hdf5.taken_remarks(about), *fields["remarks"])
    if "actions" in reading.names():
        about.pop(SPACE, None)  # of other actions
    return fields | {"recorded_length": hdf5.taken_length(about, name), "provenance": about}


def action_bounds(about: Mapping[str, Any], size: int) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
    """The finite bounds of `size` numbers that the provenance of data from Minari states; None where it states none."""
    with suppress(ValueError, TypeError, KeyError, OverflowError, RecursionError):
        space = json.loads(about[SPACE])
        if space["type"] == "Box":
            low, high = (np.asarray(space[key], dtype=np.float64).ravel() for key in ("low", "high"))
            if low.shape == high.shape == (size,) and np.isfinite((low, high)).all() and (low < high).all():
                return tuple(low.tolist()), tuple(high.tolist())
    return None


def hold_all(bounds: tuple[Any, Any], actions: np.ndarray) -> bool:
    """Whether actions, (n, a), lie within bounds, (a,) each, as float32 has them."""
    low, high = (np.asarray(bound, np.float32) for bound in bounds)
    return bool((actions >= low).all() and (actions <= high).all())


def _groups(file: h5py.File, about: Mapping[str, Any], name: str) -> tuple[list[str], tuple[str, ...]]:
    """The groups of the episodes, in their order, and a remark on those that are not read; `about` are the metadata.

    Raises `InputError` where one is missing of as many as the data set has by its own words.
    """
    groups = sorted((key for key in map(str, file) if key.startswith("episode_")), key=_number)
    total = hdf5.attributes(file, (TOTAL,)).get(TOTAL, about.get(f"minari_{TOTAL}"))
    if not isinstance(total, int) or total < 1:
        last = _number(groups[-1])
        gap = next((i for i in range(last) if f"episode_{i}" not in groups), None)
        return groups, () if gap is None else (f"there is no episode_{gap} before episode_{last}",)
    found = [f"episode_{i}" for i in range(min(total, len(groups) + 1))]
    if missing := [group for group in found if group not in groups]:
        accepted = "a data set with the episodes of its metadata is accepted"
        raise_input_error(name, f"has no {missing[0]}, where {TOTAL} is {total}", accepted)
    more = len(groups) - total
    return found, (more_episodes(more, "group", total),) if more else ()


def more_episodes(more: int, kind: str, total: int) -> str:
    """The remark on episodes beyond the total of the metadata; each is a `kind`."""
    shown = f"{more} more {kind}s of episodes are" if more > 1 else f"1 more {kind} of an episode is"
    return f"{shown} not read, as the metadata say {total} episodes"


def _number(group: str) -> int:
    digits = group.removeprefix("episode_")
    return int(digits) if digits.isdecimal() else -1


def other_costs(found: Collection[str], names: Mapping[str, str], reading: Reading) -> list[str]:
    """The arrays that may hold costs as well, where no option says which are meant."""
    others = [each for each in found if is_a_cost(each) and each not in names.values()]
    return [] if "costs" in reading.decided() else others


def with_others(arrays: dict[str, np.ndarray], table: JoinedTable, others: Collection[str]) -> dict[str, np.ndarray]:
    """The arrays of one episode with those of `others` that have a number for each of its steps."""
    steps, found = len(arrays["rewards"]), {}
    for other in others:
        with suppress(InputError):  # nobody asked for it
            if (shape := table.inspect(other).shape)[1:] in ((), (1,)) and shape[0] in (steps, steps + 1):
                found[other] = np.ravel(table.read(other))[-steps:]
    return arrays | found


def _episode(
    file: h5py.File, group: str, names: dict[str, str], others: Collection[str], name: str
) -> dict[str, np.ndarray]:
    """The arrays of one episode, a row for each step."""
    table = JoinedTable(HDF5Table(file, name), name, f"{group}/{{}}")
    arrays = {}
    for key, array in names.items():
        table.inspect(array)
        arrays[key] = table.read(array)
    item, steps = file[group], len(arrays["rewards"])
    stated = hdf5.attributes(item, (STEPS,)).get(STEPS) if isinstance(item, h5py.Group) else None
    if isinstance(stated, int) and stated != steps:
        accepted = f"as many steps as its attribute {STEPS} says are accepted"
        raise_input_error(name, f"has {steps} rewards in {group}, where {STEPS} is {stated}", accepted)
    return with_others(aligned(arrays, names, group, name), table, others)


def aligned(arrays: dict[str, np.ndarray], names: dict[str, str], group: str, name: str) -> dict[str, np.ndarray]:
    """The arrays of one episode with a row for each step, and next_observations; an error names the group."""
    steps = len(arrays["rewards"])
    seen = arrays["observations"]
    if len(seen) != steps + 1:
        found = f"has {len(seen)} observations in {group} of {steps} steps"
        raise_input_error(name, found, f"{steps + 1}, the last of which follows the last step, are accepted")
    for key, values in arrays.items():
        if len(values) == steps + 1 and (key == "costs" or names[key].startswith(INFOS)):
            if key == "costs" and np.any(values[0] != 0):
                found = f"has a cost of {values[0]} in front of the {steps} steps of {group}, in {names[key]}"
                accepted = f"{steps} costs, or 0 for the reset in front of them, are accepted"
                raise_input_error(name, found, accepted)
            arrays[key] = values[1:]
        elif key != "observations" and len(values) != steps:
            raise_input_error(name, f"has {len(values)} rows of {names[key]} in {group}", f"{steps} are accepted")
    return arrays | {"observations": seen[:-1], "next_observations": seen[1:]}


def metadata(path: Path) -> dict[str, Any]:
    """The texts and numbers in the file that Minari keeps beside the episodes, and what `deep.convert` adds; empty
    where it cannot be read."""
    with suppress(OSError, ValueError, TypeError, AttributeError, RecursionError):
        content = json.loads(path.read_text(encoding="utf-8"))
        kept = {hdf5.REMARKS: str(content.pop(KEPT))} if KEPT in content else {}
        kept |= {hdf5.LENGTH: content.pop(KEPT_LENGTH)} if KEPT_LENGTH in content else {}
        known = {f"minari_{key}": value for key, value in content.items() if isinstance(value, str | int | float)}
        return known | kept
    return {}
