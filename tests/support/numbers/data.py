"""Recorded numbers of deep/data: normalisers, sums to go, selections, windows, kinds of data, custom tasks."""

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch

from deep.core.randomness import generator
from deep.data import sequences, timeouts
from deep.data.custom import CustomData, cost_limits, load_custom, recorded_lengths
from deep.data.dataset import OfflineDataset
from deep.data.kinds import Kind, Plane, Subset, choose, describe, draw, good_safe_parts, groups, take
from deep.data.replay import Replay, RowTable, discounted_to_go, moments
from deep.data.selection import Selection, trajectory_stats
from deep.data.tails import blank_runs
from tests.support import custom_lab
from tests.support.builders import two_gaits
from tests.support.numbers.summary import Case
from tests.support.numbers.varied import TASK, data, problem

CPU = torch.device("cpu")
UNIFORM = torch.from_numpy(np.random.default_rng(1).random((2, 9)))


def arrays(found: OfflineDataset) -> dict[str, Any]:
    names = ("observations", "next_observations", "actions", "rewards", "costs", "terminals", "timeouts", "shortened")
    return {name: getattr(found, name) for name in names if getattr(found, name) is not None}


def replay() -> dict[str, Any]:
    """All columns, normalised and not; draws of rows; batches."""
    found: dict[str, Any] = {}
    for name, normalised in (("normalised", True), ("raw", False)):
        own = Replay(data(), 0.9, 1.7, CPU, normalised)
        columns = ("mean", "std", "observations", "next_observations", "actions", "rewards", "costs", "not_terminal")
        columns += ("reward_to_go", "cost_to_go", "episode_cost", "starts")
        found[name] = {column: getattr(own, column) for column in columns}
        rows = own.rows(UNIFORM)
        found[f"{name}, batch"] = [rows, own.batch(rows)]
    table = RowTable.of([np.array([3, 9, 11]), np.array([40, 41, 80, 7, 100])], CPU)
    found["allowed"] = [table, problem().replay.rows(UNIFORM, table)]
    for gamma in (0.5, 0.97):
        found[f"to go {gamma}"] = [discounted_to_go(data(), x, gamma) for x in (data().rewards, data().costs)]
    columns = np.random.default_rng(0).normal(size=(30, 3)).astype(np.float32)
    columns[:, 1] = 0.3
    columns[:, 2] = 5 + 1e-7 * columns[:, 2]
    found["moments"] = moments(columns)
    found["dataset"] = [data().ends, data().starts, data().lengths, data().trajectory_returns, data().trajectory_costs]
    return found


def selections() -> dict[str, Any]:
    """The trajectories that a policy is cloned from, and their statistics."""
    found: dict[str, Any] = {}
    options = {
        "all": Selection(), "safe": Selection("safe"), "best": Selection("best", 4, 0.3), "few": Selection("best", 2),
    }  # fmt: skip
    for name, selection in options.items():
        chosen = selection.per_replica(data(), problem().replica_limits)
        stats = trajectory_stats(data(), problem().replay, chosen, 3)
        found[name] = {"chosen": chosen, "stats": stats, "rows": selection.rows(data(), problem().replica_limits, CPU)}
    found["gaits"] = Selection("best", 3).choose(two_gaits(), 1.0)
    return found


def windows() -> dict[str, Any]:
    """Windows, their starts, sums to go, and the staircase of best trajectories."""
    own = sequences.Sequences(data(), problem().replay)
    numbers = torch.tensor([[0, 1, 3, 8, 9, 4, 2, 6, 5], [9, 8, 7, 6, 5, 4, 3, 2, 1]])
    found: dict[str, Any] = {
        "rows": {name: getattr(own, name) for name in ("starts", "lengths", "trajectory", "time", "last")}
    }
    found["to go"] = [own.return_to_go, own.cost_to_go]
    for margin in (1, 2, 6):
        first = own.starts_within(numbers, UNIFORM, margin)
        found[f"margin {margin}"] = [first, own.windows(first, margin + 2)]
    found["discounted"] = [
        sequences.sums_to_go(data(), x, g) for x in (data().rewards, data().costs) for g in (0.8, 1.0)
    ]
    staircase = sequences.Frontier.of(data().trajectory_costs, data().trajectory_returns)
    budgets = np.array([0.0, *data().trajectory_costs, 2.2, 7.7, 1e9])
    return found | {"staircase": [staircase, staircase.steps_for(budgets)]}


def pool() -> OfflineDataset:
    """Short trajectories of different costs and returns."""
    rng = np.random.default_rng(2)
    lengths = rng.integers(6, 13, 160)
    rows = lengths.sum()
    ends = np.zeros(rows, dtype=bool)
    ends[np.cumsum(lengths) - 1] = True
    vigour = np.repeat(rng.uniform(0, 1, 160), lengths)
    states = rng.normal(size=(rows + 1, 11)).astype(np.float32)
    costs = (rng.random(rows) < 0.9 * vigour).astype(np.float32)
    rewards = (vigour + 0.5 * rng.normal(size=rows)).astype(np.float32)
    actions = rng.uniform(-1, 1, (rows, 3)).astype(np.float32)
    none = np.zeros(rows, dtype=bool)
    return OfflineDataset("HopperVel", states[:-1], states[1:], actions, rewards, costs, none, ends)


def kinds() -> dict[str, Any]:
    """The plane of costs and returns, the parts of every kind, what is drawn, and the numbers that document it."""
    found: dict[str, Any] = {}
    task = replace(TASK, episode_length=12, cost_limits=(3.0, 6.0))
    own = pool()
    subset = Subset(window=0.2, good=0.5, poor=0.5)
    plane = Plane(own.trajectory_returns, own.trajectory_costs, subset.limits_of(task))
    shares = good_safe_parts(own, plane, 12, subset)
    found["plane"] = [plane.within, plane.band, plane.safe, plane.best, plane.levels(0.3), plane.reaches(0.7)]
    found["parts"] = [shares, good_safe_parts(own, plane, 12, Subset(window=0.5, good=0.3))]
    for kind in get_args(Kind):
        found[f"groups, {kind}"] = groups(kind, plane, shares, subset)
        chosen = choose(kind, plane, shares, subset, generator(3, "kind", kind), "pool")
        found[kind] = {"chosen": chosen, "numbers": describe(take(own, chosen), plane, shares[chosen], task)}
    drawn = draw(own, task, "hybrid", replace(subset, trajectories=12), generator(5, "draw"))
    return found | {"drawn": arrays(drawn)}


def completed() -> dict[str, Any]:
    """Data whose last next observations are missing or stand-ins; tails of zeros."""
    own = data()
    columns = {
        name: getattr(own, name) for name in ("observations", "actions", "rewards", "costs", "terminals", "timeouts")
    }
    later = timeouts.with_successors(dict(columns), "x")
    found: dict[str, Any] = {"successors": {k: x for k, x in later.items() if k != "policies"}}
    ends = np.flatnonzero(own.timeouts)
    for name, values in (
        ("first", own.observations[(ends + 1) % len(own)]),
        ("zeros", 0.0),
        ("own", own.observations[ends]),
    ):
        following = own.next_observations.copy()
        following[ends] = values
        made = replace(own, next_observations=following)
        found[name] = arrays(timeouts.drop_unknown_successors(made, "x"))
        found[f"{name}, rows"] = timeouts.stand_ins(made)
    costs = own.costs.copy()
    costs[own.starts[4] :] = 0
    return found | {"tails": [" ".join(blank_runs(x)) for x in (own, replace(own, costs=costs))]}


def custom() -> dict[str, Any]:
    """What is inferred from a user's own recording."""
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        path = custom_lab.record(Path(folder) / "cart.hdf5", 5)
        for name, given in {
            "inferred": CustomData(action_low=(-2.0,), action_high=(2.5,)),
            "given": CustomData(episode_length=40, reward_range=(-20.0, 3.0), action_low=(-3.0,), action_high=(2.0,)),
        }.items():
            task, made, kept = load_custom(path, given)
            about = ("observation_size", "action_size", "episode_length", "reward_range", "max_cost", "cost_limits")
            found[name] = {
                "task": {key: getattr(task, key) for key in about},
                "actions": [made.actions, task.in_own_units(made.actions)],
                "lengths": recorded_lengths(made),
                "kept": [kept.episode_length, *(kept.reward_range or ())],
            }
    rng = np.random.default_rng(0)
    found["limits"] = [cost_limits(rng.gamma(2, scale, 30).round(3)) for scale in (0.01, 3.0, 400.0)]
    found["none"] = cost_limits(np.zeros(4))
    return found


CASES: dict[str, Case] = {
    "replay": Case(replay, 1e-6, 1e-7),
    "selections": Case(selections, 1e-6),
    "windows": Case(windows, 1e-6),
    "kinds": Case(kinds, 1e-6),
    "completed": Case(completed, 1e-6),
    "custom": Case(custom, 1e-6),
}
"""Columns are made from float32."""
