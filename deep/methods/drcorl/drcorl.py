r"""DRCORL: diffusion-regularised constrained offline reinforcement learning (Algorithm 1 of the preprint).

Phases, in the algorithm's order: the diffusion model of the behaviour policy (line 2), cloning it into a simple policy
(lines 3-4), the critics (lines 5-6), safe adaptation (lines 7-13). The behaviour model and the reward critic depend on
the seed alone, and so do the clone and its cost critics unless the cloned trajectories depend on the cost limit. In
adaptation every replica (seed and cost limit) has its own policy and cost critics, which start from these.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from deep.core.method import ExactParts, Inference, Memoryless, Method, Policy
from deep.core.phase import Phase
from deep.core.problem import Problem
from deep.core.randomness import RandomInput
from deep.core.validation import ABOVE_0, AT_LEAST_0, AT_LEAST_1, RATE, SHARE, check_ranges
from deep.data.replay import Batch, RowTable
from deep.data.selection import Selection, allowed, known
from deep.methods.drcorl.behaviour_model import BehaviourConfig, BehaviourModel
from deep.methods.drcorl.evaluation import PolicyEvaluation
from deep.methods.drcorl.gate import (
    CostSignal,
    GateConfig,
    ModelRolloutCost,
    SimulatorCost,
    StateSample,
    UpperConfidenceCost,
)
from deep.methods.drcorl.hybrid import OnlineConfig
from deep.methods.drcorl.policy_selection import PolicySelection
from deep.methods.drcorl.safe_adaptation import SafeAdaptation, SafeAdaptationConfig
from deep.methods.parts.critics import CostCritic, CriticConfig
from deep.methods.parts.iql import RewardCritic
from deep.methods.spec import MethodSpec
from deep.nn.inference import mean_action
from deep.nn.mlp import initial_parameters
from deep.nn.parameters import Adam, Parameters, gradient, linear_decay
from deep.nn.policies import MLPPolicy, PolicyClass
from deep.ope.interface import Estimate, Estimator
from deep.ope.model_rollouts import DynamicsEnsemble
from theory.support.errors import InputError

BEHAVIOUR_RATE_IN_ADAPTATION = 0.1
"""The behaviour model's step size in adaptation, relative to its initial one: where its schedule has ended."""


@dataclass(frozen=True)
class DRCORLConfig:
    """Hyper-parameters; equations, tables and defaults are those of the DRCORL preprint unless said otherwise."""

    behaviour: BehaviourConfig = field(default_factory=BehaviourConfig)
    critics: CriticConfig = field(default_factory=CriticConfig)
    adaptation: SafeAdaptationConfig = field(default_factory=SafeAdaptationConfig)
    gate: GateConfig = field(default_factory=GateConfig)
    online: OnlineConfig = field(default_factory=OnlineConfig)
    clone: Selection = field(default_factory=lambda: Selection("best"))
    """The trajectories that the initial policy is cloned from (all in the preprint). The behaviour model and the
    critics are trained on all trajectories in any case."""
    policy_states: Literal["all", "cloned"] = "cloned"
    """The states of the policy's gradients in adaptation: all of the data's (the preprint), or those of the cloned
    trajectories, which are nearer to the states that the policy visits."""
    anchor: Literal["diffusion", "mse", "none"] = "diffusion"
    """The regulariser of adaptation: the reverse KL to the behaviour model (the preprint), the mean square distance to
    the data's actions, or none."""
    cloning_steps: int = 4000
    """Steps of behaviour cloning: least squares on the data's actions first, then descent of the reverse KL."""
    regression_steps: int = 4000
    """The number of these that use least squares. The others descend the reverse KL, whose behaviour model is trained
    on all data, unsafe trajectories included. From a random start the reverse KL alone finds a good mode very
    slowly."""
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
    """Adam's step size in cloning (Table 2); it decays linearly to a tenth, as in adaptation."""
    adaptation_rate: float = 5e-6
    """Adam's step size in adaptation: with 6e-4 of Table 2 a policy crosses the whole slack band between two policy
    evaluations."""
    ema_rate: float = 0.01
    """Rate of the EMA of the policy's parameters; the EMA is the policy that is evaluated."""
    update_behaviour: bool = False
    """Continue to train the behaviour model in adaptation (line 10 of Algorithm 1; the published code freezes it)."""

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
        """Whether the anchor or cloning uses the behaviour model."""
        return self.anchor == "diffusion" or self.reverse_kl_steps > 0


class DRCORL(Method):
    """The learner, for all replicas of a problem at once."""

    def __init__(self, config: DRCORLConfig, problem: Problem, dynamics: DynamicsEnsemble) -> None:
        self.config, self.problem = config, problem
        obs, act = problem.replay.observations.shape[1], problem.replay.actions.shape[1]
        self.behaviour = BehaviourModel(config.behaviour, problem)
        self.policy = MLPPolicy(obs, act, config.policy, config.hidden, constant_std=config.constant_std)
        trajectories = config.clone.per_replica(problem.data, problem.replica_limits)
        self.cloned_rows = (
            None if config.clone.trajectories == "all" else allowed(problem.data, trajectories, problem.device)
        )
        by_limit = config.behaviour.condition != "none" or self.cloned_rows is not None
        self.policy_seeds = problem.replica_seeds if by_limit else problem.seeds
        """Seeds of the clones: one clone per replica where it depends on the cost limit, else one per seed."""
        self.clone_index = (
            torch.arange(len(self.policy_seeds), device=problem.device) if by_limit else problem.seed_index
        )
        """For every replica the row of its clone."""
        self.clone = self._new_policy(self.policy_seeds, config.learning_rate)
        self.actor = self._new_policy(problem.replica_seeds, config.adaptation_rate)
        self.reward_critic = RewardCritic(config.critics, problem)
        self.clone_cost_critics = self._new_cost_critics("clone_", self.policy_seeds)
        self.cost_critics = self._new_cost_critics("", problem.replica_seeds)
        self.scales = torch.ones(len(problem.replicas), 2, device=problem.device)
        """The unit of both values' gradients at the clone: (replicas, 2), reward first."""
        self.adaptation = SafeAdaptation(config.adaptation, problem, config.adaptation_steps)
        self.gate = self._new_gate()
        best = config.clone.trajectories == "best"
        statistics = known(problem.data, problem.replay, trajectories, dynamics.config.episodes) if best else None
        self.selection = PolicySelection(config.gate, problem, self.actor, statistics)
        self.evaluation = PolicyEvaluation(
            config.gate,
            config.online,
            problem,
            dynamics,
            self.gate,
            self.selection,
            self.actor,
            config.adaptation_steps,
            self.act_current,
        )

    def _new_policy(self, policy_seeds: tuple[int, ...], learning_rate: float) -> Parameters:
        initial = initial_parameters(self.policy, policy_seeds, "policy").to(self.problem.device)
        return Parameters(initial, Adam(learning_rate), ema=True)

    def _new_cost_critics(self, prefix: str, policy_seeds: tuple[int, ...]) -> list[CostCritic]:
        """The pessimistic critics whose value the policy descends and, for the gate of Eq. (25), unbiased critics."""
        config = self.config.critics
        critics = [CostCritic(config, self.problem, f"{prefix}cost_critic", policy_seeds)]
        if self.config.gate.kind == "ucb":
            critics.append(
                CostCritic(replace(config, pessimism=0.0), self.problem, f"{prefix}gate_critic", policy_seeds)
            )
        return critics

    def _new_gate(self) -> CostSignal:
        config, problem = self.config.gate, self.problem
        if config.kind == "ucb":
            return UpperConfidenceCost(config, problem, self.policy, self.actor, self.cost_critics[1])
        return (SimulatorCost if config.kind == "simulator" else ModelRolloutCost)(config, problem)

    def tensors(self) -> dict[str, Tensor]:
        critics = (self.reward_critic, *self.clone_cost_critics, *self.cost_critics)
        parts = (self.behaviour, *critics, self.adaptation, self.gate, self.selection, self.evaluation)
        named = {name: tensor for part in parts for name, tensor in part.tensors().items()}
        for policy, parameters in (("clone", self.clone), ("policy", self.actor)):
            named |= {f"{policy}.{name}": tensor for name, tensor in parameters.tensors.items()}
        return named | {"gradient_scales": self.scales}

    def phases(self) -> list[Phase]:
        config, problem, batch = self.config, self.problem, self.config.batch_size
        row, normal = {"row": RandomInput("uniform", (batch,))}, RandomInput("normal", (batch, self.policy.action_size))
        regression = row | {"z": normal}
        reverse_kl = regression | self.behaviour.kl_draws(batch)
        cost = regression | {"next_z": normal}
        adapt = reverse_kl | cost | {f"behaviour {name}": draw for name, draw in self._behaviour_draws().items()}
        if self.evaluation.buffer is not None:
            adapt |= {"online": RandomInput("uniform", (batch,))}
        critic_steps, kl_steps, limits = config.critics.steps, config.reverse_kl_steps, problem.replica_limits
        seeds = self.policy_seeds
        clone_limits = limits if seeds is problem.replica_seeds else ()
        cloning = [
            Phase("cloning", config.cloning_steps - kl_steps, seeds, regression, self._clone, limits=clone_limits)
        ]
        if kl_steps > 0:
            cloning.append(
                Phase("reverse KL cloning", kl_steps, seeds, reverse_kl, self._clone_by_reverse_kl, limits=clone_limits)
            )
        return [
            *([self.behaviour.phase()] if config.uses_behaviour else []),
            *cloning,
            Phase("reward critic", critic_steps, problem.seeds, row, self._update_reward_critic),
            Phase("cost critics", critic_steps, seeds, cost, self._update_clone_cost_critics, limits=clone_limits),
            Phase(
                "adaptation",
                config.adaptation_steps,
                problem.replica_seeds,
                adapt,
                self._adapt,
                self._start_adaptation,
                self.evaluation.hooks(),
                limits,
                self.evaluation.finish,
            ),
        ]

    def _behaviour_draws(self) -> dict[str, RandomInput]:
        return self.behaviour.draws(self.config.batch_size) if self.config.update_behaviour else {}

    def _batch(self, draws: Mapping[str, Tensor], rows: RowTable | None = None) -> Batch:
        return self.problem.replay.batch(self.problem.replay.rows(draws["row"], rows))

    def _clone(self, step: Tensor, draws: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Lines 3-4 of Algorithm 1, first part: regression on the data's actions."""
        batch = self._batch(draws, self.cloned_rows)
        actions, _ = self.policy.sample(self.clone.theta, batch.observations, draws["z"])
        distance = (actions - batch.actions).square().mean((1, 2))
        return self._update_clone(step, distance, distance)

    def _clone_by_reverse_kl(self, step: Tensor, draws: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Lines 3-4 of Algorithm 1, second part: descent of the reverse KL to the behaviour model."""
        batch = self._batch(draws, self.cloned_rows)
        actions, log_std = self.policy.sample(self.clone.theta, batch.observations, draws["z"])
        kl = self.behaviour.kl(batch.observations, actions, log_std, draws)
        distance = (actions - batch.actions).square().mean((1, 2))
        return self._update_clone(step + self.config.regression_steps, kl, distance)

    def _update_clone(self, step: Tensor, loss: Tensor, distance: Tensor) -> dict[str, Tensor]:
        """`step` counts the steps of both parts, which share the decay of the step size."""
        self.clone.adam_step(gradient(loss, self.clone), linear_decay(step, self.config.cloning_steps))
        self.clone.update_ema(self.config.ema_rate)
        return {"squared_distance_to_data": distance.detach()}

    def _update_reward_critic(self, step: Tensor, draws: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return self.reward_critic.learn(step, self._batch(draws))

    def _update_clone_cost_critics(self, step: Tensor, draws: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return self._update_cost_critics(self.clone_cost_critics, self.clone, step, self._batch(draws), draws)

    def _update_cost_critics(
        self, critics: list[CostCritic], policy: Parameters, step: Tensor, batch: Batch, draws: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        """One TD step of each kind of cost critic towards the cost of the policy's EMA."""
        with torch.no_grad():
            here, _ = self.policy.sample(policy.ema, batch.observations, draws["z"])
            there, _ = self.policy.sample(policy.ema, batch.next_observations, draws["next_z"])
        actions = {"here": here, "there": there}
        return {name: value for critic in critics for name, value in critic.learn(step, batch, actions).items()}

    @torch.no_grad()
    def _start_adaptation(self) -> None:
        """Start from the clone and its critics, and fix the unit of both values' gradients: their root mean square."""
        self.actor.copy_from(self.clone, self.clone_index)
        self.evaluation.start()
        for critic, pretrained in zip(self.cost_critics, self.clone_cost_critics, strict=True):
            critic.q.copy_from(pretrained.q, self.clone_index)
        replay = self.problem.replay
        rows = torch.linspace(0, len(replay) - 1, 4096, device=self.problem.device).long()
        observations = replay.observations[rows].expand(len(self.problem.replicas), -1, -1)
        actions = self.act_current(observations)
        for column, critic in enumerate((self.reward_critic, self.cost_critics[0])):
            slope = critic.action_gradient(observations, actions)
            self.scales[:, column] = slope.square().mean((1, 2)).sqrt().clamp(min=1e-8)

    def _adapt(self, step: Tensor, draws: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Lines 8-12 of Algorithm 1, with the rule of Algorithm 2 or 3 in `SafeAdaptation.direction`."""
        batch, metrics = self._update_shared_models(step, draws)
        metrics |= self._update_cost_critics(
            self.cost_critics, self.actor, self._bootstrapping_step(step), batch, draws
        )
        if isinstance(self.gate, UpperConfidenceCost):
            self.gate.update(StateSample(batch.observations, draws["z"]))
        gradients = self._gradients(self._policy_batch(batch, draws), draws)
        g, direction_metrics = self.adaptation.direction(step, self.gate.cost, *gradients)
        metrics |= direction_metrics | self._ascend(step, g)
        return metrics | {"gate": self.gate.cost.float()}

    def _bootstrapping_step(self, step: Tensor) -> Tensor:
        """A step number beyond the critics' initial regression on the data's sums: in adaptation they bootstrap."""
        return step + self.config.critics.regression_steps

    def _update_shared_models(self, step: Tensor, draws: Mapping[str, Tensor]) -> tuple[Batch, dict[str, Tensor]]:
        """Update what all replicas of a seed share, the reward critic and the behaviour model; returns the minibatch of
        the cost critics.

        Replicas of a seed draw the same rows, so the first one's rows serve for its seed.
        """
        rows = self.problem.replay.rows(draws["row"])
        batch = self.problem.replay.batch(rows)
        per_seed = len(self.problem.cost_limits)
        seed_batch = Batch(*(field[::per_seed] for field in batch))
        metrics = self.reward_critic.learn(self._bootstrapping_step(step), seed_batch)
        if self.config.update_behaviour:
            seed_draws = {name: draws[f"behaviour {name}"][::per_seed] for name in self._behaviour_draws()}
            metrics |= self.behaviour.learn(rows[::per_seed], seed_draws, BEHAVIOUR_RATE_IN_ADAPTATION)
        metrics = {name: value[self.problem.seed_index] for name, value in metrics.items()}
        return self._with_online(batch, draws), metrics

    def _with_online(self, batch: Batch, draws: Mapping[str, Tensor]) -> Batch:
        """The batch with its share of simulator transitions, for a hybrid agent."""
        buffer = self.evaluation.buffer
        return batch if buffer is None else buffer.mix(batch, draws["online"])

    def _policy_batch(self, batch: Batch, draws: Mapping[str, Tensor]) -> Batch:
        """The states of the policy's gradients, `--policy-states`."""
        if self.config.policy_states == "all":
            return batch
        return self._with_online(self._batch(draws, self.cloned_rows), draws)

    def _ascend(self, step: Tensor, g: Float[Tensor, "replicas params"]) -> dict[str, Tensor]:
        """One Adam step of the policy up the direction g. Adam's step is not parallel to g: the metric is their
        cosine."""
        before = self.actor.theta.detach().clone()
        self.actor.adam_step(-g, linear_decay(step, self.config.adaptation_steps))
        self.actor.update_ema(self.config.ema_rate)
        return {"cosine_of_step_and_g": torch.cosine_similarity(self.actor.theta.detach() - before, g, dim=1)}

    def _gradients(self, batch: Batch, draws: Mapping[str, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """grad V_r, -grad V_c and the anchor's, grad KL of Eq. (23); each (replicas, params), values in fixed units."""
        observations = batch.observations
        actions, log_std = self.policy.sample(self.actor.theta, observations, draws["z"])
        scale_r, scale_c = self.scales.unsqueeze(2).unsqueeze(3).unbind(1)
        slope_r = self.reward_critic.action_gradient(observations, actions) / scale_r
        slope_c = self.cost_critics[0].action_gradient(observations, actions) / scale_c
        value_r, value_c = ((slope * actions).sum(-1).mean(1) for slope in (slope_r, slope_c))
        if self.config.anchor == "diffusion":
            anchor = self.behaviour.kl(observations, actions, log_std, draws)
        else:
            anchor = (actions - batch.actions).square().mean((1, 2)) * (1.0 if self.config.anchor == "mse" else 0.0)
        return (
            gradient(value_r, self.actor, retain_graph=True),
            gradient(-value_c, self.actor, retain_graph=True),
            gradient(anchor, self.actor),
        )

    @torch.no_grad()
    def act_current(self, observations: Float[Tensor, "replicas batch obs"]) -> Float[Tensor, "replicas batch act"]:
        """The mean action of the policy in training, by the EMA of its parameters."""
        return self.policy.distribution(self.actor.ema, observations)[0]

    @torch.no_grad()
    def act(self, observations: Float[Tensor, "replicas batch obs"]) -> Float[Tensor, "replicas batch act"]:
        """The mean action of the policy that training returns, `PolicySelection.kept`."""
        return self.policy.distribution(self.selection.kept, observations)[0]

    def policies(self) -> dict[str, Policy]:
        return {"": Memoryless(self.act)}

    @property
    def estimator(self) -> Estimator:
        """The estimator of the gate and the selection."""
        return self.evaluation.estimator

    def exportable(self, replica: int) -> Inference:
        return Inference(mean_action(self.policy, self.selection.kept[replica]), (), "mean action")

    def exact_parts(self) -> ExactParts:
        @torch.no_grad()
        def distribution(observations: Tensor) -> tuple[Tensor, Tensor | None]:
            return self.policy.distribution(self.actor.ema, observations)

        def cost(observations: Tensor, actions: Tensor) -> Tensor:
            return self.cost_critics[-1].upper_confidence(observations, actions, 0.0)

        return ExactParts(cost, distribution, self.gate.cost)

    @property
    def cloned(self) -> Selection:
        return self.config.clone

    def estimate_doubts(self, estimate: Estimate) -> list[str | None]:
        """For every replica the reason to doubt this estimate of the kept policy, if there is one."""
        return self.selection.doubts(estimate)

    def remarks(self) -> list[str]:
        """What a reader of the results must know of the selection, line by line."""
        return self.selection.remarks()

    def report(self) -> dict[str, object]:
        reward, cost = self.scales.T.tolist()
        return {"gradient_scale_reward": reward, "gradient_scale_cost": cost, **self.selection.report()}


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
