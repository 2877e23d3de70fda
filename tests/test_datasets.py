"""Data sets: what is written is what is read, in both layouts, and every bad file is refused by one sentence."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deep import datasets
from deep.datasets import FLAGS, KEYS, OfflineDataset, load, save, save_packed
from deep.tasks import TASKS
from theory.errors import InputError

HOPPER = TASKS["HopperVel"]
LENGTHS = (5, 1, 1000, 3)


def recording(lengths=LENGTHS, seed: int = 0, fractions: bool = False, task: str = "HopperVel") -> OfflineDataset:
    """Smooth-ish random transitions of trajectories of these lengths, which end in all three ways."""
    rng = np.random.default_rng(seed)
    rows, size = sum(lengths), TASKS[task].observation_size
    last = np.cumsum(lengths) - 1
    observations = rng.normal(size=(rows, size)).astype(np.float32)
    next_observations = np.roll(observations, -1, axis=0)
    next_observations[last] = rng.normal(size=(len(lengths), size))
    actions = rng.uniform(-1, 1, size=(rows, TASKS[task].action_size)).astype(np.float32)
    actions[0] = 1
    costs = rng.uniform(0, 3, size=rows) if fractions else rng.random(rows) < 0.3
    flags = np.zeros((2, rows), dtype=bool)
    flags[:, last] = rng.permuted(np.resize([[1, 0, 1], [0, 1, 1]], (2, len(lengths))), axis=1)
    flags[1, last] |= ~flags[0, last]
    return OfflineDataset(
        task,
        observations,
        next_observations,
        actions,
        rng.normal(size=rows).astype(np.float32),
        costs.astype(np.float32),
        *flags,
        policies=rng.integers(0, 9, size=len(lengths)).astype(np.int32),
        provenance={"command": "a test ∑", "empty": "", "seed": 3},
    )


def arrays(dataset: OfflineDataset) -> dict[str, np.ndarray]:
    return {key: getattr(dataset, key) for key in (*KEYS, "policies")}


@pytest.fixture(params=["plain", "packed"])
def layout(request) -> str:
    return request.param


def write(path: Path, dataset: OfflineDataset, layout: str) -> Path:
    (save_packed if layout == "packed" else save)(path, dataset)
    return path


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


def test_texts_are_stored_where_checksums_cover_them(tmp_path, layout):
    """Damage to texts of variable length, which HDF5 keeps elsewhere, can hang its library."""
    with h5py.File(write(tmp_path / "file.hdf5", recording(), layout)) as file:
        for key in ("task", "command", "empty"):
            assert file.attrs.get_id(key).dtype.kind == "S"


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


# Bad values: each makes one change to a good recording. The sentence must name the key.


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
    "small gap": (
        lambda fields: put("next_observations", (7, 3), fields["observations"][8, 3] + 1e-3)(fields),
        "row 7",
    ),
    "no end": (without_last_row, "stops in the middle of a trajectory"),
    "too long": (merge, "has a trajectory of 1003 steps from row 6 on: at most 1000 are accepted"),
    "empty": (empty, "has no transitions"),
    "short rewards": (cut("rewards", slice(1, None)), "of shape"),
    "short flags": (cut("timeouts", slice(1, None)), "has timeouts of shape"),
    "fewer actions": (cut("actions", np.s_[:, :2]), r"has actions of shape \(1009, 2\): \(1009, 3\) is accepted"),
    "fewer observations": (cut("observations", np.s_[:, :10]), r"has observations of shape \(1009, 10\)"),
    "flat observations": (cut("observations", np.s_[:, 0]), r"has observations of shape \(1009,\)"),
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
    with pytest.raises(InputError, match=sentence) as error:
        load(HOPPER, path)
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)
    for writer in (save, save_packed):
        with pytest.raises(InputError, match=sentence):
            writer(tmp_path / "other.hdf5", replace(recording(), **fields))
    assert os.listdir(tmp_path) == ["file.hdf5"]


# Bad structure: each makes one change to a good plain file


def swap(key: str, value) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        new = value(file[key][()])  # pyright: ignore[reportIndexIssue]
        del file[key]
        file[key] = new

    return change


def drop(key: str) -> Callable[[h5py.File], None]:
    return lambda file: file.__delitem__(key)


def into_group(file: h5py.File) -> None:
    del file["costs"]
    file.create_group("costs")


def dangling(file: h5py.File) -> None:
    del file["costs"]
    file["costs"] = h5py.ExternalLink("absent.hdf5", "costs")


def mark(key: str, text: str) -> Callable[[h5py.File], None]:
    return lambda file: file.attrs.__setitem__(key, np.bytes_(text.encode()))


def enormous(file: h5py.File) -> None:
    del file["costs"]
    file.create_dataset("costs", shape=(10**15,), dtype="f4", chunks=(1000,))  # takes no space until it is written


BAD_PLAIN = {
    **{f"no {key}": (drop(key), f"has no array {key}") for key in KEYS},
    **{f"{key} as text": (swap(key, lambda x: x.astype("S8")), f"has {key} of type .S8") for key in KEYS},
    **{
        f"{key} as integers": (swap(key, lambda x: x.astype(np.int8)), f"has {key} of type int8")
        for key in ("observations", "next_observations", "actions", "rewards")
    },
    **{f"{key} of 2": (swap(key, lambda x: 2 * x.astype(np.int8)), f"has 2 in row . of {key}") for key in FLAGS},
    **{f"half {key}": (swap(key, lambda x: x * np.float32(0.5)), f"has 0.5 in row . of {key}") for key in FLAGS},
    **{f"NaN in {key}": (swap(key, lambda x: x + np.float32(np.nan)), f"has nan in row 0 of {key}") for key in FLAGS},
    "float16": (swap("observations", lambda x: x.astype(np.float16)), "has observations of type float16: float32 or"),
    "too large for float32": (swap("rewards", lambda x: x * np.float64(1e300)), "has -?inf in row 0 of rewards"),
    "one number": (swap("rewards", lambda x: x[0]), r"has .* of shape"),
    "nothing": (swap("rewards", lambda x: h5py.Empty("f4")), "has rewards of shape None"),
    "group": (into_group, "has no array costs"),
    "more than fits into memory": (enormous, "cannot be read .*Unable to allocate"),
    "dangling link": (dangling, "has no array costs|cannot be read"),
    "other task": (
        mark("task", "AntVel"),
        "was recorded on AntVel: data of HopperVel",
    ),
    "other layout": (mark("layout", "odd"), "has the layout 'odd'"),
    "plain called packed": (mark("layout", "packed"), "has no array lengths"),
}
BAD_PACKED = {
    **{
        f"no {key}": (drop(key), f"has no array {key}")
        for key in ("observations", "final_observations", "actions", "rewards", "costs", "lengths", "ends")
    },
    "packed called plain": (
        mark("layout", "plain"),
        "has observations of type float16",
    ),
    "lengths too long": (swap("lengths", lambda x: x + 1), r"has observations of shape \(11, 1009\): \(11, 1013\)"),
    "a length of 0": (swap("lengths", lambda x: x * (x != 1)), "has bad lengths"),
    "lengths in a table": (swap("lengths", lambda x: x[None]), "has "),
    "no lengths": (swap("lengths", lambda x: x[:0]), "has "),
    "fewer ends": (swap("ends", lambda x: x[1:]), r"has ends of shape \(3,\): \(4,\)"),
    "no kind of end": (swap("ends", lambda x: 0 * x), "has a bad end"),
    "unknown kind of end": (swap("ends", lambda x: x + 3), "has a bad end"),
    "fewer last observations": (swap("final_observations", lambda x: x[:, 1:]), "has final_observations of shape"),
    "fewer costs": (swap("costs", lambda x: x[1:]), "has costs of shape"),
    "fewer costs as numbers": (swap("costs", lambda x: np.zeros(7, np.float32)), "has costs of shape"),
    "fewer rewards": (swap("rewards", lambda x: x[1:]), "of shape"),
    "fewer actions": (swap("actions", lambda x: x[1:]), "has actions of shape"),
    "fewer policies": (swap("policies", lambda x: x[1:]), "has policies of shape"),
    "NaN": (swap("observations", lambda x: x * np.float16(np.nan)), "has nan in row 0 of observations"),
}
BAD_FILES = [pytest.param("plain", *case, id=f"plain, {name}") for name, case in BAD_PLAIN.items()]
BAD_FILES += [pytest.param("packed", *case, id=f"packed, {name}") for name, case in BAD_PACKED.items()]


@pytest.mark.parametrize(("layout", "change", "sentence"), BAD_FILES)
def test_bad_structure_is_refused(tmp_path, layout, change, sentence):
    path = write(tmp_path / "file.hdf5", recording(), layout)
    with h5py.File(path, "r+") as file:
        change(file)
    with pytest.raises(InputError, match=sentence) as error:
        load(HOPPER, path)
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)


def test_data_of_a_task_with_other_sizes_are_refused(tmp_path, layout):
    path = write(tmp_path / "file.hdf5", recording(task="SwimmerVel"), layout)
    with h5py.File(path, "r+") as file:
        del file.attrs["task"]  # as in DSRL's own files
    with pytest.raises(InputError, match=r"has observations of shape .*: .* is accepted"):
        load(HOPPER, path)


def test_values_too_large_for_half_precision_are_not_packed(tmp_path):
    dataset = recording()
    dataset.rewards[3] = -1e5
    with pytest.raises(InputError, match="cannot hold 100000 in rewards"):
        save_packed(tmp_path / "file.hdf5", dataset)


# Bad files


def test_absent_files_and_folders_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"absent\.hdf5 does not exist"):
        load(HOPPER, tmp_path / "absent.hdf5")
    with pytest.raises(InputError, match="is not a file"):
        load(HOPPER, tmp_path)
    with pytest.raises(InputError, match="is not a file"):
        load(HOPPER, "/dev/null")


@pytest.mark.parametrize("content", [b"", b"observations,actions\n1,2\n", bytes(range(256)) * 9])
def test_other_kinds_of_files_are_refused(tmp_path, content):
    (tmp_path / "file.hdf5").write_bytes(content)
    with pytest.raises(InputError, match="is not an HDF5 file"):
        load(HOPPER, tmp_path / "file.hdf5")


def test_a_file_that_may_not_be_read_is_refused(tmp_path, monkeypatch):
    path = write(tmp_path / "file.hdf5", recording(), "plain")

    def refuse(*arguments, **options):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "open", refuse)  # chmod would not stop a test that runs as root
    with pytest.raises(InputError, match=r"cannot be read \(.*Permission denied.*\)"):
        load(HOPPER, path)


def test_a_truncated_file_is_refused_wherever_it_stops(tmp_path, layout):
    content = write(tmp_path / "file.hdf5", recording(), layout).read_bytes()
    for size in np.linspace(8, len(content) - 1, 60).astype(int):
        (tmp_path / "cut.hdf5").write_bytes(content[:size])
        with pytest.raises(InputError, match="cannot be read"):
            load(HOPPER, tmp_path / "cut.hdf5")


def test_a_packed_file_with_damaged_numbers_is_refused(tmp_path):
    """The format's and gzip's checksums find any change of the numbers, wherever it is."""
    path = write(tmp_path / "file.hdf5", recording(), "packed")
    content, good = bytearray(path.read_bytes()), arrays(load(HOPPER, path))
    rng, refused = np.random.default_rng(0), 0
    for place in rng.integers(0, len(content), 150):
        damaged = content.copy()
        damaged[place] ^= 1 << rng.integers(8)
        path.write_bytes(damaged)
        try:
            found = arrays(load(HOPPER, path))
        except InputError:
            refused += 1
        else:
            for key in good:
                np.testing.assert_array_equal(found[key], good[key])
    assert refused > 75
