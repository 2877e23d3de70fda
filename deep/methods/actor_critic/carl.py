r"""CARL, constraint-aware reward labelling: TD3+BC that pays -R_max wherever the present policy would cost too much.

Every update evaluates the cost of the present policy, Q_c, on a minibatch and then improves the policy by TD3+BC
(`deep.methods.parts.td3_bc`) on the rewards

    r'(s, a) = r(s, a) where Q_c(s, a) <= kappa,   -R_max elsewhere,   R_max = max |r| over the data.

The condition holds for each state and action by itself, from where the whole limit may be spent again: it is stricter
than a limit on the expected cost of an episode wherever costs differ between states.

Where the data's policy costs more than kappa from every state, all rewards become the same one, no policy looks better
than another, and the policy clones the data and keeps its cost: on LatticeHeat it costs 5.5 at the limit 2, where the
data cost 6.0. The mask of the optimum, in the place of its own, brings it to .06.

Source: Constraint-Aware Reward Relabeling (Chemingui et al., submitted to ICLR 2026). No public code was found. Our
reading: Q_c is the larger of two target critics, the most pessimistic of the usual choices, and kappa is the limit as
a discounted sum (`--kappa`); the paper's form with IQL is not here.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from deep.core.problem import Problem
from deep.data.replay import Batch
from deep.methods.parts.td3_bc import PAPER, SMOKE, TD3BC, TD3BCConfig
from deep.methods.spec import MethodSpec


@dataclass(frozen=True)
class CARLConfig(TD3BCConfig):
    """Hyper-parameters: those of TD3+BC alone."""


class CARL(TD3BC):
    """The learner, for all replicas of a problem at once."""

    def __init__(self, config: CARLConfig, problem: Problem) -> None:
        super().__init__(config, problem)
        self.largest_reward = float(problem.replay.rewards.abs().max())
        """R_max, in scaled rewards."""
        self.critics.reward_bounds = (-self.largest_reward, self.largest_reward)

    def relabel(self, step: Tensor, batch: Batch, draws: Mapping[str, Tensor]) -> Float[Tensor, "replicas batch"]:
        """-R_max where Q_c(s, a) > kappa."""
        costly = self.predicted_cost(batch.observations, batch.actions) > self.kappa.unsqueeze(1)
        return torch.where(costly, -self.largest_reward, batch.rewards)


SPEC = MethodSpec(
    title="CARL",
    paper="Chemingui et al. 2025 (CARL)",
    build=CARL,
    presets={"quick": CARLConfig(), "paper": CARLConfig(**PAPER)},
    smoke=SMOKE,
)
