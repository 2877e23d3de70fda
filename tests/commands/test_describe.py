"""`deep.describe`: what it prints and draws, its time, and data cards."""

import os
import re
import resource
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

import deep.describe.__main__ as describe
from deep.data.load import EMBEDDED
from deep.describe.card import write_card
from deep.describe.numbers import numbers, text
from tests.support import other_writers as writers
from tests.support.recordings import HOPPER, recording, write
from tests.support.written_sources import DATA

pytest.importorskip("pyarrow")  # of the extra `data`


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
    assert (tmp_path / "log.csv-plane.png").read_bytes().startswith(b"\x89PNG")


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


def test_that_nothing_costs_is_said():
    data = recording(lengths=(5, 7, 9))
    free = replace(data, costs=np.zeros_like(data.costs))
    said = "no step costs anything: what would cost is unknown"
    assert said in text(free, numbers(free, HOPPER), HOPPER).splitlines()
    assert said not in text(data, numbers(data, HOPPER), HOPPER)


def test_a_zero_with_a_sign_is_0():
    """A cost function such as -min(x, 0) makes such zeros; they were printed as -0."""
    data = recording(lengths=(5, 7, 9))
    signed = {key: -np.zeros_like(getattr(data, key)) for key in ("actions", "rewards", "costs")}
    data = replace(data, **signed)
    found = numbers(data, HOPPER)
    assert not re.search(r"-0(?![.\d])", text(data, found, HOPPER))
    spreads = [*found["costs"], *found["returns"], *found["action_range"], found["largest_step_cost"]]
    assert not np.signbit(spreads).any()


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


@pytest.mark.parametrize(("form", "called"), [("hdf5", "in HDF5"), ("arrow", "in Arrow or Parquet")])
def test_a_folders_form_is_named(form, called, tmp_path, capsys):
    folder = writers.write_minari(tmp_path, DATA, form=form)
    describe.main([str(folder), "--figure", str(tmp_path / "plane.png")])
    assert f"{folder}: Minari's data sets {called}\n" in capsys.readouterr().out


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


def test_figures_of_two_formats_of_one_name_differ(tmp_path, monkeypatch):
    """The second one took the place of the first."""
    monkeypatch.chdir(tmp_path)
    for writer, name in ((writers.write_csv, "cart.csv"), (writers.write_parquet, "cart.parquet")):
        describe.main([str(writer(tmp_path / name, DATA))])
    assert {each.name for each in tmp_path.glob("*.png")} == {"cart.csv-plane.png", "cart.parquet-plane.png"}
