"""Twin critics that give the same values everywhere, and one update of a method's last phase."""

from typing import Any

import torch
from torch import Tensor

from deep.core.randomness import draw_block


def constant(critics: Any, *values: float) -> None:
    """Make the four critics constant: these discounted sums for Q_1^r, Q_2^r, Q_1^c, Q_2^c."""
    with torch.no_grad():
        for theta in (critics.q.theta, critics.q.ema):
            theta.zero_()
            theta.unflatten(1, (4, -1))[:, :, -1] = torch.tensor(values) / critics.unit


def draws_of(method: Any) -> dict[str, Tensor]:
    """The draws of the first step of the last phase."""
    phase = method.phases()[-1]
    blocks = draw_block(phase.draws, phase.seeds, phase.name, 0, 1, torch.device("cpu"))
    return {name: block[0] for name, block in blocks.items()}


def update(method: Any, step: float = 0.0) -> dict[str, Tensor]:
    """One update of the last phase, and its metrics."""
    return method.phases()[-1].update(torch.tensor(step), draws_of(method))


def gradient_of_update(method: Any, step: float = 0.0) -> Tensor:
    """The gradient that the update gives to the policy's optimiser."""
    seen = []
    step_down = method.actor.adam_step
    method.actor.adam_step = lambda gradient, *rest: seen.append(gradient.clone()) or step_down(gradient, *rest)
    update(method, step)
    return seen[0]
