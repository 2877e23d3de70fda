"""Numbers that look like marks of missing values, such as -9999, and are learned from as if they were measured."""

import numpy as np
from jaxtyping import Float32

from deep.data.dataset import OfflineDataset

FAR = 10.0
"""Such a number lies outside the range of the others by more than this many times that range."""
LEAST = 3
"""How many rows have to hold it, and how many different numbers the others have to be."""
NINES = (999, 9999, 99999, 999999)
"""Written in place of rewards and costs: other numbers far from the rest can be those of a goal or a crash."""


def missing_values(data: OfflineDataset) -> tuple[str, ...]:
    """A sentence for each array that holds such a number."""
    found = []
    for key in ("observations", "actions", "rewards", "costs"):
        values = getattr(data, key).reshape(len(data), -1)
        for feature, column in enumerate(values.T):
            for mark in _marks(column):
                if key in ("rewards", "costs") and abs(mark) not in NINES:
                    continue
                others = column[column != mark]
                name = f"{key}[{feature}]" if getattr(data, key).ndim > 1 else key
                found.append(
                    f"{name} is {mark:g} in {len(column) - len(others)} of {len(column)} rows, and from "
                    f"{others.min():g} to {others.max():g} in the others: if that marks a missing value, leave those "
                    "rows out or fill them, as it is learned from like any number"
                )
    return tuple(found)


def _marks(column: Float32[np.ndarray, " n"]) -> list[float]:
    """The smallest and the largest number, where it occurs often and lies far from all others."""
    ends = (float(column.min()), float(column.max()))
    found = []
    for end in dict.fromkeys(ends):
        others = column[column != end].astype(np.float64)
        if len(column) - len(others) < LEAST or len(np.unique(others[:10_000])) < LEAST:
            continue
        low, high = others.min(), others.max()
        if max(low - end, end - high) > FAR * (high - low):
            found.append(end)
    return found
