"""Policies and what they attain: the parts that the three routes to the optimum and the certificate share."""

from typing import NamedTuple

import torch
from jaxtyping import Float64
from torch import Tensor

from theory.cmdp.shapes import Mask, PerCMDP, PerState, PerStateAction
from theory.cmdp.sparse import AnyCMDP


class Corner(NamedTuple):
    """A policy (batch, state, action) with its reward V_r(rho) and cost V_c(rho), both (batch,)."""

    policy: PerStateAction
    reward: PerCMDP
    cost: PerCMDP


def corner(cmdp: AnyCMDP, policy: PerStateAction) -> Corner:
    """The policy with its V_r(rho) and V_c(rho).

    Payoffs of states that the policy never reaches from rho are left out of the solve. In exact arithmetic they do not
    matter; in float64 a cost of 1e12 in such a state would add its rounding error to V_c(rho).
    """
    reached = cmdp.reachable(policy).to(torch.float64)
    payoffs = torch.stack([(policy * cmdp.r).sum(-1) * reached, (policy * cmdp.c).sum(-1) * reached], dim=-1)
    reward, cost = (cmdp.rho[..., None] * cmdp.solve(policy, payoffs)).sum(1).unbind(-1)
    return Corner(policy, reward, cost)


def visits(cmdp: AnyCMDP, policy: PerStateAction) -> PerStateAction:
    """The normalised state-action occupancy d(s) pi(a|s); exactly zero in states that the policy never reaches."""
    mass = cmdp.solve_adjoint(policy, cmdp.rho) * (1 - cmdp.gamma)[:, None] * cmdp.reachable(policy)
    return mass.unsqueeze(-1) * policy


def one_hot_argmax(Q: Float64[Tensor, "batch state action"]) -> PerStateAction:
    """The deterministic policy that takes the first action of largest Q in every state."""
    return torch.nn.functional.one_hot(Q.argmax(-1), Q.shape[-1]).to(Q.dtype)


def greedy_policy(cmdp: AnyCMDP, v: PerState, multiplier: PerCMDP, feasible: Mask) -> PerStateAction:
    """The best action against the dual value v: of r - lambda c + gamma P v, where infeasible of -c - gamma P v."""
    next_v = cmdp.gamma[:, None, None] * cmdp.next_value(v)
    lagrangian = cmdp.r - multiplier[:, None, None] * cmdp.c + next_v
    return one_hot_argmax(torch.where(feasible[:, None, None], lagrangian, -cmdp.c - next_v))


def policy_of(occupancy: PerStateAction, fallback: PerStateAction, least: float = 1e-13) -> PerStateAction:
    """The policy proportional to max(x, 0); that of `fallback` in states whose mass is at most `least`."""
    mass = occupancy.clamp(min=0)
    total = mass.sum(-1, keepdim=True)
    visited = total > least
    return torch.where(visited, mass / torch.where(visited, total, 1.0), fallback)


def positive(scale: PerCMDP) -> PerCMDP:
    """The scale, or 1 where it is zero (a CMDP without reward or without cost)."""
    return torch.where(scale > 0, scale, 1.0)


def budget_unit(cmdp: AnyCMDP) -> PerCMDP:
    """The unit in which a violation of the budget l is judged: min(|l|, c_max/(1-gamma)).

    A cost above the budget may be small beside the largest cost of the CMDP and large beside the budget, hence |l|.
    For l = 0 the least positive cost takes the place of |l|.
    """
    largest = positive(cmdp.c.amax((1, 2)) / (1 - cmdp.gamma))
    least = torch.where(cmdp.c > 0, cmdp.c, torch.inf).amin((1, 2))
    return torch.where(cmdp.budget != 0, cmdp.budget.abs(), least).minimum(largest)


def reward_unit(cmdp: AnyCMDP) -> PerCMDP:
    """The unit of a reward: the largest one. Where none is above 0, the least loss |r| > 0; 1 where all are 0.

    A loss of 1e12 that forbids an action says nothing about the size of what can be earned.
    """
    best = cmdp.r.amax((1, 2))
    least = torch.where(cmdp.r != 0, cmdp.r.abs(), torch.inf).amin((1, 2))
    return torch.where(best > 0, best, torch.where(torch.isinf(least), 1.0, least))
