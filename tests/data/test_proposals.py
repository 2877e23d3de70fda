"""Rejections whose proposals work when they are followed, and kinds of columns that are read or named plainly."""

import decimal
import re
import shlex
from pathlib import Path

import h5py
import numpy as np
import pytest

from deep.data.conversion import read_any
from deep.data.reading import Reading
from tests.support import other_writers as writers
from theory.support.errors import InputError

pytest.importorskip("pyarrow")  # of the extra `data`
DATA = writers.recording()
OBSERVATIONS = ("observations/goal", "observations/state")


def proposed(path: Path, *columns: str) -> tuple[str, ...]:
    """The columns that the rejection of a file proposes."""
    with pytest.raises(InputError) as error:
        read_any(path, Reading(columns=columns or None))
    assert "\n" not in str(error.value)
    found = re.search(r"--columns (.*?) (may serve|and --cost|reads|takes)", str(error.value))
    return tuple(found[1].split(" ")) if found else ()


@pytest.mark.parametrize("form", ["hdf5", "minari"])
def test_a_dictionary_of_observations_is_joined_as_proposed(form, tmp_path):
    if form == "minari":
        path = writers.write_minari(tmp_path, DATA)
        with h5py.File(path / "data" / "main_data.hdf5", "r+") as file:
            for episode in list(file):
                file.move(f"{episode}/observations", f"{episode}/state")
                for name in OBSERVATIONS:
                    file[f"{episode}/{name}"] = np.asarray(file[f"{episode}/state"])
    else:
        path = tmp_path / "a.hdf5"
        with h5py.File(path, "w") as file:
            for key in DATA.keys() - {"observations", "next_observations"}:
                file[key] = DATA[key]
            for name in OBSERVATIONS:
                file[name] = DATA["observations"]
            file["observations/camera"] = np.zeros((len(DATA["rewards"]), 2, 2))
    columns = proposed(path)
    assert columns == (f"observations={','.join(OBSERVATIONS)}",)
    assert read_any(path, Reading(columns=columns)).observations.shape[1] == 6


def test_a_proposal_names_an_array_for_all_that_is_missing(tmp_path):
    path = writers.write_csv(tmp_path / "a.csv", DATA)
    columns = proposed(path, "observations=pos,vel", "actions=torque")
    assert columns == ("observations=observations", "actions=actions")
    assert len(read_any(path, Reading(columns=columns)).ends) == 6


def test_what_is_of_no_rows_is_not_proposed_for_ends(tmp_path):
    ends = np.flatnonzero(DATA["terminals"] | DATA["timeouts"]) + 1
    arrays = {key: DATA[key] for key in ("observations", "actions", "rewards", "costs")} | {"episode_ends": ends}
    np.savez(tmp_path / "a.npz", **arrays)  # pyright: ignore[reportArgumentType]
    assert proposed(tmp_path / "a.npz") == ()


def test_one_episode_of_many_is_not_proposed(tmp_path):
    with h5py.File(tmp_path / "a.hdf5", "w") as file:
        for i, episode in enumerate(writers.episodes(DATA)):
            for key, values in episode.items():
                file[f"data/demo_{i}/{key}"] = values
    assert proposed(tmp_path / "a.hdf5") == ()
    with pytest.raises(InputError, match=r"; deep.save_episodes writes a list of episodes from Python"):
        read_any(tmp_path / "a.hdf5")


@pytest.mark.parametrize("kind", ["large_list", "decimal", "date of a time zone"])
def test_more_kinds_of_columns_are_read(kind, tmp_path):
    import pyarrow
    from pyarrow import parquet

    rewards = [decimal.Decimal(f"{x:.3f}") for x in DATA["rewards"]]
    columns = {key: pyarrow.array(list(values)) for key, values in DATA.items()}
    if kind == "large_list":
        for key in ("observations", "next_observations", "actions"):
            columns[key] = pyarrow.array(DATA[key].tolist(), pyarrow.large_list(pyarrow.float32()))
    elif kind == "decimal":
        columns["rewards"] = pyarrow.array(rewards)
    else:  # in a column that is not read
        columns["written"] = pyarrow.array(range(len(rewards)), pyarrow.timestamp("ns", tz="UTC"))
    parquet.write_table(pyarrow.table(columns), tmp_path / "a.parquet")
    found = read_any(tmp_path / "a.parquet")
    np.testing.assert_array_equal(found.observations, DATA["observations"])
    np.testing.assert_allclose(found.rewards, DATA["rewards"], atol=6e-4 if kind == "decimal" else 0)


def test_texts_and_empty_tables_are_named(tmp_path):
    np.savez(tmp_path / "a.npz", **DATA | {"rewards": DATA["rewards"].astype(str)})  # pyright: ignore[reportArgumentType]
    with pytest.raises(InputError, match=r"has texts in rewards, such as '[^']*': numbers, without quotation marks"):
        read_any(tmp_path / "a.npz")
    numbers = np.where(np.arange(len(DATA["rewards"])) == 2, "1_000", "1.5")
    np.savez(tmp_path / "a.npz", **DATA | {"rewards": numbers})  # pyright: ignore[reportArgumentType]
    with pytest.raises(InputError, match=r"has '1_000' in row 2 of rewards: a number in each"):
        read_any(tmp_path / "a.npz")
    (tmp_path / "a.csv").write_text(",".join(DATA) + "\n")
    with pytest.raises(InputError, match=r"a.csv has no rows: at least one"):
        read_any(tmp_path / "a.csv")


def test_a_name_of_two_lines_is_proposed_in_one(tmp_path):
    path = writers.write_csv(tmp_path / "a.csv", DATA | {"pos": DATA["rewards"]})
    path.write_text(path.read_text().replace("pos", '"pos\n(m)"', 1))
    sentence = r"has no array pos: .* pos \(m\) \[67\] float64"
    with pytest.raises(InputError, match=sentence):
        read_any(path, Reading(columns=("observations=pos",)))
    assert read_any(path, Reading(columns=("observations=pos (m)", "next_observations="))).observations.shape[1] == 1


def test_a_remark_counts_no_steps_that_are_not_left_out(tmp_path):
    ends = DATA["terminals"] | DATA["timeouts"]
    data = {key: values for key, values in DATA.items() if key not in ("next_observations", "terminals", "timeouts")}
    path = writers.write_csv(tmp_path / "a.csv", data | {"terminals": ends, "timeouts": ends & False})
    count = int(ends.sum())
    assert read_any(path).remarks == (
        f"next_observations are missing: the row after each; {count} terminal steps repeat their observation",
    )


# Marks of ends under names that are only proposed

ENDS = DATA["terminals"] | DATA["timeouts"]
NUMBER = np.cumsum(ENDS) - ENDS
PLAIN = {key: DATA[key] for key in ("observations", "actions", "rewards", "costs")}
UNREAD = {
    "TimeLimit.truncated": DATA["timeouts"],
    "truncations": DATA["timeouts"],
    "episode_ids": NUMBER,
    "eps_id": NUMBER,
    "traj": NUMBER,
    "Trial ID": NUMBER,
    "run": NUMBER,
}


def written(path: Path, form: str, arrays: dict[str, np.ndarray]) -> Path:
    if form == "csv":
        return writers.write_csv(path / "a.csv", arrays)
    if form == "npz":
        np.savez(path / "a.npz", **arrays)  # pyright: ignore[reportArgumentType]
        return path / "a.npz"
    with h5py.File(path / "a.hdf5", "w") as file:
        for key, values in arrays.items():
            file[key] = values
    return path / "a.hdf5"


@pytest.mark.parametrize("form", ["csv", "npz", "hdf5"])
@pytest.mark.parametrize("name", UNREAD)
def test_marks_of_ends_that_are_not_read_must_not_mark_more(name, form, tmp_path):
    """`done` was the terminal states, and several episodes became one."""
    key = "timeouts" if UNREAD[name].dtype == bool else "episodes"
    path = written(tmp_path, form, PLAIN | {"dones": DATA["terminals"], name: UNREAD[name]})
    row = int(np.flatnonzero(DATA["timeouts"])[0])
    sentence = f"marks an end in row {row} by {re.escape(name)}, and none by dones: .*, --columns {key}= leaves it out"
    with pytest.raises(InputError, match=sentence) as error:
        read_any(path)
    found = re.search(r"--columns (.*) reads", str(error.value))
    assert found
    columns = tuple(shlex.split(found[1]))
    assert f"{key}={name}" in columns
    data = read_any(path, Reading(columns=columns))
    assert len(data.ends) == 6
    assert data.terminals.sum() == DATA["terminals"].sum()
    left_out = Reading(columns=(f"{key}=",), last_trajectory="drop")
    assert len(read_any(path, left_out).ends) == DATA["terminals"].sum() < 6


@pytest.mark.parametrize("form", ["csv", "hdf5"])
def test_marks_that_agree_or_are_none_are_left_unread(form, tmp_path):
    none = {"time_limit": np.full(len(ENDS), 200), "trial": np.sin(NUMBER), "is_last": DATA["terminals"]}
    arrays = PLAIN | {"terminals": DATA["terminals"], "timeouts": DATA["timeouts"]} | none
    assert len(read_any(written(tmp_path, form, arrays | {"truncations": ENDS, "traj_id": NUMBER // 2})).ends) == 6


def test_names_in_the_plural_are_proposed_for_what_they_are(tmp_path):
    arrays = PLAIN | {"terminateds": DATA["terminals"], "truncateds": DATA["timeouts"], "eps_id": NUMBER}
    path = writers.write_csv(tmp_path / "a.csv", arrays)
    columns = proposed(path)
    assert columns == ("terminals=terminateds", "timeouts=truncateds")
    found = read_any(path, Reading(columns=columns))
    assert len(found.ends) == 6
    assert found.terminals.sum() == DATA["terminals"].sum()


def test_the_last_row_of_rlds_is_no_step(tmp_path):
    first = np.roll(ENDS, 1)
    arrays = PLAIN | {"is_first": first, "is_last": ENDS, "is_terminal": DATA["terminals"]}
    path = writers.write_csv(tmp_path / "a.csv", arrays)
    assert proposed(path) == ()
    with pytest.raises(InputError, match=r"\(is_last\) has no action and no reward: deep.save_episodes writes"):
        read_any(path)


def test_columns_numbered_from_one_are_proposed(tmp_path):
    arrays = {key: values for key, values in PLAIN.items() if key != "observations"}
    arrays |= {"obs_1": DATA["observations"][:, 0], "obs_2": DATA["observations"][:, 1], "done": ENDS}
    path = writers.write_csv(tmp_path / "a.csv", arrays)
    assert proposed(path) == ("observations=obs_1,obs_2",)
    found = read_any(path, Reading(columns=("observations=obs_1,obs_2",)))
    np.testing.assert_array_equal(found.observations[:5], DATA["observations"][:5, :2])


def test_cost_beside_costs_is_rejected_in_hdf5_too(tmp_path):
    arrays = {key: DATA[key] for key in ("terminals", "timeouts")} | PLAIN | {"cost": DATA["costs"] * 2}
    path = written(tmp_path, "hdf5", arrays)
    with pytest.raises(InputError, match="has costs and cost, and either may be costs: --columns costs=costs or"):
        read_any(path)
    assert read_any(path, Reading(columns=("costs=cost",))).costs.max() == 2 * DATA["costs"].max()
