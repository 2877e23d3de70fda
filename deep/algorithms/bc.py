r"""Behaviour cloning: a tanh policy fitted to actions of the data by least squares.

    minimise E_{(s, a) in D'} |pi(s) - a|^2

bc_all takes all trajectories for D', bc_safe those whose cost keeps the limit, bc_best the best trajectory that keeps
the limit and those that act most like it: a set without contradictions, which the first two are not.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.spatial import KDTree
from torch import Tensor

from deep.datasets import OfflineDataset
from deep.estimates import DynamicsEnsemble
from deep.networks import initial_parameters
from deep.optimisation import Adam, Parameters, falling, gradient
from deep.phases import Phase, Problem
from deep.policies import Policy
from deep.randomness import Draw
from deep.replay import Rows
from theory.errors import InputError


@dataclass(frozen=True)
class BCConfig:
    """Hyper-parameters of behaviour cloning."""

    trajectories: Literal["all", "safe", "best"] = "all"
    """Which trajectories are cloned."""
    steps: int = 10_000
    """Training steps."""
    batch_size: int = 512
    """Minibatch."""
    learning_rate: float = 1e-3
    """Adam's step size, falling linearly to a tenth."""
    average_rate: float = 0.01
    """Rate of the moving average of the parameters; the average is the policy that is evaluated."""
    hidden: tuple[int, ...] = (256, 256)
    """Hidden layers of the policy."""
    neighbours: int = 10
    """best: how many trajectories are cloned, the best one included."""
    return_share: float = 0.9
    """best: the others' returns lie above this share of the best one's, counted from the data's lowest return."""


class BC:
    """The learner, for all replicas of a problem at once."""

    def __init__(self, config: BCConfig, problem: Problem, dynamics: DynamicsEnsemble) -> None:
        self.config, self.problem = config, problem
        obs, act = problem.replay.observations.shape[1], problem.replay.actions.shape[1]
        self.policy = Policy(obs, act, "dirac", config.hidden)
        initial = initial_parameters(self.policy, problem.replica_seeds, "policy").to(problem.device)
        self.actor = Parameters(initial, Adam(config.learning_rate), average=True)
        chosen = {limit: self._choose(limit) for limit in problem.cost_limits}
        self.chosen = [chosen[replica.cost_limit] for replica in problem.replicas]
        self.rows = Rows.of([rows_of(problem.data, trajectories) for trajectories in self.chosen], problem.device)

    def _choose(self, limit: float) -> Int[np.ndarray, " chosen"]:
        data, config = self.problem.data, self.config
        if config.trajectories == "all":
            return np.arange(len(data.starts))
        eligible = np.flatnonzero(data.trajectory_costs <= limit)
        if len(eligible) == 0:
            least = data.trajectory_costs.min()
            raise InputError(f"no trajectory keeps the cost limit {limit:g}: the least cost in the data is {least:g}")
        if config.trajectories == "safe":
            return eligible
        return consistent_best(data, eligible, config.neighbours, config.return_share)

    def tensors(self) -> dict[str, Tensor]:
        return {f"policy.{name}": tensor for name, tensor in self.actor.tensors.items()}

    def phases(self) -> list[Phase]:
        draws = {"row": Draw("uniform", (self.config.batch_size,))}
        problem, steps = self.problem, self.config.steps
        return [Phase("cloning", steps, problem.replica_seeds, draws, self._update, limits=problem.replica_limits)]

    def _update(self, step: Tensor, draws: Mapping[str, Tensor]) -> dict[str, Tensor]:
        batch = self.problem.replay.batch(self.problem.replay.rows(draws["row"], self.rows))
        mean, _ = self.policy.distribution(self.actor.theta, batch.observations)
        loss = (mean - batch.actions).square().mean((1, 2))
        self.actor.descend(gradient(loss, self.actor), falling(step, self.config.steps))
        self.actor.track(self.config.average_rate)
        return {"squared_error": loss.detach()}

    @torch.no_grad()
    def act(self, observations: Float[Tensor, "replicas batch obs"]) -> Float[Tensor, "replicas batch act"]:
        """The averaged policy's action."""
        return self.policy.distribution(self.actor.average, observations)[0]

    def report(self) -> dict[str, object]:
        return {"cloned_trajectories": [len(trajectories) for trajectories in self.chosen]}


def rows_of(data: OfflineDataset, trajectories: Int[np.ndarray, " chosen"]) -> Int[np.ndarray, " rows"]:
    """The rows of these trajectories."""
    pieces = [np.arange(data.starts[i], data.starts[i] + data.lengths[i]) for i in trajectories]
    return np.concatenate(pieces)


def consistent_best(
    data: OfflineDataset, eligible: Int[np.ndarray, " eligible"], count: int, return_share: float
) -> Int[np.ndarray, " chosen"]:
    """The best eligible trajectory and the `count` - 1 nearly as good ones that act most like it.

    Alike: for states of the other trajectory, the mean distance of its action to the best one's action at the nearest
    of the best one's states (distances in normalised coordinates).
    """
    returns = data.trajectory_returns
    best = eligible[returns[eligible].argmax()]
    floor = returns.min() + return_share * (returns[best] - returns.min())
    others = eligible[(returns[eligible] >= floor) & (eligible != best)]
    scale = data.observations.std(axis=0) + 1e-6
    best_rows = rows_of(data, np.array([best]))
    tree = KDTree(data.observations[best_rows] / scale)

    def distance(trajectory: np.integer) -> float:
        rows = rows_of(data, np.array([trajectory]))[::5]
        nearest = tree.query(data.observations[rows] / scale)[1]
        return float(np.linalg.norm(data.actions[rows] - data.actions[best_rows[nearest]], axis=1).mean())

    order = np.argsort([distance(trajectory) for trajectory in others], kind="stable")
    return np.concatenate([[best], others[order[: count - 1]]])
