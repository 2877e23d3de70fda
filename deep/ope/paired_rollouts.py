r"""Paired roll-outs: what the learned dynamics foretell of a policy beyond what they foretell of its clone.

Member by member, with C, R and L the mean cost, return and length of the trajectories of which pi_0 is a clone,

    cost   = C + L (c(pi) - c(pi_0)),                 length = L l(pi) / l(pi_0),
    return = (R + L (r(pi) - r(pi_0))) length / L,

where c and r are the cost and the reward of a step over short roll-outs from states of those trajectories, the same for
both policies, and l is the length of whole episodes (`deep.ope.model_rollouts`): falls are rare, and short roll-outs
see none. Learned dynamics are off by tens of costs about pi_0 itself, of which the data tell what it costs. What a
member gets wrong of both policies alike cancels; what is left is its word on the difference, small where pi is near.

The interval has the spread of those trajectories' costs in it besides that of the members: pi_0 need not cost their
mean.
"""

import torch

from deep.core.method import Act, Policy, require_markov
from deep.data.selection import TrajectoryStats
from deep.ope.interface import Estimate
from deep.ope.model_rollouts import DynamicsEnsemble, Members, Outcomes
from deep.ope.short_rollouts import ShortConfig, ShortRollouts


class PairedRollouts:
    """The estimator; `begin` tells it the clone, whose outcomes are the one thing that it remembers."""

    def __init__(self, config: ShortConfig, ensemble: DynamicsEnsemble, known: TrajectoryStats) -> None:
        self.config, self.ensemble, self.known = config, ensemble, known
        self.starts = ShortRollouts(config, ensemble).starts
        self.clone = torch.zeros(len(known.costs), ensemble.config.members, 3, device=known.costs.device)
        """The clone's L c, L r and l: (replicas, members, 3)."""

    def begin(self, act: Act) -> Outcomes:
        """Take the policy for the clone; returns what the members foretell of it by themselves, without the data."""
        found = self._alone(act)
        self.clone.copy_(torch.stack([found.cost, found.reward, found.length], -1))
        return found

    def rollout(self, act: Policy | Act) -> Outcomes:
        """Every member's word on the policy, as in the module's equations."""
        found, known = self._alone(act), self.known
        cost, reward, length = self.clone.unbind(-1)
        usual = known.lengths.unsqueeze(1)
        longest = self.ensemble.problem.task.episode_length
        lasting = (usual * found.length / length.clamp(min=1)).clamp(max=longest)
        earned = known.returns.unsqueeze(1) + (found.reward - reward)
        return found._replace(
            cost=known.costs.unsqueeze(1) + (found.cost - cost), reward=earned * lasting / usual, length=lasting
        )

    def _alone(self, act: Policy | Act) -> Outcomes:
        """L c, L r and l of the policy in every member, and its departure along the short roll-outs."""
        steps = self.ensemble.rollout(require_markov(act), self.starts, self.config.steps)
        scale = self.known.lengths.unsqueeze(1) / steps.length
        whole = self.ensemble.rollout(act)
        return steps._replace(cost=steps.cost * scale, reward=steps.reward * scale, length=whole.length)

    def read(self, outcomes: Outcomes, members: Members) -> Estimate:
        """What these members say."""
        return self.ensemble.read(outcomes, members, self.known.spread)

    def estimate(self, act: Policy | Act) -> Estimate:
        """The judging half's estimate."""
        return self.read(self.rollout(act), "held_out")
