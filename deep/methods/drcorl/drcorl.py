r"""DRCORL: diffusion-regularised constrained offline reinforcement learning (Algorithm 1 of the preprint).

Phases, in the algorithm's order: the diffusion model of the behaviour policy (line 2), cloning it into a simple policy
(lines 3-4), the critics (lines 5-6), safe adaptation (lines 7-13). The behaviour model and the reward critic depend on
the seed alone, and so do the clone and its cost critics unless what is cloned depends on the cost limit. In adaptation
every replica (seed and cost limit) has a policy and cost critics of its own, which start from these.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from deep.core.method import ExactParts, Inference, Memoryless, Method
from deep.core.method import Policy as ActingPolicy
from deep.core.phase import Phase
from deep.core.problem import Problem
from deep.core.randomness import RandomInput
from deep.core.validation import ABOVE_0, AT_LEAST_0, AT_LEAST_1, RATE, SHARE, check_ranges
from deep.data.replay import Batch, RowTable
from deep.data.selection import Selection, allowed, known
from deep.methods.drcorl.behaviour_model import BehaviourConfig, BehaviourModel
from deep.methods.drcorl.gate import Gate, GateConfig
from deep.methods.drcorl.hybrid import OnlineConfig
from deep.methods.drcorl.safe_adaptation import SafeAdaptation, SafeAdaptationConfig
from deep.methods.parts.critics import CostCritic, CriticConfig, RewardCritic
from deep.methods.spec import MethodSpec
from deep.nn.inference import mean_action
from deep.nn.mlp import initial_parameters
from deep.nn.parameters import Adam, Parameters, gradient, linear_decay
from deep.nn.policies import Policy, PolicyClass
from deep.ope.interface import Estimator
from deep.ope.model_rollouts import DynamicsEnsemble
from theory.support.errors import InputError

BEHAVIOUR_RATE_IN_ADAPTATION = 0.1
"""Share of the behaviour model's step size with which it goes on learning: where its schedule has ended."""


@dataclass(frozen=True)
class DRCORLConfig:
    """Hyper-parameters; equations, tables and defaults are those of the DRCORL preprint unless said otherwise."""

    behaviour: BehaviourConfig = field(default_factory=BehaviourConfig)
    critics: CriticConfig = field(default_factory=CriticConfig)
    adaptation: SafeAdaptationConfig = field(default_factory=SafeAdaptationConfig)
    gate: GateConfig = field(default_factory=GateConfig)
    online: OnlineConfig = field(default_factory=OnlineConfig)
    clone: Selection = field(default_factory=lambda: Selection("best"))
    """The trajectories of which the initial policy is a clone (all in the preprint). The behaviour model and the
    critics learn from all in any case."""
    policy_states: Literal["all", "cloned"] = "cloned"
    """The states at which the policy's gradients are taken in adaptation: all of the data's (the preprint), or those of
    the cloned trajectories, which are nearer to the policy's own."""
    anchor: Literal["diffusion", "mse", "none"] = "diffusion"
    """What holds the policy to the data in adaptation: the reverse KL to the behaviour model (the preprint), the mean
    square distance to the data's actions, or nothing."""
    cloning_steps: int = 4000
    """Steps of behaviour cloning: least squares on the data's actions first, then descent of the reverse KL alone."""
    regression_steps: int = 4000
    """The first of these, by least squares; the others descend the reverse KL, whose behaviour model knows all of the
    data, unsafe trajectories included. From a random start the reverse KL alone finds a good mode very slowly."""
    adaptation_steps: int = 1000
    """Steps of safe adaptation (2050 in Table 2)."""
    batch_size: int = 256
    """Minibatch of all phases but the behaviour model's (Table 2)."""
    policy: PolicyClass = "dirac"
    """Policy class (appendix D.1): no variance, one that depends on the state, or a constant one."""
    constant_std: float = 0.1
    """The constant policy's standard deviation."""
    hidden: tuple[int, ...] = (256, 256)
    """Hidden layers of the policy (Table 2)."""
    learning_rate: float = 6e-4
    """Adam's step size in cloning (Table 2), falling linearly to a tenth, as in adaptation."""
    adaptation_rate: float = 5e-6
    """Adam's step size in adaptation: 6e-4 of Table 2 carries a policy across the whole band between two looks."""
    ema_rate: float = 0.01
    """Rate of the moving average of the policy's parameters; the average is the policy that is evaluated."""
    update_behaviour: bool = False
    """Go on training the behaviour model in adaptation (line 10 of Algorithm 1; the published code freezes it)."""

    def __post_init__(self) -> None:
        check_ranges(self.clone, "clone.", neighbours=AT_LEAST_1, return_share=SHARE)
        check_ranges(self, cloning_steps=AT_LEAST_0, regression_steps=AT_LEAST_0, adaptation_steps=AT_LEAST_0)
        check_ranges(self, batch_size=AT_LEAST_1, hidden=AT_LEAST_1, constant_std=ABOVE_0)
        check_ranges(self, learning_rate=ABOVE_0, adaptation_rate=ABOVE_0, ema_rate=RATE)
        if self.update_behaviour and not self.uses_behaviour:
            raise InputError(
                f"--update-behaviour with --anchor {self.anchor}: nothing reads the behaviour model; accepted is the "
                "anchor diffusion"
            )

    @property
    def reverse_kl_steps(self) -> int:
        """Steps of cloning beyond the regression."""
        return max(self.cloning_steps - self.regression_steps, 0)

    @property
    def uses_behaviour(self) -> bool:
        """Whether anything reads the behaviour model: the anchor, or cloning."""
        return self.anchor == "diffusion" or self.reverse_kl_steps > 0


class DRCORL(Method):
    """The learner, for all replicas of a problem at once."""

    def __init__(self, config: DRCORLConfig, problem: Problem, dynamics: DynamicsEnsemble) -> None:
        self.config, self.problem = config, problem
        obs, act = problem.replay.observations.shape[1], problem.replay.actions.shape[1]
        self.behaviour = BehaviourModel(config.behaviour, problem)
        self.policy = Policy(obs, act, config.policy, config.hidden, constant_std=config.constant_std)
        chosen = config.clone.per_replica(problem.data, problem.replica_limits)
        self.cloned = None if config.clone.trajectories == "all" else allowed(problem.data, chosen, problem.device)
        by_limit = config.behaviour.condition != "none" or self.cloned is not None
        self.policy_seeds = problem.replica_seeds if by_limit else problem.seeds
        """Seeds of the clones: one clone per replica where limits matter to it, else one per seed."""
        self.owner = torch.arange(len(self.policy_seeds), device=problem.device) if by_limit else problem.seed_index
        """For every replica the row of its clone."""
        self.clone = self._new_policy(self.policy_seeds, config.learning_rate)
        self.actor = self._new_policy(problem.replica_seeds, config.adaptation_rate)
        self.reward = RewardCritic(config.critics, problem)
        self.clone_costs = self._new_cost_critics("clone_", self.policy_seeds)
        self.costs = self._new_cost_critics("", problem.replica_seeds)
        self.scales = torch.ones(len(problem.replicas), 2, device=problem.device)
        self.adaptation = SafeAdaptation(config.adaptation, problem, config.adaptation_steps)
        told = (
            known(problem.data, problem.replay, chosen, dynamics.config.episodes)
            if config.clone.trajectories == "best"
            else None
        )
        steps = config.adaptation_steps
        self.gate = Gate(config.gate, config.online, problem, dynamics, self.policy, self.actor, steps, told)

    def _new_policy(self, policy_seeds: tuple[int, ...], learning_rate: float) -> Parameters:
        initial = initial_parameters(self.policy, policy_seeds, "policy").to(self.problem.device)
        return Parameters(initial, Adam(learning_rate), ema=True)

    def _new_cost_critics(self, prefix: str, policy_seeds: tuple[int, ...]) -> list[CostCritic]:
        """The pessimistic critics that are descended and, for the gate of Eq. (25), critics that only estimate."""
        config = self.config.critics
        critics = [CostCritic(config, self.problem, f"{prefix}cost_critic", policy_seeds)]
        if self.config.gate.kind == "ucb":
            critics.append(
                CostCritic(replace(config, pessimism=0.0), self.problem, f"{prefix}gate_critic", policy_seeds)
            )
        return critics

    def tensors(self) -> dict[str, Tensor]:
        parts = (self.behaviour, self.reward, *self.clone_costs, *self.costs, self.adaptation, self.gate)
        named = {name: tensor for part in parts for name, tensor in part.tensors().items()}
        for policy, parameters in (("clone", self.clone), ("policy", self.actor)):
            named |= {f"{policy}.{name}": tensor for name, tensor in parameters.tensors.items()}
        return named | {"gradient_scales": self.scales}

    def phases(self) -> list[Phase]:
        config, problem, batch = self.config, self.problem, self.config.batch_size
        row, normal = {"row": RandomInput("uniform", (batch,))}, RandomInput("normal", (batch, self.policy.action_size))
        clone = row | self.behaviour.kl_draws(batch) | {"z": normal}
        cost = row | {"z": normal, "next_z": normal}
        steps, seeds, replicas = config.critics.steps, problem.seeds, problem.replica_seeds
        adapt = clone | cost | {f"behaviour {name}": draw for name, draw in self._behaviour_draws().items()}
        if self.gate.replay is not None:
            adapt |= {"online": RandomInput("uniform", (batch,))}
        begin, hooks, limits = self._begin, self.gate.hooks(), problem.replica_limits
        owned = limits if self.policy_seeds is replicas else ()
        return [
            *([self.behaviour.phase()] if config.uses_behaviour else []),
            Phase("cloning", config.cloning_steps, self.policy_seeds, clone, self._clone, limits=owned),
            Phase("reward critic", steps, seeds, row, self._learn_reward),
            Phase("cost critics", steps, self.policy_seeds, cost, self._learn_clone_cost, limits=owned),
            Phase("adaptation", config.adaptation_steps, replicas, adapt, self._adapt, begin, hooks, limits),
        ]

    def _behaviour_draws(self) -> dict[str, RandomInput]:
        return self.behaviour.draws(self.config.batch_size) if self.config.update_behaviour else {}

    def _batch(self, draws: Mapping[str, Tensor], allowed: RowTable | None = None) -> Batch:
        return self.problem.replay.batch(self.problem.replay.rows(draws["row"], allowed))

    def _clone(self, step: Tensor, draws: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Lines 3-4 of Algorithm 1: behaviour cloning, from a regression to the reverse KL to the behaviour model."""
        batch = self._batch(draws, self.cloned)
        actions, log_std = self.policy.sample(self.clone.theta, batch.observations, draws["z"])
        loss = distance = (actions - batch.actions).square().mean((1, 2))
        if self.config.reverse_kl_steps > 0:
            kl = self.behaviour.kl(batch.observations, actions, log_std, draws)
            loss = torch.where(step < self.config.regression_steps, distance, kl)
        self.clone.adam_step(gradient(loss, self.clone), linear_decay(step, self.config.cloning_steps))
        self.clone.update_ema(self.config.ema_rate)
        return {"squared_distance_to_data": distance.detach()}

    def _learn_reward(self, step: Tensor, draws: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return self.reward.learn(step, self._batch(draws))

    def _learn_clone_cost(self, step: Tensor, draws: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return self._learn_cost(self.clone_costs, self.clone, step, self._batch(draws), draws)

    def _learn_cost(
        self, critics: list[CostCritic], policy: Parameters, step: Tensor, batch: Batch, draws: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        """One TD step of each kind of cost critic towards the cost of the averaged policy."""
        with torch.no_grad():
            here, _ = self.policy.sample(policy.ema, batch.observations, draws["z"])
            there, _ = self.policy.sample(policy.ema, batch.next_observations, draws["next_z"])
        chosen = {"here": here, "there": there}
        return {name: value for critic in critics for name, value in critic.learn(step, batch, chosen).items()}

    @torch.no_grad()
    def _begin(self) -> None:
        """Start adaptation from the clone, and fix the unit of both values' gradients: their root mean square at it."""
        self.actor.copy_from(self.clone, self.owner)
        self.gate.begin()
        for critic, pretrained in zip(self.costs, self.clone_costs, strict=True):
            critic.q.copy_from(pretrained.q, self.owner)
        replay = self.problem.replay
        rows = torch.linspace(0, len(replay) - 1, 4096, device=self.problem.device).long()
        observations = replay.observations[rows].expand(len(self.problem.replicas), -1, -1)
        actions = self.gate.act(observations)
        for column, critic in enumerate((self.reward, self.costs[0])):
            slope = critic.action_gradient(observations, actions)
            self.scales[:, column] = slope.square().mean((1, 2)).sqrt().clamp(min=1e-8)

    def _adapt(self, step: Tensor, draws: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Lines 8-12 of Algorithm 1."""
        config, rows = self.config, self.problem.replay.rows(draws["row"])
        batch = self.problem.replay.batch(rows)
        beyond = step + config.critics.regression_steps
        # Replicas of a seed draw the same rows, so the first of them stands for its seed.
        every = len(self.problem.cost_limits)
        shared = self.reward.learn(beyond, Batch(*(field[::every] for field in batch)))
        if config.update_behaviour:
            own = {name: draws[f"behaviour {name}"][::every] for name in self._behaviour_draws()}
            shared |= self.behaviour.learn(rows[::every], own, BEHAVIOUR_RATE_IN_ADAPTATION)
        metrics = {name: value[self.problem.seed_index] for name, value in shared.items()}
        if self.gate.replay is not None:
            batch = self.gate.replay.mix(batch, draws["online"])
        metrics |= self._learn_cost(self.costs, self.actor, beyond, batch, draws)
        if config.gate.kind == "ucb":
            self.gate.upper_confidence(self.costs[1], batch.observations, draws["z"])

        near = batch
        if config.policy_states == "cloned":
            near = self._batch(draws, self.cloned)
            if self.gate.replay is not None:
                near = self.gate.replay.mix(near, draws["online"])
        g, seen = self.adaptation.direction(step, self.gate.cost, *self._gradients(near, draws))
        before = self.actor.theta.detach().clone()
        self.actor.adam_step(-g, linear_decay(step, config.adaptation_steps))
        self.actor.update_ema(config.ema_rate)
        # Adam's step is not along g: how far it is says how much of the common ascent is left.
        cosine = torch.cosine_similarity(self.actor.theta.detach() - before, g, dim=1)
        return metrics | seen | {"gate": self.gate.cost.float(), "cosine_of_step_and_g": cosine}

    def _gradients(self, batch: Batch, draws: Mapping[str, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """grad V_r, -grad V_c and the anchor's, grad KL of Eq. (23); each (replicas, params), values in fixed units."""
        observations = batch.observations
        actions, log_std = self.policy.sample(self.actor.theta, observations, draws["z"])
        scale_r, scale_c = self.scales.unsqueeze(2).unsqueeze(3).unbind(1)
        slope_r = self.reward.action_gradient(observations, actions) / scale_r
        slope_c = self.costs[0].action_gradient(observations, actions) / scale_c
        value_r, value_c = ((slope * actions).sum(-1).mean(1) for slope in (slope_r, slope_c))
        if self.config.anchor == "diffusion":
            hold = self.behaviour.kl(observations, actions, log_std, draws)
        else:
            hold = (actions - batch.actions).square().mean((1, 2)) * (1.0 if self.config.anchor == "mse" else 0.0)
        return (
            gradient(value_r, self.actor, retain_graph=True),
            gradient(-value_c, self.actor, retain_graph=True),
            gradient(hold, self.actor),
        )

    def act(self, observations: Float[Tensor, "replicas batch obs"]) -> Float[Tensor, "replicas batch act"]:
        """The mean action of the policy that is kept: the averaged one, last or chosen offline."""
        return self.gate.act_kept(observations)

    def policies(self) -> dict[str, ActingPolicy]:
        return {"": Memoryless(self.act)}

    @property
    def estimator(self) -> Estimator:
        """The estimator of the gate."""
        return self.gate.estimator

    def exportable(self, replica: int) -> Inference:
        return Inference(mean_action(self.policy, self.gate.kept[replica]), (), "mean action")

    def exact_parts(self) -> ExactParts:
        @torch.no_grad()
        def distribution(observations: Tensor) -> tuple[Tensor, Tensor | None]:
            return self.policy.distribution(self.actor.ema, observations)

        def cost(observations: Tensor, actions: Tensor) -> Tensor:
            return self.costs[-1].upper_confidence(observations, actions, 0.0)

        return ExactParts(cost, distribution, self.gate.cost)

    def remarks(self) -> list[str]:
        """How many replicas selected an adapted policy, and for which the learned dynamics contradict the data."""
        if self.config.gate.select != "best":
            return []
        steps, trusted = self.gate.score[:, 1].tolist(), self.gate.trusted.tolist()
        adapted = sum(step > 0 for step in steps)
        lines = [
            f"Of {len(steps)} replicas, {len(steps) - adapted} kept the clone that training starts from and {adapted} "
            "a policy adapted from it (chosen_step in summary.json)."
        ]
        return lines + [
            f"seed {replica.seed}, limit {replica.cost_limit:g}: the learned dynamics contradict the data about the "
            "clone that training starts from. The clone was kept, and the offline estimate is not to be believed."
            for replica, agree in zip(self.problem.replicas, trusted, strict=True)
            if not agree
        ]

    def report(self) -> dict[str, object]:
        reward, cost = self.scales.T.tolist()
        return {"gradient_scale_reward": reward, "gradient_scale_cost": cost, **self.gate.report()}


SPEC = MethodSpec(
    title="DRCORL",
    paper="DRCORL preprint",
    build=DRCORL,
    presets={
        "quick": DRCORLConfig(),
        "paper": DRCORLConfig(
            behaviour=BehaviourConfig(
                steps=2_000_000,
                batch_size=2048,
                width=256,
                dropout=0.1,
                learning_rate=3e-4,
                kl_weight="vds",
                t_range=(0.02, 0.98),
            ),
            critics=CriticConfig(steps=100_000),
            clone=Selection("all"),
            policy_states="all",
            cloning_steps=20_000,
            adaptation_steps=2050,
            adaptation_rate=6e-4,
            gate=GateConfig(kind="ucb", k=2.0, select="last"),
        ),
    },
    smoke={
        "behaviour.steps": 100,
        "behaviour.width": 16,
        "behaviour.batch_size": 16,
        "critics.steps": 100,
        "critics.regression_steps": 50,
        "critics.hidden": (16,),
        "critics.ensemble": 2,
        "cloning_steps": 100,
        "adaptation_steps": 100,
        "batch_size": 16,
        "hidden": (16,),
    },
    needs=frozenset({"dynamics"}),
)
