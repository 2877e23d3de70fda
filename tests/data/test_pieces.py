"""Pieces of trajectories: ring buffers that have wrapped, recordings that break off, flags in the first rows."""

import numpy as np
import pytest

from deep.data.conversion import read_any
from deep.data.dataset import OfflineDataset
from deep.data.formats.numbered import IN_THE_LAST, SHIFTED
from deep.data.formats.pieces import UNKNOWN, WRAPPED
from deep.data.reading import Reading
from tests.support import other_writers as writers
from theory.support.errors import InputError

STEPS, LENGTH = 120, 10
DROP = Reading(last_trajectory="drop")
OVERWRITTEN = "its first steps are overwritten"


def stream() -> dict[str, np.ndarray]:
    """Twelve trajectories of ten steps that timed out; each reward is the row's number."""
    rng = np.random.default_rng(0)
    seen = rng.normal(size=(STEPS // LENGTH, LENGTH + 1, 2)).astype(np.float32)
    ends = np.arange(STEPS) % LENGTH == LENGTH - 1
    return {
        "observations": seen[:, :-1].reshape(STEPS, 2),
        "next_observations": seen[:, 1:].reshape(STEPS, 2),
        "actions": rng.uniform(-1, 1, (STEPS, 1)).astype(np.float32),
        "rewards": np.arange(STEPS, dtype=np.float32),
        "costs": np.ones(STEPS, dtype=np.float32),
        "terminals": np.zeros(STEPS, dtype=bool),
        "timeouts": ends,
    }


def ring(size: int, added: int) -> dict[str, np.ndarray]:
    """A ring buffer to which so many steps of the stream were added."""
    rows = np.arange(size) + (added - 1 - np.arange(size)) // size * size
    return {key: values[rows] for key, values in stream().items()}


def starts(data: OfflineDataset) -> list[int]:
    """The step of the stream with which each trajectory begins."""
    return data.rewards[data.starts].astype(int).tolist()


@pytest.mark.parametrize("added", [97, 99])
def test_a_ring_buffer_that_has_wrapped_keeps_whole_trajectories(tmp_path, added):
    """Of 65 rows the trajectories from step 32 or 34, and 60 or 90 on, are pieces: they were read as whole ones."""
    path = writers.write_npz(tmp_path / "a.npz", ring(65, added))
    with pytest.raises(InputError, match=r"has wrapped: by next_observations, row 0 follows row 64: .*counted from 0$"):
        read_any(path)
    data = read_any(path, DROP)
    assert starts(data) == [70, 80, 40, 50]
    assert set(data.lengths) == {LENGTH}
    assert WRAPPED in data.remarks
    assert UNKNOWN not in data.remarks


def test_the_oldest_trajectory_is_said_to_be_unknown_where_no_break_shows_it(tmp_path):
    """The newest trajectory ends right before the oldest one, the steps 35 to 39."""
    data = read_any(writers.write_npz(tmp_path / "a.npz", ring(65, 100)), DROP)
    assert starts(data) == [70, 80, 90, 35, 40, 50]
    assert data.remarks[-2:] == (WRAPPED, UNKNOWN)


def test_a_break_may_be_that_of_a_ring_buffer_whose_last_row_is_an_end(tmp_path):
    path = writers.write_npz(tmp_path / "a.npz", ring(60, 97))
    with pytest.raises(InputError, match="--last-trajectory drop leaves out trajectories that break off"):
        read_any(path)
    data = read_any(path, DROP)
    assert starts(data) == [60, 70, 80, 37, 40, 50]
    assert "row 37 follows a trajectory that was cut off" in data.remarks[-1]
    assert data.remarks[-1].endswith(OVERWRITTEN)


def test_a_recording_that_was_cut_off_is_no_ring_buffer(tmp_path):
    cut = {key: values[:-3] for key, values in stream().items()}
    with pytest.raises(InputError, match="stops in the middle of a trajectory"):
        read_any(writers.write_npz(tmp_path / "a.npz", cut))
    assert read_any(tmp_path / "a.npz", DROP).remarks == ("7 rows of trajectories that were cut off are left out",)


def test_a_reset_to_the_first_observation_is_no_ring_buffer(tmp_path):
    """Every trajectory begins with the observation that follows the last row."""
    cut = {key: values[:-3].copy() for key, values in stream().items()}
    cut["observations"][::LENGTH] = cut["next_observations"][-1]
    data = read_any(writers.write_npz(tmp_path / "a.npz", cut), DROP)
    assert len(data.ends) == 11


def test_each_environment_may_be_a_ring_buffer(tmp_path):
    arrays = {key: np.concatenate([values, values]) for key, values in ring(65, 97).items()}
    arrays["env_id"] = np.repeat([0, 1], 65)
    path = writers.write_npz(tmp_path / "a.npz", arrays)
    data = read_any(path, Reading(("environments=env_id",), last_trajectory="drop"))
    assert starts(data) == [70, 80, 40, 50] * 2


@pytest.mark.parametrize("following", [True, False])
def test_flags_in_the_first_rows_of_episodes_are_seen(tmp_path, following):
    """They were read as the ends of the episodes before, each one step too late."""
    arrays = {**stream(), "timeouts": np.arange(STEPS) % LENGTH == 0}
    if not following:
        del arrays["next_observations"]
    path = writers.write_npz(tmp_path / "a.npz", arrays)
    with pytest.raises(InputError, match=f"{SHIFTED}: {IN_THE_LAST}"):
        read_any(path)
    if following:
        with pytest.raises(InputError, match=SHIFTED):
            read_any(path, DROP)
    else:
        assert any(IN_THE_LAST in each for each in read_any(path, DROP).remarks)


def test_next_observations_of_another_size_are_rejected(tmp_path):
    arrays = stream()
    arrays |= {"next_observations": arrays["next_observations"][:, :1], "dones": arrays.pop("timeouts")}
    del arrays["terminals"]
    path = writers.write_npz(tmp_path / "a.npz", arrays)
    for reading in (Reading(), DROP):
        with pytest.raises(InputError, match=r"has next_observations of shape \(120, 1\)"):
            read_any(path, reading)


@pytest.mark.parametrize("flags", [("dones",), ("terminals",), ("terminals", "timeouts")])
def test_flags_in_the_first_rows_of_numbered_episodes_are_seen(tmp_path, flags):
    """They were said to be inside an episode, and to leave the numbers of the episodes out was proposed."""
    arrays = {key: values for key, values in stream().items() if key not in ("terminals", "timeouts")}
    arrays |= {key: np.zeros(STEPS, dtype=bool) for key in flags[1:]}
    arrays |= {flags[0]: np.arange(STEPS) % LENGTH == 0, "episodes": np.arange(STEPS) // LENGTH}
    path = writers.write_npz(tmp_path / "a.npz", arrays)
    with pytest.raises(InputError, match=f"{SHIFTED}: {IN_THE_LAST}; --columns {flags[0]}= leaves {flags[0]} out"):
        read_any(path)
