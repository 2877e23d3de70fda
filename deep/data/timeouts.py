"""What follows the last step of a trajectory that timed out, where the data do not hold it.

A value is bootstrapped at that state, so it has to be the one that the simulator reached. Two kinds of data lack it:

- There are no next_observations. Inside a trajectory they are the observations one row later (`with_successors`).
- next_observations are there, and hold a stand-in after a timeout (`drop_unknown_successors`): the first observation of
  the next trajectory, zeros, one and the same vector, or the step's own observation again. A stand-in is taken for one
  where it appears, bit by bit, in at least half of the trajectories that timed out, and differs from what else could
  explain it: a state that does not move, or observations that recur inside trajectories too, as on finite tasks.

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
from deep.data.formats.table import KEYS

SHARE = 0.5
"""The share of the timed-out trajectories in which a stand-in has to appear."""
REPEATS = 0.01
"""A value is a stand-in only where fewer than this share of the other steps lead to such a value."""


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
    arrays["next_observations"] = np.where(ends[:, None], fields["observations"], later)
    unknown = ends & ~terminals
    if unknown.all():
        raise_input_error(name, "has neither next_observations nor two steps in a row", "one of the two is needed")
    arrays, shortened, _ = _without(arrays, unknown)
    note = "next_observations are missing: the row after each; "
    note += _left_out(fields["costs"], unknown, int(unknown.sum()), name)
    note += f"; {int(terminals.sum())} terminal steps repeat their observation"
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


def stand_ins(data: OfflineDataset) -> dict[str, Bool[np.ndarray, " n"]]:
    """The stand-ins found after timeouts, in words, and the rows that have them."""
    rows = np.flatnonzero(data.timeouts & ~data.terminals)
    if not rows.size:
        return {}
    here, following = data.observations[rows], data.next_observations[rows]
    moved = (following != here).any(axis=1)
    start = data.observations[np.minimum(rows + 1, len(data) - 1)]
    first = (following == start).all(axis=1) & moved & (rows + 1 < len(data))
    zero = (following == 0).all(axis=1) & moved
    same = (following == following[0]).all(axis=1) & moved
    inside = np.ones(len(data), dtype=bool)
    inside[data.ends] = False
    between = data.next_observations[inside]

    def rare(recurs: Bool[np.ndarray, " between"]) -> bool:
        return bool(recurs.mean() < REPEATS) if len(recurs) else True

    # All rows are compared only where a stand-in was found: it takes most of the time of reading a large file.
    still = (~moved).any() and len(between) > 0 and rare((between == data.observations[inside]).all(axis=1))
    first &= first.any() and rare(_among(between, data.observations[data.starts]))
    zero &= zero.any() and rare((between == 0).all(axis=1))
    same &= same.any() and rare((between == following[0]).all(axis=1))
    # With one number for an observation, or one trajectory, equality can be chance.
    few = 1 if data.observations.shape[1] > 1 else 2
    candidates = {
        "the first observation of the next trajectory": (first, few, rows.size - int(rows[-1] + 1 == len(data))),
        "zeros": (zero, few, rows.size),
        "one and the same vector": (same & ~zero & (here != here[0]).any(), max(few, 3), rows.size),
        "the step's own observation": (~moved & still, max(few, 2), rows.size),
    }
    return {
        kind: np.isin(np.arange(len(data)), rows[where])
        for kind, (where, least, of) in candidates.items()
        if where.sum() >= max(least, SHARE * of)
    }


def _among(rows: np.ndarray, values: np.ndarray) -> Bool[np.ndarray, " rows"]:
    """Which rows are, bit by bit, one of these values."""
    rows, values = (np.ascontiguousarray(x) + 0.0 for x in (rows, values))  # -0 is 0
    kind = np.dtype((np.void, rows.dtype.itemsize * rows.shape[1]))
    return np.isin(rows.view(kind).ravel(), values.view(kind).ravel())


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
    lost = costs[unknown].sum(dtype=np.float64)
    if not lost > 0:
        return note
    if not costs[~unknown].any():
        raise_input_error(
            name,
            "has costs only in the last steps of trajectories, after which the next observation is unknown",
            "a file with the next_observations that the simulator reached is accepted",
        )
    return (
        f"{note} with costs of {lost:g}, up to {costs[unknown].max():g} in one, which no episode's cost here includes"
    )
