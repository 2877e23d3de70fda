"""Data that look as if they were not what they are taken for: unwritten tails, and costs that are sums.

Tails: HDF5 reads what a writer has not filled as zeros. Chunks that were never written are rejected
(`deep.data.formats.hdf5`). The rest of a chunk, or of an array stored in one piece, leaves no trace but its zeros. Only
their place can show them: of T trajectories m are other than zero; in a random order the last k of them are zero with
probability C(T - k, m) / C(T, m).

Sums: costs that begin low in every trajectory, never decrease within one, and grow to many times the largest change
from one step to the next are likely the costs so far in place of those of the steps.
"""

from math import comb

import numpy as np

from deep.data.dataset import OfflineDataset

CHANCE = 1e-4
"""A tail of zeros that is less probable is reported. Trajectories sorted by their cost have one as well."""
LEAST_RATIO = 3.0
"""Costs that grow to more than this times their largest change look like sums."""


def suspicions(data: OfflineDataset) -> tuple[str, ...]:
    """A sentence for each thing that the data look like and are not taken for."""
    return (*blank_tails(data), *cumulative_costs(data))


def cumulative_costs(data: OfflineDataset) -> tuple[str, ...]:
    """A sentence where the costs look like sums over the steps so far."""
    costs = data.costs.astype(np.float64)
    change = np.diff(costs, prepend=0)
    change[data.starts] = costs[data.starts]
    largest, highest = float(change.max()), float(costs.max())
    grown = np.count_nonzero(costs[data.ends] > costs[data.starts])
    if len(data.ends) < 2 or grown < 2 or (change < 0).any() or highest < LEAST_RATIO * largest:
        return ()
    note = (
        f"costs never decrease within a trajectory, and grow to {highest:g} in steps of at most {largest:g}: if they "
    )
    note += "are sums of the costs so far, every cost here is too large; --cost-function computes those of the steps"
    return (note,)


def blank_tails(data: OfflineDataset) -> tuple[str, ...]:
    """A sentence for each of actions, rewards and costs that is 0 in improbably many of the last trajectories."""
    found = []
    for key in ("actions", "rewards", "costs"):
        rows = getattr(data, key).reshape(len(data), -1).any(axis=1)
        written = np.logical_or.reduceat(rows, data.starts)
        total, other = len(written), int(written.sum())
        before = int(np.flatnonzero(written)[-1]) + 1 if other else 0
        if other and comb(before, other) / comb(total, other) < CHANCE:
            found.append(
                f"{key} are 0 throughout the last {total - before} of {total} trajectories, and not in {other} of the "
                f"{before} before: check that the file was written to its end"
            )
    return tuple(found)
