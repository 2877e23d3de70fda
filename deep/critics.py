r"""Critics from data: implicit Q-learning for the reward, a pessimistic TD ensemble for the cost.

Losses are per replica. Values are discounted sums, V = E[sum_t gamma^t r_t], in the unit of the (scaled) reward or of
the cost; the conversions to an episode's undiscounted cost are at the end.

Shapes: `q` and `values` have (replica, member, batch); rewards, costs and `alive` have (replica, batch). `alive` is 0
where the transition ended in a terminal state and 1 elsewhere, time-outs included: those are bootstrapped.
"""

import torch
from jaxtyping import Float
from torch import Tensor


def expectile_loss(difference: Tensor, tau: float) -> Tensor:
    """|tau - 1(u < 0)| u^2, elementwise (Eq. 17). Its minimiser is the tau-expectile; the text says quantile."""
    return torch.where(difference < 0, 1 - tau, tau) * difference.square()


def iql_value_loss(
    q: Float[Tensor, "n members batch"], values: Float[Tensor, "n batch"], tau: float
) -> Float[Tensor, " n"]:
    """Eq. (17): the expectile regression of V on min(Q_1, Q_2)."""
    return expectile_loss(q.min(dim=1).values - values, tau).mean(dim=1)


def td_loss(q: Float[Tensor, "n members batch"], target: Float[Tensor, "n members batch"]) -> Float[Tensor, " n"]:
    """Eq. (18): the squared error to a fixed target, mean over the batch, sum over the members."""
    return (q - target).square().mean(dim=2).sum(dim=1)


def bellman_target(
    immediate: Float[Tensor, "n batch"],
    alive: Float[Tensor, "n batch"],
    following: Float[Tensor, "n members batch"],
    gamma: float,
    bounds: tuple[float, float] | None = None,
) -> Float[Tensor, "n members batch"]:
    """r + gamma alive V(s'), clamped to the range that is possible where `bounds` are known."""
    target = immediate.unsqueeze(1) + gamma * alive.unsqueeze(1) * following
    return target if bounds is None else target.clamp(*bounds)


def pessimism(
    q_policy: Float[Tensor, "n members batch"], q_data: Float[Tensor, "n members batch"], alpha: float
) -> Float[Tensor, " n"]:
    """The term to *add* to the cost critics' TD loss: -alpha (E_pi Q_c - E_data Q_c), summed over the members.

    It raises the cost of the policy's actions against those of the data. Eq. (19) prints r for c, minimises over the
    policy, and has no data term; its minimiser is then biased upwards everywhere, on the data by
    alpha / (2 (1 - gamma)): ten times a limit of 10 per 1000 steps at alpha = .2 and gamma = .99, so that no policy
    would ever count as safe.
    """
    return -alpha * (q_policy.mean(dim=2) - q_data.mean(dim=2)).sum(dim=1)


def upper_confidence(q: Float[Tensor, "n members batch"], k: float) -> Float[Tensor, "n batch"]:
    """Eq. (24): ensemble mean plus k population standard deviations."""
    return q.mean(dim=1) + k * q.std(dim=1, correction=0)


def episodic_to_discounted(limit: float, gamma: float, length: int, states: str) -> float:
    """The discounted value that corresponds to `limit` costs in an episode of `length` steps, at a constant cost rate.

    states = "data": states spread over endless episodes, kappa = limit / ((1 - gamma) length), as in appendix B.1.
    states = "start": start states of episodes cut at `length`, that times (1 - gamma^length).
    Early termination breaks both.
    """
    horizon = (1 - gamma**length) if states == "start" else 1.0
    return limit * horizon / ((1 - gamma) * length)
