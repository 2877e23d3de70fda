"""What a table says of the order of its rows: numbers of episodes, steps, and marks of ends that contradict them."""

from typing import Any

import numpy as np
import pytest

from deep.data.conversion import read_any
from deep.data.reading import Reading
from tests.support.tables import DATA, ENDS, FLAGS, LAST, LENGTHS, NUMBER, ROWS, STEP, rejected, table
from theory.support.errors import InputError

pytest.importorskip("pyarrow")  # of the extra `data`
BY_STEP = np.lexsort((NUMBER, STEP))


@pytest.mark.parametrize("flags", [FLAGS, {"terminated": FLAGS["terminated"]}, {"done": ENDS}, {}])
def test_a_number_of_an_episode_does_not_come_back(flags, tmp_path):
    """Rows sorted by step: every row was a trajectory, or the flags joined strangers."""
    rejected(table(tmp_path, BY_STEP, episode=NUMBER, **flags), "has episode 0 again in row 6, after other episodes")
    assert len(read_any(table(tmp_path, episode=NUMBER, **flags)).ends) == 6


def test_numbers_can_be_left_out_of_account(tmp_path):
    path = table(tmp_path, episode=NUMBER % 3, **FLAGS)
    rejected(
        path, "has episode 0 again in row .*, or --columns episodes= leaves the numbers of episodes out of account"
    )
    assert len(read_any(path, Reading(columns=("episodes=",))).ends) == 6
    for text in ("costs=", "observations=", "episodes"):
        rejected(path, f"--columns {text}: KEY=NAME.*; next_observations= and the like leave out", text)


def test_a_flag_inside_an_episode_is_rejected(tmp_path):
    second = np.roll(ENDS, 2)
    none = np.zeros_like(second)
    sentence = "has {} in row 1, inside episode 0: .*; --columns {} leaves"
    rejected(table(tmp_path, episode=NUMBER, terminated=second), sentence.format("terminated", "terminals="))
    rejected(table(tmp_path, episode=NUMBER, truncated=second), sentence.format("truncated", "timeouts="))
    path = table(tmp_path, episode=NUMBER, terminated=second, truncated=none)
    rejected(path, sentence.format("terminated", "episodes="))
    path = table(tmp_path, episode=NUMBER, terminated=second)
    assert len(read_any(path, Reading(columns=("terminals=",))).ends) == 6


def test_dones_and_flags_that_disagree_are_rejected(tmp_path):
    """All timeouts but the last one were lost, and five episodes became one."""
    lost = np.zeros_like(ENDS)
    lost[-1] = True
    path = table(tmp_path, done=ENDS, terminated=DATA["terminals"] & lost, truncated=lost)
    rejected(path, f"has done 1 in row {LAST}, and 0 by terminated and truncated: .*--columns dones= .*timeouts=")
    assert len(read_any(path, Reading(columns=("terminals=", "timeouts="))).ends) == 6
    assert len(read_any(path, Reading(columns=("dones=",))).ends) < 6
    for agreeing in (ENDS, DATA["terminals"]):
        assert len(read_any(table(tmp_path, done=agreeing, **FLAGS)).ends) == 6
    for name in FLAGS:
        path = table(tmp_path, done=lost, **{name: ENDS})
        rejected(path, f"has done 0 in row {LAST}, and 1 by {name}: marks of the ends that agree")


# Steps

WITHIN = np.arange(len(ENDS))
WITHIN[2], WITHIN[3] = 3, 2


@pytest.mark.parametrize(
    ("marks", "key", "kind", "terminals"),
    [
        ({"done": ENDS, "TimeLimit.truncated": ENDS}, "timeouts", "timeout", 0),
        ({"episode": NUMBER, "is_terminal": DATA["terminals"]}, "terminals", "terminal", DATA["terminals"].sum()),
    ],
)
def test_a_flag_that_was_not_read_may_not_contradict_the_kind_of_end(marks, key, kind, terminals, tmp_path):
    path, array = table(tmp_path, **marks), list(marks)[1]
    rejected(path, f"marks a {kind} in row [0-9]+ by {array}, .*--columns {key}={array} reads {array}")
    read = read_any(path, Reading(columns=(f"{key}={array}",)))
    assert read.terminals.sum() == terminals


def test_dones_of_several_environments_side_by_side_are_rejected(tmp_path):
    arrays: dict[str, Any] = {key: np.stack([values, values], 1) for key, values in (ROWS | {"dones": ENDS}).items()}
    np.savez(tmp_path / "a.npz", **arrays)
    rejected(tmp_path / "a.npz", r"has dones of shape \(\d+, 2\): one value for each transition is accepted")


ORDERS = {
    "reversed": (np.lexsort((-STEP, NUMBER)), f"has t {LAST - 1} in row 1, after {LAST}, in one trajectory"),
    "shuffled inside an episode": (WITHIN, "has t 2 in row 3, after 3, in one trajectory"),
    "twice": (np.repeat(np.arange(len(ENDS)), 2), "has t 0 in row 1, after 0, in one trajectory"),
    "rows missing": (np.delete(np.arange(len(ENDS)), 3), "has t 4 in row 3, right after 2, in one trajectory"),
}


@pytest.mark.parametrize(("rows", "sentence"), ORDERS.values(), ids=ORDERS)
def test_steps_increase_within_a_trajectory(rows, sentence, tmp_path):
    path = table(tmp_path, rows, episode=NUMBER, t=STEP)
    rejected(path, sentence + ": .*sort the rows by episode and step, or --columns steps= leaves t out of account")
    assert len(read_any(path, Reading(columns=("steps=",))).ends) == 6


@pytest.mark.parametrize("name", ["t", "Step", "time", "time_step", "timestep"])
def test_a_restart_inside_an_episode_is_rejected(name, tmp_path):
    path = table(tmp_path, episode=NUMBER // 2, **{name: STEP / 20})
    rejected(path, f"has {name} 0.0 in row {LAST + 1}, after {LAST / 20}, in one trajectory")
    path = table(tmp_path, episode=NUMBER, **{name: STEP / 20})
    assert len(read_any(path).ends) == 6
    path = table(tmp_path, episode=NUMBER, **{name: np.arange(len(ENDS)) * 4})
    assert len(read_any(path).ends) == 6


def test_steps_may_have_any_name_or_be_read(tmp_path):
    path = table(tmp_path, episode=NUMBER // 2, count=STEP)
    assert len(read_any(path).ends) == 3
    rejected(path, f"has count 0 in row {LAST + 1}, after {LAST}", "steps=count")
    rejected(path, "has no array counts: .*--columns steps=count may serve", "steps=counts")
    path = table(tmp_path, episode=NUMBER // 2, t=STEP)  # as an observation it may be anything
    observations = read_any(path, Reading(columns=("observations=observations_0,t",))).observations
    assert observations.shape[1] == 2
    path = table(tmp_path, episode=NUMBER // 2, t=np.full(len(ENDS), "a"))
    assert len(read_any(path).ends) == 3


def test_gaps_of_a_measured_time_are_remarked_on(tmp_path):
    time = STEP * 0.05 + (STEP > 3)
    assert read_any(table(tmp_path, episode=NUMBER, time=STEP * 0.05 + 0.02 * np.sin(STEP))).remarks[1:-1] == ()
    remark = f"time has {int((LENGTHS > 4).sum())} gaps inside trajectories, the first one after row 3"
    assert remark in read_any(table(tmp_path, episode=NUMBER, time=time)).remarks


CLOCK = 1_700_000_000_000 + np.arange(len(ENDS)) * 100 + np.arange(len(ENDS)) % 7 + (np.arange(len(ENDS)) > 3) * 130
SECONDS = np.datetime64("2026-01-01T00:00:00") + STEP
CLOCKS = {
    "milliseconds": CLOCK,
    "seconds with gaps": STEP * 60 + STEP // 3 * 100,
    "every tenth of a second, stamped in seconds": np.datetime_as_string(SECONDS - STEP + STEP // 10),
    "rounded": np.round(STEP * 0.05, 1),
    "float32": (1.7e9 + np.arange(len(ENDS)) * 0.1).astype(np.float32),
    "start of the episode": NUMBER * 7.5,
}


@pytest.mark.parametrize("clock", CLOCKS.values(), ids=CLOCKS)
def test_a_time_may_stand_still_and_have_gaps(clock, tmp_path):
    path = table(tmp_path, episode=NUMBER, time=clock)
    found = read_any(path)
    assert len(found.ends) == 6
    assert any(note.startswith(("time has ", "time stands still after ")) for note in found.remarks)
    rows = np.arange(len(ENDS))
    rows[:LAST] = rows[:LAST][::-1]
    if len(np.unique(clock[:LAST])) > 1:
        rejected(table(tmp_path, rows, episode=NUMBER, time=clock), "has time .* after .*, in one trajectory")


def test_rows_that_stand_twice_show_in_a_time(tmp_path):
    twice = np.repeat(np.arange(len(ENDS)), 2)
    for clock in (STEP / 20, np.datetime_as_string(SECONDS)):
        rejected(
            table(tmp_path, twice, episode=NUMBER, time=clock), "has time .* in row 1, after .*, in one trajectory"
        )


def test_a_counter_without_a_fault_settles_what_other_columns_leave_open(tmp_path):
    frame = STEP * 4 + (STEP > 3) * 4
    rejected(table(tmp_path, episode=NUMBER, step=frame), "has step 20 in row 4, right after 12, in one trajectory")
    found = read_any(table(tmp_path, episode=NUMBER, step=frame, t=STEP))
    assert any(note.startswith("step has ") for note in found.remarks)
    assert len(read_any(table(tmp_path, episode=NUMBER, step=STEP // 2, t=STEP)).ends) == 6
    rejected(table(tmp_path, episode=NUMBER, step=STEP // 2), "has step 0 in row 1, after 0, in one trajectory")
    path = table(tmp_path, episode=NUMBER, time=-STEP / 20, t=STEP)
    rejected(path, "has time -0.05 in row 1, after 0.0, .* --columns steps=t goes by t alone, which increases through")
    assert len(read_any(path, Reading(columns=("steps=t",))).ends) == 6


def test_rows_are_numbered_as_in_the_file_where_some_are_left_out(tmp_path):
    flags = {"terminated": DATA["terminals"], "truncated": DATA["timeouts"].copy()}
    flags["truncated"][-1] = False
    step = STEP.copy()
    step[-1 - int(LENGTHS[-1])] = 0
    path = table(tmp_path, t=step, **flags)
    with pytest.raises(InputError, match=f"has t 0 in row {len(ENDS) - 1 - LENGTHS[-1]}, after"):
        read_any(path, Reading(last_trajectory="drop"))


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        (
            {"cost": DATA["costs"] + 1},
            "has costs and cost, and either may be costs: --columns costs=costs or .*costs=cost ",
        ),
        ({"terminals": ENDS}, "has terminated and terminals, and either may be terminals"),
        (
            {"Observations": STEP},
            "has Observations and observations_0,observations_1,observations_2, and either may be",
        ),
        ({"Done": ENDS, "done": ENDS}, "has Done and done, and either may be dones"),
        ({"obs": STEP}, "has obs and observations_0,"),
        ({"observations_01": STEP}, "has observations_1 and observations_01: one column of each number .*NAME,NAME"),
    ],
)
def test_two_columns_of_one_meaning_are_rejected(columns, sentence, tmp_path):
    rejected(table(tmp_path, **FLAGS, **columns), sentence)


def test_an_option_says_which_of_two_columns_is_meant(tmp_path):
    path = table(tmp_path, Observations=STEP, cost=DATA["costs"] + 1, **FLAGS)
    columns = ("observations=observations_0,observations_1,observations_2", "costs=cost")
    found = read_any(path, Reading(columns=columns))
    assert found.observations.shape[1] == 3
    assert found.costs.min() == 1
    found = read_any(path, Reading(columns=("observations=Observations", "costs=cost")))
    assert found.observations.shape[1] == 1


# Counters under other names

ACROSS = np.lexsort((DATA["rewards"], NUMBER))
MIXED = np.random.default_rng(0).permutation(len(ENDS))
COUNTERS = {
    "from 0 on in each": STEP,
    "of a simulator, four to a step": 10 + 4 * STEP,
    "of the file": np.arange(len(ENDS)),
    "as decimals": STEP + 0.0,
}


@pytest.mark.parametrize("counter", COUNTERS.values(), ids=COUNTERS)
@pytest.mark.parametrize("name", ["k", "index", "sim_tick"])
def test_rows_out_of_order_show_in_a_counter_of_any_name(counter, name, tmp_path):
    path = table(tmp_path, ACROSS, episode=NUMBER, **{name: counter})
    rejected(
        path, f"has {name} [0-9.]+ in row [0-9]+, after [0-9.]+, in one trajectory: .*--columns steps= leaves {name}"
    )
    assert len(read_any(path, Reading(columns=("steps=",))).ends) == 6
    assert len(read_any(table(tmp_path, episode=NUMBER, **{name: counter})).ends) == 6


def test_a_row_number_shows_that_a_file_was_mixed(tmp_path):
    done = {"done": ENDS[np.argsort(MIXED)]}
    rejected(
        table(tmp_path, MIXED, row=np.arange(len(ENDS)), **done), "has row [0-9]+ in row [0-9]+, after [0-9]+, in one"
    )
    arrays = {key: values[MIXED] for key, values in (ROWS | {"dones": done["done"], "row": np.arange(67)}).items()}
    np.savez(tmp_path / "a.npz", **arrays)  # pyright: ignore[reportArgumentType]
    rejected(tmp_path / "a.npz", "has row [0-9]+ in row [0-9]+, after [0-9]+, in one trajectory")


@pytest.mark.parametrize(
    "columns",
    [
        {"left": np.repeat(LENGTHS, LENGTHS) - STEP},
        {"choice": np.arange(len(ENDS)) * 7 % 5},
        {"lap": STEP // 3},
        {"rank": np.argsort(np.argsort(DATA["rewards"])), "tick": np.arange(len(ENDS))},
        {"id": MIXED},  # drawn for each row
        {"name": np.full(len(ENDS), "a")},
        {"mark": ENDS},
        {"seed": NUMBER},
    ],
)
def test_whole_numbers_that_are_no_counter_say_nothing(columns, tmp_path):
    """Or that are contradicted by one that increases throughout."""
    assert len(read_any(table(tmp_path, episode=NUMBER, **columns)).ends) == 6


def test_a_permutation_in_short_trajectories_is_no_counter(tmp_path):
    """Flags of two rows are 0 and 1, or 1 and 0."""
    pairs = np.arange(len(ENDS)) // 2
    flag = (np.arange(len(ENDS)) + pairs) % 2
    assert len(read_any(table(tmp_path, np.arange(66), episode=pairs, flag=flag)).ends) == 33


def test_an_array_that_was_read_is_no_counter(tmp_path):
    path = table(tmp_path, episode=NUMBER, city=np.where(STEP < 2, 1 - STEP, STEP))
    rejected(path, "has city 0 in row 1, after 1, in one trajectory")
    assert read_any(path, Reading(columns=("observations=observations_0,city",))).observations.shape[1] == 2
