r"""O3SRL: TD3+BC against an adversary that chooses the Lagrange multiplier among a few by online learning.

The problem max_pi min_{lambda in [0, lambda_max]} V_r - lambda (V_c - kappa) is played in rounds of M updates:

    1.  the adversary draws an arm k ~ p and plays lambda_k = lambda_max k / (K - 1), k = 0 ... K - 1;
    2.  the policy takes M steps of TD3+BC (`deep.methods.parts.td3_bc`) on r' = r - lambda_k (c - (1 - gamma) kappa),
        whose discounted sum is V_r - lambda_k (V_c - kappa);
    3.  EXP3: log w_k decreases by eta l_k / p_k for the arm k that was played, p = (1 - x) w / sum w + x / K.

The loss l_k of an arm is the part of the Lagrangian that the adversary can change, -lambda_k (V_c - kappa), put into
[0, 1]: l_k = (1 - (lambda_k / lambda_max) clip((V_c - kappa) / max(kappa, 1), -1, 1)) / 2. So arms of large multipliers
gain weight while the policy costs too much, and lose it otherwise. The last policy is the result.

Source: Chemingui et al. 2025 (O3SRL, NeurIPS), for K = 5, M = 10 and lambda_max = 5. Our reading: V_c is the mean over
the minibatch of the pessimistic cost critic of TD3+BC at the policy's own actions, where the paper avoids a separate
evaluation; eta = sqrt(2 log K / (K T)) for T rounds, and x = .1. The arms' weights move slowly: on LatticeHeat the cost
reached the limit 2 after about 3400 updates, where it started at 5.6.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import log, sqrt

import torch
from jaxtyping import Float
from torch import Tensor

from deep.core.problem import Problem
from deep.core.randomness import RandomInput
from deep.core.validation import ABOVE_0, AT_LEAST_1, SHARE, check_ranges
from deep.data.replay import Batch
from deep.methods.parts.td3_bc import PAPER, SMOKE, TD3BC, TD3BCConfig
from deep.methods.spec import MethodSpec
from theory.support.errors import InputError


@dataclass(frozen=True)
class O3SRLConfig(TD3BCConfig):
    """Hyper-parameters: those of TD3+BC, and the adversary's."""

    arms: int = 5
    """K, the multipliers that the adversary has."""
    largest_multiplier: float = 5.0
    """lambda_max, in scaled rewards per cost."""
    round_steps: int = 10
    """M, updates for each draw of a multiplier."""
    exploration: float = 0.1
    """x, the share of draws that are uniform over the arms."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_ranges(self, largest_multiplier=ABOVE_0, round_steps=AT_LEAST_1, exploration=SHARE)
        if self.arms < 2:
            raise InputError(f"--arms {self.arms}: accepted is a number of at least 2")


class O3SRL(TD3BC):
    """The learner, for all replicas of a problem at once."""

    def __init__(self, config: O3SRLConfig, problem: Problem) -> None:
        super().__init__(config, problem)
        self.adversary = config
        self.critics.reward_bounds = (-float("inf"), float("inf"))  # the rewards here depend on the multiplier
        self.multipliers = torch.linspace(0, config.largest_multiplier, config.arms, device=problem.device)
        """lambda_k, (arms,)."""
        self.log_weights = torch.zeros(len(problem.replicas), config.arms, device=problem.device)
        """log w_k, (replicas, arms); the largest one of a replica is 0."""
        self.arm = torch.zeros(len(problem.replicas), dtype=torch.int64, device=problem.device)
        """The arm of the present round."""
        rounds = max(1, (config.steps - config.regression_steps) // config.round_steps)
        self.rate = sqrt(2 * log(config.arms) / (config.arms * rounds))
        """eta."""

    def draws(self) -> dict[str, RandomInput]:
        return super().draws() | {"arm": RandomInput("uniform", (self.adversary.arms,))}

    def tensors(self) -> dict[str, Tensor]:
        return super().tensors() | {"adversary.log_weights": self.log_weights, "adversary.arm": self.arm}

    @property
    def probabilities(self) -> Float[Tensor, "replicas arms"]:
        """p."""
        x = self.adversary.exploration
        return (1 - x) * torch.softmax(self.log_weights, 1) + x / self.adversary.arms

    @property
    def multiplier(self) -> Float[Tensor, "replicas 1"]:
        """lambda of the present round."""
        return self.multipliers[self.arm].unsqueeze(1)

    def relabel(self, step: Tensor, batch: Batch, draws: Mapping[str, Tensor]) -> Float[Tensor, "replicas batch"]:
        """r - lambda (c - (1 - gamma) kappa), with a new lambda in the first step of every round."""
        learned = (step - self.config.regression_steps) / self.adversary.round_steps
        first = (learned >= 0) & (learned == learned.floor())
        self._play(first & (learned > 0), first, self._cost(batch), draws["arm"])
        threshold = (1 - self.problem.gamma) * self.kappa.unsqueeze(1)
        return batch.rewards - self.multiplier * (batch.costs - threshold)

    @torch.no_grad()
    def _cost(self, batch: Batch) -> Float[Tensor, " replicas"]:
        """V_c, the cost of the present policy from the minibatch's states."""
        return self.predicted_cost(batch.observations, self.act(batch.observations)).mean(1)

    @torch.no_grad()
    def _play(self, scored: Tensor, drawn: Tensor, cost: Tensor, uniforms: Float[Tensor, "replicas arms"]) -> None:
        """EXP3's update for the arm played so far where `scored`, and the draw of the next one where `drawn`."""
        p, played = self.probabilities, torch.nn.functional.one_hot(self.arm, self.adversary.arms)
        loss = self.losses(cost) * played / p
        weights = self.log_weights - scored * self.rate * loss
        self.log_weights.copy_(weights - weights.amax(1, keepdim=True))
        gumbel = -(-uniforms.clamp(1e-7, 1 - 1e-7).log()).log()  # argmax of log p + Gumbel noise is a draw from p
        self.arm.copy_(torch.where(drawn, (self.probabilities.log() + gumbel).argmax(1), self.arm))

    def losses(self, cost: Float[Tensor, " replicas"]) -> Float[Tensor, "replicas arms"]:
        """l_k of every arm where the policy costs this much."""
        excess = ((cost - self.kappa) / self.kappa.clamp(min=1)).clamp(-1, 1).unsqueeze(1)
        return (1 - self.multipliers / self.adversary.largest_multiplier * excess) / 2

    def report(self) -> dict[str, object]:
        mean = (self.probabilities * self.multipliers).sum(1)
        return super().report() | {"mean_multiplier": mean.tolist()}


SPEC = MethodSpec(
    title="O3SRL",
    paper="Chemingui et al. 2025 (O3SRL)",
    build=O3SRL,
    presets={"quick": O3SRLConfig(), "paper": O3SRLConfig(**PAPER)},
    smoke=SMOKE,
)
