"""Data sets: what is written is what is read, in both layouts, from the file that was asked for."""

import hashlib
import json
import os
import shutil
from dataclasses import replace
from types import SimpleNamespace

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deep.data import load as datasets
from deep.data.dataset import FLAGS, KEYS
from deep.data.load import load, save, save_packed
from tests.support.recordings import HOPPER, LENGTHS, arrays, each_layout, recording, write
from theory.support.errors import InputError


@settings(max_examples=25, deadline=None)
@given(lengths=st.lists(st.integers(1, 40), min_size=1, max_size=12), seed=st.integers(0, 99), fractions=st.booleans())
def test_a_plain_file_returns_every_bit_and_a_packed_one_half_precision(tmp_path_factory, lengths, seed, fractions):
    path = tmp_path_factory.mktemp("data") / "file.hdf5"
    dataset = recording(lengths, seed, fractions)
    plain = arrays(load(HOPPER, write(path, dataset, "plain")))
    for key, written in arrays(dataset).items():
        np.testing.assert_array_equal(plain[key], written, strict=True)

    packed = load(HOPPER, write(path, dataset, "packed"))
    for key, written in arrays(dataset).items():
        if key in ("observations", "next_observations", "actions", "rewards"):
            written = written.astype(np.float16).astype(np.float32)
        np.testing.assert_array_equal(arrays(packed)[key], written, strict=True)
        assert getattr(packed, key).flags.c_contiguous
    again = load(HOPPER, write(path, packed, "packed"))
    for key, written in arrays(packed).items():
        np.testing.assert_array_equal(getattr(again, key), written)


@each_layout
def test_trajectories_are_those_that_were_written(tmp_path, layout):
    written = recording()
    dataset = load(HOPPER, write(tmp_path / "file.hdf5", written, layout))
    pieces = np.split(np.arange(sum(LENGTHS)), np.cumsum(LENGTHS)[:-1])
    assert dataset.lengths.tolist() == list(LENGTHS)
    assert dataset.starts.tolist() == [piece[0] for piece in pieces]
    assert dataset.ends.tolist() == [piece[-1] for piece in pieces]
    returns = [written.rewards[piece].astype(float).sum() for piece in pieces]
    np.testing.assert_allclose(dataset.trajectory_returns, returns, atol=1e-9 if layout == "plain" else 0.05)
    np.testing.assert_array_equal(dataset.trajectory_costs, [written.costs[piece].sum() for piece in pieces])
    assert dataset.trajectory_returns.dtype == np.float64


@each_layout
def test_a_file_says_where_it_comes_from(tmp_path, layout):
    path = write(tmp_path / "deep" / "er" / "file.hdf5", recording(), layout)
    dataset = load(HOPPER, path)
    assert (dataset.task, dataset.source, dataset.path) == ("HopperVel", "file", path)
    assert dataset.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert json.dumps(dict(dataset.provenance)) == '{"command": "a test \\u2211", "empty": "", "seed": 3}'
    assert len(dataset) == sum(LENGTHS)
    assert load(HOPPER, str(path)).sha256 == dataset.sha256
    assert os.listdir(path.parent) == ["file.hdf5"]
    write(tmp_path / "again.hdf5", recording(), layout)
    assert (tmp_path / "again.hdf5").read_bytes() == path.read_bytes()


def test_many_policies_fit_into_a_plain_file(tmp_path):
    dataset = recording([1] * 40_000)
    save(tmp_path / "file.hdf5", dataset)
    np.testing.assert_array_equal(load(HOPPER, tmp_path / "file.hdf5").policies, dataset.policies)


def test_packing_is_worth_its_loss(tmp_path):
    dataset = recording([1000] * 20)
    save(tmp_path / "plain.hdf5", dataset)
    save_packed(tmp_path / "packed.hdf5", dataset)
    assert (tmp_path / "packed.hdf5").stat().st_size < 0.35 * (tmp_path / "plain.hdf5").stat().st_size
    returns = load(HOPPER, tmp_path / "packed.hdf5").trajectory_returns
    np.testing.assert_allclose(returns, dataset.trajectory_returns, atol=0.05)


@each_layout
def test_texts_are_stored_where_checksums_cover_them(tmp_path, layout):
    """Damage to texts of variable length, which HDF5 keeps elsewhere, can hang its library."""
    with h5py.File(write(tmp_path / "file.hdf5", recording(), layout)) as file:
        for key in ("task", "command", "empty"):
            assert file.attrs.get_id(key).dtype.kind == "S"


@each_layout
def test_a_failed_write_leaves_the_old_file_as_it_was(tmp_path, layout):
    content = write(tmp_path / "file.hdf5", recording(), layout).read_bytes()
    with pytest.raises(TypeError):
        write(tmp_path / "file.hdf5", replace(recording(), provenance={"seed": object()}), layout)
    assert os.listdir(tmp_path) == ["file.hdf5"]
    assert (tmp_path / "file.hdf5").read_bytes() == content


def test_float64_and_columns_are_accepted(tmp_path):
    dataset = recording()
    with h5py.File(tmp_path / "file.hdf5", "w") as file:
        for key in KEYS:
            values = getattr(dataset, key)
            values = values if key in FLAGS else values.astype(np.float64)
            file[key] = values[:, None] if values.ndim == 1 else values
    found = load(HOPPER, tmp_path / "file.hdf5")
    for key in KEYS:
        np.testing.assert_array_equal(getattr(found, key), getattr(dataset, key), strict=True)
    assert found.policies is None
    assert found.provenance == {}


# Which file


@pytest.fixture
def places(tmp_path, monkeypatch) -> SimpleNamespace:
    """Empty folders for DSRL's files and for the embedded ones, and what to put there."""
    (tmp_path / "dsrl").mkdir()
    (tmp_path / "data").mkdir()
    monkeypatch.setenv("DSRL_DATASET_DIR", str(tmp_path / "dsrl"))
    monkeypatch.setattr(datasets, "EMBEDDED", tmp_path / "data")
    return SimpleNamespace(dsrl=tmp_path / "dsrl" / HOPPER.dsrl_file, embedded=tmp_path / "data" / "HopperVel.hdf5")


def test_auto_prefers_dsrls_file_to_the_embedded_one(places):
    save_packed(places.embedded, recording(seed=1))
    assert load(HOPPER).source == "embedded"
    save(places.dsrl, recording(seed=2))
    assert load(HOPPER).source == "dsrl"
    assert load(HOPPER).path == places.dsrl
    assert load(HOPPER, "dsrl").path == places.dsrl
    assert load(HOPPER, "embedded").path == places.embedded


@pytest.mark.parametrize("which", ["auto", "embedded"])
def test_absent_data_are_refused_with_the_ways_to_get_them(places, which):
    with pytest.raises(InputError) as error:
        load(HOPPER, which)
    for part in ("HopperVel", HOPPER.dsrl_file, str(places.dsrl.parent), "deep.collect --task HopperVel", "--dataset"):
        assert part in str(error.value)


def test_the_folder_in_the_home_directory_is_the_default(tmp_path, monkeypatch):
    monkeypatch.delenv("DSRL_DATASET_DIR") if "DSRL_DATASET_DIR" in os.environ else None
    monkeypatch.setenv("HOME", str(tmp_path))
    save(tmp_path / ".dsrl" / "datasets" / HOPPER.dsrl_file, recording())
    assert load(HOPPER, "dsrl").source == "dsrl"
    shutil.copy(tmp_path / ".dsrl" / "datasets" / HOPPER.dsrl_file, tmp_path / "mine.hdf5")
    assert load(HOPPER, "~/mine.hdf5").source == "file"
