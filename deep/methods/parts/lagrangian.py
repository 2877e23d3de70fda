r"""Multipliers of constraints, one per replica, as tensors that a checkpoint holds.

`PIDMultiplier` is the rule of `theory.adaptation.PIDLagrangian` (Stooke et al. 2020) for a cost that is to stay below a
threshold. `DualMultiplier` is gradient ascent on the logarithm, as BEAR and CPQ have it:

    log alpha <- clip(log alpha + rate alpha (value - threshold), low, high),

so that alpha rises while a value that is to stay below its threshold lies above it. For a value that is to stay above,
pass both with the opposite sign.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from deep.core.validation import ABOVE_0, AT_LEAST_0, check_ranges
from theory.adaptation import PIDLagrangian, PIDState


@dataclass(frozen=True)
class PIDConfig:
    """The gains, per step and per unit of the discounted cost; published values are those of OSRL's tables."""

    k_p: float = 0.1
    """Weight of the error, cost minus threshold."""
    k_i: float = 0.003
    """Weight of the sum of the errors."""
    k_d: float = 0.001
    """Weight of the cost's increase."""
    largest: float = 100.0
    """The multiplier's largest value; the sum of the errors is clipped where it alone gives this. Public code has no
    bound, so that a constraint that nothing in the data satisfies drives the multiplier to infinity."""

    def __post_init__(self) -> None:
        check_ranges(self, "pid.", k_p=AT_LEAST_0, k_i=ABOVE_0, k_d=AT_LEAST_0, largest=ABOVE_0)


class PIDMultiplier:
    """lambda of every replica for costs that are to stay at or below `threshold`, both in one unit.

    `public`: the proportional term is k_p max(0, error), and nothing is clipped from above, as in public code.
    Otherwise a cost below the threshold lowers lambda by that term too (Stooke et al.).
    """

    def __init__(self, config: PIDConfig, threshold: Float[Tensor, " replicas"], public: bool = False) -> None:
        self.threshold, self.public, self.config = threshold, public, config
        bound = float("inf") if public else config.largest
        k_p = 0.0 if public else config.k_p
        self.rule = PIDLagrangian(k_p, config.k_i, config.k_d, bound / config.k_i, bound, normalised=False)
        self.integral = torch.zeros_like(threshold)
        self.previous_cost = threshold.clone()
        self.value = torch.zeros_like(threshold)

    def tensors(self) -> dict[str, Tensor]:
        return {f"pid.{name}": getattr(self, name) for name in ("integral", "previous_cost", "value")}

    @torch.no_grad()
    def update(self, cost: Float[Tensor, " replicas"]) -> Float[Tensor, " replicas"]:
        """lambda after one more observation of the cost."""
        state, multiplier, _ = self.rule.step(PIDState(self.integral, self.previous_cost), cost, self.threshold)
        if self.public:
            multiplier = multiplier + self.config.k_p * (cost - self.threshold).clamp(min=0)
        self.integral.copy_(state.integral)
        self.previous_cost.copy_(state.previous_cost)
        return self.value.copy_(multiplier)


class DualMultiplier:
    """alpha of every replica, by ascent of its logarithm; it starts at 1, and log alpha stays within `bounds`."""

    def __init__(
        self, name: str, rate: float, like: Float[Tensor, " replicas"], bounds: tuple[float, float] = (-5.0, 5.0)
    ) -> None:
        self.name, self.rate, self.bounds = name, rate, bounds
        self.log = torch.zeros_like(like)

    def tensors(self) -> dict[str, Tensor]:
        return {f"{self.name}.log": self.log}

    @property
    def value(self) -> Float[Tensor, " replicas"]:
        """alpha."""
        return self.log.exp()

    @torch.no_grad()
    def update(self, excess: Float[Tensor, " replicas"]) -> None:
        """One step of ascent; `excess` is the value minus its threshold, in the unit that `rate` belongs to."""
        self.log.add_(self.rate * self.value * excess).clamp_(*self.bounds)
