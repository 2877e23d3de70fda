"""Zeros in a part of an array that its writer may not have reached, where HDF5 keeps no trace of that."""

from dataclasses import replace

import h5py
import numpy as np
import pytest

from deep.data.custom import CustomData, assumptions, load_custom
from deep.data.load import load
from deep.data.tails import blank_runs
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
    (said,) = blank_runs(replace(data, costs=costs))
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
    assert bool(blank_runs(with_costs(costly, total))) == reported


def costly(total: int = 24):
    """Data whose costs depend on the next observation."""
    data = small_dataset(total)
    return replace(data, costs=(np.abs(data.next_observations[:, 0]) > 0.1).astype(np.float32))


def unwritten(data, first: int, after: int):
    costs = data.costs.copy()
    costs[data.starts[first] : data.ends[after - 1] + 1] = 0
    return replace(data, costs=costs)


@pytest.mark.parametrize(("first", "after"), [(0, 12), (6, 18), (12, 23), (1, 8)])
def test_a_part_that_is_not_the_last_one_is_reported(first, after):
    """Only the end of the file was looked at."""
    others = 24 - (after - first)
    (said,) = blank_runs(unwritten(costly(), first, after))
    assert said == (
        f"costs are 0 throughout trajectories {first} to {after - 1} of 24, counted from 0, and not in {others} of the "
        f"{others} others: check that the file was written in full"
    )


def test_the_first_row_has_another_fill_value():
    data = unwritten(costly(), 0, 12)
    costs = data.costs.copy()
    costs[: data.ends[11] + 1] = 0.5
    (said,) = blank_runs(replace(data, costs=costs))
    assert said.startswith("costs are 0.5 throughout trajectories 0 to 11 of 24")


def test_a_short_run_is_probable():
    """Five trajectories of twenty-four: 20 C(19, 19) / C(24, 19) = 5e-4; four: 21 / C(24, 4) = 2e-3."""
    assert blank_runs(unwritten(costly(), 3, 8))
    assert blank_runs(unwritten(costly(), 3, 7)) == ()


@pytest.mark.parametrize(("first", "after"), [(0, 12), (6, 18)])
def test_trajectories_that_stay_where_nothing_costs_are_not_reported(first, after):
    """As those of a beginner, in the order of their recording."""
    data = small_dataset(24)
    run = np.isin(np.repeat(np.arange(24), data.lengths), np.arange(first, after))
    states = {
        key: getattr(data, key) * np.where(run, 0.05, 1)[:, None] for key in ("observations", "next_observations")
    }
    costs = np.linalg.norm(states["next_observations"], axis=1) > 1.5
    data = replace(data, **states, costs=costs.astype(np.float32))
    assert (data.trajectory_costs == 0).sum() == after - first
    assert blank_runs(data) == ()


def test_a_run_of_the_embedded_data_is_not_reported():
    """Nine trajectories in a row are free of cost, and 892 of the others are not."""
    assert blank_runs(load(HOPPER, "embedded")) == ()
