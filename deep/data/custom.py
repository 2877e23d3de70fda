"""Custom data sets: the task that is derived from a file that belongs to no task of the table, and the options for it.

Observation and action sizes, episode length, returns and cost limits are read off the data, and where a simulator is
named, the length and the actions' bounds off it. The result is a `Task` like those of the table.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int

from deep.data.dataset import ACTION_TOLERANCE, OfflineDataset, check
from deep.data.formats.errors import LARGEST, raise_input_error
from deep.data.formats.joined import ROWS
from deep.data.formats.minari import action_bounds
from deep.data.load import read
from deep.data.reading import AS_IT_IS, Reading
from deep.data.tails import suspicions
from deep.data.timeouts import drop_unknown_successors, with_successors
from deep.tasks import COST_ROUNDING, Task
from theory.support.errors import InputError
from theory.support.files import stem

Bounds = tuple[float, ...]
DISCRETE = (
    "every action is one of the whole numbers from 0 on, as discrete choices are numbered: they are taken for points "
)
DISCRETE += "of a continuous range, as no method here has discrete actions"
"""The remark on such actions."""


@dataclass(frozen=True)
class CustomData:
    """How data of no task of the table are to be understood; what is left out is inferred, and kept in config.json."""

    env: str | None = None
    """Custom data set: simulate after training, too, in this registered gymnasium environment (ID, or MODULE:ID where
    importing MODULE registers it), whose steps report a cost in info["cost"]."""
    episode_length: int | None = None
    """Custom data set: steps after which an episode times out; none: the simulator's limit, or the longest episode."""
    reward_range: tuple[float, float] | None = None
    """Custom data set: the returns that become the scores 0 and 1; none: the least and the greatest in the data."""
    action_low: Bounds = ()
    """Custom data set: lower bound of the actions, one number or one for each; none: the simulator's, or what
    a Minari data set states, or -1."""
    action_high: Bounds = ()
    """Custom data set: upper bound of the actions; none: the simulator's, or what a Minari data set states, or 1."""


def load_custom(path: Path, given: CustomData, reading: Reading = AS_IT_IS) -> tuple[Task, OfflineDataset, CustomData]:
    """Read a file that belongs to no task; the task it is taken for, its data, and `given` with nothing left open.

    Actions are mapped to [-1, 1] from their bounds. A plain file may lack next_observations, see `with_successors`.
    Raises `InputError` for a file that `deep.data.load.load` would reject, and for options that do not fit it.
    """
    name = str(path)
    fields, sha256 = read_fields(path, name, reading)
    stated = action_bounds(fields["provenance"], fields["actions"].shape[1])
    given = _with_interface(given, fields["actions"].shape[1], *(stated or ((), ())))
    fields["actions"] = _scaled(fields["actions"], given, name)
    anything, data = checked(fields, name, path, sha256)
    longest = longest_recorded(data)
    given = replace(
        given,
        episode_length=longest if given.episode_length is None else given.episode_length,
        reward_range=_reward_range(data.trajectory_returns) if given.reward_range is None else given.reward_range,
    )
    assert given.episode_length is not None
    assert given.reward_range is not None
    if longest > given.episode_length:
        raise_input_error(
            name,
            f"has an episode of {longest} steps where {given.episode_length} are the most",
            "--episode-length says another number",
        )
    _check_range(given.reward_range, data.rewards, given.episode_length)
    task = replace(
        anything,
        episode_length=given.episode_length,
        reward_range=given.reward_range,
        max_cost=float(data.trajectory_costs.max()),
        cost_limits=cost_limits(data.trajectory_costs),
        env=given.env,
        action_low=given.action_low,
        action_high=given.action_high,
    )
    return task, data, given


def read_fields(path: Path, name: str, reading: Reading) -> tuple[dict[str, Any], str]:
    """The fields of a file that belongs to no task, with next_observations, the actions in the file's units; and the
    file's hash. Raises `InputError` as `deep.data.load.read` does, and for arrays that are no rows of vectors."""
    fields, sha256 = read(path, name, reading)
    del fields["task"]
    return with_vectors(fields, name), sha256


def with_vectors(fields: dict[str, Any], name: str) -> dict[str, Any]:
    """The fields with the next_observations that they may lack; raises `InputError` for arrays that are no rows of
    vectors."""
    for key in ("observations", "actions"):
        if len(shape := fields[key].shape) != 2 or 0 in shape:
            accepted = "an array of two dimensions, a row a transition, is accepted"
            if len(shape) == 3:
                accepted += "; deep.save_episodes writes episodes of several steps from Python"
            raise_input_error(name, f"has {key} of shape {shape}", accepted)
    if _discrete(fields["actions"]) and DISCRETE not in fields["remarks"]:
        fields = fields | {"remarks": (*fields["remarks"], DISCRETE)}
    return fields if "next_observations" in fields else with_successors(fields, name)


def _discrete(actions: np.ndarray) -> bool:
    """Whether each action is one of 0, 1, ..., k - 1, k > 1, as choices are numbered."""
    if actions.shape[1] > 1 or not np.isfinite(actions).all():
        return False
    found = np.unique(actions)
    return len(found) > 1 and np.array_equal(found, np.arange(len(found)))


def checked(
    fields: dict[str, Any], name: str, path: Path | None = None, sha256: str | None = None
) -> tuple[Task, OfflineDataset]:
    """The data that these fields are, their actions in [-1, 1], and the task as far as it is known: its sizes.

    Most of the check has to come before anything can be inferred; the episode's length is checked afterwards.
    """
    rows, action_size = fields["actions"].shape
    title = name if path is None else stem(path)
    anything = Task(title, "custom", "", "", fields["observations"].shape[1], action_size, rows, (0, 1), 0)
    source = "memory" if path is None else "file"
    values = {key: value for key, value in fields.items() if key != ROWS}
    data = OfflineDataset(title, **values, source=source, path=path, sha256=sha256)
    check(data, anything, name, fields.get(ROWS))
    data = replace(data, remarks=(*data.remarks, *suspicions(data)))
    return anything, drop_unknown_successors(data, name)


def recorded_lengths(data: OfflineDataset) -> Int[np.ndarray, " trajectory"]:
    """The steps of each trajectory, with the last one that `deep.data.timeouts` has left out."""
    return data.lengths + (0 if data.shortened is None else data.shortened)


def longest_recorded(data: OfflineDataset) -> int:
    """The steps of the longest trajectory, also where its last one was left out of the file when it was written."""
    return max(int(recorded_lengths(data).max()), data.recorded_length or 0)


def cost_limits(costs: np.ndarray) -> tuple[float, ...]:
    """The quartiles of the episode costs above 0, rounded up to two digits; 1 where no episode costs anything."""
    positive = costs[costs > 0]
    if not positive.size:
        return (1.0,)
    return tuple(sorted({_up(quartile) for quartile in np.quantile(positive, (0.25, 0.5, 0.75)).tolist()}))


def assumptions(task: Task, data: OfflineDataset) -> list[str]:
    """What the data were taken to be, a line for each, with the option that says otherwise."""
    ended, costs, lengths = int(data.terminals.sum()), data.trajectory_costs, recorded_lengths(data)
    sizes = f"observations of {task.observation_size} numbers, actions of {task.action_size}"
    bounds = " x ".join(f"[{low:g}, {high:g}]" for low, high in zip(task.action_low, task.action_high, strict=True))
    limits = ", ".join(f"{limit:g}" for limit in task.cost_limits)
    lines = [
        f"{sizes} in {bounds} (--action-low, --action-high)",
        f"episodes of at most {task.episode_length} steps (--episode-length), the data's have {lengths.min()} to "
        f"{lengths.max()}; {ended} of {len(costs)} end in a terminal state",
        f"the scores 0 and 1 are the returns {task.reward_range[0]:g} and {task.reward_range[1]:g} (--reward-range)",
        f"an episode costs {costs.min():g} to {costs.max():g}, {np.mean(costs == 0):.0%} of them nothing",
        f"quartiles of the costs above 0 of {limits}: the limits, where --cost-limits names none"
        if costs.any()
        else "no step costs anything: a limit means nothing here, and what would cost is unknown",
        f"simulator: {task.env}, after training (--env)"
        if task.simulated
        else "no simulator: all results are estimates from the data (--env names a gymnasium id)",
    ]
    return [*lines, *data.remarks]


def _with_interface(given: CustomData, actions: int, least: Bounds, most: Bounds) -> CustomData:
    """`given` with the bounds of the actions, and where a simulator is named, with what it says of itself; `least` and
    `most` are the bounds that the file states."""
    low, high = given.action_low, given.action_high
    if given.env is not None and not (low and high and given.episode_length):
        from deep.envs.custom import interface  # imported here: most data have no simulator

        found = interface(given.env)
        low, high = low or found.action_low, high or found.action_high
        given = replace(given, episode_length=given.episode_length or found.episode_length)
    low, high = low or least or (-1.0,), high or most or (1.0,)
    for option, bound in (("low", low), ("high", high)):
        if len(bound) not in (1, actions) or not (np.abs(bound) <= LARGEST).all():
            numbers = "one number" + (f" or {actions}" if actions > 1 else "")
            accepted = f"accepted is {numbers} of at most {LARGEST:g} in size, for actions of {actions} numbers"
            raise InputError(f"--action-{option}, or the simulator's bound, {list(bound)}: {accepted}")
    low, high = (bound * actions if len(bound) == 1 else bound for bound in (low, high))
    if not (np.array(low) < high).all():
        raise InputError(f"--action-low {list(low)} and --action-high {list(high)}: accepted are bounds in that order")
    return replace(given, action_low=low, action_high=high)


def _scaled(actions: np.ndarray, given: CustomData, name: str) -> np.ndarray:
    """The actions mapped from their bounds to [-1, 1]; `check` rejects what is not finite."""
    low, high = np.array(given.action_low), np.array(given.action_high)
    with np.errstate(over="ignore"):  # bounds that are too narrow: rejected below
        scaled = ((actions.astype(np.float64) - low) / (high - low) * 2 - 1).astype(np.float32)
    if np.isfinite(actions).all() and (np.abs(scaled) > 1 + ACTION_TOLERANCE).any():
        least, most = (_numbers(bound) for bound in (actions.min(axis=0), actions.max(axis=0)))
        accepted = f"actions from {_numbers(low)} to {_numbers(high)} are accepted; --action-low and --action-high say "
        raise_input_error(
            name, f"has actions from {least} to {most}", accepted + "other bounds, which are to be the simulator's"
        )
    return scaled


def _numbers(values: np.ndarray) -> str:
    return " ".join(f"{value:g}" for value in values.tolist())


def _reward_range(returns: np.ndarray) -> tuple[float, float]:
    """The least and the greatest return; where they are one, 0 and that one, or 0 and 1."""
    low, high = float(returns.min()), float(returns.max())
    if high - low > 1e-6 * max(abs(low), abs(high)):
        return low, high
    low, high = sorted((0.0, high))
    return (low, high) if low < high else (0.0, 1.0)


def _check_range(reward_range: tuple[float, float], rewards: np.ndarray, length: int) -> None:
    """Raise `InputError` for a range of returns that is none, or in whose units rewards, (n,), leave float32."""
    low, high = reward_range
    option = f"--reward-range {list(reward_range)}"
    if not (low < high and high - low < math.inf):
        raise InputError(f"{option}: accepted are two numbers, the lower one first")
    largest = float(np.abs(rewards).max()) * length / (high - low)
    if largest and not 1 / LARGEST <= largest <= LARGEST:
        raise InputError(
            f"{option}: the data's largest reward, times the {length} steps of an episode, is {largest:.3g} of its "
            f"width: from {1 / LARGEST:g} to {LARGEST:g} is accepted"
        )


def _up(value: float) -> float:
    """The next number of two significant digits; rounding of float32 costs does not reach the one after it."""
    unit = 10.0 ** (math.floor(math.log10(value)) - 1)
    return float(f"{math.ceil(value / unit * (1 - COST_ROUNDING)) * unit:.6g}")
