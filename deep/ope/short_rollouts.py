r"""Short rollouts in the learned dynamics, from states of the best trajectories that satisfy the cost limit.

The error of a model grows from one step to the next. Over few steps H from states that a good policy visits it stays
small. An episode of T steps is extrapolated from them at constant rates,

    h = 1 - w_H^(1/H),   length = (1 - (1 - h)^T) / h,   cost = length sum_t w_t E[c_t] / sum_t w_t,

with w_t as in `deep.ope.model_rollouts`; the return follows in the same way. This holds for a policy that stays near
those trajectories. It misses what happens to a policy that leaves them, or that reaches a terminal after more than H
steps; `deep.benchmark.ope_study` measures this.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from deep.core.method import Act, Policy, require_markov
from deep.core.randomness import generator
from deep.core.validation import AT_LEAST_1, check_ranges
from deep.data.selection import Selection, rows_of
from deep.ope.interface import Estimate
from deep.ope.model_rollouts import DynamicsEnsemble, Outcomes


@dataclass(frozen=True)
class ShortConfig:
    """Length and number of the rollouts."""

    steps: int = 25
    """H, steps of a rollout."""
    states: int = 80
    """Start states for each replica, drawn from the best consistent trajectories that satisfy its limit."""

    def __post_init__(self) -> None:
        check_ranges(self, "gate.short.", steps=AT_LEAST_1, states=AT_LEAST_1)


class ShortRollouts:
    """The estimator; it uses all members."""

    def __init__(self, config: ShortConfig, ensemble: DynamicsEnsemble) -> None:
        self.config, self.ensemble = config, ensemble
        problem = ensemble.problem
        chosen = Selection("best").per_replica(problem.data, problem.replica_limits)
        picks = [
            generator(replica.seed, "short rollouts").choice(rows_of(problem.data, trajectories), config.states)
            for replica, trajectories in zip(problem.replicas, chosen, strict=True)
        ]
        self.starts = problem.replay.observations[torch.from_numpy(np.stack(picks)).to(problem.device)]

    def rollout(self, act: Policy | Act) -> Outcomes:
        """An episode by every member: the rates of cost and reward times the length from the rate of terminals."""
        short = self.ensemble.rollout(require_markov(act), self.starts, self.config.steps)
        length = expected_length(short.not_terminal, self.config.steps, self.ensemble.problem.task.episode_length)
        scale = length / short.length
        return short._replace(cost=short.cost * scale, reward=short.reward * scale, length=length)

    def estimate(self, act: Policy | Act) -> Estimate:
        return self.ensemble.read(self.rollout(act), "all")


def expected_length(not_terminal: Tensor, steps: int, longest: int) -> Tensor:
    """The mean length of episodes of at most `longest` steps that end at a constant rate, such that the share
    `not_terminal` of them goes on after `steps` steps."""
    log_survival = torch.log(not_terminal.double().clamp(min=1e-30)) / steps  # per step
    hazard = -torch.expm1(log_survival)
    full_length = torch.full_like(hazard, float(longest))
    return torch.where(hazard > 1e-9, -torch.expm1(longest * log_survival) / hazard, full_length).to(not_terminal)
