"""DRCORL's updates (dirac policy, unconditioned behaviour model) for one replica, one network after the other."""

import torch
from torch import Tensor, nn

from deep.core.randomness import uniforms
from deep.data.replay import Batch
from deep.methods.drcorl.drcorl import DRCORL
from deep.methods.drcorl.score import WEIGHTS
from deep.methods.parts import iql
from deep.nn.parameters import Parameters
from deep.speed.plain.networks import Draws, Learner, Score, flat, linear_decay, members, mlp, q_values, transitions
from theory.adaptation import gradient_manipulation


class Plain:
    """A replica of its own; `replica` is its row, and its cost limit is the only one of its seed."""

    def __init__(self, method: DRCORL, replica: int) -> None:
        self.method, self.replica = method, replica
        self.config, self.problem, self.replay = method.config, method.problem, method.problem.replay
        self.unit = 1 / (1 - method.problem.gamma)

    def row(self, parameters: Parameters) -> tuple[Tensor, Tensor]:
        return parameters.theta[self.replica], parameters.ema[self.replica]

    def policy(self, parameters: Parameters, learning_rate: float) -> Learner:
        network = self.method.policy.network
        theta, ema = (nn.Sequential(mlp(network, row), nn.Tanh()) for row in self.row(parameters))
        return Learner(theta, learning_rate, ema)

    def batch(self, draws: Draws) -> Batch:
        return transitions(self.replay, draws["row"])

    def cloned(self, draws: Draws) -> Batch:
        """The minibatch from the transitions that are cloned."""
        allowed = self.method.cloning.rows
        if allowed is None:
            return self.batch(draws)
        rows = allowed.table[self.replica, : int(allowed.counts[self.replica])]
        chosen = rows[(draws["row"].double() * len(rows)).long()]
        return Batch(*(getattr(self.replay, name)[chosen] for name in Batch._fields))


class Behaviour(Plain):
    """Denoising, Eq. (5)."""

    def __init__(self, method: DRCORL, replica: int) -> None:
        super().__init__(method, replica)
        model = method.behaviour
        theta, ema = (Score(model.network, row) for row in self.row(model.parameters))
        self.score = Learner(theta, model.config.learning_rate, ema)

    def update(self, step: int, draws: Draws) -> None:
        config, schedule = self.config.behaviour, self.method.behaviour.schedule
        batch, t = self.batch(draws), draws["t"]
        alpha, sigma = schedule.alpha(t).unsqueeze(-1), schedule.sigma(t).unsqueeze(-1)
        noisy = alpha * batch.actions + sigma * draws["noise"]
        kept = None
        if "dropout" in draws:
            network = self.method.behaviour.network
            chances = uniforms(draws["dropout"].unsqueeze(0), network.blocks, config.batch_size, network.width)[0]
            kept = chances >= config.dropout
        loss = nn.functional.mse_loss(self.score.module(noisy, t, batch.observations, kept), draws["noise"])
        self.score.adam_step(loss, linear_decay(step, config.steps))
        self.score.update_ema(config.ema_rate)

    def learned(self) -> dict[str, Tensor]:
        return {"behaviour.theta": flat(self.score.module), "behaviour.ema": flat(self.score.ema)}


class RewardCritic(Plain):
    """Implicit Q-learning, Eqs. (17) and (18)."""

    def __init__(self, method: DRCORL, replica: int) -> None:
        super().__init__(method, replica)
        critic, rate = method.values.reward, self.config.critics.learning_rate
        assert isinstance(critic, iql.RewardCritic), "the plain loop is that of the default, implicit Q-learning"
        theta, ema = (members(critic.twin, row) for row in self.row(critic.q))
        self.q, self.v = Learner(theta, rate, ema), Learner(mlp(critic.value.member, critic.v.theta[replica]), rate)

    def update(self, step: int, draws: Draws) -> None:
        self.learn(step, self.batch(draws))

    def learn(self, step: int, batch: Batch) -> None:
        config = self.config.critics
        with torch.no_grad():
            best = q_values(self.q.ema, batch.observations, batch.actions).min(0).values
            next_value = self.v.module(batch.next_observations).squeeze(-1)
            target = batch.rewards / self.unit + self.problem.gamma * batch.not_terminal * next_value
            if step < config.regression_steps:
                target = batch.reward_to_go / self.unit
        difference = best - self.v.module(batch.observations).squeeze(-1)
        weight = torch.where(difference < 0, 1 - config.expectile, config.expectile)
        loss = (q_values(self.q.module, batch.observations, batch.actions) - target).square().mean(1).sum()
        self.v.adam_step((weight * difference.square()).mean())
        self.q.adam_step(loss)
        self.q.update_ema(config.target_rate)

    def slope(self, observations: Tensor, actions: Tensor) -> Tensor:
        """grad_a min(Q_1, Q_2)."""
        actions = actions.detach().requires_grad_(True)
        value = q_values(self.q.ema, observations, actions).min(0).values
        return torch.autograd.grad(value.sum(), actions)[0] * self.unit

    def learned(self) -> dict[str, Tensor]:
        return {
            "reward_critic.theta": flat(self.q.module),
            "reward_critic.ema": flat(self.q.ema),
            "reward_value.theta": flat(self.v.module),
        }


class CostCritics(Plain):
    """The pessimistic ensemble of Eq. (19) and, for the gate of Eq. (25), the one that only estimates."""

    prefix = "clone_"

    def __init__(self, method: DRCORL, replica: int) -> None:
        super().__init__(method, replica)
        self.stacked = method.values.clone_cost if self.prefix else method.values.cost
        self.critics: list[Learner] = []
        for critic in self.stacked:
            theta, ema = (members(critic.ensemble, row) for row in self.row(critic.q))
            self.critics.append(Learner(theta, critic.config.learning_rate, ema))
        self.actor = self.policy(method.clone if self.prefix else method.actor, self.config.learning_rate)

    def update(self, step: int, draws: Draws) -> None:
        self.learn(step, self.batch(draws), self.actor.ema)

    def learn(self, step: int, batch: Batch, policy: nn.Module) -> None:
        with torch.no_grad():
            here, there = policy(batch.observations), policy(batch.next_observations)
        for stacked, critic in zip(self.stacked, self.critics, strict=True):
            with torch.no_grad():
                next_value = q_values(critic.ema, batch.next_observations, there)
                target = batch.costs / self.unit + self.problem.gamma * batch.not_terminal * next_value
                assert stacked.bounds is not None
                target = target.clamp(*stacked.bounds)
                if step < stacked.config.regression_steps:
                    target = batch.cost_to_go / self.unit
            data = q_values(critic.module, batch.observations, batch.actions)
            loss = (data - target).square().mean(1).sum()
            if stacked.config.pessimism > 0:
                acted = q_values(critic.module, batch.observations, here)
                loss = loss - stacked.config.pessimism / self.unit * (acted.mean(1) - data.mean(1)).sum()
            critic.adam_step(loss)
            critic.update_ema(stacked.config.target_rate)

    def slope(self, observations: Tensor, actions: Tensor) -> Tensor:
        """grad_a of the ensemble's mean."""
        actions = actions.detach().requires_grad_(True)
        value = q_values(self.critics[0].ema, observations, actions).mean(0)
        return torch.autograd.grad(value.sum(), actions)[0] * self.unit

    def learned(self) -> dict[str, Tensor]:
        pairs = zip(self.stacked, self.critics, strict=True)
        return {f"{stacked.name}.theta": flat(critic.module) for stacked, critic in pairs}


class Cloning(Behaviour):
    """Least squares on the data's actions."""

    regression = True

    def __init__(self, method: DRCORL, replica: int) -> None:
        super().__init__(method, replica)
        self.clone = self.policy(method.clone, self.config.learning_rate)

    def kl(self, observations: Tensor, actions: Tensor, draws: Draws) -> Tensor:
        config, schedule = self.config.behaviour, self.method.behaviour.schedule
        low, high = config.t_range
        t = low + (high - low) * draws["t"]
        alpha, sigma = schedule.alpha(t), schedule.sigma(t)
        with torch.no_grad():
            noisy = alpha.unsqueeze(-1) * actions + sigma.unsqueeze(-1) * draws["noise"]
            pull = self.score.ema(noisy, t, observations) - draws["noise"]
        return (WEIGHTS[config.kl_weight](alpha, sigma) * (pull * actions).sum(-1)).mean()

    def update(self, step: int, draws: Draws) -> None:
        batch = self.cloned(draws)
        actions = self.clone.module(batch.observations)
        if self.regression:
            loss = (actions - batch.actions).square().mean()
        else:
            loss, step = self.kl(batch.observations, actions, draws), step + self.config.regression_steps
        self.clone.adam_step(loss, linear_decay(step, self.config.cloning_steps))
        self.clone.update_ema(self.config.ema_rate)

    def learned(self) -> dict[str, Tensor]:
        return {"clone.theta": flat(self.clone.module), "clone.ema": flat(self.clone.ema)}


class ReverseKLCloning(Cloning):
    """Descent of the reverse KL to the behaviour model, after the regression."""

    regression = False


class _AdaptedCosts(CostCritics):
    prefix = ""


class Adaptation(Cloning):
    """Lines 8-12 of Algorithm 1 with Algorithm 3, at the cost that the stacked gate has."""

    def __init__(self, method: DRCORL, replica: int) -> None:
        super().__init__(method, replica)
        self.reward, self.costs = RewardCritic(method, replica), _AdaptedCosts(method, replica)
        self.actor = self.policy(method.actor, self.config.adaptation_rate)

    def update(self, step: int, draws: Draws) -> None:
        batch, config = self.batch(draws), self.config
        beyond = step + config.critics.regression_steps
        self.reward.learn(beyond, batch)
        self.costs.learn(beyond, batch, self.actor.ema)
        near = self.cloned(draws).observations if config.policy_states == "cloned" else batch.observations
        actions = self.actor.module(near)
        scale_r, scale_c = self.method.values.scales[self.replica]
        slope_r = self.reward.slope(near, actions) / scale_r
        slope_c = self.costs.slope(near, actions) / scale_c
        values = (slope_r * actions).sum(-1).mean(), -(slope_c * actions).sum(-1).mean()
        losses = (*values, self.kl(near, actions, draws))
        parameters = list(self.actor.module.parameters())
        q_r, q_c, k = (torch.autograd.grad(loss, parameters, retain_graph=True) for loss in losses)
        beta = self.config.adaptation.temperature.at(torch.tensor(float(step)))
        q_r, q_c = ([beta * part for part in q] for q in (q_r, q_c))
        self._ascend(step, q_r, q_c, k)

    def _ascend(self, step: int, q_r: list[Tensor], q_c: list[Tensor], k: tuple[Tensor, ...]) -> None:
        def dot(a: list[Tensor], b: list[Tensor]) -> Tensor:
            return sum((x * y).sum() for x, y in zip(a, b, strict=True)).double().reshape(1)  # pyright: ignore

        config = self.config.adaptation
        g_r, g_c = ([a - b for a, b in zip(q, k, strict=True)] for q in (q_r, q_c))
        limit = self.problem.limits[self.replica : self.replica + 1]
        slack = config.slack.at(torch.tensor(float(step)).double(), self.config.adaptation_steps) * limit
        cost = self.method.gate.cost[self.replica : self.replica + 1]
        weights = gradient_manipulation(cost, limit, slack, slack, dot(g_r, g_r), dot(g_r, g_c), dot(g_c, g_c))
        x, y = float(weights.x), float(weights.y)
        for p, r, c in zip(self.actor.module.parameters(), g_r, g_c, strict=True):
            p.grad = -(x * r + y * c)
        self.actor.step(linear_decay(step, self.config.adaptation_steps))
        self.actor.update_ema(self.config.ema_rate)

    def learned(self) -> dict[str, Tensor]:
        actor = {"policy.theta": flat(self.actor.module), "policy.ema": flat(self.actor.ema)}
        return actor | self.reward.learned() | self.costs.learned()


PHASES: dict[str, type[Plain]] = {
    "behaviour": Behaviour,
    "cloning": Cloning,
    "reverse KL cloning": ReverseKLCloning,
    "reward critic": RewardCritic,
    "cost critics": CostCritics,
    "adaptation": Adaptation,
}

OPTIONS = ("--gate.kind", "ucb", "--gate.select", "last")
"""Words of deep.train's command line: without a gate that needs learned dynamics."""
