"""The diagnosis by exact parts: slopes against differences, parts in the place of learned ones, its tasks."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.support.lighter import unchecked
from theory.evaluation import evaluate
from theory.optimum import solve
from verification.lattice.data import Behaviour
from verification.lattice.direction import ExactParts, Variant, build, curve
from verification.lattice.direction_variants import GATE, SLOPES
from verification.lattice.held_out import HELD_OUT
from verification.lattice.tasks import LATTICES
from verification.lattice.trials import REBUILT

BRIEF = replace(
    REBUILT,
    behaviour=replace(REBUILT.behaviour, steps=20, width=8),
    critics=replace(REBUILT.critics, steps=20, hidden=(8,)),
    cloning_steps=30,
    regression_steps=20,
    adaptation_steps=100,
    hidden=(8,),
)


@pytest.mark.parametrize("task", ["LatticeHeat", "LatticeHazard"])
def test_the_exact_slope_is_that_of_the_interpolated_table(task):
    lattice = LATTICES[task]
    _, method = build(lattice, BRIEF, Variant(BRIEF))
    exact = ExactParts(lattice, method)
    rng = np.random.default_rng(0)
    states = rng.integers(len(lattice.states.nodes), size=12)
    actions = rng.uniform(-0.95, 0.95, (12, len(lattice.actions.axes)))
    actions += 0.02 * (np.abs(actions * 2 - np.round(actions * 2)) < 0.02)  # away from the grid's kinks
    table = exact.values.Q_c
    observations = exact.nodes[:, states]
    slope = exact.slope(table, observations, torch.from_numpy(actions).float().expand(2, -1, -1))
    for axis in range(actions.shape[1]):
        step = np.zeros(actions.shape[1])
        step[axis] = 1e-4
        values = [
            (torch.from_numpy(lattice.actions.weights(actions + sign * step)) * table[0, states]).sum(-1)
            for sign in (1, -1)
        ]
        torch.testing.assert_close(slope[0, :, axis].double(), (values[0] - values[1]) / 2e-4, rtol=1e-3, atol=1e-3)


def test_exact_parts_replace_the_learned_ones():
    lattice = LATTICES["LatticeHeat"]
    _, method = build(lattice, BRIEF, Variant(BRIEF))
    exact = ExactParts(lattice, method)
    here, actions = exact.nodes[:, :5], torch.full((2, 5, 1), 0.1)
    learned = method.values.cost[0].action_gradient(here, actions)
    exact.install(SLOPES | GATE)
    assert torch.equal(
        method.values.cost[0].action_gradient(here, actions), exact.slope(exact.values.Q_c, here, actions)
    )
    assert not torch.allclose(method.values.cost[0].action_gradient(here, actions), learned, atol=1e-2)
    scaled = method.values.reward.action_gradient(here, actions) / method.problem.reward_scale
    torch.testing.assert_close(scaled, exact.slope(exact.values.Q_r, here, actions), rtol=1e-4, atol=1e-4)
    method.gate.update(None)
    assert torch.equal(method.gate.cost, exact.values.J_c)


@unchecked()
def test_a_curve_measures_from_the_clone_to_the_end():
    shared = {}
    rows = curve(LATTICES["LatticeHeat"], Variant(BRIEF, GATE), shared)
    again = curve(LATTICES["LatticeHeat"], Variant(BRIEF, GATE), shared)
    assert rows == again  # what variants share is what each would have trained
    assert [row["cost_limit"] for row in rows] == [2.0, 5.0]
    for row in rows:
        assert row["steps"] == [0, 100]
        assert row["cost"][0] != row["cost"][1]
        assert row["gate"][1] == pytest.approx(row["cost"][1], rel=0.2)  # exact, up to the last steps
    assert rows[0]["cost"][0] == pytest.approx(rows[1]["cost"][0])  # both start from one clone


@pytest.mark.parametrize("lattice", HELD_OUT.values(), ids=lambda lattice: lattice.name)
def test_the_held_out_tasks_have_limits_that_bind_and_data_that_violate_them(lattice):
    small, large = lattice.limits
    values = [solve(lattice.cmdp.with_budget(budget)).value.item() for budget in (small, large, 1e3)]
    assert values[0] < values[1] - 0.1 < values[2] - 0.2
    own = evaluate(lattice.cmdp, Behaviour(lattice).policy)
    assert own.J_c > large
    assert own.J_r < values[0] + 0.5
