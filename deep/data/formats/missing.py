"""The sentence about arrays that a file lacks: what it has, and which of these may serve."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Collection, Mapping
from difflib import get_close_matches
from typing import NamedTuple, NoReturn

from deep.data.formats import steps
from deep.data.formats.errors import of_several, raise_input_error

FLAGS = ("terminals", "timeouts")
ENDS = (*FLAGS, "dones", "episodes")
SYNONYMS = {
    "observations": "obs observation state states",
    "next_observations": "next_obs next_observation next_state next_states",
    "actions": "action act acts",
    "rewards": "reward rew",
    "costs": "cost violation violations",
    "terminals": "terminal terminated termination is_terminal term",
    "timeouts": "timeout truncated truncation time_limit timelimit_truncated is_truncated trunc",
    "dones": "done end is_last episode_terminal episode_end episode_done",
    "episodes": "episode episode_id episode_number episode_index episode_nr eps eps_id ep ep_id trajectory "
    "trajectory_id trajectory_number traj traj_id trial trial_id rollout rollout_id",
    "steps": " ".join(steps.PLAIN),
    "environments": "env environment env_id env_idx env_index env_number environment_id actor actor_id agent agent_id "
    "worker worker_id",
}
"""Names that other writers use, as `plain` has them: a rejection proposes them."""
JOINED = ("observations", "actions")
"""Vectors, whose numbers may be columns of their own."""
COSTLY = ("cost", "violation", "constraint", "unsafe")
"""Parts of a name that say so of costs."""
SHOWN = 12
"""Arrays that a rejection lists."""


class Found(NamedTuple):
    """What can be said of an array before it is read."""

    shape: tuple[int, ...]
    dtype: str


def raise_missing(
    found: Mapping[str, Found],
    missing: Mapping[str, str],
    name: str,
    given: Mapping[str, str] | None = None,
    ends: bool = True,
    form: str = "{}",
) -> NoReturn:
    """Raise `InputError`: what there is, and which of it may serve.

    Args:
        found: the arrays that there are.
        missing: the arrays that there are not, by key.
        name: the file.
        given: what `--columns` says already.
        ends: whether something marks the ends of trajectories.
        form: how an array's name is written in the file.
    """
    gone = [part for array in missing.values() for part in parts(array, found) if part not in found]
    lacks = [*map(form.format, gone), *([] if ends else [key for key in FLAGS if key not in found])]
    lacks = list(dict.fromkeys(lacks))
    shown = [f"{each} {list(shape)} {dtype}" for each, (shape, dtype) in list(found.items())[:SHOWN]]
    rest = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    accepted = f"a file that has {'them' if len(lacks) > 1 else 'one'} is accepted"
    if not ends:
        accepted += ", or dones or episodes (the trajectory's number), which mark the ends of trajectories as well"
    sentence = f"{accepted}; it has {', '.join(shown) or 'no arrays'}{rest}"
    if _is_of_episodes(found):
        sentence += "; deep.save_episodes writes a list of episodes from Python"
        raise_input_error(name, f"has no array {_or(lacks)}", sentence)
    serving = {key: near for key, array in missing.items() if (near := _serving(key, array, found))}
    if not ends and {"is_first", "is_last"} <= found.keys():
        sentence += "; the last row of each episode of RLDS (is_last) has no action and no reward: "
        sentence += "deep.save_episodes writes a list of episodes from Python"
        raise_input_error(name, f"has no array {_or(lacks)}", sentence)
    of_ends, condition = ({}, "") if ends else _serving_as_ends(found, given or {})
    columns = {key: array for key, array in (given or {}).items() if key not in missing} | serving | of_ends
    vectors = {key: "NAMES" for key in JOINED if key in missing and key not in serving}
    if single := _single(found, columns) if vectors else []:
        columns = vectors | columns
        condition += f", with NAMES of columns joined by commas, such as {','.join(single[:2])}"
    proposed = " ".join(shlex.quote(f"{key}={array}") for key, array in columns.items())
    ways = [f"--columns {proposed}"] if serving | of_ends or single else []
    alone = set(columns) == {"costs"}
    several = [each for each in found if is_a_cost(each)] if "costs" in missing else []
    if "costs" in missing and (alone or "costs" not in serving) and len(several) < 2:
        ways += ["--cost-function MODULE:NAME"]
    sentence += f"; {(' or ' if alone else ' and ').join(ways)} may serve{condition}" if ways else ""
    sentence += f"; {of_several(several)}" if len(several) > 1 else ""
    raise_input_error(name, f"has no array {_or(lacks)}", sentence)


def _or(names: list[str]) -> str:
    return " or ".join(each for each in (", ".join(names[:-1]), names[-1]) if each)


def _is_of_episodes(found: Collection[str]) -> bool:
    """Whether arrays of one name lie in folders that differ in a number alone."""
    folders = {each.rpartition("/")[0] for each in found}
    return len({re.sub(r"\d+", "0", each) for each in folders}) < len(folders)


def parts(array: str, found: Collection[str]) -> list[str]:
    """The arrays that the name a,b joins, unless there is one of this very name."""
    return [array] if array in found else [part.strip() for part in array.split(",")]


def _serving(key: str, array: str, found: Mapping[str, Found]) -> str | None:
    """The array, or arrays, that may serve for a key."""
    if len(wanted := parts(array, found)) == 1:
        inside = [each for each, (shape, _) in found.items() if each.startswith(f"{array}/") and len(shape) in (1, 2)]
        return ",".join(inside) if inside and key in (*JOINED, "next_observations") else nearest(key, array, found)
    near = [part if part in found else _alike(part, found) for part in wanted]
    return ",".join(each for each in near if each) if all(near) else nearest(key, key, found)


def _single(found: Mapping[str, Found], taken: Mapping[str, str]) -> list[str]:
    """The arrays of one number a row that serve for nothing yet."""
    used = {part for array in taken.values() for part in parts(array, found)} | SYNONYMS.keys()
    numeric = ("int", "uint", "float")
    single = [each for each, (shape, dtype) in found.items() if len(shape) == 1 and dtype.startswith(numeric)]
    return [each for each in single if each not in used]


def _serving_as_ends(found: Mapping[str, Found], given: Mapping[str, str]) -> tuple[dict[str, str], str]:
    """What of `--columns` may mark the ends of trajectories, and the condition under which it does so."""
    counts = Counter(shape[:1] for shape, _ in found.values())
    rows = {each for each, (shape, _) in found.items() if counts[shape[:1]] == max(counts.values())}
    near = {key: nearest(key, given.get(key, key), [*filter(rows.__contains__, found)]) for key in ENDS}
    flags = {key: array for key in FLAGS if (array := near[key])}
    other = {key: array for key in ("dones", "episodes") if (array := near[key])}
    condition = ""
    if len(set(flags.values())) == 2:
        chosen = flags
    elif other:
        chosen = dict([*list(flags.items())[:1], *list(other.items())[:1]])
    elif flags:
        ((key, array), *_) = flags.items()
        chosen = {key: array, "dones": array}
        end = "ends in a terminal state" if key == "terminals" else "times out"
        condition = f" where every trajectory {end}"
    else:
        chosen = {}
    return {key: array for key, array in chosen.items() if given.get(key, key) != array}, condition


def plain(name: str) -> str:
    """The name in lower case and in the singular, with _ for what is no letter or digit: TimeLimit.truncated."""
    return re.sub(r"[\W_]+", "_", name.lower()).strip("_").removesuffix("s")


def nearest(key: str, array: str, found: Collection[str]) -> str | None:
    """The array that may serve for a key: one of a synonym, or else one of a similar name; for
    costs one with a word of `COSTLY` in its name."""
    last = {each: each.rsplit("/", 1)[-1].lower() for each in found}
    for wanted in (array, key, *SYNONYMS[key].split()):
        for same in (str.lower, plain):
            if each := next((each for each, short in last.items() if same(short) == same(wanted)), None):
                return each
    if key == "costs":
        for word in COSTLY:
            if each := next((each for each, short in last.items() if word in short), None):
                return each
    return _alike(array, found)


def is_a_cost(array: str) -> bool:
    """Whether the name of an array says that it holds a kind of costs."""
    return any(word in array.rsplit("/", 1)[-1].lower() for word in COSTLY)


def _alike(array: str, found: Collection[str]) -> str | None:
    """The array of the most similar name, if there is one that is similar."""
    last = {each: each.rsplit("/", 1)[-1].lower() for each in found}
    close = get_close_matches(array.rsplit("/", 1)[-1].lower(), list(last.values()), 1, 0.75)
    return next((each for each, short in last.items() if close and short == close[0]), None)
