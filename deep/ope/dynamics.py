"""An ensemble of learned dynamics models, for each seed of a problem.

Each member predicts from (s, a) the change of the (normalised) state, the reward, the probability of a cost, how large
a cost is where the data's positive costs differ, and the probability of a terminal state. `deep.ope.model_rollouts`
rolls policies out in them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from deep.core.phase import Phase
from deep.core.problem import Problem
from deep.core.randomness import RandomInput
from deep.core.validation import ABOVE_0, AT_LEAST_0, AT_LEAST_1, check_ranges
from deep.nn.mlp import MLP, initial_parameters
from deep.nn.parameters import Adam, Parameters, gradient, linear_decay


@dataclass(frozen=True)
class DynamicsConfig:
    """The ensemble of dynamics models and its rollouts."""

    steps: int = 16_000
    """Training steps; 0 trains none, and then there is no estimate."""
    members: int = 5
    """Models per seed, each with its own initialisation and minibatches. The first half, rounded down, is the
    training ensemble, whose predictions a policy in training may follow. The others are the held-out ensemble, for
    selection and report. An ensemble of one member, as the training ensemble of 2 or 3, has no disagreement."""
    batch_size: int = 256
    """Transitions per member and step."""
    hidden: tuple[int, ...] = (256, 256)
    """Hidden layers of one model."""
    learning_rate: float = 1e-3
    """Adam's step size at the start; it decays linearly to a tenth."""
    noise: float = 0.0
    """Standard deviation of noise on the states from which the models learn to predict the next ones, in units of each
    feature's standard deviation of changes. A model that has seen states beside the data's leads back to them, where
    others leave the data within few steps (Sanchez-Gonzalez et al. 2020, Learning to simulate complex physics with
    graph networks). On PointCircle1 rollouts need it, on HalfCheetahVel it makes them worse
    (`notebooks/results/direction`)."""
    episodes: int = 8
    """Start states per rollout, drawn from the data's."""
    disagreement_every: int = 25
    """Steps of a rollout between two comparisons of the members' predictions with each other."""

    def __post_init__(self) -> None:
        check_ranges(self, "dynamics.", steps=AT_LEAST_0, learning_rate=ABOVE_0, noise=AT_LEAST_0)
        one = AT_LEAST_1
        check_ranges(self, "dynamics.", members=one, batch_size=one, hidden=one, episodes=one, disagreement_every=one)


class Prediction(NamedTuple):
    """Predictions at (s, a), in the data's units except for the normalised state. Rewards are clamped to the data's
    range: far from the data an unbounded output has no meaning."""

    change: Float[Tensor, "n batch obs"]
    reward: Float[Tensor, "n batch"]
    cost: Float[Tensor, "n batch"]
    end: Float[Tensor, "n batch"]


class DynamicsModels:
    """The models; the leading axis of every tensor is seeds x members, the members of a seed adjacent."""

    def __init__(self, config: DynamicsConfig, problem: Problem) -> None:
        self.config, self.problem = config, problem
        replay = problem.replay
        self.observation_size, action_size = replay.observations.shape[1], replay.actions.shape[1]
        # A smooth activation, as motion is smooth: with ReLU the rollouts drift towards terminals that are not real.
        positive = replay.costs[replay.costs > 0]
        self.mean_cost, self.largest_cost = positive.mean().nan_to_num(0.0), replay.costs.max()
        self.costs_differ = len(positive) > 0 and bool(positive.max() > positive.min())
        outputs = self.observation_size + 3 + self.costs_differ
        self.network = MLP(self.observation_size + action_size, outputs, config.hidden, "silu")
        seeds = [seed * 1000 + member for seed in problem.seeds for member in range(config.members)]
        initial = initial_parameters(self.network, seeds, "dynamics").to(problem.device)
        self.parameters = Parameters(initial, Adam(config.learning_rate))
        change = replay.next_observations - replay.observations
        self.change_mean, self.change_std = change.mean(0), change.std(0).clamp(min=1e-6)
        self.reward_mean, self.reward_std = replay.rewards.mean(), replay.rewards.std().clamp(min=1e-6)
        self.reward_range = replay.rewards.min(), replay.rewards.max()

    def tensors(self) -> dict[str, Tensor]:
        return {f"dynamics.{name}": tensor for name, tensor in self.parameters.tensors.items()}

    def phases(self) -> list[Phase]:
        """The training of the models: least squares for change, reward and E[c | c > 0], log-loss for the others."""
        members, batch = self.config.members, self.config.batch_size
        draws = {"row": RandomInput("uniform", (members, batch))}
        if self.config.noise:
            draws["noise"] = RandomInput("normal", (members, batch, self.observation_size))
        return [Phase("dynamics", self.config.steps, self.problem.seeds, draws, self._update)]

    def _update(self, step: Tensor, draws: Mapping[str, Tensor]) -> dict[str, Tensor]:
        replay = self.problem.replay
        batch = replay.batch(replay.rows(draws["row"].flatten(0, 1)))
        observations = batch.observations
        if self.config.noise:
            observations = observations + self.config.noise * self.change_std * draws["noise"].flatten(0, 1)
        change, reward, cost_logit, end_logit, size = self._apply(observations, batch.actions)
        target = (batch.next_observations - observations - self.change_mean) / self.change_std
        fit = (change - target).square().mean((1, 2))
        fit_reward = (reward - (batch.rewards - self.reward_mean) / self.reward_std).square().mean(1)
        happened = (batch.costs > 0).to(batch.costs)
        cost = F.binary_cross_entropy_with_logits(cost_logit, happened, reduction="none").mean(1)
        end = F.binary_cross_entropy_with_logits(end_logit, 1 - batch.not_terminal, reduction="none").mean(1)
        metrics = {"change_error": fit, "reward_error": fit_reward, "cost_log_loss": cost, "end_log_loss": end}
        loss = fit + fit_reward + cost + end
        if size is not None:
            wrong = (F.softplus(size) - batch.costs / self.mean_cost).square() * happened
            metrics["cost_size_error"] = wrong.sum(1) / happened.sum(1).clamp(min=1)
            loss = loss + metrics["cost_size_error"]
        self.parameters.adam_step(gradient(loss, self.parameters), linear_decay(step, self.config.steps))
        return {name: value.detach().unflatten(0, (-1, self.config.members)).mean(1) for name, value in metrics.items()}

    def _apply(self, observations: Tensor, actions: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor | None]:
        """Standardised change and reward, the logits of cost and terminal; softplus of the last, times the mean of the
        positive costs, is E[c | c > 0], where these differ."""
        output = self.network.apply(self.parameters.theta, torch.cat([observations, actions], -1))
        change, rest = output[..., : self.observation_size], output[..., self.observation_size :]
        return change, rest[..., 0], rest[..., 1], rest[..., 2], rest[..., 3] if self.costs_differ else None

    @torch.no_grad()
    def predict(self, observations: Float[Tensor, "n batch obs"], actions: Float[Tensor, "n batch act"]) -> Prediction:
        """Every member's prediction for its own batch."""
        change, reward, cost_logit, end_logit, size = self._apply(observations, actions)
        cost = self.mean_cost if size is None else (F.softplus(size) * self.mean_cost).clamp(max=self.largest_cost)
        return Prediction(
            change * self.change_std + self.change_mean,
            (reward * self.reward_std + self.reward_mean).clamp(*self.reward_range) / self.problem.reward_scale,
            cost_logit.sigmoid() * cost,
            end_logit.sigmoid(),
        )

    @torch.no_grad()
    def changes(
        self, observations: Float[Tensor, "seeds batch obs"], actions: Float[Tensor, "seeds batch act"]
    ) -> Float[Tensor, "seeds members batch obs"]:
        """The standardised change that each member of a seed predicts at the same states."""
        members = self.config.members
        change = self._apply(observations.repeat_interleave(members, 0), actions.repeat_interleave(members, 0))[0]
        return change.unflatten(0, (-1, members))
