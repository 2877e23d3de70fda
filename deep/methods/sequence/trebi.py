r"""TREBI and the constrained Diffuser: plans from q(tau) exp(beta (R(tau) - n C(tau))) (Lin et al. 2023).

A plan is a window of states and actions, drawn without a condition. Two values of noised windows, R(x_k, k) and
C(x_k, k), predict the discounted reward and cost from the window's first step to the episode's end, by least squares.
Their gradients guide the plan. With b the budget left, the weight n of the cost is, of `cost_weight` n_0,

    violation (TREBI):  n = n_0 1[C > b] exp(clip((C - b) / b, 0, 1)),
    threshold:          n = n_0 1[C > b],
    constant:           n = n_0, the constrained Diffuser, which has one weight for all budgets.

Of several plans the one with the largest R among those with C <= b is followed, or else the one with the least C. Its
first action is played, and those after it until the next plan is drawn. One model serves all limits.

Here b is what is left of the limit, as a discounted sum at a constant cost rate. R and C know the time left. Their
units are an episode's range of returns and the task's largest cost limit. Finished plans are compared.

The public code departs from this in these points, which `--variant public` reproduces: b_t is the discounted budget of
the whole episode minus the discounted costs so far, over gamma^t, as if no episode ended; the values do not know the
time; a terminal state earns -100 and costs 100; plans are compared before their last denoising step; and guidance does
not change the noise, but moves x_k twice by .1 Sigma_k (grad R - n grad C), in the task's own units, and at the last
two levels not at all.

Ours in both: the DiT and the deterministic reversal of `reversal` with a predicted noise, where the public code has a
temporal U-Net, draws noise at every level and predicts x_0; a small b, at most SMALLEST_BUDGET of the largest limit,
counts as that in the ratio. `--no-plan-actions` and `--value-discount 1` are what TCDP has, for a comparison with
everything else equal. The quick preset is a demonstration.

Sources: Lin et al. 2023 (TREBI) and its code; Janner et al. 2022 (Diffuser); Table 1 of Zhang et al. 2025 (TCDP).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from deep.core.problem import Problem
from deep.core.validation import ABOVE_0, AT_LEAST_0, AT_LEAST_1, RATE, check_ranges
from deep.data.sequences import sums_to_go
from deep.methods.parts.best_of_n import best_of_n, selection_score
from deep.methods.sequence.planner import DiffusionPlanner, PlannerConfig
from deep.methods.sequence.reversal import ascending, pinned, sample_plan
from deep.methods.spec import MethodSpec
from deep.nn.parameters import linear_decay

SMALLEST_BUDGET = 0.01
PUBLIC_SCALE, PUBLIC_MOVES, PUBLIC_LAST_LEVELS, PUBLIC_TERMINAL = 0.1, 2, 2, 100.0


@dataclass(frozen=True)
class TREBIConfig(PlannerConfig):
    """Hyper-parameters of TREBI and the constrained Diffuser; the defaults are those of TREBI's quick preset."""

    plan_actions: bool = True
    """Whether plans have actions, which are played; otherwise an inverse model turns states into actions."""
    start_noise: float = 1.0
    """Standard deviation of the noise that a plan starts from."""
    candidates: int = 4
    """Plans that are drawn for a state."""
    value_discount: float = 0.997
    """Discount of the values, and of the budget that they are compared with."""
    beta: float = 1.0
    """Weight of the guidance, for returns in units of the episode's range."""
    cost_weight: float = 5.0
    """n_0, the cost's weight, in costs of the largest limit (public: in the task's own units)."""
    penalty: Literal["violation", "threshold", "constant"] = "violation"
    """How that weight depends on the predicted cost and the budget."""
    variant: Literal["corrected", "public"] = "corrected"
    """public: the points in which the public code departs, see the module's docstring."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_ranges(self, candidates=AT_LEAST_1, value_discount=RATE, beta=AT_LEAST_0, cost_weight=ABOVE_0)


class TREBI(DiffusionPlanner):
    """The learner: one planner and two values for each seed, which serve all cost limits."""

    def __init__(self, config: TREBIConfig, problem: Problem) -> None:
        super().__init__(config, problem, conditions=0)
        self.public, self.candidates = config.variant == "public", config.candidates
        self.budget_discount = config.value_discount if self.public else 1.0
        self.value = self._value(conditions=0 if self.public else 1)
        self.rewards = self._learned("reward_value", self.value, "reward value")
        self.costs = self._learned("cost_value", self.value, "cost value")
        amounts = problem.task.expected_length / problem.reward_scale, max(problem.task.cost_limits) or 1.0
        like = problem.replay.observations
        self.units = self._discounted(torch.tensor(amounts).to(like), torch.zeros(2).to(like))
        """The units of R and C: discounted sums of an episode that earns the range of returns and costs the largest
        limit, at constant rates."""
        self.targets = self._sums_to_go() / self.units.unsqueeze(1)

    def _discounted(self, amount: Tensor, time: Tensor) -> Tensor:
        """The expected discounted sum from step `time` on, where `amount` is the undiscounted one, at a constant rate.

        sum_{j < k} (gamma (1 - p))^j / sum_{j < k} (1 - p)^j with k steps left and timeouts at the rate p.
        """
        left = (self.problem.task.episode_length - time).clamp(min=1)
        survival = 1 - self.problem.task.timeout_rate
        return amount * _geometric(self.config.value_discount * survival, left) / _geometric(survival, left)

    def _sums_to_go(self) -> Float[Tensor, "two rows"]:
        """The discounted rewards and costs from every row of the data to its trajectory's end."""
        data = self.problem.data
        penalty = (PUBLIC_TERMINAL if self.public else 0.0) * data.terminals
        signals = data.rewards - penalty, data.costs + penalty
        sums = np.stack([sums_to_go(data, signal, self.config.value_discount) for signal in signals])
        return torch.from_numpy(sums).to(self.units)

    def _time_left(self, time: Tensor) -> Float[Tensor, "n batch c"]:
        """What the values know besides the window."""
        share = 1 - time.to(self.units) / self.problem.task.episode_length
        return share.unsqueeze(-1)[..., : self.value.conditions]

    def _update(self, step: Tensor, draws: Mapping[str, Tensor]) -> dict[str, Tensor]:
        noised, rate = self._noised(draws), linear_decay(step, self.config.steps)
        losses = {"denoising_loss": self._learn_to_denoise(noised, None, None, rate)}
        level = (draws["level"] * (self.config.levels + 1)).long()  # level 0, too: finished plans are compared
        noisy = self._diffused(noised.clean, level, noised.noise)
        row, condition = noised.window.rows[:, :, 0], self._time_left(noised.window.time[:, :, 0])
        for name, value, target in zip(("reward", "cost"), (self.rewards, self.costs), self.targets, strict=True):
            guess = self.value.apply(value.theta, noisy, level, condition)
            losses[f"{name}_value_loss"] = self._descend(value, (guess - target[row]).square().mean(1), rate)
        return losses

    def first_budget(self) -> Float[Tensor, " replicas"]:
        limits = super().first_budget()
        return self._discounted(limits, torch.zeros_like(limits)) if self.public else limits

    def condition(self, budget: Tensor, time: Tensor) -> Float[Tensor, "replicas batch c"]:
        """(b in the unit of C[, share of the time left])."""
        left = budget if self.public else self._discounted(budget, time)
        return torch.cat([(left / self.units[1]).unsqueeze(-1), self._time_left(time)], -1)

    @torch.no_grad()
    def plan(self, observations: Tensor, condition: Tensor, start: Tensor) -> Tensor:
        observations, condition = (x.repeat_interleave(self.candidates, 1) for x in (observations, condition))
        if self.public:
            plans, compared = self._moved_plans(observations, condition, start)
            scores = self._score(compared, 1, condition)
        else:
            noise = ascending(self._noise, lambda x, k: self.ascent(x, k, condition), self.chain, self.config.beta)
            plans = sample_plan(noise, self.chain, start, observations)
            scores = self._score(plans, 0, condition)
        return best_of_n(plans.flatten(2), scores, self.candidates).unflatten(-1, plans.shape[2:])

    def _moved_plans(self, observations: Tensor, condition: Tensor, start: Tensor) -> tuple[Tensor, Tensor]:
        """The plans of the public code, and what they are before the last denoising step."""
        seen = start

        def move(x: Tensor, k: int) -> Tensor:
            nonlocal seen
            for _ in range(PUBLIC_MOVES if k > PUBLIC_LAST_LEVELS else 0):
                step = PUBLIC_SCALE * self.chain.posterior_variances[k - 1] * self.ascent(x, k, condition)
                x = pinned(x + step, observations)
            seen = x
            return x

        plans = sample_plan(self._noise, self.chain, start, observations, move=move)
        return plans, seen

    def ascent(self, x: Tensor, k: int, condition: Float[Tensor, "n batch c"]) -> Float[Tensor, "n batch H token"]:
        """grad_x R - n grad_x C."""
        budget, known, level = condition[..., 0], condition[..., 1:], self._level(x, k)
        _, reward_slope = self.value.ascent(self.rewards.ema, x, level, known)
        cost, cost_slope = self.value.ascent(self.costs.ema, x, level, known)
        reward_unit, unit = self.units if self.public else torch.ones_like(self.units)
        return reward_unit * reward_slope - unit * self._weight(cost, budget)[..., None, None] * cost_slope

    def _weight(self, cost: Float[Tensor, "n batch"], budget: Float[Tensor, "n batch"]) -> Float[Tensor, "n batch"]:
        """n."""
        config, excess = self.config, cost - budget
        above = (excess > (-torch.inf if config.penalty == "constant" else 0.0)).to(cost)
        if config.penalty == "violation":
            share = excess / budget.clamp(min=SMALLEST_BUDGET)
            return config.cost_weight * above * share.clamp(0, 1).exp()
        return config.cost_weight * above

    def _score(self, windows: Tensor, k: int, condition: Tensor) -> Float[Tensor, "n batch"]:
        """R where C <= b; all others lie below, the cheaper the higher."""
        budget, known, level = condition[..., 0], condition[..., 1:], self._level(windows, k)
        reward, cost = (self.value.apply(value.ema, windows, level, known) for value in (self.rewards, self.costs))
        return selection_score(reward, cost - budget, torch.zeros_like(budget[:, 0]))

    def report(self) -> dict[str, object]:
        return {"value_units": self.units.tolist()}


def _geometric(rate: float, count: Tensor) -> Tensor:
    """The sum of rate^j over j < count."""
    return count if rate == 1 else (1 - rate**count) / (1 - rate)


QUICK = TREBIConfig()
PAPER = TREBIConfig(
    steps=1_000_000,
    inverse_steps=100_000,
    batch_size=64,
    horizon=32,
    width=320,
    heads=10,
    hidden=(512, 512),
    levels=20,
    learning_rate=2e-4,
    ema_rate=0.0005,
    replan_every=1,
    candidates=64,
)
DIFFUSER = {"penalty": "constant", "cost_weight": 1.0}
SMALL = {"steps": 50, "batch_size": 8, "horizon": 3, "width": 8, "heads": 2, "blocks": 1, "hidden": (16,), "levels": 3}
SMALL |= {"replan_every": 2, "candidates": 2}
SPEC = MethodSpec(
    title="TREBI",
    paper="Lin et al. 2023 (TREBI)",
    build=TREBI,
    presets={"quick": QUICK, "paper": PAPER},
    smoke=SMALL,
    brief={"steps": 500},
)
SPEC_DIFFUSER = MethodSpec(
    title="constrained Diffuser",
    paper="Janner et al. 2022 (Diffuser), with a cost as in Lin et al. 2023",
    build=TREBI,
    presets={"quick": replace(QUICK, **DIFFUSER), "paper": replace(PAPER, **DIFFUSER)},
    smoke=SMALL,
    brief={"steps": 500},
)
