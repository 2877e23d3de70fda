"""Policy selection of DRCORL: the best of the policies evaluated along the way, by estimates from the data alone."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from deep.core.problem import Problem
from deep.data.selection import TrajectoryStats
from deep.methods.drcorl.gate import GateConfig
from deep.nn.parameters import Parameters
from deep.ope.interface import Estimate, estimate_doubt


def selection_score(
    estimate: Estimate,
    limits: Float[Tensor, " replicas"],
    min_length: float,
    lowest_return: float,
    config: GateConfig,
) -> Float[Tensor, " replicas"]:
    """The score by which policies are compared: for a safe policy its predicted return above the data's lowest; for
    any other minus the sum of its violations.

    Violations are relative to what is accepted: mean cost + k std above the limit, a predicted length below the least
    accepted one, an OOD score above the largest accepted one. Every safe policy scores at least 0, others below.
    """
    cost = estimate.cost + config.k * estimate.cost_std
    violation = torch.clamp(cost - limits, min=0) / limits.clamp(min=1)
    violation = violation + torch.clamp(min_length - estimate.length, min=0) / max(min_length, 1)
    violation = violation + torch.clamp(estimate.ood_score / config.max_disagreement - 1, min=0)
    return torch.where(violation > 0, -violation, (estimate.reward.double() - lowest_return).clamp(min=0))


def within_model_error(
    estimate: Estimate, cloned: TrajectoryStats, problem: Problem, max_model_error: float
) -> Bool[Tensor, " replicas"]:
    """Whether the clone's predicted return and cost are those of the cloned trajectories, up to `max_model_error`
    times the data's range of returns and times the largest possible cost of an episode."""
    data = problem.data
    largest_cost = problem.task.episode_length * float(data.costs.max())
    return_error = (estimate.reward - cloned.returns).abs() / max(float(np.ptp(data.trajectory_returns)), 1e-9)
    cost_error = (estimate.cost - cloned.costs).abs() / max(largest_cost, 1e-9)
    return (return_error <= max_model_error) & (cost_error <= max_model_error)


class PolicySelection:
    """The best policy so far of every replica, its score, and whether the learned dynamics agree with the data."""

    def __init__(self, config: GateConfig, problem: Problem, actor: Parameters, cloned: TrajectoryStats | None) -> None:
        """`cloned` are the statistics of the cloned trajectories where these are the best ones, else None."""
        self.config, self.problem, self.actor, self.cloned = config, problem, actor, cloned
        self.min_length = config.min_length_ratio * float(problem.data.lengths.mean())
        """The least predicted length, in steps, of a safe policy's episodes."""
        self.lowest_return = float(problem.data.trajectory_returns.min())
        self.chosen = actor.ema.clone()
        self.score = torch.full((len(problem.replicas), 2), -torch.inf, device=problem.device)
        """For every replica the selection score of the chosen policy, and the step at which it was evaluated."""
        self.trusted = torch.ones(len(problem.replicas), dtype=torch.bool, device=problem.device)
        """Whether the learned dynamics' error on the clone is within `max_model_error`."""

    def tensors(self) -> dict[str, Tensor]:
        return {"chosen": self.chosen, "selected_score": self.score, "trusted": self.trusted}

    def start(self) -> None:
        """Choose the policy that adaptation starts from."""
        self.chosen.copy_(self.actor.ema)
        self.score[:, 1] = 0

    def check_model_error(self, estimates: tuple[Estimate, Estimate]) -> None:
        """Compare both ensembles' absolute predictions for the clone with the cloned trajectories."""
        assert self.cloned is not None
        largest = self.config.max_model_error
        within = [within_model_error(estimate, self.cloned, self.problem, largest) for estimate in estimates]
        self.trusted.copy_(torch.stack(within).all(0))

    def scores(self, estimates: Sequence[Estimate]) -> Float[Tensor, " replicas"]:
        """With two ensembles of dynamics the score is the lower one: the ensemble whose cost the policy follows does
        not decide alone, and neither does the luckiest of many estimates."""
        scores = [
            selection_score(estimate, self.problem.limits, self.min_length, self.lowest_return, self.config)
            for estimate in estimates
        ]
        return torch.stack(scores).amin(0).to(self.score)

    def update(self, step: int, estimates: Sequence[Estimate]) -> None:
        """Choose the current policy where its score exceeds that of the chosen one; at step 0 in any case."""
        self.consider(self.actor.ema, torch.full_like(self.score[:, 1], step), estimates)

    def consider(
        self,
        policies: Float[Tensor, "replicas params"],
        steps: Float[Tensor, " replicas"],
        estimates: Sequence[Estimate],
    ) -> None:
        """Choose these policies, which were evaluated at `steps`, as `update` does."""
        score = self.scores(estimates)
        better = (score > self.score[:, 0]) & self.trusted
        if self.cloned is not None:
            better &= score >= 0
        better |= steps == 0
        self.chosen.copy_(torch.where(better.unsqueeze(1), policies, self.chosen))
        self.score.copy_(torch.where(better.unsqueeze(1), torch.stack([score, steps], 1), self.score))

    @property
    def kept(self) -> Float[Tensor, "replicas params"]:
        """The policy that training returns: the best so far, or the last one."""
        return self.chosen if self.config.select == "best" else self.actor.ema

    def doubts(self, estimate: Estimate) -> list[str | None]:
        """For every replica the reason to doubt this estimate of the kept policy, None without one: "contradicted" by
        the data, or "short" episodes. The model error is checked where the best policy is selected."""
        trusted = self.trusted.tolist() if self.config.select == "best" else [True] * len(self.trusted)
        return [
            estimate_doubt(agrees, length, self.min_length)
            for agrees, length in zip(trusted, estimate.length.tolist(), strict=True)
        ]

    def remarks(self) -> list[str]:
        """How many replicas kept the clone, for which the learned dynamics contradict the data, and for which no policy
        was estimated to be safe; a line each."""
        if self.config.select != "best":
            return []
        adapted = sum(step > 0 for step in self.score[:, 1].tolist())
        count = len(self.score)
        counts = (
            f"Of {count} replicas, {count - adapted} kept the clone that training starts from and {adapted} a "
            "policy adapted from it (chosen_step in summary.json)."
        )
        lines = [counts]
        for replica, agrees, score in zip(
            self.problem.replicas, self.trusted.tolist(), self.score[:, 0].tolist(), strict=True
        ):
            name = f"seed {replica.seed}, limit {replica.cost_limit:g}: "
            if not agrees:
                lines.append(
                    f"{name}the learned dynamics contradict the data about the clone that training starts from. The "
                    "clone was kept, and the offline estimate is not to be believed."
                )
            elif -np.inf < score < 0:
                lines.append(
                    f"{name}training estimated no policy to be safe, and kept the one that came nearest: nothing "
                    "offline says that it satisfies the limit."
                )
        return lines

    def report(self) -> dict[str, object]:
        if self.config.select != "best":
            return {}
        return {"chosen_step": self.score[:, 1].tolist(), "dynamics_trusted": self.trusted.tolist()}
