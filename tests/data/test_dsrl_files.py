"""Files that are laid out as DSRL's own are read as DSRL reads them, for tasks of each kind."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pytest

from deep.data.dataset import FLAGS, KEYS, OfflineDataset
from deep.data.load import load, save, save_packed
from deep.tasks import TASKS, Task
from tests.support.dsrl import dsrl_module
from tests.support.recordings import HOPPER, arrays, recording
from theory.support.errors import InputError

ROWS = {
    "CarGoal1": ("OfflineCarGoal1Gymnasium-v0", "SafetyCarGoal1Gymnasium-v0-120-1671.hdf5", 72, 2, 1000),
    "CarCircle": ("OfflineCarCircle-v0", "SafetyCarCircle-v0-100-1450.hdf5", 8, 2, 300),
}
CLIPPED = ("CarGoal1", "CarCircle")
each_task = pytest.mark.parametrize("name", ["HopperVel", *ROWS])


@pytest.fixture(autouse=True)
def tasks(monkeypatch) -> None:
    """Tasks of the kinds that the table lacks."""
    for name, (dsrl_id, file, observations, actions, length) in ROWS.items():
        sizes = {"observation_size": observations, "action_size": actions, "episode_length": length}
        if name not in TASKS:
            monkeypatch.setitem(TASKS, name, replace(HOPPER, name=name, dsrl_id=dsrl_id, dsrl_file=file, **sizes))


def original(task: Task, seed: int = 0) -> OfflineDataset:
    """Trajectories that end by time, and one that does not, as most do in DSRL's data."""
    return recording([task.episode_length, 17, task.episode_length, task.episode_length], seed, task=task.name)


def write_as_dsrl(path: Path, dataset: OfflineDataset, **changed: np.ndarray) -> Path:
    with h5py.File(path, "w") as file:
        for key in KEYS:
            file.create_dataset(key, data=changed.get(key, getattr(dataset, key)), compression="gzip")
    return path


def read_by_dsrl(path: Path, task: Task) -> dict[str, np.ndarray]:
    spaces = {
        "observation_space": SimpleNamespace(shape=(task.observation_size,)),
        "action_space": SimpleNamespace(shape=(task.action_size,)),
    }
    return dsrl_module("offline_env").OfflineEnv.get_dataset(SimpleNamespace(**spaces), str(path))


@each_task
@pytest.mark.parametrize("writer", [write_as_dsrl, save], ids=["dsrl", "save"])
def test_both_readers_find_the_same_arrays(tmp_path, monkeypatch, name, writer):
    monkeypatch.setenv("DSRL_DATASET_DIR", str(tmp_path))  # dsrl makes this folder while it is imported
    path, task = tmp_path / "file.hdf5", TASKS[name]
    writer(path, original(task))
    ours, theirs = load(task, path), read_by_dsrl(path, task)
    assert set(theirs) == set(KEYS)
    for key in KEYS:
        np.testing.assert_array_equal(getattr(ours, key), theirs[key], strict=True)
        assert getattr(ours, key).dtype == (bool if key in FLAGS else np.float32)
    assert ours.clipped == 0


@pytest.mark.parametrize("kind", ["uint8", "int64", "float32", "float64"])
def test_flags_and_costs_may_be_numbers(tmp_path, kind):
    dataset = original(HOPPER)
    numbers = {key: getattr(dataset, key).astype(kind)[:, None] for key in (*FLAGS, "costs")}
    found = load(HOPPER, write_as_dsrl(tmp_path / "file.hdf5", dataset, **numbers))
    for key in KEYS:
        np.testing.assert_array_equal(getattr(found, key), getattr(dataset, key), strict=True)


def test_further_arrays_and_texts_of_variable_length_are_not_looked_at(tmp_path):
    """A damaged heap, where HDF5 keeps such texts, makes its library crash or hang when one of them is read."""
    path = write_as_dsrl(tmp_path / "file.hdf5", original(HOPPER))
    with h5py.File(path, "r+") as file:
        file.attrs["note"] = "a text of variable length"
        file.attrs["count"] = 7
        file["infos/goal"] = ["a", "b"]
    content = path.read_bytes()
    heap = content.index(b"GCOL")
    path.write_bytes(content[:heap] + bytes(200) + content[heap + 200 :])
    with h5py.File(path) as file, pytest.raises(OSError, match=r"heap|header|read"):
        file.attrs["note"]  # the damage is where it should be
    assert load(HOPPER, path).provenance == {"count": 7}


def test_a_damaged_description_of_numbers_is_refused(tmp_path):
    """DSRL's files have HDF5's oldest format, where no checksum covers what describes the arrays."""
    path = write_as_dsrl(tmp_path / "file.hdf5", original(HOPPER))
    float32 = bytes.fromhex("11201f00 04000000 0000 2000 17080017 7f000000")
    content = path.read_bytes()
    assert content.count(float32) == 5
    path.write_bytes(content.replace(float32, float32[:-4] + b"\x7f\xff\x00\x00"))
    with pytest.raises(InputError, match=r"cannot be read \(Insufficient precision"):
        load(HOPPER, path)


# Actions outside [-1, 1]


def with_large_actions(task: Task) -> OfflineDataset:
    dataset = original(task)
    dataset.actions[3:8] *= 1.5 / np.abs(dataset.actions[3:8]).max(axis=1, keepdims=True)
    dataset.actions[8] = 1 + 5e-6  # the rounding of a clipped action
    return dataset


@pytest.mark.parametrize("name", CLIPPED)
def test_large_actions_are_clipped_and_counted_where_the_simulator_clips_them(tmp_path, monkeypatch, name):
    monkeypatch.setenv("DSRL_DATASET_DIR", str(tmp_path))
    path, task = tmp_path / "file.hdf5", TASKS[name]
    dataset = with_large_actions(task)
    write_as_dsrl(path, dataset)
    found, theirs = load(task, path), read_by_dsrl(path, task)
    assert found.clipped == 5
    assert np.abs(theirs["actions"]).max() == pytest.approx(1.5)
    np.testing.assert_array_equal(found.actions, theirs["actions"].clip(-1, 1), strict=True)
    for key in set(KEYS) - {"actions"}:
        np.testing.assert_array_equal(getattr(found, key), getattr(dataset, key), strict=True)
    for writer in (save, save_packed):
        writer(tmp_path / "again.hdf5", found)
        assert load(task, tmp_path / "again.hdf5").clipped == 0
        with pytest.raises(InputError, match="row 3 of actions"):
            writer(tmp_path / "never.hdf5", dataset)


def test_large_actions_are_refused_on_a_velocity_task(tmp_path):
    path = write_as_dsrl(tmp_path / "file.hdf5", with_large_actions(HOPPER))
    with pytest.raises(InputError, match=r"in row 3 of actions, column .: actions inside \[-1, 1\] are accepted"):
        load(HOPPER, path)


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
def test_actions_that_are_no_numbers_are_not_clipped(tmp_path, value):
    dataset = with_large_actions(TASKS["CarCircle"])
    dataset.actions[20, 1] = value
    path = write_as_dsrl(tmp_path / "file.hdf5", dataset)
    with pytest.raises(InputError, match=f"has {value} in row 20 of actions, column 1: finite numbers"):
        load(TASKS["CarCircle"], path)


def test_what_is_no_list_of_actions_is_refused_on_a_task_that_clips(tmp_path):
    dataset = original(TASKS["CarCircle"])
    for actions in (np.float32(2), dataset.actions[:, 0], dataset.actions[:, :, None]):
        with h5py.File(tmp_path / "file.hdf5", "w") as file:
            for key, values in ({key: arrays(dataset)[key] for key in KEYS} | {"actions": actions}).items():
                file[key] = values
        with pytest.raises(InputError, match="has actions of shape"):
            load(TASKS["CarCircle"], tmp_path / "file.hdf5")
