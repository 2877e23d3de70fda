"""PPO with a Lagrangian penalty on costs: the online learner behind `deep.collect`.

Conventions. Rewards are divided by the task's best average reward per step and costs are 0 or 1, so both are *rates* of
order one. Both critic heads predict (1 - gamma) times the discounted sum, which is a rate too. The multiplier lambda
therefore trades a share of the best reward against a share of violating steps, and means the same for every task.

All randomness of an iteration follows from its number, and every `segment` iterations all environments start anew. To
go on from there a run needs its parameters, its normalisation and its multiplier (`Learner.state`), but no simulator.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from deep.collect.recipes import PPOConfig
from deep.core.randomness import generator
from deep.envs.vector import VectorEnv
from deep.nn.mlp import MLP, unpack
from deep.nn.parameters import Adam, Parameters, gradient


class Policies(NamedTuple):
    """P Gaussian policies: tanh networks, a learned constant standard deviation each, and their normalisation."""

    network: MLP
    theta: Float[Tensor, "policy params"]
    mean: Float[Tensor, "policy observation"]
    scale: Float[Tensor, "policy observation"]

    def __call__(self, observations: Float[np.ndarray, "policy n observation"]) -> tuple[Tensor, Tensor]:
        """Mean and log standard deviation of every policy's action at its own observations."""
        return gaussian(self.network, self.theta, normalise(observations, self.mean, self.scale))

    def with_noise(self, share: Float[Tensor, " policy"]) -> Policies:
        """The same policies with this share of their noise each."""
        theta = self.theta.clone()
        theta[:, -self.network.outputs :] += share.log()[:, None]
        return self._replace(theta=theta)


def gaussian(
    network: MLP, theta: Float[Tensor, "policy params"], x: Float[Tensor, "policy n observation"]
) -> tuple[Float[Tensor, "policy n action"], Float[Tensor, "policy 1 action"]]:
    """Mean and log standard deviation; the latter is the tail of the parameters."""
    *layers, log_std = unpack(theta, [*network.shapes, (network.outputs,)])
    return network.forward(layers, x), log_std[:, None]


def log_density(action: Tensor, mean: Tensor, log_std: Tensor) -> Tensor:
    """Log-density of a diagonal Gaussian up to its constant: only ratios are used."""
    return (-0.5 * ((action - mean) * torch.exp(-log_std)) ** 2 - log_std).sum(-1)


def normalise(observations: np.ndarray, mean: Tensor, scale: Tensor) -> Float[Tensor, "policy n observation"]:
    """(observation - mean) / scale, clipped to [-10, 10], in float32; every policy has its own mean and scale."""
    return ((torch.as_tensor(observations) - mean[:, None]) / scale[:, None]).clamp(-10, 10).float()


def orthogonal(network: MLP, last_gain: float, rng: np.random.Generator) -> list[np.ndarray]:
    """Orthogonal weights of gain sqrt(2), of gain `last_gain` in the last layer, and zero biases."""
    arrays = []
    for layer, (inputs, outputs) in enumerate(zip(network.widths, network.widths[1:], strict=False)):
        gain = last_gain if layer == len(network.hidden) else 2**0.5
        q, r = np.linalg.qr(rng.standard_normal((max(inputs, outputs), min(inputs, outputs))))
        q = q * np.sign(np.diag(r))  # makes the distribution uniform over orthogonal matrices
        arrays += [gain * (q if inputs >= outputs else q.T), np.zeros(outputs)]
    return arrays


def flat(arrays: list[np.ndarray]) -> Float[Tensor, "1 params"]:
    return torch.from_numpy(np.concatenate([a.ravel() for a in arrays])[None].astype(np.float32))


def gae(
    signal: Float[np.ndarray, "time env head"],
    values: Float[np.ndarray, "time env head"],
    next_values: Float[np.ndarray, "time env head"],
    terminated: Bool[np.ndarray, "time env"],
    ended: Bool[np.ndarray, "time env"],
    terminal_values: Float[np.ndarray, " head"],
    gamma: float,
    decay: float,
) -> Float[np.ndarray, "time env head"]:
    """Generalised advantage estimates of rates, for every head (reward, cost) at once.

        delta_t = (1 - gamma) x_t + gamma V'_t - V_t        A_t = delta_t + gamma decay (1 - ended_t) A_{t+1}

    V'_t is the value of the observation that step t led to, *before* any reset. An episode that ran out of time would
    have gone on, so V'_t is kept there; after a termination it is `terminal_values`. `ended` marks both kinds of end:
    no advantage flows back across them. (Schulman et al. 2016, equation 16, for rates.)
    """
    after = np.where(terminated[..., None], terminal_values, next_values)
    delta = (1 - gamma) * signal + gamma * after - values
    keep = gamma * decay * ~ended[..., None]
    advantages = np.zeros_like(delta)
    next_advantage = np.zeros_like(delta[0])
    for t in reversed(range(len(delta))):
        advantages[t] = next_advantage = delta[t] + keep[t] * next_advantage
    return advantages


class Multiplier(NamedTuple):
    """lambda, by PI control of the excess cost rate e = cost rate - limit / episode length."""

    integral: float
    value: float

    def step(self, excess: float, config: PPOConfig) -> Multiplier:
        """I <- clip(I + k_i e), lambda = clip(I + k_p e), both to [0, max]; the clipped I cannot wind up."""
        integral = float(np.clip(self.integral + config.integral_gain * excess, 0, config.max_multiplier))
        value = float(np.clip(integral + config.proportional_gain * excess, 0, config.max_multiplier))
        return Multiplier(integral, value)


class Batch(NamedTuple):
    """`horizon` steps of all environments, (time, env, ...); `ended` marks terminations and timeouts."""

    observations: np.ndarray
    actions: np.ndarray
    next_observations: np.ndarray
    rewards: np.ndarray
    costs: np.ndarray
    terminated: np.ndarray
    ended: np.ndarray


class Learner:
    """One run of PPO-Lagrangian: `iterate` collects a batch and learns from it."""

    def __init__(self, config: PPOConfig, envs: VectorEnv, seed: int):
        self.config, self.envs, self.seed, self.iteration = config, envs, seed, 0
        task, hidden = envs.task, (config.hidden, config.hidden)
        self.reward_scale = task.reward_range[1] / task.episode_length
        self.actor_network = MLP(task.observation_size, task.action_size, hidden, "tanh")
        self.critic_network = MLP(task.observation_size, 2, hidden, "tanh")
        log_std = np.full(task.action_size, np.log(config.initial_std))
        adam = Adam(config.learning_rate, clip=config.max_gradient_norm)
        self.actor = Parameters(flat([*orthogonal(self.actor_network, 0.01, generator(seed, "actor")), log_std]), adam)
        self.critic = Parameters(flat(orthogonal(self.critic_network, 1.0, generator(seed, "critic"))), adam)
        self.multiplier = Multiplier(config.initial_multiplier, config.initial_multiplier)
        self.seen, sizes = 0, task.observation_size
        self.moments = np.stack([np.zeros(sizes), np.ones(sizes)])  # running mean and variance of the observations

    @property
    def state(self) -> dict[str, np.ndarray]:
        """A copy of all that changes, complete at the end of a segment; `restore` reads it."""
        tensors = {name: tensor.numpy().copy() for name, tensor in self._tensors.items()}
        numbers = np.array([self.iteration, self.seen, *self.multiplier])
        return tensors | {"moments": self.moments.copy(), "numbers": numbers}

    def restore(self, state: dict[str, np.ndarray]) -> None:
        for name, tensor in self._tensors.items():
            tensor.copy_(torch.from_numpy(state[name]))
        iteration, seen, *multiplier = state["numbers"].tolist()
        self.iteration, self.seen, self.multiplier = int(iteration), int(seen), Multiplier(*multiplier)
        self.moments = state["moments"].copy()

    @property
    def _tensors(self) -> dict[str, Tensor]:
        parts = {"actor": self.actor, "critic": self.critic}
        return {f"{part}.{name}": tensor for part in parts for name, tensor in parts[part].tensors.items()}

    @property
    def policy(self) -> Policies:
        """A copy of the current behaviour policy."""
        mean, variance = torch.from_numpy(self.moments)[:, None]
        return Policies(self.actor_network, self.actor.theta.detach().clone(), mean, variance.sqrt() + 1e-4)

    def iterate(self, limit: float, progress: float) -> dict[str, float]:
        """Collect a batch and learn from it under this cost limit; the progress, 0 to 1, sets the learning rate."""
        if self.iteration % self.config.segment == 0:
            self._start()
        policy, rng = self.policy, generator(self.seed, "iteration", self.iteration)
        batch = self._collect(policy, rng)
        excess = float(batch.costs.mean()) - limit / self.envs.task.episode_length
        self.multiplier = self.multiplier.step(excess, self.config)
        kl = self._learn(policy, batch, 1 - 0.9 * progress, rng)
        self._observe(batch.observations.reshape(-1, batch.observations.shape[-1]))
        self.iteration += 1
        return {"kl": kl, "multiplier": self.multiplier.value, "excess": excess}

    def _start(self) -> None:
        """Start all environments, the first episode of each at a random age, so that they do not march in step."""
        rng, count = generator(self.seed, "start", self.iteration), self.envs.count
        self._now = self.envs.reset(rng.integers(2**31, size=count))
        self._left = rng.integers(1, self.envs.task.episode_length + 1, size=count)

    @torch.inference_mode()
    def _collect(self, policy: Policies, rng: np.random.Generator) -> Batch:
        task, rows = self.envs.task, []
        noise = rng.standard_normal((self.config.horizon, self.envs.count, task.action_size), np.float32)
        for draw in torch.from_numpy(noise):
            mean, log_std = policy(self._now[None])
            actions = (mean + log_std.exp() * draw)[0].numpy()  # unclipped, for the ratios; the environments clip
            step = self.envs.step(actions)
            self._left -= 1
            ended = step.terminated | step.truncated | (self._left == 0)
            rows.append((self._now, actions, step.observations, step.rewards, step.costs, step.terminated, ended))
            self._now, indices = step.observations, np.flatnonzero(ended)
            if indices.size:
                self._now = self.envs.reset(rng.integers(2**31, size=indices.size), indices)
                self._left[indices] = task.episode_length
        return Batch(*(np.stack(column) for column in zip(*rows, strict=True)))

    def _learn(self, policy: Policies, batch: Batch, rate: float, rng: np.random.Generator) -> float:
        """Epochs of the clipped surrogate and of both value heads' squared errors; returns the policy's movement."""
        config, shape = self.config, (*batch.costs.shape, 2)

        def rows_of(x: np.ndarray) -> np.ndarray:
            return x.reshape(1, -1, *x.shape[2:])

        def values(x: Tensor) -> np.ndarray:
            return self.critic_network.apply(self.critic.theta, x).numpy().reshape(shape)

        def log_ratio(rows: Tensor | slice) -> Float[Tensor, "1 n"]:
            gaussian_now = gaussian(self.actor_network, self.actor.theta, x[:, rows])
            return log_density(actions[:, rows], *gaussian_now) - old[:, rows]

        x = normalise(rows_of(batch.observations), policy.mean, policy.scale)
        next_x = normalise(rows_of(batch.next_observations), policy.mean, policy.scale)
        actions = torch.from_numpy(rows_of(batch.actions))
        with torch.no_grad():
            old = log_density(actions, *gaussian(policy.network, policy.theta, x))
            now, after = values(x), values(next_x)
        signal = np.stack([batch.rewards / self.reward_scale, batch.costs], -1)
        terminal = np.array([0.0, config.terminal_cost_rate])
        advantages = gae(signal, now, after, batch.terminated, batch.ended, terminal, config.gamma, config.gae_decay)
        targets = torch.from_numpy(rows_of(advantages + now)).float()
        gain = torch.from_numpy(rows_of(advantages @ np.array([1.0, -self.multiplier.value]))).float()
        gain = (gain - gain.mean()) / (gain.std() + 1e-8)

        kl = 0.0
        for _ in range(config.epochs):
            for rows in torch.from_numpy(rng.permutation(gain.shape[1])).split(config.minibatch):
                ratio = log_ratio(rows).exp()
                clipped = ratio.clamp(1 - config.clip, 1 + config.clip)
                surrogate = torch.minimum(ratio * gain[:, rows], clipped * gain[:, rows])
                self.actor.adam_step(gradient(-surrogate.mean(1), self.actor), rate)
                error = self.critic_network.apply(self.critic.theta, x[:, rows]) - targets[:, rows]
                self.critic.adam_step(gradient(error.square().mean((1, 2)), self.critic), rate)
            with torch.no_grad():
                change = log_ratio(slice(None))
            kl = float((change.exp() - 1 - change).mean())  # its sample estimate without bias and never negative
            if kl > config.max_kl:
                break
        return kl

    def _observe(self, x: Float[np.ndarray, "n observation"]) -> None:
        """Merge a batch into the running mean and variance (Chan, Golub & LeVeque 1979)."""
        n, total, (mean, variance) = self.seen, self.seen + len(x), self.moments
        delta = x.mean(0) - mean
        variance = (n * variance + len(x) * x.var(0) + delta**2 * n * len(x) / total) / total
        self.moments, self.seen = np.stack([mean + delta * len(x) / total, variance]), total
