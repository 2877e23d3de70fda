"""Numbers of episodes: those that come back, those of an episode that the file cuts off, and those beside flags."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from deep.data.conversion import read_any
from deep.data.dataset import KEYS
from deep.data.reading import Reading
from tests.support import other_writers as writers
from tests.support.tables import ENDS, NUMBER
from theory.support.errors import InputError

pytest.importorskip("pyarrow")  # of the extra `data`
DATA = writers.recording()


NUMBERED = [
    (writers.write_csv, "a.csv"),
    (writers.write_parquet, "a.parquet"),
    (writers.write_hdf5, "a.hdf5"),
    (writers.write_npz, "a.npz"),
]


@pytest.mark.parametrize(("writer", "file"), NUMBERED)
@pytest.mark.parametrize("keys", [(), ("next_observations",), ("next_observations", "timeouts"), ("terminals",)])
def test_an_episode_number_that_comes_back_is_rejected(writer, file, keys, tmp_path):
    data = {key: DATA[key] for key in ("observations", "actions", "rewards", "costs", *keys)}
    interleaved, reused = np.arange(67) % 5 + 10, np.where(NUMBER == 4, 1, NUMBER)
    for numbers, found in ((interleaved, "10 again in row 5"), (reused, "1 again in row 43")):
        path = writer(tmp_path / file, data | {"episodes": numbers})
        with pytest.raises(InputError, match=f"has episodes {found}, after .*: .*sort the rows by episode") as error:
            read_any(path)
        assert "\n" not in str(error.value)


@pytest.mark.parametrize("flag", ["terminals", "timeouts", None])
def test_a_numbered_episode_that_the_file_cuts_off_is_no_terminal(flag, tmp_path):
    """Its end is said to be assumed, and its rows can be dropped."""
    kept = {key: values[:-3] for key, values in DATA.items() if key not in ("terminals", "timeouts")}
    kept |= {"episodes": NUMBER[:-3]} | ({flag: DATA[flag][:-3]} if flag else {})
    path = writers.write_csv(tmp_path / "a.csv", kept)
    found = read_any(path)
    assert found.timeouts[-1]
    assert not found.terminals[-1]
    assert found.terminals.sum() == (flag is not None)
    assert len(found.ends) == 6
    (remark,) = found.remarks
    assert remark.startswith("the end of the last trajectory is assumed: ")
    found = read_any(path, Reading(last_trajectory="drop"))
    assert len(found) == 67 - 12
    assert found.remarks == ("9 rows of trajectories that were cut off are left out",)


@pytest.mark.parametrize("last", ["terminals", "timeouts"])
def test_a_flag_in_the_last_row_of_numbered_episodes_is_an_end(last, tmp_path):
    rows = np.arange(67) < (7 if last == "terminals" else 67)
    data = {key: values[rows] for key, values in (DATA | {"episodes": NUMBER}).items()}
    del data["timeouts" if last == "terminals" else "terminals"]
    for reading in (Reading(), Reading(last_trajectory="drop")):
        found = read_any(writers.write_csv(tmp_path / "a.csv", data), reading)
        assert (len(found), found.remarks) == (rows.sum(), ())
        np.testing.assert_array_equal(getattr(found, last), DATA[last][rows])


# Numbers of episodes beside flags

PLAIN = ("observations", "actions", "rewards", "costs", "next_observations")


def marked(path: Path, keys: tuple[str, ...] = PLAIN, **columns: np.ndarray) -> Path:
    return writers.write_csv(path / "a.csv", {key: DATA[key] for key in keys} | columns)


@pytest.mark.parametrize("keys", [PLAIN, PLAIN[:-1]])
@pytest.mark.parametrize("names", [("done", "episode"), ("dones", "episodes")])
def test_dones_that_only_some_episodes_have_are_terminals(names, keys, tmp_path):
    """They joined an episode that timed out to the one that follows."""
    dones, episodes = names
    found = read_any(marked(tmp_path, keys, **{dones: DATA["terminals"], episodes: NUMBER}))
    assert found.remarks[:2] == (
        f"{dones} are taken for terminals, as not every {episodes} ends with one",
        f"5 of 6 episodes by {episodes} end without a flag, and are taken for timed out",
    )
    assert (len(found.ends), found.terminals.sum()) == (6, 1)
    if "next_observations" in keys:
        for key in KEYS:
            np.testing.assert_array_equal(getattr(found, key), DATA[key], err_msg=key)


def test_dones_that_all_episodes_have_are_ends(tmp_path):
    found = read_any(marked(tmp_path, done=ENDS, episode=NUMBER))
    assert found.remarks == read_any(marked(tmp_path, done=ENDS)).remarks
    assert found.remarks[0].startswith("done do not say why a trajectory ended: ")
    np.testing.assert_array_equal(found.terminals | found.timeouts, ENDS)
    cut = {key: DATA[key][:-1] for key in PLAIN} | {"done": ENDS[:-1], "episode": NUMBER[:-1]}
    path = writers.write_csv(tmp_path / "b.csv", cut)
    first, second, *_ = read_any(path).remarks
    assert first.startswith("done do not say why a trajectory ended: ")
    assert second == "1 of 6 episodes by episode end without a flag, and are taken for timed out"
    assert len(read_any(path, Reading(last_trajectory="drop")).ends) == 5


def test_a_done_inside_an_episode_is_rejected(tmp_path):
    path = marked(tmp_path, done=np.roll(ENDS, -1), episode=NUMBER)
    row = int(np.flatnonzero(ENDS)[0]) - 1
    with pytest.raises(InputError, match=f"has done in row {row}, inside episode 0: .*--columns dones=done leaves"):
        read_any(path)
    assert len(read_any(marked(tmp_path, done=ENDS, episode=NUMBER // 2), Reading(columns=("dones=done",))).ends) == 6


@pytest.mark.parametrize("columns", [("terminated", "truncated"), ("terminated", "done"), ("truncated", "done")])
def test_an_episode_that_no_flag_ends_timed_out(columns, tmp_path):
    """Not one flag is set in the second episode, whose recording was cut off."""
    open_ended = np.flatnonzero(ENDS)[1]
    flags = {"terminated": DATA["terminals"], "truncated": DATA["timeouts"].copy(), "done": ENDS.copy()}
    flags["truncated"][open_ended] = flags["done"][open_ended] = False
    path = marked(tmp_path, PLAIN[:-1], **{key: flags[key] for key in columns}, episode=NUMBER)
    found = read_any(path)
    assert len(found.ends) == 6
    assert found.remarks[0] == "1 of 6 episodes by episode end without a flag, and are taken for timed out"


@pytest.mark.parametrize("numbers", [np.arange(3), np.float64(6), NUMBER + 0.0])
def test_numbers_that_are_of_no_rows_are_not_read_beside_flags(numbers, tmp_path):
    with h5py.File(tmp_path / "a.hdf5", "w") as file:
        for key in DATA:
            file[key] = DATA[key]
        file["episodes"] = numbers
    assert read_any(tmp_path / "a.hdf5").remarks == ()


def test_a_number_that_is_none_is_named(tmp_path):
    np.savez(tmp_path / "a.npz", episodes=np.where(NUMBER == 2, np.nan, NUMBER), **DATA)  # pyright: ignore[reportArgumentType]
    with pytest.raises(InputError, match=r"has nan in row \d+ of episodes: a number for each row"):
        read_any(tmp_path / "a.npz")
