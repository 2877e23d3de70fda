"""What a policy will cost, from the data alone: one interface (`interface.py`), one file per estimator."""

from deep.estimates.dice import Dice, DiceConfig
from deep.estimates.dynamics import DynamicsConfig
from deep.estimates.fitted_q import FittedQ, FittedQConfig
from deep.estimates.interface import Estimate, Estimator, Foretelling
from deep.estimates.nearest import NearestBehaviour, NearestConfig
from deep.estimates.paired import PairedRollOuts
from deep.estimates.rollouts import DynamicsEnsemble
from deep.estimates.short import ShortConfig, ShortRollOuts
from deep.phases import Problem

__all__ = [
    "Dice",
    "DiceConfig",
    "DynamicsConfig",
    "DynamicsEnsemble",
    "Estimate",
    "Estimator",
    "FittedQ",
    "FittedQConfig",
    "Foretelling",
    "NearestBehaviour",
    "NearestConfig",
    "PairedRollOuts",
    "ShortConfig",
    "ShortRollOuts",
    "second_opinions",
]


def second_opinions(problem: Problem) -> dict[str, Estimator]:
    """The estimators that need no training: their disagreement with the learned dynamics is a warning."""
    return {
        "fitted_q": FittedQ(FittedQConfig(), problem),
        "nearest": NearestBehaviour(NearestConfig(), problem),
        "dice": Dice(DiceConfig(), problem),
    }
