"""One large CMDP with sparse transitions: the five operations of `FiniteCMDP`, by iterative solves.

Factorising I - gamma P_pi of a random sparse CMDP fills in; Krylov iterations need a few dozen products instead. Small
ones are factorised where these iterations stagnate.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from jaxtyping import Bool, Float64
from scipy.sparse.linalg import LinearOperator, bicgstab, splu
from torch import Tensor

from theory.cmdp.dense import FiniteCMDP, batched, check_values, set_field
from theory.cmdp.payoffs import Payoffs
from theory.cmdp.shapes import PerCMDP, PerState, PerStateAction
from theory.support.errors import InputError

RTOL = 1e-13
LARGEST_FACTORED = 2000
"""The most states of a CMDP whose system is factorised where Krylov iterations stagnate; 2000 fill in to 32 MB."""


@dataclass(frozen=True, init=False, eq=False)
class SparseCMDP(Payoffs):
    """A single CMDP, P a scipy sparse matrix (state * action, state); the other fields as in `FiniteCMDP`, batch 1.

    Raises InputError as `FiniteCMDP` does.
    """

    P: Any  # scipy.sparse.csr_array; scipy's types do not say so
    r: PerStateAction
    c: PerStateAction
    rho: PerState
    gamma: PerCMDP
    budget: PerCMDP

    def __init__(self, P: Any, r: Any, c: Any, rho: Any, gamma: Any, budget: Any) -> None:
        if not sp.issparse(P):
            raise InputError(f"P must be a scipy sparse matrix, not {type(P).__name__}.")
        if 0 in P.shape or P.shape[0] % P.shape[-1]:
            raise InputError(f"P must have shape (S A, S), not {P.shape}.")
        set_field(self, "P", sp.csr_array(P, dtype=np.float64))
        pairs, states = P.shape
        payoff = (states, pairs // states)
        for name, value, shape in (
            ("r", r, payoff),
            ("c", c, payoff),
            ("rho", rho, (states,)),
            ("gamma", gamma, ()),
            ("budget", budget, ()),
        ):
            set_field(self, name, batched(name, value, 1, shape))
        check_values(self, torch.from_numpy(self.P.data), torch.from_numpy(self.P.sum(1)))

    def next_value(self, v: PerState) -> PerStateAction:
        return torch.from_numpy(self.P @ v[0].numpy()).reshape(self.r.shape)

    def arrival(self, x: PerStateAction) -> PerState:
        return torch.from_numpy(self.P.T @ x.reshape(-1).numpy())[None]

    def solve(self, policy: PerStateAction, rhs: Float64[Tensor, "batch state k"]) -> Float64[Tensor, "batch state k"]:
        P_pi = self._transition_matrix(policy)
        columns = [self._refined(P_pi, column.numpy()) for column in rhs[0].mT.contiguous()]
        return torch.from_numpy(np.stack(columns, axis=-1))[None]

    def solve_adjoint(self, policy: PerStateAction, rhs: PerState) -> PerState:
        return torch.from_numpy(self._krylov(self._transition_matrix(policy).T.tocsr(), rhs[0].numpy()))[None]

    def reachable(self, policy: PerStateAction) -> Bool[Tensor, "batch state"]:
        """True for the states that the policy visits from rho with positive probability."""
        arrivals = self._transition_matrix(policy).T.tocsr()
        arrivals.data = (arrivals.data > 0).astype(np.float64)
        reached = self.rho[0].numpy() > 0
        while True:
            wider = reached | (arrivals @ reached.astype(np.float64) > 0)
            if (wider == reached).all():
                return torch.from_numpy(reached)[None]
            reached = wider

    def _transition_matrix(self, policy: PerStateAction) -> Any:
        """P_pi = Pi P, with Pi the (state, state * action) matrix of the policy."""
        pairs = self.states * self.actions
        used = np.flatnonzero(policy.reshape(-1).numpy())
        starts = np.searchsorted(used, np.arange(0, pairs + 1, self.actions))
        weights = sp.csr_array((policy.reshape(-1).numpy()[used], used, starts), shape=(self.states, pairs))
        return weights @ self.P

    def _refined(self, P_pi: Any, b: np.ndarray) -> np.ndarray:
        """One step of iterative refinement, as in `FiniteCMDP.solve`."""
        x = self._krylov(P_pi, b)
        long = x.astype(np.longdouble)
        residual = b - long + np.longdouble(self.gamma[0]) * (P_pi.astype(np.longdouble) @ long)
        return x + self._krylov(P_pi, residual.astype(np.float64), rtol=1e-6)

    def _krylov(self, P_pi: Any, b: np.ndarray, rtol: float = RTOL) -> np.ndarray:
        gamma = float(self.gamma[0])
        operator: Any = LinearOperator(P_pi.shape, matvec=lambda v: v - gamma * (P_pi @ v), dtype=np.float64)  # pyright: ignore[reportCallIssue]
        x, info = bicgstab(operator, b, rtol=rtol, maxiter=1000)
        if info == 0:
            return x
        # BiCGStab may stagnate above its target, as where payoffs of very different size meet gamma near 1.
        if self.states <= LARGEST_FACTORED:
            return splu(sp.csc_array(sp.eye_array(self.states) - gamma * P_pi)).solve(b)
        # Contraction always converges, in log(rtol) / log(gamma) steps.
        for _ in range(int(np.log(rtol) / np.log(max(gamma, 1e-3))) + 1):
            update = b + gamma * (P_pi @ x)
            if np.abs(update - x).max() <= rtol * np.abs(update).max():
                break
            x = update
        return x


def to_sparse(cmdp: FiniteCMDP, index: int = 0) -> SparseCMDP:
    """CMDP number `index` of a dense batch, as a sparse one."""
    one = cmdp.select(index)
    P = sp.csr_array(one.P[0].reshape(-1, cmdp.states).cpu().numpy())
    return SparseCMDP(P, one.r.cpu(), one.c.cpu(), one.rho.cpu(), one.gamma.cpu(), one.budget.cpu())


AnyCMDP = FiniteCMDP | SparseCMDP
