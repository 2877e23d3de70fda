r"""Implicit Q-learning: pairs of a twin Q and a V, learned from the data's actions alone.

For each head, with the worse Q' of the two EMA critics (the lesser of a reward's, the greater of a cost's):

    L_V = E |tau - 1(Q'(s, a) < V(s))| (Q'(s, a) - V(s))^2,      L_Q = E sum_i (Q_i(s, a) - y)^2,

where y is the head's own backup of V(s'): r + gamma V(s') for a reward or a cost. tau > 1/2 makes V large: the value of
the better actions of the data. tau < 1/2 makes V small: the cost of the cheaper ones.

Heads whose networks are alike are one ensemble, which one batched product runs. The parameters have one row per seed:
nothing here depends on a cost limit. Shapes: (seed, head, batch). Source: Kostrikov et al. 2022, Eqs. (5) and (6).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import log
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from deep.core.problem import Problem
from deep.core.validation import ABOVE_0, AT_LEAST_0, AT_LEAST_1, RATE, check_ranges
from deep.data.replay import Batch
from deep.methods.parts.critics import CriticConfig, bellman_target, expectile_loss, td_loss
from deep.nn.mlp import MLP, Ensemble, initial_parameters
from deep.nn.parameters import Adam, Parameters, gradient


def iql_value_loss(
    q: Float[Tensor, "n heads batch"], values: Float[Tensor, "n heads batch"], tau: Float[Tensor, "heads 1"] | float
) -> Float[Tensor, " n"]:
    """L_V, Eq. (17) of the DRCORL preprint: the expectile regression of V on the worse twin, summed over the heads."""
    return expectile_loss(q - values, tau).mean(2).sum(1)


@dataclass(frozen=True)
class IQLConfig:
    """The networks of all heads and how they are trained."""

    hidden: tuple[int, ...] = (256, 256)
    """Hidden layers."""
    learning_rate: float = 3e-4
    """Adam's step size."""
    target_rate: float = 0.005
    """Rate of the EMA of the Q's, the target networks."""
    layer_norm: bool = False
    """Layer normalisation before each activation (not in the papers)."""
    regression_steps: int = 0
    """The first of these steps regress on the data's own discounted sums instead of bootstrapping (0 in the papers).

    A bootstrapped value moves by a share of 1 - gamma in about 1 / target_rate steps. So a short training that starts
    from 0 ends with values, costs among them, that are far too small."""

    def __post_init__(self) -> None:
        check_ranges(self, "critics.", hidden=AT_LEAST_1, learning_rate=ABOVE_0, target_rate=RATE)
        check_ranges(self, "critics.", regression_steps=AT_LEAST_0)


class Head(NamedTuple):
    """One pair of Q and V."""

    worse: Literal["min", "max"]
    """The twin that V follows: the lesser of what is to be large, the greater of what is to be small."""
    expectile: float
    """tau."""


class Inputs(NamedTuple):
    """Where the networks are evaluated in an update. Additional inputs, such as a budget, are last columns."""

    pairs: Float[Tensor, "seeds batch pair"]
    """(s, a), where Q meets its target."""
    next_states: Float[Tensor, "seeds batch state"]
    """s', where the target has V."""
    value_pairs: Float[Tensor, "seeds batch pair"]
    """(s, a), whose Q' V follows."""
    states: Float[Tensor, "seeds batch state"]
    """s, where V follows it."""

    @classmethod
    def of(cls, batch: Batch) -> "Inputs":
        """Without additional inputs."""
        pairs = torch.cat([batch.observations, batch.actions], -1)
        return cls(pairs, batch.next_observations, pairs, batch.observations)


class Estimates(NamedTuple):
    """What an update has seen, from before it: Q'(s, a) of the worse twin, V(s), and L_Q."""

    q: Float[Tensor, "seeds heads batch"]
    v: Float[Tensor, "seeds heads batch"]
    td_loss: Float[Tensor, " seeds"]


class IQL:
    """The heads of all seeds; `extra` is the number of inputs besides state and action."""

    def __init__(
        self, config: IQLConfig, problem: Problem, name: str, heads: Sequence[Head], *, extra: int = 0
    ) -> None:
        self.config, self.problem, self.name = config, problem, name
        obs, act = problem.observation_size + extra, problem.action_size
        self.value = Ensemble(MLP(obs, 1, config.hidden, layer_norm=config.layer_norm), len(heads))
        self.twin = Ensemble(MLP(obs + act, 1, config.hidden, layer_norm=config.layer_norm), 2 * len(heads))
        self.v = self._parameters(self.value, f"{name} value", ema=False)
        self.q = self._parameters(self.twin, f"{name} critic", ema=True)
        put = {"dtype": self.v.theta.dtype, "device": problem.device}
        self.expectile = torch.tensor([[head.expectile] for head in heads], **put)
        self.sign = torch.tensor([[1.0 if head.worse == "min" else -1.0] for head in heads], **put)

    def _parameters(self, network: Ensemble, name: str, ema: bool) -> Parameters:
        initial = initial_parameters(network, self.problem.seeds, name).to(self.problem.device)
        return Parameters(initial, Adam(self.config.learning_rate), ema)

    def tensors(self) -> dict[str, Tensor]:
        values = {f"{self.name}_value.{name}": tensor for name, tensor in self.v.tensors.items()}
        return values | {f"{self.name}_critic.{name}": tensor for name, tensor in self.q.tensors.items()}

    def worse_q(
        self, theta: Float[Tensor, "seeds params"], pairs: Float[Tensor, "seeds batch pair"]
    ) -> Float[Tensor, "seeds heads batch"]:
        """Each head's worse twin with these parameters: `q.ema` for the target networks."""
        both = self.twin.apply(theta, pairs).squeeze(-1).unflatten(1, (-1, 2))
        return self.sign * (self.sign.unsqueeze(1) * both).amin(2)

    def values(self, states: Float[Tensor, "seeds batch state"]) -> Float[Tensor, "seeds heads batch"]:
        """V."""
        return self.value.apply(self.v.theta, states).squeeze(-1)

    def fit(
        self,
        step: Tensor,
        inputs: Inputs,
        backup: Callable[[Float[Tensor, "seeds heads batch"]], Float[Tensor, "seeds heads batch"]],
        data_sums: Float[Tensor, "seeds first batch"],
    ) -> Estimates:
        """One step of V and Q. `backup` maps V(s') to y. In the first steps `data_sums`, the data's own discounted
        sums, stand for y, for as many heads as they are given for."""
        with torch.no_grad():
            worse = self.worse_q(self.q.ema, inputs.value_pairs)
            target = backup(self.values(inputs.next_states))
            known = data_sums.shape[1]
            started = torch.where(step < self.config.regression_steps, data_sums, target[:, :known])
            target = torch.cat([started, target[:, known:]], 1)
        value = self.values(inputs.states)
        value_loss = iql_value_loss(worse, value, self.expectile)
        both = self.twin.apply(self.q.theta, inputs.pairs).squeeze(-1)
        q_loss = td_loss(both, target.repeat_interleave(2, 1))
        self.v.adam_step(gradient(value_loss, self.v))
        self.q.adam_step(gradient(q_loss, self.q))
        self.q.update_ema(self.config.target_rate)
        return Estimates(worse, value.detach(), q_loss.detach())


class RewardCritic(IQL):
    """The reward's head alone, with the gradient of Q_r in the action: Eqs. (17) and (18) of the DRCORL preprint."""

    def __init__(self, config: CriticConfig, problem: Problem) -> None:
        networks = IQLConfig(
            config.hidden, config.learning_rate, config.target_rate, config.layer_norm, config.regression_steps
        )
        super().__init__(networks, problem, "reward", [Head("min", config.expectile)])
        self.unit = 1 / (1 - problem.gamma)
        """Networks predict values divided by this, sum_t gamma^t, so that outputs are of order one."""

    def learn(self, step: Tensor, batch: Batch) -> dict[str, Tensor]:
        """One step on a batch whose leading axis is the seeds."""
        rewards, gamma = batch.rewards / self.unit, self.problem.gamma
        found = self.fit(
            step,
            Inputs.of(batch),
            lambda next_value: bellman_target(rewards, batch.not_terminal, next_value, gamma),
            batch.reward_to_go.unsqueeze(1) / self.unit,
        )
        return {"reward_value": found.v.mean((1, 2)) * self.unit, "reward_td_loss": found.td_loss}

    def action_gradient(
        self, observations: Float[Tensor, "replicas batch obs"], actions: Float[Tensor, "replicas batch act"]
    ) -> Float[Tensor, "replicas batch act"]:
        """grad_a min(Q_1, Q_2) of the target networks, for every replica from its seed's critic; 0 beyond [-1, 1]."""
        theta = self.q.ema[self.problem.seed_index]
        with torch.enable_grad():
            actions = actions.detach().requires_grad_(True)
            q = self.worse_q(theta, torch.cat([observations, actions.clamp(-1, 1)], -1))
            return torch.autograd.grad(q.sum(), actions)[0] * self.unit


def advantage_weights(advantage: Tensor, temperature: float, cap: float) -> Tensor:
    """min(exp(temperature A), cap): the weight of a data action in weighted regression."""
    return (temperature * advantage).clamp(max=log(cap)).exp()


RewardUnit = Literal["raw", "episode"]
"""The unit of a reward advantage in a weight. raw: ten of the task's own rewards, as in published codes, which scale
rewards by .1. episode: what an episode earns per step when its return is 1 on DSRL's scale."""


def reward_units(problem: Problem, unit: RewardUnit) -> float:
    """How many of these units one unit of the scaled reward is."""
    return 0.1 / problem.reward_scale if unit == "raw" else 1.0


def cost_unit(problem: Problem) -> float:
    """The discounted sum of the data's mean cost: Q_c divided by it is of order one. 1 / (1 - gamma) without costs."""
    return (float(problem.replay.costs.mean()) or 1.0) / (1 - problem.gamma)


def bootstraps(problem: Problem, cut_timeouts: bool) -> Float[Tensor, " transitions"]:
    """For every transition of the data 1 where its target has the next value, else 0: after terminal states, and
    after timeouts too where these are taken for ends, as several published codes do."""
    if not cut_timeouts:
        return problem.replay.not_terminal
    ends = torch.from_numpy(problem.data.timeouts).to(problem.device)
    return problem.replay.not_terminal * (~ends).to(problem.replay.not_terminal.dtype)
