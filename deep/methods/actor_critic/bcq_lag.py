r"""BCQ-Lagrangian: batch-constrained Q-learning (Fujimoto et al. 2019) with a multiplier for the cost.

A behaviour VAE decodes candidate actions, which a network xi perturbs by at most phi:

    a_j = clip(D(s, z_j) + phi tanh xi(s, D(s, z_j))),   z_j ~ N(0, I) clipped to +-.5.

Each step of the phase "improvement", for M candidates a'_j at s' from the target perturbation:

    y_r = r + gamma max_j  soft_j(Q_r'),     soft = .75 min_i Q_i + .25 max_i Q_i
    y_c = c + gamma mean_j hard_j(Q_c'),     hard = .25 min_i Q_i + .75 max_i Q_i
    lambda = PID(mean_s max_i Q_i^c(s, a) - kappa)
    xi minimises mean_s [-min_i Q_i^r(s, a)] + lambda (mean_s max_i Q_i^c(s, a) - kappa),   a one candidate at s.

Acting: of several candidates the largest Q_r among those with Q_c <= kappa, else the least Q_c (`best_of_n`).

`variant = public` is what OSRL's code does where it departs from that (read at 03a4586). Cost critics are optimistic:
min for max in the multiplier, soft for hard in the target. The cost's target takes the *largest* candidate. Targets go
on after terminal states or end at timeouts, see `parts.targets`; lambda grows without bound, see `parts.lagrangian`.
The policy acts by one random candidate, without ranking. Left out: two networks for each of the critics here, and the
VAE's training beside the policy, with --vae.kl-weight 0.5.

Our own: the mean over candidates in y_c, which is the value of the policy that acts by one candidate; the warm start.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from deep.core.method import ExactParts, Inference, Method, Policy
from deep.core.phase import Phase
from deep.core.problem import Problem
from deep.core.randomness import RandomInput
from deep.core.validation import AT_LEAST_0, AT_LEAST_1, RATE, SHARE, check_ranges
from deep.methods.parts.acting import SamplingPolicy
from deep.methods.parts.best_of_n import best_of_n, selection_score
from deep.methods.parts.diffusion_policy import clip
from deep.methods.parts.inference import best_candidate, over_candidates, twin_values
from deep.methods.parts.lagrangian import PIDConfig, PIDMultiplier
from deep.methods.parts.targets import Targets
from deep.methods.parts.thresholds import cost_threshold
from deep.methods.parts.twin_critics import TwinCritics
from deep.methods.parts.warm_start import PAPER, SMOKE, Improvement, LagrangianConfig, WarmStart
from deep.methods.spec import MethodSpec
from deep.nn.inference import Array
from deep.nn.mlp import MLP, initial_parameters
from deep.nn.parameters import Adam, Parameters, gradient

Variant = Literal["corrected", "public"]


@dataclass(frozen=True)
class BCQLagConfig(LagrangianConfig):
    """Hyper-parameters; the preset "paper" has the published sizes and rates (BCQ's, and OSRL's where BCQ has none)."""

    pid: PIDConfig = field(default_factory=PIDConfig)
    """The multiplier."""
    ema_rate: float = 0.005
    """Rate of the target perturbation, which also acts."""
    phi: float = 0.05
    """The largest perturbation of a candidate, in units of the action's half range."""
    worse_weight: float = 0.75
    """Weight of the worse of two critics in a target, .75 in BCQ."""
    candidates: int = 5
    """M, candidates at every next state."""
    acting_candidates: int = 10
    """Candidates among which the policy chooses when it acts."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_ranges(self, ema_rate=RATE, phi=AT_LEAST_0, worse_weight=SHARE)
        check_ranges(self, candidates=AT_LEAST_1, acting_candidates=AT_LEAST_1)


class BCQLag(Method):
    """The learner, for all replicas of a problem at once."""

    def __init__(self, config: BCQLagConfig, problem: Problem) -> None:
        self.config, self.problem, public = config, problem, config.variant == "public"
        self.start = WarmStart(config, problem)
        self.vae = self.start.vae
        self.critics = TwinCritics(config.critics, problem, "critics", problem.replica_seeds)
        inputs = problem.observation_size + problem.action_size
        self.perturbation = MLP(inputs, problem.action_size, config.hidden, "tanh")
        initial = initial_parameters(self.perturbation, problem.replica_seeds, "perturbation").to(problem.device)
        self.actor = Parameters(initial, Adam(config.learning_rate), ema=True)
        self.kappa: Float[Tensor, " replicas"] = cost_threshold(problem, config.kappa)
        """The threshold on Q_c, a discounted sum of costs."""
        self.multiplier = PIDMultiplier(config.pid, self.kappa, public)
        self.targets = Targets(self.critics, public)

    def tensors(self) -> dict[str, Tensor]:
        actor = {f"perturbation.{name}": tensor for name, tensor in self.actor.tensors.items()}
        return self.start.tensors() | self.critics.tensors() | actor | self.multiplier.tensors()

    def phases(self) -> list[Phase]:
        config, latent = self.config, self.vae.latent_size
        draws = {
            "row": RandomInput("uniform", (config.batch_size,)),
            "z": RandomInput("normal", (config.batch_size, latent)),
            "next_z": RandomInput("normal", (config.batch_size * config.candidates, latent)),
        }
        return self.start.phases(Improvement(config.steps, draws, self._improve, self.critics))

    def _improve(self, step: Tensor, draws: Mapping[str, Tensor]) -> dict[str, Tensor]:
        rows = self.problem.replay.rows(draws["row"])
        batch = self.problem.replay.batch(rows)
        next_decoded = self.vae.decode_shared(batch.next_observations, draws["next_z"])
        next_actions = self.perturbed(self.actor.ema, batch.next_observations, next_decoded)
        targets = self.targets.of_candidates(batch, rows, next_actions, self.config.worse_weight)
        metrics = self.critics.learn(batch, targets)

        decoded = self.vae.decode_shared(batch.observations, draws["z"])
        actions = self.perturbed(self.actor.theta, batch.observations, decoded)
        values = self.critics.values(self.critics.q.theta.detach(), batch.observations, actions)
        reward = values.least_reward.mean(1)
        cost = (values.least_cost if self.config.variant == "public" else values.greatest_cost).mean(1)
        multiplier = self.multiplier.update(cost.detach())
        self.actor.adam_step(gradient(multiplier * (cost - self.kappa) - reward, self.actor))
        self.actor.update_ema(self.config.ema_rate)
        return metrics | {"reward": reward.detach(), "predicted_cost": cost.detach(), "multiplier": multiplier.clone()}

    def perturbed(
        self,
        theta: Float[Tensor, "n params"],
        observations: Float[Tensor, "n batch obs"],
        decoded: Float[Tensor, "n many act"],
    ) -> Float[Tensor, "n many act"]:
        """clip(a + phi tanh xi(s, a)) of one or several actions for each observation, side by side."""
        repeated = observations.repeat_interleave(decoded.shape[1] // observations.shape[1], dim=1)
        change = self.perturbation.apply(theta, torch.cat([repeated, decoded], -1)).tanh()
        return clip(decoded + self.config.phi * change)

    @torch.no_grad()
    def candidates(
        self, observations: Float[Tensor, "replicas batch obs"], z: Float[Tensor, "replicas 1 many latent"]
    ) -> Float[Tensor, "replicas many act"]:
        """Actions of the target perturbation for standard normals z; with one a row, the policy that is learned."""
        return self.perturbed(self.actor.ema, observations, self.vae.decode(observations, z[:, 0]))

    @torch.no_grad()
    def best(
        self, observations: Float[Tensor, "replicas batch obs"], z: Float[Tensor, "replicas 1 many latent"]
    ) -> Float[Tensor, "replicas batch act"]:
        """Of each row's candidates the largest Q_r among those with Q_c <= kappa, or else the least Q_c."""
        candidates, count = self.candidates(observations, z), z.shape[2] // observations.shape[1]
        repeated = observations.repeat_interleave(count, dim=1)
        values = self.critics.values(self.critics.q.ema, repeated, candidates)
        return best_of_n(candidates, selection_score(values.least_reward, values.greatest_cost, self.kappa), count)

    def policies(self) -> dict[str, Policy]:
        def policy(choose: Callable[[Tensor, Tensor], Tensor], count: int) -> SamplingPolicy:
            return SamplingPolicy(
                choose, (count, 1, self.vae.latent_size), self.problem.replica_seeds, self.problem.device
            )

        ways = {"best-of-n": policy(self.best, self.config.acting_candidates), "sample": policy(self.candidates, 1)}
        first = "sample" if self.config.variant == "public" else "best-of-n"
        return {first: ways[first], **ways}

    def exportable(self, replica: int) -> Inference:
        seed, size = int(self.problem.seed_index[replica]), self.problem.observation_size
        decode = self.vae.inference(seed)
        change = over_candidates(self.perturbation, self.actor.ema[replica], size)
        values = twin_values(self.critics, self.critics.q.ema[replica], size)
        kappa, phi, bound = float(self.kappa[replica]), self.config.phi, self.config.vae.latent_bound
        public = self.config.variant == "public"

        def act(x: Array, z: Array) -> Array:
            decoded = decode(x, z.select(2, 0).clamp(-bound, bound))
            actions = (decoded + change(x, decoded).tanh() * phi).clamp(-1, 1)
            return actions.select(1, 0) if public else best_candidate(actions, *values(x, actions), kappa)

        count = 1 if public else self.config.acting_candidates
        how = "one candidate" if public else f"best of {count} candidates"
        return Inference(act, (count, 1, self.vae.latent_size), f"{how} of the behaviour VAE, perturbed")

    def exact_parts(self) -> ExactParts:
        def cost(observations: Tensor, actions: Tensor) -> Tensor:
            return self.critics.values(self.critics.q.ema, observations, actions).greatest_cost

        return ExactParts(cost)

    def report(self) -> dict[str, object]:
        return {"kappa": self.kappa.tolist(), "multiplier": self.multiplier.value.tolist()}


SPEC = MethodSpec(
    title="BCQ-Lag",
    paper="Fujimoto et al. 2019; Stooke et al. 2020",
    build=BCQLag,
    presets={"quick": BCQLagConfig(), "paper": BCQLagConfig(**PAPER, candidates=10)},
    smoke=SMOKE | {"candidates": 3, "acting_candidates": 3},
    brief={"steps": 2000},
)
