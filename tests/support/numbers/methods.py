"""Recorded numbers of every registered method: a few updates of its smoke configuration, two seeds with two limits."""

from deep.methods.registry import METHODS
from tests.support.numbers.summary import Case
from tests.support.smoke_runs import build, run_phases, trained

STEPS = 30
"""The updates of tests/methods/test_registry.py, which measures these numbers on the runs that it compares."""


def smoke(algorithm: str) -> Case:
    """Losses, parameters and actions."""

    def measure() -> object:
        experiment = build(algorithm)
        return trained(experiment, run_phases(experiment, STEPS))

    return Case(measure)


CASES: dict[str, Case] = {algorithm: smoke(algorithm) for algorithm in METHODS}
