"""Data whose last trajectories look as if nobody had written them.

HDF5 reads what a writer has not filled as zeros. Chunks that were never written are rejected
(`deep.data.formats.hdf5`). The rest of a chunk, or of an array stored in one piece, leaves no trace but its zeros. Only
their place can show them: of T trajectories m are other than zero; in a random order the last k of them are zero with
probability C(T - k, m) / C(T, m).
"""

from math import comb

import numpy as np

from deep.data.dataset import OfflineDataset

CHANCE = 1e-4
"""A tail of zeros that is less probable is reported. Trajectories sorted by their cost have one as well."""


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
