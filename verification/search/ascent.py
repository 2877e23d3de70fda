"""Gradient ascent from many starts at once, through the linear solves of exact evaluation."""

import time
from collections.abc import Callable, Iterator

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from verification.search.space import Point, Size, point, starts

Objective = Callable[[Point], Float64[Tensor, " batch"]]
"""left/right of an inequality at every point; above 1 is a counterexample."""


SCREENED, ELITE = 64, 16
Parameters = dict[str, Tensor]


def screened(objective: Objective, size: Size, batch: int, seed: int, elite: Parameters | None) -> Parameters:
    """The best of `SCREENED` times as many starts: random ones and, from the second round on, mutants of the elite."""
    candidates = starts(size, SCREENED * batch, seed)
    if elite is not None:
        rng = np.random.default_rng(seed)
        for name, x in candidates.items():
            half = len(x) // 2
            parents = elite[name][torch.from_numpy(rng.integers(ELITE, size=half))]
            mutated = torch.from_numpy(rng.random(parents.shape) < 0.3)
            x[:half] = torch.where(mutated, parents + 2 * x[:half], parents)
    with torch.no_grad():
        ratio = objective(point(size, candidates)).nan_to_num(-torch.inf)
    best = ratio.topk(batch).indices
    return {name: x[best].clone().requires_grad_() for name, x in candidates.items()}


def ascend(
    objective: Objective, size: Size, seed: int, seconds: float, batch: int = 128, steps: int = 400, rate: float = 0.1
) -> Iterator[tuple[Float64[Tensor, " batch"], Parameters]]:
    """Rounds of Adam until the processor time is up, at least one: each point's best ratio, and its parameters."""
    elite: Parameters | None = None
    record = torch.full((ELITE,), -torch.inf, dtype=torch.float64)
    end, round_ = time.process_time() + seconds, 0
    while round_ == 0 or time.process_time() < end:
        parameters = screened(objective, size, batch, seed + 1000 * round_, elite)
        optimiser = torch.optim.Adam(parameters.values(), rate, maximize=True)
        best = torch.full((batch,), -torch.inf, dtype=torch.float64)
        kept = {name: x.detach().clone() for name, x in parameters.items()}
        for _ in range(steps):
            ratio = objective(point(size, parameters))
            better = ratio.detach() > best
            best = torch.where(better, ratio.detach(), best)
            for name, x in parameters.items():
                mask = better.reshape(-1, *[1] * (x.ndim - 1))
                kept[name] = torch.where(mask, x.detach(), kept[name])
            # log makes steps relative where ratios are small; below 1e-9 a ratio is not worth a direction.
            score = torch.where(ratio > 1e-9, ratio.clamp(min=1e-9).log(), ratio)
            gradients = torch.autograd.grad(torch.nan_to_num(score).sum(), list(parameters.values()), allow_unused=True)
            for x, gradient in zip(parameters.values(), gradients, strict=True):
                x.grad = None if gradient is None else torch.nan_to_num(gradient).clamp(-1e3, 1e3)
            optimiser.step()
            if time.process_time() > end + 10:
                break
        yield best, kept
        everyone = kept if elite is None else {name: torch.cat([elite[name], x]) for name, x in kept.items()}
        record, chosen = torch.cat([record, best] if elite is not None else [best]).topk(ELITE)
        elite = {name: x[chosen] for name, x in everyone.items()}
        round_ += 1
