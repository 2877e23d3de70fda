"""The estimators that need no training, beside which an estimate from learned dynamics is shown."""

from deep.core.problem import Problem
from deep.ope.dice import Dice, DiceConfig
from deep.ope.fitted_q import FittedQ, FittedQConfig
from deep.ope.interface import Estimator
from deep.ope.nearest_trajectories import NearestBehaviour, NearestConfig


def baseline_estimators(problem: Problem) -> dict[str, Estimator]:
    """The estimators that need no training: their disagreement with the learned dynamics is a warning."""
    return {
        "fitted_q": FittedQ(FittedQConfig(), problem),
        "nearest": NearestBehaviour(NearestConfig(), problem),
        "dice": Dice(DiceConfig(), problem),
    }
