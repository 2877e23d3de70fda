"""Exact policy evaluation: values, Q-functions, advantages and discounted occupancies by batched linear solves."""

from dataclasses import dataclass

import torch

from theory.cmdp.dense import FiniteCMDP
from theory.cmdp.shapes import PerCMDP, PerState, PerStateAction
from theory.cmdp.sparse import AnyCMDP
from theory.support.errors import InputError


@dataclass(frozen=True, eq=False)
class Evaluation:
    """All values of a policy; unnormalised sums of gamma^t times reward or cost.

    V_r, V_c (batch, state); Q_r, Q_c (batch, state, action); d (batch, state), the discounted occupancy, which sums to
    1; J_r = V_r(rho) and J_c = V_c(rho), (batch,).
    """

    V_r: PerState
    V_c: PerState
    Q_r: PerStateAction
    Q_c: PerStateAction
    d: PerState
    J_r: PerCMDP
    J_c: PerCMDP

    @property
    def A_r(self) -> PerStateAction:
        """Advantage Q_r(s, a) - V_r(s)."""
        return self.Q_r - self.V_r.unsqueeze(-1)

    @property
    def A_c(self) -> PerStateAction:
        """Advantage Q_c(s, a) - V_c(s); positive means costlier than the policy."""
        return self.Q_c - self.V_c.unsqueeze(-1)


def evaluate(cmdp: AnyCMDP, policy: PerStateAction) -> Evaluation:
    """Evaluate a policy exactly.

    V = (I - gamma P_pi)^{-1} r_pi,  Q = r + gamma P V,  d = (1 - gamma) (I - gamma P_pi^T)^{-1} rho; the cost alike.

    `policy` is (batch, state, action); rows sum to 1. Raises InputError when it does not have this shape.
    Source: DRCORL preprint, section 2 (V, Q) and below Eq. (29) (d).
    """
    if policy.shape != cmdp.r.shape:
        raise InputError(f"policy must have shape {tuple(cmdp.r.shape)}, not {tuple(policy.shape)}.")
    immediate = torch.stack([(policy * cmdp.r).sum(-1), (policy * cmdp.c).sum(-1)], dim=-1)
    if isinstance(cmdp, FiniteCMDP):  # one factorisation serves the values and the occupancy
        lu, pivots = torch.linalg.lu_factor(cmdp.resolvent_inverse(policy))
        V = torch.linalg.lu_solve(lu, pivots, immediate)
        mass = torch.linalg.lu_solve(lu, pivots, cmdp.rho.unsqueeze(-1), adjoint=True).squeeze(-1)
        flat = cmdp.P.reshape(cmdp.batch, -1, cmdp.states)
        next_r, next_c = (flat @ V).reshape(*cmdp.r.shape, 2).unbind(-1)
    else:
        V, mass = cmdp.solve(policy, immediate), cmdp.solve_adjoint(policy, cmdp.rho)
        next_r, next_c = cmdp.next_value(V[..., 0]), cmdp.next_value(V[..., 1])
    V_r, V_c = V.unbind(-1)
    gamma = cmdp.gamma[:, None, None]
    return Evaluation(
        V_r=V_r,
        V_c=V_c,
        Q_r=cmdp.r + gamma * next_r,
        Q_c=cmdp.c + gamma * next_c,
        d=(1 - cmdp.gamma[:, None]) * mass,
        J_r=(cmdp.rho * V_r).sum(-1),
        J_c=(cmdp.rho * V_c).sum(-1),
    )


def occupancy(cmdp: AnyCMDP, policy: PerStateAction) -> PerState:
    """d(s) = (1 - gamma) sum_t gamma^t Pr(s_t = s); sums to 1 over states (DRCORL preprint, below Eq. (29))."""
    return (1 - cmdp.gamma[:, None]) * cmdp.solve_adjoint(policy, cmdp.rho)


def bellman_residual(cmdp: AnyCMDP, policy: PerStateAction, Q: PerStateAction, payoff: PerStateAction) -> PerCMDP:
    """max_{s,a} |payoff + gamma P (pi Q) - Q|: zero exactly at the policy's own Q.

    This is the evaluation operator E_{a' ~ pi}; Eq. (35) of the DRCORL preprint prints a maximum over a' instead.
    """
    backup = payoff + cmdp.gamma[:, None, None] * cmdp.next_value((policy * Q).sum(-1))
    return (backup - Q).abs().amax((1, 2))
