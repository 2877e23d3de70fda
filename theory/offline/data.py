"""The offline setting on finite CMDPs: behaviour policies, sampled data sets, and their coverage.

Critics estimated from such data are in `theory.offline.critics`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from theory.cmdp.dense import FiniteCMDP
from theory.cmdp.shapes import PerCMDP, PerState, PerStateAction, Transitions
from theory.evaluation import occupancy
from theory.optimum import best_response
from theory.support.errors import InputError, check_seeds


@dataclass(frozen=True, eq=False)
class Dataset:
    """The transitions of every CMDP by their counts (batch, S, A, S), all that tabular critics need."""

    counts: Transitions

    @property
    def pairs(self) -> PerStateAction:
        """n(s, a): how often each pair occurs."""
        return self.counts.sum(-1)


def behaviour_policy(cmdp: FiniteCMDP, expert: PerStateAction, randomness: float) -> PerStateAction:
    """pi_b = (1 - randomness) expert + randomness uniform; randomness > 0 covers every action."""
    return (1 - randomness) * expert + randomness * cmdp.uniform_policy()


def sample(cmdp: FiniteCMDP, behaviour: PerStateAction, sizes: Sequence[int], seeds: Sequence[int]) -> Dataset:
    """Draw N independent transitions s ~ d^pi_b, a ~ pi_b, s' ~ P from each CMDP: a multinomial count.

    Every CMDP has its own size and seed, and its data do not depend on the rest of the batch. Rewards and costs are
    deterministic, so one occurrence of (s, a) determines them.
    Raises InputError unless there is one positive size and one non-negative seed per CMDP.
    """
    if len(seeds) != cmdp.batch or len(sizes) != cmdp.batch or min(sizes) < 1:
        raise InputError(f"each of the {cmdp.batch} CMDPs needs a positive size and a seed, not {sizes} and {seeds}.")
    check_seeds(seeds)
    joint = occupancy(cmdp, behaviour)[..., None, None] * behaviour[..., None] * cmdp.P
    return Dataset(_multinomial(joint, sizes, [[seed, 0] for seed in seeds]))


def bootstrap(dataset: Dataset, seed: int) -> Dataset:
    """Resample the transitions of every CMDP with replacement, as many as there are."""
    sizes = [int(n) for n in dataset.counts.sum((1, 2, 3)).tolist()]
    return Dataset(_multinomial(dataset.counts, sizes, [[seed, n, 1] for n in sizes]))


def _multinomial(weights: Transitions, sizes: Sequence[int], seeds: Sequence[Sequence[int]]) -> Transitions:
    rows = []
    for weight, size, seed in zip(weights.reshape(len(weights), -1).numpy(), sizes, seeds, strict=True):
        rows.append(np.random.default_rng(seed).multinomial(size, weight / weight.sum()))
    return torch.from_numpy(np.stack(rows)).to(torch.float64).reshape(weights.shape)


def coverage(cmdp: FiniteCMDP, policy: PerStateAction, data_policy: PerStateAction) -> PerCMDP:
    """max_{s,a} d^pi(s, a) / d^mu(s, a) of one policy against the data's; infinite off the data's support."""
    target = occupancy(cmdp, policy)[..., None] * policy
    data = occupancy(cmdp, data_policy)[..., None] * data_policy
    return _largest_ratio(target, data)


def coverage_of_all(cmdp: FiniteCMDP, data_policy: PerStateAction) -> PerCMDP:
    """C_inf = max_{s,a} sup_pi d^pi(s, a) / d^mu(s, a), exactly (Safe-DQL, Assumption 2, over state-action functions).

    sup_pi d^pi(s, a) is an optimal control problem with payoff (1-gamma) at (s, a) alone; all of them are one batch.
    """
    pairs = cmdp.states * cmdp.actions
    payoff = torch.eye(pairs, dtype=torch.float64).reshape(pairs, cmdp.states, cmdp.actions)
    data = occupancy(cmdp, data_policy)[..., None] * data_policy
    reachable = torch.zeros_like(data)
    for i in range(cmdp.batch):
        copies = cmdp.select(torch.full((pairs,), i))
        _, v = best_response(copies, payoff)
        reachable[i] = ((1 - copies.gamma) * (copies.rho * v).sum(-1)).reshape(cmdp.states, cmdp.actions)
    return _largest_ratio(reachable, data)


def concentrability(cmdp: FiniteCMDP, data_policy: PerStateAction, horizon: int = 100) -> PerCMDP:
    """C of Chen and Jiang (2019), in Eq. (38) of the DRCORL preprint: max_{t, s, a} sup_pi Pr(s_t = s) / mu(s, a).

    t runs below the horizon; the supremum over all policies, changing with time too, is a backward induction from every
    target state, and the action at time t is then free.
    """
    data = occupancy(cmdp, data_policy)[..., None] * data_policy
    reach = torch.eye(cmdp.states, dtype=torch.float64).expand(cmdp.batch, -1, -1)
    best = torch.zeros_like(cmdp.rho)
    flat = cmdp.P.reshape(cmdp.batch, -1, cmdp.states)
    for _ in range(horizon):
        best = torch.maximum(best, (cmdp.rho[..., None] * reach).sum(1))
        reach = (flat @ reach).reshape(cmdp.batch, cmdp.states, cmdp.actions, cmdp.states).amax(2)
    return _largest_ratio(best[..., None].expand_as(data), data)


def behaviour_divergence(policy: PerStateAction, behaviour: PerStateAction, d: PerState) -> tuple[PerCMDP, PerCMDP]:
    """KL(pi || pi_b): its mean over d and its largest value over states (Eq. (1) of the DRCORL preprint)."""
    ratio = torch.special.xlogy(policy, policy) - torch.special.xlogy(policy, behaviour)
    kl = ratio.sum(-1)
    return (d * kl).sum(-1), kl.amax(-1)


def _largest_ratio(target: PerStateAction, data: PerStateAction) -> PerCMDP:
    """max target/data, 0/0 = 0."""
    ratio = torch.where(target > 1e-15, target / data, 0.0)
    return ratio.amax((1, 2))
