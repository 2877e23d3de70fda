"""Recorded numbers of deep/ope: the learned dynamics, rollouts, and every estimator on fixed policies."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from deep.data.selection import Selection, trajectory_stats
from deep.ope.dice import Dice, DiceConfig, occupancy_ratio
from deep.ope.dynamics import DynamicsConfig
from deep.ope.features import Sample, fourier_features
from deep.ope.fitted_q import FittedQ, FittedQConfig, fixed_point
from deep.ope.interface import estimate_doubt, prediction_interval
from deep.ope.model_rollouts import DynamicsEnsemble
from deep.ope.nearest_trajectories import NearestBehaviour, NearestConfig, sharpened
from deep.ope.paired_rollouts import PairedRollouts
from deep.ope.short_rollouts import ShortConfig, ShortRollouts, expected_length
from tests.support.numbers.cmdps import table
from tests.support.numbers.summary import Case
from tests.support.numbers.varied import data, problem


class Policy:
    """A linear policy of its own for each of four replicas."""

    def __init__(self, seed: int, scale: float = 0.3) -> None:
        self.weights = scale * table(4, 11, 3, seed=seed)

    def __call__(self, observations: Tensor) -> Tensor:
        return torch.tanh(observations @ self.weights.to(observations))


def ensemble(members: int) -> DynamicsEnsemble:
    """Dynamics after a few updates, enough that the members differ."""
    config = DynamicsConfig(steps=60, members=members, hidden=(12,), batch_size=16, episodes=3, disagreement_every=4)
    found = DynamicsEnsemble(config, problem())
    rng = np.random.default_rng(0)
    (phase,) = found.phases()
    for step in range(6):
        row = torch.from_numpy(rng.random((2, members, 16)))
        phase.update(torch.tensor(10.0 * step), {"row": row})
    return found


def dynamics() -> dict[str, Any]:
    """Training, predictions and disagreement."""
    found: dict[str, Any] = {}
    own = ensemble(5)
    (phase,) = own.phases()
    row = torch.from_numpy(np.random.default_rng(1).random((2, 5, 16)))
    found["losses"] = phase.update(torch.tensor(30.0), {"row": row})
    found["parameters"] = own.models.parameters.theta
    states, actions = own.problem.replay.observations[:6], own.problem.replay.actions[3:9]
    found["predictions"] = own.models.predict(states.expand(10, -1, -1), actions.expand(10, -1, -1))
    found["changes"] = own.models.changes(states.expand(2, -1, -1), actions.expand(2, -1, -1))
    found["starts"] = [own.starts, own.low, own.high]
    found["disagreement"] = own._data_disagreement()
    return found


def rollouts() -> dict[str, Any]:
    """Whole episodes, short and paired ones; every way to read them."""
    found: dict[str, Any] = {}
    for members in (1, 2, 5):
        own = ensemble(members)
        outcomes = own.rollout(Policy(1))
        found[f"{members} members"] = outcomes
        for which in ("training", "held_out", "all"):
            if members > 1 or which != "training":
                found[f"{members} members, {which}"] = own.read(outcomes, which, 0.7)
        found[f"{members} members, estimate"] = own.estimate(Policy(2))
    own = ensemble(4)
    short = ShortRollouts(ShortConfig(steps=6, states=7), own)
    found["short"] = [short.starts, short.rollout(Policy(1)), short.estimate(Policy(2))]
    chosen = Selection("best", 3, 0.2).per_replica(data(), problem().replica_limits)
    paired = PairedRollouts(
        ShortConfig(steps=5, states=6), own, trajectory_stats(data(), own.problem.replay, chosen, 3)
    )
    found["clone"] = [paired.set_clone(Policy(3, 0.1)), paired.clone]
    found["paired"] = [paired.rollout(Policy(4, 0.4)), paired.estimate(Policy(5, 0.2)), paired.absolute(Policy(4, 0.4))]
    ends = torch.tensor([1.0, 0.9, 0.3, 1e-40, 1 - 1e-12])
    found["lengths"] = [expected_length(ends, steps, longest) for steps, longest in ((5, 25), (25, 7), (3, 1000))]
    return found


def baselines() -> dict[str, Any]:
    """The estimators that need no training."""
    own, found = problem(), {}
    small: dict[str, Any] = {"transitions": 120, "features": 14}
    estimators = {
        "fitted Q, data": FittedQ(FittedQConfig(0.9, "data", members=4, ridge=1e-2, **small), own),
        "fitted Q, start": FittedQ(FittedQConfig(None, "start", members=3, ridge=1e-2, **small), own),
        "fitted Q, clamped": FittedQ(FittedQConfig(0.999, "data", members=3, ridge=1e-6, **small), own),
        "dice": Dice(DiceConfig(None, 1e-2, members=3, **small), own),
        "dice, strong": Dice(DiceConfig(0.8, 0.5, members=2, **small), own),
        "nearest": NearestBehaviour(NearestConfig(3.0, states=5), own),
        "nearest, all": NearestBehaviour(NearestConfig(50.0, states=4), own),
    }
    for name, estimator in estimators.items():
        found[name] = [estimator.estimate(Policy(seed)) for seed in (1, 2)]
    found["weights"] = estimators["fitted Q, data"].weights
    sample = Sample(own, 50)
    found["sample"] = [sample.rows, sample.trajectory, sample.payoffs]
    found["features"] = sample.features(Policy(1), fourier_features(14, 9, 0.7))
    return found


def pieces() -> dict[str, Any]:
    """Fixed points, ratios, sharpened weights, intervals and doubts."""
    phi, onward = table(30, 5), table(2, 30, 5, seed=1)
    counts = table(3, 30, seed=2).abs()
    found: dict[str, Any] = {"fixed point": fixed_point(phi, 0.5 * onward, table(30, 2), counts, 0.6, 0.05)}
    start = table(2, 5, seed=3)
    found["ratio"] = [occupancy_ratio(table(2, 30, 5), start, strength, n) for strength, n in ((0.3, 20), (0.05, 3))]
    found["sharpened"] = [sharpened(table(2, 12).abs(), n) for n in (1.5, 6.0)]
    values = 3 + 2 * table(3, 4)
    found["intervals"] = [prediction_interval(values[:, :m], 5.5, shared) for m in (1, 2, 4) for shared in (0.0, 0.8)]
    found["doubts"] = [str(estimate_doubt(agrees, length, 8.0)) for agrees in (True, False) for length in (7.9, 8.0)]
    return found


CASES: dict[str, Case] = {
    "dynamics": Case(dynamics),
    "rollouts": Case(rollouts, 1e-5, 1e-6),
    "baselines": Case(baselines, 1e-5, 1e-6),
    "pieces": Case(pieces),
}
"""Estimates are given in float32."""
