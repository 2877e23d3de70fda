r"""CCAC, constraint-conditioned actor-critic: one model with the budget as an input; costs are raised off the data.

Networks take the discounted budget kappa as an additional input. A transition's budget is what its own trajectory still
costs, so that the data show every state with a budget that was enough. With a' ~ pi(s', kappa'), an update is

    Q_r     <- r + gamma min_j Q_j^r'(s', a', kappa')
    Q_c     <- c + gamma max_j Q_j^c'(s', a', kappa'), and gradient ascent on lambda_1 (Q_c(s~, a~, kappa) - kappa)
    pi      minimise [-Q_r(s, pi, kappa) + lambda_3 (Q_c(s, pi, kappa) - kappa)] / (1 + lambda_3)
    lambda  ascend lambda_3 (Q_c(s, pi, kappa) - kappa) + lambda_1 (kappa - Q_c(s~, a~, kappa)), lambda = exp MLP(kappa)

where (s~, a~) are drawn from a conditional VAE of the data at kappa, and count where a classifier finds that they cost
more than kappa: there Q_c is held above kappa. VAE and classifier are trained first and then fixed. Acting is the mean
action at the budget left (`deep.methods.parts.budget`), one model per seed for all limits.

Source: Guo et al. 2024 (CCAC, ICLR 2025). `--variant public` does what its code (4707c1f) does:

1.  kappa is the *undiscounted* remaining cost, and is compared with the discounted Q_c: at the start of an episode of
    1000 steps the condition is ten times too loose. Corrected: the discounted budget, as input and as threshold;
2.  the classifier's label is that the row costs more than the *first* row of the minibatch. Corrected: than a budget
    from the minibatch drawn anew for each row, which is what the classifier is given;
3.  four networks each, and their minimum for the cost as well, which is optimistic. Corrected: two each, the maximum.
4.  no division by 1 + lambda_3. Budgets that no action satisfies drive lambda_3 to its bound there, e^5. Their share of
    the gradient then decides for all budgets, and tanh saturates. On the bandit of the tests the policy then took no
    risk at any budget: it earned 0 for the limits 4 and 12, and with the division 2.1 and 7.3 (best: 3.6 and 8.4).

Our reading: sizes of the multipliers' network, networks in units of 1 / (1 - gamma), kappa as an input divided by the
data's largest.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from deep.core.phase import Phase
from deep.core.problem import Problem
from deep.core.randomness import RandomInput
from deep.core.validation import ABOVE_0, AT_LEAST_0, AT_LEAST_1, RATE, check_ranges
from deep.data.dataset import OfflineDataset
from deep.data.replay import Batch
from deep.methods.parts.budget import Budget, BudgetMethod, discounted_budget
from deep.methods.parts.critics import bellman_target, td_loss
from deep.methods.parts.vae import ConditionalVAE
from deep.methods.spec import MethodSpec
from deep.nn.mlp import MLP, Ensemble, Network, initial_parameters
from deep.nn.parameters import Adam, Parameters, gradient
from deep.nn.policies import SquashedGaussian


@dataclass(frozen=True)
class CCACConfig:
    """Hyper-parameters; the published values are those of the preset paper."""

    vae_steps: int = 2000
    """Steps of the VAE and the classifier."""
    steps: int = 4000
    """Updates of actor, critics and multipliers."""
    regression_steps: int = 1000
    """The critics regress on the data's own discounted sums in the first of these (0 in the public code). Values that
    start from 0 need about 1 / (ema_rate (1 - gamma)) steps of TD to see a horizon, and the actor meanwhile sees costs
    that are too small."""
    batch_size: int = 256
    """Minibatch."""
    hidden: tuple[int, ...] = (128, 128)
    """Hidden layers of actor and critics."""
    vae_hidden: tuple[int, ...] = (128, 128)
    """Hidden layers of the encoder, the decoder and the classifier."""
    latent_size: int = 16
    """Length of the VAE's latent vector."""
    kl_weight: float = 0.5
    """Weight of the VAE's KL term."""
    actor_rate: float = 3e-4
    """Adam's step size for the actor."""
    learning_rate: float = 1e-3
    """Adam's step size for everything else."""
    ema_rate: float = 0.01
    """Rate of the target critics' moving average."""
    regularisation: float = 0.01
    """Weight of the squared norm of the multipliers' parameters."""
    largest_log: float = 5.0
    """Where the logarithm of a multiplier is clipped."""
    variant: Literal["corrected", "public"] = "corrected"
    """The discounted budget and pessimistic costs, or what the public code does (see the head of the file)."""

    def __post_init__(self) -> None:
        check_ranges(self, vae_steps=AT_LEAST_0, steps=AT_LEAST_0, batch_size=AT_LEAST_1, hidden=AT_LEAST_1)
        check_ranges(self, regression_steps=AT_LEAST_0)
        check_ranges(self, vae_hidden=AT_LEAST_1, latent_size=AT_LEAST_1, kl_weight=AT_LEAST_0, actor_rate=ABOVE_0)
        check_ranges(self, learning_rate=ABOVE_0, ema_rate=RATE, regularisation=AT_LEAST_0, largest_log=ABOVE_0)


def remaining(data: OfflineDataset) -> tuple[np.ndarray, np.ndarray]:
    """For each transition the undiscounted cost to its trajectory's end, its own included, and its step number."""
    left, step = np.empty(len(data)), np.empty(len(data))
    for start, length in zip(data.starts, data.lengths, strict=True):
        rows = slice(start, start + length)
        left[rows] = data.costs[rows].astype(np.float64)[::-1].cumsum()[::-1]
        step[rows] = np.arange(length)
    return left, step


class CCAC(BudgetMethod):
    """The learner: one model for every seed of a problem."""

    def __init__(self, config: CCACConfig, problem: Problem) -> None:
        self.config, self.problem, self.public = config, problem, config.variant == "public"
        size, act = problem.observation_size + 1, problem.action_size
        self.nets = 4 if self.public else 2
        self.actor_network = SquashedGaussian(size, act, config.hidden)
        self.critic = Ensemble(MLP(size + act, 1, config.hidden), 2 * self.nets)
        self.vae = ConditionalVAE(1, size - 1 + act, config.latent_size, config.vae_hidden, squash=False)
        self.classifier_network = MLP(size + act, 1, config.vae_hidden)
        self.multiplier_network = MLP(1, 2, (64,))
        self.actor = self._parameters(self.actor_network, "actor", config.actor_rate)
        self.q = self._parameters(self.critic, "critics", ema=True)
        self.generator = self._parameters(self.vae, "cvae")
        self.classifier = self._parameters(self.classifier_network, "classifier")
        self.duals = self._parameters(self.multiplier_network, "multipliers")
        self.unit = 1 / (1 - problem.gamma)
        replay = problem.replay
        pairs = torch.cat([replay.observations, replay.actions], -1)
        self.reward_bounds = (min(float(replay.rewards.min()), 0.0), max(float(replay.rewards.max()), 0.0))
        self.cost_bounds = (0.0, float(replay.costs.max()))
        """The ranges of (1 - gamma) Q, within which targets are kept."""
        self.low, self.high = pairs.amin(0), pairs.amax(0)
        """The data's range of every entry of (s, a)."""
        self.left, self.step = (torch.from_numpy(x).to(pairs) for x in remaining(problem.data))
        self.scale = self.kappa(self.left, self.step).max().clamp(min=1e-6)

    def _parameters(self, network: Network, name: str, rate: float | None = None, ema: bool = False) -> Parameters:
        initial = initial_parameters(network, self.problem.seeds, name).to(self.problem.device)
        return Parameters(initial, Adam(self.config.learning_rate if rate is None else rate), ema=ema)

    def tensors(self) -> dict[str, Tensor]:
        parts = ("actor", "q", "generator", "classifier", "duals")
        found = {f"{p}.{name}": tensor for p in parts for name, tensor in getattr(self, p).tensors.items()}
        return found | {"scale": self.scale}  # it comes from the data, which a finished run does without

    def kappa(self, left: Tensor, step: Tensor) -> Tensor:
        """The threshold on Q_c where this much may still be spent: discounted, or in the public form as it is."""
        left = left.clamp(min=0)
        return left if self.public else discounted_budget(left, step, self.problem.task, self.problem.gamma)

    def phases(self) -> list[Phase]:
        size, config, seeds = self.config.batch_size, self.config, self.problem.seeds
        row, latent = RandomInput("uniform", (size,)), RandomInput("normal", (size, config.latent_size))
        action = RandomInput("normal", (size, self.problem.action_size))
        first = {"row": row, "noise": latent, "order": row}
        second = {"row": row, "latent": latent, "z": action, "next_z": action}
        return [
            Phase("cvae", config.vae_steps, seeds, first, self._model),
            Phase("training", config.steps, seeds, second, self._update),
        ]

    def _batch(self, draws: Mapping[str, Tensor]) -> tuple[Batch, Tensor, Tensor]:
        """A minibatch, and the budgets kappa before and after its steps."""
        rows = self.problem.replay.rows(draws["row"])
        batch, left, step = self.problem.replay.batch(rows), self.left[rows], self.step[rows]
        return batch, self.kappa(left, step), self.kappa(left - batch.costs, step + 1)

    def _with(self, kappa: Tensor, *parts: Tensor) -> Tensor:
        """The inputs of a network, the scaled budget first."""
        return torch.cat([kappa.unsqueeze(-1) / self.scale, *parts], -1)

    def _model(self, step: Tensor, draws: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """One step of the VAE of (s, a) given kappa, and of the classifier of pairs that cost more than a budget."""
        batch, kappa, _ = self._batch(draws)
        pairs, condition = torch.cat([batch.observations, batch.actions], -1), self._with(kappa)
        loss = self.vae.loss(self.generator.theta, condition, pairs, draws["noise"], self.config.kl_weight)
        mean, log_std = self.vae.encode(self.generator.theta.detach(), condition, pairs)
        rebuilt = self.vae.decode(self.generator.theta.detach(), condition, mean + log_std.exp() * draws["noise"])
        other = self.other_budgets(kappa, draws["order"])
        label = (kappa > other).to(kappa.dtype)
        inputs = torch.cat([self._with(other, pairs), self._with(other, self._clamped(rebuilt))], 1)
        logits = self.classifier_network.apply(self.classifier.theta, inputs).squeeze(-1)
        entropy = F.binary_cross_entropy_with_logits(logits, label.repeat(1, 2), reduction="none").mean(1)
        self.generator.adam_step(gradient(loss, self.generator))
        self.classifier.adam_step(gradient(entropy, self.classifier))
        return {"vae_loss": loss.detach(), "classifier_loss": entropy.detach()}

    def other_budgets(self, kappa: Float[Tensor, "seeds batch"], order: Tensor) -> Float[Tensor, "seeds batch"]:
        """The budgets that the classifier is given: those of the minibatch in another order, or its first one."""
        return kappa[:, :1].expand_as(kappa) if self.public else kappa.gather(1, order.argsort(1))

    def _clamped(self, pairs: Tensor) -> Tensor:
        return pairs.clamp(self.low, self.high)

    @torch.no_grad()
    def _generate(self, kappa: Tensor, latent: Tensor) -> tuple[Tensor, Tensor]:
        """Pairs (s~, a~) from the VAE at kappa, and 1 where the classifier finds them costlier than kappa."""
        pairs = self._clamped(self.vae.decode(self.generator.theta, self._with(kappa), latent))
        logits = self.classifier_network.apply(self.classifier.theta, self._with(kappa, pairs)).squeeze(-1)
        return pairs, (logits > 0).to(kappa.dtype)

    def _values(self, theta: Tensor, kappa: Tensor, *pairs: Tensor) -> tuple[Tensor, Tensor]:
        """The nets of the reward and of the cost, each (seeds, nets, batch)."""
        values = self.critic.apply(theta, self._with(kappa, *pairs)).squeeze(-1) * self.unit
        return values[:, : self.nets], values[:, self.nets :]

    def _combined_costs(self, costs: Float[Tensor, "seeds nets batch"]) -> Float[Tensor, "seeds batch"]:
        """One cost of several nets: the largest, or in the public form the least."""
        return costs.amin(1) if self.public else costs.amax(1)

    def multipliers(self, theta: Tensor, kappa: Tensor) -> tuple[Tensor, Tensor]:
        """lambda_1 and lambda_3 at each budget."""
        logs = self.multiplier_network.apply(theta, self._with(kappa))
        # The value is bounded and the gradient is not: a multiplier at the bound can still fall.
        logs = logs - (logs - logs.clamp(max=self.config.largest_log)).detach()
        return logs[..., 0].exp(), logs[..., 1].exp()

    def _update(self, step: Tensor, draws: Mapping[str, Tensor]) -> dict[str, Tensor]:
        batch, kappa, next_kappa = self._batch(draws)
        generated, costly = self._generate(kappa, draws["latent"])
        lambda_1, lambda_3 = self.multipliers(self.duals.theta, kappa)

        q_r, q_c = self._values(self.q.theta, kappa, batch.observations, batch.actions)
        off_data = self._combined_costs(self._values(self.q.theta, kappa, generated)[1])
        push = (costly * lambda_1.detach() * (off_data - kappa)).mean(1)
        targets = self._targets(batch, next_kappa, draws["next_z"])
        to_go = torch.stack([batch.reward_to_go, batch.cost_to_go], 1) / self.unit
        first = step < self.config.regression_steps
        targets = torch.where(first, to_go.repeat_interleave(self.nets, 1), targets)
        td = td_loss(torch.cat([q_r, q_c], 1) / self.unit, targets)
        self.q.adam_step(gradient(td - push / self.unit**2, self.q))
        self.q.update_ema(self.config.ema_rate)

        actions = self.actor_network.sample(self.actor.theta, self._with(kappa, batch.observations), draws["z"])
        rewards, costs = self._values(self.q.theta.detach(), kappa, batch.observations, actions)
        excess = self._combined_costs(costs) - kappa
        weight = lambda_3.detach()
        scale = 1.0 if self.public else 1 + weight
        actor_loss = ((weight * excess - rewards.amin(1)) / scale).mean(1)
        self.actor.adam_step(gradient(actor_loss, self.actor))

        ascent = lambda_3 * excess.detach() + lambda_1 * costly * (kappa - off_data.detach())
        size = self.duals.theta.square().sum(1)
        self.duals.adam_step(gradient(self.config.regularisation * size - ascent.mean(1), self.duals))
        found = {"td_loss": td, "excess": excess.mean(1), "costly": costly.mean(1), "lambda_3": lambda_3.mean(1)}
        return {name: value.detach() for name, value in found.items()}

    @torch.no_grad()
    def _targets(self, batch: Batch, next_kappa: Tensor, z: Tensor) -> Float[Tensor, "seeds nets batch"]:
        """r + gamma Q_r' and c + gamma Q_c' at the present actor's next action and the budget left then, in units."""
        next_states = self._with(next_kappa, batch.next_observations)
        next_actions = self.actor_network.sample(self.actor.theta, next_states, z)
        rewards, costs = self._values(self.q.ema, next_kappa, batch.next_observations, next_actions)
        onward = torch.stack([rewards.amin(1), self._combined_costs(costs)], 1) / self.unit
        now = ((batch.rewards, onward[:, :1], self.reward_bounds), (batch.costs, onward[:, 1:], self.cost_bounds))
        gamma, not_terminal = self.problem.gamma, batch.not_terminal
        targets = [bellman_target(x / self.unit, not_terminal, v, gamma, bounds) for x, v, bounds in now]
        return torch.cat(targets, 1).repeat_interleave(self.nets, 1)

    def choose(self, observations: Float[Tensor, "seeds rows obs"], budget: Budget) -> Float[Tensor, "seeds rows act"]:
        """tanh m(s, kappa_t) for the budget left."""
        kappa = self.kappa(budget.left, budget.step)
        return self.actor_network.mean_action(self.actor.theta, self._with(kappa, observations))

    def report(self) -> dict[str, object]:
        return {"largest_budget": float(self.scale)}


SPEC = MethodSpec(
    title="CCAC",
    paper="Guo et al. 2024 (CCAC)",
    build=CCAC,
    presets={
        "quick": CCACConfig(),
        "paper": CCACConfig(
            vae_steps=200_000,
            steps=200_000,
            regression_steps=0,
            batch_size=512,
            hidden=(256, 256),
            vae_hidden=(512, 512),
            latent_size=64,
            actor_rate=1e-4,
            ema_rate=0.005,
        ),
    },
    smoke={
        "vae_steps": 50,
        "steps": 100,
        "regression_steps": 50,
        "batch_size": 16,
        "hidden": (16,),
        "vae_hidden": (16,),
        "latent_size": 4,
    },
)
