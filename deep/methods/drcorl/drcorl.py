r"""DRCORL: diffusion-regularised constrained offline reinforcement learning (Algorithm 1 of the preprint).

Phases, in the algorithm's order: the diffusion model of the behaviour policy (line 2), cloning it into a simple policy
(lines 3-4), the critics (lines 5-6), safe adaptation (lines 7-13). The behaviour model and the reward critic depend on
the seed alone, and so do the clone and its cost critics unless the cloned trajectories depend on the cost limit. In
adaptation every replica (seed and cost limit) has its own policy and cost critics, which start from these.
"""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor

from deep.core.method import ExactParts, Inference, Memoryless, Method, Policy
from deep.core.phase import Phase
from deep.core.problem import Problem
from deep.core.randomness import RandomInput
from deep.data.replay import Batch, RowTable
from deep.data.selection import Selection, trajectory_stats
from deep.methods.drcorl.behaviour_model import BehaviourModel
from deep.methods.drcorl.cloning import Cloning
from deep.methods.drcorl.config import PAPER, REBUILT, DRCORLConfig
from deep.methods.drcorl.critic_values import CriticValues
from deep.methods.drcorl.evaluation import PolicyEvaluation
from deep.methods.drcorl.gate import CostSignal, EstimatedCost, SimulatorCost, StateSample, UpperConfidenceCost
from deep.methods.drcorl.least_squares import LeastSquares
from deep.methods.drcorl.policy_selection import PolicySelection
from deep.methods.drcorl.rests import Rests
from deep.methods.drcorl.safe_adaptation import SafeAdaptation
from deep.methods.drcorl.values import Values
from deep.methods.parts.iql import RewardCritic
from deep.methods.spec import MethodSpec
from deep.nn.inference import mean_action
from deep.nn.mlp import initial_parameters
from deep.nn.parameters import Adam, Parameters, gradient, linear_decay
from deep.nn.policies import MLPPolicy
from deep.ope.interface import Estimate, Estimator
from deep.ope.model_rollouts import DynamicsEnsemble

BEHAVIOUR_RATE_IN_ADAPTATION = 0.1
"""The behaviour model's step size in adaptation, relative to its initial one: where its schedule has ended."""


class DRCORL(Method):
    """The learner, for all replicas of a problem at once."""

    def __init__(self, config: DRCORLConfig, problem: Problem, dynamics: DynamicsEnsemble) -> None:
        self.config, self.problem = config, problem
        obs, act = problem.replay.observations.shape[1], problem.replay.actions.shape[1]
        self.behaviour = BehaviourModel(config.behaviour, problem)
        self.policy = MLPPolicy(obs, act, config.policy, config.hidden, constant_std=config.constant_std)
        self.cloning = Cloning(config, problem, self.policy, self.behaviour)
        self.clone, self.policy_seeds = self.cloning.parameters, self.cloning.seeds
        initial = initial_parameters(self.policy, problem.replica_seeds, "policy").to(problem.device)
        self.actor = Parameters(initial, Adam(config.adaptation_rate), ema=True)
        gated = config.gate.kind in ("ucb", "td", "least_squares")
        self.values = Values(config.critics, problem, self.policy, self.policy_seeds, gated)
        self.adaptation = SafeAdaptation(config.adaptation, problem, config.adaptation_steps)
        self.gate = self._new_gate()
        self.rests = Rests(config.rests, problem, self.actor, self._policy_draws(), self._learn_at_rest)
        best = config.clone.trajectories == "best"
        trajectories, episodes = self.cloning.trajectories, dynamics.config.episodes
        statistics = trajectory_stats(problem.data, problem.replay, trajectories, episodes) if best else None
        self.selection = PolicySelection(config.gate, problem, self.actor, statistics)
        self.evaluation = PolicyEvaluation(
            config,
            problem,
            dynamics,
            self.gate,
            self.selection,
            self.actor,
            self.act_current,
            self._new_critic_values(),
            self.rests,
        )

    def _new_gate(self) -> CostSignal:
        config, problem = self.config.gate, self.problem
        if config.kind == "ucb":
            return UpperConfidenceCost(config, problem, self.policy, self.actor, self.values.cost[-1])
        return (SimulatorCost if config.kind == "simulator" else EstimatedCost)(config, problem)

    def _new_critic_values(self) -> CriticValues | None:
        config, problem, rows = self.config.gate, self.problem, self.cloning.rows
        if config.kind not in ("td", "least_squares"):
            return None
        reward = None if isinstance(self.values.reward, RewardCritic) else self.values.reward
        cost = self.values.cost[-1]
        if config.kind == "td":
            return CriticValues(problem, cost, reward, config.states, rows)
        return LeastSquares(problem, cost, reward, config.transitions, config.states, rows)

    def tensors(self) -> dict[str, Tensor]:
        parts = (self.behaviour, self.values, self.adaptation, self.gate, self.selection, self.evaluation, self.rests)
        named = {name: tensor for part in parts for name, tensor in part.tensors().items()}
        for policy, parameters in (("clone", self.clone), ("policy", self.actor)):
            named |= {f"{policy}.{name}": tensor for name, tensor in parameters.tensors.items()}
        return named

    def phases(self) -> list[Phase]:
        config, problem, batch = self.config, self.problem, self.config.batch_size
        policy_draws = self._policy_draws()
        row = {"row": policy_draws["row"]}
        adapt = policy_draws | self.behaviour.kl_draws(batch)
        adapt |= {f"behaviour {name}": draw for name, draw in self._behaviour_draws().items()}
        if self.evaluation.buffer is not None:
            adapt |= {"online": RandomInput("uniform", (batch,))}
        steps, seeds, limits = config.critics.steps, self.policy_seeds, self.cloning.limits
        iql = config.critics.reward == "iql"
        behaviour = [self.behaviour.phase()] if config.uses_behaviour else []
        # Regression needs no behaviour model, and goes first: then there is soon a policy to show.
        cloning = self.cloning.phases()
        return [
            *(behaviour + cloning if config.reverse_kl_steps > 0 else cloning + behaviour),
            *([Phase("reward critic", steps, problem.seeds, row, self._update_reward_critic)] if iql else []),
            Phase(
                "cost critics" if iql else "critics",
                steps,
                seeds,
                policy_draws,
                self._update_clone_critics,
                limits=limits,
            ),
            Phase(
                "adaptation",
                config.adaptation_steps,
                problem.replica_seeds,
                adapt,
                self._adapt,
                self._start_adaptation,
                self.evaluation.hooks(),
                problem.replica_limits,
                self.evaluation.finish,
                needs_dynamics=self.evaluation.uses_dynamics,
            ),
            *self._last_check(policy_draws),
        ]

    def _last_check(self, draws: Mapping[str, RandomInput]) -> list[Phase]:
        check, problem = self.evaluation.last_check, self.problem
        if check.steps == 0:
            return []
        return [
            Phase(
                "last check",
                check.steps,
                problem.replica_seeds,
                draws,
                lambda step, draws: self._learn_at_rest(draws),
                hooks=[check.hook()],
                limits=problem.replica_limits,
                on_end=check.choose,
            )
        ]

    def _policy_draws(self) -> dict[str, RandomInput]:
        """A minibatch's rows, and the noise of the policy's actions at its states and at the next ones."""
        normal = RandomInput("normal", (self.config.batch_size, self.policy.action_size))
        return {"row": RandomInput("uniform", (self.config.batch_size,)), "z": normal, "next_z": normal}

    def _behaviour_draws(self) -> dict[str, RandomInput]:
        return self.behaviour.draws(self.config.batch_size) if self.config.update_behaviour else {}

    def _batch(self, draws: Mapping[str, Tensor], rows: RowTable | None = None) -> Batch:
        return self.problem.replay.batch(self.problem.replay.rows(draws["row"], rows))

    def _update_reward_critic(self, step: Tensor, draws: Mapping[str, Tensor]) -> dict[str, Tensor]:
        assert isinstance(self.values.reward, RewardCritic)
        return self.values.reward.learn(step, self._batch(draws))

    def _update_clone_critics(self, step: Tensor, draws: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return self.values.learn(self.values.of_clone, self.clone, step, self._batch(draws), draws)

    def _start_adaptation(self) -> None:
        """Start from the clone and its critics."""
        self.actor.copy_from(self.clone, self.cloning.index)
        self.evaluation.start()
        self.values.start(self.actor, self.cloning.index)

    def _adapt(self, step: Tensor, draws: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Lines 8-12 of Algorithm 1, with the rule of Algorithm 2 or 3 in `SafeAdaptation.direction`."""
        batch, metrics = self._update_shared_models(step, draws)
        metrics |= self.values.learn(self.values.of_policy, self.actor, self._bootstrapping_step(step), batch, draws)
        self.gate.offer(StateSample(batch.observations, draws["z"]))
        gradients = self._gradients(self._policy_batch(batch, draws), draws)
        g, direction_metrics = self.adaptation.direction(step, self.gate.cost, *gradients)
        metrics |= direction_metrics | self._ascend(step, g)
        return metrics | {"gate": self.gate.cost.float()}

    def _learn_at_rest(self, draws: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """One TD step of the critics of the replicas' policies, without a step of the policies."""
        batch, step = self._batch(draws), torch.zeros((), device=self.problem.device)
        return self.values.learn(self.values.of_policy, self.actor, self._bootstrapping_step(step), batch, draws)

    def _bootstrapping_step(self, step: Tensor) -> Tensor:
        """A step number beyond the critics' initial regression on the data's sums: in adaptation they bootstrap."""
        return step + self.config.critics.regression_steps

    def _update_shared_models(self, step: Tensor, draws: Mapping[str, Tensor]) -> tuple[Batch, dict[str, Tensor]]:
        """Update what all replicas of a seed share, the IQL critic and the behaviour model; returns the minibatch for
        the critics of the policies.

        Replicas of a seed draw the same rows, so the first one's rows serve for its seed.
        """
        rows = self.problem.replay.rows(draws["row"])
        batch = self.problem.replay.batch(rows)
        per_seed = len(self.problem.cost_limits)
        metrics: dict[str, Tensor] = {}
        if isinstance(self.values.reward, RewardCritic):
            seed_batch = Batch(*(field[::per_seed] for field in batch))
            metrics |= self.values.reward.learn(self._bootstrapping_step(step), seed_batch)
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
        return self._with_online(self._batch(draws, self.cloning.rows), draws)

    def _ascend(self, step: Tensor, g: Float[Tensor, "replicas params"]) -> dict[str, Tensor]:
        """One Adam step of the policy up the direction g. Adam's step is not parallel to g: the metric is their
        cosine."""
        before = self.actor.theta.detach().clone()
        self.actor.adam_step(-g, linear_decay(step, self.config.adaptation_steps))
        self.actor.update_ema(self.config.ema_rate)
        self.rests.follow(step)
        return {"cosine_of_step_and_g": torch.cosine_similarity(self.actor.theta.detach() - before, g, dim=1)}

    def _gradients(self, batch: Batch, draws: Mapping[str, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """grad V_r, -grad V_c and the anchor's, grad KL of Eq. (23); each (replicas, params), values in fixed units."""
        observations = batch.observations
        actions, log_std = self.policy.sample(self.actor.theta, observations, draws["z"])
        slopes = self.values.slopes(observations, actions)
        value_r, value_c = ((slope * actions).sum(-1).mean(1) for slope in slopes)
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
    def starting_policy(self) -> tuple[str, Policy]:
        @torch.no_grad()
        def act(observations: Float[Tensor, "replicas batch obs"]) -> Float[Tensor, "replicas batch act"]:
            parameters = self.clone.ema[self.cloning.index]
            return self.policy.distribution(parameters, observations)[0]

        return self.cloning.phases()[-1].name, Memoryless(act)

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
            return self.values.cost[-1].upper_confidence(observations, actions, 0.0)

        return ExactParts(cost, distribution, self.gate.cost)

    @property
    def mean_network(self) -> MLPPolicy:
        return self.policy

    def main_layer(self, phase: str) -> tuple[int, int] | None:
        width = self.config.behaviour.width
        return (width, 4 * width) if phase == "behaviour" else None

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
        reward, cost = self.values.scales.T.tolist()
        scales: dict[str, object] = {"gradient_scale_reward": reward, "gradient_scale_cost": cost}
        return scales | self.selection.report() | self.evaluation.last_check.report()


SPEC = MethodSpec(
    title="DRCORL",
    paper="DRCORL preprint",
    build=DRCORL,
    presets={"quick": DRCORLConfig(), "paper": PAPER, "rebuilt": REBUILT},
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
