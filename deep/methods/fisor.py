r"""FISOR: feasibility-guided safe offline reinforcement learning (Zheng et al. 2024, ICLR).

The constraint is hard, so that no cost limit enters: a step that costs anything is a violation. With h = -1 where the
step costs nothing and h = `violation` where it does,

    Q_h <- (1 - gamma) h + gamma max(h, V_h(s')),   V_h: an expectile tau_h < 1/2 of Q_h over the data's actions,

so that where V_h(s) <= 0 some action of the data leads on without a violation in sight: s is feasible. (A violation
that cannot be avoided counts up to 324 steps ahead at gamma = .99 and h = 25, see claim FISOR1 of the ledger.) Q_r and
V_r are those of implicit Q-learning. The policy is a diffusion model of the data's actions with the weights

    V_h(s) > 0:                       min(e^{beta_h (V_h - Q_h)}, cap_h)      get out of danger
    V_h(s) <= 0 and Q_h(s, a) <= 0:   min(e^{beta_r (Q_r - V_r)}, cap_r)      earn among the safe actions
    V_h(s) <= 0 and Q_h(s, a) > 0:    0                                       never leave safety.

It acts by the one of `candidates` samples with the least Q_h. A fall that ends the episode without a cost has
Q_h = -1, the least value there is, and nothing in Q_h speaks against it.

Q_h is learned by TD from the first step: TD takes only a share of 1 - gamma off a start at the behaviour's own Q_h at
every sweep. What was measured of both is in notebooks/results/compared.

Phases: the critics, then the policy with the critics as they are (the public code takes two policy steps per step of
the critics). One model per seed; the table shows it at every cost limit.

Public code: `--variant public` takes timeouts for the ends of episodes, where Q_h = h and Q_r = r. Its sampler adds
noise of variance beta_t and clips every step to [-1, 1]; otherwise the variance is that of the posterior, and the end
is clipped.
"""

from collections.abc import Mapping
from math import sqrt

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from deep.core.method import Inference, Method, Policy
from deep.core.phase import Phase
from deep.core.problem import Problem
from deep.core.randomness import RandomInput, uniforms
from deep.data.replay import Batch
from deep.methods.drcorl.score import ScoreNetwork
from deep.methods.fisor_config import FISORConfig
from deep.methods.fisor_inference import published_samples, residual_predictor
from deep.methods.parts.acting import SamplingPolicy
from deep.methods.parts.best_of_n import best_of_n
from deep.methods.parts.budget import by_replica, by_seed
from deep.methods.parts.critics import bellman_target
from deep.methods.parts.diffusion_policy import Chain, DiffusionPolicy, Predictor
from deep.methods.parts.inference import over_candidates, predictor, samples
from deep.methods.parts.iql import IQL, Head, Inputs, IQLConfig, advantage_weights, bootstraps
from deep.methods.spec import MethodSpec
from deep.nn.inference import Array
from deep.nn.mlp import initial_parameters
from deep.nn.parameters import Adam, Parameters, gradient, linear_decay

REWARD, FEASIBILITY = 0, 1
"""The heads of the critics."""

CHUNK = 8192
"""Transitions that are weighed at once."""


class FISOR(Method):
    """The learner: one row of parameters per seed; no cost limit enters."""

    def __init__(self, config: FISORConfig, problem: Problem) -> None:
        self.config, self.problem = config, problem
        heads = [Head("min", config.reward_expectile), Head("max", config.feasibility_expectile)]
        self.critics = IQL(config.critics, problem, "iql", heads)
        self.policy = _policy(config, problem)
        initial = initial_parameters(self.policy, problem.seeds, "policy").to(problem.device)
        self.actor = Parameters(initial, Adam(config.learning_rate), ema=True)
        self.not_terminal = bootstraps(problem, config.variant == "public")
        self._weights: Float[Tensor, "seeds transitions"] | None = None
        self.unit = 1 / (1 - problem.gamma)
        """Of Q_r: the networks predict it divided by this. Q_h has h's unit."""
        h = np.where(problem.data.costs > 0, config.violation, -1.0)
        self.h = torch.from_numpy(h).to(problem.replay.rewards)

    def tensors(self) -> dict[str, Tensor]:
        return self.critics.tensors() | {f"policy.{name}": tensor for name, tensor in self.actor.tensors.items()}

    def phases(self) -> list[Phase]:
        config, seeds = self.config, self.problem.seeds
        row, batch = {"row": RandomInput("uniform", (config.critic_batch_size,))}, config.batch_size
        policy = {name: RandomInput("uniform", (batch,)) for name in ("row", "t")}
        policy["noise"] = RandomInput("normal", (batch, self.problem.action_size))
        if self._drops:
            policy["dropout"] = RandomInput("key")
        return [
            Phase("critics", config.critic_steps, seeds, row, self._update_critics),
            Phase("policy", config.policy_steps, seeds, policy, self._update_policy, self._forget_weights),
        ]

    @property
    def _drops(self) -> bool:
        return self.config.network == "residual" and self.config.dropout > 0

    def _update_critics(self, step: Tensor, draws: Mapping[str, Tensor]) -> dict[str, Tensor]:
        rows = self.problem.replay.rows(draws["row"])
        batch = self.problem.replay.batch(rows)._replace(not_terminal=self.not_terminal[rows])
        sums = batch.reward_to_go.unsqueeze(1) / self.unit
        found = self.critics.fit(step, Inputs.of(batch), lambda v: self.backup(batch, self.h[rows], v), sums)
        feasible = (found.v[:, FEASIBILITY] <= 0).to(found.v.dtype).mean(1)
        reward = found.v[:, REWARD].mean(1) * self.unit
        return {"critic_loss": found.td_loss, "reward_value": reward, "feasible": feasible}

    def backup(
        self, batch: Batch, h: Float[Tensor, "seeds batch"], next_value: Float[Tensor, "seeds 2 batch"]
    ) -> Float[Tensor, "seeds 2 batch"]:
        """r + gamma V_r(s') and (1 - gamma) h + gamma max(h, V_h(s')); where the episode has ended, r and h."""
        gamma, not_terminal = self.problem.gamma, batch.not_terminal
        reward = bellman_target(batch.rewards / self.unit, not_terminal, next_value[:, :1], gamma)
        onward = feasibility_backup(h, next_value[:, FEASIBILITY], gamma)
        feasibility = not_terminal * onward + (1 - not_terminal) * h
        return torch.cat([reward, feasibility.unsqueeze(1)], 1)

    def _update_policy(self, step: Tensor, draws: Mapping[str, Tensor]) -> dict[str, Tensor]:
        rows, config = self.problem.replay.rows(draws["row"]), self.config
        batch, weights = self.problem.replay.batch(rows), self.data_weights().gather(1, rows)
        dropped = uniforms(draws["dropout"], 3, config.batch_size, config.width) if self._drops else None
        observations, actions = batch.observations, batch.actions
        loss = self.policy.denoising_loss(
            self.actor.theta, observations, actions, draws["t"], draws["noise"], weights, dropped
        )
        self.actor.adam_step(gradient(loss, self.actor), linear_decay(step, config.policy_steps))
        self.actor.update_ema(config.ema_rate)
        return {"policy_loss": loss.detach(), "weight": weights.mean(1)}

    def _forget_weights(self) -> None:
        self._weights = None

    def data_weights(self) -> Float[Tensor, "seeds transitions"]:
        """`weights` of all transitions of the data, computed once: the critics are fixed while the policy learns."""
        if self._weights is None:
            rows = torch.arange(len(self.problem.replay), device=self.problem.device).expand(
                len(self.problem.seeds), -1
            )
            batches = (self.problem.replay.batch(part) for part in rows.split(CHUNK, dim=1))
            self._weights = torch.cat([self.weights(batch.observations, batch.actions) for batch in batches], 1)
        return self._weights

    @torch.no_grad()
    def weights(
        self, observations: Float[Tensor, "seeds batch obs"], actions: Float[Tensor, "seeds batch act"]
    ) -> Float[Tensor, "seeds batch"]:
        """The weight of each data action in the policy's loss, from the target networks and V."""
        q = self.critics.worse_q(self.critics.q.ema, torch.cat([observations, actions], -1))
        return self.weights_of(q, self.critics.values(observations))

    def weights_of(
        self, q: Float[Tensor, "seeds 2 batch"], v: Float[Tensor, "seeds 2 batch"]
    ) -> Float[Tensor, "seeds batch"]:
        """The three cases of the head of this file."""
        config, advantage = self.config, q - v
        escape = advantage_weights(-advantage[:, FEASIBILITY], config.feasibility_temperature, config.feasibility_cap)
        earn = advantage_weights(advantage[:, REWARD] * self.unit, config.reward_temperature, config.reward_cap)
        among_safe = torch.where(q[:, FEASIBILITY] <= 0, earn, 0.0)
        return torch.where(v[:, FEASIBILITY] > 0, escape, among_safe)

    @torch.no_grad()
    def safest(
        self, observations: Float[Tensor, "replicas batch obs"], z: Float[Tensor, "replicas step candidates act"]
    ) -> Float[Tensor, "replicas batch act"]:
        """Of the samples for normals z, several for each observation side by side, the one with the least Q_h."""
        count = z.shape[2] // observations.shape[1]
        repeated = by_seed(self.problem, observations).repeat_interleave(count, dim=1)
        normals = by_seed(self.problem, z.transpose(1, 2)).transpose(1, 2)
        candidates = self.sample(repeated, normals)
        q = self.critics.worse_q(self.critics.q.ema, torch.cat([repeated, candidates], -1))
        return by_replica(self.problem, best_of_n(candidates, -q[:, FEASIBILITY], count))

    def sample(
        self, observations: Float[Tensor, "seeds batch obs"], z: Float[Tensor, "seeds step batch act"]
    ) -> Float[Tensor, "seeds batch act"]:
        """Actions of the diffusion policy for standard normals z."""
        if self.config.variant == "corrected":
            return self.policy.sample(self.actor.ema, observations, z)
        predict, times = self.policy._at(self.actor.ema, observations), self.policy.times
        return published_chain(lambda noisy, t: predict(noisy, times[None, t - 1 : t]), self.policy.chain, z)

    def policies(self) -> dict[str, Policy]:
        shape = (self.config.candidates, self.config.chain, self.problem.action_size)
        return {"": SamplingPolicy(self.safest, shape, self.problem.replica_seeds, self.problem.device)}

    def exportable(self, replica: int) -> Inference:
        seed = replica // len(self.problem.cost_limits)
        theta, twin, chain = self.actor.ema[seed], self.critics.twin, self.policy.chain
        if isinstance(self.policy, ResidualPolicy):
            at = residual_predictor(self.policy.residual, theta, chain.steps)
        else:
            at = predictor(self.policy, theta)
        sample = samples if self.config.variant == "corrected" else published_samples
        members = self.critics.q.ema[seed].reshape(twin.size, -1)[2:]
        one, two = (over_candidates(twin.member, theta, self.problem.observation_size) for theta in members)

        def act(x: Array, z: Array) -> Array:
            candidates = sample(chain, at(x), z)
            safety = -one(x, candidates).maximum(two(x, candidates))
            safest = safety.argmax(1, keepdim=True).expand(-1, 1, candidates.shape[2])
            return candidates.gather(1, safest).squeeze(1)

        shape = (self.config.candidates, self.config.chain, self.problem.action_size)
        return Inference(act, shape, f"safest of {self.config.candidates} samples of the diffusion policy")

    def report(self) -> dict[str, object]:
        return {"violating_steps": float((self.h > 0).double().mean()), "variant": self.config.variant}

    def remarks(self) -> list[str]:
        return ["FISOR has no cost limit as an input: its policy avoids every cost, and is the same at each limit."]


def published_chain(
    predict: Predictor, chain: Chain, z: Float[Tensor, "n step batch act"]
) -> Float[Tensor, "n batch act"]:
    """The denoising chain of the public code: noise of variance beta_t, and every step clipped to [-1, 1]."""
    noisy = z[:, 0]
    for t in range(chain.steps, 0, -1):
        mean = chain.posterior_mean(chain.clean(noisy, predict(noisy, t), t), noisy, t)
        added = 0.0 if t == 1 else sqrt(chain.betas[t - 1]) * z[:, chain.steps - t + 1]
        noisy = (mean + added).clamp(-1, 1)
    return noisy


class ResidualPolicy(DiffusionPolicy):
    """The diffusion policy with the published noise predictor: residual blocks, and Fourier features of t / T."""

    def __init__(self, network: ScoreNetwork, chain: Chain, device: torch.device) -> None:
        super().__init__(network.observation_size, network.action_size, chain, device=device)
        self.residual = network
        self.times = torch.arange(1, chain.steps + 1, device=device).to(self.bars)[:, None] / chain.steps

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        return self.residual.shapes

    def init(self, rng: np.random.Generator) -> list[np.ndarray]:
        return self.residual.init(rng)

    def _at(self, theta: Tensor, observations: Tensor, dropout_draws: Tensor | None = None):
        def predict(noisy: Tensor, time: Tensor) -> Tensor:
            return self.residual.apply(theta, noisy, time[..., 0].expand(noisy.shape[:2]), observations, dropout_draws)

        return predict


def _policy(config: FISORConfig, problem: Problem) -> DiffusionPolicy:
    sizes, chain = (problem.observation_size, problem.action_size), Chain(config.chain)
    if config.network == "mlp":
        return DiffusionPolicy(*sizes, chain, config.hidden, device=problem.device)
    return ResidualPolicy(ScoreNetwork(*sizes, config.width, dropout=config.dropout), chain, problem.device)


def feasibility_backup(
    h: Float[Tensor, "*rows"], next_value: Float[Tensor, "*rows"], gamma: float
) -> Float[Tensor, "*rows"]:
    """(1 - gamma) h + gamma max(h, V_h(s'))."""
    return (1 - gamma) * h + gamma * torch.maximum(h, next_value)


SPEC = MethodSpec(
    title="FISOR",
    paper="Zheng et al. 2024",
    build=FISOR,
    presets={
        "quick": FISORConfig(
            critics=IQLConfig(hidden=(128, 128), learning_rate=1e-3, target_rate=0.01, regression_steps=3000)
        ),
        "paper": FISORConfig(
            critic_steps=1_000_000,
            policy_steps=2_000_000,
            batch_size=1024,
            network="residual",
            dropout=0.1,
            learning_rate=3e-4,
            ema_rate=0.001,
        ),
    },
    smoke={
        "critic_steps": 100,
        "policy_steps": 100,
        "critic_batch_size": 16,
        "batch_size": 16,
        "hidden": (16, 16),
        "critics.hidden": (16,),
        "critics.regression_steps": 50,
        "candidates": 3,
    },
    brief={"critic_steps": 5000, "policy_steps": 5000},
)
