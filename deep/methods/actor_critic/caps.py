r"""CAPS: constraint-adaptive policy switching, in its IQL form (Chemingui et al. 2025, AAAI).

Two pairs of critics are learned from the data by implicit Q-learning, of the reward (the lesser twin) and of the cost
(the greater twin, an expectile 1 - tau: the cost of the cheaper actions). K policies, heads on one trunk, clone the
data's actions with weights that lean from the reward (k = 0) to the cost (k = K - 1):

    w_0 = e^{beta_r A_r},   w_{K-1} = e^{beta_c A_c},   w_k = e^{beta_r A_r} + lambda_k e^{beta_c A_c} in between,
    A_r = Q_r - V_r,   A_c = V_c - Q_c,   lambda_k = 2 k / (K - 1),   each exponential at most `weight_cap`,

by weighted least squares. Acting switches between the heads at every step: of the heads whose action has
Q_c(s, a_k) < kappa_t the one of the largest Q_r, or else the one of the least Q_c; kappa_t is the discounted budget
left (`deep.methods.parts.budget`). One model per seed serves all cost limits.

Q_c is the cost of the *cheaper* behaviour from the next step on, and not that of the switching policy: the test is
optimistic about the future, and acts within the limit because the budget left is compared again at every step.

Public code: `--variant public` ends the values at timeouts as it does. Its heads' standard deviations are never
trained, so that its weighted likelihood is the weighted square of this file. Its reward is a tenth of the task's, to
which beta_r = 3 belongs (`reward_unit`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NoReturn

import torch
from jaxtyping import Float, Int
from torch import Tensor

from deep.core.method import Method, Policy
from deep.core.phase import Phase
from deep.core.problem import Problem
from deep.core.randomness import RandomInput
from deep.core.validation import ABOVE_0, AT_LEAST_0, AT_LEAST_1, BETWEEN_0_AND_1, RATE, Range, check_ranges
from deep.data.replay import Batch
from deep.methods.parts.budget import Budget, BudgetPolicy, discounted_budget, reject_export
from deep.methods.parts.critics import bellman_target
from deep.methods.parts.iql import (
    IQL,
    Estimates,
    Head,
    Inputs,
    IQLConfig,
    RewardUnit,
    advantage_weights,
    bootstraps,
    cost_unit,
    reward_units,
)
from deep.methods.spec import MethodSpec
from deep.nn.mlp import initial_parameters
from deep.nn.parameters import Adam, Parameters, gradient, linear_decay
from deep.nn.policies import MLPPolicy

HEADS = Range("from 2 to 8", lambda x: 2 <= x <= 8)


@dataclass(frozen=True)
class CAPSConfig:
    """Hyper-parameters; the published values are those of the paper's code."""

    critics: IQLConfig = field(default_factory=IQLConfig)
    heads: int = 2
    """K, the policies to switch between, from 2 to 8 (2, 4 and 8 in the paper)."""
    expectile: float = 0.5
    """tau of V_r; that of V_c is 1 - tau (.5 for velocity, navigation and MetaDrive, .7 for Bullet)."""
    reward_temperature: float = 3.0
    """beta_r, per unit of `reward_unit`."""
    reward_unit: RewardUnit = "raw"
    """The unit of A_r: ten of the task's own rewards (published), or what an episode earns per step when its return is
    1 on DSRL's scale."""
    cost_temperature: float = 3.0
    """beta_c, per unit of cost."""
    weight_cap: float = 100.0
    """The largest weight e^{beta A}."""
    steps: int = 10_000
    """Steps of the critics and, with them, of the policies (100 000)."""
    batch_size: int = 256
    """Minibatch (512)."""
    hidden: tuple[int, ...] = (256, 256)
    """Hidden layers of the policies' trunk (512, 512)."""
    learning_rate: float = 1e-3
    """Adam's step size for the policies; it decays linearly to a tenth (3e-4, which the paper's schedule hardly lowers
    in its steps)."""
    ema_rate: float = 0.01
    """Rate of the EMA of the policies' parameters; the EMA is evaluated (none in the paper: 1)."""
    variant: Literal["corrected", "public"] = "corrected"
    """public: values end at timeouts."""

    def __post_init__(self) -> None:
        check_ranges(self, heads=HEADS, expectile=BETWEEN_0_AND_1, steps=AT_LEAST_0, batch_size=AT_LEAST_1)
        check_ranges(self, reward_temperature=AT_LEAST_0, cost_temperature=AT_LEAST_0, weight_cap=AT_LEAST_1)
        check_ranges(self, hidden=AT_LEAST_1, learning_rate=ABOVE_0, ema_rate=RATE)


class CAPS(Method):
    """The learner: one row of parameters per seed, whatever the number of cost limits."""

    def __init__(self, config: CAPSConfig, problem: Problem) -> None:
        self.config, self.problem = config, problem
        heads = [Head("min", config.expectile), Head("max", 1 - config.expectile)]
        self.critics = IQL(config.critics, problem, "iql", heads)
        self.policy = MLPPolicy(problem.observation_size, problem.action_size * config.heads, "dirac", config.hidden)
        initial = initial_parameters(self.policy, problem.seeds, "policy").to(problem.device)
        self.actor = Parameters(initial, Adam(config.learning_rate), ema=True)
        self.not_terminal = bootstraps(problem, config.variant == "public")
        unit = cost_unit(problem)
        self.units = 1 / (1 - problem.gamma), torch.tensor(unit).to(problem.replay.costs)
        """Of Q_r and Q_c: the networks predict values divided by these. The second comes from the data and is among the
        tensors, because a finished run does without the data."""
        per_reward = config.reward_temperature * reward_units(problem, config.reward_unit)
        self.temperatures = per_reward * self.units[0], config.cost_temperature * unit
        """beta_r and beta_c per unit of the networks' outputs."""
        self.mixture = torch.arange(config.heads, device=problem.device)[:, None] * (2 / (config.heads - 1))
        """lambda_k, (heads, 1)."""

    def tensors(self) -> dict[str, Tensor]:
        policy = {f"policy.{name}": tensor for name, tensor in self.actor.tensors.items()}
        return self.critics.tensors() | policy | {"cost_unit": self.units[1]}

    def phases(self) -> list[Phase]:
        draws = {"row": RandomInput("uniform", (self.config.batch_size,))}
        return [Phase("training", self.config.steps, self.problem.seeds, draws, self._update)]

    def _update(self, step: Tensor, draws: Mapping[str, Tensor]) -> dict[str, Tensor]:
        rows = self.problem.replay.rows(draws["row"])
        batch = self.problem.replay.batch(rows)._replace(not_terminal=self.not_terminal[rows])
        found = self.critics.fit(step, Inputs.of(batch), lambda v: self.backup(batch, v), self._data_target(batch))
        weights = self.weights(found)
        distance = (self.actions(self.actor.theta, batch.observations) - batch.actions.unsqueeze(1)).square().mean(3)
        loss = (weights * distance).mean(2).sum(1)
        self.actor.adam_step(gradient(loss, self.actor), linear_decay(step, self.config.steps))
        self.actor.update_ema(self.config.ema_rate)
        value = found.v.mean(2)
        metrics = {"critic_loss": found.td_loss, "policy_loss": loss.detach(), "weight": weights.mean((1, 2))}
        return metrics | {"reward_value": value[:, 0] * self.units[0], "cost_value": value[:, 1] * self.units[1]}

    def backup(self, batch: Batch, next_value: Float[Tensor, "seeds 2 batch"]) -> Float[Tensor, "seeds 2 batch"]:
        """r + gamma V_r(s') and c + gamma V_c(s'), the latter at least 0; in the networks' units."""
        gamma, not_terminal = self.problem.gamma, batch.not_terminal
        reward = bellman_target(batch.rewards / self.units[0], not_terminal, next_value[:, :1], gamma)
        cost = bellman_target(batch.costs / self.units[1], not_terminal, next_value[:, 1:], gamma)
        return torch.cat([reward, cost.clamp(min=0)], 1)

    def _data_target(self, batch: Batch) -> Float[Tensor, "seeds 2 batch"]:
        return torch.stack([batch.reward_to_go / self.units[0], batch.cost_to_go / self.units[1]], 1)

    def weights(self, found: Estimates) -> Float[Tensor, "seeds heads batch"]:
        """w_k of every transition of a batch."""
        advantage = found.q - found.v
        reward = advantage_weights(advantage[:, :1], self.temperatures[0], self.config.weight_cap)
        cost = advantage_weights(-advantage[:, 1:], self.temperatures[1], self.config.weight_cap)
        between = reward + self.mixture[1:-1] * cost
        return torch.cat([reward, between, cost], 1)

    def actions(
        self, theta: Float[Tensor, "seeds params"], observations: Float[Tensor, "seeds batch obs"]
    ) -> Float[Tensor, "seeds heads batch act"]:
        """The action of every head."""
        mean, _ = self.policy.distribution(theta, observations)
        return mean.unflatten(2, (self.config.heads, -1)).transpose(1, 2)

    @torch.no_grad()
    def act(
        self, observations: Float[Tensor, "seeds rows obs"], kappa: Float[Tensor, "seeds rows"]
    ) -> Float[Tensor, "seeds rows act"]:
        """The action of the head that `best_head` takes at these discounted budgets."""
        candidates = self.actions(self.actor.ema, observations)
        states = observations.unsqueeze(1).expand(-1, self.config.heads, -1, -1)
        pairs = torch.cat([states, candidates], 3).flatten(1, 2)
        q = self.critics.worse_q(self.critics.q.ema, pairs).unflatten(2, (self.config.heads, -1))
        head = best_head(q[:, 0] * self.units[0], q[:, 1] * self.units[1], kappa)
        index = head[:, None, :, None].expand(-1, 1, -1, candidates.shape[3])
        return candidates.gather(1, index).squeeze(1)

    def choose(self, observations: Float[Tensor, "seeds rows obs"], budget: Budget) -> Float[Tensor, "seeds rows act"]:
        """The actions with these budgets left."""
        return self.act(
            observations, discounted_budget(budget.left, budget.step, self.problem.task, self.problem.gamma)
        )

    def policies(self) -> dict[str, Policy]:
        return {"": BudgetPolicy(self.problem, self.choose)}

    def exportable(self, replica: int) -> NoReturn:
        reject_export(self)

    def report(self) -> dict[str, object]:
        zero = self.problem.limits.new_zeros(len(self.problem.replicas))
        kappa = discounted_budget(self.problem.limits, zero, self.problem.task, self.problem.gamma)
        return {"heads": self.config.heads, "kappa": kappa.tolist(), "variant": self.config.variant}


def best_head(
    reward: Float[Tensor, "n heads rows"], cost: Float[Tensor, "n heads rows"], kappa: Float[Tensor, "n rows"]
) -> Int[Tensor, "n rows"]:
    """Of the heads with a cost below kappa the one of the largest reward; without any, the one of the least cost.

    No cost is below a kappa of 0: a negative estimate counts as 0.
    """
    affordable = cost.clamp(min=0) < kappa.unsqueeze(1)
    best = torch.where(affordable, reward, -torch.inf).argmax(1)
    return torch.where(affordable.any(1), best, cost.argmin(1))


SPEC = MethodSpec(
    title="CAPS",
    paper="Chemingui et al. 2025",
    build=CAPS,
    presets={
        "quick": CAPSConfig(
            critics=IQLConfig(hidden=(128, 128), learning_rate=6e-4, target_rate=0.01, regression_steps=3000),
            hidden=(128, 128),
        ),
        "paper": CAPSConfig(
            critics=IQLConfig(hidden=(512, 512)),
            steps=100_000,
            batch_size=512,
            hidden=(512, 512),
            learning_rate=3e-4,
            ema_rate=1.0,
        ),
    },
    smoke={
        "steps": 100,
        "heads": 3,
        "batch_size": 16,
        "hidden": (16,),
        "critics.hidden": (16,),
        "critics.regression_steps": 50,
    },
    brief={"steps": 6000, "critics.regression_steps": 2000},
)
