r"""DRCORL: diffusion-regularised constrained offline reinforcement learning (Algorithm 1 of the preprint).

Phases, in the algorithm's order: the diffusion model of the behaviour policy (line 2), cloning it into a simple policy
(lines 3-4), the critics (lines 5-6), safe adaptation (lines 7-13). The behaviour model and the reward critic depend on
the seed alone, and so do the clone and its cost critics unless the behaviour model is conditioned on the cost limit. In
adaptation every replica (seed and cost limit) has a policy and cost critics of its own, which start from these.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from deep.behaviour import BehaviourConfig, BehaviourModel
from deep.critics import CostCritic, CriticConfig, RewardCritic, episodic_to_discounted
from deep.estimates import DynamicsEnsemble
from deep.networks import initial_parameters
from deep.optimisation import Adam, Parameters, falling, gradient
from deep.phases import Hook, Phase, Problem
from deep.policies import Policy
from deep.randomness import Draw
from deep.replay import Batch
from theory.adaptation import Region, Slack, gradient_manipulation
from theory.errors import InputError


@dataclass(frozen=True)
class DRCORLConfig:
    """Hyper-parameters; equations, tables and defaults are those of the DRCORL preprint unless said otherwise."""

    behaviour: BehaviourConfig = field(default_factory=BehaviourConfig)
    critics: CriticConfig = field(default_factory=CriticConfig)
    cloning_steps: int = 3000
    """Steps of behaviour cloning: least squares on the data's actions first, then descent of the reverse KL alone."""
    regression_steps: int = 2000
    """The first of these, by least squares: the reverse KL alone finds a good mode very slowly from a random start."""
    adaptation_steps: int = 1500
    """Steps of safe adaptation (2050 in Table 2)."""
    batch_size: int = 256
    """Minibatch of all phases but the behaviour model's (Table 2)."""
    policy: Literal["dirac", "gaussian"] = "dirac"
    """Policy class (appendix D.1)."""
    hidden: tuple[int, ...] = (256, 256)
    """Hidden layers of the policy (Table 2)."""
    learning_rate: float = 6e-4
    """Adam's step size in cloning (Table 2), falling linearly to a tenth, as in adaptation."""
    average_rate: float = 0.01
    """Rate of the moving average of the policy's parameters; the average is the policy that is evaluated."""
    beta: float = 1.0
    """Temperature of Eqs. (20) and (21), for value gradients scaled to unit size: larger trusts the critics more."""
    slack: Slack = field(default_factory=Slack)
    """h+ and h- as a fraction of the cost limit (appendix D.2: .2, shrinking to 0)."""
    gate: Literal["ucb", "dynamics"] = "dynamics"
    """What Algorithm 3 compares with the limit: roll-outs in learned dynamics, or Eq. (25). Both are offline.

    The policy learns to exploit the critics that Eq. (25) trusts: in a trial on the embedded data (seed 0, limit 80) it
    passed a policy whose episodes cost 548.
    """
    k: float = 1.0
    """Standard deviations over the ensemble that the gate adds to the mean (Table 2 has 2 for the UCB, Eq. (24))."""
    gate_states: Literal["data", "start"] = "data"
    """The states over which Eq. (25) averages: the data's (appendix B.1), or the first states of its episodes."""
    look_every: int = 50
    """Steps between two roll-outs of the policy in the learned dynamics, for the gate and the choice of a policy."""
    adaptation_rate: float = 2e-4
    """Adam's step size in adaptation: 6e-4 of Table 2 carries a policy across the whole band between two looks."""
    choose: Literal["offline", "last"] = "offline"
    """The policy that is kept: of those that the learned dynamics call safe the one with the highest predicted return
    (if none is, the one of least predicted cost), or the last one."""


class DRCORL:
    """The learner, for all replicas of a problem at once."""

    def __init__(self, config: DRCORLConfig, problem: Problem, dynamics: DynamicsEnsemble) -> None:
        self.config, self.problem, self.dynamics = config, problem, dynamics
        if dynamics.config.steps == 0 and (config.gate == "dynamics" or config.choose == "offline"):
            raise InputError("--dynamics.steps 0 trains no dynamics: it goes only with --gate ucb and --choose last")
        obs, act = problem.replay.observations.shape[1], problem.replay.actions.shape[1]
        self.behaviour = BehaviourModel(config.behaviour, problem)
        self.policy = Policy(obs, act, config.policy, config.hidden)
        conditioned = config.behaviour.condition != "none"
        self.owners = problem.replica_seeds if conditioned else problem.seeds
        """Seeds of the clones: one clone per replica where limits matter to it, else one per seed."""
        self.owner = torch.arange(len(self.owners), device=problem.device) if conditioned else problem.seed_index
        """For every replica the row of its clone."""
        self.clone = self._new_policy(self.owners, config.learning_rate)
        self.actor = self._new_policy(problem.replica_seeds, config.adaptation_rate)
        self.reward = RewardCritic(config.critics, problem)
        self.clone_costs = self._new_cost_critics("clone_", self.owners)
        self.costs = self._new_cost_critics("", problem.replica_seeds)
        self.scales = torch.ones(len(problem.replicas), 2, device=problem.device)
        self.gate = torch.zeros(len(problem.replicas), dtype=torch.float64, device=problem.device)
        self.chosen = self.actor.average.clone()
        # One row per replica: the merit of the chosen policy, and the step at which it was found.
        self.chosen_merit = torch.full((len(problem.replicas), 2), -torch.inf, device=problem.device)

    def _new_policy(self, owners: tuple[int, ...], learning_rate: float) -> Parameters:
        initial = initial_parameters(self.policy, owners, "policy").to(self.problem.device)
        return Parameters(initial, Adam(learning_rate), average=True)

    def _new_cost_critics(self, prefix: str, owners: tuple[int, ...]) -> list[CostCritic]:
        """The pessimistic critics that are descended and, for the gate of Eq. (25), critics that only estimate."""
        config = self.config.critics
        critics = [CostCritic(config, self.problem, f"{prefix}cost_critic", owners)]
        if self.config.gate == "ucb":
            critics.append(CostCritic(replace(config, pessimism=0.0), self.problem, f"{prefix}gate_critic", owners))
        return critics

    def tensors(self) -> dict[str, Tensor]:
        parts = (self.behaviour, self.reward, *self.clone_costs, *self.costs)
        named = {name: tensor for part in parts for name, tensor in part.tensors().items()}
        for policy, parameters in (("clone", self.clone), ("policy", self.actor)):
            named |= {f"{policy}.{name}": tensor for name, tensor in parameters.tensors.items()}
        named |= {"chosen": self.chosen, "chosen_merit": self.chosen_merit}
        return named | {"gradient_scales": self.scales, "gate": self.gate}

    def phases(self) -> list[Phase]:
        config, problem, batch = self.config, self.problem, self.config.batch_size
        row, normal = {"row": Draw("uniform", (batch,))}, Draw("normal", (batch, self.policy.action_size))
        clone = row | self.behaviour.kl_draws(batch) | {"z": normal}
        cost = row | {"z": normal, "next_z": normal}
        steps, seeds, replicas = config.critics.steps, problem.seeds, problem.replica_seeds
        looks = config.gate == "dynamics" or config.choose == "offline"
        hooks = [Hook(config.look_every, self._look_ahead)] if looks else []
        return [
            self.behaviour.phase(),
            Phase("cloning", config.cloning_steps, self.owners, clone, self._clone),
            Phase("reward critic", steps, seeds, row, self._learn_reward),
            Phase("cost critics", steps, self.owners, cost, self._learn_clone_cost),
            Phase("adaptation", config.adaptation_steps, replicas, clone | cost, self._adapt, self._begin, hooks),
        ]

    def _batch(self, draws: Mapping[str, Tensor]) -> Batch:
        return self.problem.replay.batch(self.problem.replay.rows(draws["row"]))

    def _clone(self, step: Tensor, draws: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Lines 3-4 of Algorithm 1: behaviour cloning, from a regression to the reverse KL to the behaviour model."""
        batch = self._batch(draws)
        actions, log_std = self.policy.sample(self.clone.theta, batch.observations, draws["z"])
        kl = self.behaviour.kl(batch.observations, actions, log_std, draws)
        distance = (actions - batch.actions).square().mean((1, 2))
        loss = torch.where(step < self.config.regression_steps, distance, kl)
        self.clone.descend(gradient(loss, self.clone), falling(step, self.config.cloning_steps))
        self.clone.track(self.config.average_rate)
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
            here, _ = self.policy.sample(policy.average, batch.observations, draws["z"])
            there, _ = self.policy.sample(policy.average, batch.next_observations, draws["next_z"])
        chosen = {"here": here, "there": there}
        return {name: value for critic in critics for name, value in critic.learn(step, batch, chosen).items()}

    @torch.no_grad()
    def _begin(self) -> None:
        """Start adaptation from the clone, and fix the unit of both values' gradients: their root mean square at it."""
        self.actor.restart_from(self.clone, self.owner)
        for critic, pretrained in zip(self.costs, self.clone_costs, strict=True):
            critic.q.restart_from(pretrained.q, self.owner)
        replay = self.problem.replay
        rows = torch.linspace(0, len(replay) - 1, 4096, device=self.problem.device).long()
        observations = replay.observations[rows].expand(len(self.problem.replicas), -1, -1)
        actions = self._act_now(observations)
        for column, critic in enumerate((self.reward, self.costs[0])):
            slope = critic.action_gradient(observations, actions)
            self.scales[:, column] = slope.square().mean((1, 2)).sqrt().clamp(min=1e-8)

    def _adapt(self, step: Tensor, draws: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Lines 8-12 of Algorithm 1, with Algorithm 3 as SafeAdaptation."""
        config, batch = self.config, self._batch(draws)
        beyond = step + config.critics.regression_steps
        metrics = self._learn_cost(self.costs, self.actor, beyond, batch, draws)
        # Replicas of a seed draw the same rows, so the first of them stands for its seed.
        by_seed = Batch(*(field[:: len(self.problem.cost_limits)] for field in batch))
        rewards = self.reward.learn(beyond, by_seed)

        actions, log_std = self.policy.sample(self.actor.theta, batch.observations, draws["z"])
        scale_r, scale_c = self.scales.unsqueeze(2).unsqueeze(3).unbind(1)
        slope_r = self.reward.action_gradient(batch.observations, actions) / scale_r
        slope_c = self.costs[0].action_gradient(batch.observations, actions) / scale_c
        kl = self.behaviour.kl(batch.observations, actions, log_std, draws)
        value_r, value_c = ((slope * actions).sum(-1).mean(1) for slope in (slope_r, slope_c))
        # Eqs. (20), (21) and (23), multiplied by beta; both gradients are to be ascended.
        g_r = gradient(config.beta * value_r - kl, self.actor, retain_graph=True)
        g_c = gradient(-config.beta * value_c - kl, self.actor)

        if config.gate == "ucb":
            self.gate.copy_(self._upper_confidence_cost(batch.observations, draws["z"]))
        limits = self.problem.limits
        slack = config.slack.at(step.double(), config.adaptation_steps) * limits
        rr, rc, cc = ((a * b).sum(1).double() for a, b in ((g_r, g_r), (g_r, g_c), (g_c, g_c)))
        x, y, region = gradient_manipulation(self.gate, limits, slack, slack, rr, rc, cc)
        g = x.to(g_r).unsqueeze(1) * g_r + y.to(g_c).unsqueeze(1) * g_c
        before = self.actor.theta.detach().clone()
        self.actor.descend(-g, falling(step, config.adaptation_steps))
        self.actor.track(config.average_rate)

        metrics |= {name: value[self.problem.seed_index] for name, value in rewards.items()}
        metrics |= {f"share_{r.name.lower()}": (region == int(r)).float() for r in Region}
        return metrics | {
            "gate": self.gate.float(),
            "cosine_of_gradients": (rc / (rr * cc).sqrt().clamp(min=1e-30)).float(),
            # Adam's step is not along g: how far it is says how much of the common ascent is left.
            "cosine_of_step_and_g": torch.cosine_similarity(self.actor.theta.detach() - before, g, dim=1),
        }

    @torch.no_grad()
    def _upper_confidence_cost(self, observations: Tensor, z: Tensor) -> Float[Tensor, " replicas"]:
        """Eq. (25) as the cost of an episode: the gate critics' upper confidence bound, converted."""
        problem, config = self.problem, self.config
        if config.gate_states == "start":
            starts = problem.replay.observations[problem.replay.starts[: z.shape[1]]]
            observations, z = starts.expand(len(problem.replicas), -1, -1), z[:, : len(starts)]
        actions, _ = self.policy.sample(self.actor.average, observations, z)
        value = self.costs[1].upper_confidence(observations, actions, config.k).mean(1)
        task = problem.task
        one_cost = episodic_to_discounted(
            1.0, problem.gamma, task.episode_length, config.gate_states, task.expected_length
        )
        return value.double() / one_cost

    def _look_ahead(self, step: int) -> dict[str, Tensor]:
        """Roll the policy out in the learned dynamics: the gate's cost, and whether this policy is the best so far.

        The cost is the members' mean plus k standard deviations. Merit: predicted return where that cost keeps the
        limit, else minus the cost, which is below every safe policy's merit where returns are not negative.
        """
        estimate = self.dynamics.estimate(self._act_now)
        cost = estimate.cost + self.config.k * estimate.cost_std
        if self.config.gate == "dynamics":
            self.gate.copy_(cost)
        merit = torch.where(cost <= self.problem.limits, estimate.reward.clamp(min=0), -cost)
        better = merit > self.chosen_merit[:, 0]
        self.chosen.copy_(torch.where(better.unsqueeze(1), self.actor.average, self.chosen))
        found = torch.stack([merit, torch.full_like(merit, step)], dim=1)
        self.chosen_merit.copy_(torch.where(better.unsqueeze(1), found, self.chosen_merit))
        return {f"predicted_{name}": value for name, value in estimate._asdict().items()}

    @torch.no_grad()
    def _act_now(self, observations: Float[Tensor, "replicas batch obs"]) -> Float[Tensor, "replicas batch act"]:
        return self.policy.distribution(self.actor.average, observations)[0]

    @torch.no_grad()
    def act(self, observations: Float[Tensor, "replicas batch obs"]) -> Float[Tensor, "replicas batch act"]:
        """The mean action of the policy that is kept: the averaged one, last or chosen offline."""
        theta = self.chosen if self.config.choose == "offline" else self.actor.average
        return self.policy.distribution(theta, observations)[0]

    def report(self) -> dict[str, object]:
        reward, cost = self.scales.T.tolist()
        report: dict[str, object] = {"gradient_scale_reward": reward, "gradient_scale_cost": cost}
        return report | ({"chosen_step": self.chosen_merit[:, 1].tolist()} if self.config.choose == "offline" else {})
