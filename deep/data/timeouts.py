"""What follows the last step of a trajectory that timed out, where the data do not hold it.

A value is bootstrapped at that state, so it has to be the one that the simulator reached. Two kinds of data lack it:

- There are no next_observations. Inside a trajectory they are the observations one row later (`with_successors`).
- next_observations are there, and hold a stand-in after a timeout (`drop_unknown_successors`), such as zeros or the
  first observation of another trajectory. `deep.data.stand_ins` says what is taken for one.

Rule: the last step of these trajectories is left out, with its reward and cost, and the step before becomes the last.
Where only such steps have costs, the data are rejected. Every other step keeps what it has.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Bool

from deep.data.dataset import OfflineDataset
from deep.data.formats.errors import raise_input_error
from deep.data.formats.going_on import of_single_steps
from deep.data.formats.table import KEYS, ROWS
from deep.data.stand_ins import stand_ins

COSTS_LEFT_OUT = "which no episode's cost here includes"
"""The words of a remark about costs that were left out."""


def with_successors(fields: dict[str, Any], name: str) -> dict[str, Any]:
    """A file's fields with the next_observations that it lacks: the observations one row later.

    Where a trajectory timed out, its last step is left out, see above. Where it terminated, the last step stays, for
    its reward and cost, and its own observation stands for the next one, which no value depends on.
    """
    arrays = {key: fields[key] for key in KEYS if key in fields}
    if len({len(values) for values in arrays.values()}) > 1:
        raise_input_error(name, "has arrays of different lengths", "one row for each transition is accepted in all")
    terminals, ends = fields["terminals"], fields["terminals"] | fields["timeouts"]
    later = np.roll(fields["observations"], -1, axis=0)
    follows = np.where(ends[:, None], fields["observations"], later)
    unknown = ends & ~terminals
    if unknown.all():
        raise_input_error(name, "has neither next_observations nor two steps in a row", "one of the two is needed")
    note = "next_observations are missing: the row after each"
    found = without_last_steps(fields | {"next_observations": follows}, unknown, note, name)
    *before, note = found["remarks"]
    note += f"; {int(terminals.sum())} terminal steps repeat their observation"
    lengths = np.diff(np.flatnonzero(ends), prepend=-1)  # some of a single step are left out
    return found | {"remarks": (*before, note, *of_single_steps(lengths))}


def without_last_steps(fields: dict[str, Any], unknown: Bool[np.ndarray, " n"], note: str, name: str) -> dict[str, Any]:
    """A file's fields, next_observations among them, without these last steps of trajectories that timed out; `note`
    says why, and begins the remark on them. Raises `InputError` where no step or no cost is left."""
    if unknown.all():
        raise_input_error(name, "has a single step in each episode, and no observation after it", "one is needed")
    arrays = {key: fields[key] for key in KEYS}
    arrays[ROWS] = fields.get(ROWS, np.arange(len(unknown)))
    arrays, shortened, _ = _without(arrays, unknown)
    if unknown.any():
        note = f"{note}; {_left_out(fields['costs'], unknown, int(unknown.sum()), name)}"
    return fields | arrays | {"policies": None, "shortened": shortened, "remarks": (*fields.get("remarks", ()), note)}


def drop_unknown_successors(data: OfflineDataset, name: str) -> OfflineDataset:
    """Checked data without the steps after which a stand-in takes the place of the next observation."""
    unknown, kinds = np.zeros(len(data), dtype=bool), []
    for kind, rows in stand_ins(data).items():
        kinds.append(kind)
        unknown |= rows
    if not kinds:
        return data
    timed_out, affected = int((data.timeouts & ~data.terminals).sum()), int(unknown.sum())
    found = f"next_observations hold {' or '.join(kinds)} after {affected} of {timed_out} timeouts"
    if unknown.all():
        raise_input_error(name, f"has {found}", "what the simulator reached is accepted")
    arrays, shortened, whole = _without({key: getattr(data, key) for key in KEYS}, unknown)
    note = f"{found}; {_left_out(data.costs, unknown, affected, name)}"
    policies = None if data.policies is None else np.asarray(data.policies)[whole]
    return replace(data, **arrays, policies=policies, shortened=shortened, remarks=(*data.remarks, note))


def _without(
    arrays: Mapping[str, np.ndarray], unknown: Bool[np.ndarray, " n"]
) -> tuple[dict[str, np.ndarray], Bool[np.ndarray, " kept"], Bool[np.ndarray, " trajectories"]]:
    """The arrays without these last steps; which of the trajectories left are shorter by one; which were left."""
    ends = arrays["terminals"] | arrays["timeouts"]
    last = np.append(unknown[1:], False) & ~ends  # the step before one that is left out
    kept = {key: values[~unknown] for key, values in arrays.items()}
    kept["timeouts"] = (arrays["timeouts"] | last)[~unknown]
    number = np.cumsum(ends) - ends
    whole = np.isin(np.arange(int(ends.sum())), number[~unknown])
    return kept, last[~unknown][kept["terminals"] | kept["timeouts"]], whole


def _left_out(costs: np.ndarray, unknown: Bool[np.ndarray, " n"], trajectories: int, name: str) -> str:
    """What is left out, in words; raises `InputError` where all costs are."""
    note = f"the last steps of {trajectories} trajectories that timed out are left out"
    if trajectories == 1:
        note = "the last step of 1 trajectory that timed out is left out"
    lost = costs[unknown].sum(dtype=np.float64)
    if not lost > 0:
        return note
    if not costs[~unknown].any():
        raise_input_error(
            name,
            "has costs only in the last steps of trajectories, after which the next observation is unknown",
            "a file with the next_observations that the simulator reached is accepted",
        )
    return f"{note} with costs of {lost:g}, up to {costs[unknown].max():g} in one, {COSTS_LEFT_OUT}"
