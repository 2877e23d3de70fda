"""The same algorithms written the plain way, one CMDP at a time in numpy: a second route to every number.

Slow on purpose and free of this package's batching, masks and shared solves; tests compare with it, and
`theory.speed` measures what the batching gains.
"""

import numpy as np


def evaluate(P: np.ndarray, payoff: np.ndarray, gamma: float, pi: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(V, Q) of one payoff."""
    P_pi = np.einsum("sa,sat->st", pi, P)
    V = np.linalg.solve(np.eye(len(P)) - gamma * P_pi, (pi * payoff).sum(1))
    return V, payoff + gamma * P @ V


def occupancy(P: np.ndarray, rho: np.ndarray, gamma: float, pi: np.ndarray) -> np.ndarray:
    P_pi = np.einsum("sa,sat->st", pi, P)
    return (1 - gamma) * np.linalg.solve((np.eye(len(P)) - gamma * P_pi).T, rho)


def manipulate(g_r: np.ndarray, g_c: np.ndarray) -> np.ndarray:
    """Eq. (12) of the DRCORL preprint on explicit vectors: average the gradients, or their projections in conflict."""
    inner = float(g_r @ g_c)
    if inner >= 0:
        return (g_r + g_c) / 2
    return (g_r - inner / (g_c @ g_c) * g_c + g_c - inner / (g_r @ g_r) * g_r) / 2


def run(
    parts: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, float, float],
    algorithm: str,
    eta: float,
    steps: int,
    h_plus: float = 0.0,
    h_minus: float = 0.0,
    dual_step: float = 0.01,
) -> np.ndarray:
    """The policy after `steps` iterations of "manipulation" (on advantage vectors), "crpo" or "primal_dual"."""
    P, r, c, rho, gamma, budget = parts
    pi, multiplier = np.full(r.shape, 1 / r.shape[1]), 0.0
    for _ in range(steps):
        V_r, Q_r = evaluate(P, r, gamma, pi)
        V_c, Q_c = evaluate(P, c, gamma, pi)
        cost = float(rho @ V_c)
        A_r, A_c = Q_r - V_r[:, None], Q_c - V_c[:, None]
        if algorithm == "primal_dual":
            multiplier = max(0.0, multiplier + dual_step * (cost - budget))
            u = A_r - multiplier * A_c
        elif algorithm == "crpo":
            u = A_r if cost <= budget + h_plus else -A_c
        elif cost <= budget - h_minus:
            u = A_r
        elif cost > budget + h_plus:
            u = -A_c
        else:
            u = manipulate(A_r.ravel(), -A_c.ravel()).reshape(r.shape)
        pi = pi * np.exp(eta * u / (1 - gamma))
        pi /= pi.sum(1, keepdims=True)
    return pi
