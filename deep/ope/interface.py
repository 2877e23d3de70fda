"""What every estimator of a policy's cost answers, in one unit and with one kind of uncertainty."""

from typing import NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from scipy.stats import norm as normal
from scipy.stats import t as student
from torch import Tensor

from deep.core.method import Act, Policy


class Estimate(NamedTuple):
    """Per replica, in the data's own units: an episode of the policy, undiscounted, foretold from the data alone."""

    cost: Float[Tensor, " replicas"]
    """Expected cost of an episode."""
    cost_std: Float[Tensor, " replicas"]
    """How much the estimator's members (or resamples) differ in it: their population standard deviation, and what they
    have in common of uncertainty that the data show."""
    cost_low: Float[Tensor, " replicas"]
    cost_high: Float[Tensor, " replicas"]
    """The ends of a 95 % interval under the estimator's own assumption, which its module states."""
    reward: Float[Tensor, " replicas"]
    """Expected return."""
    length: Float[Tensor, " replicas"]
    """Expected number of steps."""
    ood_score: Float[Tensor, " replicas"]
    """How far the policy leaves what the estimator can know; what 1 means is the estimator's to say."""


@runtime_checkable
class Estimator(Protocol):
    """Estimates for all replicas of a problem at once; it has seen the data and nothing else."""

    def estimate(self, act: Policy | Act) -> Estimate:
        """An episode of every replica's policy. Raises `InputError` where the estimator queries isolated states and the
        policy has a memory."""
        ...


def prediction_interval(
    values: Float[Tensor, "replicas members"], largest: float, shared_std: Float[Tensor, " replicas"] | float = 0.0
) -> tuple[Tensor, Tensor, Float[Tensor, " replicas"], Float[Tensor, " replicas"]]:
    """Mean, population deviation, and the 95 % interval in which one more member would lie, within [0, largest].

    mean +- t_{.975, M-1} s sqrt(1 + 1/M) with the sample deviation s. Members that say what cannot be, less than 0 or
    more than the largest cost, are cut to it in the mean, lest one outweigh all others, and not in the deviations: two
    members that are wrong by different amounts do not agree. It covers the truth as often as it says where the
    truth differs from the M members as they do from each other, normally; it cannot see an error that all of them
    share. `further`, a deviation that is common to all members, is added in quadrature to theirs, and 1.96 of it to
    their interval. One member alone says nothing: the interval is then the whole range.
    """
    members = values.shape[1]
    mean, variance = values.clamp(0, largest).mean(1), values.var(1, correction=0)
    std = (variance + shared_std**2).sqrt()
    if members == 1:
        return mean, std, torch.zeros_like(mean), torch.full_like(mean, largest)
    own = float(student.ppf(0.975, members - 1)) ** 2 * (members + 1) / (members - 1)
    half = (own * variance + (float(normal.ppf(0.975)) * shared_std) ** 2).sqrt()
    return mean, std, torch.clamp(mean - half, min=0), torch.clamp(mean + half, max=largest)
