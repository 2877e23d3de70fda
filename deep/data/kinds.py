"""Kinds of data: sets of trajectories drawn from a pool, so that methods can be compared.

A kind is stated in the plane of episode cost and episode return. With the cost limits l_1 < ... < l_m of a task, a
trajectory is *safe* where its cost satisfies l_m; its own limit l is the least one that it satisfies, l_m for an unsafe
one. With the pool's lowest return R_min and its best return R*_l within l,

    level_l(x) = R_min + x (R*_l - R_min),      good: return >= level_l(good),      poor: return < level_l(poor).

    full           the pool
    tempting       unsafe and good ones; a tenth is safe and not good
    conservative   safe and poor ones; a tenth is unsafe and good
    hybrid         half safe and poor, half unsafe and good, nothing between
    stitching      half safe and not good, half unsafe and good with a good safe part; none is both safe and good
    few            50 trajectories of the pool

A *good safe part* of a trajectory is a window of w steps in which the cost per step is at most l_1 / T and the reward
per step at least level_{l_1}(good) / T, for episodes of T steps: whoever goes on like it is safe and good. The first
four names are those of Yao et al. 2024 (OASIS, arXiv:2407.14653); the numbers are ours.

Data drawn from a pool of this project are not DSRL's own.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any, Literal, NamedTuple

import numpy as np
from jaxtyping import Bool, Float64, Int

from deep.data.dataset import OfflineDataset
from deep.data.formats.table import KEYS
from deep.tasks import Task, within_limit
from theory.support.errors import InputError

Kind = Literal["full", "tempting", "conservative", "hybrid", "stitching", "few"]

FEW = 50
"""Trajectories of the kind `few`."""
CELLS = 5
"""Return intervals in which a part of a kind is covered evenly."""
LEAST = 5
"""Trajectories that each part of a kind needs; fewer say nothing about the kind."""


@dataclass(frozen=True)
class Subset:
    """What of a pool belongs to a kind of data."""

    limits: tuple[float, ...] = ()
    """Episode cost limits that safe and unsafe refer to; by default those at which DSRL reports the task."""
    trajectories: int = 0
    """Trajectories drawn; 0: as many as the pool has in the kind's shares."""
    good: float = 0.8
    """Share of the way from the pool's lowest return to its best one within the limit, from which on one is good."""
    poor: float = 0.7
    """The same share, below which a return is poor."""
    minority: float = 0.1
    """tempting: share of safe trajectories; conservative: share of unsafe ones."""
    window: float = 0.1
    """Length of a good safe part, as a share of the longest episode."""

    def check(self) -> None:
        """Raise `InputError` for values that are not accepted."""
        if any(not 0 <= limit < np.inf for limit in self.limits):
            raise InputError(f"--subset.limits {list(self.limits)}: finite numbers of at least 0 are accepted")
        if self.trajectories < 0:
            raise InputError(f"--subset.trajectories {self.trajectories}: at least 0 is accepted")
        if not 0 < self.poor <= self.good <= 1:
            raise InputError(
                f"--subset.poor {self.poor:g} and --subset.good {self.good:g}: 0 < poor <= good <= 1 is accepted"
            )
        for name in ("minority", "window"):
            if not 0 < (share := getattr(self, name)) < 1:
                raise InputError(f"--subset.{name} {share:g}: a number between 0 and 1 is accepted")

    def limits_of(self, task: Task) -> tuple[float, ...]:
        """The limits in ascending order."""
        return tuple(sorted(set(self.limits or task.cost_limits)))


@dataclass(frozen=True, eq=False)
class Plane:
    """The pool's trajectories in the plane of cost and return, with the cost limits in ascending order."""

    returns: Float64[np.ndarray, " trajectory"]
    costs: Float64[np.ndarray, " trajectory"]
    limits: tuple[float, ...]

    @cached_property
    def within(self) -> Bool[np.ndarray, "limit trajectory"]:
        """Whether each trajectory satisfies each limit."""
        return np.stack([within_limit(self.costs, limit) for limit in self.limits])

    @cached_property
    def band(self) -> Int[np.ndarray, " trajectory"]:
        """The number of limits that each trajectory violates: 0 satisfies all, len(limits) is unsafe."""
        return (~self.within).sum(axis=0)

    @cached_property
    def safe(self) -> Bool[np.ndarray, " trajectory"]:
        return self.band < len(self.limits)

    @cached_property
    def best(self) -> Float64[np.ndarray, " limit"]:
        """R*_l, the best return within each limit; -inf where there is none."""
        return np.where(self.within, self.returns, -np.inf).max(axis=1)

    def levels(self, share: float) -> Float64[np.ndarray, " limit"]:
        """level_l(share) of every limit."""
        lowest = self.returns.min()
        return lowest + share * (self.best - lowest)

    def reaches(self, share: float) -> Bool[np.ndarray, " trajectory"]:
        """Whether each return reaches the level of the trajectory's own limit."""
        return self.returns >= self.levels(share)[np.minimum(self.band, len(self.limits) - 1)]


class Group(NamedTuple):
    """A part of a kind: which trajectories may be drawn for it, its share of the set, and what to call it."""

    members: Bool[np.ndarray, " trajectory"]
    share: float
    title: str


def groups(
    kind: Kind, plane: Plane, part_shares: Float64[np.ndarray, " trajectory"], subset: Subset
) -> tuple[Group, ...]:
    """The parts of a kind; `part_shares` is what `good_safe_parts` returns."""
    good = plane.reaches(subset.good)
    tempting = Group(~plane.safe & good, 1.0, "unsafe and good")
    moderate = Group(plane.safe & ~good, 1.0, "safe and not good")
    poor = Group(plane.safe & ~plane.reaches(subset.poor), 1.0, "safe and poor")
    stitched = Group(tempting.members & (part_shares > 0), 1.0, "unsafe and good with a good safe part")
    few, half = subset.minority, 0.5
    parts: dict[Kind, tuple[tuple[Group, float], ...]] = {
        "tempting": ((tempting, 1 - few), (moderate, few)),
        "conservative": ((poor, 1 - few), (tempting, few)),
        "hybrid": ((poor, half), (tempting, half)),
        "stitching": ((moderate, half), (stitched, half)),
    }
    everything = Group(np.ones(len(plane.returns), dtype=bool), 1.0, "trajectories")
    return tuple(group._replace(share=share) for group, share in parts.get(kind, ((everything, 1.0),)))


def choose(
    kind: Kind,
    plane: Plane,
    part_shares: Float64[np.ndarray, " trajectory"],
    subset: Subset,
    rng: np.random.Generator,
    name: str,
) -> Int[np.ndarray, " chosen"]:
    """The trajectories of a set of this kind, as ascending indices; an error calls the pool `name`.

    Within a part of the kind, `_round_robin` visits the cells in turn, so that each limit has some, and of a few safe
    trajectories not all are short ones.

    Raises `InputError` where the pool cannot give the kind, or not so many trajectories of it.
    """
    shown = ", ".join(f"{limit:g}" for limit in plane.limits)
    if not plane.within[0].any():
        raise InputError(
            f"{name} has no trajectory within the cost limit {plane.limits[0]:g} (the least cost is "
            f"{plane.costs.min():g}): a pool with one is accepted, or other limits with --subset.limits"
        )
    parts = groups(kind, plane, part_shares, subset)
    for part in parts:
        if (found := int(part.members.sum())) < LEAST:
            raise InputError(
                f"{name} cannot give {kind} data at the cost limits {shown}: {found} of its {len(plane.returns)} "
                f"trajectories are {part.title}, at least {LEAST} are needed; another pool or other --subset options "
                "are accepted"
            )
    most = min(int(part.members.sum() / part.share) for part in parts)
    if kind == "few":
        most = min(most, FEW)
    size = subset.trajectories or most
    if size > most:
        raise InputError(
            f"{name} can give {most} trajectories of {kind} data: --subset.trajectories {size} is too many"
        )
    counts = [max(1, round(part.share * size)) for part in parts[1:]]
    counts.insert(0, size - sum(counts))
    if len(parts) == 1:
        found = np.sort(rng.permutation(len(plane.returns))[:size])
    else:
        drawn = [_round_robin(part.members, plane, rng)[:count] for part, count in zip(parts, counts, strict=True)]
        found = np.sort(np.concatenate(drawn))
    if not plane.within[0, found].any():
        raise InputError(
            f"no trajectory of the {size} drawn satisfies the cost limit {plane.limits[0]:g}: another --seed, more "
            "--subset.trajectories or other --subset.limits are accepted"
        )
    return found


def _round_robin(
    members: Bool[np.ndarray, " trajectory"], plane: Plane, rng: np.random.Generator
) -> Int[np.ndarray, " member"]:
    """The members in random order, one of each cell in turn: cells of limits satisfied, then of fifths of the returns,
    those within the least limit and of high returns first."""
    shuffled = rng.permutation(np.flatnonzero(members))
    losses = -plane.returns[shuffled]
    edges = np.linspace(losses.min(), losses.max(), CELLS + 1)[1:-1]
    cells = plane.band[shuffled] * CELLS + np.digitize(losses, edges)
    turn = np.zeros(len(shuffled), dtype=int)
    for cell in np.unique(cells):
        turn[cells == cell] = np.arange((cells == cell).sum())
    return shuffled[np.lexsort((cells, turn))]


def good_safe_parts(data: OfflineDataset, plane: Plane, length: int, subset: Subset) -> Float64[np.ndarray, " _"]:
    """The share of each trajectory's windows that are good safe parts; 0 for one shorter than a window.

    `length` is T, the steps of the longest episode. Rewards and costs are summed undiscounted.
    """
    steps = max(1, round(subset.window * length))
    least_reward = plane.levels(subset.good)[0] * steps / length
    largest_cost = plane.limits[0] * steps / length

    def sums(values: np.ndarray) -> np.ndarray:
        total = np.concatenate([[0.0], np.cumsum(values, dtype=np.float64)])
        return total[steps:] - total[:-steps]

    rewards, costs = sums(data.rewards), sums(data.costs)
    parts = (rewards >= least_reward) & within_limit(costs, largest_cost)
    counts = np.maximum(data.lengths - steps + 1, 0)
    found = [
        parts[start : start + count].mean() if count else 0.0 for start, count in zip(data.starts, counts, strict=True)
    ]
    return np.array(found)


def take(data: OfflineDataset, chosen: Int[np.ndarray, " chosen"]) -> OfflineDataset:
    """The data set of these trajectories alone, in the order of the data."""
    rows = np.isin(np.repeat(np.arange(len(data.ends)), data.lengths), chosen)
    arrays: dict[str, Any] = {key: getattr(data, key)[rows] for key in KEYS}
    policies = None if data.policies is None else np.asarray(data.policies)[chosen]
    shortened = None if data.shortened is None else data.shortened[chosen]
    return replace(data, **arrays, policies=policies, shortened=shortened)


def draw(pool: OfflineDataset, task: Task, kind: Kind, subset: Subset, rng: np.random.Generator) -> OfflineDataset:
    """A set of this kind from a pool of the task.

    `provenance` gets `kind`, `kind_settings`, `kind_numbers` (`describe`, as JSON), the pool's file and hash as `pool`
    and `pool_sha256`, and the command, seed and settings of the pool with the prefix `pool_`.

    Raises `InputError` where the pool cannot give the kind (`choose`), or is itself such a set.
    """
    name = str(pool.path or f"the pool of {task.name}")
    if "kind_numbers" in pool.provenance:
        raise InputError(f"{name} holds {pool.provenance['kind']} data, drawn from a pool: the pool itself is accepted")
    subset.check()
    limits = subset.limits_of(task)
    plane = Plane(pool.trajectory_returns, pool.trajectory_costs, limits)
    shares = good_safe_parts(pool, plane, task.episode_length, subset)
    chosen = choose(kind, plane, shares, subset, rng, name)
    drawn = take(pool, chosen)
    own = {"command", "seed", "settings"}
    about = {f"pool_{key}" if key in own else key: value for key, value in pool.provenance.items()}
    about |= {
        "kind": kind,
        "kind_settings": json.dumps(asdict(replace(subset, limits=limits))),
        "kind_numbers": json.dumps(describe(drawn, plane, shares[chosen], task)),
    }
    if pool.path is not None:
        about |= {"pool": pool.path.name, "pool_sha256": pool.sha256}
    return replace(drawn, provenance=about)


def describe(
    data: OfflineDataset, pool: Plane, part_shares: Sequence[float] | np.ndarray, task: Task
) -> dict[str, Any]:
    """The numbers that document a set drawn from a pool.

    trajectories, transitions; safe_share: the share that satisfies the largest limit; good_safe_parts: the mean share
    of windows of unsafe trajectories that are good safe parts. For every limit: the trajectories within it and their
    share; the mean return within it, which BC-Safe clones; the best return within it, of the set and of the pool. The
    three `R_` are their scores (r - r_min) / (r_max - r_min). best_to_pool: what the pool's best within the limit has
    more than the set's, in R; safe_to_best: what the set's best has more than the mean within the limit, in R.
    """
    plane = Plane(data.trajectory_returns, data.trajectory_costs, pool.limits)
    unsafe = np.asarray(part_shares)[~plane.safe]
    limits = []
    for limit, within, best in zip(pool.limits, plane.within, pool.best, strict=True):
        own = plane.returns[within]
        returns = {"mean": own.mean(), "best": own.max(), "pool_best": best} if own.size else {"pool_best": best}
        scored = task.normalised_reward(list(returns.values())).tolist()
        scores = {f"R_{key}": score for key, score in zip(returns, scored, strict=True)}
        row = {"limit": limit, "within": int(within.sum()), "share": float(within.mean())}
        row |= {f"return_{key}": float(value) for key, value in returns.items()} | scores
        if own.size:
            row["best_to_pool"] = scores["R_pool_best"] - scores["R_best"]
            row["safe_to_best"] = scores["R_best"] - scores["R_mean"]
        limits.append({key: round(value, 4) for key, value in row.items()})
    return {
        "trajectories": len(data.ends),
        "transitions": len(data),
        "safe_share": round(float(plane.safe.mean()), 4),
        "good_safe_parts": round(float(unsafe.mean()), 4) if unsafe.size else 0.0,
        "limits": limits,
    }
