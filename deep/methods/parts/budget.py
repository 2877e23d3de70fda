r"""Acting with a budget: policies that carry what an episode has cost so far, with one trained model for all limits.

A model with the budget as an input serves every cost limit. Its parameters have one row per seed; acting has one row
per replica, a seed with a cost limit. `by_seed` lays the limits of a seed side by side as more rows of the batch, so
that the parameters are not copied.

The budget left before step t of an episode is b_t = limit - (the costs of steps 0 ... t - 1), in costs as the task
counts them. Its discounted value at a constant cost rate over the rest of the episode is

    kappa_t = b_t D_t / E_t,   D_t = (1 - gamma^k) / (1 - gamma),   k = L - t,

where E_t is the expected number of steps left: k, or (1 - (1 - p)^k) / p where a step times out with probability p. So
kappa_0 is `episodic_to_discounted(limit, ..., "start")`, and kappa_{L-1} = b. Source: Chemingui et al. 2025 (CAPS).
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Shaped
from torch import Tensor

from deep.core.method import Inference, Method, Policy
from deep.core.problem import Problem
from deep.tasks import Task


class EpisodeSums(NamedTuple):
    """What the episode of every row has cost and earned so far, in the task's units: the state of a budget policy.

    A policy with more memory (a window of tokens, a plan) keeps one of these as a part of its own state.
    """

    cost: Float[Tensor, "replicas batch"]
    reward: Float[Tensor, "replicas batch"]
    step: Float[Tensor, "replicas batch"]
    """Steps played."""

    @classmethod
    def start(cls, problem: Problem, batch: int) -> "EpisodeSums":
        """At the first step of `batch` episodes of every replica."""
        zeros = torch.zeros(len(problem.replicas), batch, device=problem.device)
        return cls(zeros, zeros.clone(), zeros.clone())

    def observe(
        self,
        rewards: Float[Tensor, "replicas batch"],
        costs: Float[Tensor, "replicas batch"],
        done: Bool[Tensor, "replicas batch"],
    ) -> "EpisodeSums":
        """After one more step; the caller reports rewards and costs of 0 for an episode that has ended before."""
        return EpisodeSums(self.cost + costs, self.reward + rewards, self.step + (~done).to(self.step.dtype))


class Budget(NamedTuple):
    """What a model is given of the episodes that it acts in, with the limits of a seed side by side."""

    left: Float[Tensor, "seeds rows"]
    """b_t, not below 0."""
    limit: Float[Tensor, "seeds rows"]
    """The cost limit of the row."""
    earned: Float[Tensor, "seeds rows"]
    """The rewards so far."""
    step: Float[Tensor, "seeds rows"]
    """t."""


Choose = Callable[[Float[Tensor, "seeds rows obs"], Budget], Float[Tensor, "seeds rows act"]]
"""The actions of every seed's model at normalised observations, given the budgets."""


class BudgetPolicy:
    """The policies of all replicas by one model per seed with the budget left and the time as inputs."""

    markov, max_batch = False, None

    def __init__(self, problem: Problem, choose: Choose) -> None:
        self.problem, self.choose = problem, choose

    def start(self, batch: int) -> EpisodeSums:
        return EpisodeSums.start(self.problem, batch)

    @torch.no_grad()
    def act(
        self, state: EpisodeSums, observations: Float[Tensor, "replicas batch obs"]
    ) -> tuple[Float[Tensor, "replicas batch act"], EpisodeSums]:
        actions = self.choose(by_seed(self.problem, observations), budget_of(self.problem, state))
        return by_replica(self.problem, actions), state

    def observe(self, state: EpisodeSums, rewards: Tensor, costs: Tensor, done: Tensor) -> EpisodeSums:
        return state.observe(rewards, costs, done)


class BudgetMethod(Method, ABC):
    """A method whose one model per seed acts with the budget left."""

    problem: Problem

    @abstractmethod
    def choose(self, observations: Float[Tensor, "seeds rows obs"], budget: Budget) -> Float[Tensor, "seeds rows act"]:
        """The actions with these budgets left."""

    def policies(self) -> dict[str, Policy]:
        return {"": BudgetPolicy(self.problem, self.choose)}

    def exportable(self, replica: int) -> Inference:
        return Inference(None, (), "the mean action, given the budget left")


def budget_of(problem: Problem, sums: EpisodeSums) -> Budget:
    """The budgets of all rows before their next step."""
    limit = problem.limits.to(sums.cost.dtype).unsqueeze(1).expand_as(sums.cost)
    left = (limit - sums.cost).clamp(min=0)
    return Budget(*(by_seed(problem, x) for x in (left, limit, sums.reward, sums.step)))


def discounted_budget(
    left: Float[Tensor, "*rows"], step: Float[Tensor, "*rows"], task: Task, gamma: float, endless: bool = False
) -> Float[Tensor, "*rows"]:
    """kappa_t: the discounted cost that may be spent from here on, at a constant rate. From step L - 1 on it is b.

    `endless` takes 1 / (1 - gamma) for D_t, as if that rate went on after the episode's end.
    """
    steps_left = (task.episode_length - step).clamp(min=1)
    discounted = 1 / (1 - gamma) if endless else (1 - gamma**steps_left) / (1 - gamma)
    rate = task.timeout_rate
    expected = (1 - (1 - rate) ** steps_left) / rate if rate > 0 else steps_left
    return left * discounted / expected


def by_seed(problem: Problem, x: Shaped[Tensor, "replicas batch *rest"]) -> Shaped[Tensor, "seeds rows *rest"]:
    """The rows of a seed's replicas side by side: rows are limits x batch."""
    return x.unflatten(0, (len(problem.seeds), -1)).flatten(1, 2)


def by_replica(problem: Problem, x: Float[Tensor, "seeds rows *rest"]) -> Float[Tensor, "replicas batch *rest"]:
    """The inverse of `by_seed`."""
    return x.unflatten(1, (len(problem.cost_limits), -1)).flatten(0, 1)
