"""Episodes in memory: a list with an entry for each trajectory, a mapping or an object with attributes.

observations    (T + 1, o) with the one after the last step, or (T, o) without it
actions         (T, a)
rewards, costs  (T,)
terminated      whether the trajectory ended in a terminal state; otherwise it timed out
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from deep.data.formats.errors import raise_input_error
from deep.data.formats.table import ArrayTable, fields_of
from deep.data.reading import AS_IT_IS

KEYS = ("observations", "actions", "rewards", "costs", "terminated")


def fields_of_episodes(episodes: Sequence[Any], name: str) -> dict[str, Any]:
    """The fields of these episodes, one after another; raises `InputError`, which calls them `name`."""
    if not len(episodes):
        raise_input_error(name, "has no episodes", "at least one is accepted")
    parts = [_rows(episode, f"episode {i} of {name}") for i, episode in enumerate(episodes)]
    whole = all("next_observations" in part for part in parts)
    keys = [key for key in parts[0] if whole or key != "next_observations"]
    try:
        arrays = {key: np.concatenate([part[key] for part in parts]) for key in keys}
    except ValueError as error:
        raise_input_error(name, f"has episodes of different sizes ({error})", "vectors of one size are accepted")
    return fields_of(ArrayTable(arrays), name, AS_IT_IS)


def _rows(episode: Any, name: str) -> dict[str, np.ndarray]:
    """The arrays of one episode with a row for each step."""
    arrays = {key: np.asarray(_entry(episode, key, name)) for key in KEYS}
    terminated = bool(arrays.pop("terminated").any())
    steps, seen = arrays["rewards"].shape[:1], len(arrays["observations"])
    if not steps or steps == (0,):
        raise_input_error(name, "has no steps", "at least one is accepted")
    for key in ("actions", "costs"):
        if arrays[key].shape[:1] != steps:
            raise_input_error(name, f"has {key} of shape {arrays[key].shape}", f"{steps[0]} rows are accepted")
    if seen not in (steps[0], steps[0] + 1):
        raise_input_error(name, f"has {seen} observations", f"{steps[0]} or {steps[0] + 1} are accepted")
    if seen == steps[0] + 1:
        arrays["next_observations"] = arrays["observations"][1:]
        arrays["observations"] = arrays["observations"][:-1]
    end = np.arange(steps[0]) == steps[0] - 1
    return arrays | {"terminals": end & terminated, "timeouts": end & (not terminated)}


def _entry(episode: Any, key: str, name: str) -> Any:
    if isinstance(episode, Mapping):
        if key in episode:
            return episode[key]
        has = ", ".join(map(str, episode))
    else:
        if hasattr(episode, key):
            return getattr(episode, key)
        has = type(episode).__name__
    raise_input_error(name, f"has no {key}", f"{', '.join(KEYS)} are accepted; it has {has}")
