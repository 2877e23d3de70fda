r"""What a policy will cost, from the data alone: roll-outs in an ensemble of learned dynamics models.

Each member predicts from (s, a) the change of the (normalised) state, the reward, the probability of a cost, and the
probability of a terminal state. A policy is rolled out from start states of the data for a whole episode; with w_t the
probability of being alive,

    return = sum_t w_t r_t,   cost = sum_t w_t E[c_t],   length = sum_t w_t,   w_{t+1} = w_t (1 - p_terminal).

Costs and rewards are undiscounted, in the data's own units. The spread over members is reported as the uncertainty; it
understates the error of a policy that leaves the data, where all members may be wrong together.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from deep.networks import MLP, initial_parameters
from deep.optimisation import Adam, Parameters, falling, gradient
from deep.phases import Phase, Problem
from deep.policies import Act
from deep.randomness import Draw, generator


class Estimate(NamedTuple):
    """Per replica: expected cost, return and length of an episode, and the standard deviation over the members."""

    cost: Float[Tensor, " replicas"]
    cost_std: Float[Tensor, " replicas"]
    reward: Float[Tensor, " replicas"]
    length: Float[Tensor, " replicas"]


@dataclass(frozen=True)
class DynamicsConfig:
    """The ensemble of dynamics models and its roll-outs."""

    steps: int = 8000
    """Training steps; 0 trains none, and then there is no estimate."""
    members: int = 5
    """Models per seed, each with its own initialisation and minibatches."""
    batch_size: int = 256
    """Transitions per member and step."""
    hidden: tuple[int, ...] = (256, 256)
    """Hidden layers of one model."""
    learning_rate: float = 1e-3
    """Adam's step size at the start; it falls linearly to a tenth."""
    episodes: int = 16
    """Start states per roll-out, drawn from the data's."""


class DynamicsEnsemble:
    """Learned dynamics for each seed of a problem, and the estimates they give."""

    def __init__(self, config: DynamicsConfig, problem: Problem) -> None:
        self.config, self.problem = config, problem
        replay = problem.replay
        self.observation_size, action_size = replay.observations.shape[1], replay.actions.shape[1]
        self.network = MLP(self.observation_size + action_size, self.observation_size + 3, config.hidden)
        seeds = [seed * 1000 + member for seed in problem.seeds for member in range(config.members)]
        initial = initial_parameters(self.network, seeds, "dynamics").to(problem.device)
        self.parameters = Parameters(initial, Adam(config.learning_rate))
        change = replay.next_observations - replay.observations
        self.change_mean, self.change_std = change.mean(0), change.std(0).clamp(min=1e-6)
        self.reward_mean, self.reward_std = replay.rewards.mean(), replay.rewards.std().clamp(min=1e-6)
        self.low, self.high = replay.observations.amin(0), replay.observations.amax(0)
        self.starts = self._start_states()

    def _start_states(self) -> Float[Tensor, "seeds episodes obs"]:
        replay, episodes = self.problem.replay, self.config.episodes
        picks = [generator(s, "dynamics starts").choice(len(replay.starts), episodes) for s in self.problem.seeds]
        rows = replay.starts[torch.from_numpy(np.stack(picks)).to(replay.starts.device)]
        return replay.observations[rows]

    def tensors(self) -> dict[str, Tensor]:
        return {f"dynamics.{name}": tensor for name, tensor in self.parameters.tensors.items()}

    def phases(self) -> list[Phase]:
        """The training of the models: least squares for change and reward, log-loss for cost and terminal."""
        members, batch = self.config.members, self.config.batch_size
        draws = {"row": Draw("uniform", (members, batch))}
        return [Phase("dynamics", self.config.steps, self.problem.seeds, draws, self._update)]

    def _update(self, step: Tensor, draws: Mapping[str, Tensor]) -> dict[str, Tensor]:
        replay = self.problem.replay
        batch = replay.batch(replay.rows(draws["row"].flatten(0, 1)))
        change, reward, cost_logit, end_logit = self._predict(batch.observations, batch.actions)
        target = (batch.next_observations - batch.observations - self.change_mean) / self.change_std
        fit = (change - target).square().mean((1, 2))
        fit_reward = (reward - (batch.rewards - self.reward_mean) / self.reward_std).square().mean(1)
        # Costs beyond 1 per step are rare; the log-loss is for "some cost", its size comes from the data below.
        happened = (batch.costs > 0).to(batch.costs)
        cost = F.binary_cross_entropy_with_logits(cost_logit, happened, reduction="none").mean(1)
        end = F.binary_cross_entropy_with_logits(end_logit, 1 - batch.alive, reduction="none").mean(1)
        self.parameters.descend(
            gradient(fit + fit_reward + cost + end, self.parameters), falling(step, self.config.steps)
        )
        metrics = {"change_error": fit, "reward_error": fit_reward, "cost_log_loss": cost, "end_log_loss": end}
        return {name: value.detach().unflatten(0, (-1, self.config.members)).mean(1) for name, value in metrics.items()}

    def _predict(self, observations: Tensor, actions: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Standardised change and reward, and the logits of cost and terminal; leading axis seeds x members."""
        output = self.network.apply(self.parameters.theta, torch.cat([observations, actions], -1))
        change, rest = output[..., : self.observation_size], output[..., self.observation_size :]
        return change, rest[..., 0], rest[..., 1], rest[..., 2]

    @torch.no_grad()
    def estimate(self, act: Act) -> Estimate:
        """Roll every replica's policy out in every member of its seed's ensemble, for a whole episode."""
        problem, members, episodes = self.problem, self.config.members, self.config.episodes
        replicas, per_seed, seeds = len(problem.replicas), len(problem.cost_limits), len(problem.seeds)
        mean_cost = problem.replay.costs[problem.replay.costs > 0].mean().nan_to_num(0.0)
        state = self.starts[problem.seed_index].unsqueeze(1).expand(-1, members, -1, -1).flatten(1, 2)
        alive = torch.ones(replicas, members, episodes, device=problem.device)
        total = {name: torch.zeros_like(alive) for name in ("cost", "reward", "length")}

        def by_member(x: Tensor) -> Tensor:
            """(replicas, members x episodes, k) -> (seeds x members, limits x episodes, k)."""
            x = x.reshape(seeds, per_seed, members, episodes, -1).transpose(1, 2)
            return x.reshape(seeds * members, per_seed * episodes, -1)

        def by_replica(x: Tensor) -> Tensor:
            """The inverse of `by_member`."""
            x = x.reshape(seeds, members, per_seed, episodes, -1).transpose(1, 2)
            return x.reshape(replicas, members * episodes, -1)

        for _ in range(problem.task.episode_length):
            actions = act(state).clamp(-1, 1)
            change, reward, cost_logit, end_logit = self._predict(by_member(state), by_member(actions))
            change = by_replica(change) * self.change_std + self.change_mean
            scalars = torch.stack(
                [reward * self.reward_std + self.reward_mean, cost_logit.sigmoid(), end_logit.sigmoid()], -1
            )
            reward, cost, end = by_replica(scalars).unflatten(1, (members, episodes)).unbind(-1)
            total["reward"] += alive * reward / problem.reward_scale
            total["cost"] += alive * cost * mean_cost
            total["length"] += alive
            alive = alive * (1 - end)
            state = torch.clamp(state + change, self.low, self.high)
        cost = total["cost"].mean(2)
        return Estimate(
            cost.mean(1), cost.std(1, correction=0), total["reward"].mean((1, 2)), total["length"].mean((1, 2))
        )
