r"""CPQ, constraints-penalised Q-learning (Xu et al. 2022): unsafe actions have no value, unseen ones count as unsafe.

Each step of the phase "improvement", with a' ~ pi(s'), a ~ pi(s), and M actions a_j ~ pi(s) at every state s:

    y_r = r + gamma 1[max_i Q_i^c'(s', a') <= kappa] min_i Q_i^r'(s', a')
    y_c = c + gamma max_i Q_i^c'(s', a')
    the cost critics minimise  sum_i mean (Q_i^c - y_c)^2 - alpha (mean_ood Q_i^c(s, a_j) - 1.5 kappa)
    alpha rises while mean_ood Q^c < 1.5 kappa, and falls above   (`DualMultiplier`)
    pi minimises  mean_s [-1[max_i Q_i^c(s, a) <= kappa] min_i Q_i^r(s, a) + max(0, max_i Q_i^c(s, a) - kappa)].

Out of distribution (ood) are those a_j whose KL in the behaviour VAE is above the .99 quantile of that of the batch's
own actions. The indicators have no gradient. A value of 0 is the least there is only where rewards are at least 0: with
negative ones the mask makes unsafe actions attractive, which no variant repairs. The policy acts by tanh m(s).

`variant = public` is what OSRL's code does where it departs from that (read at 03a4586). The push takes the target
critics *without gradient*: a constant, so that it has no effect on the critics, whatever alpha is. Its actions are not
squashed, ood is the upper quarter of their own KL (--quantile 0.75), and its mean counts the others as 0. Every maximum
over cost critics is a minimum, and the actor has no hinge: where every action is unsafe, it has no gradient. Targets:
see `parts.targets`. The VAE is trained beside the policy there, with --vae.kl-weight 0.5.

Our own: the quantile of the data, the mean over the unseen actions alone, the hinge, the warm start.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from deep.core.method import Inference, Memoryless, Method, Policy
from deep.core.phase import Phase
from deep.core.problem import Problem
from deep.core.randomness import RandomInput
from deep.core.validation import ABOVE_0, AT_LEAST_0, AT_LEAST_1, BETWEEN_0_AND_1, check_ranges
from deep.methods.parts.lagrangian import DualMultiplier
from deep.methods.parts.targets import Targets
from deep.methods.parts.thresholds import States, cost_threshold
from deep.methods.parts.twin_critics import TwinConfig, TwinCritics, TwinValues
from deep.methods.parts.vae import VAEConfig
from deep.methods.parts.warm_start import Improvement, WarmStart
from deep.methods.spec import MethodSpec
from deep.nn.inference import mean_action
from deep.nn.mlp import initial_parameters
from deep.nn.parameters import Adam, Parameters, gradient
from deep.nn.policies import SquashedGaussian


@dataclass(frozen=True)
class CPQConfig:
    """Hyper-parameters; the preset "paper" has the published sizes and rates."""

    variant: Literal["corrected", "public"] = "corrected"
    """corrected, or what the public code does: see the top of the module."""
    vae: VAEConfig = field(default_factory=lambda: VAEConfig(steps=3000, hidden=(128, 128)))
    """The behaviour model, whose KL tells unseen actions."""
    critics: TwinConfig = field(default_factory=lambda: TwinConfig(hidden=(128, 128), learning_rate=1e-3))
    """The critics."""
    regression_steps: int = 2000
    """Steps of the phase "values": the critics start from the data's own sums. Public code has none."""
    steps: int = 5000
    """Steps of the phase "improvement"."""
    batch_size: int = 256
    """Minibatch."""
    hidden: tuple[int, ...] = (128, 128)
    """Hidden layers of the policy."""
    learning_rate: float = 1e-3
    """Adam's step size for the policy (1e-4 for the 100 000 steps of the paper)."""
    samples: int = 5
    """M, actions of the policy at every state among which unseen ones are looked for."""
    quantile: float = 0.99
    """Actions whose KL is above this quantile are unseen: of the data's own KL, or of the samples' in public code."""
    alpha_rate: float = 1e-3
    """Rate of the logarithm of alpha, per step and per unit of the discounted cost (1e-4 in the paper)."""
    margin: float = 1.5
    """Q_c of unseen actions is pushed up to this times kappa."""
    hinge: float = 1.0
    """Weight of max(0, Q_c - kappa) for the policy."""
    kappa: States = "data"
    """How an episode's cost limit becomes a threshold on Q_c, see `episodic_to_discounted`; "start" in public code."""

    def __post_init__(self) -> None:
        check_ranges(self, regression_steps=AT_LEAST_0, steps=AT_LEAST_0, batch_size=AT_LEAST_1, hidden=AT_LEAST_1)
        check_ranges(self, learning_rate=ABOVE_0, samples=AT_LEAST_1, quantile=BETWEEN_0_AND_1)
        check_ranges(self, alpha_rate=AT_LEAST_0, margin=AT_LEAST_0, hinge=AT_LEAST_0)


class CPQ(Method):
    """The learner, for all replicas of a problem at once."""

    def __init__(self, config: CPQConfig, problem: Problem) -> None:
        self.config, self.problem, self.public = config, problem, config.variant == "public"
        self.start = WarmStart(config.vae, config.critics, config.regression_steps, config.batch_size, problem)
        self.vae = self.start.vae
        self.critics = TwinCritics(config.critics, problem, "critics", problem.replica_seeds)
        self.targets = Targets(self.critics, self.public)
        self.policy = SquashedGaussian(problem.observation_size, problem.action_size, config.hidden)
        initial = initial_parameters(self.policy, problem.replica_seeds, "policy").to(problem.device)
        self.actor = Parameters(initial, Adam(config.learning_rate))
        self.kappa: Float[Tensor, " replicas"] = cost_threshold(problem, config.kappa)
        """The threshold on Q_c, a discounted sum of costs."""
        self.alpha = DualMultiplier("alpha", config.alpha_rate, self.kappa)

    def tensors(self) -> dict[str, Tensor]:
        actor = {f"policy.{name}": tensor for name, tensor in self.actor.tensors.items()}
        return self.start.tensors() | self.critics.tensors() | actor | self.alpha.tensors()

    def phases(self) -> list[Phase]:
        config, problem = self.config, self.problem
        actions = (config.batch_size, problem.action_size)
        draws = {
            "row": RandomInput("uniform", (config.batch_size,)),
            "z": RandomInput("normal", actions),
            "next_z": RandomInput("normal", actions),
            "ood_z": RandomInput("normal", (config.batch_size * config.samples, problem.action_size)),
        }
        return self.start.phases(Improvement(config.steps, draws, self._improve, self.critics))

    def _improve(self, step: Tensor, draws: Mapping[str, Tensor]) -> dict[str, Tensor]:
        rows = self.problem.replay.rows(draws["row"])
        batch = self.problem.replay.batch(rows)
        next_actions = self.policy.sample(self.actor.theta.detach(), batch.next_observations, draws["next_z"])
        next_values = self.critics.next_values(batch, next_actions)
        next_cost = self.judged_cost(next_values)
        targets = self.targets.of_values(batch, rows, self.masked(next_values.least_reward, next_cost), next_cost)
        unseen = self.unseen_cost(batch.observations, batch.actions, draws["ood_z"])
        short = self.config.margin * self.kappa - unseen.mean(1)
        push = self.alpha.value * short * 2 / self.critics.unit**2  # the sum over the two critics
        metrics = self.critics.learn(batch, targets, push)
        self.alpha.update(short.detach())

        actions = self.policy.sample(self.actor.theta, batch.observations, draws["z"])
        values = self.critics.values(self.critics.q.theta.detach(), batch.observations, actions)
        loss, found = self.actor_loss(values)
        self.actor.adam_step(gradient(loss, self.actor))
        return metrics | found | {"unseen_cost": unseen.detach().mean(1), "alpha": self.alpha.value}

    def judged_cost(self, values: TwinValues) -> Float[Tensor, "n batch"]:
        """The cost that the masks compare with kappa."""
        return values.least_cost if self.public else values.greatest_cost

    def masked(self, reward: Float[Tensor, "n batch"], cost: Float[Tensor, "n batch"]) -> Float[Tensor, "n batch"]:
        """1[Q_c <= kappa] Q_r."""
        return reward * (cost.detach() <= self.kappa.unsqueeze(1))

    def actor_loss(self, values: TwinValues) -> tuple[Float[Tensor, " n"], dict[str, Tensor]]:
        """The policy's loss for the critics' values of its actions, and metrics."""
        cost = self.judged_cost(values)
        hinge = 0.0 if self.public else self.config.hinge
        beyond = F.relu(cost - self.kappa.unsqueeze(1))
        loss = hinge * beyond.mean(1) - self.masked(values.least_reward, cost).mean(1)
        return loss, {"predicted_cost": cost.detach().mean(1), "unsafe_share": (beyond > 0).to(cost.dtype).mean(1)}

    def unseen_cost(
        self,
        observations: Float[Tensor, "n batch obs"],
        data_actions: Float[Tensor, "n batch act"],
        z: Float[Tensor, "n many act"],
    ) -> Float[Tensor, "n 2"]:
        """mean_ood Q_i^c(s, a_j) of both cost critics; 1.5 kappa where no action is unseen, so that nothing moves."""
        theta, critics = self.actor.theta.detach(), self.critics
        draw = self.policy.gaussian if self.public else self.policy.sample
        actions = draw(theta, observations, z).detach()
        kl = self.vae.kl(observations, actions)
        reference = kl if self.public else self.vae.kl_shared(observations, data_actions)
        unseen = (kl >= quantile(reference, self.config.quantile)).to(kl.dtype).unsqueeze(1)
        repeated = observations.repeat_interleave(z.shape[1] // observations.shape[1], dim=1)
        if self.public:
            return (unseen * critics.costs(critics.q.ema, repeated, actions)).mean(2)
        count = unseen.sum(2)
        mean = (unseen * critics.costs(critics.q.theta, repeated, actions)).sum(2) / count.clamp(min=1)
        return torch.where(count > 0, mean, self.config.margin * self.kappa.unsqueeze(1))

    @torch.no_grad()
    def act(self, observations: Float[Tensor, "replicas batch obs"]) -> Float[Tensor, "replicas batch act"]:
        """tanh m(s)."""
        return self.policy.mean_action(self.actor.theta, observations)

    def policies(self) -> dict[str, Policy]:
        return {"": Memoryless(self.act)}

    def exportable(self, replica: int) -> Inference:
        return Inference(mean_action(self.policy, self.actor.theta[replica]), (), "mean action")

    def report(self) -> dict[str, object]:
        return {"kappa": self.kappa.tolist(), "alpha": self.alpha.value.tolist()}


def quantile(values: Float[Tensor, "n batch"], share: float) -> Float[Tensor, "n 1"]:
    """Of each row the value with this share of the row's values below it."""
    place = min(int(share * values.shape[1]), values.shape[1] - 1)
    return values.sort(dim=1).values[:, place : place + 1]


SPEC = MethodSpec(
    title="CPQ",
    paper="Xu et al. 2022",
    build=CPQ,
    presets={
        "quick": CPQConfig(),
        "paper": CPQConfig(
            vae=VAEConfig(steps=100_000, kl_weight=0.5),
            kappa="start",
            critics=TwinConfig(hidden=(256, 256), learning_rate=1e-3),
            regression_steps=0,
            steps=100_000,
            batch_size=512,
            hidden=(256, 256),
            learning_rate=1e-4,
            samples=10,
            alpha_rate=1e-4,
        ),
    },
    smoke={
        "vae.steps": 100,
        "vae.hidden": (16,),
        "regression_steps": 100,
        "steps": 100,
        "batch_size": 16,
        "hidden": (16,),
        "critics.hidden": (16,),
        "samples": 3,
    },
    brief={"steps": 2000},
)
