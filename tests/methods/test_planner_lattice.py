"""Planners on a lattice task: the cost falls with the budget, and plans obey the dynamics."""

import pytest

from tests.support.lattice_play import plan_errors, play, trained_planner
from tests.support.lighter import unchecked

LIMITS = [2.0, 5.0, 12.0]
"""The data's trajectories cost from 0 to 25, half of them at most 9."""


@pytest.mark.slow
@unchecked()
def test_one_planner_spends_less_where_the_budget_is_less_and_plans_what_can_be():
    """The engine that heats up, in episodes of 30 steps; one TCDP for three limits."""
    lattice, run = trained_planner("LatticeHeat", "tcdp", LIMITS, "--steps", "600", "--inverse-steps", "600")
    returns, costs = (x.mean(1) for x in play(lattice, run, 150))
    assert costs[0] + 1 < costs[1]
    assert costs[1] + 3 < costs[2]
    assert (costs < [3.5, 6.5, 14.0]).all(), "within about one cost of the budget, after a short training"
    assert returns[0] < returns[1] < returns[2], "what is spent is spent on the reward"
    errors = plan_errors(lattice, run)
    assert errors.noise < errors.planned < 0.5 * errors.shuffled
