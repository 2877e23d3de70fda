r"""COptiDICE: the stationary distribution of the best policy within a cost limit, as weights of the data.

With d_D the data's distribution, w = d / d_D, and d normalised (its discounted visits times 1 - gamma), the problem is

    max_d  E_d[r] - alpha D_f(d || d_D)   subject to   E_d[c] <= threshold   and Bellman's flow constraints.

nu(s) and lambda are the multipliers of the flow and of the cost. For e = r - lambda c + gamma nu(s') - nu(s) the best
weights are w = max(0, f'^{-1}(e / alpha)), and one update takes a step on each of

    nu      minimise (1 - gamma) E nu(s_0) + E_D[w e - alpha f(w)];    the gradient is that of e with w held fixed
    chi     minimise tau log E_D exp(l / tau),   l = (1 - gamma) chi(s_0) + w (c + gamma chi(s') - chi(s))
    tau     minimise tau (epsilon - KL(p)),      p proportional to exp(l / tau): the worst reweighting of the data
    lambda  minimise lambda (threshold - E_p[w c])
    pi      minimise E_D w |pi(s) - a|^2.

f is the soft chi-square divergence: w log w - w + 1 below 1, (w - 1)^2 / 2 above. Sources: Lee et al. 2022
(COptiDICE), Eqs. (11) to (16); Lee et al. 2021 (OptiDICE) for f.

`--variant public` does what OSRL's code (03a4586) does instead. It differs from the paper, and from `corrected`, in:

1.  the threshold. E_d[c] is a mean cost per step, and the code compares it with the discounted sum kappa, 1/(1 - gamma)
    times as much; costs of at most 1 per step then never bind at kappa >= 1. Corrected: (1 - gamma) kappa;
2.  chi minimises E_p[l] with the gradient through p as well;
3.  the start states are those that the minibatch happens to hold, half a state in 512 where episodes have 1000 steps;
4.  the policy maximises the density of the Gaussian *before* tanh at the data's action, and acts by tanh(mean): an
    action of 1 is played as .76;
5.  values are cut at timeouts; nu and chi are minima over two networks; rewards are a tenth of the raw ones.

Our own in `corrected`: the weighted squared error instead of a density; scaled rewards, about 1 per step, which alpha
belongs to; networks that predict values in units of 1 / (1 - gamma); and e(s, a) = q(s, a) - nu(s) with a network q
that regresses r - lambda c + gamma nu(s') on (s, a). With the e of each transition, as published, w prefers lucky next
states and costs, and E_p[w c] is within the threshold for a policy that is not: on LatticeHeat with limits 2 and 5 the
policy then cost 7.8 and 8.2, and 2.8 and 3.5 with q (exact; seed 0, 1500 updates, lambda still rising at the limit 2).
A limit that is spread evenly over an episode goes with visits from all states of the data. From the start states alone
a cost counts gamma^t times, the less the later it falls due: on the chain of the tests, whose costs come one step late,
the limit 12 then allows 12 (L - 1) / (gamma L) = 14.25, and the policy cost 13.8 to 14.2.
The policy is the weighted *mean* action and not the distribution w d_D, so that a large alpha, whose w hardly differ,
can also leave it above the limit.
"""

from collections.abc import Mapping
from math import log
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from deep.core.method import Inference, Memoryless, Method, Policy
from deep.core.phase import Phase
from deep.core.problem import Problem
from deep.core.randomness import RandomInput
from deep.data.replay import Batch
from deep.methods.actor_critic.coptidice_config import COptiDICEConfig
from deep.methods.parts.iql import reward_units
from deep.methods.parts.thresholds import cost_threshold
from deep.methods.spec import MethodSpec
from deep.nn.inference import mean_action
from deep.nn.mlp import MLP, Ensemble, Network, initial_parameters
from deep.nn.parameters import Adam, Parameters, gradient
from deep.nn.policies import MLPPolicy


def soft_chi(w: Tensor) -> Tensor:
    """f(w) = w log w - w + 1 for w < 1 and (w - 1)^2 / 2 above, elementwise; f(0) = 1."""
    return torch.where(w < 1, torch.xlogy(w, w) - w + 1, (w - 1).square() / 2)


def inverse_derivative(x: Tensor) -> Tensor:
    """f'^{-1}(x) = exp(x) for x < 0 and x + 1 above: where the derivative of `soft_chi`, log w or w - 1, is x."""
    return torch.where(x < 0, x.clamp(max=0).exp(), x + 1)


class CostBound(NamedTuple):
    """The worst mean over reweightings p of a batch with KL(p) at most epsilon, by its dual."""

    weights: Float[Tensor, "n batch"]
    """p times the batch's size: 1 for the uniform distribution."""
    kl: Float[Tensor, " n"]
    """KL(p || uniform)."""
    value: Float[Tensor, " n"]
    """tau log mean exp(l / tau)."""


def cost_bound(ell: Float[Tensor, "n batch"], tau: Float[Tensor, "n 1"]) -> CostBound:
    """The reweighting p proportional to exp(l / tau), and the value whose gradient in l is p."""
    size = log(ell.shape[1])
    log_weights = torch.log_softmax(ell / tau, dim=1) + size
    weights = log_weights.exp()
    value = tau.squeeze(1) * (torch.logsumexp(ell / tau, dim=1) - size)
    return CostBound(weights, (weights * log_weights).mean(1), value)


class StateValues(NamedTuple):
    """A value at the states of a minibatch: s, s' and start states."""

    here: Float[Tensor, "n batch"]
    there: Float[Tensor, "n batch"]
    start: Float[Tensor, "n batch"]


class COptiDICE(Method):
    """The learner, for all replicas of a problem at once."""

    def __init__(self, config: COptiDICEConfig, problem: Problem) -> None:
        self.config, self.problem, self.public = config, problem, config.variant == "public"
        replay = problem.replay
        self.value = Ensemble(MLP(problem.observation_size, 1, config.hidden), 2 if self.public else 1)
        self.policy = MLPPolicy(
            problem.observation_size, problem.action_size, "gaussian" if self.public else "dirac", config.hidden
        )
        self.regression = config.advantage == "regression" and not self.public
        self.nu, self.chi = (self._parameters(self.value, name) for name in ("nu", "chi"))
        self.actor = self._parameters(self.policy, "policy")
        self.q_network = MLP(problem.observation_size + problem.action_size, 1, config.hidden)
        self.q = self._parameters(self.q_network, "q")
        zero = torch.zeros_like(self.nu.theta[:, :1])
        self.multiplier, self.temperature = (Parameters(zero, Adam(config.multiplier_rate)) for _ in range(2))
        """lambda and tau before the softplus."""
        self.warm_up = 0.0 if self.public else config.warm_up * config.steps
        self.alpha = config.alpha / (1.0 if self.public else reward_units(problem, config.reward_unit))
        """alpha in the unit of the rewards that nu sums up."""
        self.threshold: Float[Tensor, " replicas"] = cost_threshold(problem, config.kappa)
        """The limit on the mean cost per step, E_d[c]."""
        self.unit = 1.0 if self.public else 1 / (1 - problem.gamma)
        if not self.public:
            self.threshold *= 1 - problem.gamma
        self.action_std = replay.actions.std(0, correction=0)
        self.ends, self.is_start = (torch.zeros_like(replay.rewards) for _ in range(2))
        self.is_start[replay.starts] = len(replay) / len(replay.starts)
        self.ends[replay.starts - 1] = 1  # of the first trajectory: the last row

    def _parameters(self, network: Network, name: str) -> Parameters:
        initial = initial_parameters(network, self.problem.replica_seeds, name).to(self.problem.device)
        rate = self.config.learning_rate * (self.config.nu_rate if name == "nu" and self.regression else 1)
        return Parameters(initial, Adam(rate), ema=name == "policy")

    def tensors(self) -> dict[str, Tensor]:
        named = {"nu": self.nu, "chi": self.chi, "policy": self.actor, "q": self.q}
        named |= {"multiplier": self.multiplier, "temperature": self.temperature}
        return {f"{part}.{name}": tensor for part, held in named.items() for name, tensor in held.tensors.items()}

    def phases(self) -> list[Phase]:
        size, problem = self.config.batch_size, self.problem
        draws = {
            "row": RandomInput("uniform", (size,)),
            "state_noise": RandomInput("normal", (size, problem.observation_size)),
            "action_noise": RandomInput("normal", (size, problem.action_size)),
        }
        if not self.public:
            draws["start"] = RandomInput("uniform", (size,))
        return [
            Phase(
                "training",
                self.config.steps,
                problem.replica_seeds,
                draws,
                self._update,
                limits=problem.replica_limits,
            )
        ]

    def _update(self, step: Tensor, draws: Mapping[str, Tensor]) -> dict[str, Tensor]:
        rows = self.problem.replay.rows(draws["row"])
        batch, starts = self._batch(rows), self._starts(rows, draws)
        lam, tau = self.lam, F.softplus(self.temperature.theta)

        nu = self._values(self.nu, batch, starts)
        advantage = batch.rewards - lam.detach().unsqueeze(1) * batch.costs + self._flow(nu, batch)
        weights = self.weights(self._fitted(batch, nu.here.detach(), advantage.detach()))
        sums = batch.reward_to_go - lam.detach().unsqueeze(1) * batch.cost_to_go
        penalty = self.alpha * soft_chi(weights)
        nu_loss = (1 - self.problem.gamma) * nu.start.mean(1) + (weights * advantage - penalty).mean(1)

        chi = self._values(self.chi, batch, starts)
        ell = (1 - self.problem.gamma) * chi.start + weights * (batch.costs + self._flow(chi, batch))
        bound = cost_bound(ell, tau.detach())
        chi_loss = (bound.weights * ell).mean(1) if self.public else bound.value
        tau_loss = tau.squeeze(1) * (self.config.epsilon - bound.kl.detach())

        cost = (bound.weights.detach() * weights * batch.costs).mean(1)
        multiplier_loss = lam * (self.threshold - cost)
        policy_loss = (weights * self._misfit(batch, draws)).mean(1)

        moving = step >= self.warm_up
        regression = ((nu.here - sums) / self.unit).square().mean(1)
        nu_rate = torch.where(moving, 1.0, self.config.learning_rate / self.nu.config.learning_rate)
        self.nu.adam_step(gradient(torch.where(moving, nu_loss, regression), self.nu), nu_rate)
        self.chi.adam_step(gradient(chi_loss, self.chi))
        moving = moving.to(step.dtype)
        self.temperature.adam_step(moving * gradient(tau_loss, self.temperature), moving)
        self.multiplier.adam_step(moving * gradient(multiplier_loss, self.multiplier), moving)
        self.actor.adam_step(gradient(policy_loss, self.actor))
        self.actor.update_ema(self.config.ema_rate)
        found = {"dual": nu_loss, "weight": weights.mean(1), "cost_per_step": cost, "multiplier": lam}
        found |= {"temperature": tau.squeeze(1), "policy_loss": policy_loss}
        return {name: value.detach() for name, value in found.items()}

    @property
    def lam(self) -> Float[Tensor, " replicas"]:
        """lambda, the multiplier of the cost."""
        return F.softplus(self.multiplier.theta).squeeze(1)

    def weights(self, advantage: Float[Tensor, "replicas batch"]) -> Float[Tensor, "replicas batch"]:
        """w = max(0, f'^{-1}(e / alpha))."""
        return F.relu(inverse_derivative(advantage / self.alpha))

    def _fitted(self, batch: Batch, nu: Tensor, advantage: Tensor) -> Float[Tensor, "replicas batch"]:
        """e(s, a) = q(s, a) - nu(s), after one step of q towards r - lambda c + gamma nu(s')."""
        if not self.regression:
            return advantage
        pairs = torch.cat([batch.observations, batch.actions], -1)
        q = self.q_network.apply(self.q.theta, pairs).squeeze(-1)
        self.q.adam_step(gradient((q - (advantage + nu) / self.unit).square().mean(1), self.q))
        return q.detach() * self.unit - nu

    def _batch(self, rows: Tensor) -> Batch:
        """The minibatch; in the public variant with raw rewards times a tenth, and timeouts as ends."""
        batch = self.problem.replay.batch(rows)
        if not self.public:
            return batch
        rewards = batch.rewards * reward_units(self.problem, "raw")
        return batch._replace(rewards=rewards, not_terminal=1 - self.ends[rows])

    def _starts(self, rows: Tensor, draws: Mapping[str, Tensor]) -> tuple[Tensor | None, Tensor | float]:
        """Start states of their own, each of weight 1; or none, and the weight of each of the minibatch's states."""
        replay = self.problem.replay
        if self.public:
            return None, self.is_start[rows]
        if self.config.kappa != "start":
            return replay.observations[replay.rows(draws["start"])], 1.0
        return replay.observations[replay.starts[(draws["start"].double() * len(replay.starts)).long()]], 1.0

    def _values(self, net: Parameters, batch: Batch, starts: tuple[Tensor | None, Tensor | float]) -> StateValues:
        """nu or chi at all states of the minibatch."""
        observations, weight = starts
        states = [batch.observations, batch.next_observations, *([] if observations is None else [observations])]
        values = self.value.apply(net.theta, torch.cat(states, 1)).squeeze(-1).amin(1) * self.unit
        here, there, *first = values.split(batch.rewards.shape[1], 1)
        return StateValues(here, there, (first[0] if first else here) * weight)

    def _flow(self, values: StateValues, batch: Batch) -> Float[Tensor, "replicas batch"]:
        """gamma v(s') - v(s)."""
        return self.problem.gamma * batch.not_terminal * values.there - values.here

    def _misfit(self, batch: Batch, draws: Mapping[str, Tensor]) -> Float[Tensor, "replicas batch"]:
        """The policy's error at each transition of the data, with noise: |pi(s) - a|^2, or -log N(a; m, sigma^2)."""
        observations = batch.observations + self.config.noise * draws["state_noise"]
        actions = batch.actions + self.config.noise * self.action_std * draws["action_noise"]
        output = self.policy.network.apply(self.actor.theta, observations)
        if not self.public:
            return (torch.tanh(output) - actions).square().sum(-1)
        mean, log_std = output.chunk(2, -1)
        log_std = log_std.clamp(-20, 2)
        return (((mean - actions) / log_std.exp()).square() / 2 + log_std).sum(-1)

    @torch.no_grad()
    def act(self, observations: Float[Tensor, "replicas batch obs"]) -> Float[Tensor, "replicas batch act"]:
        """tanh(m(s)) of the averaged policy."""
        output = self.policy.network.apply(self.actor.ema, observations)
        return torch.tanh(output[..., : self.problem.action_size])

    @property
    def mean_network(self) -> MLPPolicy:
        return self.policy

    def policies(self) -> dict[str, Policy]:
        return {"": Memoryless(self.act)}

    def exportable(self, replica: int) -> Inference:
        return Inference(mean_action(self.policy, self.actor.ema[replica]), (), "mean action")

    def report(self) -> dict[str, object]:
        return {"threshold_per_step": self.threshold.tolist(), "multiplier": self.lam.detach().tolist()}


SPEC = MethodSpec(
    title="COptiDICE",
    paper="Lee et al. 2022",
    build=COptiDICE,
    presets={
        "quick": COptiDICEConfig(),
        "paper": COptiDICEConfig(
            steps=100_000,
            batch_size=512,
            hidden=(256, 256),
            learning_rate=1e-4,
            multiplier_rate=1e-4,
            warm_up=0.0,
            alpha=0.5,
            reward_unit="raw",
            ema_rate=1.0,
            kappa="start",
            advantage="sample",
        ),
    },
    smoke={"steps": 100, "batch_size": 16, "hidden": (16,)},
)
