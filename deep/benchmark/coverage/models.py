"""What learned dynamics say of a policy, and whether their rollouts stay near the data."""

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from deep.benchmark.coverage.distance import Near
from deep.core.method import Act
from deep.core.phase import BLOCK
from deep.core.problem import Problem
from deep.core.randomness import draw_block
from deep.ope.dynamics import DynamicsConfig
from deep.ope.model_rollouts import DynamicsEnsemble


@dataclass(frozen=True)
class Models:
    """An ensemble that was trained with this noise."""

    noise: float
    ensemble: DynamicsEnsemble

    @classmethod
    def trained(cls, noise: float, steps: int, problem: Problem) -> "Models":
        ensemble = DynamicsEnsemble(DynamicsConfig(steps=steps, noise=noise), problem)
        for phase in ensemble.phases():
            for block in range(steps // BLOCK):
                drawn = draw_block(phase.draws, phase.seeds, phase.name, block, BLOCK, problem.device)
                for k in range(BLOCK):
                    step = torch.tensor(float(block * BLOCK + k), device=problem.device)
                    phase.update(step, {name: values[k] for name, values in drawn.items()})
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
