"""The offline setting on finite CMDPs: behaviour policies, sampled data sets, and what the data cover.

Critics estimated from such data are in `theory.critics`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from theory.cmdp import FiniteCMDP
from theory.errors import InputError
from theory.evaluation import draw, occupancy
from theory.optimum import best_response
from theory.shapes import PerCMDP, PerState, PerStateAction


@dataclass(frozen=True, eq=False)
class Dataset:
    """N transitions of every CMDP: states, actions, next_states (batch, N) and their counts (batch, S, A, S)."""

    states: Int64[Tensor, "batch N"]
    actions: Int64[Tensor, "batch N"]
    next_states: Int64[Tensor, "batch N"]
    counts: Float64[Tensor, "batch state action state"]

    @property
    def pairs(self) -> PerStateAction:
        """How often each (s, a) occurs."""
        return self.counts.sum(-1)

    @property
    def size(self) -> int:
        return self.states.shape[1]


def behaviour_policy(cmdp: FiniteCMDP, expert: PerStateAction, randomness: float) -> PerStateAction:
    """pi_b = (1 - randomness) expert + randomness uniform; randomness > 0 covers every action."""
    return (1 - randomness) * expert + randomness * cmdp.uniform_policy()


def sample(cmdp: FiniteCMDP, behaviour: PerStateAction, size: int, seeds: Sequence[int]) -> Dataset:
    """Draw `size` independent transitions s ~ d^pi_b, a ~ pi_b, s' ~ P from each CMDP, one seed each.

    Rewards and costs are deterministic, hence known wherever (s, a) occurs. Raises InputError when the number of seeds
    is not the batch, or the size is not positive.
    """
    if len(seeds) != cmdp.batch or size < 1:
        raise InputError(
            f"a data set needs one seed per CMDP and a positive size, not {len(seeds)} seeds, size {size}."
        )
    d = occupancy(cmdp, behaviour)
    rows = []
    for i, seed in enumerate(seeds):
        generator = torch.Generator().manual_seed(seed)
        state = draw(d[i].expand(size, -1), generator)
        action = draw(behaviour[i][state], generator)
        rows.append((state, action, draw(cmdp.P[i][state, action], generator)))
    states, actions, next_states = (torch.stack(column) for column in zip(*rows, strict=True))
    return _counted(states, actions, next_states, cmdp.P.shape)


def bootstrap(dataset: Dataset, seed: int) -> Dataset:
    """Resample the transitions of every CMDP with replacement."""
    batch, size = dataset.states.shape
    chosen = torch.randint(size, (batch, size), generator=torch.Generator().manual_seed(seed))
    columns = [x.gather(1, chosen) for x in (dataset.states, dataset.actions, dataset.next_states)]
    return _counted(*columns, shape=dataset.counts.shape)


def _counted(
    states: Int64[Tensor, "batch N"], actions: Int64[Tensor, "batch N"], to: Int64[Tensor, "batch N"], shape: torch.Size
) -> Dataset:
    batch, S, A, _ = shape
    flat = (states * A + actions) * S + to
    counts = torch.zeros(batch, S * A * S, dtype=torch.float64)
    counts.scatter_add_(1, flat, torch.ones_like(flat, dtype=torch.float64))
    return Dataset(states, actions, to, counts.reshape(shape))


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
