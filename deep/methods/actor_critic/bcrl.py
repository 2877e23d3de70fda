r"""BCRL: implicit Q-learning conditioned on a discounted cost budget (arXiv 2603.22292, 2026).

Q_c and V_c are those of implicit Q-learning with a low expectile: nearly the least cost that the data show from a
state. Q_r, V_r and the policy also have a budget as an input, and learn from actions that this budget affords. With u
and u' uniform on [0, 1] and U the largest budget, `form` decides the budgets of a transition (s, a, r, c, s'):

slack: the budget above the least cost, delta.
    Q_r(s, a, gamma delta') <- r + gamma V_r(s', delta'),   delta' = u' U;
    V_r(s, b - V_c(s)) follows Q_r(s, a, b - Q_c(s, a)) at b = u U + max(Q_c, V_c).
absolute: the whole budget, exact where transitions are deterministic.
    Q_r(s, a, c + gamma b') <- r + gamma V_r(s', b'),   b' uniform from max(V_c(s'), (Q_c(s, a) - c) / gamma, 0) to U;
    V_r(s, b) follows Q_r(s, a, b) at b uniform from Q_c(s, a) to U.

The policy pi(a | s, budget) clones the data's actions with weights e^{beta_r (Q_r - V_r)} at the budgets of V_r's
update, a safe policy pi_c(a | s) with weights e^{beta_c (V_c - Q_c)}. Acting has the discounted budget left, kappa_t
(`deep.methods.parts.budget`): pi where kappa_t exceeds V_c(s), by `least_slack` in the slack form, otherwise pi_c. One
model per seed serves all cost limits.

Public code: `--variant public` has the U and the kappa_t of the code: U = c_max / (1 - gamma), far beyond the limits,
and kappa_t without the factor 1 - gamma^(L - t). The code's dropout in the policy and layer norms in V are left out
here, and so is its second evaluator, which follows a budget of its own instead of the costs that occur.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from deep.core.phase import Phase
from deep.core.problem import Problem
from deep.core.randomness import RandomInput
from deep.core.validation import AT_LEAST_0, BETWEEN_0_AND_1, check_ranges
from deep.data.replay import Batch
from deep.methods.parts.budget import Budget, BudgetMethod, discounted_budget
from deep.methods.parts.cloning import PAPER, SMOKE, CloningConfig, clone, quick, scales
from deep.methods.parts.critics import bellman_target
from deep.methods.parts.iql import IQL, Estimates, Head, Inputs, advantage_weights
from deep.methods.spec import MethodSpec
from deep.nn.mlp import initial_parameters
from deep.nn.parameters import Adam, Parameters
from deep.nn.policies import MLPPolicy


@dataclass(frozen=True)
class BCRLConfig(CloningConfig):
    """Hyper-parameters; the published values are those of the public code. Public: U and kappa_t of the code."""

    form: Literal["slack", "absolute"] = "slack"
    """What the budget is (slack for Bullet and Safety-Gymnasium, absolute for MetaDrive)."""
    reward_expectile: float = 0.6
    """tau of V_r (.6 for Safety-Gymnasium and MetaDrive, .5 for Bullet)."""
    cost_expectile: float = 0.3
    """tau of V_c (.3 for Safety-Gymnasium, .2 for Bullet, .4 for MetaDrive)."""
    largest_budget: float = 0.0
    """U, a discounted cost. 0: twice kappa_0 of the largest of the task's own cost limits, so that the networks resolve
    the budgets at which policies act; the public code's U where these limits are 0."""
    least_slack: float = 0.1
    """slack: the excess of kappa_t over V_c from which on the budget's policy acts."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_ranges(self, reward_expectile=BETWEEN_0_AND_1, cost_expectile=BETWEEN_0_AND_1)
        check_ranges(self, largest_budget=AT_LEAST_0, least_slack=AT_LEAST_0)


class Budgets(NamedTuple):
    """The budgets of a batch's transitions, discounted costs."""

    pair: Float[Tensor, "seeds batch"]
    """Of Q_r(s, a, .) where it meets its target."""
    next_state: Float[Tensor, "seeds batch"]
    """Of V_r(s', .) in this target."""
    value_pair: Float[Tensor, "seeds batch"]
    """Of Q_r(s, a, .) where V_r follows it."""
    state: Float[Tensor, "seeds batch"]
    """Of V_r(s, .) there, and of the policy."""


class BCRL(BudgetMethod):
    """The learner: one row of parameters per seed, whatever the number of cost limits."""

    def __init__(self, config: BCRLConfig, problem: Problem) -> None:
        self.config, self.problem = config, problem
        self.cost = IQL(config.critics, problem, "cost", [Head("max", config.cost_expectile)])
        self.reward = IQL(config.critics, problem, "reward", [Head("min", config.reward_expectile)], extra=1)
        obs, act = problem.observation_size, problem.action_size
        self.policy = MLPPolicy(obs + 1, act, "dirac", config.hidden)
        self.safe_policy = MLPPolicy(obs, act, "dirac", config.hidden)
        self.actor = self._new_policy(self.policy, "policy")
        self.safe_actor = self._new_policy(self.safe_policy, "safe policy")
        self.units, self.temperatures = scales(config, problem)
        self.largest = _largest_budget(config, problem)
        """U, by which budgets are divided at the networks' input."""

    def _new_policy(self, policy: MLPPolicy, name: str) -> Parameters:
        initial = initial_parameters(policy, self.problem.seeds, name).to(self.problem.device)
        return Parameters(initial, Adam(self.config.learning_rate), ema=True)

    def tensors(self) -> dict[str, Tensor]:
        named = self.cost.tensors() | self.reward.tensors() | {"cost_unit": self.units.cost}
        for policy, parameters in (("policy", self.actor), ("safe_policy", self.safe_actor)):
            named |= {f"{policy}.{name}": tensor for name, tensor in parameters.tensors.items()}
        return named

    def phases(self) -> list[Phase]:
        uniform = RandomInput("uniform", (self.config.batch_size,))
        draws = {"row": uniform, "next_budget": uniform, "budget": uniform}
        return [Phase("training", self.config.steps, self.problem.seeds, draws, self._update)]

    def _update(self, step: Tensor, draws: Mapping[str, Tensor]) -> dict[str, Tensor]:
        batch = self.problem.replay.batch(self.problem.replay.rows(draws["row"]))
        cost = self._fit_cost(step, batch)
        budgets = self.budgets(batch, cost, draws)
        reward = self._fit_reward(step, batch, budgets)
        weights = advantage_weights((reward.q - reward.v)[:, 0], self.temperatures.reward, self.config.weight_cap)
        safe_weights = advantage_weights((cost.v - cost.q)[:, 0], self.temperatures.cost, self.config.weight_cap)
        policy_loss = self._clone(
            step, self.policy, self.actor, self.with_budget(batch.observations, budgets.state), batch, weights
        )
        safe_loss = self._clone(step, self.safe_policy, self.safe_actor, batch.observations, batch, safe_weights)
        return {
            "critic_loss": reward.td_loss + cost.td_loss,
            "policy_loss": policy_loss,
            "safe_policy_loss": safe_loss,
            "reward_value": reward.v.mean((1, 2)) * self.units.reward,
            "cost_value": cost.v.mean((1, 2)) * self.units.cost,
        }

    def _fit_cost(self, step: Tensor, batch: Batch) -> Estimates:
        """Q_c <- c + gamma V_c(s'), at least 0."""
        unit, gamma = self.units.cost, self.problem.gamma

        def backup(next_value: Tensor) -> Tensor:
            return bellman_target(batch.costs / unit, batch.not_terminal, next_value, gamma).clamp(min=0)

        return self.cost.fit(step, Inputs.of(batch), backup, batch.cost_to_go.unsqueeze(1) / unit)

    def budgets(self, batch: Batch, cost: Estimates, draws: Mapping[str, Tensor]) -> Budgets:
        """The budgets of `form`, for uniforms "next_budget" and "budget"."""
        q, v = (x[:, 0] * self.units.cost for x in (cost.q, cost.v))
        gamma, largest = self.problem.gamma, self.largest
        if self.config.form == "slack":
            slack = draws["next_budget"] * largest
            budget = draws["budget"] * largest + torch.maximum(q, v)
            return Budgets(gamma * slack, slack, budget - q, budget - v)
        with torch.no_grad():
            next_least = self.cost.values(batch.next_observations)[:, 0] * self.units.cost
        least = torch.maximum(next_least, (q - batch.costs) / gamma).clamp(min=0)
        onward = least + draws["next_budget"] * (largest - least).clamp(min=0)
        budget = q + draws["budget"] * (largest - q).clamp(min=0)
        return Budgets(batch.costs + gamma * onward, onward, budget, budget)

    def _fit_reward(self, step: Tensor, batch: Batch, budgets: Budgets) -> Estimates:
        """Q_r(s, a, .) <- r + gamma V_r(s', .), and V_r(s, .) follows Q_r(s, a, .), at these budgets."""
        pairs = torch.cat([batch.observations, batch.actions], -1)
        inputs = Inputs(
            self.with_budget(pairs, budgets.pair),
            self.with_budget(batch.next_observations, budgets.next_state),
            self.with_budget(pairs, budgets.value_pair),
            self.with_budget(batch.observations, budgets.state),
        )
        rewards, gamma = batch.rewards / self.units.reward, self.problem.gamma
        data_target = batch.reward_to_go.unsqueeze(1) / self.units.reward
        return self.reward.fit(
            step, inputs, lambda value: bellman_target(rewards, batch.not_terminal, value, gamma), data_target
        )

    def with_budget(self, x: Float[Tensor, "seeds rows size"], budget: Float[Tensor, "seeds rows"]) -> Tensor:
        """The inputs with the budget as their last column, in units of U."""
        return torch.cat([x, (budget / self.largest).unsqueeze(-1)], -1)

    def _clone(
        self, step: Tensor, policy: MLPPolicy, actor: Parameters, states: Tensor, batch: Batch, weights: Tensor
    ) -> Float[Tensor, " seeds"]:
        """One step of weighted least squares on the data's actions; the loss before it."""
        mean, _ = policy.distribution(actor.theta, states)
        loss = (weights * (mean - batch.actions).square().mean(2)).mean(1)
        return clone(step, self.config, actor, loss)

    @torch.no_grad()
    def act(
        self, observations: Float[Tensor, "seeds rows obs"], kappa: Float[Tensor, "seeds rows"]
    ) -> Float[Tensor, "seeds rows act"]:
        """The actions at these discounted budgets left."""
        slack = kappa - self.cost.values(observations)[:, 0] * self.units.cost
        if self.config.form == "slack":
            budget, affordable = slack, slack >= self.config.least_slack
        else:
            budget, affordable = kappa, slack > 0
        states = self.with_budget(observations, budget.clamp(0, self.largest))
        action, _ = self.policy.distribution(self.actor.ema, states)
        safe, _ = self.safe_policy.distribution(self.safe_actor.ema, observations)
        return torch.where(affordable.unsqueeze(-1), action, safe)

    def choose(self, observations: Float[Tensor, "seeds rows obs"], budget: Budget) -> Float[Tensor, "seeds rows act"]:
        """The actions with these budgets left."""
        endless = self.config.variant == "public"
        kappa = discounted_budget(budget.left, budget.step, self.problem.task, self.problem.gamma, endless)
        return self.act(observations, kappa)

    def report(self) -> dict[str, object]:
        return {"form": self.config.form, "largest_budget": self.largest, "variant": self.config.variant}


def _largest_budget(config: BCRLConfig, problem: Problem) -> float:
    """U. It does not depend on the run's cost limits, so that a seed's model is the same for any of them."""
    if config.largest_budget > 0:
        return config.largest_budget
    limit = torch.tensor(float(max(problem.task.cost_limits, default=0.0)), dtype=torch.float64)
    kappa = float(discounted_budget(limit, torch.zeros_like(limit), problem.task, problem.gamma))
    possible = (float(problem.replay.costs.max()) or 1.0) / (1 - problem.gamma)
    return possible if config.variant == "public" or kappa == 0 else min(2 * kappa, possible)


SPEC = MethodSpec(
    title="BCRL",
    paper="arXiv 2603.22292, 2026",
    build=BCRL,
    presets={"quick": BCRLConfig(**quick(regression_steps=2500), steps=8000), "paper": BCRLConfig(**PAPER)},
    smoke=SMOKE,
    brief={"steps": 5000, "critics.regression_steps": 1500},
)
