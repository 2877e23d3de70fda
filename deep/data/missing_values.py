"""Numbers that look like marks of missing values, such as -9999, and are learned from as if they were measured.

A few rows with such a number, or with several of them, are no habit of a writer. Among observations they are reported
where they make the standard deviation so large that all other rows are one and the same in its units.
"""

import numpy as np
from jaxtyping import Float32

from deep.data.dataset import OfflineDataset

FAR = 10.0
"""Such a number lies outside the range of the others by more than this many times that range."""
LEAST = 3
"""How many rows have to hold it, and how many different numbers the others have to be."""
FEW = 5
"""Rows that may dominate the standard deviation of a feature."""
BLUR = 1e-2
"""The width of an interval, in standard deviations, in which a network can hardly tell rows apart."""
NINES = (999, 9999, 99999, 999999)
"""Numbers that are often written for what is missing. They need not lie `FAR` from the others, but outside of their
range by more than it; and they alone count among rewards and costs, which a goal or a crash can make large."""


def missing_values(data: OfflineDataset) -> tuple[str, ...]:
    """A sentence for each array that holds such a number."""
    found = []
    for key in ("observations", "actions", "rewards", "costs"):
        values = getattr(data, key).reshape(len(data), -1)
        for feature, column in enumerate(values.T):
            name = f"{key}[{feature}]" if getattr(data, key).ndim > 1 else key
            marks = _marks(column, key in ("rewards", "costs"))
            if key == "observations" and not marks:
                found.extend(_blurred(column, name))
            for mark, count, low, high in marks:
                found.append(
                    f"{name} is {mark:g} in {count} of {len(column)} rows, and from {low:g} to {high:g} in the others: "
                    "if that marks a missing value, leave those rows out or fill them, as it is learned from like any "
                    "number"
                )
    return tuple(found)


def _blurred(column: Float32[np.ndarray, " n"], name: str) -> tuple[str, ...]:
    """A sentence where a few rows make the standard deviation of a feature that large."""
    numbers = column.astype(np.float64)
    distance, deviation = np.abs(numbers - np.median(numbers)), numbers.std()
    if len(numbers) < 4 * FEW or distance.max() ** 2 * FEW < 0.5 * len(numbers) * deviation**2:
        return ()  # the few rows hold less than half of the variance
    far = distance >= 0.5 * BLUR * deviation
    others = numbers[~far]
    quarter, three_quarters = np.quantile(others, (0.25, 0.75)) if far.sum() <= FEW else (0, 0)
    if quarter == three_quarters:
        return ()
    low, high = others.min(), others.max()
    shown = f"{name} is {numbers[far].min():g}" + (f" to {numbers[far].max():g}" if len({*numbers[far]}) > 1 else "")
    note = f"{shown} in {int(far.sum())} of {len(numbers)} rows, and from {low:g} to {high:g} in the others, which a "
    return (f"{note}standard deviation of {deviation:.3g} does not tell apart: leave those few rows out or mend them",)


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
