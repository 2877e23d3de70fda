"""Compared methods on a lattice task, whose optimum is known: within the limit, by exact evaluation."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from tests.support.lighter import unchecked
from tests.support.risky_bandit import trained
from theory.evaluation import evaluate
from theory.optimum import solve
from verification.lattice.data import Behaviour
from verification.lattice.exact import deterministic, exact_values, on_nodes
from verification.lattice.methods import build, run
from verification.lattice.tasks import LATTICES, Lattice
from verification.lattice.trials import PENDING, TRIALS

LIMIT = 2.0


@pytest.fixture(scope="module")
def lattice() -> Lattice:
    """The engine that heats up."""
    return replace(LATTICES["LatticeHeat"], limits=(LIMIT,))


@pytest.mark.exhaustive
@unchecked()
@pytest.mark.parametrize("name", ["BCQ-Lag", "BEAR-Lag", "CPQ", "COptiDICE", "O3SRL"])
def test_the_policy_is_within_the_limit_where_the_optimum_is(name, lattice):
    trial = replace((TRIALS | PENDING)[name], seeds=(0,))
    (row,) = run(lattice, trial)
    assert row["optimal_value"] == pytest.approx(7.872, abs=1e-3)
    assert row["cost"] <= LIMIT
    assert 0 < row["gap"] < 4, "it earns about half of what the optimum does, or more"


def masked_share(behaviour: Behaviour, cost: torch.Tensor) -> float:
    """The share of the data's pairs whose cost, (1, state, action), exceeds the limit."""
    share = behaviour.occupancy[..., None] * behaviour.policy
    return float((share * (cost > LIMIT)).sum() / share.sum())


def test_every_pair_of_the_data_costs_too_much_under_their_policy_and_not_under_the_optimum(lattice):
    """So CARL's first mask replaces every reward by the same one, from which no policy is better than another."""
    behaviour = Behaviour(lattice)
    own = evaluate(lattice.cmdp, behaviour.policy)
    assert masked_share(behaviour, own.Q_c) == 1
    assert own.J_c.item() == pytest.approx(5.99, abs=0.01)
    best = evaluate(lattice.cmdp, solve(lattice.cmdp.with_budget(LIMIT)).policy)
    assert masked_share(behaviour, best.Q_c) < 0.95
    assert masked_share(Behaviour(lattice), torch.zeros_like(own.Q_c)) == 0


@pytest.mark.exhaustive
@unchecked()
@pytest.mark.parametrize("mask", ["its own", "the optimum's"])
def test_carl_ends_within_the_limit_with_the_optimums_mask_and_not_with_its_own(mask, lattice, tmp_path):
    """Its own mask is of the present policy, which starts as the data's: every pair stays masked, and it clones."""
    behaviour, experiment = build(lattice, replace(PENDING["CARL"], seeds=(0,)))
    method: Any = experiment.method
    if mask == "the optimum's":
        best = evaluate(lattice.cmdp, solve(lattice.cmdp.with_budget(LIMIT)).policy).Q_c[0].float()
        nodes = experiment.replay.normalise(torch.from_numpy(lattice.observe(lattice.states.nodes)))

        def predicted_cost(states: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
            """Q_c of the optimum, of one replica."""
            weights = torch.from_numpy(lattice.actions.weights(actions[0].double().numpy())).float()
            return (weights * best[torch.cdist(states[0], nodes).argmin(1)]).sum(-1).unsqueeze(0)

        method.predicted_cost = predicted_cost
    trained(experiment, tmp_path)
    found = exact_values(lattice, deterministic(lattice, experiment.act(on_nodes(lattice, 1))))
    if mask == "its own":
        assert masked_share(behaviour, found.Q_c) > 0.99
        assert found.J_c.item() > 2 * LIMIT
        batch = experiment.replay.batch(torch.arange(500).unsqueeze(0))
        rewards = method.relabel(torch.tensor(0.0), batch, {})
        assert (rewards == -method.largest_reward).double().mean() > 0.99, "and by its critics too"
    else:
        assert found.J_c.item() <= LIMIT
