r"""CDT: a transformer that clones actions given the return and the cost that are still to come (Liu et al. 2023).

Step t of a window of K steps has the tokens (R_t, C_t, s_t, a_t) with the undiscounted return and cost to go. The
distribution of a_t is read off the token of s_t. For tokens of the data, minimise over theta

    -E log pi_theta(a_t | ..., R_t, C_t, s_t) - temperature E H(pi_theta) + cost_weight E BCE(c_t > 0),
    the temperature falls while the entropy H exceeds its target, -(number of actions).

Acting at the cost limit l: the first tokens are R_0 = R*(l) and C_0 = l; after reward r and cost c they are R_t - r and
C_t - c; the action is the mean, clipped to [-1, 1]. R*(l) is the best return of a trajectory that satisfies l. One
model serves all limits.

B2R (2025) is the same network with other tokens and data: `SPEC_B2R`. Its tokens are (s_t, C_t, R_t, a_t) with rotary
positions instead of embedded times. The data are the trajectories that cost at most twice the protocol's largest limit,
each relabelled to start at a budget between its cost and that. R*(l) is there the .9 quantile of the returns within l.

The public code departs from its paper in these points, which `--variant public` reproduces: a trajectory is drawn in
proportion to max(70 - C, 0); the return token is .1 R and the cost token 50 - C, whatever the task. Its return targets
are chosen by hand for each task and limit: `--return-targets`.

Sources: Liu et al. 2023 (CDT), Eqs. (4) to (6), section 4.2 and appendix A; Chen et al. 2021 (decision transformer).
Ours: log std squashed to [-5, 2]; states normalised; times embedded from zero; cost head by binary cross-entropy.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F

from deep.core.method import Inference, Method, Policy
from deep.core.phase import Phase
from deep.core.problem import Problem
from deep.core.randomness import RandomInput
from deep.core.validation import ABOVE_0, AT_LEAST_0, AT_LEAST_1, BELOW_1, check_ranges
from deep.data.sequences import Frontier, Sequences
from deep.methods.parts.budget import by_replica, by_seed
from deep.methods.sequence.relabelling import augmented, entries, safe_region
from deep.methods.sequence.tokens import DecisionTransformer, Order, Steps, gaussian_entropy, gaussian_log_density
from deep.methods.spec import MethodSpec
from deep.nn.mlp import initial_parameters
from deep.nn.parameters import Adam, Parameters, gradient
from deep.nn.transformer import Transformer
from deep.tasks import within_limit
from theory.support.errors import InputError


@dataclass(frozen=True)
class CDTConfig:
    """Hyper-parameters of CDT and B2R; the defaults are those of the quick preset of CDT."""

    steps: int = 10_000
    """Training steps."""
    batch_size: int = 64
    """Windows in a minibatch."""
    history: int = 5
    """K, the steps that the policy sees, the present one included."""
    width: int = 64
    """Width of the tokens."""
    heads: int = 4
    """Attention heads of a block."""
    blocks: int = 2
    """Transformer blocks."""
    dropout: float = 0.0
    """Share dropped of embeddings, attention weights and both branches of a block, in training."""
    learning_rate: float = 1e-3
    """Adam's step size after the warm-up."""
    warm_up: int = 500
    """Steps in which the step size rises linearly from 0."""
    weight_decay: float = 1e-4
    """Decoupled weight decay."""
    clip: float = 0.25
    """Largest norm of a gradient."""
    temperature: float = 0.1
    """Weight of the policy's entropy at the start, as in SAC."""
    temperature_rate: float = 1e-4
    """Adam's step size for the logarithm of that weight."""
    cost_weight: float = 0.02
    """Weight of the loss of the head that predicts whether a step costs something."""
    relabel: Literal["augment", "safe_region"] = "augment"
    """augment: all trajectories, and some that ask for more than can be had; safe_region: B2R's."""
    augmented_share: float = 0.2
    """augment: additional trajectories, as a share of their number."""
    tokens: Order = "action_from_state"
    """Order of a step's tokens: action_from_state is CDT's, action_from_return B2R's."""
    rotary: bool = False
    """Rotary position encoding instead of embeddings of the time."""
    return_targets: tuple[float, ...] = ()
    """The return to ask for at each cost limit, in the task's unit; empty: R*(l) by rule from the data."""
    variant: Literal["corrected", "public"] = "corrected"
    """public: the weights of trajectories and the units of the public code, see the module's docstring."""

    def __post_init__(self) -> None:
        check_ranges(self, steps=AT_LEAST_0, batch_size=AT_LEAST_1, history=AT_LEAST_1, width=AT_LEAST_1)
        check_ranges(self, heads=AT_LEAST_1, blocks=AT_LEAST_1, dropout=BELOW_1, learning_rate=ABOVE_0)
        check_ranges(self, warm_up=AT_LEAST_0, weight_decay=AT_LEAST_0, clip=ABOVE_0, temperature=ABOVE_0)
        check_ranges(self, temperature_rate=AT_LEAST_0, cost_weight=AT_LEAST_0, augmented_share=AT_LEAST_0)


class CDT(Method):
    """The learner: one model for each seed, which serves all cost limits."""

    def __init__(self, config: CDTConfig, problem: Problem) -> None:
        self.config, self.problem = config, problem
        if config.variant == "public" and config.relabel == "safe_region":
            raise InputError("--variant public is that of CDT's code: accepted with --relabel safe_region is corrected")
        self.sequences = Sequences(problem.data, problem.replay)
        trunk = Transformer(config.width, config.heads, config.blocks, rotary=config.rotary, dropout=config.dropout)
        sizes = problem.observation_size, problem.action_size
        self.network = DecisionTransformer(*sizes, trunk, problem.task.episode_length, config.tokens)
        initial = initial_parameters(self.network, problem.seeds, "decision transformer").to(problem.device)
        self.model = Parameters(initial, Adam(config.learning_rate, config.weight_decay, config.clip))
        log_temperature = torch.full((len(problem.seeds), 1), config.temperature).log().to(initial)
        self.log_temperature = Parameters(log_temperature, Adam(config.temperature_rate))
        self.units = Units.of(config.variant, problem)
        self.entries = entries(self._tables(), problem.replay.observations)
        self.targets = self._return_targets()

    def _tables(self) -> list:
        config, problem = self.config, self.problem
        if config.relabel == "safe_region":
            return safe_region(problem.data, 2 * max(problem.task.cost_limits), problem.seeds)
        weighted_to = 70.0 if config.variant == "public" else None
        return augmented(problem.data, config.augmented_share, problem.seeds, weighted_to)

    def _return_targets(self) -> Float[Tensor, " replicas"]:
        """R*(l) of every replica, in the task's unit."""
        limits, targets = self.problem.cost_limits, self.config.return_targets
        if targets and len(targets) != len(limits):
            found = f"--return-targets has {len(targets)} numbers for {len(limits)} cost limits"
            raise InputError(f"{found}: accepted is one for each limit, or none")
        chosen = targets or [self._achievable(limit) for limit in limits]
        return torch.tensor(list(chosen) * len(self.problem.seeds)).to(self.problem.replay.observations)

    def _achievable(self, limit: float) -> float:
        """CDT: the best return of a trajectory within the limit; B2R: the .9 quantile of their returns."""
        costs, returns = self.problem.data.trajectory_costs, self.problem.data.trajectory_returns
        eligible = within_limit(costs, limit)
        if not eligible.any():
            found = f"no trajectory satisfies the cost limit {limit:g}"
            raise InputError(f"{found}: the least cost in the data is {costs.min():.9g}; or name --return-targets")
        if self.config.relabel == "safe_region":
            return float(np.quantile(returns[eligible], 0.9))
        frontier = Frontier.of(costs, returns)
        return float(frontier.returns[frontier.steps_for(np.array([limit]))[0]])

    def tensors(self) -> dict[str, Tensor]:
        named = {f"model.{name}": tensor for name, tensor in self.model.tensors.items()}
        named |= {"return_targets": self.targets}  # they come from the data, which a finished run does without
        return named | {f"log_temperature.{name}": tensor for name, tensor in self.log_temperature.tensors.items()}

    def phases(self) -> list[Phase]:
        row = RandomInput("uniform", (self.config.batch_size,))
        draws = {"entry": row, "start": row, "shift": row}
        if self.config.dropout > 0:
            draws["dropout"] = RandomInput("key", (self.network.masks,))
        return [Phase("training", self.config.steps, self.problem.seeds, draws, self._update)]

    def _update(self, step: Tensor, draws: Mapping[str, Tensor]) -> dict[str, Tensor]:
        trajectories, return_shift, cost_shift = self.entries.draw(draws["entry"], draws["shift"])
        first = self.sequences.starts_within(trajectories, draws["start"])
        window = self.sequences.windows(first, self.config.history)
        returns = self.units.returns(window.return_to_go + return_shift.unsqueeze(-1))
        costs = self.units.costs(window.cost_to_go + cost_shift.unsqueeze(-1))
        steps = Steps(window.observations, window.actions, returns, costs, window.time, window.valid)
        heads = self.network.apply(self.model.theta, steps, draws.get("dropout"))
        likelihood = gaussian_log_density(window.actions, heads.mean, heads.log_std)
        costly = (self.problem.replay.costs[window.rows] > 0).to(likelihood)
        cost_loss = F.binary_cross_entropy_with_logits(heads.cost_logit, costly, reduction="none")
        log_likelihood, entropy, cost_loss = (
            masked_mean(x, window.valid) for x in (likelihood, gaussian_entropy(heads.log_std), cost_loss)
        )
        temperature = self.log_temperature.theta.detach().exp().squeeze(1)
        loss = -log_likelihood - temperature * entropy + self.config.cost_weight * cost_loss
        self.model.adam_step(gradient(loss, self.model), ((step + 1) / max(self.config.warm_up, 1)).clamp(max=1))
        excess = (entropy.detach() + self.problem.action_size).unsqueeze(1)
        self.log_temperature.adam_step(temperature.unsqueeze(1) * excess)
        return {"log_likelihood": log_likelihood.detach(), "entropy": entropy.detach(), "cost_loss": cost_loss.detach()}

    def policies(self) -> dict[str, Policy]:
        return {"": CDTPolicy(self)}

    def exportable(self, replica: int) -> Inference:
        return Inference(None, (), "the mean, given the last steps and the return and cost to go")

    def report(self) -> dict[str, object]:
        return {"return_targets": self.targets[: len(self.problem.cost_limits)].tolist()}


def masked_mean(x: Float[Tensor, "n batch T"], valid: Bool[Tensor, "n batch T"]) -> Float[Tensor, " n"]:
    """The mean over the valid steps of each copy."""
    return (x * valid).sum((1, 2)) / valid.sum((1, 2))


class Units(NamedTuple):
    """The network's inputs as affine functions of the return and the cost to go."""

    return_scale: float
    cost_scale: float
    cost_offset: float

    @classmethod
    def of(cls, variant: str, problem: Problem) -> "Units":
        """corrected: shares of the task's range of returns and of its largest limit; public: .1 R, 50 - C."""
        if variant == "public":
            return cls(0.1, -1.0, 50.0)
        return cls(problem.reward_scale / problem.task.expected_length, 1 / (max(problem.task.cost_limits) or 1.0), 0.0)

    def returns(self, to_go: Tensor) -> Tensor:
        """The network's input for these returns to go."""
        return to_go * self.return_scale

    def costs(self, to_go: Tensor) -> Tensor:
        """The network's input for these costs to go."""
        return self.cost_offset + to_go * self.cost_scale


class Memory(NamedTuple):
    """The last K steps of every episode, the latest last; places before the first step hold zeros."""

    observations: Float[Tensor, "replicas batch K obs"]
    actions: Float[Tensor, "replicas batch K act"]
    return_to_go: Float[Tensor, "replicas batch K"]
    """In the task's unit."""
    cost_to_go: Float[Tensor, "replicas batch K"]
    next_return: Float[Tensor, "replicas batch"]
    """The return to go of the step that comes next."""
    next_cost: Float[Tensor, "replicas batch"]
    steps: Int[Tensor, "replicas batch"]
    """How many steps were played."""


class CDTPolicy:
    """The policies of all replicas; each has the model of its seed and its own limit."""

    markov, max_batch = False, 4096

    def __init__(self, method: CDT) -> None:
        self.method = method

    def start(self, batch: int) -> Memory:
        method, K = self.method, self.method.config.history
        replicas, like = len(method.problem.replicas), method.problem.replay.observations
        sizes = method.problem.observation_size, method.problem.action_size
        observations, actions = (like.new_zeros(replicas, batch, K, size) for size in sizes)
        nothing = like.new_zeros(replicas, batch, K)
        limits = method.problem.limits.to(like)
        wanted, budget = (row.unsqueeze(1).repeat(1, batch) for row in (method.targets, limits))
        steps = torch.zeros(replicas, batch, dtype=torch.long, device=like.device)
        return Memory(observations, actions, nothing, nothing, wanted, budget, steps)

    @torch.no_grad()
    def act(self, state: Memory, observations: Tensor) -> tuple[Tensor, Memory]:
        state = state._replace(
            observations=_pushed(state.observations, observations),
            actions=_pushed(state.actions, torch.zeros_like(state.actions[:, :, 0])),
            return_to_go=_pushed(state.return_to_go, state.next_return),
            cost_to_go=_pushed(state.cost_to_go, state.next_cost),
        )
        chosen = self._mean(state).clamp(-1, 1)
        actions = torch.cat([state.actions[:, :, :-1], chosen.unsqueeze(2)], 2)
        return chosen, state._replace(actions=actions, steps=state.steps + 1)

    def observe(self, state: Memory, rewards: Tensor, costs: Tensor, done: Tensor) -> Memory:
        return state._replace(next_return=state.next_return - rewards, next_cost=state.next_cost - costs)

    def _mean(self, state: Memory) -> Float[Tensor, "replicas batch act"]:
        """The mean action at the latest step; the replicas of a seed are rows of one batch of its model."""
        method, K = self.method, self.method.config.history
        place = torch.arange(K, device=state.steps.device) - (K - 1)
        time = state.steps.unsqueeze(-1) + place
        last = method.problem.task.episode_length - 1
        steps = Steps(
            state.observations,
            state.actions,
            method.units.returns(state.return_to_go),
            method.units.costs(state.cost_to_go),
            time.clamp(0, last),
            time >= 0,
        )
        merged = Steps(*(by_seed(method.problem, x) for x in steps))
        mean = method.network.apply(method.model.theta, merged).mean[:, :, -1]
        return by_replica(method.problem, mean)


def _pushed(history: Float[Tensor, "replicas batch K ..."], latest: Float[Tensor, "replicas batch ..."]) -> Tensor:
    """The history without its first entry, and the latest as its last."""
    return torch.cat([history[:, :, 1:], latest.unsqueeze(2)], 2)


PAPER = CDTConfig(
    steps=100_000,
    batch_size=2048,
    history=10,
    width=128,
    heads=8,
    blocks=3,
    dropout=0.1,
    learning_rate=1e-4,
)
SMALL = {"steps": 100, "batch_size": 8, "history": 3, "width": 8, "heads": 2, "blocks": 1, "warm_up": 10}
SPEC = MethodSpec(
    title="CDT",
    paper="Liu et al. 2023 (CDT)",
    build=CDT,
    presets={"quick": CDTConfig(), "paper": PAPER},
    smoke=SMALL,
    brief={"steps": 2000},
)
B2R = {"relabel": "safe_region", "tokens": "action_from_return", "rotary": True, "history": 3}
SPEC_B2R = MethodSpec(
    title="B2R",
    paper="B2R 2025 (arXiv 2509.25727)",
    build=CDT,
    presets={"quick": replace(CDTConfig(), **B2R), "paper": replace(PAPER, **B2R, warm_up=5000)},
    smoke=SMALL,
    brief={"steps": 2000},
)
