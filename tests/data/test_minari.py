"""Minari's data sets: by id, their files, what is missing or uneven, and what an option can name."""

import json
from pathlib import Path

import h5py
import numpy as np
import pytest

from deep.data.conversion import read_any
from deep.data.data_path import data_path
from deep.data.formats.minari import action_bounds
from deep.data.reading import Reading
from tests.support import other_writers as writers
from theory.support.errors import InputError

pytest.importorskip("pyarrow")  # of the extra `data`
DATA = writers.recording()


@pytest.mark.parametrize("form", ["hdf5", "arrow"])
def test_a_minari_data_set_is_found_by_its_id(form, tmp_path, monkeypatch):
    folder = writers.write_minari(tmp_path, DATA, form=form)
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    assert data_path("minari:lab/arm/mixed-v0") == folder
    found = read_any(data_path("minari:lab/arm/mixed-v0"))
    assert found.provenance["minari_dataset_id"] == "lab/arm/mixed-v0"


def test_a_folder_that_is_no_minari_data_set_is_rejected(tmp_path):
    with pytest.raises(InputError, match="is a folder: a file is accepted, or the folder of a Minari data set"):
        read_any(tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "metadata.json").write_text("{}")
    with pytest.raises(InputError, match='written with data_format="hdf5", "arrow" or "parquet" is accepted'):
        read_any(tmp_path)


def test_every_file_of_a_minari_data_set_is_part_of_its_hash(tmp_path):
    folder = writers.write_minari(tmp_path, DATA, form="arrow")
    hashes = [read_any(folder).sha256]
    part = next((folder / "data" / "4").glob("part-*"))
    content = part.read_bytes()
    place = content.index(DATA["rewards"][43:55].tobytes())
    part.write_bytes(content[:place] + np.float32(0.125).tobytes() + content[place + 4 :])
    found = read_any(folder)
    assert found.rewards[43] == np.float32(0.125)
    hashes.append(found.sha256)
    about = folder / "data" / "metadata.json"
    about.write_text(about.read_text() + "\n")
    hashes.append(read_any(folder).sha256)
    assert len(set(hashes)) == 3


def test_episodes_beyond_those_of_the_metadata_are_remarked_on(tmp_path):
    folder = writers.write_minari(tmp_path, DATA, form="arrow")
    before = read_any(folder)
    about = folder / "data" / "metadata.json"
    content = json.loads(about.read_text())
    about.write_text(json.dumps(content | {"total_episodes": content["total_episodes"] - 2}))
    found = read_any(folder)
    assert len(found.ends) == len(before.ends) - 2
    remark = "2 more folders of episodes are not read, as the metadata say 4 episodes"
    assert set(found.remarks) - set(before.remarks) == {remark}


@pytest.mark.parametrize("content", ["5", "null", "[" * 100_000])
def test_metadata_that_are_none_are_left_out(content, tmp_path):
    """These ended in a traceback."""
    folder = writers.write_minari(tmp_path, DATA)
    (folder / "data" / "metadata.json").write_text(content)
    assert read_any(folder).provenance == {}


@pytest.mark.parametrize("bound", ["1" + "0" * 400, "[" * 100_000])
def test_a_space_of_actions_that_is_none_is_left_out(bound, tmp_path):
    """These ended in a traceback."""
    folder = writers.write_minari(tmp_path, DATA)
    about = folder / "data" / "metadata.json"
    space = f'{{"type": "Box", "low": [-1, -1], "high": [1, {bound}]}}'
    about.write_text(json.dumps(json.loads(about.read_text()) | {"action_space": space}))
    assert action_bounds(read_any(folder).provenance, 2) is None


def test_a_superscript_in_a_groups_name_is_no_number(tmp_path):
    folder = writers.write_minari(tmp_path, DATA)
    wanted = read_any(folder).rewards
    with h5py.File(folder / "data" / "main_data.hdf5", "r+") as file:
        file["episode_²"] = file["episode_0"]
    found = read_any(folder)
    assert len(found.rewards) == len(wanted)
    assert found.remarks[-1] == "1 more group of an episode is not read, as the metadata say 6 episodes"


def states(folder: Path, total: int | None) -> None:
    """Let the metadata say this number of episodes."""
    about = folder / "data" / "metadata.json"
    content = json.loads(about.read_text())
    content.pop("total_episodes", None)
    about.write_text(json.dumps(content | ({} if total is None else {"total_episodes": total})))


@pytest.mark.parametrize("in_file", [True, False])
def test_a_missing_episode_is_named(in_file, tmp_path):
    """The episodes after it were read in silence."""
    folder = writers.write_minari(tmp_path, DATA)
    with h5py.File(folder / "data" / "main_data.hdf5", "r+") as file:
        if in_file:
            file.attrs["total_episodes"] = 6
            states(folder, None)
        del file["episode_2"]
    with pytest.raises(InputError, match="has no episode_2, where total_episodes is 6: a data set with the"):
        read_any(folder)
    with h5py.File(folder / "data" / "main_data.hdf5", "r+") as file:
        file.attrs.pop("total_episodes", None)
    states(folder, None)
    assert read_any(folder).remarks == ("there is no episode_2 before episode_5",)


def test_fewer_episodes_by_the_metadata_than_groups(tmp_path):
    """All groups were read in silence; those in Arrow were not."""
    folder = writers.write_minari(tmp_path, DATA)
    states(folder, 4)
    found = read_any(folder)
    assert found.remarks == ("2 more groups of episodes are not read, as the metadata say 4 episodes",)
    assert len(found.ends) == 4


def test_an_episode_of_other_steps_than_it_says_is_rejected(tmp_path):
    folder = writers.write_minari(tmp_path, DATA)
    with h5py.File(folder / "data" / "main_data.hdf5", "r+") as file:
        file["episode_1"].attrs["total_steps"] = 8
    with pytest.raises(InputError, match="has 12 rewards in episode_1, where total_steps is 8: as many steps as"):
        read_any(folder)


def cut(part: Path) -> None:
    part.write_bytes(part.read_bytes()[:200])


@pytest.mark.parametrize("form", ["arrow", "parquet"])
@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (cut, "has an episode 4 that cannot be read"),
        (Path.unlink, "has no episode 4: a data set with the episodes of its metadata is accepted"),
    ],
)
def test_a_minari_data_set_without_a_whole_file_is_rejected(form, change, sentence, tmp_path):
    folder = writers.write_minari(tmp_path, DATA, form=form)
    change(next((folder / "data" / "4").glob("part-*")))
    with pytest.raises(InputError, match=sentence) as error:
        read_any(folder)
    assert "\n" not in str(error.value)


def test_costs_of_minari_that_are_missing_are_named(tmp_path):
    with pytest.raises(InputError, match=r"no array infos/cost.*infos/price \[8, 1\] float64; --cost-function"):
        read_any(writers.write_minari(tmp_path, DATA, "price", form="arrow"))


@pytest.mark.parametrize(("key", "rows"), [("rewards", 1), ("observations", 2)])
def test_a_minari_episode_of_uneven_arrays_is_rejected(tmp_path, key, rows):
    folder = writers.write_minari(tmp_path, DATA)
    with h5py.File(folder / "data" / "main_data.hdf5", "r+") as file:
        values = np.asarray(file[f"episode_2/{key}"])
        del file[f"episode_2/{key}"]
        file[f"episode_2/{key}"] = values[:-rows]
    with pytest.raises(InputError, match="in episode_2"):
        read_any(folder)


# What an option can name


def with_infos(path: Path, **infos: list[np.ndarray]) -> Path:
    """Minari's data set with more arrays of each episode, an entry of the reset first."""
    folder = writers.write_minari(path, DATA)
    with h5py.File(folder / "data" / "main_data.hdf5", "r+") as file:
        for name, episodes in infos.items():
            for i, values in enumerate(episodes):
                file[f"episode_{i}/infos/{name}"] = values
    return folder


COUNTED = [np.arange(length + 1) for length in writers.LENGTHS]


def test_steps_of_minari_are_checked(tmp_path):
    back = [values.copy() for values in COUNTED]
    back[2][3:5] = back[2][4], back[2][3]
    folder = with_infos(tmp_path, clock=COUNTED, wrong=back)
    assert len(read_any(folder, Reading(columns=("steps=infos/clock",))).ends) == 6
    row = writers.LENGTHS[0] + writers.LENGTHS[1] + 3
    with pytest.raises(InputError, match=f"has infos/wrong 3 in row {row}, after 4, in one trajectory: "):
        read_any(folder, Reading(columns=("steps=infos/wrong",)))
    assert len(read_any(folder, Reading(columns=("steps=",))).ends) == 6


def test_steps_of_arrow_are_checked(tmp_path):
    folder = writers.write_minari(tmp_path, DATA, form="arrow")
    with pytest.raises(InputError, match=r"has infos/cost 0.0 in row \d+, after 1.0, in one trajectory"):
        read_any(folder, Reading(columns=("steps=infos/cost",)))


@pytest.mark.parametrize("form", ["hdf5", "arrow"])
def test_timeouts_of_minari_may_be_another_array(form, tmp_path):
    """An entry of the reset comes first; it was rejected, or an entry off."""
    flags = [np.append(False, episode["timeouts"]) for episode in writers.episodes(DATA)]
    if form == "hdf5":
        folder, columns = with_infos(tmp_path, late=flags, early=[np.roll(each, -2) for each in flags]), ()
    else:
        data = DATA | {"costs": DATA["timeouts"] + 0.0}
        folder, columns = writers.write_minari(tmp_path, data, "late", form=form), ("costs=infos/late",)
    found = read_any(folder, Reading(columns=(*columns, "timeouts=infos/late")))
    np.testing.assert_array_equal(found.timeouts, DATA["timeouts"])
    assert found.remarks == ()
    if form == "hdf5":
        with pytest.raises(InputError, match="has an end inside episode 1 of its episodes"):
            read_any(folder, Reading(columns=("timeouts=infos/early",)))


@pytest.mark.parametrize("form", ["hdf5", "arrow", "d3rlpy"])
@pytest.mark.parametrize("column", ["dones=rewards", "episodes=rewards", "timeouts=", "environments=rewards", "dones="])
def test_an_option_that_has_no_effect_is_rejected(form, column, tmp_path):
    """It was passed over, and numbers of episodes made every row one."""
    if form == "d3rlpy":
        path, kind = writers.write_d3rlpy(tmp_path / "a.h5", DATA), "a file of d3rlpy"
    else:
        path, kind = writers.write_minari(tmp_path, DATA, form=form), "a Minari data set"
    sentence = f"is {kind}, which keeps each episode apart: --columns {column} has no effect; names of observations, "
    with pytest.raises(InputError, match=sentence):
        read_any(path, Reading(columns=(column,)))


def test_steps_of_d3rlpy_are_checked(tmp_path):
    path = writers.write_d3rlpy(tmp_path / "a.h5", DATA)
    with h5py.File(path, "r+") as file:
        for i, values in enumerate(COUNTED):
            file[f"clock_{i}"], file[f"back_{i}"] = values[1:], values[:0:-1]
    cost = "tests.support.other_writers:cost"
    read_any(path, Reading(columns=("steps=clock",), cost_function=cost))
    with pytest.raises(InputError, match="has steps 6 in row 1, after 7, in one trajectory"):
        read_any(path, Reading(columns=("steps=back",), cost_function=cost))


@pytest.mark.parametrize("suffix", [".npz", ".hdf5", ".pkl"])
def test_a_folder_of_arrays_is_sent_to_the_writer(suffix, tmp_path):
    (tmp_path / f"a{suffix}").write_bytes(b"")
    sentence = f"is a folder of {suffix} files: .*; deep.save_episodes writes a list of episodes, such as one from each"
    with pytest.raises(InputError, match=sentence):
        read_any(tmp_path)
