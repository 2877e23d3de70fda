r"""CPQ, constraints-penalised Q-learning (Xu et al. 2022): unsafe actions have no value, unseen ones count as unsafe.

Each step of the phase "improvement", with a' ~ pi(s'), a ~ pi(s), and M actions a_j ~ pi(s) at every state s:

    y_r = r + gamma 1[max_i Q_i^c'(s', a') <= kappa] min_i Q_i^r'(s', a')
    y_c = c + gamma max_i Q_i^c'(s', a')
    the cost critics minimise  sum_i mean (Q_i^c - y_c)^2 - alpha share_ood (mean_ood Q_i^c(s, a_j) - 1.5 kappa)
    alpha rises while mean_ood Q^c < 1.5 kappa, and falls above   (`DualMultiplier`)
    pi minimises  mean_s [-1[max_i Q_i^c(s, a) <= kappa] min_i Q_i^r(s, a) + max(0, max_i Q_i^c(s, a) - kappa)].

Out of distribution (ood) are those a_j whose KL in the behaviour VAE is above the .99 quantile of that of the batch's
own actions. Of each state that has some, one counts, drawn at random. share_ood is the share of such states: without it
a single unseen action of a batch is pushed as hard as all of its transitions together are fitted. On LatticeHeat (limit
2, seed 0) the policy's value then fell from 7.05, of 7.87, to .53 within 400 steps. The indicators have no gradient. A
value of 0 is the least there is only where rewards are at least 0: with negative ones the mask makes unsafe actions
attractive, which no variant repairs (claim CPQ2 of the ledger). The policy acts by tanh m(s) of its EMA.

The KL of a VAE's encoder does not see every gap in the data. On the bandit of the tests, whose actions are .4 to .9 in
size, all of the policy's actions fall between -.4 and .4, where the critics interpolate half a cost: it costs 12.4 at
the limit 12. With data that cover the gap it costs 11.2, and with the exact set of unseen actions it takes no risk.

`variant = public` is what OSRL's code does where it departs from that (read at 03a4586). The push takes the target
critics *without gradient*: a constant, so that it has no effect on the critics, whatever alpha is. Its actions are not
squashed, ood is the upper quarter of their own KL, and its mean counts the others as 0. Every maximum
over cost critics is a minimum, and the actor has no hinge: where every action is unsafe, it has no gradient. Targets:
see `parts.targets`. The VAE is trained beside the policy there, with --vae.kl-weight 0.5.

Our own: the quantile of the data, the mean over one unseen action of each state (the gradient of all M would take half
of an update's products), the hinge, the warm start, and a standard deviation of at most .2 before tanh. The critics
evaluate samples of the policy and its mean acts: a wide one satisfies the limit by chance alone, and on the bandit of
the tests its mean then cost 17.0 at the limit 12, against 12.8 with the bound.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import log

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from deep.core.method import Inference, Memoryless, Method, Policy
from deep.core.phase import Phase
from deep.core.problem import Problem
from deep.core.randomness import RandomInput
from deep.core.validation import AT_LEAST_0, AT_LEAST_1, BETWEEN_0_AND_1, RATE, check_ranges
from deep.methods.parts.best_of_n import best_of_n
from deep.methods.parts.lagrangian import DualMultiplier
from deep.methods.parts.targets import Targets
from deep.methods.parts.thresholds import cost_threshold
from deep.methods.parts.twin_critics import TwinCritics, TwinValues
from deep.methods.parts.warm_start import PAPER, SMOKE, Improvement, LagrangianConfig, WarmStart
from deep.methods.spec import MethodSpec
from deep.nn.inference import mean_action
from deep.nn.mlp import initial_parameters
from deep.nn.parameters import Adam, Parameters, gradient
from deep.nn.policies import SquashedGaussian

LARGEST_STD = 0.2
"""Of the Gaussian before tanh: the critics evaluate samples, and the mean acts. In public code it is e^2."""


@dataclass(frozen=True)
class CPQConfig(LagrangianConfig):
    """Hyper-parameters; the preset "paper" has the published sizes and rates."""

    learning_rate: float = 2e-4
    """Adam's step size for the policy, a fifth of the critics' (a tenth in the paper). At that of the critics the
    policy runs ahead of them: it saturates where they still predict the cost of an earlier policy."""
    ema_rate: float = 0.01
    """Rate of the EMA of the policy, which acts (1, that is none, in the paper). The policy itself swings around the
    limit: where Q_c <= kappa it follows the reward alone, and elsewhere the cost alone."""
    samples: int = 5
    """M, actions of the policy at every state among which unseen ones are looked for."""
    quantile: float = 0.99
    """Actions whose KL is above this quantile of the KL of the data's own actions are unseen."""
    sample_quantile: float = 0.75
    """public: the quantile of the samples' own KL above which they are unseen."""
    alpha_rate: float = 1e-3
    """Rate of the logarithm of alpha, per step and per unit of the discounted cost (1e-4 in the paper)."""
    margin: float = 1.5
    """Q_c of unseen actions is pushed up to this times kappa."""
    hinge: float = 1.0
    """Weight of max(0, Q_c - kappa) for the policy."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_ranges(self, ema_rate=RATE, samples=AT_LEAST_1, quantile=BETWEEN_0_AND_1, sample_quantile=BETWEEN_0_AND_1)
        check_ranges(self, alpha_rate=AT_LEAST_0, margin=AT_LEAST_0, hinge=AT_LEAST_0)


class CPQ(Method):
    """The learner, for all replicas of a problem at once."""

    def __init__(self, config: CPQConfig, problem: Problem) -> None:
        self.config, self.problem, self.public = config, problem, config.variant == "public"
        self.start = WarmStart(config, problem)
        self.vae = self.start.vae
        self.critics = TwinCritics(config.critics, problem, "critics", problem.replica_seeds)
        self.targets = Targets(self.critics, self.public)
        spread = {} if self.public else {"log_std_range": (-5.0, log(LARGEST_STD))}
        self.policy = SquashedGaussian(problem.observation_size, problem.action_size, config.hidden, **spread)
        initial = initial_parameters(self.policy, problem.replica_seeds, "policy").to(problem.device)
        self.actor = Parameters(initial, Adam(config.learning_rate), ema=True)
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
            "ood_choice": RandomInput("uniform", (config.batch_size * config.samples,)),
        }
        return self.start.phases(Improvement(config.steps, draws, self._improve, self.critics))

    def _improve(self, step: Tensor, draws: Mapping[str, Tensor]) -> dict[str, Tensor]:
        rows = self.problem.replay.rows(draws["row"])
        batch = self.problem.replay.batch(rows)
        next_actions = self.policy.sample(self.actor.theta.detach(), batch.next_observations, draws["next_z"])
        next_values = self.critics.next_values(batch, next_actions)
        next_cost = self.combined_cost(next_values)
        targets = self.targets.of_values(
            batch, rows, masked(next_values.least_reward, next_cost, self.kappa), next_cost
        )
        unseen, share = self.unseen_cost(batch.observations, batch.actions, draws["ood_z"], draws["ood_choice"])
        short = share * (self.config.margin * self.kappa - unseen.mean(1))
        push = self.alpha.value * short * 2 / self.critics.unit**2  # the sum over the two critics
        metrics = self.critics.learn(batch, targets, push)
        self.alpha.update(short.detach())

        actions = self.policy.sample(self.actor.theta, batch.observations, draws["z"])
        values = self.critics.values(self.critics.q.theta.detach(), batch.observations, actions)
        loss, found = self.actor_loss(values)
        self.actor.adam_step(gradient(loss, self.actor))
        self.actor.update_ema(1.0 if self.public else self.config.ema_rate)
        return metrics | found | {"unseen_cost": unseen.detach().mean(1), "alpha": self.alpha.value}

    def combined_cost(self, values: TwinValues) -> Float[Tensor, "n batch"]:
        """The cost of the two critics that the masks compare with kappa."""
        return values.least_cost if self.public else values.greatest_cost

    def actor_loss(self, values: TwinValues) -> tuple[Float[Tensor, " n"], dict[str, Tensor]]:
        """The policy's loss for the critics' values of its actions, and metrics."""
        cost = self.combined_cost(values)
        hinge = 0.0 if self.public else self.config.hinge
        beyond = F.relu(cost - self.kappa.unsqueeze(1))
        loss = hinge * beyond.mean(1) - masked(values.least_reward, cost, self.kappa).mean(1)
        return loss, {"predicted_cost": cost.detach().mean(1), "unsafe_share": (beyond > 0).to(cost.dtype).mean(1)}

    def unseen_cost(
        self,
        observations: Float[Tensor, "n batch obs"],
        data_actions: Float[Tensor, "n batch act"],
        z: Float[Tensor, "n many act"],
        choice: Float[Tensor, "n many"],
    ) -> tuple[Float[Tensor, "n 2"], Float[Tensor, " n"]]:
        """mean_ood Q_i^c(s, a_j) of both cost critics, and the share of the states that have unseen actions.

        `choice` are uniforms that choose one of a state's unseen actions. Public: the mean counts seen ones as 0, and
        the share is 1.
        """
        theta, critics = self.actor.theta.detach(), self.critics
        draw = self.policy.gaussian if self.public else self.policy.sample
        actions = draw(theta, observations, z).detach()
        kl = self.vae.kl(observations, actions)
        if self.public:
            unseen = (kl >= quantile(kl, self.config.sample_quantile)).to(kl.dtype).unsqueeze(1)
            repeated = observations.repeat_interleave(self.config.samples, dim=1)
            return (unseen * critics.costs(critics.q.ema, repeated, actions)).mean(2), torch.ones_like(self.kappa)
        unseen = kl >= quantile(self.vae.kl_shared(observations, data_actions), self.config.quantile)
        one = best_of_n(actions, torch.where(unseen, choice, -1.0), self.config.samples)
        some = unseen.unflatten(1, (-1, self.config.samples)).any(2).to(kl.dtype).unsqueeze(1)
        costs = some * critics.costs(critics.q.theta, observations, one)
        return costs.sum(2) / some.sum(2).clamp(min=1), some.mean((1, 2))

    @torch.no_grad()
    def act(self, observations: Float[Tensor, "replicas batch obs"]) -> Float[Tensor, "replicas batch act"]:
        """tanh m(s)."""
        return self.policy.mean_action(self.actor.ema, observations)

    def policies(self) -> dict[str, Policy]:
        return {"": Memoryless(self.act)}

    def exportable(self, replica: int) -> Inference:
        return Inference(mean_action(self.policy, self.actor.ema[replica]), (), "mean action")

    def report(self) -> dict[str, object]:
        return {"kappa": self.kappa.tolist(), "alpha": self.alpha.value.tolist()}


def masked(
    reward: Float[Tensor, "n batch"], cost: Float[Tensor, "n batch"], kappa: Float[Tensor, " n"]
) -> Float[Tensor, "n batch"]:
    """1[Q_c <= kappa] Q_r; the indicator has no gradient."""
    return reward * (cost.detach() <= kappa.unsqueeze(1))


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
        "paper": replace(CPQConfig(**PAPER), learning_rate=1e-4, samples=10, alpha_rate=1e-4, ema_rate=1.0),
    },
    smoke=SMOKE | {"samples": 3},
    brief={"steps": 2000},
)
