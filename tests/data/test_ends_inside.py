"""Marks inside an episode, such as "goal reached", that split it: what the file holds beside them shows it."""

from typing import Any

import numpy as np
import pytest

from deep.data.conversion import read_any
from deep.data.reading import Reading
from deep.data.tails import suspicions
from tests.support import other_writers as writers
from tests.support.tables import rejected

EPISODES, LENGTH = 8, 12
EPISODE, STEP = np.divmod(np.arange(EPISODES * LENGTH), LENGTH)
LAST = np.equal(STEP, LENGTH - 1)
GOAL = (STEP % 4 == 3) & ~LAST
HALF = GOAL & (STEP == 3)  # leaves out of account what a length shows


def recording(**changed) -> dict[str, Any]:
    """Walks that begin anywhere, with the observation that followed each step, and ends by timeouts."""
    rng = np.random.default_rng(0)
    start, moves = rng.normal(size=(EPISODES, 1, 2)), rng.normal(size=(EPISODES, LENGTH, 2)) * 0.02
    walk = np.concatenate([start, start + np.cumsum(moves, axis=1)], axis=1)
    flat = {"observations": walk[:, :-1].reshape(-1, 2), "next_observations": walk[:, 1:].reshape(-1, 2)}
    flat |= {"actions": np.clip(moves.reshape(-1, 2), -1, 1), "rewards": rng.normal(size=len(STEP))}
    flat |= {"costs": (STEP % 3 == 0).astype(float), "terminals": np.zeros_like(LAST), "timeouts": LAST}
    return flat | changed


def written(path, kind: str, **changed):
    data = recording(**changed)
    if kind == "csv":
        pytest.importorskip("pyarrow")
        del data["next_observations"]
        return writers.write_csv(path / "a.csv", {key: values for key, values in data.items() if values is not None})
    if kind == "npz":
        return writers.write_npz(path / "a.npz", data)
    return writers.write_hdf5(path / "a", data)


KINDS = ("csv", "npz", "hdf5")
DONES = "--columns dones=timeouts terminals= timeouts= takes timeouts alone for the ends"
COUNTERS = {"t": STEP, "time": STEP * 0.05, "Timestep": 10 + 4 * STEP}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("counter", COUNTERS)
def test_a_counter_that_goes_on_across_terminals_alone_is_rejected(kind, counter, tmp_path):
    """The parts of an episode were taken for episodes, whose costs are a fraction of its own."""
    path = written(tmp_path, kind, terminals=GOAL, **{counter: COUNTERS[counter]})
    sentence = f"has {counter} [0-9.]+ after [0-9.]+ across the end in row 3, and {counter} begins anew after 7 others"
    rejected(path, f"{sentence}: .*; {DONES}; --columns steps= leaves {counter} out of account")
    whole = read_any(path, Reading(("dones=timeouts", "terminals=", "timeouts=")))
    assert len(whole.ends) == EPISODES
    assert len(read_any(path, Reading(("steps=",))).ends) == EPISODES + GOAL.sum()


def test_a_counter_under_any_name_that_an_option_gives(tmp_path):
    path = written(tmp_path, "npz", terminals=GOAL, k=STEP)
    assert len(read_any(path).ends) == EPISODES + GOAL.sum()
    rejected(path, "has k 4 after 3 across the end in row 3", "steps=k")


def test_a_counter_that_begins_anew_after_terminals_too_proposes_no_timeouts(tmp_path):
    """They would not be all ends."""
    fell = LAST & (EPISODE % 2 == 0)
    path = written(tmp_path, "npz", terminals=GOAL | fell, timeouts=LAST & ~fell, t=STEP)
    rejected(path, "episode goes on; --columns steps= leaves t out of account; rows")


@pytest.mark.parametrize("kind", KINDS)
def test_a_counter_that_leaves_it_open_is_remarked_on(kind, tmp_path):
    """Of dones alone nothing says which of them are terminals."""
    path = written(tmp_path, kind, terminals=None, timeouts=None, dones=LAST | HALF, t=STEP) if kind == "csv" else None
    if path is None:
        data = {
            key: values for key, values in recording(dones=LAST | HALF, t=STEP).items() if key[0] != "t" or key == "t"
        }
        path = writers.write_npz(tmp_path / "a.npz", data)
    found = [each for each in read_any(path).remarks if "goes on across 8 ends, and begins anew after 7 others" in each]
    assert len(found) == 1


@pytest.mark.parametrize("counter", [STEP, np.arange(len(STEP)), LENGTH - STEP, np.zeros(len(STEP)), STEP // 3])
def test_counters_of_an_ordinary_file_say_nothing(counter, tmp_path):
    fell = LAST & (EPISODE % 2 == 0)
    for kind in KINDS:
        found = read_any(
            written(tmp_path, kind, terminals=fell, timeouts=LAST & ~fell, t=counter),
            Reading(("steps=",) if ((counter[1:] <= counter[:-1]) & ~LAST[:-1]).any() else None),
        )
        assert len(found.ends) == EPISODES
        assert not any("goes on" in each for each in found.remarks)


def test_a_step_of_each_of_several_environments_says_nothing(tmp_path):
    """It begins anew where the rows of the next environment begin."""
    env = EPISODE // 4
    path = written(tmp_path, "npz", terminals=LAST, timeouts=~LAST & LAST, t=np.arange(len(STEP)) % 48, env=env)
    assert not any("goes on" in each for each in read_any(path, Reading(("environments=env",))).remarks)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("number", ["trajectory_id", "trial"])
def test_an_end_inside_an_episode_by_its_number_is_rejected(kind, number, tmp_path):
    """A change of such a number without an end was rejected, an end without a change was not."""
    path = written(tmp_path, kind, terminals=GOAL, **{number: EPISODE})
    proposed = f"--columns episodes={number} terminals= timeouts= takes {number} alone for the ends"
    rejected(path, f"has an end in row 3, inside {number} 0: .*{proposed}, --columns episodes= leaves")
    assert len(read_any(path, Reading((f"episodes={number}", "terminals=", "timeouts="))).ends) == EPISODES
    assert len(read_any(path, Reading(("episodes=",))).ends) == EPISODES + GOAL.sum()


def test_a_number_of_several_episodes_is_remarked_on(tmp_path):
    """Episodes that timed out are whole; a trial may be of several."""
    (remark,) = read_any(written(tmp_path, "npz", trial=EPISODE // 2)).remarks
    assert remark.startswith("4 ends are inside trial, the first one in row 11: if an episode goes on there")


@pytest.mark.parametrize("number", [{"run": EPISODE // 2}, {"trial": EPISODE // 2 % 2}, {"trial": 0 * EPISODE}])
def test_a_number_of_something_else_says_nothing(number, tmp_path):
    """Of runs of many episodes, one that comes back, and one that never changes."""
    assert len(read_any(written(tmp_path, "npz", **number)).ends) == EPISODES


REMARK = "terminals are the next row's observation, as near as within trajectories: if an episode goes on there"


def test_next_observations_that_go_on_at_terminals_are_remarked_on(tmp_path):
    (remark,) = read_any(written(tmp_path, "npz", terminals=GOAL)).remarks
    assert remark.startswith("next_observations of")
    assert REMARK in remark


@pytest.mark.parametrize("grid", [False, True])
def test_the_first_observation_of_the_next_episode_after_terminals_is_no_sign(grid, tmp_path):
    """A simulator that resets itself reports it; on a grid of one-hot vectors all are equally far."""
    data = recording(terminals=LAST, timeouts=~LAST & LAST)
    if grid:
        data["observations"] = np.eye(LENGTH)[STEP]
    data["next_observations"] = np.roll(data["observations"], -1, axis=0)
    assert read_any(writers.write_npz(tmp_path / "a.npz", data)).remarks == ()


SINGLE = "trajectories have a single step"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("terminals", [LAST | ~LAST, ~GOAL])
def test_trajectories_of_a_single_step_are_remarked_on(kind, terminals, tmp_path):
    """Flags in all rows, or in those that are no end."""
    found = read_any(written(tmp_path, kind, terminals=terminals, timeouts=LAST & False))
    assert any(SINGLE in each for each in found.remarks)


def test_a_last_step_that_was_left_out_counts(tmp_path):
    """Trajectories of two steps without next_observations have one left."""
    even = np.arange(len(STEP)) % 2 == 1
    found = read_any(written(tmp_path, "csv", timeouts=even))
    assert set(found.lengths) == {1}
    assert not any(SINGLE in each for each in suspicions(found))


def test_single_steps_that_are_left_out_count(tmp_path):
    """As of episodes by turns: the remark counted what was left, one long trajectory."""
    by_turns = np.arange(len(STEP)) >= len(STEP) - EPISODES
    found = read_any(written(tmp_path, "csv", timeouts=by_turns))
    assert len(found.lengths) == 1
    (said,) = [each for each in found.remarks if SINGLE in each]
    assert said.startswith(f"{EPISODES - 1} of {EPISODES} {SINGLE}")


def test_sums_of_costs_over_the_whole_file_are_remarked_on(tmp_path):
    """Those that begin anew in every trajectory were, these were not."""
    costs, note = (1 + STEP + EPISODE) % 2, "costs never decrease from the first row to the last, and grow to "
    for before in (0, 500):
        remarks = read_any(written(tmp_path, "npz", costs=before + np.cumsum(costs))).remarks
        assert [each.startswith(note) for each in remarks] == [True]
    late = (np.arange(len(STEP)) >= len(STEP) // 2).astype(float)
    for given in (late, 7.0 * late, 5 + 0.0 * STEP):
        assert read_any(written(tmp_path, "npz", costs=given)).remarks == ()


def test_costs_of_whole_episodes_and_costs_to_come_are_remarked_on(tmp_path):
    """Those of the steps so far were, these were not."""
    costs = (1 + STEP + EPISODE) % 2
    total = np.bincount(EPISODE, EPISODE * costs)[EPISODE]
    to_come = np.concatenate([np.cumsum(part[::-1])[::-1] for part in np.split(costs, EPISODES)])
    for given, note in ((total, "costs stay the same in every"), (to_come, "costs never increase within a trajectory")):
        assert any(note in each for each in read_any(written(tmp_path, "npz", costs=given)).remarks)
    for given in (costs, np.ones(len(STEP)), 1 + EPISODE % 2, (STEP < 3).astype(float), 0 * STEP):
        assert read_any(written(tmp_path, "npz", costs=given)).remarks == ()
