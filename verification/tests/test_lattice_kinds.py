"""Kinds of data on lattice tasks: cloning cannot reach there what a policy that the data support does."""

import json

import numpy as np
import pytest
import torch

from deep.data.kinds import Subset, choose, good_safe_parts
from theory.evaluation import evaluate
from theory.optimum import solve
from verification.lattice import kinds
from verification.lattice.data import Behaviour
from verification.lattice.tasks import LATTICES

COMMITTED = json.loads(kinds.RESULTS.read_text())["results"]
SMALL = LATTICES["LatticeHeat"]


def committed(task: str, kind: str) -> list[dict]:
    return [row for row in COMMITTED if (row["task"], row["kind"]) == (task, kind)]


@pytest.mark.parametrize("task", LATTICES)
@pytest.mark.parametrize("kind", ["tempting", "stitching", "hybrid"])
def test_a_supported_policy_earns_more_than_the_set_can_show(task: str, kind: str) -> None:
    rows = committed(task, kind)
    assert [row["cost_limit"] for row in rows] == list(LATTICES[task].limits)
    for row in rows:
        assert row["mean"] <= row["supported"] - 0.05
        if task != "LatticeHeat":  # there the best trajectory is lucky: its costs are random
            assert row["best"] <= row["supported"] - 0.05
            assert row["best"] <= row["pool"] - 0.05
        assert row["supported"] >= row["optimum"] - 0.01
        assert row["supported"] <= row["optimum"] + 1e-6


@pytest.mark.parametrize("task", LATTICES)
def test_shares_are_those_of_the_kind(task: str) -> None:
    shares = {row["kind"]: row["safe_share"] for row in COMMITTED if row["task"] == task}
    assert shares["tempting"] == pytest.approx(0.1, abs=0.01)
    assert shares["conservative"] == pytest.approx(0.9, abs=0.01)
    assert shares["hybrid"] == shares["stitching"] == 0.5
    assert shares["tempting"] < shares["full"] < shares["conservative"]
    assert {row["trajectories"] for row in committed(task, "few")} == {50}


def test_the_committed_rows_follow_from_the_code() -> None:
    for row, expected in zip(kinds.rows(SMALL, ["tempting"]), committed(SMALL.name, "tempting"), strict=True):
        assert row.keys() == expected.keys()
        for key, value in expected.items():
            assert row[key] == (pytest.approx(value, abs=1e-3) if isinstance(value, float) else value)


def test_discounted_sums_of_the_pool_have_the_values_of_its_policies() -> None:
    behaviour = Behaviour(SMALL, (0.0, 1.0))
    pool = kinds.play(behaviour, 2000, seed=0)
    assert pool.data.policies is not None
    sums = {"J_r": pool.discounted(pool.data.rewards), "J_c": pool.discounted(pool.data.costs)}
    for number, policy in enumerate(behaviour.induced):
        exact = evaluate(SMALL.cmdp, policy[None])
        for name, values in sums.items():
            own = values[pool.data.policies == number]
            assert own.mean() == pytest.approx(float(getattr(exact, name)[0]), abs=5 * own.std() / len(own) ** 0.5)


def test_what_is_known_everywhere_is_the_task_and_what_is_known_nowhere_has_no_safe_policy() -> None:
    everything = np.ones((len(SMALL.states.nodes), len(SMALL.actions.nodes)), dtype=bool)
    exact = kinds.optima(SMALL.cmdp, SMALL.limits)
    assert kinds.optima(kinds.restricted(SMALL, everything), SMALL.limits) == pytest.approx(exact, rel=1e-6)
    assert np.isnan(kinds.optima(kinds.restricted(SMALL, ~everything), SMALL.limits)).all()


def test_a_supported_policy_earns_that_much_in_the_task_itself_within_the_limit() -> None:
    pool = kinds.play(Behaviour(SMALL, kinds.MULTIPLIERS), 200, seed=0)
    known = kinds.supported(SMALL, pool.states, pool.grid_actions)
    assert 0.05 < known.mean() < 0.95
    found = solve(kinds.restricted(SMALL, known))
    policy = found.policy[:, :-1]
    exact = evaluate(SMALL.cmdp, policy)
    assert float(exact.J_r) >= float(found.value) - 1e-6
    assert float(exact.J_c) <= SMALL.limits[0] + 1e-6
    assert float((policy[0] * torch.from_numpy(~known)).sum(-1).mul(exact.d[0]).sum()) < 0.1


def test_good_safe_parts_of_whole_trajectories_are_windows_of_half_an_episode() -> None:
    pool = kinds.play(Behaviour(SMALL, kinds.MULTIPLIERS), 200, seed=0)
    plane = kinds.Plane(pool.discounted(pool.data.rewards), pool.discounted(pool.data.costs), SMALL.limits)
    shares = good_safe_parts(pool.data, plane, kinds.EPISODE, kinds.SUBSET)
    rewards, costs = (values[: kinds.CUT] for values in (pool.data.rewards, pool.data.costs))
    least = plane.levels(0.8)[0] / 2
    windows = [slice(start, start + 10) for start in range(kinds.CUT - 9)]
    assert shares[0] == np.mean([rewards[w].sum() >= least and costs[w].sum() <= 1 for w in windows])
    chosen = choose("stitching", plane, shares, Subset(window=0.5), np.random.default_rng(0), "the pool")
    assert (shares[chosen][~plane.safe[chosen]] > 0).all()
