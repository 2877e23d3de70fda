"""What a custom data set is taken to be: sizes, bounds, limits, scores, and which task a file belongs to."""

from pathlib import Path

import gymnasium
import numpy as np
import pytest

from deep import training
from deep.data.custom import CustomData, assumptions, cost_limits, load_custom
from deep.data.load import task_of
from deep.envs.custom import interface
from deep.runs.experiment import Experiment
from deep.tasks import TASKS, make
from tests.support import custom_lab as custom_lab
from tests.support.builders import small_dataset
from tests.support.custom_runs import CART, arrays, write
from theory.support.errors import InputError


@pytest.fixture(scope="module")
def with_edge(tmp_path_factory) -> Path:
    return custom_lab.record(tmp_path_factory.mktemp("custom") / "edge.hdf5", name="CartWithEdge-v0")


def test_what_is_inferred_is_what_the_arrays_hold(with_edge):
    fields = arrays(with_edge)
    fields["costs"] /= 2  # costs that are not 0 or 1
    path = write(with_edge.with_name("half.hdf5"), fields)
    task, data, own = load_custom(path, CustomData(action_low=(-2,), action_high=(2,)))
    done = fields["terminals"] | fields["timeouts"]
    pieces = np.split(np.arange(len(done)), np.flatnonzero(done)[:-1] + 1)
    returns = [fields["rewards"][piece].astype(float).sum() for piece in pieces]
    costs = np.array([fields["costs"][piece].sum() for piece in pieces])
    assert (task.name, task.family, task.observation_size, task.action_size) == ("half", "custom", 2, 1)
    assert task.episode_length == own.episode_length == max(map(len, pieces))
    assert task.reward_range == pytest.approx((min(returns), max(returns)))
    assert task.max_cost == max(costs)
    assert task.cost_limits == cost_limits(costs)
    assert not task.simulated
    np.testing.assert_allclose(data.actions, fields["actions"] / 2, atol=1e-7)
    np.testing.assert_allclose(task.in_own_units(data.actions), fields["actions"], atol=1e-6)
    assert fields["terminals"].any()
    said = "\n".join(assumptions(task, data))
    assert f"{fields['terminals'].sum()} of {len(pieces)} end in a terminal state" in said


@pytest.mark.parametrize(
    ("costs", "limits"),
    [
        ([0, 0, 0], (1.0,)),
        ([0, 0, 0, 0, 100, 200, 300, 400, 500], (200.0, 300.0, 400.0)),
        ([10.4] * 5, (11.0,)),
        ([1234, 1234], (1300.0,)),
        ([0.5], (0.5,)),
        ([0.28], (0.28,)),  # .28 / .01 is a little more than 28
        ([0, 0.021, 0.0455, 0.09], (0.034, 0.046, 0.068)),
    ],
)
def test_limits_are_quartiles_that_are_never_zero_and_that_some_trajectory_keeps(costs, limits):
    found = cost_limits(np.array(costs, dtype=float))
    assert found == pytest.approx(limits)
    assert min(found) >= min(costs)


@pytest.mark.parametrize(
    ("returns", "found"),
    [([3, 7], (3, 7)), ([7, 7], (0, 7)), ([-5, -5], (-5, 0)), ([0, 0], (0, 1)), ([1000, 1000.0001], (0, 1000.0001))],
)
def test_scores_have_a_range_where_all_returns_are_alike(returns, found, tmp_path):
    rewards, ends = np.array(returns, dtype=np.float32), np.ones(2, dtype=bool)
    fields = {"observations": np.zeros((2, 1)), "next_observations": np.zeros((2, 1)), "actions": np.zeros((2, 1))}
    fields |= {"rewards": rewards, "costs": np.zeros(2), "terminals": ~ends, "timeouts": ends}
    assert load_custom(write(tmp_path / "alike.hdf5", fields), CustomData())[0].reward_range == pytest.approx(found)


def test_actions_may_pass_their_bounds_by_rounding(recorded, tmp_path):
    fields = arrays(recorded)
    fields["actions"][3] = 2 * (1 + 5e-6)
    data = load_custom(write(tmp_path / "rounded.hdf5", fields), CustomData(action_low=(-2,), action_high=(2,)))[1]
    assert data.actions[3, 0] == pytest.approx(1, abs=1e-5)


def test_options_say_otherwise(recorded):
    given = CustomData(None, 40, (-50.0, 3.0), (-4.0,), (2.0,))
    task, data, own = load_custom(recorded, given)
    assert own == given
    assert (task.episode_length, task.reward_range) == (40, (-50.0, 3.0))
    np.testing.assert_allclose(data.actions, (arrays(recorded)["actions"] + 1) / 3, atol=1e-6)
    assert task.in_own_units([-1, 0, 1]).tolist() == [-4, -1, 2]


def test_a_simulator_says_bounds_and_length(recorded):
    task, _, own = load_custom(recorded, CustomData(env="tests.support.custom_lab:CartWithEdge-v0"))
    assert own == CustomData("tests.support.custom_lab:CartWithEdge-v0", 30, own.reward_range, (-2.0,), (2.0,))
    assert load_custom(recorded, CustomData(env=CART, episode_length=45))[0].episode_length == 45
    # A limit that the environment brings with it, not its registration; and none at all, where the data decide.
    assert interface("tests.support.custom_lab:CartWithItsOwnClock-v0").episode_length == 25
    assert interface("tests.support.custom_lab:CartWithoutClock-v0").episode_length is None
    endless = load_custom(recorded, CustomData(env="tests.support.custom_lab:CartWithoutClock-v0"))[0]
    assert endless.episode_length == custom_lab.LENGTH
    env = make(task)
    env.reset(seed=0)
    twin = gymnasium.make("CartWithEdge-v0")
    twin.reset(seed=0)
    mine, theirs = env.step(np.array([-0.25])), twin.step(np.array([-0.5], dtype=np.float32))
    np.testing.assert_array_equal(mine[0], theirs[0])
    assert mine[1:4] == theirs[1:4]
    assert mine[4] == theirs[4]


def test_the_six_values_of_safety_gymnasium_are_understood(recorded):
    task, _, _ = load_custom(recorded, CustomData(env="tests.support.custom_lab:CartOfSix-v0"))
    env, twin = make(task), gymnasium.make("Cart-v0")
    env.reset(seed=3)
    twin.reset(seed=3)
    steps = [
        (env.step(np.array([1.0])), twin.step(np.array([2.0], dtype=np.float32))) for _ in range(custom_lab.LENGTH)
    ]
    for mine, theirs in steps:
        assert (mine[4]["cost"], mine[1], mine[3]) == (theirs[4]["cost"], theirs[1], theirs[3])
    assert steps[-1][0][3]


@pytest.mark.parametrize("cost", [-1.0, np.nan, np.inf])
def test_a_simulators_impossible_cost_is_refused(cost, recorded, monkeypatch):
    env = make(load_custom(recorded, CustomData(env=CART))[0])
    env.reset(seed=0)
    monkeypatch.setattr(custom_lab.Cart, "step", lambda self, action: (self.state, 0.0, False, False, {"cost": cost}))
    with pytest.raises(InputError, match=f"has the cost {cost}"):
        env.step(np.zeros(1))


def test_missing_successors_are_the_rows_after_and_nothing_is_invented_for_time_outs(tmp_path):
    """Trajectories of 3 steps that time out, 2 that terminate, 1 that times out, 1 that terminates, 2 that do both."""
    ends = {"terminals": [0, 0, 0, 0, 1, 0, 1, 0, 1], "timeouts": [0, 0, 1, 0, 0, 1, 0, 0, 1]}
    fields = {key: np.array(values, dtype=bool) for key, values in ends.items()}
    fields |= {"observations": np.arange(9.0)[:, None], "actions": np.zeros((9, 1)), "costs": np.ones(9)}
    task, data, _ = load_custom(write(tmp_path / "file.hdf5", fields | {"rewards": np.arange(9.0)}), CustomData())
    assert data.observations[:, 0].tolist() == [0, 1, 3, 4, 6, 7, 8]
    assert data.next_observations[:, 0].tolist() == [1, 2, 4, 4, 6, 8, 8]
    assert data.rewards.tolist() == [0, 1, 3, 4, 6, 7, 8]
    assert data.terminals.tolist() == [0, 0, 0, 1, 1, 0, 1]
    assert data.timeouts.tolist() == [0, 1, 0, 0, 0, 0, 1]
    assert task.episode_length == 3, "the step that is left out was played"
    assert "episodes of at most 3 steps (--episode-length), the data's have 1 to 3;" in assumptions(task, data)[1]
    said = "of 2 trajectories that timed out are left out with costs of 2, up to 1 in one, which no "
    assert said + "episode's cost here includes; 3 terminal steps" in assumptions(task, data)[-1]
    free = write(tmp_path / "free.hdf5", fields | {"rewards": np.arange(9.0), "costs": np.eye(9)[0]})
    task, data, _ = load_custom(free, CustomData())
    assert "of 2 trajectories that timed out are left out; 3 terminal steps" in assumptions(task, data)[-1]


# Which task a file belongs to


def test_a_file_says_its_task_by_its_attribute_or_by_dsrls_name_for_it(dataset_file, recorded, tmp_path):
    assert task_of(dataset_file) == TASKS["HopperVel"]
    assert task_of(recorded) is None
    named = write(tmp_path / TASKS["BallRun"].dsrl_file, arrays(recorded))
    assert task_of(named) == TASKS["BallRun"]


def test_nothing_named_is_hopper(build, dataset_file):
    assert training.settings_of(training.parse([])).task == "auto"
    assert build().settings.task == "HopperVel"  # by the file's attribute
    words = ["--algorithm", "bc_all", "--steps", "1", "--dynamics.steps", "0"]
    experiment = Experiment(training.settings_of(training.parse(words)))
    assert (experiment.task.name, experiment.data.source) == ("HopperVel", "embedded")
    own = Experiment(training.settings_of(training.parse([*words, "--task", "custom", "--dataset", str(dataset_file)])))
    assert own.task.family == own.settings.task == "custom"
    np.testing.assert_array_equal(own.data.actions, small_dataset().actions)
