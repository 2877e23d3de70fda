"""The runs that results.json certifies: 24 CMDPs, each with one of the four rules."""

from pathlib import Path
from typing import NamedTuple

from verification.intervals.enclosure import Rule


class Case(NamedTuple):
    """A run: the family, sizes, discount and tightness of `theory.cmdp.families.make` at seed 0, rounded to hundredths;
    the rule and the number of iterations."""

    family: str
    states: int
    actions: int
    gamma: str
    tightness: float
    rule: Rule
    steps: int

    @property
    def name(self) -> str:
        return f"{self.family} {self.states}x{self.actions}, gamma {self.gamma}, {self.rule}, T = {self.steps}"


RESULTS = Path(__file__).parent / "results.json"

CASES = (
    Case("dirichlet", 2, 2, "1/2", 0.5, "advantage", 1000),
    Case("dirichlet", 3, 2, "3/10", 0.3, "q_vector", 1000),
    Case("dirichlet", 3, 3, "1/2", 0.5, "fisher", 1000),
    Case("dirichlet", 3, 2, "7/10", 0.3, "crpo", 1000),
    Case("peaked", 2, 2, "1/2", 0.3, "q_vector", 1000),
    Case("peaked", 3, 2, "3/10", 0.5, "advantage", 3000),
    Case("peaked", 2, 3, "1/2", 0.5, "crpo", 1000),
    Case("peaked", 3, 2, "7/10", 0.7, "fisher", 1000),
    Case("garnet", 3, 2, "1/2", 0.3, "fisher", 1000),
    Case("garnet", 2, 2, "3/10", 0.5, "crpo", 3000),
    Case("garnet", 3, 2, "1/2", 0.5, "advantage", 1000),
    Case("garnet", 3, 3, "3/10", 0.7, "q_vector", 1000),
    Case("chain", 3, 2, "1/2", 0.3, "crpo", 1000),
    Case("chain", 3, 2, "3/10", 0.4, "fisher", 1000),
    Case("chain", 4, 2, "1/2", 0.5, "advantage", 1000),
    Case("deterministic", 2, 2, "1/2", 0.5, "fisher", 3000),
    Case("deterministic", 3, 2, "3/10", 0.3, "advantage", 1000),
    Case("deterministic", 3, 2, "1/2", 0.6, "crpo", 1000),
    Case("unreachable", 3, 2, "1/2", 0.5, "advantage", 1000),
    Case("unreachable", 3, 2, "3/10", 0.3, "fisher", 1000),
    Case("unreachable", 2, 2, "1/2", 0.7, "crpo", 1000),
    Case("bandit", 1, 3, "1/2", 0.5, "crpo", 10000),
    Case("bandit", 1, 3, "1/2", 0.3, "advantage", 10000),
    Case("bandit", 1, 4, "3/10", 0.5, "q_vector", 3000),
)
