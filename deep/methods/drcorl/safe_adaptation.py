r"""The SafeAdaptation step of DRCORL for networks: the update direction of the policy's parameters.

`theory.adaptation` computes the weights x, y from inner products; here these are of a network's gradients. With

    q_r = grad V_r,   q_c = -grad V_c   (both ascend),   k = grad KL(pi || mu),   temperature beta,

the directions of Eqs. (20) and (21), multiplied by beta, are g_r = beta q_r - k and g_c = beta q_c - k, and the policy
ascends g = beta (x q_r + y q_c) - z k, where z is the weight of the regulariser (see `SafeAdaptationConfig`).
"""

from dataclasses import dataclass, field
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from deep.core.problem import Problem
from deep.core.validation import AT_LEAST_0, AT_LEAST_1, check_ranges
from deep.methods.parts.critics import episodic_to_discounted
from theory.adaptation import PIDLagrangian, PIDState, Region, Slack, Weights, crpo, gradient_manipulation


@dataclass(frozen=True)
class Temperature:
    """beta of Eqs. (20) and (21) at epoch n (appendix D.2): the weight of the critics relative to the behaviour model.

    constant: c0;  sqrt: sqrt(c0 + c1 n);  linear: c0 + c1 n. The preprint compares .02, .01 sqrt(n) and .01 n + .04;
    here the value gradients are scaled to unit size, so the numbers are not the preprint's.
    """

    growth: Literal["constant", "sqrt", "linear"] = "constant"
    c0: float = 1.0
    c1: float = 0.0
    steps_per_epoch: int = 50

    def __post_init__(self) -> None:
        check_ranges(self, "adaptation.temperature.", c0=AT_LEAST_0, c1=AT_LEAST_0, steps_per_epoch=AT_LEAST_1)

    def at(self, step: Tensor) -> Tensor:
        """beta at this step; it is constant within an epoch."""
        epoch = torch.floor(step / self.steps_per_epoch)
        if self.growth == "constant":
            return self.c0 + 0 * epoch
        line = self.c0 + self.c1 * epoch
        return line.sqrt() if self.growth == "sqrt" else line


@dataclass(frozen=True)
class SafeAdaptationConfig:
    """Lines 7-13 of Algorithm 1; equations, algorithms and defaults are those of the DRCORL preprint."""

    rule: Literal["manipulation", "crpo", "pid"] = "manipulation"
    """Algorithm 3, Algorithm 2, or the Lagrangian of Eq. (22) with a PID multiplier."""
    slack: Slack = field(default_factory=Slack)
    """manipulation: h+ and h-; crpo: h; as a fraction of the cost limit (appendix D.2: .2, shrinking to 0)."""
    regulariser: Literal["inside", "after"] = "inside"
    """manipulation: inside adds the KL gradient to both directions before they are manipulated (Eq. (23): z = x + y);
    after manipulates the value gradients alone and adds it afterwards (z = 1). Inside, a small beta makes every angle
    acute."""
    pid: PIDLagrangian = field(default_factory=PIDLagrangian)
    """pid: the multiplier, with costs as discounted sums, the unit of the critics (Table 2's gains)."""
    temperature: Temperature = field(default_factory=Temperature)
    """beta."""


class SafeAdaptation:
    """The rule for all replicas of a problem, with the state of the PID multiplier."""

    def __init__(self, config: SafeAdaptationConfig, problem: Problem, steps: int) -> None:
        self.config, self.problem, self.steps = config, problem, steps
        self._pid = PIDState(torch.zeros_like(problem.limits), torch.zeros_like(problem.limits))
        task = problem.task
        self._value_of_one_cost = episodic_to_discounted(
            1.0, problem.gamma, task.episode_length, "data", task.expected_length
        )

    def tensors(self) -> dict[str, Tensor]:
        return {f"pid.{name}": tensor for name, tensor in self._pid._asdict().items()}

    def direction(
        self,
        step: Tensor,
        cost: Float[Tensor, " replicas"],
        q_r: Float[Tensor, "replicas params"],
        q_c: Float[Tensor, "replicas params"],
        k: Float[Tensor, "replicas params"],
    ) -> tuple[Float[Tensor, "replicas params"], dict[str, Tensor]]:
        """The direction g to ascend, and metrics. `cost` is the gate's cost of an episode, float64."""
        beta, inside = self.config.temperature.at(step), self.config.regulariser == "inside"
        q_r, q_c = beta * q_r, beta * q_c
        g_r, g_c = (q_r - k, q_c - k) if inside else (q_r, q_c)
        rr, rc, cc = ((a * b).sum(1).double() for a, b in ((g_r, g_r), (g_r, g_c), (g_c, g_c)))
        limits = self.problem.limits
        slack = self.config.slack.at(step.double(), self.steps) * limits
        metrics: dict[str, Tensor] = {}
        if self.config.rule == "manipulation":
            weights = gradient_manipulation(cost, limits, slack, slack, rr, rc, cc)
            z = weights.x + weights.y if inside else torch.ones_like(weights.x)
        elif self.config.rule == "crpo":
            weights = crpo(cost, limits, slack)
            z = torch.ones_like(weights.x)
        else:
            weights, metrics["multiplier"] = self._multiply(step, cost)
            z = weights.x  # Eq. (22): the regulariser's weight is the reward's
        x, y, z = (weight.to(q_r).unsqueeze(1) for weight in (weights.x, weights.y, z))
        metrics |= {f"share_{region.name.lower()}": (weights.region == int(region)).float() for region in Region}
        metrics["cosine_of_gradients"] = (rc / (rr * cc).sqrt().clamp(min=1e-30)).float()
        return x * q_r + y * q_c - z * k, metrics | {"beta": beta.expand(len(limits)).float()}

    def _multiply(self, step: Tensor, cost: Tensor) -> tuple[Weights, Tensor]:
        value, limit = cost * self._value_of_one_cost, self.problem.limits * self._value_of_one_cost
        before = self._pid._replace(previous_cost=torch.where(step == 0, value, self._pid.previous_cost))
        after, multiplier, weights = self.config.pid.step(before, value, limit)
        for kept, new in zip(self._pid, after, strict=True):
            kept.copy_(new)
        return weights, multiplier.float()
