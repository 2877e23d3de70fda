r"""Grids and the hat functions that spread a point over the neighbouring nodes.

On one axis with nodes x_0 < ... < x_{n-1} a distance h apart, a point x weighs node j with

    w_j(x) = max(0, 1 - |x - x_j| / h),      x clipped to [x_0, x_{n-1}] first (or wrapped, on a periodic axis).

The weights are probabilities, and they reproduce the point: sum_j w_j(x) x_j = x. On a product of axes they multiply.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, reduce

import numpy as np
from jaxtyping import Float64
from scipy.stats import norm


@dataclass(frozen=True)
class Axis:
    """`count` equally spaced nodes from `low` to `high`; on a periodic axis `high` is `low` again, and no node."""

    low: float
    high: float
    count: int
    periodic: bool = False

    @cached_property
    def nodes(self) -> Float64[np.ndarray, " node"]:
        return np.linspace(self.low, self.high, self.count, endpoint=not self.periodic)

    @property
    def spacing(self) -> float:
        return float(self.nodes[1] - self.nodes[0])

    def weights(self, x: Float64[np.ndarray, " n"]) -> Float64[np.ndarray, "n node"]:
        """w_j(x) of every point."""
        place = (x if self.periodic else np.clip(x, self.low, self.high)) - self.low
        distance = np.abs(place[:, None] / self.spacing - np.arange(self.count))
        if self.periodic:
            distance = distance % self.count
            distance = np.minimum(distance, self.count - distance)
        return np.maximum(0.0, 1 - distance)

    def gaussian_weights(
        self, mean: Float64[np.ndarray, " n"], std: Float64[np.ndarray, " n"]
    ) -> Float64[np.ndarray, "n node"]:
        r"""E w_j(X) for X ~ N(mean, std^2), std > 0, clipped to the axis (which is not periodic).

        With the share of the way from node j to the next, F_j = E clip((X - x_j) / h, 0, 1), the weights are the
        differences 1 - F_0, F_0 - F_1, ..., F_{n-2}. F_j is (G_j - G_{j+1}) / h with
        G_j = E (X - x_j)_+ = std (z Phi(z) + phi(z)), z = (mean - x_j) / std.
        """
        z = (mean[:, None] - self.nodes) / std[:, None]
        beyond = std[:, None] * (z * norm.cdf(z) + norm.pdf(z))
        share = (beyond[:, :-1] - beyond[:, 1:]) / self.spacing
        padded = np.concatenate([np.ones((len(mean), 1)), share, np.zeros((len(mean), 1))], axis=1)
        return np.maximum(0.0, padded[:, :-1] - padded[:, 1:])


@dataclass(frozen=True)
class Grid:
    """The product of several axes; node numbers run through the last axis first."""

    axes: tuple[Axis, ...]

    @cached_property
    def nodes(self) -> Float64[np.ndarray, "node axis"]:
        mesh = np.meshgrid(*(axis.nodes for axis in self.axes), indexing="ij")
        return np.stack([coordinate.ravel() for coordinate in mesh], axis=1)

    def weights(self, points: Float64[np.ndarray, "n axis"]) -> Float64[np.ndarray, "n node"]:
        """The weight of every node at every point; rows sum to 1."""
        return _product([axis.weights(x) for axis, x in zip(self.axes, points.T, strict=True)])

    def gaussian_weights(
        self, mean: Float64[np.ndarray, "n axis"], std: Float64[np.ndarray, "n axis"]
    ) -> Float64[np.ndarray, "n node"]:
        """The expected weights of clipped Gaussian points with a diagonal covariance; rows sum to 1."""
        return _product([axis.gaussian_weights(m, s) for axis, m, s in zip(self.axes, mean.T, std.T, strict=True)])


def _product(factors: Sequence[Float64[np.ndarray, "n _"]]) -> Float64[np.ndarray, "n node"]:
    return reduce(lambda a, b: (a[:, :, None] * b[:, None, :]).reshape(len(a), -1), factors)
