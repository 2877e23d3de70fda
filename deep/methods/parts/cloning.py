"""Weighted cloning for policies that act with a budget: what CAPS and BCRL have in common.

Policies are fitted to the data's actions by weighted least squares, with the weights min(exp(beta A), cap) of reward
and cost advantages from implicit Q-learning (`deep.methods.parts.iql`). Source: Peng et al. 2019 (AWR), Eq. (10).
"""

from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from deep.core.problem import Problem
from deep.core.validation import ABOVE_0, AT_LEAST_0, AT_LEAST_1, RATE, check_ranges
from deep.methods.parts.iql import IQLConfig, RewardUnit, cost_unit, reward_units
from deep.nn.parameters import Parameters, gradient, linear_decay


@dataclass(frozen=True)
class CloningConfig:
    """Hyper-parameters that CAPS and BCRL have in common; the published values are those of their code."""

    critics: IQLConfig = field(default_factory=IQLConfig)
    """The critics."""
    reward_temperature: float = 3.0
    """beta_r, per unit of `reward_unit` (BCRL: 8 for MetaDrive)."""
    reward_unit: RewardUnit = "raw"
    """The unit of the reward's advantage: ten of the task's own rewards (published), or what an episode earns per step
    when its return is 1 on DSRL's scale."""
    cost_temperature: float = 3.0
    """beta_c, per unit of cost."""
    weight_cap: float = 100.0
    """The largest weight e^{beta A}."""
    steps: int = 10_000
    """Steps of the critics and, with them, of the policies (100 000)."""
    batch_size: int = 256
    """Minibatch (512)."""
    hidden: tuple[int, ...] = (256, 256)
    """Hidden layers of the policies (512, 512)."""
    learning_rate: float = 1e-3
    """Adam's step size for the policies; it decays linearly to a tenth (3e-4, on a cosine)."""
    ema_rate: float = 0.01
    """Rate of the EMA of the policies' parameters; the EMA is evaluated (none in the code: 1)."""
    variant: Literal["corrected", "public"] = "corrected"
    """corrected, or what the public code does: see the top of the module."""

    def __post_init__(self) -> None:
        check_ranges(self, reward_temperature=AT_LEAST_0, cost_temperature=AT_LEAST_0, weight_cap=AT_LEAST_1)
        check_ranges(self, steps=AT_LEAST_0, batch_size=AT_LEAST_1, hidden=AT_LEAST_1)
        check_ranges(self, learning_rate=ABOVE_0, ema_rate=RATE)


def quick(regression_steps: int) -> dict[str, Any]:
    """What the presets "quick" have in common."""
    critics = IQLConfig(hidden=(128, 128), learning_rate=6e-4, target_rate=0.01, regression_steps=regression_steps)
    return {"critics": critics, "hidden": (128, 128)}


PAPER: dict[str, Any] = {
    "critics": IQLConfig(hidden=(512, 512)),
    "steps": 100_000,
    "batch_size": 512,
    "hidden": (512, 512),
    "learning_rate": 3e-4,
    "ema_rate": 1.0,
}
"""What the presets "paper" have in common."""

SMOKE: dict[str, Any] = {
    "steps": 100,
    "batch_size": 16,
    "hidden": (16,),
    "critics.hidden": (16,),
    "critics.regression_steps": 50,
}
"""Changes of the quick presets that train in a second."""


class Units(NamedTuple):
    """The networks predict Q_r and Q_c divided by these."""

    reward: float
    cost: Float[Tensor, ""]
    """It comes from the data, and belongs among a method's tensors: a finished run does without the data."""


class Temperatures(NamedTuple):
    """beta_r and beta_c per unit of the networks' outputs."""

    reward: float
    cost: float


def scales(config: CloningConfig, problem: Problem) -> tuple[Units, Temperatures]:
    """The units of the networks' outputs, and the temperatures in them."""
    reward, cost = 1 / (1 - problem.gamma), cost_unit(problem)
    per_reward = config.reward_temperature * reward_units(problem, config.reward_unit)
    return (
        Units(reward, torch.tensor(cost).to(problem.replay.costs)),
        Temperatures(per_reward * reward, config.cost_temperature * cost),
    )


def clone(
    step: Tensor, config: CloningConfig, actor: Parameters, loss: Float[Tensor, " seeds"]
) -> Float[Tensor, " seeds"]:
    """One step of a policy down its weighted squared error; the error before it."""
    actor.adam_step(gradient(loss, actor), linear_decay(step, config.steps))
    actor.update_ema(config.ema_rate)
    return loss.detach()
