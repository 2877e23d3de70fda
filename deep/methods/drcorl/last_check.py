"""The last check of DRCORL: after adaptation the clone and the best policies at rest are evaluated once more.

At a rest of a few hundred steps the critics have not caught up, their values swing, and the policy selection takes the
luckiest of them. So the clone and the best `candidates` stay as they are, one after the other, while their critics take
`candidate_steps` steps of TD each. A candidate's estimate is the mean of the critics' values over the second half of
these steps, and the policy selection is repeated with these estimates alone.

A candidate's critics continue from those of the candidate before. Where the two cost very differently 1000 steps do not
suffice, and the estimate lies between both (`notebooks/results/direction`).
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from deep.core.phase import BLOCK, Hook
from deep.core.problem import Problem
from deep.methods.drcorl.policy_selection import PolicySelection
from deep.methods.drcorl.rests import RestConfig
from deep.nn.parameters import Parameters
from deep.ope.interface import Estimate


class LastCheck:
    """The candidates of every replica, the clone first, and their evaluation."""

    def __init__(
        self,
        config: RestConfig,
        problem: Problem,
        actor: Parameters,
        selection: PolicySelection,
        estimate: Callable[[], Estimate],
    ) -> None:
        """`estimate` is that of the policy in `actor` by its critics, as they are."""
        self.config, self.actor, self.selection, self.estimate = config, actor, selection, estimate
        count, replicas, device = config.candidates and 1 + config.candidates, len(problem.replicas), problem.device
        self.policies = torch.zeros(count, *actor.ema.shape, device=device)
        self.scores = torch.full((count, replicas, 2), -torch.inf, device=device)
        """Every candidate's selection score at its rest, and the step of that rest."""
        self.estimates = torch.zeros(count, replicas, len(Estimate._fields), device=device)
        """The fields of every candidate's estimate."""

    def tensors(self) -> dict[str, Tensor]:
        if not len(self.policies):
            return {}
        return {
            "last_check.policies": self.policies,
            "last_check.scores": self.scores,
            "last_check.estimates": self.estimates,
        }

    @property
    def steps(self) -> int:
        """Steps of the critics, over all candidates."""
        return len(self.policies) * self.config.candidate_steps

    @torch.no_grad()
    def offer(self, step: int, estimates: Sequence[Estimate]) -> None:
        """Make the present policy a candidate, in the place of the one with the lowest score, where its own is higher.
        The clone, that of step 0, has a place of its own."""
        if not len(self.policies):
            return
        score = self.selection.scores(estimates)
        lowest, place = self.scores[1:, :, 0].min(0)
        place = place + 1 if step > 0 else torch.zeros_like(place)
        better = (score > lowest).nonzero().squeeze(1)
        place = place[better]
        self.policies[place, better] = self.actor.ema[better]
        self.scores[place, better] = torch.stack([score, torch.full_like(score, step)], 1)[better]

    def hook(self) -> Hook:
        return Hook(BLOCK, self.evaluate)

    @torch.no_grad()
    def evaluate(self, step: int) -> dict[str, Tensor]:
        """Before the first step of a candidate: make it the policy. In the second half of its steps: estimate it."""
        candidate, own = divmod(step, self.config.candidate_steps)
        if own == 0:
            for parameters in (self.actor.theta, self.actor.ema):
                parameters.copy_(self.policies[candidate])
        estimate = self.estimate()
        if 2 * own >= self.config.candidate_steps:
            count = self.config.candidate_steps // (2 * BLOCK)
            self.estimates[candidate] += torch.stack([field.float() for field in estimate], 1) / count
        return {f"predicted_{name}": value for name, value in estimate._asdict().items()}

    @torch.no_grad()
    def choose(self) -> None:
        """Repeat the policy selection with the last estimates, and leave the chosen policy in `actor`."""
        for policies, scores, estimates in zip(self.policies, self.scores, self.estimates, strict=True):
            self.selection.consider(policies, scores[:, 1], (Estimate(*estimates.unbind(1)),))
        for parameters in (self.actor.theta, self.actor.ema):
            parameters.copy_(self.selection.chosen)

    def report(self) -> dict[str, object]:
        """The last estimates of every replica's candidates."""
        if not len(self.policies):
            return {}
        steps, cost, reward = self.scores[..., 1], self.estimates[..., 0], self.estimates[..., 4]
        return {
            "candidates": [
                [{"step": s, "cost": c, "return": r} for s, c, r in zip(*columns, strict=True)]
                for columns in zip(steps.T.tolist(), cost.T.tolist(), reward.T.tolist(), strict=True)
            ]
        }
