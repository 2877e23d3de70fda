"""Files of d3rlpy's and OmniSafe's own writers (tests/support/record_peers.py): read, converted, trained on."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import deep.convert.__main__ as convert
from deep import train
from deep.data.conversion import read_any
from deep.data.dataset import KEYS, OfflineDataset
from deep.data.reading import Reading
from tests.support.dsrl import dsrl_module
from theory.support.errors import InputError

FOLDER = Path(__file__).parent / "peers"
COST = "tests.support.other_writers:cost"
FILES = {
    "d3rlpy-2.8.1.h5": ["--cost-function", COST],
    "omnisafe-0.5.0.npz": ["--last-trajectory", "drop"],
}
READINGS = {
    "d3rlpy-2.8.1.h5": Reading(cost_function=COST),
    "omnisafe-0.5.0.npz": Reading(last_trajectory="drop"),
}


def found(name: str) -> OfflineDataset:
    return read_any(FOLDER / name, READINGS[name])


@pytest.mark.parametrize("name", FILES)
def test_the_transitions_are_those_of_the_environment(name):
    """Its equations, to rounding; and every end for its own reason."""
    data = found(name)
    drift = np.float32(0.8) * data.observations + np.pad(data.actions, ((0, 0), (0, 1)), constant_values=0.1)
    inner = ~data.terminals if name.startswith("d3rlpy") else np.ones(len(data), dtype=bool)  # there is none after it
    np.testing.assert_allclose(data.next_observations[inner], drift[inner], atol=1e-6)
    np.testing.assert_allclose(data.rewards, drift[:, 1], atol=1e-6)
    np.testing.assert_array_equal(data.costs, data.observations[:, 0] > 0.5)
    assert 0 < data.costs.sum() < len(data)
    fell, last = drift[:, 0] < -1.2, np.cumsum(data.lengths) - 1
    starts = last - data.lengths + 1
    fell[starts] = False  # not at a first step
    np.testing.assert_array_equal(data.terminals, fell)
    np.testing.assert_array_equal(np.flatnonzero(data.terminals | data.timeouts), last)


def test_d3rlpys_trajectories_are_whole_but_for_their_last_steps():
    """Seven of nine timed out, one of them after 2 steps as the recording ended."""
    data = found("d3rlpy-2.8.1.h5")
    assert data.lengths.tolist() == [11, 3, 11, 3, 11, 2, 11, 11, 1]
    assert data.terminals.sum() == 3
    assert "the last steps of 6 trajectories that timed out are left out" in " ".join(data.remarks)


def test_omnisafes_trajectories_are_those_that_ended():
    """Each of the two agents stopped within one, and the second agent's first trajectory timed out as others did."""
    data = found("omnisafe-0.5.0.npz")
    assert data.lengths.tolist() == [3, 3, 12, 7, 2, 5, 12, 12]
    assert data.timeouts.sum() == 3
    assert data.remarks == (
        "done do not say why a trajectory ended: 3 of 12 steps are taken for timeouts, 5 shorter ones for terminals",
        "14 rows of trajectories that were cut off are left out",
    )
    with pytest.raises(InputError, match=r"stops in the middle of a trajectory.*--last-trajectory drop"):
        read_any(FOLDER / "omnisafe-0.5.0.npz")


@pytest.mark.parametrize("name", FILES)
def test_what_is_converted_is_read_by_dsrl(name, tmp_path, monkeypatch):
    monkeypatch.setenv("DSRL_DATASET_DIR", str(tmp_path))
    convert.main([str(FOLDER / name), str(tmp_path / "out.hdf5"), *FILES[name]])
    spaces = SimpleNamespace(observation_space=SimpleNamespace(shape=(3,)), action_space=SimpleNamespace(shape=(2,)))
    theirs = dsrl_module("offline_env").OfflineEnv.get_dataset(spaces, str(tmp_path / "out.hdf5"))
    for key in KEYS:
        np.testing.assert_array_equal(theirs[key], getattr(found(name), key), err_msg=key)


@pytest.mark.usefixtures("no_figures", "unchecked")
@pytest.mark.parametrize("name", FILES)
def test_it_is_trained_on_as_it_is(name, tmp_path):
    words = ["--algorithm", "bc_all", "--steps", "4", "--hidden", "8", "--dynamics.steps", "0", "--cost-limits", "3"]
    train.main(["--dataset", str(FOLDER / name), *FILES[name], *words, "--out", str(tmp_path / "run")])
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary["dataset"]["transitions"] == len(found(name))
