"""Data that look as if they were not what they are taken for: unwritten parts, costs that are sums, marks of the ends
that are none.

Unwritten parts: HDF5 reads what a writer has not filled as zeros, or as another fill value. Chunks that were never
written are rejected (`deep.data.formats.hdf5`). The rest of a chunk, or of an array stored in one piece, leaves no
trace but that value. Only its place can show it: of T trajectories m have something else than this value; in a random
order the last k of them have nothing else with probability C(T - k, m) / C(T, m), and any k in a row with at most
T - k + 1 times this one. The value is that of the last row, of the first one, or 0. Before the end of a file such runs
are common, as where a beginner never comes to where it costs. They count where the nearest transitions of other
trajectories have something else at least half as often as all of theirs.

Sums: costs that begin low in every trajectory, never decrease within one, and grow to many times the largest change
from one step to the next are likely the costs so far in place of those of the steps. The same backwards are likely the
costs from a step on. Costs that never decrease from one trajectory to the next either are likely sums over the whole
file. Costs that stay the same in every trajectory, and differ between them, are likely its whole cost.

Marks: where most trajectories have a single step, the flags are likely those of the steps that are no end. Where the
next observation of a terminal step is that of the next row, the episode may go on. But a simulator that resets itself
reports the next episode's first observation in the same place. So those terminals count after which the observation
changes no more than it does within trajectories, in 19 of 20 steps, where so many are no chance: of two rows drawn from
the file, a share is as near to each other.
"""

from math import lgamma

import numpy as np
from jaxtyping import Bool, Float64
from scipy.special import bdtrc

from deep.data.dataset import OfflineDataset
from deep.data.formats.going_on import OTHER_MARKS, SINGLE, SPLIT, of_single_steps
from deep.data.missing_values import missing_values

CHANCE = 1e-4
"""Terminals after which the episode seems to go on are reported where so many are less probable by chance."""
CHANCE_OF_RUN = 1e-3
"""A run of one value that is less probable is reported. Trajectories sorted by their cost have one as well."""
LEAST_RATIO = 3.0
"""Costs that grow to more than this times their largest change look like sums."""
LEAST_CONSTANT = 3
"""Costs that the trajectories stay at, each at one, before these look like costs of whole trajectories."""
NEIGHBOURS = (500, 5_000)
"""Transitions of a run, and of the other trajectories, among which nearest ones are sought."""
USUAL = 0.95
"""The share of the steps within trajectories whose observation changes as usual."""
SAMPLE = 20_000
"""Steps on which that is measured."""


def suspicions(data: OfflineDataset) -> tuple[str, ...]:
    """A sentence for each thing that the data look like and are not taken for."""
    marks = (*single_steps(data), *terminals_inside(data))
    return (*blank_runs(data), *costs_of_several_steps(data), *missing_values(data), *marks)


def costs_of_several_steps(data: OfflineDataset) -> tuple[str, ...]:
    """A sentence where the costs look like sums over the steps so far, over those to come, or over a trajectory."""
    costs, last = data.costs.astype(np.float64), len(data) - 1
    first = np.repeat(costs[data.starts], data.lengths)
    levels = {*costs[data.starts].tolist()} - {0.0}
    if (costs == first).all() and (data.lengths > 1).all() and len(levels) >= LEAST_CONSTANT:
        note = f"costs stay the same in every trajectory, and are {len(levels)} different numbers above 0: if they are "
        note += "those of whole episodes"
    elif _grow(costs, data.starts, data.ends):
        note = f"costs never decrease within a trajectory, and grow to {costs.max():g} in steps of at most "
        note += f"{_largest(costs, data.starts):g}: if they are sums of the costs so far"
    elif _grows_on(costs, data):
        note = f"costs never decrease from the first row to the last, and grow to {costs.max():g} in steps of at most "
        note += f"{np.diff(costs).max():g}: if they are sums over the whole file"
    elif _grow(costs[::-1], last - data.ends[::-1], last - data.starts[::-1]):
        note = f"costs never increase within a trajectory, and fall from {costs.max():g} in steps of at most "
        note += f"{_largest(costs[::-1], last - data.ends[::-1]):g}: if they are sums of the costs to come"
    else:
        return ()
    return (f"{note}, every cost here is too large; --cost-function computes those of the steps",)


def _changes(costs: Float64[np.ndarray, " n"], starts: np.ndarray) -> Float64[np.ndarray, " n"]:
    """The change of the costs to each row from the one before; in the first row of a trajectory from 0."""
    change = np.diff(costs, prepend=0)
    change[starts] = costs[starts]
    return change


def _largest(costs: Float64[np.ndarray, " n"], starts: np.ndarray) -> float:
    return float(_changes(costs, starts).max())


def _grow(costs: Float64[np.ndarray, " n"], starts: np.ndarray, ends: np.ndarray) -> bool:
    """Whether the costs look like sums over the steps so far."""
    grown, falls = np.count_nonzero(costs[ends] > costs[starts]), (_changes(costs, starts) < 0).any()
    return bool(grown >= 2 and not falls and costs.max() >= LEAST_RATIO * _largest(costs, starts))


def _grows_on(costs: Float64[np.ndarray, " n"], data: OfflineDataset) -> bool:
    """Whether the costs look like sums over the steps so far in the whole file."""
    change, grown = np.diff(costs), np.count_nonzero(costs[data.ends] > costs[data.starts])
    return bool(grown >= 2 and not (change < 0).any() and np.ptp(costs) >= LEAST_RATIO * change.max())


def single_steps(data: OfflineDataset) -> tuple[str, ...]:
    """A sentence where most trajectories have a single step."""
    if any(SINGLE in remark for remark in data.remarks):  # before some of them were left out
        return ()
    return of_single_steps(data.lengths + (0 if data.shortened is None else data.shortened))


def terminals_inside(data: OfflineDataset) -> tuple[str, ...]:
    """A sentence where the next observations of terminal steps are those of the next row, and as near as usual."""
    rows = np.flatnonzero(data.terminals[:-1])
    here, after = data.observations[rows], data.observations[rows + 1]
    goes_on = (data.next_observations[rows] == after).all(axis=1) & (after != here).any(axis=1)
    if 2 * goes_on.sum() <= len(rows):
        return ()
    inside = np.flatnonzero(~(data.terminals | data.timeouts))
    if not inside.size:
        return ()
    inside, rng = inside[:: -(-len(inside) // SAMPLE)], np.random.default_rng(0)
    spread = data.observations.std(axis=0, dtype=np.float64)
    spread[spread == 0] = 1.0

    def distance(first: np.ndarray, second: np.ndarray) -> Float64[np.ndarray, " k"]:
        change = (data.observations[second] - data.observations[first]) / spread
        return np.sqrt(np.mean(change**2, axis=1))

    usual = np.quantile(distance(inside, inside + 1), USUAL)
    drawn = distance(*rng.integers(len(data), size=(2, len(inside))))
    chance = ((drawn <= usual).sum() + 1) / (len(drawn) + 1)
    count = int((goes_on & (distance(rows, rows + 1) <= usual)).sum())
    if 2 * count <= len(rows) or bdtrc(count - 1, len(rows), chance) >= CHANCE:
        return ()
    note = f"next_observations of {count} of {len(rows)} terminals are the next row's observation, as near as within "
    return (f"{note}trajectories: {SPLIT}; {OTHER_MARKS}",)


def blank_runs(data: OfflineDataset) -> tuple[str, ...]:
    """A sentence for each of actions, rewards and costs that has one value in improbably many trajectories in a row."""
    found = []
    for key in ("actions", "rewards", "costs"):
        values = getattr(data, key).reshape(len(data), -1)
        for value in (values[-1], values[0], np.zeros_like(values[0])):
            rows = (values != value).any(axis=1)
            written = np.logical_or.reduceat(rows, data.starts)
            run = _improbable_run(written)
            if run and (run[1] == len(written) or _as_elsewhere(data, rows, *run)):
                shown = f"{value[0]:g}" if (value == value[0]).all() else f"{value.tolist()}"
                found.append(f"{key} are {shown} throughout {_in_words(*run, written)}")
                break
    return tuple(found)


def _improbable_run(written: Bool[np.ndarray, " trajectories"]) -> tuple[int, int] | None:
    """The first trajectory of the longest run of those that are not written, and the one after its last; of the last
    ones, where these are improbable. None where such runs are probable."""
    total, other = len(written), int(written.sum())
    edges = np.concatenate([[-1], np.flatnonzero(written), [total]])
    first, after = edges[:-1] + 1, edges[1:]
    longest = int(np.argmax(after - first))
    for run, places in ((-1, 1), (longest, total - int(after[longest] - first[longest]) + 1)):
        rest = total - int(after[run] - first[run])
        chance = np.log(places) + _log_comb(rest, other) - _log_comb(total, other)
        if other and chance < np.log(CHANCE_OF_RUN):
            return int(first[run]), int(after[run])
    return None


def _log_comb(size: int, count: int) -> float:
    return lgamma(size + 1) - lgamma(count + 1) - lgamma(size - count + 1)


def _as_elsewhere(data: OfflineDataset, written: Bool[np.ndarray, " n"], first: int, after: int) -> bool:
    """Whether the transitions of this run of trajectories are those after which rows elsewhere are written."""
    inside = np.zeros(len(data), dtype=bool)
    inside[data.starts[first] : data.ends[after - 1] + 1] = True
    here, there = (
        rows[:: -(-len(rows) // size)]
        for rows, size in zip((np.flatnonzero(inside), np.flatnonzero(~inside)), NEIGHBOURS, strict=True)
    )
    drawn, states = np.concatenate([there, here]), (data.observations, data.next_observations)
    states = np.concatenate([each[drawn] for each in states], axis=1, dtype=np.float64)
    spread = states.std(axis=0)
    of_others, own = np.split((states - states.mean(axis=0)) / np.where(spread > 0, spread, 1.0), [len(there)])
    distance = (of_others**2).sum(axis=1) - 2 * own @ of_others.T  # squared, but for a number of each row
    expected = written[there[distance.argmin(axis=1)]].mean()
    return bool(expected >= 0.5 * written[there].mean() > 0)


def _in_words(first: int, after: int, written: Bool[np.ndarray, " trajectories"]) -> str:
    total, other = len(written), int(written.sum())
    if after == total:
        which = f"the last {total - first} of {total} trajectories, and not in {other} of the {first} before"
        return f"{which}: check that the file was written to its end"
    which = f"trajectories {first} to {after - 1} of {total}, counted from 0, and not in {other} of the "
    return f"{which}{total - (after - first)} others: check that the file was written in full"
