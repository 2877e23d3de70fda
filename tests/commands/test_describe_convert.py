"""`deep.describe` and `deep.convert`: what they print and write, DSRL's and Minari's own readers, training on each."""

import json
import os
import re
import resource
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pytest

import deep.convert.__main__ as convert
import deep.describe.__main__ as describe
from deep import save_episodes, train
from deep.convert.minari_writer import write_minari
from deep.data.conversion import read_any
from deep.data.dataset import KEYS
from deep.data.load import EMBEDDED, load, task_of
from deep.describe.card import write_card
from deep.describe.numbers import numbers
from tests.support import other_writers as writers
from tests.support.dsrl import dsrl_module
from tests.support.recordings import HOPPER, recording, write
from theory.support.errors import InputError

pytest.importorskip("pyarrow")  # of the extra `data`
DATA = writers.recording()
COST = ["--cost-function", "tests.support.other_writers:cost"]
SOURCES = {
    "minari": (lambda path: writers.write_minari(path, DATA), []),
    "minari, arrow": (lambda path: writers.write_minari(path, DATA, form="arrow"), []),
    "omnisafe": (lambda path: writers.write_omnisafe(path / "data.npz", DATA), []),
    "d3rlpy": (lambda path: writers.write_d3rlpy(path / "replay.h5", DATA), COST),
    "d4rl": (lambda path: writers.write_d4rl(path / "d4rl.hdf5", DATA), COST),
    "csv": (lambda path: writers.write_csv(path / "log.csv", DATA), []),
    "parquet": (lambda path: writers.write_parquet(path / "log.parquet", DATA), []),
}


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


@pytest.mark.slow
@pytest.mark.usefixtures("no_figures", "unchecked")
@pytest.mark.parametrize("source", SOURCES)
def test_each_is_trained_on_in_one_command(source, tmp_path, capsys):
    """Converted, and as it is: the results are the same."""
    written, options = SOURCES[source]
    path, out = written(tmp_path), tmp_path / "out.hdf5"
    convert.main([str(path), str(out), *options])
    words = ["--algorithm", "bc_all", "--steps", "4", "--hidden", "8", "--dynamics.steps", "0", "--cost-limits", "3"]
    results = []
    length = re.findall("--episode-length [0-9]+", capsys.readouterr().out)  # where last steps are left out
    assert len(length) == (source == "d3rlpy")
    for name, data, more in (("whole", out, " ".join(length).split()), ("direct", path, options)):
        train.main(["--dataset", str(data), *words, *more, "--out", str(tmp_path / name)])
        results.append(json.loads((tmp_path / name / "summary.json").read_text()))
    first, second = (result["results"][0] for result in results)
    assert first == second
    assert results[0]["dataset"]["transitions"] == results[1]["dataset"]["transitions"]


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
    episodes = [
        {
            "observations": writers.with_last(x),
            "terminated": x["terminals"][-1],
            **{k: x[k] for k in ("rewards", "costs")},
        }
        | {"actions": 3 * x["actions"]}
        for x in writers.episodes(DATA)
    ]
    path = save_episodes(tmp_path / "mine.hdf5", episodes)
    with h5py.File(path) as file:
        np.testing.assert_array_equal(file["actions"], 3 * DATA["actions"])
        np.testing.assert_array_equal(file["next_observations"], DATA["next_observations"])
    with pytest.raises(InputError, match=r"ends in .hdf5"):
        save_episodes(tmp_path / "mine.npz", episodes)


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


# deep.describe


def test_it_says_what_is_in_the_data(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    path = writers.write_csv(tmp_path / "log.csv", DATA)
    describe.main([str(path)])
    text = capsys.readouterr().out
    returns = np.add.reduceat(DATA["rewards"], np.cumsum([0, *writers.LENGTHS[:-1]]))
    assert "Tables with named columns" in text
    assert "6 trajectories, 67 transitions, of no task of the table" in text
    assert "observations of 3 numbers, actions of 2 in [-0.9, 0.9]" in text or "actions of 2 in" in text
    assert "steps       7 to 12, median 12; 17% end in a terminal state" in text
    assert f"return      {returns.min():.4g} to {returns.max():.4g}" in text
    assert (tmp_path / "log-plane.png").read_bytes().startswith(b"\x89PNG")


def test_the_numbers_are_those_of_the_data():
    data = recording(lengths=(5, 7, 9), fractions=True)
    found = numbers(data, HOPPER)
    costs = [float(data.costs[a:b].sum()) for a, b in ((0, 5), (5, 12), (12, 21))]
    returns = [float(data.rewards[a:b].sum()) for a, b in ((0, 5), (5, 12), (12, 21))]
    np.testing.assert_allclose(found["costs"], sorted(costs), rtol=1e-6)
    assert found["lengths"] == [5, 7, 9]
    for row in found["limits"]:
        within = [r for r, c in zip(returns, costs, strict=True) if c <= row["limit"]]
        assert row["trajectories"] == len(within)
        np.testing.assert_allclose(row["best_return"], max(within), rtol=1e-6)
    assert [row["limit"] for row in found["limits"]] == [20, 40, 80]


def test_the_embedded_data_take_less_than_five_seconds(tmp_path):
    words = [sys.executable, "-X", "importtime", "-m", "deep.describe", str(EMBEDDED / "HopperVel.hdf5")]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([*words, "--figure", "f.png"], cwd=tmp_path, capture_output=True, text=True, check=True,
                          env={**os.environ, "PYTHONPATH": os.getcwd()})  # fmt: skip
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert 0.2 < seconds < 5
    assert "1,000 trajectories, 797,161 transitions of HopperVel" in done.stdout
    assert "cost <= 20:" in done.stdout
    assert not re.search(r"\| +torch\n", done.stderr), "torch takes seconds to import"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["nowhere.hdf5"], "nowhere.hdf5 does not exist: a path, minari:ID or a task's name"),
        (["HopperVel", "--figure", "a.jpg"], "--figure a.jpg: a name that ends in .png"),
        (["HopperVel", "--last-trajectory", "keep"], "--last-trajectory keep: accepted is drop"),
    ],
)
def test_what_cannot_be_described_is_rejected(words, sentence, capsys):
    with pytest.raises(SystemExit):
        describe.main(words)
    assert sentence in capsys.readouterr().err


# Data cards


def test_a_card_says_what_is_in_the_file_and_how_it_was_made(tmp_path):
    data = recording()
    path = write(tmp_path / "pool.hdf5", data, "plain")
    text = write_card(path, data, tmp_path / "pool.png").read_text()
    assert "Recordings of HopperVel (OfflineHopperVelocityGymnasium-v1)" in text
    assert "| trajectories | 4 |" in text
    assert "- command: `a test ∑`" in text
    assert "- sha256 of the file: `" in text
    assert "(pool.png)" in text
    assert "They are not those of DSRL" in text


def test_a_missing_package_of_minari_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "minari", None)
    with pytest.raises(InputError, match="`pip install minari` installs it"):
        write_minari(tmp_path / "a", recording())


@pytest.mark.parametrize(("form", "called"), [("hdf5", "in HDF5"), ("arrow", "in Arrow or Parquet")])
def test_a_folders_form_is_named(form, called, tmp_path, capsys):
    folder = writers.write_minari(tmp_path, DATA, form=form)
    describe.main([str(folder), "--figure", str(tmp_path / "plane.png")])
    assert f"{folder}: Minari's data sets {called}\n" in capsys.readouterr().out
