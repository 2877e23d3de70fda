"""Safe-DQL's updates for one replica, one network after the other."""

from math import sqrt

import torch
from torch import Tensor, nn

from deep.data.replay import Batch
from deep.methods.parts.diffusion_policy import clip
from deep.methods.parts.twin_critics import TwinCritics
from deep.methods.safe_dql.safe_dql import SafeDQL
from deep.nn.parameters import Parameters
from deep.speed.plain.networks import Draws, Learner, flat, linear_decay, members, mlp, q_values, transitions


class Diffusion:
    """L_d, and regression of the critics on the data's own sums."""

    name, names = "behaviour", ("behaviour", "behaviour_critics")

    def __init__(self, method: SafeDQL, replica: int) -> None:
        self.method, self.config, self.replay = method, method.config, method.problem.replay
        self.chain, self.replica = method.chain, replica
        self.actor, self.q = self._learners(method.behaviour, self.config.behaviour_rate, method.behaviour_critics)

    def _learners(self, policy: Parameters, rate: float, critics: TwinCritics) -> tuple[Learner, Learner]:
        rows = policy.theta[self.replica], policy.ema[self.replica]
        actors = [mlp(self.method.policy.network, row) for row in rows]
        rows = critics.q.theta[self.replica], critics.q.ema[self.replica]
        values = [members(critics.network, row) for row in rows]
        return Learner(actors[0], rate, actors[1]), Learner(values[0], self.config.critics.learning_rate, values[1])

    def batch(self, draws: Draws) -> Batch:
        return transitions(self.replay, draws["row"])

    def predict(self, module: nn.Module, noisy: Tensor, index: Tensor, observations: Tensor) -> Tensor:
        return module(torch.cat([noisy, self.method.policy.times[index], observations], -1))

    def cloning(self, batch: Batch, draws: Draws) -> Tensor:
        index = (draws["t"] * self.chain.steps).long()
        noisy = self.chain.diffuse(batch.actions, self.method.policy.bars[index].unsqueeze(-1), draws["noise"])
        predicted = self.predict(self.actor.module, noisy, index, batch.observations)
        return nn.functional.mse_loss(predicted, draws["noise"])

    def regress(self, batch: Batch, targets: Tensor) -> None:
        q = q_values(self.q.module, batch.observations, batch.actions)
        self.q.adam_step((q - targets).square().mean(1).sum())
        self.q.update_ema(self.config.critics.target_rate)

    def update(self, step: int, draws: Draws) -> None:
        batch, unit = self.batch(draws), self.method.critics.unit
        self.actor.adam_step(self.cloning(batch, draws), linear_decay(step, self.config.behaviour_steps))
        self.actor.update_ema(self.config.ema_rate)
        sums = torch.stack([batch.reward_to_go, batch.reward_to_go, batch.cost_to_go, batch.cost_to_go])
        self.regress(batch, sums / unit)

    def learned(self) -> dict[str, Tensor]:
        policy, critics = self.names
        return {
            f"{policy}.theta": flat(self.actor.module),
            f"{policy}.ema": flat(self.actor.ema),
            f"{critics}.theta": flat(self.q.module),
            f"{critics}.ema": flat(self.q.ema),
        }


class Improvement(Diffusion):
    """Eq. (1), the gradient going through the whole chain."""

    names = ("policy", "critics")

    def __init__(self, method: SafeDQL, replica: int) -> None:
        super().__init__(method, replica)
        self.actor, self.q = self._learners(method.actor, self.config.learning_rate, method.critics)

    def sample(self, module: nn.Module, observations: Tensor, z: Tensor) -> Tensor:
        noisy, chain = z[0], self.chain
        for t in range(chain.steps, 0, -1):
            index = torch.full((len(noisy),), t - 1, device=noisy.device)
            clean = chain.clean(noisy, self.predict(module, noisy, index, observations), t)
            noisy = chain.posterior_mean(clean, noisy, t)
            if t > 1:
                noisy = noisy + sqrt(chain.posterior_variances[t - 1]) * z[chain.steps - t + 1]
        return clip(noisy)

    def update(self, step: int, draws: Draws) -> None:
        batch, critics, gamma = self.batch(draws), self.method.critics, self.method.problem.gamma
        with torch.no_grad():
            there = self.sample(self.actor.ema, batch.next_observations, draws["next_z"])
            next_value = q_values(self.q.ema, batch.next_observations, there)
            reward = batch.rewards / critics.unit + gamma * batch.not_terminal * next_value[:2].amin(0)
            cost = batch.costs / critics.unit + gamma * batch.not_terminal * next_value[2:].amax(0)
            reward, cost = reward.clamp(*critics.reward_bounds), cost.clamp(*critics.cost_bounds)
        self.regress(batch, torch.stack([reward, reward, cost, cost]))
        loss = self.cloning(batch, draws)
        actions = self.sample(self.actor.module, batch.observations, draws["z"])
        values = q_values(self.q.module, batch.observations, actions) * critics.unit
        first, second = (0, 1) if float(draws["twin"]) < 0.5 else (1, 0)
        eta = self.config.eta / values[second].detach().abs().mean().clamp(min=1e-6)
        kappa = self.method.kappa[self.replica]
        penalty = self.method.multiplier[self.replica] / kappa.clamp(min=1)
        hinge = torch.relu(values[2:].amax(0) - kappa).mean()
        loss = loss - eta * values[first].mean() + penalty * hinge
        self.actor.adam_step(loss, linear_decay(step, self.config.improvement_steps), self.config.clip)
        self.actor.update_ema(self.config.ema_rate)


PHASES = {"behaviour": Diffusion, "improvement": Improvement}
