"""The rows of the study: what every estimator says of a policy, beside what the simulator says."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from deep.algorithms.drcorl import DRCORL
from deep.estimates import Dice, DiceConfig, Estimate, FittedQ, FittedQConfig, NearestBehaviour, NearestConfig
from deep.estimates.rollouts import Outcomes
from deep.experiment import Experiment
from deep.policies import Act
from deep.runs import write_whole
from deep.simulators.batched import rollout
from theory.errors import InputError

FIRST_TRUTH_SEED = 200_000
"""Start seeds of the study's episodes; those of evaluation begin lower, those of training higher."""
FIELDS = ("cost", "cost_std", "cost_low", "cost_high", "reward", "length", "departure")


class Estimators:
    """All estimators for the policies of a base's seeds, one policy for each seed at a time."""

    def __init__(self, base: Experiment) -> None:
        self.base, problem = base, base.problem
        self.closed = {
            "fitted_q": FittedQ(FittedQConfig(), problem),
            "fitted_q, .99, data": FittedQ(FittedQConfig(gamma=0.99, states="data"), problem),
            "nearest": NearestBehaviour(NearestConfig(), problem),
            "dice": Dice(DiceConfig(), problem),
        }

    def __call__(self, act: Act) -> dict[str, Estimate]:
        """Steering and judging members of a policy's own seed, the next seed's judging members, the closed forms."""
        dynamics = self.base.dynamics
        own = dynamics.roll_out(act)
        seeds = len(self.base.problem.seeds)
        found = {half: dynamics.read(own, half) for half in ("steering", "judging")}
        if seeds > 1:
            # Shifted by one, policy i is played in the models of seed i + 1, which have no draw in common with it.
            shifted = dynamics.roll_out(lambda observations: act(observations.roll(-1, 0)).roll(1, 0))
            back = Outcomes(*(values.roll(-1, 0) for values in shifted))
            found["another seed's"] = dynamics.read(back, "judging")
        return found | {name: estimator.estimate(act) for name, estimator in self.closed.items()}


def actor(base: Experiment, theta: Float[Tensor, "seeds params"]) -> Act:
    """The mean actions of policies with these parameters."""
    policy = cast(DRCORL, base.method).policy

    @torch.no_grad()
    def act(observations: Tensor) -> Tensor:
        return policy.distribution(theta, observations)[0]

    return act


def truth(base: Experiment, act: Act, episodes: int) -> list[dict[str, float]]:
    """The simulator's answer for each policy; it is used here, to judge the estimates, and in no training."""

    def raw(observations: np.ndarray) -> np.ndarray:
        return act(base.replay.normalise(torch.from_numpy(observations))).numpy()

    seeds = range(FIRST_TRUTH_SEED, FIRST_TRUTH_SEED + episodes)
    played = rollout(base.task, raw, seeds, replicas=len(base.problem.seeds), threads=1)
    error = played.costs.std(1, ddof=1) / episodes**0.5
    return [
        {
            "true_cost": float(played.costs[i].mean()),
            "true_cost_error": float(error[i]),
            "true_return": float(played.returns[i].mean()),
            "true_length": float(played.lengths[i].mean()),
        }
        for i in range(len(base.problem.seeds))
    ]


def measure(
    base: Experiment, estimators: Callable[[Act], dict[str, Estimate]], theta: Tensor, episodes: int
) -> list[dict[str, Any]]:
    """One row for each seed's policy."""
    act = actor(base, theta)
    known, said = truth(base, act, episodes), estimators(act)
    return [
        {"seed": seed, **known[i]}
        | {
            f"{estimator}: {field}": float(getattr(estimate, field)[i])
            for estimator, estimate in said.items()
            for field in FIELDS
        }
        for i, seed in enumerate(base.problem.seeds)
    ]


class RowFile:
    """The rows of one source, a line for each snapshot: measuring can stop and go on anywhere."""

    def __init__(self, path: Path, episodes: int) -> None:
        self.path, self.episodes = path, episodes

    def read(self) -> dict[int, list[dict[str, Any]]]:
        """The rows by their step. Raises `InputError` where they were measured on another number of episodes."""
        if not self.path.exists():
            return {}
        found = {}
        for line in self.path.read_text().splitlines(keepends=True):
            if not line.endswith("\n"):
                break  # a line that was cut short
            content = json.loads(line)
            if content["episodes"] != self.episodes:
                raise InputError(
                    f"--episodes {self.episodes}: the rows in {self.path} have {content['episodes']}: take that, or "
                    "another folder"
                )
            found[content["step"]] = content["rows"]
        return found

    def add(self, step: int, rows: list[dict[str, Any]]) -> None:
        """One more snapshot's rows; what a cut line left behind goes first."""
        kept = self.path.read_text() if self.path.exists() else ""
        kept = kept[: kept.rfind("\n") + 1]
        line = json.dumps({"step": step, "episodes": self.episodes, "rows": rows})
        write_whole(self.path, (kept + line + "\n").encode())
