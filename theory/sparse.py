"""One large CMDP with sparse transitions: the five operations of `FiniteCMDP`, by iterative solves.

Factorising I - gamma P_pi of a random sparse CMDP fills in; Krylov iterations need a few dozen products instead.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from jaxtyping import Float64
from scipy.sparse.linalg import LinearOperator, bicgstab
from torch import Tensor

from theory.cmdp import FiniteCMDP
from theory.errors import InputError
from theory.shapes import PerCMDP, PerState, PerStateAction

RTOL = 1e-13


@dataclass(frozen=True, eq=False)
class SparseCMDP:
    """A single CMDP, P stored as a (state * action, state) CSR matrix; the other fields as in `FiniteCMDP`, batch 1.

    Raises InputError for rows of P that are negative or do not sum to 1 (within 1e-9), NaNs, gamma outside [0, 1) and
    negative costs.
    """

    P: Any  # scipy.sparse.csr_array; scipy's types do not say so
    r: PerStateAction
    c: PerStateAction
    rho: PerState
    gamma: PerCMDP
    budget: PerCMDP

    def __post_init__(self) -> None:
        if self.P.shape != (self.r[0].numel(), self.states):
            raise InputError(f"sparse P must have shape {(self.r[0].numel(), self.states)}, not {self.P.shape}.")
        worst = float(np.abs(self.P.sum(1) - 1).max())
        if not worst <= 1e-9 or float(self.P.data.min()) < 0:
            raise InputError(f"the rows of P must be probabilities that sum to 1; one is off by {worst:.3g}.")
        if not bool(((self.gamma >= 0) & (self.gamma < 1)).all()):
            raise InputError(f"gamma must lie in [0, 1), not {float(self.gamma.max()):g}.")
        if not bool((self.c >= 0).all()) or not bool(torch.isfinite(self.r).all()):
            raise InputError("c must be non-negative and r finite, without NaNs.")

    @property
    def batch(self) -> int:
        return 1

    @property
    def states(self) -> int:
        return self.r.shape[1]

    @property
    def actions(self) -> int:
        return self.r.shape[2]

    @property
    def bound(self) -> PerCMDP:
        return torch.maximum(self.r.abs().amax((1, 2)), self.c.amax((1, 2)))

    @property
    def solve_tolerance(self) -> float:
        return RTOL

    def with_budget(self, budget: Any) -> "SparseCMDP":
        budget = torch.as_tensor(budget, dtype=torch.float64).reshape(1)
        return SparseCMDP(self.P, self.r, self.c, self.rho, self.gamma, budget)

    def next_value(self, v: PerState) -> PerStateAction:
        return torch.from_numpy(self.P @ v[0].numpy()).reshape(self.r.shape)

    def arrival(self, x: PerStateAction) -> PerState:
        return torch.from_numpy(self.P.T @ x.reshape(-1).numpy())[None]

    def solve(self, policy: PerStateAction, rhs: Float64[Tensor, "batch state k"]) -> Float64[Tensor, "batch state k"]:
        P_pi = self._transition_matrix(policy)
        columns = [self._krylov(P_pi, column.numpy()) for column in rhs[0].mT.contiguous()]
        return torch.from_numpy(np.stack(columns, axis=-1))[None]

    def solve_adjoint(self, policy: PerStateAction, rhs: PerState) -> PerState:
        return torch.from_numpy(self._krylov(self._transition_matrix(policy).T.tocsr(), rhs[0].numpy()))[None]

    def _transition_matrix(self, policy: PerStateAction) -> Any:
        """P_pi = Pi P, with Pi the (state, state * action) matrix of the policy."""
        pairs = self.states * self.actions
        used = np.flatnonzero(policy.reshape(-1).numpy())
        starts = np.searchsorted(used, np.arange(0, pairs + 1, self.actions))
        weights = sp.csr_array((policy.reshape(-1).numpy()[used], used, starts), shape=(self.states, pairs))
        return weights @ self.P

    def _krylov(self, P_pi: Any, b: np.ndarray) -> np.ndarray:
        gamma = float(self.gamma[0])
        operator: Any = LinearOperator(P_pi.shape, matvec=lambda v: v - gamma * (P_pi @ v), dtype=np.float64)  # pyright: ignore[reportCallIssue]
        x, info = bicgstab(operator, b, rtol=RTOL, maxiter=1000)
        if info == 0:
            return x
        # Contraction always converges; BiCGStab may stagnate a digit above its target.
        for _ in range(int(np.log(RTOL) / np.log(max(gamma, 1e-3))) + 1):
            update = b + gamma * (P_pi @ x)
            if np.abs(update - x).max() <= RTOL * np.abs(update).max():
                break
            x = update
        return x


def to_sparse(cmdp: FiniteCMDP, index: int = 0) -> SparseCMDP:
    """CMDP number `index` of a dense batch, as a sparse one."""
    one = cmdp.select(index)
    P = sp.csr_array(one.P[0].reshape(-1, cmdp.states).cpu().numpy())
    return SparseCMDP(P, one.r.cpu(), one.c.cpu(), one.rho.cpu(), one.gamma.cpu(), one.budget.cpu())


AnyCMDP = FiniteCMDP | SparseCMDP
