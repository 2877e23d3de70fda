"""Numbers such as -9999 that mark missing values are reported, and ordinary far numbers are not."""

from dataclasses import replace

import h5py
import numpy as np
import pytest

from deep.data.custom import CustomData, assumptions, load_custom
from deep.data.load import load
from deep.data.missing_values import missing_values
from deep.tasks import find_task
from tests.support.recordings import HOPPER, recording, write

LENGTHS = (9,) * 20


def marked(key: str, mark: float, every: int, feature: int = 0):
    data = recording(LENGTHS)
    values = getattr(data, key).copy()
    values.reshape(len(data), -1)[::every, feature] = mark
    return replace(data, **{key: values})


@pytest.mark.parametrize("mark", [-9999.0, -999.0, 1e6])
@pytest.mark.parametrize("every", [2, 9, 50])
def test_a_feature_is_named_with_its_mark_and_the_rows(mark, every):
    (said,) = missing_values(marked("observations", mark, every, 2))
    count = -(-len(recording(LENGTHS)) // every)
    assert said.startswith(f"observations[2] is {mark:g} in {count} of 180 rows, and from ")


@pytest.mark.parametrize(("key", "mark"), [("rewards", -9999.0), ("rewards", 999.0), ("costs", 99999.0)])
def test_rewards_and_costs_by_nines(key, mark):
    rng = np.random.default_rng(0)
    data = marked(key, mark, 9)
    values = np.where(getattr(data, key) == mark, mark, rng.random(len(data))).astype(np.float32)
    (said,) = missing_values(replace(data, **{key: values}))
    assert said.startswith(f"{key} is {mark:g} in 20 of 180 rows")
    assert missing_values(replace(data, **{key: np.where(values == mark, 1000, values)})) == (), "a goal's reward"


@pytest.mark.parametrize(("key", "low", "high", "mark"), [
    ("costs", 0.0, 1.0, 999.0), ("rewards", 0.0, 1.0, -9999.0), ("observations", -180.0, 180.0, -999.0),
    ("observations", -600.0, 600.0, -9999.0),
])  # fmt: skip
def test_nines_among_few_or_wide_numbers(key, low, high, mark):
    data = recording(LENGTHS)
    values = getattr(data, key).copy().reshape(len(data), -1)
    values[:, 0] = np.where(np.arange(len(data)) % 9 == 0, mark, np.where(np.arange(len(data)) % 2, low, high))
    (said,) = missing_values(replace(data, **{key: values.reshape(getattr(data, key).shape)}))
    assert f" is {mark:g} in 20 of 180 rows, and from {low:g} to {high:g} in the others" in said


def test_two_marks_do_not_hide_each_other():
    data = marked("observations", -9999.0, 9)
    values = data.observations.copy()
    values[4::9, 0] = 9999
    said = missing_values(replace(data, observations=values))
    assert [text.split(" rows")[0] for text in said] == [
        "observations[0] is -9999 in 20 of 180", "observations[0] is 9999 in 20 of 180",
    ]  # fmt: skip


def test_ordinary_numbers_are_not_marks():
    data = recording(LENGTHS)
    assert missing_values(data) == ()
    flag = data.observations.copy()
    flag[:, 1] = np.arange(len(data)) % 9 == 0
    assert missing_values(replace(data, observations=flag)) == (), "a flag of 0 and 1"
    counter = data.observations.copy()
    counter[:, 1] = np.where(np.arange(len(data)) % 9 == 0, 999, np.arange(len(data)) * 3)
    assert missing_values(replace(data, observations=counter)) == (), "999 beside numbers up to 537"
    lidar = data.observations.copy()
    lidar[:, 1] = np.where(np.arange(len(data)) % 9 == 0, 5, np.linspace(0, 1, len(data)))
    assert missing_values(replace(data, observations=lidar)) == (), "a largest range of five times the others"
    outlier = data.observations.copy()
    outlier[:2, 1] = 100
    assert missing_values(replace(data, observations=outlier)) == (), "two rows are no habit"
    assert missing_values(load(find_task("HopperVel"), "embedded")) == ()


def test_the_remark_reaches_who_reads_the_file(tmp_path):
    path = write(tmp_path / "file.hdf5", marked("observations", -9999.0, 9), "plain")
    (said,) = load(HOPPER, path).remarks
    assert "if that marks a missing value" in said
    with h5py.File(path, "r+") as file:
        del file.attrs["task"]
    task, custom, _ = load_custom(path, CustomData())
    assert said in assumptions(task, custom)


@pytest.mark.parametrize("far", [[1e12], [-1e6, -1e6], [1e9, 2e9, -3e9]])
def test_a_few_rows_that_blur_all_others_are_reported(far):
    """The mean was 8e8, and every other row was one point for the policy."""
    data = recording(LENGTHS)
    values = data.observations.copy()
    values[7 : 7 + len(far), 2] = far
    (said,) = missing_values(replace(data, observations=values))
    range_ = f"{min(far):g}" + (f" to {max(far):g}" if len({*far}) > 1 else "")
    assert said.startswith(f"observations[2] is {range_} in {len(far)} of 180 rows, and from ")
    assert said.endswith("does not tell apart: leave those few rows out or mend them")


def test_rare_numbers_that_blur_nothing_are_not_reported():
    data = recording(LENGTHS)
    values = data.observations.copy()
    values[:3, 0] = [50, 60, 70]  # an impact
    values[:, 1] = 0
    values[5:7, 1] = 1e6  # a flag, nearly always one number
    assert missing_values(replace(data, observations=values)) == ()
    assert missing_values(replace(data, costs=np.where(np.arange(len(data)) == 5, 999, data.costs))) == ()
