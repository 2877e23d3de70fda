r"""A DICE estimate: the stationary-distribution correction w(s, a) = d^pi(s, a) / d^D(s, a), then sums of w times cost.

d^pi is the policy's discounted occupancy. It is the only one that satisfies the Bellman flow equations, which for a
test function f read E_D[w (f(s, a) - gamma f(s', pi(s')))] = (1 - gamma) E[f(s_0, pi(s_0))]. Over all f = theta . phi
with E_D f^2 <= 1, and with the chi-square divergence as the regulariser,

    minimise over w >= 0    1/2 max_f (E_D[w (f - gamma f')] - (1 - gamma) E f_0)^2  +  lambda/2 E_D (w - 1)^2,

one weight for each transition of a sample. This is the saddle-point problem of minimax weight learning (Uehara, Huang,
Jiang 2020) and of DualDICE (Nachum et al. 2019) with a linear f and the additional constraint w >= 0: without it the
solution is that of linear fitted-Q evaluation. f' is 0 after a terminal, so that E_D w is the share of time before the
terminal. An episode of L steps then costs about L E_D[w c].
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float64
from torch import Tensor

from deep.core.method import Act, Policy
from deep.core.problem import Problem
from deep.ope.features import Featured, Features, Sample, fourier_features
from deep.ope.interface import Estimate, prediction_interval
from theory.support.errors import InputError


@dataclass(frozen=True)
class DiceConfig:
    """The DICE estimate."""

    gamma: float | None = None
    """Discount factor; None takes 1 - 1/L for episodes of L steps."""
    regularisation: float = 1e-4
    """lambda: larger keeps the weights nearer to 1, the data's own distribution."""
    members: int = 4
    """The trajectories are divided among this many members; each solves the problem on its own share."""
    transitions: int = 8000
    """Transitions of all members together."""
    features: int = 128
    """Random features of the test functions."""
    iterations: int = 30
    """Newton steps at most; the problem is piecewise quadratic and usually takes fewer."""


def occupancy_ratio(
    flow: Float64[Tensor, "replicas n D"], start: Float64[Tensor, "replicas D"], strength: float, iterations: int = 30
) -> Float64[Tensor, "replicas n"]:
    """The minimiser w >= 0 of 1/2 |mean_i w_i flow_i - start|^2 + strength/2 mean_i (w_i - 1)^2.

    By its dual, which is smooth, convex, and of D unknowns: w = max(0, 1 - flow . y / strength) where y, the residual
    of the flow equations, minimises |y|^2/2 + start . y + strength/2 mean_i w_i(y)^2. Newton's method with halved
    steps; a replica's path does not depend on the others'.
    """
    replicas, n, size = flow.shape
    y = torch.zeros(replicas, size, dtype=flow.dtype, device=flow.device)
    identity = torch.eye(size, dtype=flow.dtype, device=flow.device)
    halvings = 0.5 ** torch.arange(12, dtype=flow.dtype, device=flow.device)

    def weights(y: Tensor) -> Tensor:
        return torch.clamp(1 - torch.einsum("rnd,r...d->r...n", flow, y) / strength, min=0)

    for _ in range(iterations):
        w = weights(y)
        slope = y + start - torch.einsum("rn,rnd->rd", w, flow) / n
        active = flow * (w > 0).unsqueeze(2)
        curvature = identity + active.mT @ flow / (n * strength)
        step = torch.linalg.solve(curvature, -slope)
        tried = y.unsqueeze(1) + halvings.view(-1, 1) * step.unsqueeze(1)
        height = tried.square().sum(-1) / 2 + (tried * start.unsqueeze(1)).sum(-1)
        height = height + strength / 2 * weights(tried).square().mean(-1)
        y = tried[torch.arange(replicas, device=y.device), height.argmin(1)]
        if float(slope.abs().max()) < 1e-12:
            break
    return weights(y)


class Dice:
    """The estimator. Its OOD score: E_D[w^2] / (E_D w)^2, the sample size divided by the effective sample size."""

    def __init__(self, config: DiceConfig, problem: Problem, features: Features | None = None) -> None:
        self.config, self.problem = config, problem
        self.length = problem.task.expected_length
        self.gamma = 1 - 1 / self.length if config.gamma is None else config.gamma
        if not (0 <= self.gamma < 1 and config.regularisation > 0):
            raise InputError(
                f"DICE: gamma {self.gamma} and regularisation {config.regularisation}: accepted are a number from 0 to "
                f"below 1, and one above 0"
            )
        self.sample = Sample(problem, config.transitions)
        inputs = problem.replay.observations.shape[1] + problem.replay.actions.shape[1]
        self.features = features or fourier_features(inputs, config.features)
        member = torch.from_numpy(self.sample.trajectory % config.members)
        dealt = member.unique().tolist()  # fewer where there are fewer trajectories
        self.shares = [torch.nonzero(member == m).squeeze(1).to(problem.device) for m in dealt]

    def estimate(self, act: Policy | Act) -> Estimate:
        """L E_D[w c], each member by its own share of the trajectories."""
        phi = self.sample.features(act, self.features)
        estimates = [self._member(phi, share) for share in self.shares]
        values, ood_score = (torch.stack(parts, 1) for parts in zip(*estimates, strict=True))
        largest = self.problem.task.episode_length * self.problem.replay.costs.max().item()
        cost = prediction_interval(values[..., 0], largest)
        rest = (values[..., 1].mean(1), values[..., 2].mean(1), ood_score.mean(1))
        return Estimate(*(x.float() for x in (*cost, *rest)))

    def _member(self, phi: Featured, share: Tensor) -> tuple[Tensor, Tensor]:
        """Cost, return and length by one member, and its OOD score."""
        data = phi.data[share]
        flow = data - self.gamma * phi.onward[:, share]
        # E_D f^2 <= 1 is |theta| <= 1 in features that the data make orthonormal.
        second = data.mT @ data / len(data)
        values, vectors = torch.linalg.eigh(second)
        orthonormal = vectors / values.clamp(min=1e-8 * float(values.max())).sqrt()
        start = (1 - self.gamma) * phi.start @ orthonormal
        w = occupancy_ratio(flow @ orthonormal, start, self.config.regularisation, self.config.iterations)
        sums = self.length * torch.einsum("rn,nk->rk", w, self.sample.payoffs[share]) / len(share)
        return sums, w.square().mean(1) / w.mean(1).square().clamp(min=1e-12)
