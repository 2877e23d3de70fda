r"""Safe adaptation: the weights of the reward and the cost gradient in a policy update.

One rule serves tabular natural policy gradient and deep networks alike, because its inputs are scalars: the inner
products of the two ascent directions, in any metric,

    rr = <g_r, g_r>,   rc = <g_r, g_c>,   cc = <g_c, g_c>,

and the current cost value. It returns the weights (x, y) of the update direction  g = x g_r + y g_c.

Sign convention: both gradients *ascend* something good. g_r ascends the reward value, g_c ascends **minus** the cost
value. Everything has a leading batch shape, is float64, and has no data-dependent branch: a region is a mask.

Sources: DRCORL preprint, Eq. (12), Eq. (22), Algorithms 2 and 3; PID multiplier of Stooke et al. (2020).
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor


class Region(IntEnum):
    """The region of a policy in Algorithm 3; within the slacks the gradients' angle decides: ALIGN or CONFLICT."""

    SAFE = 0
    ALIGN = 1
    CONFLICT = 2
    UNSAFE = 3


class Weights(NamedTuple):
    """The weights of g = x g_r + y g_c, and the region that decided them (a `Region` code)."""

    x: Float[Tensor, "*batch"]
    y: Float[Tensor, "*batch"]
    region: Int[Tensor, "*batch"]


@dataclass(frozen=True)
class Slack:
    """A slack h_t around the limit, in the unit of the limit, from `initial` towards `final`.

    constant: h_t = initial;  linear: h_t = final + (initial - final) (1 - t/T);
    inverse_sqrt: h_t = final + (initial - final) / sqrt(1 + t).
    """

    initial: float = 0.2
    final: float = 0.0
    decay: Literal["constant", "linear", "inverse_sqrt"] = "linear"

    def __post_init__(self) -> None:
        if not (self.initial >= 0 and self.final >= 0):
            raise ValueError(f"a slack cannot be negative: found initial {self.initial} and final {self.final}")

    def at(self, step: float | Tensor, total: float) -> float | Tensor:
        """The slack after `step` of `total` steps."""
        span = self.initial - self.final
        if self.decay == "constant":
            return self.initial + 0 * step
        if self.decay == "linear":
            return self.final + span * (1 - step / total)
        return self.final + span * (1 + step) ** -0.5


def manipulation_weights(
    rr: Float[Tensor, "*batch"],
    rc: Float[Tensor, "*batch"],
    cc: Float[Tensor, "*batch"],
    max_weight: float | Tensor = float("inf"),
) -> tuple[Float[Tensor, "*batch"], Float[Tensor, "*batch"]]:
    r"""Weights of the manipulated gradient, Eq. (12) of the DRCORL preprint.

    Angle at most 90 degrees: x = y = 1/2. Beyond it each gradient is projected on the orthogonal complement of the
    other, g = (g_r^+ + g_c^+)/2, hence

        x = (1 - rc/rr)/2,   y = (1 - rc/cc)/2,

    so that <g, g_r> and <g, g_c> are both >= 0. At 180 degrees g = 0. The printed cases leave out the angle 0 and a
    vanishing gradient; both are taken as aligned here. (The text below Eq. (12) swaps the labels: g_r^+ is g_r
    projected, and it is orthogonal to g_c.)

    `max_weight` clips x and y, each by itself: x + y is unbounded as the angle nears 180 degrees between gradients of
    very different length, and the corrected Theorem 3.1 needs it bounded while x stays at or above 1/2.
    """
    conflict = in_conflict(rr, rc, cc)
    one = torch.ones_like(rr)
    x = 0.5 * (1 - torch.where(conflict, rc, 0 * one) / torch.where(conflict, rr, one))
    y = 0.5 * (1 - torch.where(conflict, rc, 0 * one) / torch.where(conflict, cc, one))
    return x.clamp(max=max_weight), y.clamp(max=max_weight)


def in_conflict(rr: Float[Tensor, "*batch"], rc: Float[Tensor, "*batch"], cc: Float[Tensor, "*batch"]) -> Tensor:
    """True where the angle exceeds 90 degrees; a gradient whose squared norm is 0 is in conflict with nothing."""
    return (rc < 0) & (rr > 0) & (cc > 0)


def gradient_manipulation(
    cost: Float[Tensor, "*batch"],
    limit: Float[Tensor, "*batch"],
    h_minus: float | Tensor,
    h_plus: float | Tensor,
    rr: Float[Tensor, "*batch"],
    rc: Float[Tensor, "*batch"],
    cc: Float[Tensor, "*batch"],
    max_weight: float | Tensor = float("inf"),
) -> Weights:
    """Algorithm 3: reward alone where cost <= limit - h_minus, cost alone where cost > limit + h_plus, else Eq. (12).

    cost, limit and both slacks share one unit. SAFE gives (1, 0), UNSAFE gives (0, 1).
    """
    x, y = manipulation_weights(rr, rc, cc, max_weight)
    safe, unsafe = cost <= limit - h_minus, cost > limit + h_plus
    region = torch.where(in_conflict(rr, rc, cc), int(Region.CONFLICT), int(Region.ALIGN))
    region = torch.where(unsafe, int(Region.UNSAFE), torch.where(safe, int(Region.SAFE), region))
    one, zero = torch.ones_like(x), torch.zeros_like(x)
    x = torch.where(safe, one, torch.where(unsafe, zero, x))
    y = torch.where(safe, zero, torch.where(unsafe, one, y))
    return Weights(x, y, region)


def crpo(cost: Float[Tensor, "*batch"], limit: Float[Tensor, "*batch"], slack: float | Tensor) -> Weights:
    """Algorithm 2 (CRPO): the reward alone where cost <= limit + slack, the cost alone elsewhere."""
    unsafe = cost > limit + slack
    x = torch.where(unsafe, 0.0, 1.0).to(cost.dtype)
    return Weights(x, 1 - x, torch.where(unsafe, int(Region.UNSAFE), int(Region.SAFE)))


class PIDState(NamedTuple):
    """Memory of the PID multiplier: the clamped integral of cost - limit, and the previous cost."""

    integral: Float[Tensor, "*batch"]
    previous_cost: Float[Tensor, "*batch"]


@dataclass(frozen=True)
class PIDLagrangian:
    r"""The multiplier of Eq. (22), by the PID rule of Stooke et al. (2020) with set-point the limit:

        e = cost - limit,  I <- clip(I + e, 0, integral_max),  D = max(0, cost - previous cost),
        lambda = clip(k_p e + k_i I + k_d D, 0, multiplier_max).

    The update direction is g_r + lambda g_c, divided by 1 + lambda where `normalised`, so that a large multiplier does
    not also mean a large step. The integral is clamped: an unbounded one keeps the multiplier large long after the
    policy is safe.
    """

    k_p: float = 0.1
    k_i: float = 0.003
    k_d: float = 0.001
    integral_max: float = 1e4
    multiplier_max: float = 1e3
    normalised: bool = True

    def init(self, cost: Float[Tensor, "*batch"]) -> PIDState:
        """The state before the first step; the first derivative is zero."""
        return PIDState(torch.zeros_like(cost), cost.clone())

    def step(
        self, state: PIDState, cost: Float[Tensor, "*batch"], limit: Float[Tensor, "*batch"]
    ) -> tuple[PIDState, Float[Tensor, "*batch"], Weights]:
        """The next state, the multiplier lambda, and the weights that follow from it."""
        error = cost - limit
        integral = (state.integral + error).clamp(0, self.integral_max)
        derivative = (cost - state.previous_cost).clamp(min=0)
        multiplier = self.k_p * error + self.k_i * integral + self.k_d * derivative
        multiplier = multiplier.clamp(0, self.multiplier_max)
        scale = 1 / (1 + multiplier) if self.normalised else torch.ones_like(multiplier)
        region = torch.where(cost > limit, int(Region.UNSAFE), int(Region.SAFE))
        return PIDState(integral, cost), multiplier, Weights(scale, multiplier * scale, region)
