"""`deep.convert` and `save_episodes`: what they write, for readers of DSRL and Minari, and what is kept of the data."""

import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pytest

import deep.convert.__main__ as convert
from deep import save_episodes
from deep.convert.minari_writer import write_minari
from deep.data.conversion import read_any
from deep.data.custom import CustomData, load_custom
from deep.data.dataset import KEYS
from deep.data.load import load, save, save_packed, task_of
from deep.data.reading import Reading
from tests.support import other_writers as writers
from tests.support.dsrl import dsrl_module
from tests.support.recordings import HOPPER, recording, write
from tests.support.written_sources import DATA, SOURCES
from theory.support.errors import InputError

pytest.importorskip("pyarrow")  # of the extra `data`


def read_by_dsrl(path: Path) -> dict[str, np.ndarray]:
    """By DSRL's own `get_dataset`, which asserts keys and shapes."""
    spaces = SimpleNamespace(observation_space=SimpleNamespace(shape=(3,)), action_space=SimpleNamespace(shape=(2,)))
    return dsrl_module("offline_env").OfflineEnv.get_dataset(spaces, str(path))


@pytest.mark.parametrize("source", SOURCES)
def test_what_is_converted_is_read_by_dsrl(source, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("DSRL_DATASET_DIR", str(tmp_path))
    written, options = SOURCES[source]
    path, out = written(tmp_path), tmp_path / "out.hdf5"
    convert.main([str(path), str(out), *options])
    found = read_by_dsrl(out)
    kept = ~DATA["timeouts"] if source == "d3rlpy" else np.ones(len(DATA["rewards"]), dtype=bool)
    for key in set(KEYS) - ({"timeouts", "next_observations"} if source == "d3rlpy" else set()):
        np.testing.assert_array_equal(found[key], DATA[key][kept], err_msg=key)
    card = (tmp_path / "out.md").read_text()
    assert f"| transitions | {kept.sum()} |" in card
    assert f"`{path.name}`" in card
    assert "conversion: `python -m deep.convert" in card
    assert "6 trajectories" in capsys.readouterr().out


def test_minari_itself_reads_what_is_converted(tmp_path):
    minari = pytest.importorskip("minari")
    path = writers.write_csv(tmp_path / "log.csv", DATA)
    convert.main([str(path), str(tmp_path / "mine-v0"), "--to", "minari"])
    assert (tmp_path / "mine-v0.md").exists()
    assert not [name for name in os.listdir(tmp_path) if "tmp" in name]
    found = minari.MinariDataset(tmp_path / "mine-v0" / "data")
    for theirs, ours in zip(found.iterate_episodes(), writers.episodes(DATA), strict=True):
        np.testing.assert_array_equal(theirs.observations, writers.with_last(ours))
        np.testing.assert_array_equal(theirs.actions, ours["actions"])
        np.testing.assert_array_equal(theirs.infos["cost"][1:], ours["costs"])
        np.testing.assert_array_equal(theirs.terminations, ours["terminals"])
    back = read_any(tmp_path / "mine-v0")
    for key in KEYS:
        np.testing.assert_array_equal(getattr(back, key), DATA[key])


def test_a_file_of_a_task_stays_one(tmp_path):
    """A packed file becomes DSRL's layout, with its task."""
    write(tmp_path / "packed.hdf5", recording(), "packed")
    convert.main([str(tmp_path / "packed.hdf5"), str(tmp_path / "plain.hdf5")])
    assert task_of(tmp_path / "plain.hdf5") == HOPPER
    before, after = (load(HOPPER, tmp_path / name) for name in ("packed.hdf5", "plain.hdf5"))
    for key in KEYS:
        np.testing.assert_array_equal(getattr(before, key), getattr(after, key))
    assert after.provenance["command"] == before.provenance["command"]


def test_episodes_from_python_are_a_file(tmp_path):
    episodes = [{**each, "actions": 3 * each["actions"]} for each in writers.of_python(DATA)]
    path = save_episodes(tmp_path / "mine.hdf5", episodes)
    with h5py.File(path) as file:
        np.testing.assert_array_equal(file["actions"], 3 * DATA["actions"])
        np.testing.assert_array_equal(file["next_observations"], DATA["next_observations"])
    with pytest.raises(InputError, match=r"ends in .hdf5"):
        save_episodes(tmp_path / "mine.npz", episodes)


def test_what_is_left_out_of_episodes_is_said_at_the_call(tmp_path, recwarn):
    episodes = writers.of_python(DATA)
    timed_out = next(i for i, each in enumerate(episodes) if not each["terminated"])
    save_episodes(tmp_path / "whole.hdf5", episodes)
    assert not recwarn.list
    episodes[timed_out] |= {"observations": episodes[timed_out]["observations"][:-1]}
    with pytest.warns(UserWarning, match=rf"mine.hdf5: no observation follows the last step of episode {timed_out}; "
                      "the last step of 1 trajectory that timed out is left out"):  # fmt: skip
        save_episodes(tmp_path / "mine.hdf5", episodes)
    assert len(read_any(tmp_path / "mine.hdf5")) == len(DATA["rewards"]) - 1


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["{csv}", "out.npz"], "out.npz: a name that ends in .hdf5"),
        (["{csv}", "out.hdf5", "--to", "minari"], "the name of a folder such as mine-v0"),
        (["nowhere.csv", "out.hdf5"], "nowhere.csv does not exist: a path or minari:ID"),
        (["minari:no/such", "out.hdf5"], "minari:no/such does not exist (it would be "),
        (["{csv}", "{csv}"], "a name that ends in .hdf5"),
        (["{csv}", "{there}"], "there.hdf5 exists: another name is accepted, or --overwrite"),
        (["{there}", "{there}", "--overwrite"], "is the data set itself"),
        (["{csv}", "{folder}", "--to", "minari", "--overwrite"], "is a folder of other content"),
        (["{csv}", "out.hdf5", "--task", "Hopper"], "unknown task 'Hopper'"),
    ],
)  # fmt: skip
def test_a_conversion_that_cannot_be_is_rejected(words, sentence, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    places = {"csv": "log.csv", "there": "there.hdf5", "folder": "folder-v0"}
    writers.write_csv(tmp_path / "log.csv", DATA)
    (tmp_path / "there.hdf5").write_bytes(b"mine")
    (tmp_path / "folder-v0").mkdir()
    before = sorted(os.listdir())
    with pytest.raises(SystemExit):
        convert.main([word.format(**places) for word in words])
    error = capsys.readouterr().err
    assert sentence in error
    assert error.count("\n") == 1
    assert sorted(os.listdir()) == before
    assert (tmp_path / "there.hdf5").read_bytes() == b"mine"


def test_a_page_that_is_no_data_card_is_kept(tmp_path):
    path, notes = writers.write_csv(tmp_path / "log.csv", DATA), tmp_path / "keep.md"
    notes.write_text("my own")
    with pytest.raises(InputError, match=r"keep.md, the name of the data card, exists: .*--overwrite"):
        convert.run(convert.Options(str(path), tmp_path / "keep.hdf5"))
    assert notes.read_text() == "my own"
    assert not (tmp_path / "keep.hdf5").exists()
    assert convert.run(convert.Options(str(path), tmp_path / "keep.hdf5", overwrite=True)) == notes


@pytest.mark.parametrize(
    ("stated", "written"),
    [([-2.0, 3.0], ([-2, -2], [3, 3])), (None, ([-1, -1], [1, 1])), ([0.0, 0.1], ([-np.inf] * 2, [np.inf] * 2))],
)
def test_the_bounds_of_minaris_actions_are_kept(stated, written, tmp_path):
    """The extremes of the data are no bounds."""
    pytest.importorskip("minari")
    path = writers.write_minari(tmp_path, DATA)
    if stated:
        space = {"type": "Box", "low": stated[:1] * 2, "high": stated[1:] * 2}
        (path / "data" / "metadata.json").write_text(json.dumps({"action_space": json.dumps(space)}))
    convert.run(convert.Options(str(path), tmp_path / "a.hdf5"))
    convert.run(convert.Options(str(tmp_path / "a.hdf5"), tmp_path / "new" / "b-v0", to="minari"))
    about = json.loads((tmp_path / "new" / "b-v0" / "data" / "metadata.json").read_text())
    space = json.loads(about["action_space"])
    np.testing.assert_array_equal((space["low"], space["high"]), written)
    if stated and stated[1] > 1:
        for source in (path, tmp_path / "a.hdf5", tmp_path / "new" / "b-v0"):
            assert load_custom(source, CustomData())[0].action_high == (3, 3)


def test_a_missing_package_of_minari_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "minari", None)
    with pytest.raises(InputError, match="`pip install minari` installs it"):
        write_minari(tmp_path / "a", recording())


def test_a_recorded_length_that_is_none_is_rejected(tmp_path):
    path = save_episodes(tmp_path / "mine.hdf5", writers.of_python(DATA))
    with h5py.File(path, "r+") as file:
        file.attrs["recorded_length"] = 1.5
    with pytest.raises(InputError, match=r"has the recorded_length 1.5: a whole number"):
        read_any(path)


def test_a_remark_of_a_tasks_file_reaches_the_data_set(tmp_path):
    """And is kept by what is written from it."""
    path = write(tmp_path / "hopper.hdf5", recording(), "plain")
    reading = Reading(cost_function="tests.support.other_writers:cost")
    data = load(HOPPER, path, reading)
    assert data.remarks == ("costs by tests.support.other_writers:cost, in place of the file's",)
    for layout, saved in (("plain", save), ("packed", save_packed)):
        saved(tmp_path / f"{layout}.hdf5", data)
        (again,) = load(HOPPER, tmp_path / f"{layout}.hdf5").remarks
        assert again == f"said when the file was written: {data.remarks[0]}"
