"""The baseline estimators, which need no training, for comparison with an estimate from learned dynamics."""

from deep.core.problem import Problem
from deep.ope.dice import Dice, DiceConfig
from deep.ope.fitted_q import FittedQ, FittedQConfig
from deep.ope.interface import Estimator
from deep.ope.nearest_trajectories import NearestBehaviour, NearestConfig


def baseline_estimators(problem: Problem) -> dict[str, Estimator]:
    """The baseline estimators by name: where they disagree with the learned dynamics, doubt both."""
    return {
        "fitted_q": FittedQ(FittedQConfig(), problem),
        "nearest": NearestBehaviour(NearestConfig(), problem),
        "dice": Dice(DiceConfig(), problem),
    }
