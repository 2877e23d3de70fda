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
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F

from deep.core.method import Inference, Method, Policy
from deep.core.phase import Phase
from deep.core.problem import Problem
from deep.core.randomness import RandomInput
from deep.core.validation import ABOVE_0, AT_LEAST_0, AT_LEAST_1, BELOW_1, check_ranges
from deep.data.sequences import Frontier, Sequences
from deep.methods.sequence.config import SequenceConfig
from deep.methods.sequence.memory import CDTPolicy
from deep.methods.sequence.relabelling import augmented, entries, safe_region
from deep.methods.sequence.tokens import (
    DecisionTransformer,
    Order,
    Steps,
    Units,
    gaussian_entropy,
    gaussian_log_density,
)
from deep.methods.spec import MethodSpec
from deep.nn.mlp import initial_parameters
from deep.nn.parameters import Adam, Parameters, gradient
from deep.nn.transformer import Transformer
from deep.tasks import within_limit
from theory.support.errors import InputError


@dataclass(frozen=True)
class CDTConfig(SequenceConfig):
    """Hyper-parameters of CDT and B2R."""

    history: int = 5
    """K, the steps that the policy sees, the present one included."""
    dropout: float = 0.0
    """Share dropped of embeddings, attention weights and both branches of a block, in training."""
    warm_up: int = 500
    """Steps in which the step size rises linearly from 0 to the largest, where it stays."""
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

    PER_LIMIT = ("return_targets",)
    """Not an option: the options that have a number for each cost limit."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_ranges(self, history=AT_LEAST_1, dropout=BELOW_1, warm_up=AT_LEAST_0, weight_decay=AT_LEAST_0)
        check_ranges(self, clip=ABOVE_0, temperature=ABOVE_0, temperature_rate=AT_LEAST_0)
        check_ranges(self, cost_weight=AT_LEAST_0, augmented_share=AT_LEAST_0)


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
        def mean(steps: Steps) -> Tensor:
            return self.network.apply(self.model.theta, steps).mean

        return {"": CDTPolicy(self.problem, mean, self.units, self.targets, self.config.history)}

    def exportable(self, replica: int) -> Inference:
        return Inference(None, (), "the mean, given the last steps and the return and cost to go")

    def report(self) -> dict[str, object]:
        return {"return_targets": self.targets[: len(self.problem.cost_limits)].tolist()}


def masked_mean(x: Float[Tensor, "n batch T"], valid: Bool[Tensor, "n batch T"]) -> Float[Tensor, " n"]:
    """The mean over the valid steps of each copy."""
    return (x * valid).sum((1, 2)) / valid.sum((1, 2))


QUICK = CDTConfig(steps=10_000, width=64)
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
    presets={"quick": QUICK, "paper": PAPER},
    smoke=SMALL,
    brief={"steps": 2000},
)
B2R = {"relabel": "safe_region", "tokens": "action_from_return", "rotary": True, "history": 3}
SPEC_B2R = MethodSpec(
    title="B2R",
    paper="B2R 2025 (arXiv 2509.25727)",
    build=CDT,
    presets={"quick": replace(QUICK, **B2R), "paper": replace(PAPER, **B2R, warm_up=5000)},
    smoke=SMALL,
    brief={"steps": 2000},
)
