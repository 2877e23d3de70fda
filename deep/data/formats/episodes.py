"""Episodes in memory: a list with an entry for each trajectory, a mapping or an object with attributes.

observations    (T + 1, o) with the one after the last step, or (T, o) without it; both may be in one list
actions         (T, a)
rewards, costs  (T,)
next_observations    (T, o), optional: those one row later, and the one after the last step
terminated      whether the trajectory ended in a terminal state; otherwise it timed out. (T,) is accepted as well,
                with no more than the last entry true

Marks of the ends under other names, and `cost` beside costs, may not contradict these
(`deep.data.formats.episode_marks`). An episode that neither terminated nor, by such a mark, timed out is taken for one
that timed out; a remark says so.

An episode without the observation after its last step loses this step where it timed out (`deep.data.timeouts`); where
it terminated, the step's own observation stands for the next one. Other episodes keep all their steps.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from deep.data.formats.continuity import differs
from deep.data.formats.episode_marks import READ, check_buffers, check_costs, check_marks
from deep.data.formats.errors import raise_input_error, raise_on_rows
from deep.data.formats.joined import as_float32
from deep.data.formats.missing import SYNONYMS, nearest, plain
from deep.data.formats.table import ArrayTable, fields_of
from deep.data.reading import AS_IT_IS
from deep.data.timeouts import without_last_steps

KEYS = ("observations", "actions", "rewards", "costs", "terminated")
NEXT = "next_observations"
LAST = "last"
"""The entry that marks a last step after which there is no observation, (T,)."""
CUT = "cut"
"""The entry that marks a last step after which no mark says that the episode was over, (T,)."""
SHOWN = 10
"""Episodes that a remark lists."""


def fields_of_episodes(episodes: Iterable[Any], name: str) -> dict[str, Any]:
    """The fields of these episodes, one after another; raises `InputError`, which calls them `name`."""
    if isinstance(episodes, Mapping | str) or not isinstance(episodes, Iterable):
        raise_input_error(name, f"is a {type(episodes).__name__}", "a list with an entry for each episode is accepted")
    episodes = list(episodes)
    if not episodes:
        raise_input_error(name, "has no episodes", "at least one is accepted")
    parts = [_rows(episode, f"episode {i} of {name}") for i, episode in enumerate(episodes)]
    check_buffers([[_entry(episode, key, name) for key in READ] for episode in episodes], name)
    for key in parts[0]:
        sizes = [part[key].shape[1:] for part in parts]
        if other := next((i for i, size in enumerate(sizes) if size != sizes[0]), 0):
            found = f"{key} have rows of shape {sizes[0]} in episode 0 and {sizes[other]} in episode {other}"
            raise_input_error(name, f"has episodes of different sizes ({found})", "vectors of one size are accepted")
    arrays = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
    near = next((each for each in map(_other_name, episodes) if each), None)
    serves = f" ({near} may serve, under the name next_observations)" if near else ""
    last = arrays.pop(LAST)  # steps after which no observation is known
    cut = int(arrays.pop(CUT).sum())
    fields = fields_of(ArrayTable(arrays), name, AS_IT_IS)
    if cut:
        note = f"{cut} episodes end with neither flag and are taken for timed out"
        fields["remarks"] = (*fields["remarks"], note)
    terminated = last & fields["terminals"]
    if (unknown := last & ~terminated).any():
        which = [i for i, part in enumerate(parts) if (part[LAST] & part["timeouts"]).any()]
        fields = without_last_steps(fields, unknown, f"no observation follows {_listed(which)}{serves}", name)
    if terminated.any():
        which = [i for i, part in enumerate(parts) if (part[LAST] & part["terminals"]).any()]
        note = f"no observation follows {_listed(which)}{serves}, which terminated; its own stands for it"
        fields["remarks"] = (*fields["remarks"], note)
    return fields


def _listed(numbers: Sequence[int]) -> str:
    """The last steps of episodes 0, 3 and 7; of many episodes the first ones."""
    shown = [f"{number}" for number in numbers[:SHOWN]]
    if len(numbers) > SHOWN:
        shown.append(f"{len(numbers) - SHOWN} more")
    words = f"{', '.join(shown[:-1])} and {shown[-1]}" if len(shown) > 1 else shown[0]
    return f"the last step{'s' * (len(numbers) > 1)} of episode{'s' * (len(numbers) > 1)} {words}"


def _rows(episode: Any, name: str) -> dict[str, np.ndarray]:
    """The arrays of one episode with a row for each step."""
    arrays = {key: _numbers(_entry(episode, key, name), key, name) for key in KEYS}
    raise_on_rows(arrays["costs"] < 0, arrays["costs"], "costs", name, "costs of at least 0 are accepted")
    if _has(episode, NEXT) and _entry(episode, NEXT, name) is not None:
        arrays[NEXT] = _numbers(_entry(episode, NEXT, name), NEXT, name)
    flag = arrays.pop("terminated")
    raise_on_rows(~np.isin(flag, (0, 1)), flag, "terminated", name, "a boolean, or 0 or 1, is accepted")
    if not arrays["observations"].ndim:
        raise_input_error(name, "has a single number for observations", "a row for each step is accepted")
    steps, seen = arrays["rewards"].shape[:1], len(arrays["observations"])
    terminated = _terminated(flag, steps, name)
    if not steps or steps == (0,):
        raise_input_error(name, "has no steps", "at least one is accepted")
    for key in ("actions", "costs"):
        if arrays[key].shape[:1] != steps:
            raise_input_error(name, f"has {key} of shape {arrays[key].shape}", f"{steps[0]} rows are accepted")
    if seen not in (steps[0], steps[0] + 1):
        raise_input_error(name, f"has {seen} observations", f"{steps[0]} or {steps[0] + 1} are accepted")
    end, observations = np.arange(steps[0]) == steps[0] - 1, arrays["observations"]
    known = seen == steps[0] + 1 or NEXT in arrays
    follows = arrays[NEXT] if NEXT in arrays else np.concatenate([observations[1 : steps[0]], observations[-1:]])
    if follows.shape != (steps[0], *observations.shape[1:]):
        accepted = f"{(steps[0], *observations.shape[1:])} is accepted"
        raise_input_error(name, f"has {NEXT} of shape {follows.shape}", accepted)
    raise_on_rows(
        differs(follows[: seen - 1], observations[1:]), follows, NEXT, name, "observations one row later are accepted"
    )
    arrays |= {"observations": observations[: steps[0]], NEXT: follows}
    entries = _entries(episode)
    check_costs(entries, arrays["costs"], name)
    cut = check_marks(entries, terminated, steps[0], name)
    flags = {"terminals": end & terminated, "timeouts": end & (not terminated)}
    return arrays | flags | {LAST: end & (not known), CUT: end & cut}


def _terminated(flag: np.ndarray, steps: tuple[int, ...], name: str) -> bool:
    """Whether the episode ended in a terminal state, by one flag or one for each step."""
    if flag.size != 1 and flag.shape not in (steps, (*steps, 1)):
        raise_input_error(name, f"has terminated of shape {flag.shape}", "one flag, or one for each step, is accepted")
    flags = flag.ravel()
    if flags[:-1].any():
        found = f"has terminated in step {int(np.flatnonzero(flags)[0])} of {len(flags)}"
        raise_input_error(name, found, "an end in the last step is accepted, and an entry for each episode")
    return bool(flags[-1:].any())


def _numbers(values: Any, key: str, name: str) -> np.ndarray:
    """Finite numbers that float32 holds, those of 64 bits as they are, for what `fields_of_episodes` remarks on."""
    if isinstance(values, np.ma.MaskedArray) and np.ma.getmaskarray(values).any():
        raise_input_error(name, f"has {key} of which some are masked", "a number in each is accepted")
    first = values[0] if isinstance(values, Sequence) and len(values) and not isinstance(values, str) else values
    if isinstance(first, Mapping):
        parts = ", ".join(map(str, first))
        accepted = "rows of numbers are accepted, such as the entries of each dictionary one after another"
        raise_input_error(name, f"has {key} that are dictionaries of {parts}", accepted)
    try:
        array = np.asarray(values)
    except (TypeError, ValueError, RuntimeError) as error:
        found = f"has {key} that make no array ({' '.join(str(error).split())})"
        raise_input_error(name, found, "rows of numbers, of one size, are accepted")
    converted = as_float32(array, key, name)
    array = array if array.dtype == np.float64 else converted
    raise_on_rows(~np.isfinite(array), array, key, name, "finite numbers are accepted")
    return array


def _has(episode: Any, key: str) -> bool:
    return key in episode if isinstance(episode, Mapping) else hasattr(episode, key)


def _entry(episode: Any, key: str, name: str) -> Any:
    if _has(episode, key):
        return episode[key] if isinstance(episode, Mapping) else getattr(episode, key)
    found = list(_entries(episode))
    accepted = f"an entry or attribute {key} is accepted, beside {', '.join(each for each in KEYS if each != key)}"
    if not found:
        raise_input_error(name, f"is a {type(episode).__name__} without names", accepted)
    near = nearest("terminals" if key == "terminated" else key, key, found)
    serves = f"; {near} may serve, under the name {key}" if near else ""
    raise_input_error(name, f"has no {key}", f"{accepted}; it has {', '.join(found)}{serves}")


def _entries(episode: Any) -> dict[str, Any]:
    """An episode's entries, or its attributes, by name, with those of a dictionary among them: infos/cost."""
    entries = episode
    if not isinstance(episode, Mapping):
        kind = type(episode)
        names = getattr(episode, "__dict__", None) or getattr(kind, "_fields", None) or getattr(kind, "__slots__", ())
        entries = {key: getattr(episode, key, None) for key in names if not key.startswith("_")}
    found: dict[str, Any] = {}
    for key, value in entries.items():
        parts = {f"{key}/{part}": each for part, each in value.items()} if isinstance(value, Mapping) else {key: value}
        found |= {str(part): each for part, each in parts.items()}
    return found


def _other_name(episode: Any) -> str | None:
    """The entry that by its name holds the next observations, which are not read under it."""
    words = SYNONYMS[NEXT].split()
    return next((each for each in list(_entries(episode)) if plain(each) in map(plain, words)), None)
