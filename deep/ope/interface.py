"""The common interface of off-policy estimators of a policy's cost: one unit and one kind of uncertainty."""

from typing import NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from scipy.special import ndtri, stdtrit
from torch import Tensor

from deep.core.method import Act, Policy

MIN_LENGTH_RATIO = 0.9
"""Predicted episodes shorter than this share of the data's mean length cast doubt on an estimate: an early terminal
keeps the cost low."""


class Estimate(NamedTuple):
    """Per replica an off-policy estimate of an episode of the policy, undiscounted, in the data's units."""

    cost: Float[Tensor, " replicas"]
    """Expected cost of an episode."""
    cost_std: Float[Tensor, " replicas"]
    """Its uncertainty: the population standard deviation over the estimator's members (or resamples), and in quadrature
    the deviation that all members share."""
    cost_low: Float[Tensor, " replicas"]
    cost_high: Float[Tensor, " replicas"]
    """The ends of a 95 % interval under the estimator's own assumption, which its module states."""
    reward: Float[Tensor, " replicas"]
    """Expected return."""
    length: Float[Tensor, " replicas"]
    """Expected number of steps."""
    ood_score: Float[Tensor, " replicas"]
    """How far the policy leaves the data; the estimator defines the unit."""


@runtime_checkable
class Estimator(Protocol):
    """Estimates for all replicas of a problem at once, from the data alone."""

    def estimate(self, act: Policy | Act) -> Estimate:
        """An episode of every replica's policy. Raises `InputError` where the estimator queries isolated states and the
        policy has a memory."""
        ...


def estimate_doubt(agrees: bool, length: float, min_length: float) -> str | None:
    """The reason to doubt an estimate, None without one: the data have "contradicted" the learned dynamics, or the
    predicted episode is "short"."""
    if not agrees:
        return "contradicted"
    return "short" if length < min_length else None


def prediction_interval(
    values: Float[Tensor, "replicas members"], largest: float, shared_std: Float[Tensor, " replicas"] | float = 0.0
) -> tuple[Tensor, Tensor, Float[Tensor, " replicas"], Float[Tensor, " replicas"]]:
    """Mean, population standard deviation, and the 95 % interval for one more member, within [0, largest].

    mean +- t_{.975, M-1} s sqrt(1 + 1/M) with the sample deviation s. In the mean, a member's impossible value, below 0
    or above the largest cost, is clamped, so that it cannot outweigh all others. The deviations are those of the
    values before clamping: two members that are wrong by different amounts disagree. The coverage is exact where the
    truth and the M members are drawn from one normal distribution; an error that all members share is not covered.
    `shared_std`, a standard deviation that is common to all members, is added in quadrature to theirs, and 1.96 of it
    to the half-width of their interval. With one member the interval is the whole range.
    """
    members = values.shape[1]
    mean, variance = values.clamp(0, largest).mean(1), values.var(1, correction=0)
    std = (variance + shared_std**2).sqrt()
    if members == 1:
        return mean, std, torch.zeros_like(mean), torch.full_like(mean, largest)
    own = float(stdtrit(members - 1, 0.975)) ** 2 * (members + 1) / (members - 1)
    half = (own * variance + (float(ndtri(0.975)) * shared_std) ** 2).sqrt()
    return mean, std, torch.clamp(mean - half, min=0), torch.clamp(mean + half, max=largest)
