"""Batches of finite constrained Markov decision processes, the input of everything in `theory`.

    maximise V_r^pi(rho)   subject to   V_c^pi(rho) <= budget,        V(rho) = E sum_t gamma^t (r or c)(s_t, a_t)

Values are unnormalised discounted sums. Algorithms use five operations of a CMDP only (`next_value`, `arrival`,
`solve`, `solve_adjoint`, `reachable`), so that `FiniteCMDP` (dense, batched) and `SparseCMDP` (one large CMDP) are
interchangeable.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float64
from torch import Tensor

from theory.cmdp.payoffs import Payoffs
from theory.cmdp.shapes import PerCMDP, PerState, PerStateAction, Transitions
from theory.support.errors import InputError


@dataclass(frozen=True, init=False, eq=False)
class FiniteCMDP(Payoffs):
    """A batch of dense finite CMDPs in float64.

    Takes numpy arrays, torch tensors or nested lists; the leading batch axis may be left out for a single CMDP, and
    `gamma` and `budget` may be scalars. Shapes: P (batch, state, action, state), r and c (batch, state, action),
    rho (batch, state), gamma and budget (batch,).

    Raises InputError: a shape that does not fit, a NaN or infinity, rows of P or rho that are negative or do not sum
    to 1 (within 1e-9), gamma outside [0, 1), a negative cost.
    """

    P: Transitions
    r: PerStateAction
    c: PerStateAction
    rho: PerState
    gamma: PerCMDP
    budget: PerCMDP

    def __init__(self, P: Any, r: Any, c: Any, rho: Any, gamma: Any, budget: Any) -> None:
        P = _tensor("P", P)
        if P.ndim not in (3, 4) or P.shape[-1] != P.shape[-3] or 0 in P.shape:
            raise InputError(f"P must have shape (batch, S, A, S) or (S, A, S), not {tuple(P.shape)}.")
        P = P if P.ndim == 4 else P[None]
        batch, states, actions, _ = P.shape
        set_field(self, "P", P)
        for name, value, shape in (
            ("r", r, (states, actions)),
            ("c", c, (states, actions)),
            ("rho", rho, (states,)),
            ("gamma", gamma, ()),
            ("budget", budget, ()),
        ):
            set_field(self, name, batched(name, value, batch, shape, P.device))
        check_values(self, self.P, self.P.sum(-1))

    def uniform_policy(self) -> PerStateAction:
        return torch.full_like(self.r, 1 / self.actions)

    def select(self, index: Any) -> "FiniteCMDP":
        """The sub-batch given by an integer, slice, mask or index tensor."""
        index = slice(index, index + 1) if isinstance(index, int) else index
        return FiniteCMDP(*(x[index] for x in (self.P, self.r, self.c, self.rho, self.gamma, self.budget)))

    def to(self, device: str | torch.device) -> "FiniteCMDP":
        return FiniteCMDP(*(x.to(device) for x in (self.P, self.r, self.c, self.rho, self.gamma, self.budget)))

    def next_value(self, v: PerState) -> PerStateAction:
        """(P v)(s, a) = E[v(s') | s, a]."""
        flat = self.P.reshape(self.batch, -1, self.states)
        return (flat @ v.unsqueeze(-1)).reshape(self.r.shape)

    def arrival(self, x: PerStateAction) -> PerState:
        """(P^T x)(s') = sum_{s,a} x(s, a) P(s' | s, a)."""
        flat = self.P.reshape(self.batch, -1, self.states)
        return (x.reshape(self.batch, 1, -1) @ flat).squeeze(1)

    def solve(self, policy: PerStateAction, rhs: Float64[Tensor, "batch state k"]) -> Float64[Tensor, "batch state k"]:
        """(I - gamma P_pi)^{-1} rhs.

        Elimination alone errs by eps/(1-gamma), which is enough to hide an action's advantage; one step of iterative
        refinement with a residual in extended precision leaves about eps.
        """
        lu, pivots = torch.linalg.lu_factor(self.resolvent_inverse(policy))
        v = torch.linalg.lu_solve(lu, pivots, rhs)
        P_pi = self.transition_matrix(policy)
        gamma, P_long, v_long, long_rhs = (
            x.detach().cpu().numpy().astype(np.longdouble) for x in (self.gamma[:, None, None], P_pi, v, rhs)
        )
        residual = long_rhs - v_long + gamma * (P_long @ v_long)
        return v + torch.linalg.lu_solve(lu, pivots, torch.from_numpy(residual.astype(np.float64)).to(v.device))

    def solve_adjoint(self, policy: PerStateAction, rhs: PerState) -> PerState:
        """(I - gamma P_pi^T)^{-1} rhs."""
        return torch.linalg.solve(self.resolvent_inverse(policy).mT, rhs.unsqueeze(-1)).squeeze(-1)

    def reachable(self, policy: PerStateAction) -> Bool[Tensor, "batch state"]:
        """True for the states that the policy visits from rho with positive probability."""
        edges = (self.transition_matrix(policy) > 0).to(torch.float64)
        reached = self.rho > 0
        while True:
            wider = reached | ((reached.to(torch.float64).unsqueeze(1) @ edges).squeeze(1) > 0)
            if torch.equal(wider, reached):
                return reached
            reached = wider

    def resolvent_inverse(self, policy: PerStateAction) -> Float64[Tensor, "batch state state"]:
        """I - gamma P_pi."""
        identity = torch.eye(self.states, dtype=self.P.dtype, device=self.P.device)
        return identity - self.gamma[:, None, None] * self.transition_matrix(policy)

    def transition_matrix(self, policy: PerStateAction) -> Float64[Tensor, "batch state state"]:
        """P_pi(s, s') = sum_a pi(a|s) P(s' | s, a)."""
        return (policy.unsqueeze(-1) * self.P).sum(2)


def concatenate(cmdps: Sequence[FiniteCMDP]) -> FiniteCMDP:
    """One batch out of several with the same S and A (InputError otherwise)."""
    if len({(cmdp.states, cmdp.actions) for cmdp in cmdps}) != 1:
        raise InputError("only CMDPs with the same numbers of states and actions can share a batch.")
    fields = ("P", "r", "c", "rho", "gamma", "budget")
    return FiniteCMDP(*(torch.cat([getattr(cmdp, name) for cmdp in cmdps]) for name in fields))


def check_values(cmdp: Any, P: Float64[Tensor, "..."], row_sums: Float64[Tensor, "..."]) -> None:
    """Raise the InputErrors that `FiniteCMDP` lists; P holds the stored transition probabilities."""
    for name, value in (("P", P), *((name, getattr(cmdp, name)) for name in ("r", "c", "rho", "gamma", "budget"))):
        if not bool(torch.isfinite(value).all()):
            raise InputError(f"{name} contains a NaN or an infinity; every entry must be finite.")
    for name, rows, sums in (("P", P, row_sums), ("rho", cmdp.rho, cmdp.rho.sum(-1))):
        if bool((rows < 0).any()):
            raise InputError(f"{name} contains the negative probability {float(rows.min()):g}.")
        worst = float((sums - 1).abs().max())
        if worst > 1e-9:
            raise InputError(f"the rows of {name} must sum to 1; one is off by {worst:.3g}.")
    outside = cmdp.gamma[(cmdp.gamma < 0) | (cmdp.gamma >= 1)]
    if len(outside):
        raise InputError(f"gamma must lie in [0, 1), not {float(outside[0]):g}.")
    if bool((cmdp.c < 0).any()):
        raise InputError(f"c must be non-negative; its smallest entry is {float(cmdp.c.min()):g}.")


def _tensor(name: str, value: Any) -> Float64[Tensor, "..."]:
    try:
        return torch.as_tensor(value, dtype=torch.float64)
    except (TypeError, ValueError, RuntimeError):
        raise InputError(f"{name} must be an array of real numbers, not {type(value).__name__}.") from None
    except OverflowError:
        raise InputError(f"{name} contains a whole number beyond float64; every entry must be finite.") from None


def batched(
    name: str, value: Any, batch: int, shape: tuple[int, ...], device: torch.device | str = "cpu"
) -> Float64[Tensor, "..."]:
    """The value as a float64 tensor (batch, *shape), the same for every CMDP where it has no batch axis."""
    tensor = _tensor(name, value).to(device)
    if tuple(tensor.shape) == shape:
        tensor = tensor.expand(batch, *shape)
    if tuple(tensor.shape) != (batch, *shape):
        raise InputError(f"{name} must have shape {(batch, *shape)} or {shape}, not {tuple(tensor.shape)}.")
    return tensor.contiguous()


def set_field(instance: object, name: str, value: object) -> None:
    """Assign a field of a frozen dataclass while it is made."""
    object.__setattr__(instance, name, value)
