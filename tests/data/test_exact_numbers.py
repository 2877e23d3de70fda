"""Numbers that reading could change: separators of thousands, float32's rounding, functions of costs, next rows."""

import json
from pathlib import Path

import h5py
import numpy as np
import pytest

from deep.data import reading
from deep.data.conversion import read_any
from deep.data.custom import CustomData, load_custom
from deep.data.reading import Reading
from tests.support import other_writers as writers
from theory.support.errors import InputError

pytest.importorskip("pyarrow")  # of the extra `data`
DATA = writers.recording()
GIVEN = CustomData()
COUNT = len(DATA["rewards"])
COLUMNS = ("observations=pos,vel", "actions=torque")
NAMED = Reading(columns=COLUMNS)


def log(path: Path, cells: list[list[str]]) -> Path:
    """A table between semicolons, of one episode."""
    (path / "a.csv").write_text("\n".join(map(";".join, [["pos", "vel", "torque", "reward", "cost", "run"], *cells])))
    return path / "a.csv"


@pytest.mark.parametrize("rewards", [("1,500", "-2,750"), ("1,500", "20"), ("12,500", "0"), ("100,500", "1,000")])
def test_three_digits_after_every_comma_can_be_read_in_two_ways(rewards, tmp_path):
    path = log(tmp_path, [["3", "4", "0", reward, "0", "1"] for reward in rewards])
    with pytest.raises(
        InputError, match=r"has commas with three digits after each in reward, for decimals or for thous"
    ):
        read_any(path, NAMED)


@pytest.mark.parametrize(
    ("rewards", "velocity"),
    [(("1,500", "0,750"), "4"), (("1,500", "1500"), "4"), (("1,500", "2,75"), "4"), (("1,500", "2,750"), "0,5")],
)
def test_one_number_that_says_what_a_comma_is_decides(rewards, velocity, tmp_path):
    path = log(tmp_path, [["3", velocity, "0", reward, "0", "1"] for reward in (*rewards, "0,5")[:2]] * 2)
    found = read_any(path, Reading(columns=(*COLUMNS, "episodes=run")))
    assert found.rewards[0] == 1.5


def test_texts_are_no_numbers_with_commas(tmp_path):
    cells = [["3.5", "4", "0", "1", "0", run] for run in ("12", "12", "a", "a")]
    assert len(read_any(log(tmp_path, cells), Reading(columns=(*COLUMNS, "episodes=run"))).ends) == 2


# Rounding


def saved(path: Path, **arrays: np.ndarray) -> Path:
    np.savez(path / "a.npz", **DATA | arrays)  # pyright: ignore[reportArgumentType]  (its stub takes them for an option)
    return path / "a.npz"


def test_what_float32_rounds_away_is_remarked_on(tmp_path):
    walk = np.random.default_rng(0).normal(size=COUNT + 1).cumsum()
    moved = {key: DATA[key].astype(np.float64) for key in ("observations", "next_observations")}
    for key, rows in (("observations", slice(COUNT)), ("next_observations", slice(1, None))):
        moved[key][:, 1] = 5.4e6 + walk[rows]
    remark = read_any(saved(tmp_path, **moved)).remarks
    assert [each.split(" is ")[0] for each in remark] == ["column 1 of observations", "column 1 of next_observations"]
    assert remark[0].endswith(
        "float32 has steps of 0.64 there: subtract an offset from it before, as float64 is not kept"
    )
    (note,) = read_any(saved(tmp_path, rewards=1e8 + walk[1:])).remarks
    assert note.startswith("rewards is 1e+08 with")
    path = saved(tmp_path, x=moved["observations"][:, 1], y=DATA["observations"][:, 0])
    columns = ("observations=x,y", "next_observations=")
    note, *_ = read_any(path, Reading(columns=columns)).remarks
    assert note.startswith("x is 5.4e+06 with a standard deviation of ")


@pytest.mark.parametrize("values", [np.full(COUNT, 0.1), DATA["rewards"].astype(np.float64), np.arange(COUNT)])
def test_what_float32_holds_is_not_remarked_on(values, tmp_path):
    assert read_any(saved(tmp_path, rewards=values)).remarks == ()


def tiny(rewards: np.ndarray) -> np.ndarray:
    return np.full(len(rewards), 1e-50)


def soft(costs: np.ndarray) -> np.ndarray:
    return np.maximum(costs.astype(np.float64), 1e-50)


def test_costs_below_float32s_smallest_number_are_nothing(tmp_path):
    """A soft cost, exp(-60 x), falls below it in most steps. Where no other cost is there, a remark says so."""
    remark = "{} are at most 1e-50, which is 0 in float32: no step costs anything"
    found = read_any(saved(tmp_path, costs=np.where(np.arange(COUNT) == 3, 1e-50, 0)))
    assert found.remarks == (remark.format("costs"),)
    assert not found.costs.any()
    found = read_any(saved(tmp_path, costs=soft(DATA["costs"])))
    assert found.remarks == ()
    np.testing.assert_array_equal(found.costs, DATA["costs"])
    found = read_any(saved(tmp_path), Reading(cost_function=f"{__name__}:tiny"))
    assert found.remarks[1:] == (remark.format(f"{__name__}:tiny"),)
    assert DATA["costs"].any()


def test_other_numbers_below_float32s_smallest_are_remarked_on(tmp_path):
    """Rewards of 1e-60 were read as 0 without a word."""
    remark = "{} at most 1e-60, which is 0 in float32: all are read as 0; multiply them by a factor before, as float64 "
    remark += "is not kept"
    small = np.where(np.arange(COUNT) % 3, -1e-60, 1e-60)
    assert read_any(saved(tmp_path, rewards=small)).remarks == (remark.format("rewards are"),)
    assert read_any(saved(tmp_path, rewards=small[:, None])).remarks == (remark.format("rewards are"),)
    actions = np.stack([DATA["actions"][:, 0], small], axis=1)
    assert read_any(saved(tmp_path, actions=actions)).remarks == (remark.format("column 1 of actions is"),)
    path = saved(tmp_path, x=small, y=DATA["observations"][:, 0])
    found = read_any(path, Reading(columns=("observations=x,y", "next_observations="))).remarks
    assert remark.format("x are") in found
    some = np.where(np.arange(COUNT) == 3, 1, small)
    assert read_any(saved(tmp_path, rewards=some)).remarks == ()  # nothing beside the 1


# The next observation


@pytest.mark.parametrize(("scale", "offset"), [(1e-4, 50), (1e-6, 0), (1, 1e6)])
def test_next_observations_are_compared_on_the_features_own_scale(scale, offset, tmp_path):
    """Degrees of a position on the globe change by millionths; any rows followed any others."""
    right = {key: DATA[key] * scale + offset for key in ("observations", "next_observations")}
    assert len(read_any(saved(tmp_path, **right)).ends) == 6
    wrong = right | {"next_observations": right["observations"]}
    with pytest.raises(
        InputError, match=r"in row 0 of next_observations, column 0: inside a trajectory the observations"
    ):
        read_any(saved(tmp_path, **wrong))


def test_next_observations_may_be_rounded(tmp_path):
    rounded = DATA["next_observations"] * (1 + 5e-5) + 1e-5
    assert len(read_any(saved(tmp_path, next_observations=rounded)).ends) == 6


@pytest.mark.parametrize("episodes", [6, 1])
def test_rows_that_were_rolled_do_not_follow_the_last_one(episodes, tmp_path):
    rows = slice(None) if episodes == 6 else slice(int(np.flatnonzero(DATA["terminals"] | DATA["timeouts"])[0]) + 1)
    data = {key: values[rows] for key, values in DATA.items()}
    data["timeouts"][-1], data["terminals"][-1] = True, False
    data["next_observations"] = np.roll(data["observations"], -1, axis=0)
    np.savez(tmp_path / "a.npz", **data)  # pyright: ignore[reportArgumentType]  (as above)
    found = read_any(tmp_path / "a.npz")
    assert not (found.next_observations[-1] == data["observations"][0]).all()
    assert "the first observation of the next trajectory" in found.remarks[0]


# A function of costs


def spoils(observations: np.ndarray, rewards: np.ndarray) -> np.ndarray:
    observations -= 7
    rewards[:] = 0
    return rewards


def test_a_cost_function_cannot_change_the_data(tmp_path):
    found = read_any(saved(tmp_path), Reading(cost_function=f"{__name__}:spoils"))
    np.testing.assert_array_equal(found.observations, DATA["observations"])
    np.testing.assert_array_equal(found.rewards, DATA["rewards"])
    assert not found.costs.any()
    assert not np.shares_memory(reading.costs_by(f"{__name__}:spoils", DATA), DATA["rewards"])


# What Minari says


def test_the_bounds_of_minaris_actions_are_those_of_the_data(tmp_path):
    folder = writers.write_minari(tmp_path, DATA)
    about = folder / "data" / "metadata.json"

    def bounds(low: list[float], high: list[float], given: CustomData = GIVEN) -> tuple[tuple[float, ...], ...]:
        space = {"type": "Box", "dtype": "float32", "shape": [len(low)], "low": low, "high": high}
        about.write_text(json.dumps({"action_space": json.dumps(space)}))
        task, data, _ = load_custom(folder, given)
        wanted = (DATA["actions"] - np.array(task.action_low)) / np.subtract(task.action_high, task.action_low) * 2 - 1
        np.testing.assert_allclose(data.actions, wanted, atol=1e-6)
        return task.action_low, task.action_high

    assert bounds([-2, -3], [2, 1.5]) == ((-2, -3), (2, 1.5))
    assert bounds([-np.inf, -3], [2, 1.5]) == ((-1, -1), (1, 1))
    assert bounds([-2], [2]) == ((-1, -1), (1, 1))
    assert bounds([-2, -3], [2, 1.5], CustomData(action_low=(-4,), action_high=(4,))) == ((-4, -4), (4, 4))
    with pytest.raises(InputError, match=r"actions from .* are accepted; --action-low and --action-high"):
        bounds([-0.01, -3], [0.01, 3])


def test_a_cost_in_front_of_the_first_step_is_rejected(tmp_path):
    """The padding may stand at the end, and every cost was taken for that of the step before."""
    data = DATA | {"costs": np.ones(COUNT)}
    path = writers.write_minari(tmp_path, data)
    with h5py.File(path / "data" / "main_data.hdf5", "r+") as file:
        costs = np.asarray(file["episode_0/infos/cost"])
        del file["episode_0/infos/cost"]
        file["episode_0/infos/cost"] = np.roll(costs, -1)
    with pytest.raises(InputError, match=r"has a cost of 1.0 in front of the .* steps of episode_0, in infos/cost: "):
        read_any(path)


@pytest.mark.parametrize("flag", ["terminations", "truncations"])
def test_an_end_inside_an_episode_of_minari_is_rejected(flag, tmp_path):
    path = writers.write_minari(tmp_path, DATA)
    with h5py.File(path / "data" / "main_data.hdf5", "r+") as file:
        flags = file[f"episode_2/{flag}"]
        assert isinstance(flags, h5py.Dataset)
        flags[1] = True
    with pytest.raises(InputError, match=r"has an end inside episode 2 of its episodes, counted from 0: "):
        read_any(path)


def test_two_costs_of_an_archive_are_not_chosen_from(tmp_path):
    path = saved(tmp_path, cost=DATA["costs"] + 1)
    with pytest.raises(InputError, match=r"has costs and cost, and either may be costs: .*=costs or .*=cost "):
        read_any(path)
    assert read_any(path, Reading(columns=("costs=cost",))).costs.min() == 1
    assert not read_any(path, Reading(cost_function=f"{__name__}:spoils")).costs.any()
