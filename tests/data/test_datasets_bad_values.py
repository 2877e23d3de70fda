"""Bad values: each makes one change to a good recording, and the sentence that refuses it names the key."""

import os
from collections.abc import Callable
from dataclasses import replace

import h5py
import numpy as np
import pytest

from deep.data.dataset import FLAGS, KEYS
from deep.data.formats.hdf5 import MARK
from deep.data.load import load, save, save_packed
from tests.support.recordings import HOPPER, arrays, recording
from theory.support.errors import InputError


def put(key: str, place, value) -> Callable[[dict], None]:
    def change(fields: dict) -> None:
        fields[key][place] = value

    return change


def cut(key: str, selection) -> Callable[[dict], None]:
    def change(fields: dict) -> None:
        fields[key] = fields[key][selection]

    return change


def empty(fields: dict) -> None:
    for key in KEYS:
        fields[key] = fields[key][:0]


def without_last_row(fields: dict) -> None:
    for key in KEYS:
        fields[key] = fields[key][:-1]


def merge(fields: dict) -> None:
    """Join the third trajectory, of 1000 steps, to the fourth."""
    fields["terminals"][1005] = fields["timeouts"][1005] = False
    fields["next_observations"][1005] = fields["observations"][1006]


def small_gap(fields: dict) -> None:
    fields["next_observations"][7, 3] = fields["observations"][8, 3] + 1e-3


FLOATS = [key for key in KEYS if key not in FLAGS]
BAD_VALUES = {
    **{f"NaN in {key}": (put(key, 7, np.nan), f"has nan in row 7 of {key}") for key in FLOATS},
    **{f"infinity in {key}": (put(key, -1, -np.inf), f"has -inf in row 1008 of {key}") for key in FLOATS},
    "negative cost": (put("costs", 4, -0.5), "has -0.5 in row 4 of costs"),
    "action above 1": (put("actions", (9, 2), 1.001), "has 1.00.* in row 9 of actions"),
    "action below -1": (put("actions", (9, 0), -1.001), "has -1.00.* in row 9 of actions"),
    "gap": (put("next_observations", (7, 3), 50), "has 50.0 in row 7 of next_observations"),
    "small gap": (small_gap, "row 7"),
    "no end": (without_last_row, "stops in the middle of a trajectory"),
    "too long": (merge, "has a trajectory of 1003 steps from row 6 on: at most 1000 are accepted"),
    "empty": (empty, "has no transitions"),
    "short rewards": (cut("rewards", slice(1, None)), "of shape"),
    "short flags": (cut("timeouts", slice(1, None)), "has timeouts of shape"),
    "fewer actions": (cut("actions", np.s_[:, :2]), r"has actions of shape \(1009, 2\): \(1009, 3\) is accepted"),
    "fewer observations": (cut("observations", np.s_[:, :10]), r"has observations of shape \(1009, 10\)"),
    "flat observations": (
        cut("observations", np.s_[:, 0]),
        r"has observations of shape \(1009,( 1)?\): \(1009, 11\)",
    ),
    "wide costs": (cut("costs", np.s_[:, None, None]), r"has costs of shape \(1009, 1, 1\)"),
    "too few policies": (cut("policies", slice(1, None)), r"has policies of shape \(3,\)"),
    "policies that are no numbers": (
        lambda fields: fields.update(policies=np.ones(4)),
        "type float64: one whole number",
    ),
}


@pytest.mark.parametrize(("change", "sentence"), BAD_VALUES.values(), ids=BAD_VALUES)
def test_bad_values_are_refused(tmp_path, change, sentence):
    path, fields = tmp_path / "file.hdf5", {key: value.copy() for key, value in arrays(recording()).items()}
    change(fields)
    with h5py.File(path, "w") as file:
        for key in KEYS:
            file[key] = fields[key]
        file.attrs["policies"] = fields["policies"]
        file.attrs[MARK] = 1
    with pytest.raises(InputError, match=sentence) as error:
        load(HOPPER, path)
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)
    for writer in (save, save_packed):
        with pytest.raises(InputError, match=sentence):
            writer(tmp_path / "other.hdf5", replace(recording(), **fields))
    assert os.listdir(tmp_path) == ["file.hdf5"]
