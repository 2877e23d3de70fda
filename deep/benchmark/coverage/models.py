"""What learned dynamics say of a policy, and whether their rollouts stay near the data."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from deep.benchmark.coverage.distance import Near
from deep.core.method import Act
from deep.core.phase import BLOCK
from deep.core.problem import Problem
from deep.core.randomness import RandomInput, draw_block
from deep.ope.dynamics import DynamicsConfig
from deep.ope.model_rollouts import DynamicsEnsemble


def drawn(
    draws: Mapping[str, RandomInput], seeds: Sequence[int], name: str, steps: int, device: torch.device
) -> Iterator[dict[str, Tensor]]:
    """The draws of each of `steps` steps, a multiple of `BLOCK`."""
    for block in range(steps // BLOCK):
        together = draw_block(draws, seeds, name, block, BLOCK, device)
        yield from ({key: values[k] for key, values in together.items()} for k in range(BLOCK))


@dataclass(frozen=True)
class Models:
    """An ensemble that was trained with this noise."""

    noise: float
    ensemble: DynamicsEnsemble

    @classmethod
    def trained(cls, noise: float, steps: int, problem: Problem) -> "Models":
        ensemble = DynamicsEnsemble(DynamicsConfig(steps=steps, noise=noise), problem)
        for phase in ensemble.phases():
            for step, here in enumerate(drawn(phase.draws, phase.seeds, phase.name, steps, problem.device)):
                phase.update(torch.tensor(float(step), device=problem.device), here)
        return cls(noise, ensemble)

    def say(self, act: Act, near: Near) -> list[dict[str, Any]]:
        """For every replica's policy the held-out estimate of the cost of an episode with its interval, the OOD score,
        and the share of the states in the models' rollouts that are far from the data."""
        seen: list[Float[Tensor, "replicas n obs"]] = []

        def recorded(states: Tensor) -> Tensor:
            seen.append(states)
            return act(states)

        estimate = self.ensemble.estimate(recorded)
        states = torch.cat(seen, 1)
        return [
            {
                "noise": self.noise,
                "cost": float(estimate.cost[i]),
                "interval": (float(estimate.cost_low[i]), float(estimate.cost_high[i])),
                "ood_score": float(estimate.ood_score[i]),
                "share_far": float(near.far(states[i]).float().mean()),
            }
            for i in range(len(states))
        ]
