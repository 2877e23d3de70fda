r"""Rollouts of a policy in learned dynamics: an estimate of the cost, return and length of an episode.

Every replica's policy is rolled out in every member of its seed's ensemble from start states of the data, for a whole
episode; with w_t the probability that the episode has not ended before step t,

    return = sum_t w_t r_t,   cost = sum_t w_t E[c_t],   length = sum_t w_t,   w_{t+1} = w_t (1 - p_terminal).

Where the task has random timeouts, w_{t+1} has the factor 1 - timeout_rate too. Members differ in their
initialisation and minibatches. The first half is the *training* ensemble: a policy in training may follow its
predictions. The others are the *held-out* ensemble: it is used for policy selection and for the report, so that a
policy that exploits the models it follows is evaluated by models that it has not followed. Both ensembles are trained
on the same data; where these lack a region, all members may be wrong together, and no spread shows it.

The OOD score is the disagreement of an ensemble's members along a rollout,

    rms over entries of std over members of the predicted change, mean over visited (s, a), weighted by w_t,

divided by the same along the data: at 1 the members agree as well on the policy's states and actions as on the data's.
"""

from typing import Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from deep.core.method import Act, Policy, act_in_parts, as_policy
from deep.core.phase import Phase
from deep.core.problem import Problem
from deep.core.randomness import generator
from deep.ope.dynamics import DynamicsConfig, DynamicsModels
from deep.ope.interface import Estimate, prediction_interval

Half = Literal["training", "held_out"]
HALVES: tuple[Half, Half] = ("training", "held_out")
Members = Half | Literal["all"]
"""The members whose predictions are used."""


class Outcomes(NamedTuple):
    """The predictions of each member for each replica's policy, mean over the start states."""

    cost: Float[Tensor, "replicas members"]
    reward: Float[Tensor, "replicas members"]
    length: Float[Tensor, "replicas members"]
    ood_score: Float[Tensor, "replicas members"]
    not_terminal: Float[Tensor, "replicas members"]
    """The probability that the episode goes on after the last step."""


class DynamicsEnsemble:
    """The learned dynamics of a problem: the held-out ensemble estimates, the training ensemble serves a gate."""

    def __init__(self, config: DynamicsConfig, problem: Problem) -> None:
        self.config, self.problem = config, problem
        self.models = DynamicsModels(config, problem)
        members = config.members
        self._half = {"training": slice(0, members // 2), "held_out": slice(members // 2, members)}
        replay = problem.replay
        self.low, self.high = replay.observations.amin(0), replay.observations.amax(0)
        picks = [generator(s, "dynamics starts").choice(len(replay.starts), config.episodes) for s in problem.seeds]
        self.starts = replay.observations[replay.starts[torch.from_numpy(np.stack(picks)).to(problem.device)]]

    def tensors(self) -> dict[str, Tensor]:
        return self.models.tensors()

    def phases(self) -> list[Phase]:
        return self.models.phases()

    def estimate(self, act: Policy | Act) -> Estimate:
        """The estimate by the held-out ensemble."""
        return self.read(self.rollout(act), "held_out")

    def read(
        self, outcomes: Outcomes, members: Members, shared_std: Float[Tensor, " replicas"] | float = 0.0
    ) -> Estimate:
        """The estimate by these members; a single member is both ensembles.

        `shared_std` is a standard deviation of the cost that all members share.
        """
        all_members = slice(0, self.config.members)
        chosen = all_members if members == "all" or self.config.members == 1 else self._half[members]
        largest = self.problem.task.episode_length * self.problem.replay.costs.max().item()
        cost = prediction_interval(outcomes.cost[:, chosen], largest, shared_std)
        means = (values[:, chosen].mean(1) for values in (outcomes.reward, outcomes.length, outcomes.ood_score))
        return Estimate(*cost, *means)

    @torch.no_grad()
    def rollout(
        self, act: Policy | Act, starts: Float[Tensor, "replicas n obs"] | None = None, steps: int | None = None
    ) -> Outcomes:
        """Roll out every replica's policy in every member: whole episodes, or `steps` from these normalised states."""
        problem, members = self.problem, self.config.members
        starts = self.starts[problem.seed_index] if starts is None else starts
        episodes = starts.shape[1]
        state = starts.unsqueeze(1).expand(-1, members, -1, -1).flatten(1, 2)
        not_terminal = torch.ones(len(problem.replicas), members, episodes, device=problem.device)
        total = {name: torch.zeros_like(not_terminal) for name in ("cost", "reward", "length", "ood_score")}
        comparisons = torch.zeros_like(not_terminal)
        data_disagreement = self._data_disagreement()
        policy = as_policy(act)
        memory = policy.start(state.shape[1])
        for step in range(problem.task.episode_length if steps is None else steps):
            actions, memory = act_in_parts(policy, memory, state)
            actions = actions.clamp(-1, 1)
            if step % self.config.disagreement_every == 0:
                total["ood_score"] += not_terminal * self._disagreement(state, actions) / data_disagreement
                comparisons += not_terminal
            change, *scalars = self.models.predict(self._by_member(state), self._by_member(actions))
            reward, cost, end = self._by_replica(torch.stack(scalars, -1)).unflatten(1, (members, episodes)).unbind(-1)
            total["reward"] += not_terminal * reward
            total["cost"] += not_terminal * cost
            total["length"] += not_terminal
            not_terminal = not_terminal * (1 - end) * (1 - problem.task.timeout_rate)
            # An episode goes on with its weight: the policy never observes an end.
            outcome = (x.flatten(1) for x in (reward, cost, torch.zeros_like(cost, dtype=torch.bool)))
            memory = policy.observe(memory, *outcome)
            state = torch.clamp(state + self._by_replica(change), self.low, self.high)
        total["ood_score"] /= comparisons
        return Outcomes(**{name: values.mean(2) for name, values in total.items()}, not_terminal=not_terminal.mean(2))

    def _by_member(self, x: Float[Tensor, "replicas rows k"]) -> Float[Tensor, "models rows_of_model k"]:
        """(replicas, members x episodes, k) -> (seeds x members, limits x episodes, k)."""
        per_seed = len(self.problem.cost_limits)
        x = x.unflatten(0, (-1, per_seed)).unflatten(2, (self.config.members, -1)).transpose(1, 2)
        return x.flatten(2, 3).flatten(0, 1)

    def _by_replica(self, x: Float[Tensor, "models rows_of_model k"]) -> Float[Tensor, "replicas rows k"]:
        """The inverse of `_by_member`."""
        per_seed = len(self.problem.cost_limits)
        x = x.unflatten(0, (-1, self.config.members)).unflatten(2, (per_seed, -1)).transpose(1, 2)
        return x.flatten(2, 3).flatten(0, 1)

    def _disagreement(
        self, state: Float[Tensor, "replicas rows obs"], actions: Float[Tensor, "replicas rows act"]
    ) -> Float[Tensor, "replicas members episodes"]:
        """At every member's states: the disagreement of the members of its half."""
        per_seed, members = len(self.problem.cost_limits), self.config.members
        pairs = (x.unflatten(0, (-1, per_seed)).flatten(1, 2) for x in (state, actions))
        change = self.models.changes(*pairs).unflatten(2, (per_seed, members, -1))  # seed, by, limit, of, episode, obs
        halves = [_spread(change[:, half][:, :, :, half]) for half in self._half.values()]
        return torch.cat(halves, dim=2).flatten(0, 1)

    def _data_disagreement(self) -> Float[Tensor, "replicas members 1"]:
        """The mean disagreement over 2048 transitions of the data."""
        replay = self.problem.replay
        rows = torch.linspace(0, len(replay) - 1, 2048, device=self.problem.device).long()
        pairs = (x[rows].expand(len(self.problem.seeds), -1, -1) for x in (replay.observations, replay.actions))
        change = self.models.changes(*pairs)
        by_half = [
            _spread(change[:, half]).mean(1, keepdim=True).expand(-1, half.stop - half.start)
            for half in self._half.values()
        ]
        return torch.cat(by_half, 1)[self.problem.seed_index].unsqueeze(2).clamp(min=1e-9)


def _spread(change: Float[Tensor, "seeds by *rest obs"]) -> Float[Tensor, "seeds *rest"]:
    """The root of the mean over entries of the variance over members; 0 where there are none or one."""
    if change.shape[1] == 0:
        return change.new_zeros(change.shape[0], *change.shape[2:-1])
    return change.var(1, correction=0).mean(-1).sqrt()
