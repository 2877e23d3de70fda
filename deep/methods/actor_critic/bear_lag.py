r"""BEAR-Lagrangian: Q-learning within the support of the data (Kumar et al. 2019) with a multiplier for the cost.

The policy pi is a squashed Gaussian; a behaviour VAE gives actions b of the data's support. Each step of the phase
"improvement", for M actions a'_j of the target policy at s', M actions a_j of the policy and M actions b_j at s:

    y_r = r + gamma max_j  (.75 min_i Q_i^r' + .25 max_i Q_i^r')(s', a'_j)
    y_c = c + gamma mean_j (.25 min_i Q_i^c' + .75 max_i Q_i^c')(s', a'_j)
    lambda = PID(mean_s max_i Q_i^c(s, a_1) - kappa)
    pi minimises  mean_s [-min_i Q_i^r(s, a_1)] + lambda (mean_s max_i Q_i^c(s, a_1) - kappa)
                 + alpha (mean_s MMD({b_j}, {a_j}) - threshold)
    log alpha += rate alpha (mean_s MMD - threshold), clipped to [-5, 5]   (`DualMultiplier`).

For the first tenth of the steps the reward's term is left out. The policy acts by tanh m(s).

`variant = public` is what OSRL's code does where it departs from that (read at 03a4586). The MMD compares actions
*before* tanh: a policy may then sit where tanh is flat, far from the data or not. Cost critics are optimistic: min for
max in the multiplier, .75 min + .25 max in the target, which takes the largest sample. The reward's term is there from
the first step. Targets go on after terminal states or end at timeouts, see `parts.targets`; lambda grows without bound,
see `parts.lagrangian`. Left out: two networks for each of the critics here, and the VAE's training beside the policy,
with --vae.kl-weight 0.5.

Our own: the mean over the samples in y_c, which is the value of the policy; the warm start of the critics.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import torch
from jaxtyping import Float
from torch import Tensor

from deep.core.method import Inference, Memoryless, Method, Policy
from deep.core.phase import Phase
from deep.core.problem import Problem
from deep.core.randomness import RandomInput
from deep.core.validation import ABOVE_0, AT_LEAST_0, AT_LEAST_1, RATE, SHARE, check_ranges
from deep.methods.parts.lagrangian import DualMultiplier, PIDConfig, PIDMultiplier
from deep.methods.parts.mmd import mmd
from deep.methods.parts.targets import Targets
from deep.methods.parts.thresholds import cost_threshold
from deep.methods.parts.twin_critics import TwinCritics
from deep.methods.parts.warm_start import PAPER, SMOKE, Improvement, LagrangianConfig, WarmStart
from deep.methods.spec import MethodSpec
from deep.nn.inference import mean_action
from deep.nn.mlp import initial_parameters
from deep.nn.parameters import Adam, Parameters, gradient
from deep.nn.policies import SquashedGaussian


@dataclass(frozen=True)
class BEARLagConfig(LagrangianConfig):
    """Hyper-parameters; the preset "paper" has the published sizes and rates (BEAR's, OSRL's where BEAR has none)."""

    pid: PIDConfig = field(default_factory=PIDConfig)
    """The multiplier of the cost."""
    ema_rate: float = 0.005
    """Rate of the target policy, which also acts."""
    worse_weight: float = 0.75
    """Weight of the worse of two critics in a target."""
    samples: int = 5
    """M, actions in a target and in each set that the MMD compares."""
    sigma: float = 50.0
    """The kernel exp(-|a - b|^2 / (2 sigma)), in squared units of the action's half range."""
    threshold: float = 0.05
    """Where alpha keeps the MMD."""
    alpha_rate: float = 1e-3
    """Rate of the logarithm of alpha, per step and per unit of the MMD."""
    warm_up: float = 0.1
    """Share of the steps in which the policy follows the MMD and the cost alone; none in public code."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_ranges(self, ema_rate=RATE, worse_weight=SHARE, samples=AT_LEAST_1)
        check_ranges(self, sigma=ABOVE_0, threshold=AT_LEAST_0, alpha_rate=AT_LEAST_0, warm_up=SHARE)


class BEARLag(Method):
    """The learner, for all replicas of a problem at once."""

    def __init__(self, config: BEARLagConfig, problem: Problem) -> None:
        self.config, self.problem, self.public = config, problem, config.variant == "public"
        self.start = WarmStart(config, problem)
        self.vae = self.start.vae
        self.critics = TwinCritics(config.critics, problem, "critics", problem.replica_seeds)
        self.targets = Targets(self.critics, self.public)
        self.policy = SquashedGaussian(problem.observation_size, problem.action_size, config.hidden)
        initial = initial_parameters(self.policy, problem.replica_seeds, "policy").to(problem.device)
        self.actor = Parameters(initial, Adam(config.learning_rate), ema=True)
        self.kappa: Float[Tensor, " replicas"] = cost_threshold(problem, config.kappa)
        """The threshold on Q_c, a discounted sum of costs."""
        self.multiplier = PIDMultiplier(config.pid, self.kappa, self.public)
        self.alpha = DualMultiplier("alpha", config.alpha_rate, self.kappa)

    def tensors(self) -> dict[str, Tensor]:
        actor = {f"policy.{name}": tensor for name, tensor in self.actor.tensors.items()}
        multipliers = self.multiplier.tensors() | self.alpha.tensors()
        return self.start.tensors() | self.critics.tensors() | actor | multipliers

    def phases(self) -> list[Phase]:
        config, problem = self.config, self.problem
        many = config.batch_size * config.samples
        draws = {
            "row": RandomInput("uniform", (config.batch_size,)),
            "z": RandomInput("normal", (many, problem.action_size)),
            "next_z": RandomInput("normal", (many, problem.action_size)),
            "support_z": RandomInput("normal", (many, self.vae.latent_size)),
        }
        return self.start.phases(Improvement(config.steps, draws, self._improve, self.critics))

    def _improve(self, step: Tensor, draws: Mapping[str, Tensor]) -> dict[str, Tensor]:
        config, rows = self.config, self.problem.replay.rows(draws["row"])
        batch = self.problem.replay.batch(rows)
        next_actions = self.policy.sample(self.actor.ema, batch.next_observations, draws["next_z"])
        targets = self.targets.of_candidates(batch, rows, next_actions, config.worse_weight)
        metrics = self.critics.learn(batch, targets)

        unsquashed = self.policy.gaussian(self.actor.theta, batch.observations, draws["z"])
        actions = unsquashed.tanh()
        values = self.critics.values(self.critics.q.theta.detach(), batch.observations, actions[:, :: config.samples])
        reward = values.least_reward.mean(1)
        cost = (values.least_cost if self.public else values.greatest_cost).mean(1)
        distance = self.distance(batch.observations, unsquashed if self.public else actions, draws["support_z"])
        multiplier, alpha = self.multiplier.update(cost.detach()), self.alpha.value
        rewarded = 1.0 if self.public else (step >= config.warm_up * config.steps).to(reward.dtype)
        loss = multiplier * (cost - self.kappa) + alpha * (distance - config.threshold) - rewarded * reward
        self.actor.adam_step(gradient(loss, self.actor))
        self.actor.update_ema(config.ema_rate)
        self.alpha.update(distance.detach() - config.threshold)
        found = {"reward": reward.detach(), "predicted_cost": cost.detach(), "mmd": distance.detach()}
        return metrics | found | {"multiplier": multiplier.clone(), "alpha": alpha}

    def distance(
        self,
        observations: Float[Tensor, "n batch obs"],
        actions: Float[Tensor, "n many act"],
        z: Float[Tensor, "n many latent"],
    ) -> Float[Tensor, " n"]:
        """mean_s MMD of these actions, several for each observation, from as many of the behaviour VAE."""
        support = self.vae.decode_shared(observations, z, raw=self.public)
        shape = (observations.shape[1], self.config.samples)
        return mmd(support.unflatten(1, shape), actions.unflatten(1, shape), self.config.sigma).mean(1)

    @torch.no_grad()
    def act(self, observations: Float[Tensor, "replicas batch obs"]) -> Float[Tensor, "replicas batch act"]:
        """tanh m(s) of the target policy."""
        return self.policy.mean_action(self.actor.ema, observations)

    def policies(self) -> dict[str, Policy]:
        return {"": Memoryless(self.act)}

    def exportable(self, replica: int) -> Inference:
        return Inference(mean_action(self.policy, self.actor.ema[replica]), (), "mean action")

    def report(self) -> dict[str, object]:
        found = {"kappa": self.kappa, "multiplier": self.multiplier.value, "alpha": self.alpha.value}
        return {name: values.tolist() for name, values in found.items()}


SPEC = MethodSpec(
    title="BEAR-Lag",
    paper="Kumar et al. 2019; Stooke et al. 2020",
    build=BEARLag,
    presets={"quick": BEARLagConfig(), "paper": replace(BEARLagConfig(**PAPER), steps=300_000, samples=10)},
    smoke=SMOKE | {"samples": 3},
    brief={"steps": 2000},
)
