r"""TCDP: plans from q(tau | C <= b) exp(beta R(tau)), one model and one beta for all cost limits (Zhang et al. 2025).

A plan is a window of H states. A diffusion transformer learns windows given c = (b / largest limit, share of the time
left), where b is the cost to go, relabelled by CTGDA (`budgets`). Classifier-free guidance makes c hold. The gradient
of a model J of the return's rank among like budgets (QN) raises the return. An inverse model turns plans into actions.

    denoiser: minimise E |eps(x_k, k, c or none) - eps|^2 over the states after the first
    guide:    minimise E (J(x_k, k, c) - y)^2,  y in [0, 1] the rank of the window's return to go
    inverse:  minimise E |g(s_t, s_{t+1}) - a_t|^2

Acting at the limit l: b = l minus the costs so far. `planner` says how plans are followed, `reversal` how they are
drawn.

The methods that the paper compares with are options of the same planner (its Table 1):
    CDD   q(tau | C = b, R = r_max(b)):  condition_on_return, beta = 0. r_max(b) is read off the data: the best return
          of a trajectory at the pace of the budget left, for the time left.
    SDGD  (2026) the guide's target is the return that is collected before the budget is spent: --guide prefix.
    TREBI and the constrained Diffuser guide by values of reward and cost: `trebi`.

There is no public code. The extended abstract fixes the objective, DiT with adaLN-Zero, both kinds of guidance, CTGDA,
QN and one beta. All numbers, the horizon and the inverse model are our reading, from the sources of `planner`. The
quick preset is a demonstration: small networks, short plans, few steps.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from deep.core.problem import Problem
from deep.core.validation import AT_LEAST_0, SHARE, check_ranges
from deep.methods.sequence.budgets import Labels
from deep.methods.sequence.planner import DiffusionPlanner, PlannerConfig
from deep.methods.sequence.reversal import ascending, classifier_free, sample_plan
from deep.methods.spec import MethodSpec
from deep.nn.parameters import linear_decay


@dataclass(frozen=True)
class TCDPConfig(PlannerConfig):
    """Hyper-parameters of TCDP and of its variants; the defaults are those of the quick preset."""

    condition_dropout: float = 0.25
    """Share of windows that are learned without their condition."""
    strength: float = 1.5
    """w of classifier-free guidance; 1 is the plain conditional model."""
    beta: float = 3.0
    """Weight of the guide's gradient, for returns ranked in [0, 1]; the same at all limits."""
    relabelled: float = 0.5
    """Share of windows whose cost to go is relabelled by CTGDA."""
    slack: float = 0.1
    """CTGDA: how much less than the best within a budget counts as good, as a share of the range of returns."""
    guide: Literal["quantile", "prefix"] = "quantile"
    """quantile: the return's rank (QN); prefix: the return until the budget is spent (SDGD)."""
    condition_on_return: bool = False
    """CDD: the return to go is a second condition."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_ranges(self, condition_dropout=SHARE, strength=AT_LEAST_0, beta=AT_LEAST_0)
        check_ranges(self, relabelled=SHARE, slack=AT_LEAST_0)


class TCDP(DiffusionPlanner):
    """The learner: one planner for each seed, which serves all cost limits."""

    draws = ("relabel", "budget", "dropout")

    def __init__(self, config: TCDPConfig, problem: Problem) -> None:
        conditions = 3 if config.condition_on_return else 2
        super().__init__(config, problem, conditions)
        self.guide = self._value(conditions)
        self.ranks = self._learned("guide", self.guide, "guide")
        self.labels = Labels(config, problem, self.sequences)

    def tensors(self) -> dict[str, Tensor]:
        return super().tensors() | {"best_returns": self.labels.best}  # from the data: a finished run does without

    def _update(self, step: Tensor, draws: Mapping[str, Tensor]) -> dict[str, Tensor]:
        noised, rate = self._noised(draws), linear_decay(step, self.config.steps)
        labels = self.labels.of(noised.window, draws["relabel"], draws["budget"])
        present = draws["dropout"] >= self.config.condition_dropout
        losses = {"denoising_loss": self._learn_to_denoise(noised, labels.condition, present, rate)}
        if self.config.beta > 0:  # otherwise nothing reads the guide
            guess = self.guide.apply(self.ranks.theta, noised.noisy, noised.level, labels.guide_condition)
            losses["guide_loss"] = self._descend(self.ranks, (guess - labels.target).square().mean(1), rate)
        return losses

    def condition(self, budget: Tensor, time: Tensor) -> Tensor:
        budget = budget.clamp(min=0)
        return self.labels.condition(budget, time, self.labels.affordable(budget, time))

    @torch.no_grad()
    def plan(self, observations: Tensor, condition: Tensor, start: Tensor) -> Tensor:
        def ascent(x: Tensor, k: int) -> Tensor:
            return self.guide.ascent(self.ranks.ema, x, self._level(x, k), condition)[1]

        noise = classifier_free(lambda x, k: self._noise(x, k, condition), self._noise, self.config.strength)
        guided = ascending(noise, ascent, self.chain, self.config.beta)
        return sample_plan(guided, self.chain, start, observations)

    def report(self) -> dict[str, object]:
        return {"median_budget_range": float(np.median(self.labels.budgets - self.problem.data.trajectory_costs))}


PAPER = TCDPConfig(
    steps=500_000,
    inverse_steps=100_000,
    batch_size=256,
    horizon=32,
    width=320,
    heads=10,
    levels=20,
    learning_rate=2e-4,
    ema_rate=0.001,
    replan_every=1,
)
SMALL = {"steps": 50, "inverse_steps": 50, "batch_size": 8, "horizon": 3, "width": 8, "heads": 2, "blocks": 1}
SMALL |= {"hidden": (16,), "levels": 3, "replan_every": 2}
CDD = {"beta": 0.0, "condition_on_return": True, "relabelled": 0.0, "strength": 1.2}


def _spec(title: str, paper: str, **changes: Any) -> MethodSpec:
    return MethodSpec(
        title=title,
        paper=paper,
        build=TCDP,
        presets={"quick": replace(TCDPConfig(), **changes), "paper": replace(PAPER, **changes)},
        smoke=SMALL,
        brief={"steps": 500},
    )


SPEC = _spec("TCDP", "Zhang et al. 2025 (TCDP)")
SPEC_CDD = _spec("CDD", "Ajay et al. 2023 (Decision Diffuser), with a cost", **CDD)
SPEC_SDGD = _spec("SDGD", "SDGD 2026 (arXiv 2605.02777)", guide="prefix")
