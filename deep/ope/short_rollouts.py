r"""Short roll-outs in the learned dynamics, from states of the best trajectories that keep the limit.

What the models get wrong in one step grows over a thousand. Over few steps H from states that a good policy visits it
stays small; an episode of T steps is then taken to go on as these went,

    h = 1 - alive_H^(1/H),   length = (1 - (1 - h)^T) / h,   cost = length sum_t w_t E[c_t] / sum_t w_t,

and the return alike. True of a policy that stays where those trajectories are; of one that leaves them, or that falls
after more than H steps, these roll-outs see too little, which the study measures.
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
    """How far, and from how many states."""

    steps: int = 25
    """H, steps of a roll-out."""
    states: int = 80
    """States for each replica, drawn from the best consistent trajectories that keep its limit."""

    def __post_init__(self) -> None:
        check_ranges(self, "gate.short.", steps=AT_LEAST_1, states=AT_LEAST_1)


class ShortRollouts:
    """The estimator; all members speak."""

    def __init__(self, config: ShortConfig, ensemble: DynamicsEnsemble) -> None:
        self.config, self.ensemble = config, ensemble
        problem = ensemble.problem
        chosen = Selection("best").per_replica(problem.data, problem.replica_limits)
        picks = [
            generator(replica.seed, "short roll-outs").choice(rows_of(problem.data, trajectories), config.states)
            for replica, trajectories in zip(problem.replicas, chosen, strict=True)
        ]
        self.starts = problem.replay.observations[torch.from_numpy(np.stack(picks)).to(problem.device)]

    def rollout(self, act: Policy | Act) -> Outcomes:
        """An episode in every member: its rates of cost and reward times the length that its rate of falls allows."""
        found = self.ensemble.rollout(require_markov(act), self.starts, self.config.steps)
        length = expected_length(found.not_terminal, self.config.steps, self.ensemble.problem.task.episode_length)
        scale = length / found.length
        return found._replace(cost=found.cost * scale, reward=found.reward * scale, length=length)

    def estimate(self, act: Policy | Act) -> Estimate:
        return self.ensemble.read(self.rollout(act), "all")


def expected_length(not_terminal: Tensor, steps: int, longest: int) -> Tensor:
    """The mean length of episodes of at most `longest` steps that end at a constant rate, of which this share lasts
    `steps` steps."""
    going_on = torch.log(not_terminal.double().clamp(min=1e-30)) / steps  # log of the probability, per step
    ending = -torch.expm1(going_on)
    whole = torch.full_like(ending, float(longest))
    return torch.where(ending > 1e-9, -torch.expm1(longest * going_on) / ending, whole).to(not_terminal)
