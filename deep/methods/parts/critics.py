r"""Losses and targets of critics, TD ensembles of a policy's reward and of its cost, and conversions of cost limits.

Losses are per replica. Values are discounted sums, V = E[sum_t gamma^t r_t], in the unit of the (scaled) reward or of
the cost. `deep.methods.parts.iql` has the critics of implicit Q-learning.

Shapes: `q` and `values` have (replica, member, batch); rewards, costs and `not_terminal` have (replica, batch).
`not_terminal` is 0 where the transition ended in a terminal state and 1 elsewhere, timeouts included: those are
bootstrapped.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from deep.core.problem import Problem
from deep.core.validation import ABOVE_0, AT_LEAST_0, AT_LEAST_1, BETWEEN_0_AND_1, RATE, check_ranges
from deep.data.replay import Batch
from deep.nn.mlp import MLP, Ensemble, initial_parameters
from deep.nn.parameters import Adam, Parameters, gradient


def expectile_loss(difference: Tensor, tau: Tensor | float) -> Tensor:
    """|tau - 1(u < 0)| u^2, elementwise (Eq. 17). Its minimiser is the tau-expectile; the text says quantile."""
    return torch.where(difference < 0, 1 - tau, tau) * difference.square()


def td_loss(q: Float[Tensor, "n members batch"], target: Float[Tensor, "n #members batch"]) -> Float[Tensor, " n"]:
    """Eq. (18): the squared error to a fixed target, mean over the batch, sum over the members."""
    return (q - target).square().mean(dim=2).sum(dim=1)


def bellman_target(
    immediate: Float[Tensor, "n batch"],
    not_terminal: Float[Tensor, "n batch"],
    next_value: Float[Tensor, "n members batch"],
    gamma: float,
    bounds: tuple[float, float] | None = None,
) -> Float[Tensor, "n members batch"]:
    """r + gamma not_terminal V(s'), clamped to the range that is possible where `bounds` are known."""
    target = immediate.unsqueeze(1) + gamma * not_terminal.unsqueeze(1) * next_value
    return target if bounds is None else target.clamp(*bounds)


def pessimism(
    q_policy: Float[Tensor, "n members batch"],
    q_data: Float[Tensor, "n members batch"],
    alpha: float,
    printed: bool = False,
) -> Float[Tensor, " n"]:
    """The term to *add* to the cost critics' TD loss: -alpha (E_pi Q_c - E_data Q_c), summed over the members.

    It raises the cost of the policy's actions against those of the data. Eq. (19) prints r for c, minimises over the
    policy, and has no data term; its minimiser is then biased upwards everywhere, on the data by
    alpha / (2 (1 - gamma)): ten times a limit of 10 per 1000 steps at alpha = .2 and gamma = .99. A gate that read
    these critics would take every policy for unsafe; `deep.methods.drcorl.gate` has critics of its own. `printed`
    leaves the data term out, as Eq. (19) does.
    """
    reference = 0.0 if printed else q_data.mean(dim=2)
    return -alpha * (q_policy.mean(dim=2) - reference).sum(dim=1)


def upper_confidence(q: Float[Tensor, "n members batch"], k: float) -> Float[Tensor, "n batch"]:
    """Eq. (24): ensemble mean plus k population standard deviations."""
    return q.mean(dim=1) + k * q.std(dim=1, correction=0)


def episodic_to_discounted(
    limit: float, gamma: float, length: int, states: str, expected_length: float | None = None
) -> float:
    """The discounted value that corresponds to `limit` costs in an episode of `length` steps, at a constant cost rate.

    states = "data": states spread over endless episodes, kappa = limit / ((1 - gamma) length), as in appendix B.1.
    states = "start": start states of episodes cut at `length`, that times (1 - gamma^length).
    states = "cut": states spread over episodes cut at `length`, limit / length times the mean over k = 1 ... length
    steps left of (1 - gamma^k) / (1 - gamma).
    Critics that bootstrap at timeouts, as those here do, estimate the first; the others are smaller. Early termination
    breaks all three. Where random timeouts make an episode last `expected_length` steps on average, the limit is
    spread over these; at a rate of 1 - gamma the "start" value is then `limit` itself.
    """
    shares = {
        "data": 1.0,
        "start": 1 - gamma**length,
        "cut": 1 - gamma * (1 - gamma**length) / ((1 - gamma) * length),
    }
    return limit * shares[states] / ((1 - gamma) * (length if expected_length is None else expected_length))


@dataclass(frozen=True)
class CriticConfig:
    """The critics of reward (`deep.methods.parts.iql`) and cost; equations and defaults are those of the DRCORL
    preprint (Table 2) unless said otherwise."""

    steps: int = 1500
    """Pretraining steps of the reward critic, and of the cost critics."""
    regression_steps: int = 1000
    """The first of these regress on the data's own discounted sums instead of bootstrapping: TD starts unbiased."""
    learning_rate: float = 6e-4
    """Adam's step size."""
    hidden: tuple[int, ...] = (256, 256)
    """Hidden layers."""
    layer_norm: bool = False
    """Layer normalisation before each activation of the critics (not in the preprint)."""
    target_rate: float = 0.005
    """Rate of the target critics' moving average. TD carries values back by about steps x rate x (1 - gamma) horizons,
    a horizon being 1 / (1 - gamma) steps of the task."""
    reward: Literal["iql", "td"] = "iql"
    """The reward critic: implicit Q-learning, Eqs. (17) and (18), whose values are those of a policy that ignores the
    limit; or TD of the policy's own reward, an ensemble like the cost critics."""
    expectile: float = 0.7
    """iql: tau of Eq. (17)."""
    ensemble: int = 4
    """E, the cost critics of a replica (and its reward critics with td)."""
    pessimism: float = 0.2
    """alpha of Eq. (19), in the corrected form of `pessimism`."""
    printed_pessimism: bool = False
    """Take Eq. (19) as it is printed, without the data term."""

    def __post_init__(self) -> None:
        check_ranges(self, "critics.", steps=AT_LEAST_0, regression_steps=AT_LEAST_0, learning_rate=ABOVE_0)
        check_ranges(self, "critics.", hidden=AT_LEAST_1, target_rate=RATE, expectile=BETWEEN_0_AND_1)
        check_ranges(self, "critics.", ensemble=AT_LEAST_1, pessimism=AT_LEAST_0)


class Signal(NamedTuple):
    """What a critic sums up: the immediate values of a batch, and the data's own discounted sums."""

    immediate: Float[Tensor, "n batch"]
    to_go: Float[Tensor, "n batch"]


class PolicyCritic:
    """An ensemble of TD critics for each policy that is evaluated, Q^pi of its reward or of its cost.

    Policies are one per replica, or one per seed where replicas still share it; `policy_seeds` are their seeds.
    """

    bounds: tuple[float, float] | None = None
    """The range of (1 - gamma) Q, where it is known."""

    def __init__(self, config: CriticConfig, problem: Problem, name: str, policy_seeds: tuple[int, ...]) -> None:
        self.config, self.problem, self.name = config, problem, name
        self.unit = 1 / (1 - problem.gamma)
        """Networks predict values divided by this, sum_t gamma^t, so that outputs are of order one."""
        inputs = problem.observation_size + problem.action_size
        self.ensemble = Ensemble(MLP(inputs, 1, config.hidden, layer_norm=config.layer_norm), config.ensemble)
        initial = initial_parameters(self.ensemble, policy_seeds, name).to(problem.device)
        self.q = Parameters(initial, Adam(config.learning_rate), ema=True)

    def tensors(self) -> dict[str, Tensor]:
        return {f"{self.name}.{name}": tensor for name, tensor in self.q.tensors.items()}

    def signal(self, batch: Batch) -> Signal:
        """The reward."""
        return Signal(batch.rewards, batch.reward_to_go)

    def learn(self, step: Tensor, batch: Batch, chosen: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """One step; `chosen` has the policy's actions at the batch's states ("here") and at the next ones ("there")."""
        immediate, to_go = self.signal(batch)
        with torch.no_grad():
            next_value = self._q(self.q.ema, batch.next_observations, chosen["there"].clamp(-1, 1))
            target = bellman_target(
                immediate / self.unit, batch.not_terminal, next_value, self.problem.gamma, self.bounds
            )
            target = torch.where(step < self.config.regression_steps, to_go.unsqueeze(1) / self.unit, target)
        q_data = self._q(self.q.theta, batch.observations, batch.actions)
        loss = td_loss(q_data, target) + self.regulariser(q_data, batch.observations, chosen["here"])
        self.q.adam_step(gradient(loss, self.q))
        self.q.update_ema(self.config.target_rate)
        return {f"{self.name}_value": q_data.detach().mean((1, 2)) * self.unit}

    def regulariser(
        self, q_data: Float[Tensor, "n members batch"], observations: Tensor, actions: Tensor
    ) -> Float[Tensor, " n"] | float:
        """What is added to the TD loss: nothing."""
        return 0.0

    def _q(self, theta: Tensor, observations: Tensor, actions: Tensor) -> Float[Tensor, "n members batch"]:
        return self.ensemble.apply(theta, torch.cat([observations, actions], -1)).squeeze(-1)

    def member_values(self, observations: Tensor, actions: Tensor) -> Float[Tensor, "policies members batch"]:
        """Each averaged critic's value, a discounted sum."""
        return self._q(self.q.ema, observations, actions.clamp(-1, 1)) * self.unit

    def upper_confidence(self, observations: Tensor, actions: Tensor, k: float) -> Float[Tensor, "policies batch"]:
        """Eq. (24) of the averaged critics, a discounted sum."""
        return upper_confidence(self._q(self.q.ema, observations, actions.clamp(-1, 1)), k) * self.unit

    def action_gradient(
        self, observations: Float[Tensor, "policies batch obs"], actions: Float[Tensor, "policies batch act"]
    ) -> Float[Tensor, "policies batch act"]:
        """grad_a of the ensemble's mean, of the averaged critics; 0 beyond [-1, 1], which they do not know."""
        with torch.enable_grad():
            actions = actions.detach().requires_grad_(True)
            q = self._q(self.q.ema, observations, actions.clamp(-1, 1)).mean(dim=1)
            return torch.autograd.grad(q.sum(), actions)[0] * self.unit


class CostCritic(PolicyCritic):
    """TD critics of the policy's cost, Eq. (19) as corrected in `pessimism`."""

    def __init__(self, config: CriticConfig, problem: Problem, name: str, policy_seeds: tuple[int, ...]) -> None:
        super().__init__(config, problem, name, policy_seeds)
        self.bounds = (0.0, float(problem.replay.costs.max()))

    def signal(self, batch: Batch) -> Signal:
        """The cost."""
        return Signal(batch.costs, batch.cost_to_go)

    def regulariser(
        self, q_data: Float[Tensor, "n members batch"], observations: Tensor, actions: Tensor
    ) -> Float[Tensor, " n"] | float:
        """The pessimism of Eq. (19)."""
        if self.config.pessimism == 0:
            return 0.0
        q_policy = self._q(self.q.theta, observations, actions.clamp(-1, 1))
        return pessimism(q_policy, q_data, self.config.pessimism / self.unit, self.config.printed_pessimism)
