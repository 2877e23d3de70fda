"""Zeros at the end of an array that its writer may not have reached, where HDF5 keeps no trace of that."""

from dataclasses import replace

import h5py
import numpy as np
import pytest

from deep.data.custom import CustomData, assumptions, load_custom
from deep.data.load import load
from deep.data.tails import blank_tails
from tests.support.builders import small_dataset
from tests.support.recordings import HOPPER, recording, write

LENGTHS = (7,) * 24
SAID = "{key} are 0 throughout the last 12 of 24 trajectories, and not in 12 of the 12 before: check that the file"


def half_written(path, key: str, **storage) -> None:
    """The array again, of which the writer has filled the first half; chunks, where there are any, are one."""
    with h5py.File(path, "r+") as file:
        values = np.asarray(file[key])
        del file[key]
    storage = {**storage, "chunks": values.shape} if storage else {}
    with h5py.File(path, "r+") as file:  # opened again: freed bytes, with the old values, would be taken otherwise
        file.create_dataset(key, values.shape, values.dtype, **storage)[: len(values) // 2] = values[: len(values) // 2]


@pytest.mark.parametrize("key", ["costs", "rewards", "actions"])
@pytest.mark.parametrize("storage", [{}, {"chunks": ()}, {"chunks": (), "compression": "gzip"}])
def test_an_array_filled_by_half_within_its_only_chunk_is_reported(tmp_path, key, storage):
    data = recording(LENGTHS)
    data.costs[:] = 1
    path = write(tmp_path / "file.hdf5", data, "plain")
    assert load(HOPPER, path).remarks == ()
    half_written(path, key, **storage)
    (said,) = load(HOPPER, path).remarks
    assert said.startswith(SAID.format(key=key))
    with h5py.File(path, "r+") as file:
        del file.attrs["task"]
    task, custom, _ = load_custom(path, CustomData())
    assert said in assumptions(task, custom)


def with_costs(costly: list[int], total: int):
    data = small_dataset(total, steps=4)
    costs = np.zeros(len(data), dtype=np.float32)
    costs[data.starts[costly]] = 1
    return replace(data, costs=costs)


def test_a_tail_of_another_fill_value_is_reported():
    data = with_costs([0, 1, 2, 3], 24)
    costs = np.full_like(data.costs, 0.001)
    costs[: data.ends[3] + 1] = data.costs[: data.ends[3] + 1]
    (said,) = blank_tails(replace(data, costs=costs))
    assert said.startswith("costs are 0.001 throughout the last 20 of 24 trajectories, and not in 4 of the 4 before")


@pytest.mark.parametrize(
    ("costly", "total", "reported"),
    [
        (list(range(12)), 24, True),  # 1 / C(24, 12) = 4e-7
        ([0, 1], 24, False),  # C(2, 2) / C(24, 2) = 4e-3
        ([0, 1, 2], 24, True),  # 1 / C(24, 3) = 5e-4
        ([*range(11), 23], 24, False),
        ([], 24, False),
        (list(range(24)), 24, False),
        ([0], 2, False),
    ],
)
def test_probable_zeros_are_not_reported(costly, total, reported):
    assert bool(blank_tails(with_costs(costly, total))) == reported
