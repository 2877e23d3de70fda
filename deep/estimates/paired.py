r"""Paired roll-outs: what the learned dynamics foretell of a policy beyond what they foretell of its clone.

    cost_m = C + short_m(pi) - short_m(pi_0),

member by member, where pi_0 is the clone, C the mean cost of the trajectories of which it is one, and short_m the cost
of an episode in member m by `deep.estimates.short`, from the same states for both policies; return and length alike.
Learned dynamics are off by tens of costs about pi_0 itself, of which the data tell what it costs. What a member gets
wrong of both policies alike cancels; what is left is its word on the difference, which is small where pi is near pi_0.

The interval has the spread of those trajectories' costs in it besides that of the members: pi_0 need not cost their
mean.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from deep.estimates.interface import Estimate
from deep.estimates.rollouts import DynamicsEnsemble, Outcomes, Voices
from deep.estimates.short import ShortConfig, ShortRollOuts
from deep.policies import Act
from deep.trajectories import Known


class PairedRollOuts:
    """The estimator; `begin` tells it the clone, whose outcomes are the one thing that it remembers."""

    def __init__(self, config: ShortConfig, ensemble: DynamicsEnsemble, known: Known) -> None:
        self.short, self.ensemble, self.known = ShortRollOuts(config, ensemble), ensemble, known
        self.clone = torch.zeros(len(known.costs), ensemble.config.members, 3, device=known.costs.device)
        """Cost, return and length of the clone's episodes: (replicas, members, 3)."""

    def begin(self, act: Act) -> Outcomes:
        """Take the policy for the clone; returns what the members foretell of it by themselves, without the data."""
        found = self.short.roll_out(act)
        self.clone.copy_(_sums(found))
        return found

    def roll_out(self, act: Act) -> Outcomes:
        """Every member's word on the policy, as in the module's equation."""
        found, known = self.short.roll_out(act), self.known
        told = torch.stack([known.costs, known.returns, known.lengths], -1).unsqueeze(1)
        cost, reward, length = (told + (_sums(found) - self.clone)).unbind(-1)
        longest = self.ensemble.problem.task.episode_length
        return found._replace(cost=cost, reward=reward, length=length.clamp(0, longest))

    def read(self, outcomes: Outcomes, voices: Voices) -> Estimate:
        """What these members say."""
        return self.ensemble.read(outcomes, voices, self.known.spread)

    def estimate(self, act: Act) -> Estimate:
        """The judging half's estimate."""
        return self.read(self.roll_out(act), "judging")


def _sums(outcomes: Outcomes) -> Float[Tensor, "replicas members 3"]:
    return torch.stack([outcomes.cost, outcomes.reward, outcomes.length], -1)
