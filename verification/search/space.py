"""The space that is searched: CMDPs, policies, step sizes and discounts as unconstrained parameters, many at once."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from theory.cmdp.dense import FiniteCMDP
from theory.cmdp.shapes import PerCMDP, PerStateAction


@dataclass(frozen=True)
class Size:
    """What one search varies: S, A, how many policies and free vectors, and the discount: fixed, or the range of the
    horizon 1/(1-gamma); `floor` is the least probability of an action."""

    states: int
    actions: int
    policies: int = 1
    extras: int = 0
    gamma: float | None = None
    horizons: tuple[float, float] = (1.5, 50.0)
    floor: float = 0.0


@dataclass(frozen=True, eq=False)
class Point:
    """A batch of points: a CMDP (its budget unused), policies, extra vectors over (s, a), the step size eta."""

    cmdp: FiniteCMDP
    policies: tuple[PerStateAction, ...]
    extras: tuple[PerStateAction, ...]
    eta: PerCMDP


def starts(size: Size, batch: int, seed: int) -> dict[str, Tensor]:
    """Random parameters, from blunt to deterministic."""
    rng = np.random.default_rng([seed, size.states, size.actions])
    S, A = size.states, size.actions
    shapes = {"P": (S, A, S), "r": (S, A), "c": (S, A), "rho": (S,), "gamma": (), "eta": ()}
    shapes |= {f"policy{i}": (S, A) for i in range(size.policies)} | {f"extra{i}": (S, A) for i in range(size.extras)}
    spread = rng.choice([0.5, 2.0, 4.0], size=batch)
    found = {
        name: torch.from_numpy(rng.normal(size=(batch, *shape)) * spread.reshape(-1, *[1] * len(shape)))
        for name, shape in shapes.items()
    }
    # Half of the starts have almost deterministic transitions: long memories are rare among the others.
    corner = torch.from_numpy(np.eye(S)[rng.integers(S, size=(batch, S, A))])
    found["P"][::2] += 20 * corner[::2]
    return found


def point(size: Size, parameters: dict[str, Tensor]) -> Point:
    """The points that the parameters mean: softmax rows, payoffs in [0, 1], eta from e^-7 to e^7 (1-gamma)^2."""
    low, high = (np.log(h) for h in size.horizons)
    if size.gamma is None:
        gamma = 1 - torch.exp(-(low + (high - low) * torch.sigmoid(parameters["gamma"])))
    else:
        gamma = torch.full_like(parameters["gamma"], size.gamma)
    rows = {name: torch.softmax(parameters[name], -1) for name in ("P", "rho")}
    payoffs = {name: torch.sigmoid(parameters[name]) for name in ("r", "c")}
    cmdp = FiniteCMDP(rows["P"], payoffs["r"], payoffs["c"], rows["rho"], gamma, 0.0)
    return Point(
        cmdp,
        tuple(floored(torch.softmax(parameters[f"policy{i}"], -1), size.floor) for i in range(size.policies)),
        tuple(torch.sigmoid(parameters[f"extra{i}"]) for i in range(size.extras)),
        torch.exp(7 * torch.tanh(parameters["eta"] / 7)) * (1 - gamma) ** 2,
    )


def floored(policy: PerStateAction, floor: float) -> PerStateAction:
    """Mixed with the uniform policy, so that no probability is below `floor`."""
    return (1 - policy.shape[-1] * floor) * policy + floor
