"""Softmax natural policy gradient: the closed form, the explicit Fisher matrix, and the four metrics of projections.

A policy is stored as log-probabilities (batch, state, action); log pi and a softmax parameter theta differ by a
constant per state, which neither the policy nor any gradient sees.
"""

from collections.abc import Sequence
from enum import IntEnum

import torch
from jaxtyping import Float64
from torch import Tensor

from theory.cmdp.dense import FiniteCMDP
from theory.cmdp.shapes import Code, PerCMDP, PerState, PerStateAction
from theory.evaluation import Evaluation, evaluate

ROUNDING = 1e-13
"""An advantage that is at most this share of the values is their rounding error."""


class Metric(IntEnum):
    """Where the inner products of the reward and cost directions are taken (claim S2: the choice matters).

    FISHER: natural gradients, in the Fisher metric; EUCLIDEAN: policy gradients in theta; ADVANTAGE and Q_VECTOR: the
    vectors A(s, a) and Q(s, a) over all states and actions, unweighted.
    """

    FISHER = 0
    EUCLIDEAN = 1
    ADVANTAGE = 2
    Q_VECTOR = 3


def npg_step(log_policy: PerStateAction, direction: PerStateAction, eta: PerCMDP, gamma: PerCMDP) -> PerStateAction:
    """One natural-gradient ascent step in closed form: pi_{t+1}(a|s) = pi_t(a|s) exp(eta u(s, a) / (1-gamma)) / Z_t(s).

    `direction` u is x Q_r - y Q_c (advantages give the same policy); eta > 0 the step size.
    Source: DRCORL preprint, Eqs. (36), (37); a cost step needs the minus sign that its text leaves out.
    """
    step = (eta / (1 - gamma))[:, None, None]
    return torch.log_softmax(log_policy + step * direction, dim=-1)


def policy_gradient(values: Evaluation, policy: PerStateAction, A: PerStateAction, gamma: PerCMDP) -> PerStateAction:
    """Gradient of V(rho) in the softmax parameter: d(s) pi(a|s) A(s, a) / (1-gamma)."""
    return values.d[..., None] * policy * A / (1 - gamma)[:, None, None]


def fisher_matrix(weight: PerState, policy: PerStateAction) -> Float64[Tensor, "batch pair pair"]:
    """F = E_{s ~ weight, a ~ pi} [grad log pi (grad log pi)^T], block-diagonal over states, pair = (state, action).

    grad_theta(s) log pi(a|s) = e_a - pi(.|s), hence each block is weight(s) (diag pi - pi pi^T).
    """
    batch, states, actions = policy.shape
    blocks = torch.diag_embed(policy) - policy[..., :, None] * policy[..., None, :]
    F = torch.zeros(batch, states, actions, states, actions, dtype=policy.dtype, device=policy.device)
    index = torch.arange(states)
    F[:, index, :, index, :] = (weight[..., None, None] * blocks).transpose(0, 1)
    return F.reshape(batch, states * actions, states * actions)


def natural_gradient(
    cmdp: FiniteCMDP, policy: PerStateAction, gradient: PerStateAction, state_weights: str = "occupancy"
) -> PerStateAction:
    """The Moore-Penrose solution F^+ gradient, with F weighing states by d_rho^pi or, "rho", as printed.

    With "occupancy" it equals A / (1-gamma) up to a constant per visited state. With "rho", as the DRCORL preprint
    prints below Eq. (14), states where rho is zero never learn (claim N1).
    """
    weight = cmdp.rho if state_weights == "rho" else evaluate(cmdp, policy).d
    F = fisher_matrix(weight, policy)
    flat = gradient.reshape(cmdp.batch, -1, 1)
    return (torch.linalg.pinv(F, rtol=1e-12, hermitian=True) @ flat).reshape(gradient.shape)


def inner_products(
    values: Evaluation, policy: PerStateAction, gamma: PerCMDP, metric: Code
) -> tuple[PerCMDP, PerCMDP, PerCMDP]:
    """(rr, rc, cc): inner products of the ascent directions of reward and *minus* cost, per CMDP in its own `metric`.

    Fisher: E_{d, pi}[A A'] / (1-gamma)^2;  Euclidean: sum (d pi)^2 A A' / (1-gamma)^2;  else sum A A' or sum Q Q'.
    An advantage that is the rounding error of the values is 0: a gradient that vanishes has no direction.
    """
    visits = values.d[..., None] * policy
    scaled = visits / (1 - gamma)[:, None, None] ** 2
    code = metric[:, None, None]
    weight = torch.where(code == Metric.FISHER, scaled, torch.where(code == Metric.EUCLIDEAN, scaled * visits, 1.0))
    centred = code != Metric.Q_VECTOR
    good = torch.where(centred, _beyond_rounding(values.A_r, values.Q_r), values.Q_r)
    bad = torch.where(centred, _beyond_rounding(values.A_c, values.Q_c), values.Q_c)
    weighted = weight * good
    return (weighted * good).sum((1, 2)), -(weighted * bad).sum((1, 2)), (weight * bad * bad).sum((1, 2))


def _beyond_rounding(advantage: PerStateAction, q: PerStateAction) -> PerStateAction:
    """Advantages, 0 where they are less than `ROUNDING` times the CMDP's largest value, whose differences they are."""
    return torch.where(advantage.abs() > ROUNDING * q.abs().amax((1, 2), keepdim=True), advantage, 0.0)


def metric_codes(names: Sequence[str]) -> Code:
    """Codes of metrics given by name ("fisher", "euclidean", "advantage", "q_vector"), one per CMDP."""
    return torch.tensor([Metric[name.upper()] for name in names], dtype=torch.int64)
