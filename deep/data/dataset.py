"""Offline data sets: the arrays, and the check that every data set passes, whatever its format.

Nothing is filtered: the density cut, outliers, noise and gaps of DSRL's `pre_process_data` are options of its training
scripts and not part of its data.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64, Int

from deep.data.formats.continuity import differs
from deep.data.formats.errors import AT_MOST, LARGEST, raise_input_error, raise_on_rows, raise_without_ends
from deep.data.formats.table import FLAGS, KEYS
from deep.tasks import Task

ACTION_TOLERANCE = 1e-5  # rounding of a clipped action


@dataclass(frozen=True, eq=False)
class OfflineDataset:
    """Transitions of many trajectories, one after another; the last row of each is a terminal or a timeout.

    The arrays are float32 and bool, as `deep.data.load` ensures; `save` and `save_packed` there reject all other shapes
    than these, for n transitions in T trajectories.

    Attributes:
        task: the task's short name.
        observations: o_t of each transition, (n, o).
        next_observations: o_{t+1}, also after the last step of a trajectory, (n, o).
        actions: a_t inside [-1, 1], (n, a).
        rewards: r_t, (n,).
        costs: c_t >= 0, (n,).
        terminals: the episode ended because of the state reached, (n,).
        timeouts: the episode timed out, (n,).
        policies: the behaviour policy's number for each trajectory, (T,), or None if unknown, as in DSRL's files.
        clipped: the number of transitions whose recorded action lay outside [-1, 1] and was clipped by `load`.
        provenance: how the file was made (command, seed, versions): texts and numbers; they decide nothing.
        remarks: what `load` left out or assumed, a sentence each.
        shortened: the trajectories whose last recorded step was left out because its next observation is unknown, (T,).
        recorded_length: the steps of the longest trajectory before any were left out, where `deep.convert` or
            `deep.save_episodes` says so in its file.
        source: "dsrl", "embedded" or "file"; "memory" for data that were not read from a file.
        path: the file read.
        sha256: that file's hash, hexadecimal.
    """

    task: str
    observations: np.ndarray
    next_observations: np.ndarray
    actions: np.ndarray
    rewards: np.ndarray
    costs: np.ndarray
    terminals: np.ndarray
    timeouts: np.ndarray
    policies: np.ndarray | None = None
    clipped: int = 0
    provenance: Mapping[str, Any] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()
    shortened: np.ndarray | None = None
    recorded_length: int | None = None
    source: str = "memory"
    path: Path | None = None
    sha256: str | None = None

    def __len__(self) -> int:
        return len(self.rewards)

    @cached_property
    def ends(self) -> Int[np.ndarray, " trajectory"]:
        """The last row of each trajectory."""
        return np.flatnonzero(self.terminals | self.timeouts)

    @cached_property
    def starts(self) -> Int[np.ndarray, " trajectory"]:
        """The first row of each trajectory."""
        return np.concatenate([[0], self.ends[:-1] + 1])

    @cached_property
    def lengths(self) -> Int[np.ndarray, " trajectory"]:
        """The number of steps of each trajectory."""
        return self.ends - self.starts + 1

    @cached_property
    def trajectory_returns(self) -> Float64[np.ndarray, " trajectory"]:
        """The undiscounted return of each trajectory."""
        return np.add.reduceat(self.rewards, self.starts, dtype=np.float64) + 0.0  # -0.0 would be printed as -0

    @cached_property
    def trajectory_costs(self) -> Float64[np.ndarray, " trajectory"]:
        """The undiscounted cost of each trajectory; `deep.tasks.within_limit` compares it with a cost limit."""
        return np.add.reduceat(self.costs, self.starts, dtype=np.float64) + 0.0  # as above


def check(dataset: OfflineDataset, task: Task, name: str, rows_in_file: np.ndarray | None = None) -> None:
    """Raise `InputError` for values that no recording of the task can have; the sentence calls the data `name`, and the
    rows by their numbers in the file, if some were left out."""
    if not dataset.rewards.size:
        raise_input_error(name, "has no transitions", "at least one is needed")
    rows = dataset.rewards.shape[:1]
    vectors = {"observations": task.observation_size, "next_observations": task.observation_size}
    vectors["actions"] = task.action_size
    for key in KEYS:
        found, accepted = getattr(dataset, key).shape, (*rows, vectors[key]) if key in vectors else rows
        if found != accepted:
            raise_input_error(name, f"has {key} of shape {found}", f"{accepted} is accepted for {task.name}")
    for key in KEYS:
        if key not in FLAGS:
            values = getattr(dataset, key)
            raise_on_rows(~np.isfinite(values), values, key, name, "finite numbers are accepted", rows_in_file)
            raise_on_rows(np.abs(values) > LARGEST, values, key, name, AT_MOST, rows_in_file)
    raise_on_rows(dataset.costs < 0, dataset.costs, "costs", name, "costs of at least 0 are accepted", rows_in_file)
    outside = np.abs(dataset.actions) > 1 + ACTION_TOLERANCE
    raise_on_rows(outside, dataset.actions, "actions", name, "actions inside [-1, 1] are accepted", rows_in_file)

    done = dataset.terminals | dataset.timeouts
    if not done.any():
        raise_without_ends(name)
    if not done[-1]:
        rest = len(done) - 1 - int(np.flatnonzero(done)[-1])
        accepted = (
            f"the last row must be a terminal or a timeout; --last-trajectory drop leaves out the last {rest} rows"
        )
        raise_input_error(name, "stops in the middle of a trajectory", accepted)
    if (longest := dataset.lengths.max()) > task.episode_length:
        start = dataset.starts[dataset.lengths.argmax()]
        row = start if rows_in_file is None else rows_in_file[start]
        found, accepted = f"has a trajectory of {longest} steps from row {row} on", f"at most {task.episode_length} are"
        raise_input_error(name, found, f"{accepted} accepted")
    follows = dataset.next_observations[:-1]
    gap = differs(follows, dataset.observations[1:]) & ~done[:-1, None]
    accepted = "inside a trajectory the observations one row later are accepted"
    if gap.any(axis=1).sum() <= done.sum():
        accepted += "; --last-trajectory drop leaves out trajectories that break off"
    raise_on_rows(gap, follows, "next_observations", name, accepted, rows_in_file)
    if (policies := dataset.policies) is not None:
        policies = np.asarray(policies)
        if policies.shape != dataset.ends.shape or policies.dtype.kind not in "iu":
            found = f"has policies of shape {policies.shape} and type {policies.dtype}"
            raise_input_error(
                name, found, f"one whole number for each of the {len(dataset.ends)} trajectories is accepted"
            )
