"""Whether each row is followed by the one that its next observation says."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Bool

CONTINUITY_TOLERANCE = 1e-4
"""Absolute and relative, between next_observations and the row that follows."""
SPREAD_TOLERANCE = 1e-2
"""The same in standard deviations of the feature, where that is less, and more than float32's rounding."""


def differs(follows: np.ndarray, row_after: np.ndarray) -> np.ndarray:
    """Where the next observations of rows are not the observations one row later."""
    size = np.abs(row_after)
    if not size.size:
        return np.zeros(size.shape, dtype=bool)
    with np.errstate(invalid="ignore", over="ignore"):  # a spread that is no number leaves the first tolerance
        spread = row_after.std(axis=0, dtype=np.float64).astype(np.float32)
        fine = np.maximum(SPREAD_TOLERANCE * spread, 4 * np.finfo(np.float32).eps * size)
        return np.abs(follows - row_after) > np.fmin(fine, CONTINUITY_TOLERANCE * (1 + size))


def gaps(arrays: Mapping[str, np.ndarray]) -> Bool[np.ndarray, " n"]:
    """The rows whose next observation is not the observation one row later; none where there are no next_observations,
    or such of another shape, which are rejected later. The last row is none."""
    observations, follows = arrays["observations"], arrays.get("next_observations")
    found = np.zeros(len(observations), dtype=bool)
    if follows is not None and follows.shape == observations.shape:
        found[:-1] = differs(follows[:-1], observations[1:]).any(axis=tuple(range(1, follows.ndim)))
    return found
