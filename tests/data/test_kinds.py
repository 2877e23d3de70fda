"""Kinds of data drawn from a pool hold what their definition says, and a pool that cannot give one is rejected."""

import json
from dataclasses import replace

import numpy as np
import pytest

from deep.data.dataset import OfflineDataset
from deep.data.kinds import FEW, Plane, Subset, choose, describe, draw, good_safe_parts, groups, take
from deep.tasks import find_task
from theory.support.errors import InputError

STEPS = 20
TASK = replace(find_task("HopperVel"), episode_length=STEPS, reward_range=(0.0, 100.0), cost_limits=(2.0, 5.0, 8.0))
KINDS = ("full", "tempting", "conservative", "hybrid", "stitching", "few")


def trajectories(returns: np.ndarray, costs: np.ndarray, late: np.ndarray | None = None) -> OfflineDataset:
    """Trajectories of 20 steps with these whole-number costs, all of them in the first steps where `late` is False.

    Rewards are even; with `late` the costs lie in every part, so that no part is safe.
    """
    count = len(returns)
    rng = np.random.default_rng(0)
    observations = rng.standard_normal((count, STEPS + 1, 11)).astype(np.float32)
    order = np.tile(np.arange(STEPS), (count, 1))
    spread = np.argsort(np.arange(STEPS) * 7 % STEPS)  # costs two to three steps apart
    if late is not None:
        order[late] = spread
    timeouts = np.zeros((count, STEPS), dtype=bool)
    timeouts[:, -1] = True
    return OfflineDataset(
        "HopperVel",
        observations[:, :-1].reshape(-1, 11),
        observations[:, 1:].reshape(-1, 11),
        np.zeros((count * STEPS, 3), dtype=np.float32),
        np.repeat(returns / STEPS, STEPS).astype(np.float32),
        (order < costs[:, None]).astype(np.float32).ravel(),
        np.zeros(count * STEPS, dtype=bool),
        timeouts.ravel(),
        policies=np.arange(count),
    )


@pytest.fixture(scope="module")
def pool() -> OfflineDataset:
    """Every cost of 0 to 12 with every return of 0, 5, ..., 100, twice: with a safe second half, and without one."""
    costs, returns = (x.ravel().astype(float) for x in np.meshgrid(np.arange(13), np.arange(0, 101, 5)))
    late = np.repeat([False, True], len(costs))
    return trajectories(np.tile(returns, 2), np.tile(costs, 2), late)


def drawn(pool: OfflineDataset, kind, seed: int = 0, **options) -> OfflineDataset:
    return draw(pool, TASK, kind, Subset(**options), np.random.default_rng(seed))


def plane_of(data: OfflineDataset) -> tuple[np.ndarray, np.ndarray]:
    return data.trajectory_costs, data.trajectory_returns.round(4)


def test_full_is_the_pool_and_few_are_fifty_of_it(pool):
    np.testing.assert_array_equal(drawn(pool, "full").observations, pool.observations)
    few = drawn(pool, "few")
    assert len(few.ends) == FEW
    assert len(drawn(pool, "few", trajectories=20).ends) == 20
    with pytest.raises(InputError, match="can give 50 trajectories of few data: --subset"):
        drawn(pool, "few", trajectories=51)
    costs, returns = plane_of(few)
    assert 2 < costs.mean() < 9  # spread as the pool is: means 6 and 50
    assert 35 < returns.mean() < 65


def test_tempting_is_unsafe_and_good_with_a_few_safe_that_are_not(pool):
    costs, returns = plane_of(drawn(pool, "tempting"))
    safe = costs <= 8
    assert safe.sum() == round(0.1 * len(costs))
    assert (returns[~safe] >= 80).all()
    assert (returns[safe] < 80).all()
    assert returns[safe].max() >= 60  # not all of the few are the pool's worst
    assert (costs[safe] <= 2).sum() >= 3  # the tightest limit has some


def test_conservative_is_safe_and_poor_with_a_few_that_are_unsafe_and_good(pool):
    costs, returns = plane_of(drawn(pool, "conservative"))
    safe = costs <= 8
    assert (~safe).sum() == round(0.1 * len(costs))
    assert (returns[safe] < 70).all()
    assert (returns[~safe] >= 80).all()


def test_hybrid_has_both_and_nothing_between(pool):
    costs, returns = plane_of(drawn(pool, "hybrid"))
    safe = costs <= 8
    assert safe.sum() == pytest.approx(len(costs) / 2, abs=1)
    assert not ((returns >= 70) & (returns < 80)).any()
    assert (returns[~safe] >= 80).all()
    assert (returns[safe] < 70).all()


def test_stitching_has_nothing_safe_and_good_but_good_safe_parts(pool):
    data = drawn(pool, "stitching", window=0.25)
    costs, returns = plane_of(data)
    safe = costs <= 8
    assert safe.sum() == pytest.approx(len(costs) / 2, abs=1)
    assert (returns[safe] < 80).all()
    assert returns[safe].max() == 75  # "not good", where hybrid has "poor"
    assert (returns[~safe] >= 80).all()
    rows = data.costs.reshape(-1, STEPS)[~safe]
    assert (rows[:, -5:] == 0).all()  # costs all over the trajectory leave no window of 5 steps without one
    numbers = json.loads(data.provenance["kind_numbers"])
    assert numbers["good_safe_parts"] > 0.1


def test_levels_follow_the_best_return_within_each_limit():
    # Within 2: -10 to 30; within 5: to 50; within 8: to 90. At .8 the levels are 22, 38 and 70.
    returns = np.array([0.0, 40, 31, 60, 47, 50, 100, 79, 120, 81, 30]) - 10
    costs = np.array([0.0, 1, 2, 3, 4, 5, 7, 8, 12, 9, 10])
    plane = Plane(returns, costs, (2.0, 5.0, 8.0))
    np.testing.assert_allclose(plane.levels(0.8), [22, 38, 70])
    expected = [False, True, False, True, False, True, True, False, True, True, False]
    np.testing.assert_array_equal(plane.reaches(0.8), expected)
    assert plane.band.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 3, 3, 3]


def test_a_set_of_one_limit_may_hold_what_violates_it(pool):
    data = drawn(pool, "tempting", limits=(2.0,))
    costs, _ = plane_of(data)
    assert set(np.unique(costs)) >= {3.0, 5.0, 12.0}
    assert json.loads(data.provenance["kind_settings"])["limits"] == [2.0]
    assert json.loads(drawn(pool, "tempting").provenance["kind_settings"])["limits"] == [2.0, 5.0, 8.0]


@pytest.mark.parametrize("kind", KINDS[1:])
def test_the_seed_decides(kind, pool):
    one, same, other = (drawn(pool, kind, seed, window=0.25, trajectories=30).policies for seed in (0, 0, 1))
    assert one is not None
    assert same is not None
    assert other is not None
    assert (np.diff(one) > 0).all()
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()


def test_parts_by_hand():
    # 20 steps, windows of 5; level(.8) of the limit 8 is 80, so 20 a window; a cost of 2 is accepted in a window.
    data = trajectories(np.array([100.0, 100, 60]), np.array([8.0, 11, 8]))
    plane = Plane(data.trajectory_returns, data.trajectory_costs, (8.0,))
    shares = good_safe_parts(data, plane, STEPS, Subset(window=0.25))
    # Windows from step 0 to 15; with costs in the first 8 (11) steps, at most 2 from step 6 (9) on.
    np.testing.assert_allclose(shares, [10 / 16, 7 / 16, 0])
    short = good_safe_parts(data, plane, 100, Subset(window=0.25))
    np.testing.assert_array_equal(short, [0, 0, 0])  # trajectories shorter than a window have no part


def test_parts_agree_with_a_count_window_by_window(pool):
    plane = Plane(pool.trajectory_returns, pool.trajectory_costs, (2.0, 8.0))
    found = good_safe_parts(pool, plane, STEPS, Subset(window=0.3))
    least, most = 80 * 6 / STEPS, 2 * 6 / STEPS
    for number in (0, 40, 270, 400, 500):
        rows = slice(pool.starts[number], pool.ends[number] + 1)
        rewards, costs = pool.rewards[rows].astype(float), pool.costs[rows]
        windows = [slice(start, start + 6) for start in range(STEPS - 5)]
        expected = np.mean([rewards[w].sum() >= least - 1e-4 and costs[w].sum() <= most for w in windows])
        assert found[number] == pytest.approx(expected)


def test_numbers_of_a_set(pool):
    chosen = np.array([2, 2 + 13 * 4, 1 + 13 * 10, 12 + 13 * 20])  # (cost, return): (2, 0), (2, 20), (1, 50), (12, 100)
    plane = Plane(pool.trajectory_returns, pool.trajectory_costs, (1.0, 8.0))
    numbers = describe(take(pool, chosen), plane, np.array([1.0, 1, 1, 0.25]), TASK)
    assert numbers["trajectories"] == 4
    assert numbers["transitions"] == 80
    assert numbers["safe_share"] == 0.75
    assert numbers["good_safe_parts"] == 0.25
    first, second = numbers["limits"]
    assert first == {
        "limit": 1.0, "within": 1, "share": 0.25, "return_mean": 50, "return_best": 50, "return_pool_best": 100,
        "R_mean": 0.5, "R_best": 0.5, "R_pool_best": 1.0, "best_to_pool": 0.5, "safe_to_best": 0.0,
    }  # fmt: skip
    assert second["within"] == 3
    assert second["return_mean"] == pytest.approx(70 / 3, abs=1e-3)
    assert second["safe_to_best"] == pytest.approx(0.5 - 0.7 / 3, abs=1e-3)


def test_a_set_is_made_of_whole_trajectories_with_their_policies(pool):
    chosen = np.array([3, 17, 200])
    data = take(pool, chosen)
    assert data.policies is not None
    assert data.policies.tolist() == [3, 17, 200]
    for new, old in enumerate(chosen):
        rows = slice(pool.starts[old], pool.ends[old] + 1)
        np.testing.assert_array_equal(data.observations[new * STEPS : (new + 1) * STEPS], pool.observations[rows])
    assert len(data.ends) == 3


def test_provenance_names_pool_kind_and_settings(pool):
    named = replace(pool, provenance={"command": "collect", "seed": 3, "versions": "x"}, sha256="ab")
    data = drawn(named, "hybrid")
    assert data.provenance["kind"] == "hybrid"
    assert data.provenance["pool_command"] == "collect"
    assert data.provenance["pool_seed"] == 3
    assert data.provenance["versions"] == "x"
    assert not {"command", "seed"} & data.provenance.keys()
    with pytest.raises(InputError, match="holds hybrid data, drawn from a pool: the pool itself is accepted"):
        drawn(data, "few")


@pytest.mark.parametrize(
    ("kind", "keep", "sentence"),
    [
        ("tempting", lambda c, r: c <= 8, "cannot give tempting data .* 2, 5, 8: 0 of its .* are unsafe and good"),
        ("tempting", lambda c, r: (c > 8) | (r == 100), "are safe and not good"),
        ("conservative", lambda c, r: (c > 8) | (r >= 80), "are safe and poor"),
        ("hybrid", lambda c, r: (c <= 8) | (r < 70), "are unsafe and good"),
        ("full", lambda c, r: c > 2, "has no trajectory within the cost limit 2 .the least cost is 3"),
        ("few", lambda c, r: (c > 8) | ((c == 0) & (r == 0)), "trajectory of the 3 drawn satisfies the cost limit 2"),
    ],
)
def test_a_pool_that_cannot_give_a_kind_is_refused(kind, keep, sentence, pool):
    part = take(pool, np.flatnonzero(keep(*plane_of(pool))))
    with pytest.raises(InputError, match=sentence) as error:
        drawn(part, kind, trajectories=3 if kind == "few" else 0)
    assert "\n" not in str(error.value)


def test_stitching_without_parts_is_refused(pool):
    late = take(pool, np.arange(len(pool.ends) // 2, len(pool.ends)))
    with pytest.raises(InputError, match="0 of its 273 trajectories are unsafe and good with a good safe part"):
        drawn(late, "stitching", window=0.25)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"limits": (5.0, -1.0)}, "limits .* finite"),
        ({"limits": (np.nan,)}, "limits .* finite"),
        ({"trajectories": -1}, "trajectories -1: at least 0"),
        ({"poor": 0.9}, "poor .* and .*good .*: 0 < poor <= good <= 1"),
        ({"good": 1.1}, "poor .* and .*good .*: 0 < poor <= good <= 1"),
        ({"minority": 0.0}, "minority 0: a number between 0 and 1"),
        ({"window": 1.0}, "window 1: a number between 0 and 1"),
    ],
)
def test_bad_options_are_refused(options, sentence):
    with pytest.raises(InputError, match=sentence):
        Subset(**options).check()


@pytest.mark.parametrize("kind", KINDS)
def test_shares_of_the_parts_sum_to_one(kind, pool):
    plane = Plane(pool.trajectory_returns, pool.trajectory_costs, TASK.cost_limits)
    shares = np.ones(len(pool.ends))
    assert sum(part.share for part in groups(kind, plane, shares, Subset())) == pytest.approx(1)
    chosen = choose(kind, plane, shares, Subset(trajectories=33), np.random.default_rng(0), "pool")
    assert len(chosen) == len(np.unique(chosen)) == 33
