r"""Paired rollouts: the cost of a policy from the data's cost of its clone and the predicted difference between them.

For every member of the ensemble, with C, R and L the mean cost, return and length of the trajectories that pi_0, the
clone, is cloned from,

    cost   = C + L (c(pi) - c(pi_0)),                 length = L l(pi) / l(pi_0),
    return = (R + L (r(pi) - r(pi_0))) length / L,

where c and r are the mean cost and reward of a step over short rollouts from states of those trajectories, the same
states for both policies, and l is the length of whole episodes (`deep.ope.model_rollouts`): terminals are rare, and
short rollouts see none. The models' absolute predictions for pi_0 are off by tens of costs, although the data give its
cost. A member's error that is the same for both policies cancels; its error on the difference remains, which is small
for a policy near pi_0.

The interval includes the spread of those trajectories' costs besides that of the members: the cost of pi_0 need not be
their mean.
"""

import torch

from deep.core.method import Act, Policy, require_markov
from deep.data.selection import TrajectoryStats
from deep.ope.interface import Estimate
from deep.ope.model_rollouts import DynamicsEnsemble, Members, Outcomes
from deep.ope.short_rollouts import ShortConfig, ShortRollouts

CLONE_PREDICTION = "clone_prediction"
"""The checkpoint's name for the predictions for the clone."""


class PairedRollouts:
    """The estimator. `set_clone` stores the predictions for the clone, its only state."""

    def __init__(self, config: ShortConfig, ensemble: DynamicsEnsemble, cloned: TrajectoryStats) -> None:
        self.config, self.ensemble, self.cloned = config, ensemble, cloned
        self.starts = ShortRollouts(config, ensemble).starts
        self.clone = torch.zeros(len(cloned.costs), ensemble.config.members, 3, device=cloned.costs.device)
        """The clone's L c, L r and l: (replicas, members, 3)."""

    def set_clone(self, act: Policy | Act) -> Outcomes:
        """Take this policy as pi_0; returns the members' absolute predictions for it, which use no cost of the data."""
        outcomes = self.absolute(act)
        self.clone.copy_(torch.stack([outcomes.cost, outcomes.reward, outcomes.length], -1))
        return outcomes

    def rollout(self, act: Policy | Act) -> Outcomes:
        """Every member's estimate for the policy, by the module's equations."""
        return self.relative_to_clone(self.absolute(act))

    def relative_to_clone(self, absolute: Outcomes) -> Outcomes:
        """The module's equations, from a policy's absolute predictions."""
        cloned = self.cloned
        clone_cost, clone_reward, clone_length = self.clone.unbind(-1)
        data_length = cloned.lengths.unsqueeze(1)
        longest = self.ensemble.problem.task.episode_length
        length = (data_length * absolute.length / clone_length.clamp(min=1)).clamp(max=longest)
        full_length_return = cloned.returns.unsqueeze(1) + (absolute.reward - clone_reward)
        return absolute._replace(
            cost=cloned.costs.unsqueeze(1) + (absolute.cost - clone_cost),
            reward=full_length_return * length / data_length,
            length=length,
        )

    def absolute(self, act: Policy | Act) -> Outcomes:
        """L c, L r and l of the policy by every member, and its OOD score along the short rollouts."""
        short = self.ensemble.rollout(require_markov(act), self.starts, self.config.steps)
        scale = self.cloned.lengths.unsqueeze(1) / short.length
        episodes = self.ensemble.rollout(act)
        return short._replace(cost=short.cost * scale, reward=short.reward * scale, length=episodes.length)

    def read(self, outcomes: Outcomes, members: Members) -> Estimate:
        """The estimate by these members."""
        return self.ensemble.read(outcomes, members, self.cloned.spread)

    def estimate(self, act: Policy | Act) -> Estimate:
        """The estimate by the held-out ensemble."""
        return self.read(self.rollout(act), "held_out")
