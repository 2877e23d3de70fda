"""The named hard instances and counterexamples: small CMDPs on which a printed statement fails."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from theory.cmdp.dense import FiniteCMDP
from theory.cmdp.shapes import PerStateAction
from theory.support.errors import InputError


@dataclass(frozen=True, eq=False)
class Instance:
    """A CMDP with a starting (or learned) policy, a second policy to compare it with, and what it shows."""

    cmdp: FiniteCMDP
    policy: PerStateAction
    other: PerStateAction
    shows: str


def one_state(
    r: Sequence[float | int], c: Sequence[float | int], budget: float | int, gamma: float = 0.5
) -> FiniteCMDP:
    """A bandit: one state that every action returns to."""
    return FiniteCMDP([[[1.0]] * len(r)], [r], [c], [1.0], gamma, budget)


def _policy(*rows: Sequence[float | int]) -> Tensor:
    return torch.tensor([rows], dtype=torch.float64)


def printed_weights() -> Instance:
    cmdp = one_state([1, 0, 0], [0, 1, 0.5], budget=0.9)
    shows = "Theorem 3.1 with the weights of Eq. (46): the gap stays at 1.275, for the safe set has no weight"
    return Instance(cmdp, cmdp.uniform_policy(), _policy([1, 0, 0]), shows)


def stall() -> Instance:
    cmdp = one_state([0, 1], [0, 1], budget=1.25)
    shows = "fixed h+ = h- = 1/2: opposite gradients cancel inside the band, and the gap stays at 1/4"
    return Instance(cmdp, cmdp.uniform_policy(), _policy([0.375, 0.625]), shows)


def aligned_sign() -> Instance:
    cmdp = one_state([0, 1, 0.5], [1, 1, 0], budget=1.5)
    shows = "Eq. (42) with the sign of its cost term as printed, h- >= 0.4, eta = 1/1000"
    return Instance(cmdp, _policy([0.45, 0.1, 0.45]), _policy([0, 0.75, 0.25]), shows)


def fisher_by_rho() -> Instance:
    P = torch.zeros(2, 2, 2, dtype=torch.float64)
    P[:, :, 1] = 1
    cmdp = FiniteCMDP(P, [[0, 0], [1, 0]], torch.zeros(2, 2), [1, 0], 0.5, 1)
    shows = "Eq. (14) with the Fisher matrix weighted by rho: the only choice, at s1, is never learned"
    return Instance(cmdp, cmdp.uniform_policy(), _policy([0.5, 0.5], [1, 0]), shows)


def absolute_value() -> Instance:
    cmdp = one_state([0, 0], [0, 1], budget=2)
    shows = "Eqs. (31), (32) without the absolute value of the advantage; policy learned, other behaviour"
    return Instance(cmdp, _policy([0.25, 0.75]), _policy([0.75, 0.25]), shows)


def episodic_cost() -> Instance:
    P = torch.zeros(2, 2, 2, dtype=torch.float64)
    P[:, :, 1] = 1
    cmdp = FiniteCMDP(P, torch.zeros(2, 2), [[1, 1], [0, 0]], [1, 0], 0.5, 1)
    shows = "appendix B.1's episodic cost (1-gamma) L V_c: L = 4 gives 2, the episode costs 1"
    return Instance(cmdp, cmdp.uniform_policy(), cmdp.uniform_policy(), shows)


def log_ratio() -> Instance:
    cmdp = one_state([0, 0], [0, 1], budget=2)
    shows = "Eqs. (27), (28): both KL divergences are small where the largest log-ratio is not"
    return Instance(cmdp, _policy([0.99, 0.01]), _policy([0.98, 0.02]), shows)


INSTANCES = {
    f.__name__: f
    for f in (printed_weights, stall, aligned_sign, fisher_by_rho, absolute_value, episodic_cost, log_ratio)
}


def named(name: str) -> Instance:
    """The instance of that name (InputError for an unknown one)."""
    if name not in INSTANCES:
        raise InputError(f"instance must be one of {', '.join(INSTANCES)}, not {name!r}.")
    return INSTANCES[name]()
