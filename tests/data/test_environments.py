"""Several environments in one file: side by side, as a replay buffer has them, and by turns, as a log has them."""

from typing import Any

import numpy as np
import pytest

from deep.data.conversion import read_any
from deep.data.dataset import KEYS
from deep.data.reading import Reading
from tests.support import other_writers as writers
from tests.support.tables import DATA, ENDS, FLAGS, NUMBER, ROWS, STEP, rejected, table

pytest.importorskip("pyarrow")  # of the extra `data`
ENV = NUMBER % 2
"""Two environments have three episodes each."""
WITHIN = np.where(ENV == 0, np.cumsum(ENV == 0), np.cumsum(ENV == 1))
TURNS = np.lexsort((ENV, WITHIN))
"""The rows of both by turns, as they are recorded."""
APART = np.lexsort((np.arange(len(ENV)), ENV))
READ = ("environments=env_id",)


# Side by side


@pytest.mark.parametrize("writer", [writers.write_npz, writers.write_hdf5])
def test_a_replay_buffer_of_one_environment_is_read(writer, tmp_path):
    """stable-baselines3 saves (n, environments, k), and (n, environments) for what is one number."""
    arrays = {key: DATA[key][:, None] for key in KEYS if key != "terminals"} | {"dones": ENDS[:, None]}
    found = read_any(writer(tmp_path / "buffer.npz", arrays))
    for key in KEYS:
        np.testing.assert_array_equal(getattr(found, key), DATA[key], err_msg=key)
    assert found.remarks == (
        "observations, next_observations, actions of shape (67, 1, k) are taken for (67, k), as those of one "
        "environment",
    )


def test_a_replay_buffer_of_several_environments_is_rejected(tmp_path):
    arrays = {key: np.stack([DATA[key]] * 2, 1) for key in KEYS if key != "terminals"}
    path = writers.write_npz(tmp_path / "a.npz", arrays | {"dones": np.stack([ENDS] * 2, 1)})
    rejected(path, r"has dones of shape \(67, 2\): one value for each .*, and a file for each of several environments")


# By turns


@pytest.mark.parametrize("name", ["env_id", "Env", "actor", "worker_ids"])
@pytest.mark.parametrize("marks", [{"done": ENDS}, FLAGS])
def test_rows_of_several_environments_by_turns_are_rejected(name, marks, tmp_path):
    """They were read as one trajectory after another."""
    path = table(tmp_path, TURNS, **marks, **{name: ENV})
    rejected(
        path,
        f"has another {name} after row 0, within a trajectory, .*; --columns environments={name} takes the rows of "
        f"each {name} together, in their order; --columns environments= leaves it out of account; rows are counted "
        "from 0$",
    )
    assert len(read_any(path, Reading(columns=("environments=",))).ends) == 6


MARKS: dict[str, dict[str, Any]] = {
    "dones": {"done": ENDS},
    "flags": FLAGS,
    "flags and numbers of each environment": FLAGS | {"episode": NUMBER // 2},
    "a counter of steps": FLAGS | {"t": STEP},
}


@pytest.mark.parametrize("marks", MARKS.values(), ids=MARKS)
@pytest.mark.parametrize("label", [ENV, np.array(["left", "right"])[ENV]])
def test_they_are_those_of_one_environment_after_another(marks, label, tmp_path):
    found = read_any(table(tmp_path, TURNS, env_id=label, **marks), Reading(columns=READ))
    marks = {key: values for key, values in marks.items() if key != "episode"}
    wanted = read_any(table(tmp_path, APART, **marks))
    for key in KEYS:
        np.testing.assert_array_equal(getattr(found, key), getattr(wanted, key), err_msg=key)
    assert found.remarks == ("rows are sorted by env_id, of which there are 2", *wanted.remarks)


@pytest.mark.parametrize("form", ["npz", "hdf5", "with next_observations"])
def test_they_are_sorted_in_every_format(form, tmp_path):
    arrays = {key: DATA[key][TURNS] for key in KEYS} | {"env_id": ENV[TURNS][:, None]}
    writer = writers.write_npz if form == "npz" else writers.write_hdf5 if form == "hdf5" else writers.write_csv
    path = writer(tmp_path / f"a.{'csv' if writer is writers.write_csv else form}", arrays)
    found = read_any(path, Reading(columns=("environments=env_id_0",) if writer is writers.write_csv else READ))
    for key in KEYS:
        np.testing.assert_array_equal(getattr(found, key), DATA[key][APART], err_msg=key)


@pytest.mark.parametrize("flag", ["terminated", "truncated", None])
def test_the_last_episode_of_each_has_an_end_that_is_assumed(flag, tmp_path):
    """Numbers of episodes show no end of the last one; it is no terminal, and can be left out for each."""
    marks = {"episode": NUMBER // 2} | ({flag: FLAGS[flag]} if flag else {})
    path = table(tmp_path, TURNS, env_id=ENV, **marks)
    found = read_any(path, Reading(columns=READ))
    assert len(found.ends) == 6
    assert found.terminals.sum() == {"terminated": 1, "truncated": 1, None: 0}[flag]
    note = "the ends of the last trajectories of 2 environments are assumed: "
    assert any(each.startswith(note) for each in found.remarks) == (flag != "truncated")
    dropped = read_any(path, Reading(columns=READ, last_trajectory="drop"))
    assert len(dropped.ends) == (6 if flag == "truncated" else 4)
    assert dropped.terminals.sum() == found.terminals.sum()


@pytest.mark.parametrize("marks", [{"done": ENDS}, FLAGS])
def test_an_environment_that_stops_within_a_trajectory_is_named_or_cut(marks, tmp_path):
    kept = TURNS[:50]
    path = table(tmp_path, kept, env_id=ENV, **marks)
    last = int(np.flatnonzero(ENV[kept] == 0)[-1])
    rejected(
        path,
        f"stops within a trajectory of env_id 0, after row {last}: --last-trajectory drop leaves out the rows after",
        *READ,
    )
    found = read_any(path, Reading(columns=READ, last_trajectory="drop"))
    whole = [e for e in range(6) if np.isin(np.flatnonzero(e == NUMBER), kept).all()]
    assert len(found.ends) == len(whole)
    note = f"{50 - np.isin(NUMBER, whole).sum()} rows of trajectories that were cut off are left out"
    assert note in found.remarks
    assert found.terminals.sum() == DATA["terminals"][np.isin(NUMBER, whole)].sum()


@pytest.mark.parametrize("drop", [None, "drop"])
def test_dones_that_the_last_episodes_lack_are_still_ends(drop, tmp_path):
    """The log stops within an episode of each; that says nothing of what dones mean."""
    path = table(tmp_path, TURNS[:58], env_id=ENV, episode=NUMBER // 2, done=ENDS)
    found = read_any(path, Reading(columns=READ, last_trajectory=drop))
    note = "done do not say why a trajectory ended: 3 of 12 steps are taken for timeouts, 1 shorter ones for terminals"
    assert note in found.remarks
    assert found.terminals.sum() == 1
    assert len(found.ends) == (4 if drop else 6)
    assert any("2 of 6 episodes by episode end without a flag" in each for each in found.remarks) == (drop is None)


def test_numbers_that_come_back_are_not_sorted_over_environments(tmp_path):
    """Both count their episodes from 0 on; sorted by episode, strangers would be one."""
    path = table(tmp_path, TURNS, env_id=ENV, episode=NUMBER // 2)
    rejected(
        path, "has episode 0 again in row .*; --columns environments=env_id takes the rows of each env_id together"
    )


def test_a_rejection_names_the_row_of_the_file(tmp_path):
    """Where the rows were sorted before, it is the row of the file or said to be another one."""
    costs = DATA["costs"].copy()
    costs[TURNS[9]] = -1
    rejected(table(tmp_path, TURNS, env_id=ENV, costs=costs, **FLAGS), "has -1.0 in row 9 of costs: ", *READ)
    done = ENDS + 0.0
    done[APART[9]] = 2
    sentence = "has 2.0 in row 9 of done: .*; rows are counted with those of each env_id together"
    rejected(table(tmp_path, TURNS, env_id=ENV, done=done), sentence, *READ)
    step = STEP.copy()
    step[TURNS[9]] = 20
    rejected(table(tmp_path, TURNS, env_id=ENV, t=step, **FLAGS), "has t [0-9]+ in row (9|1[01]), ", *READ)


def test_an_environment_that_changes_between_trajectories_is_none_by_turns(tmp_path):
    assert len(read_any(table(tmp_path, None, env_id=ENV, **FLAGS)).ends) == 6


def test_columns_that_number_workers_are_no_vector(tmp_path):
    assert len(read_any(table(tmp_path, None, worker_1=ENV, worker_3=ENV, **FLAGS)).ends) == 6


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        ("environments=envs", "has no array envs: .*--columns environments=env_id may serve"),
        ("environments=observations", r"has observations of shape \(67, 3\): one environment for each row"),
    ],
)
def test_what_is_no_environment_is_rejected(columns, sentence, tmp_path):
    rejected(table(tmp_path, TURNS, env_id=ENV, **FLAGS), sentence, columns)


def test_a_folder_of_several_environments_by_turns_is_rejected(tmp_path):
    for i, rows in enumerate(np.split(TURNS, [30])):
        data = {key: values[rows] for key, values in (ROWS | FLAGS | {"env_id": ENV}).items()}
        writers.write_csv(tmp_path / f"{i}.csv", data)
    rejected(tmp_path, "is a folder, and has environments=env_id beside it: one file is accepted with it", *READ)
