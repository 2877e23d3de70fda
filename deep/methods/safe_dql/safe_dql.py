r"""Safe-DQL: Diffusion-QL with a hinge on the cost (Kushwaha et al. 2026, Eq. (1)).

A diffusion policy pi_theta with twin critics of its reward and of its cost is trained by descent of

    L(theta) = L_d - eta E_{s ~ D, a ~ pi} Q_r + lambda E_{s ~ D, a ~ pi} ReLU(Q_max - kappa),   Q_max = max_i Q_i^c,

with the gradient of both expectations through the whole denoising chain. Here eta = `eta` / E|Q_r|, as in Diffusion-QL,
and lambda = `penalty` / max(kappa, 1): both options are without units.

Phases: the behaviour policy and its values, which depend on the seed alone (L_d, and regression on the data's own
sums: a warm start that may be left out); then Eq. (1) for every seed and cost limit.
"""

from collections.abc import Mapping
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from deep.core.method import ExactParts, Inference, Method, Policy
from deep.core.phase import Phase
from deep.core.problem import Problem
from deep.core.randomness import RandomInput
from deep.data.replay import Batch
from deep.methods.parts.acting import SamplingPolicy
from deep.methods.parts.best_of_n import best_of_n, selection_score
from deep.methods.parts.critics import episodic_to_discounted
from deep.methods.parts.diffusion_policy import Chain, DiffusionPolicy
from deep.methods.parts.twin_critics import TwinConfig, TwinCritics, TwinValues
from deep.methods.safe_dql.config import Choice, SafeDQLConfig
from deep.methods.safe_dql.inference import best_of, one_sample
from deep.methods.spec import MethodSpec
from deep.nn.mlp import initial_parameters
from deep.nn.parameters import Adam, Parameters, gradient, linear_decay


class Objective(NamedTuple):
    """The terms of Eq. (1), one entry per replica; eta and penalty are those of the equation, units included."""

    cloning: Float[Tensor, " replicas"]
    """L_d."""
    reward: Float[Tensor, " replicas"]
    """E Q_r, a discounted sum of scaled rewards."""
    hinge: Float[Tensor, " replicas"]
    """E ReLU(Q_max - kappa), a discounted sum of costs."""
    predicted_cost: Float[Tensor, " replicas"]
    """E Q_max."""
    eta: Float[Tensor, " replicas"]
    penalty: Float[Tensor, " replicas"]

    @property
    def loss(self) -> Float[Tensor, " replicas"]:
        """L = L_d - eta E Q_r + lambda E hinge."""
        return self.cloning - self.eta * self.reward + self.penalty * self.hinge


class SafeDQL(Method):
    """The learner, for all replicas of a problem at once."""

    def __init__(self, config: SafeDQLConfig, problem: Problem) -> None:
        self.config, self.problem = config, problem
        self.chain = Chain(config.chain, config.schedule)
        self.policy = DiffusionPolicy(
            problem.observation_size, problem.action_size, self.chain, config.hidden, device=problem.device
        )
        self.behaviour = self._new_policy(problem.seeds, Adam(config.behaviour_rate))
        self.actor = self._new_policy(problem.replica_seeds, Adam(config.learning_rate, clip=config.clip))
        self.behaviour_critics = TwinCritics(config.critics, problem, "behaviour_critics", problem.seeds)
        self.critics = TwinCritics(config.critics, problem, "critics", problem.replica_seeds)
        task = problem.task
        one_cost = episodic_to_discounted(1.0, problem.gamma, task.episode_length, config.kappa, task.expected_length)
        self.kappa: Float[Tensor, " replicas"] = problem.limits.to(self.actor.theta.dtype) * one_cost
        """The threshold on Q_c, a discounted sum of costs."""
        self.multiplier = torch.full_like(self.kappa, config.penalty)
        """lambda times max(kappa, 1)."""

    def _new_policy(self, policy_seeds: tuple[int, ...], optimiser: Adam) -> Parameters:
        return Parameters(
            initial_parameters(self.policy, policy_seeds, "policy").to(self.problem.device), optimiser, ema=True
        )

    def tensors(self) -> dict[str, Tensor]:
        named = self.behaviour_critics.tensors() | self.critics.tensors() | {"multiplier": self.multiplier}
        for policy, parameters in (("behaviour", self.behaviour), ("policy", self.actor)):
            named |= {f"{policy}.{name}": tensor for name, tensor in parameters.tensors.items()}
        return named

    def phases(self) -> list[Phase]:
        config, problem = self.config, self.problem
        clone, improve = self.cloning_draws(config.batch_size), self.objective_draws(config.batch_size)
        improve |= {"next_z": improve["z"]}
        row = {"row": RandomInput("uniform", (config.batch_size,))}
        return [
            Phase("behaviour", config.behaviour_steps, problem.seeds, row | clone, self._clone),
            Phase(
                "improvement",
                config.improvement_steps,
                problem.replica_seeds,
                row | improve,
                self._improve,
                self._begin,
                limits=problem.replica_limits,
            ),
        ]

    def cloning_draws(self, batch: int) -> dict[str, RandomInput]:
        """The random inputs of L_d."""
        return {"t": RandomInput("uniform", (batch,)), "noise": RandomInput("normal", (batch, self.policy.action_size))}

    def objective_draws(self, batch: int) -> dict[str, RandomInput]:
        """The random inputs of `objective`."""
        z = RandomInput("normal", (self.chain.steps, batch, self.policy.action_size))
        return self.cloning_draws(batch) | {"z": z, "twin": RandomInput("uniform", ())}

    def _clone(self, step: Tensor, draws: Mapping[str, Tensor]) -> dict[str, Tensor]:
        batch = self._batch(draws)
        loss = self.policy.denoising_loss(
            self.behaviour.theta, batch.observations, batch.actions, draws["t"], draws["noise"]
        )
        self.behaviour.adam_step(gradient(loss, self.behaviour), linear_decay(step, self.config.behaviour_steps))
        self.behaviour.update_ema(self.config.ema_rate)
        metrics = self.behaviour_critics.learn(batch, self.behaviour_critics.data_targets(batch))
        return metrics | {"cloning": loss.detach()}

    def _batch(self, draws: Mapping[str, Tensor]) -> Batch:
        return self.problem.replay.batch(self.problem.replay.rows(draws["row"]))

    def _begin(self) -> None:
        """Every replica starts from its seed's behaviour policy and critics."""
        self.actor.copy_from(self.behaviour, self.problem.seed_index)
        self.critics.q.copy_from(self.behaviour_critics.q, self.problem.seed_index)

    def _improve(self, step: Tensor, draws: Mapping[str, Tensor]) -> dict[str, Tensor]:
        batch, config = self._batch(draws), self.config
        with torch.no_grad():
            next_actions = self.policy.sample(self.actor.ema, batch.next_observations, draws["next_z"])
        metrics = self.critics.learn(batch, self.critics.bellman_targets(batch, next_actions))
        terms = self.objective(self.actor.theta, batch.observations, batch.actions, draws)
        self.actor.adam_step(gradient(terms.loss, self.actor), linear_decay(step, config.improvement_steps))
        self.actor.update_ema(config.ema_rate)
        if config.dual_rate > 0:
            self._ascend(terms.predicted_cost.detach())
        return metrics | {name: value.detach() for name, value in terms._asdict().items()}

    def _ascend(self, predicted_cost: Float[Tensor, " replicas"]) -> None:
        """lambda rises while the predicted cost is above kappa, and falls while it is below; in [0, cap]."""
        excess = (predicted_cost - self.kappa) / self.kappa.clamp(min=1)
        self.multiplier.add_(self.config.dual_rate * excess).clamp_(0, self.config.penalty_cap)

    def objective(
        self,
        theta: Float[Tensor, "replicas params"],
        observations: Float[Tensor, "replicas batch obs"],
        actions: Float[Tensor, "replicas batch act"],
        draws: Mapping[str, Tensor],
    ) -> Objective:
        """Eq. (1) at the policies theta, for transitions of the data and `objective_draws`; the critics are fixed."""
        cloning = self.policy.denoising_loss(theta, observations, actions, draws["t"], draws["noise"])
        chosen = self.policy.sample(theta, observations, draws["z"])
        values = self.critics.values(self.critics.q.theta.detach(), observations, chosen)
        if self.config.twin == "swapped":
            first = (draws["twin"] < 0.5).unsqueeze(1)
            one, two = values.reward.unbind(1)
            ascended, other = torch.where(first, one, two), torch.where(first, two, one)
        else:
            ascended = other = values.least_reward
        size = other.detach().abs().mean(1).clamp(min=1e-6)
        return Objective(
            cloning=cloning,
            reward=ascended.mean(1),
            hinge=F.relu(values.greatest_cost - self.kappa.unsqueeze(1)).mean(1),
            predicted_cost=values.greatest_cost.mean(1),
            eta=self.config.eta / size,
            penalty=self.multiplier / self.kappa.clamp(min=1),
        )

    @torch.no_grad()
    def predict(
        self, observations: Float[Tensor, "replicas batch obs"], actions: Float[Tensor, "replicas batch act"]
    ) -> TwinValues:
        """What the (slowly moving) target critics say of these actions."""
        return self.critics.values(self.critics.q.ema, observations, actions)

    @torch.no_grad()
    def sample(
        self, observations: Float[Tensor, "replicas batch obs"], z: Float[Tensor, "replicas step batch act"]
    ) -> Float[Tensor, "replicas batch act"]:
        """Actions of the evaluated (averaged) policies themselves, for standard normal z."""
        return self.policy.sample(self.actor.ema, observations, z)

    @torch.no_grad()
    def best(
        self, observations: Float[Tensor, "replicas batch obs"], z: Float[Tensor, "replicas step candidates act"]
    ) -> Float[Tensor, "replicas batch act"]:
        """The best of N samples: the largest Q_r among those with Q_max <= kappa, or else the smallest Q_max.

        z has N entries for each observation, side by side.
        """
        count = z.shape[2] // observations.shape[1]
        repeated = observations.repeat_interleave(count, dim=1)
        candidates = self.sample(repeated, z)
        values = self.predict(repeated, candidates)
        return best_of_n(candidates, selection_score(values.least_reward, values.greatest_cost, self.kappa), count)

    def policies(self) -> dict[str, Policy]:
        other: Choice = "sample" if self.config.action_selection == "best-of-n" else "best-of-n"
        return {choice: self._policy(choice) for choice in (self.config.action_selection, other)}

    def _policy(self, choice: Choice) -> SamplingPolicy:
        choose, count = (self.best, self.config.candidates) if choice == "best-of-n" else (self.sample, 1)
        shape = (count, self.chain.steps, self.policy.action_size)
        return SamplingPolicy(choose, shape, self.problem.replica_seeds, self.problem.device)

    def exportable(self, replica: int) -> Inference:
        theta, kappa = self.actor.ema[replica], float(self.kappa[replica])
        if self.config.action_selection == "sample":
            return one_sample(self.policy, theta)
        return best_of(self.config.candidates, self.policy, theta, self.critics, self.critics.q.ema[replica], kappa)

    def exact_parts(self) -> ExactParts:
        def cost(observations: Tensor, actions: Tensor) -> Tensor:
            return self.predict(observations, actions).greatest_cost

        return ExactParts(cost, hinge_learner=self)

    def report(self) -> dict[str, object]:
        return {"kappa": self.kappa.tolist(), "multiplier": self.multiplier.tolist()}


SPEC = MethodSpec(
    title="Safe-DQL",
    paper="Kushwaha et al. 2026",
    build=SafeDQL,
    presets={
        "quick": SafeDQLConfig(),
        "paper": SafeDQLConfig(
            critics=TwinConfig(hidden=(256, 256, 256), activation="mish"),
            behaviour_steps=0,
            improvement_steps=1_000_000,
            hidden=(256, 256, 256),
            ema_rate=0.001,
            eta=1.0,
            candidates=50,
        ),
    },
    smoke={
        "behaviour_steps": 100,
        "improvement_steps": 100,
        "batch_size": 16,
        "hidden": (16, 16),
        "critics.hidden": (16,),
        "candidates": 3,
        "dual_rate": 0.1,
    },
    brief={"behaviour_steps": 4000, "improvement_steps": 1000},
)
