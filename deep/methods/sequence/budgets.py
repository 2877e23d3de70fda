"""CTGDA and QN of TCDP: which budgets a trajectory stands for, and how good a return is among like budgets.

The extended abstract gives both ideas and no formula; what follows is our reading.

CTGDA (cost-returns-to-go relabelling with data augmentation): a trajectory of cost C_i and return R_i is an example for
every budget b in [C_i, B_i], where B_i is the largest budget at which it is nearly as good as what the budget affords:

    B_i = max{b <= largest cost: R_i >= R*(b) - slack (R_max - R_min)},  R*(b) = max{R_j: C_j <= b}.

Beyond B_i far better trajectories are allowed, and it would be noise. Relabelled to b, its costs to go rise by b - C_i.

QN (quantile normalisation): the return to go of a window is replaced by its rank in [0, 1] among windows of like cost
to go and like time left, so that one beta means the same at all budgets.
"""

from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor

from deep.core.problem import Problem
from deep.data.sequences import Frontier, Sequences, Window
from deep.tasks import COST_ROUNDING

GRID = 321
"""Budgets at which the best return is kept; a budget between two counts as the lower one."""
LARGEST_CONDITION = 2.0
"""Budgets above this multiple of the protocol's largest limit count as it."""


@runtime_checkable
class LabelConfig(Protocol):
    """The settings of `deep.methods.sequence.tcdp.TCDPConfig` that labels depend on."""

    @property
    def relabelled(self) -> float: ...
    @property
    def slack(self) -> float: ...
    @property
    def guide(self) -> str: ...
    @property
    def condition_on_return(self) -> bool: ...


def largest_budgets(costs: Float[NDArray, " n"], returns: Float[NDArray, " n"], slack: float) -> Float[NDArray, " n"]:
    """B_i of every trajectory; at least its own cost."""
    frontier = Frontier.of(costs, returns)
    allowed = returns + slack * (returns.max() - returns.min())
    # The first step of the staircase that is too good begins where the trajectory stops to stand for the budget.
    too_good = np.searchsorted(frontier.returns, allowed, side="right")
    ends = np.append(frontier.costs, np.nextafter(costs.max(), np.inf))
    return np.maximum(np.nextafter(ends[too_good], -np.inf), costs)


class Quantiles(NamedTuple):
    """Quantiles of the returns to go in bins of cost to go x time left."""

    cost_edges: Float[Tensor, " inner_cost_edges"]
    time_edges: Float[Tensor, " inner_time_edges"]
    levels: Float[Tensor, "cost_bins time_bins quantiles"]
    """The returns to go at equally spaced ranks from 0 to 1."""

    @classmethod
    def of(
        cls,
        cost_to_go: Float[NDArray, " n"],
        time_left: Float[NDArray, " n"],
        return_to_go: Float[NDArray, " n"],
        bins: int = 10,
        quantiles: int = 101,
    ) -> "Quantiles":
        """From all rows of the data. An empty bin takes the quantiles of its time alone, or of all."""
        inner = np.linspace(0, 1, bins + 1)[1:-1]
        cost_edges = np.unique(np.quantile(cost_to_go, inner))
        time_edges = np.unique(np.quantile(time_left, inner))
        cost_bin = np.searchsorted(cost_edges, cost_to_go, side="right")
        time_bin = np.searchsorted(time_edges, time_left, side="right")
        ranks = np.linspace(0, 1, quantiles)
        levels = np.empty((len(cost_edges) + 1, len(time_edges) + 1, quantiles))
        for t in range(levels.shape[1]):
            at_time = time_bin == t
            for c in range(levels.shape[0]):
                chosen = at_time & (cost_bin == c)
                rows = chosen if chosen.any() else at_time if at_time.any() else slice(None)
                levels[c, t] = np.quantile(return_to_go[rows], ranks)
        return cls(*(torch.from_numpy(x) for x in (cost_edges, time_edges, levels)))

    def to(self, like: Tensor) -> "Quantiles":
        """The tables in the dtype and on the device of `like`."""
        return Quantiles(*(x.to(like) for x in self))

    def rank(
        self, cost_to_go: Float[Tensor, "n batch"], time_left: Float[Tensor, "n batch"], return_to_go: Tensor
    ) -> Float[Tensor, "n batch"]:
        """The rank in [0, 1] of each return to go within its bin, linear between quantiles."""
        cost_bin = torch.searchsorted(self.cost_edges, cost_to_go.contiguous(), right=True)
        time_bin = torch.searchsorted(self.time_edges, time_left.contiguous(), right=True)
        levels, wanted = self.levels[cost_bin, time_bin], return_to_go.unsqueeze(-1)
        last = levels.shape[-1] - 1
        above = torch.searchsorted(levels.contiguous(), wanted.contiguous(), right=True).clamp(1, last)
        low, high = levels.gather(-1, above - 1), levels.gather(-1, above)
        share = ((wanted - low) / (high - low).clamp(min=torch.finfo(levels.dtype).tiny)).clamp(0, 1)
        return ((above - 1 + share) / last).squeeze(-1)


class Windowed(NamedTuple):
    """What a window is learned under."""

    condition: Float[Tensor, "n batch c"]
    """The denoiser's condition."""
    guide_condition: Float[Tensor, "n batch c"]
    target: Float[Tensor, "n batch"]
    """What the guide predicts."""


class Labels:
    """Conditions and targets of windows, on the device."""

    def __init__(self, config: LabelConfig, problem: Problem, sequences: Sequences) -> None:
        data, like = problem.data, problem.replay.observations
        self.config, self.sequences = config, sequences
        self.length, self.unit = problem.task.episode_length, max(problem.task.cost_limits) or 1.0
        self.return_unit = problem.task.expected_length / problem.reward_scale
        costs, returns = data.trajectory_costs, data.trajectory_returns
        most = np.maximum(costs, LARGEST_CONDITION * self.unit)  # larger ones would all be the same condition
        self.budgets = np.minimum(largest_budgets(costs, returns, config.slack), most)
        self.spare = torch.from_numpy(self.budgets - data.trajectory_costs).to(like)
        cost_to_go, return_to_go, time = (
            x.cpu().numpy() for x in (sequences.cost_to_go, sequences.return_to_go, sequences.time)
        )
        self.quantiles = Quantiles.of(cost_to_go, (self.length - time).astype(float), return_to_go).to(like)
        self.spent, self.earned = (running_sum(x).to(like.device) for x in (data.costs, data.rewards))
        grid = np.linspace(0, LARGEST_CONDITION * self.unit, GRID)
        best = Frontier.of(costs, returns).returns[Frontier.of(costs, returns).steps_for(grid)]
        self.best = torch.from_numpy(best).to(like).repeat(len(problem.seeds), 1)
        """The best return of a trajectory within each of `GRID` budgets, the same for every seed."""

    def of(self, window: Window, relabel: Float[Tensor, "n batch"], budget: Float[Tensor, "n batch"]) -> Windowed:
        """Labels by CTGDA for the denoiser; for the guide of SDGD another budget, from 0 to twice the largest limit."""
        row, cost_to_go = window.rows[:, :, 0], window.cost_to_go[:, :, 0]
        returns, time = window.return_to_go[:, :, 0], window.time[:, :, 0]
        spare = self.spare[self.sequences.trajectory[row]]
        label = cost_to_go + torch.where(relabel < self.config.relabelled, budget * spare, 0.0)
        condition = self.condition(label, time, returns)
        if self.config.guide == "prefix":
            other = budget * LARGEST_CONDITION * self.unit
            return Windowed(condition, self.condition(other, time, returns), self.collected(row, other))
        target = self.quantiles.rank(cost_to_go, (self.length - time).to(returns), returns)
        return Windowed(condition, condition, target)

    def condition(self, cost_to_go: Tensor, time: Tensor, return_to_go: Tensor) -> Float[Tensor, "n batch c"]:
        """(budget in [0, 1], share of the time left[, return to go / range of returns])."""
        budget = (cost_to_go / self.unit).clamp(0, LARGEST_CONDITION) / LARGEST_CONDITION
        parts = [budget, 1 - time.to(budget) / self.length]
        if self.config.condition_on_return:
            parts.append(return_to_go / self.return_unit)
        return torch.stack(parts, -1)

    def collected(self, row: Int[Tensor, "n batch"], budget: Float[Tensor, "n batch"]) -> Float[Tensor, "n batch"]:
        """The return from each row on, before the step at which more than the budget is spent, / range of returns."""
        afforded = self.spent[row] + budget.double() * (1 + COST_ROUNDING)
        over = torch.searchsorted(self.spent, afforded, right=True)
        end = torch.minimum(over - 1, self.sequences.last[row] + 1)
        return ((self.earned[end] - self.earned[row]) / self.return_unit).to(budget)

    def affordable(self, budget: Float[Tensor, "n batch"], time: Tensor) -> Float[Tensor, "n batch"]:
        """r_max(b) for the share q of the time that is left: q times the best return of a trajectory within b / q.

        An episode on the pace of a trajectory is asked for what that trajectory still earns.
        """
        left = 1 - time.to(budget).clamp(max=self.length - 1) / self.length
        place = budget / left / (LARGEST_CONDITION * self.unit) * (GRID - 1)
        return self.best[0][place.long().clamp(0, GRID - 1)] * left


def running_sum(values: NDArray) -> Float[Tensor, " one_more"]:
    """The sums of the first 0, 1, ..., n values, float64."""
    return torch.from_numpy(np.concatenate([[0.0], np.cumsum(values, dtype=np.float64)]))
