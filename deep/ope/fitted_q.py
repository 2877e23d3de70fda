r"""Fitted-Q evaluation by least squares: the counterpart, on fixed features, of the UCB critics of the DRCORL preprint.

With features phi and the policy's next action, the fixed point of the regression of c + gamma Q(s', pi(s')) on phi is

    theta = (E_w phi (phi - gamma phi')^T + ridge I)^{-1} E_w phi c,        Q(s, a) = theta . phi(s, a),

phi' = phi(s', pi(s')), 0 after a terminal; timeouts are bootstrapped. Cost, reward and 1 are evaluated together. Each
member reweights the data's trajectories by a bootstrap (w), and the spread over members is the uncertainty. The spread
does not include the error of extrapolating Q to actions outside the data, which all members share.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float64
from torch import Tensor

from deep.core.method import Act, Policy
from deep.core.problem import Problem
from deep.core.randomness import generator
from deep.ope.features import Features, Sample, fourier_features
from deep.ope.interface import Estimate, prediction_interval
from theory.support.errors import InputError


@dataclass(frozen=True)
class FittedQConfig:
    """Least-squares fitted-Q evaluation."""

    gamma: float | None = 0.99
    """Discount factor, the preprint's by default. None takes 1 - 1/L for episodes of L steps: the discounted sum then
    has the unit of an episode, but the fixed point is often far from the true values."""
    states: Literal["start", "data"] = "data"
    """The states over which Q is averaged: the data's, as in appendix B.1 of the preprint, or the start states, whose
    values cover only the beginning of an episode where gamma is small."""
    members: int = 6
    """Bootstrap resamples of the trajectories."""
    transitions: int = 20_000
    """Transitions that enter the sums."""
    features: int = 128
    """Random features."""
    ridge: float = 1e-4
    """Added to the matrix's diagonal; features have mean square 1."""


def fixed_point(
    data: Float64[Tensor, "n D"],
    onward: Float64[Tensor, "replicas n D"],
    payoffs: Float64[Tensor, "n k"],
    weights: Float64[Tensor, "members n"],
    gamma: float,
    ridge: float,
) -> Float64[Tensor, "replicas members D k"]:
    """theta of the module's equation for every policy, member and payoff; weights are scaled to sum to 1."""
    weighted = (weights / weights.sum(1, keepdim=True)).unsqueeze(2) * data
    square, right = weighted.mT @ data, weighted.mT @ payoffs
    matrix = square - gamma * torch.einsum("mnd,rne->rmde", weighted, onward)
    identity = torch.eye(data.shape[1], dtype=data.dtype, device=data.device)
    return torch.linalg.solve(matrix + ridge * identity, right.expand(len(onward), -1, -1, -1))


class FittedQ:
    """The estimator. Its OOD score: the members' spread of Q_c at the policy's actions over that at the data's."""

    def __init__(self, config: FittedQConfig, problem: Problem, features: Features | None = None) -> None:
        self.config, self.problem = config, problem
        length = problem.task.expected_length
        self.gamma = 1 - 1 / length if config.gamma is None else config.gamma
        if not 0 <= self.gamma < 1:
            raise InputError(f"fitted-Q evaluation: gamma {self.gamma}: accepted is a number from 0 to below 1")
        self.to_episode = (1 - self.gamma) * length
        """Converts a discounted sum at a constant rate into the sum over an episode."""
        self.sample = Sample(problem, config.transitions)
        inputs = problem.replay.observations.shape[1] + problem.replay.actions.shape[1]
        self.features = features or fourier_features(inputs, config.features)
        self.weights = self._bootstrap()

    def _bootstrap(self) -> Float64[Tensor, "members n"]:
        """How often each member draws each row's trajectory; the first member draws every trajectory once."""
        count = len(self.problem.data.starts)
        rng = generator(0, "fitted-q bootstrap")
        drawn = torch.from_numpy(rng.multinomial(count, [1 / count] * count, self.config.members))
        drawn[0] = 1
        return drawn[:, torch.from_numpy(self.sample.trajectory)].double().to(self.problem.device)

    def _possible_returns(self) -> tuple[float, float]:
        """The least and the largest return of an episode of rewards like the data's, which may end at any step."""
        rewards, longest = self.problem.data.rewards, self.problem.task.episode_length
        return longest * min(float(rewards.min()), 0.0), longest * max(float(rewards.max()), 0.0)

    def estimate(self, act: Policy | Act) -> Estimate:
        """The values' mean over `config.states`, converted to an episode. A member's impossible value is clamped: the
        fixed point of a bad set of features may be any number."""
        phi = self.sample.features(act, self.features)
        theta = fixed_point(phi.data, phi.onward, self.sample.payoffs, self.weights, self.gamma, self.config.ridge)
        mean_phi = phi.start if self.config.states == "start" else phi.here.mean(1)
        values = torch.einsum("rd,rmdk->rmk", mean_phi, theta) * self.to_episode
        largest = self.problem.task.episode_length * self.problem.replay.costs.max().item()
        cost = prediction_interval(values[..., 0], largest)
        low, high = self._possible_returns()
        reward = values[..., 1].clamp(low, high).mean(1)
        length = values[..., 2].clamp(0, self.problem.task.episode_length).mean(1)
        theta_c = theta[..., 0]
        policy_spread = torch.einsum("rnd,rmd->rmn", phi.here, theta_c).std(1).mean(1)
        data_spread = torch.einsum("nd,rmd->rmn", phi.data, theta_c).std(1).mean(1)
        ood_score = policy_spread / data_spread.clamp(min=1e-12)
        return Estimate(*(x.float() for x in (*cost, reward, length, ood_score)))
