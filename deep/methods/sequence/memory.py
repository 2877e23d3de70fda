"""How a decision transformer acts: with the last steps of every episode, and what is left of its return and budget."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from deep.core.problem import Problem
from deep.methods.parts.budget import by_replica, by_seed
from deep.methods.sequence.tokens import Steps, Units


class Memory(NamedTuple):
    """The last K steps of every episode, the latest last; places before the first step hold zeros."""

    observations: Float[Tensor, "replicas batch K obs"]
    actions: Float[Tensor, "replicas batch K act"]
    return_to_go: Float[Tensor, "replicas batch K"]
    """In the task's unit."""
    cost_to_go: Float[Tensor, "replicas batch K"]
    next_return: Float[Tensor, "replicas batch"]
    """The return to go of the step that comes next."""
    next_cost: Float[Tensor, "replicas batch"]
    steps: Int[Tensor, "replicas batch"]
    """How many steps were played."""


Mean = Callable[[Steps], Float[Tensor, "seeds rows K act"]]
"""The mean actions of every seed's model at all steps of a window."""


class CDTPolicy:
    """The policies of all replicas; each has the model of its seed and its own limit.

    The return to ask for (`targets`) and the limit fall by what was earned and spent. The action is the mean at the
    latest of K = `history` steps, clipped to [-1, 1].
    """

    markov, max_batch = False, 4096

    def __init__(
        self, problem: Problem, mean: Mean, units: Units, targets: Float[Tensor, " replicas"], history: int
    ) -> None:
        self.problem, self.mean, self.units, self.targets, self.history = problem, mean, units, targets, history

    def start(self, batch: int) -> Memory:
        problem, K = self.problem, self.history
        replicas, like = len(problem.replicas), problem.replay.observations
        sizes = problem.observation_size, problem.action_size
        observations, actions = (like.new_zeros(replicas, batch, K, size) for size in sizes)
        nothing = like.new_zeros(replicas, batch, K)
        limits = problem.limits.to(like)
        wanted, budget = (row.unsqueeze(1).repeat(1, batch) for row in (self.targets, limits))
        steps = torch.zeros(replicas, batch, dtype=torch.long, device=like.device)
        return Memory(observations, actions, nothing, nothing, wanted, budget, steps)

    @torch.no_grad()
    def act(self, state: Memory, observations: Tensor) -> tuple[Tensor, Memory]:
        state = state._replace(
            observations=_pushed(state.observations, observations),
            actions=_pushed(state.actions, torch.zeros_like(state.actions[:, :, 0])),
            return_to_go=_pushed(state.return_to_go, state.next_return),
            cost_to_go=_pushed(state.cost_to_go, state.next_cost),
        )
        chosen = self._mean(state).clamp(-1, 1)
        actions = torch.cat([state.actions[:, :, :-1], chosen.unsqueeze(2)], 2)
        return chosen, state._replace(actions=actions, steps=state.steps + 1)

    def observe(self, state: Memory, rewards: Tensor, costs: Tensor, done: Tensor) -> Memory:
        return state._replace(next_return=state.next_return - rewards, next_cost=state.next_cost - costs)

    def _mean(self, state: Memory) -> Float[Tensor, "replicas batch act"]:
        """The mean action at the latest step; the replicas of a seed are rows of one batch of its model."""
        K = self.history
        time = state.steps.unsqueeze(-1) + torch.arange(K, device=state.steps.device) - (K - 1)
        steps = Steps(
            state.observations,
            state.actions,
            self.units.returns(state.return_to_go),
            self.units.costs(state.cost_to_go),
            time.clamp(0, self.problem.task.episode_length - 1),
            time >= 0,
        )
        merged = Steps(*(by_seed(self.problem, x) for x in steps))
        return by_replica(self.problem, self.mean(merged)[:, :, -1])


def _pushed(history: Float[Tensor, "replicas batch K ..."], latest: Float[Tensor, "replicas batch ..."]) -> Tensor:
    """The history without its first entry, and the latest as its last."""
    return torch.cat([history[:, :, 1:], latest.unsqueeze(2)], 2)
