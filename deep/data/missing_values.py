"""Numbers that look like marks of missing values, such as -9999, and are learned from as if they were measured."""

import numpy as np
from jaxtyping import Float32

from deep.data.dataset import OfflineDataset

FAR = 10.0
"""Such a number lies outside the range of the others by more than this many times that range."""
LEAST = 3
"""How many rows have to hold it, and how many different numbers the others have to be."""
NINES = (999, 9999, 99999, 999999)
"""Numbers that are often written for what is missing. They need not lie `FAR` from the others, but outside of their
range by more than it; and they alone count among rewards and costs, which a goal or a crash can make large."""


def missing_values(data: OfflineDataset) -> tuple[str, ...]:
    """A sentence for each array that holds such a number."""
    found = []
    for key in ("observations", "actions", "rewards", "costs"):
        values = getattr(data, key).reshape(len(data), -1)
        for feature, column in enumerate(values.T):
            for mark, count, low, high in _marks(column, key in ("rewards", "costs")):
                name = f"{key}[{feature}]" if getattr(data, key).ndim > 1 else key
                found.append(
                    f"{name} is {mark:g} in {count} of {len(column)} rows, and from {low:g} to {high:g} in the others: "
                    "if that marks a missing value, leave those rows out or fill them, as it is learned from like any "
                    "number"
                )
    return tuple(found)


def _marks(column: Float32[np.ndarray, " n"], nines: bool) -> list[tuple[float, int, float, float]]:
    """Each mark at an end of the numbers, with its rows and the range of the others; `nines`: only those of NINES."""
    counts = {end: int((column == end).sum()) for end in sorted({float(column.min()), float(column.max())})}
    ends = [end for end, count in counts.items() if count >= LEAST]
    for marks in filter(None, (ends, *([end] for end in ends))):  # both, as -9999 and 9999 hide each other, or one
        others = column[np.all([column != mark for mark in marks], axis=0)].astype(np.float64)
        if not others.size:
            continue
        low, high = float(others.min()), float(others.max())
        if all(_is_mark(mark, others, low, high, nines) for mark in marks):
            return [(mark, counts[mark], low, high) for mark in marks]
    return []


def _is_mark(mark: float, others: np.ndarray, low: float, high: float, nines: bool) -> bool:
    outside, spread = max(low - mark, mark - high), high - low
    if abs(mark) in NINES:
        return outside > spread
    return not nines and len(np.unique(others[:10_000])) >= LEAST and outside > FAR * spread
