"""`python -m deep.collect --kind`: what is written, that a fresh pool and its file give the same, what is refused."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from deep.collect import __main__ as collect
from deep.collect.recipes import recipe
from deep.data.conversion import read_any
from deep.data.load import load, save, save_packed
from deep.tasks import find_task
from tests.support.builders import TINY_COLLECTION, small_dataset
from tests.support.one_process import one_process
from theory.support.errors import InputError

HOPPER = find_task("HopperVel")
SUBSET = ["--subset.limits", "3", "18", "--subset.window", ".01", "--subset.good", ".3", "--subset.poor", ".2"]


@pytest.fixture(scope="module")
def pool(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("pool") / "pool.hdf5"
    data = small_dataset(trajectories=90)
    # As in this project's own files: the run, the stage, the iteration, the limit and the noise of every policy.
    behaviour = [[number % 2, 0, 0, 100.0, 1.0] for number in range(90)]
    about = {"command": "python -m deep.collect", "seed": 5, "behaviour": json.dumps(behaviour)}
    save(path, replace(data, policies=np.arange(90), provenance=about))
    return path


def draw(pool: Path | str, out: Path, *words: str) -> None:
    collect.main(["--pool", str(pool), "--out", str(out), *words])


def test_kinds_of_a_file_are_written_beside_out_with_pool_kind_and_seed(pool, tmp_path, capsys):
    draw(pool, tmp_path / "mine.hdf5", "--kind", "tempting", "few", "--seed", "4", *SUBSET)
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {f"mine-{kind}.{end}" for kind in ("tempting", "few") for end in ("hdf5", "png", "md")}
    whole, printed = load(HOPPER, pool), capsys.readouterr().out
    for kind in ("tempting", "few"):
        data = load(HOPPER, tmp_path / f"mine-{kind}.hdf5")
        about = data.provenance
        assert about["kind"] == kind
        assert about["seed"] == 4
        assert about["pool_seed"] == 5
        assert about["pool"] == "pool.hdf5"
        assert about["pool_sha256"] == hashlib.sha256(pool.read_bytes()).hexdigest()
        command = f"python -m deep.collect --task HopperVel --pool pool.hdf5 --kind {kind} --seed 4 "
        assert (
            about["command"]
            == command + "--subset.limits 3 18 --subset.good 0.3 --subset.poor 0.2 --subset.window 0.01"
        )
        numbers = json.loads(about["kind_numbers"])
        assert numbers["trajectories"] == len(data.ends) < len(whole.ends)
        assert data.policies is not None
        np.testing.assert_allclose(data.trajectory_returns, whole.trajectory_returns[data.policies], atol=0.02)
        assert f"{kind}: {numbers['trajectories']} trajectories" in printed
        assert f"cost <= 3: {numbers['limits'][0]['within']} trajectories" in printed


def test_a_card_and_a_minari_data_set_lie_beside_a_kind(pool, tmp_path):
    pytest.importorskip("minari")
    draw(pool, tmp_path / "mine.hdf5", "--kind", "tempting", "--minari", *SUBSET)
    data, back = load(HOPPER, tmp_path / "mine-tempting.hdf5"), read_any(tmp_path / "mine-tempting-v0")
    card = (tmp_path / "mine-tempting.md").read_text()
    assert f"| trajectories | {len(data.ends)} |" in card
    assert f"sha256 of the file: `{data.sha256}`" in card
    assert "kind `tempting`" in card
    assert "(mine-tempting.png)" in card
    np.testing.assert_array_equal(back.costs, data.costs)
    np.testing.assert_allclose(back.rewards, data.rewards, atol=1e-3)  # the file is packed
    assert back.provenance["minari_algorithm_name"].startswith("python -m deep.collect --task HopperVel")


def test_the_command_in_the_file_gives_the_file_again(pool, tmp_path, monkeypatch):
    draw(pool, tmp_path / "a.hdf5", "--kind", "hybrid", "--seed", "2", "--layout", "plain", *SUBSET)
    first = load(HOPPER, tmp_path / "a-hybrid.hdf5")
    monkeypatch.chdir(pool.parent)
    words = str(first.provenance["command"]).split()[3:]
    collect.main([*words, "--layout", "plain", "--out", str(tmp_path / "b.hdf5")])
    assert load(HOPPER, tmp_path / "b-hybrid.hdf5").sha256 == first.sha256


@one_process()
def test_a_fresh_pool_and_its_file_give_the_same_kind(tmp_path, monkeypatch):
    out, tiny = tmp_path / "fresh.hdf5", [str(word) for pair in TINY_COLLECTION.items() for word in pair]
    collect.main(["--out", str(out), "--workers", "1", "--kind", "few", *tiny])
    pool = load(HOPPER, out)
    few = load(HOPPER, tmp_path / "fresh-few.hdf5")
    assert "kind" not in pool.provenance
    assert few.provenance["pool_sha256"] == pool.sha256
    assert json.loads(few.provenance["kind_settings"])["limits"] == [20.0, 40.0, 80.0]
    draw(out, tmp_path / "fresh.hdf5", "--kind", "few", "--overwrite")
    assert load(HOPPER, tmp_path / "fresh-few.hdf5").sha256 == few.sha256
    # A kind lies beside its pool: neither is taken for the other where a collection is resumed.
    collect.main(["--out", str(out), "--workers", "1", "--kind", "few", "--resume", *tiny])


def unnamed(pool: Path, path: Path) -> str:
    """The pool under another name, without the attribute that says its task."""
    path.write_bytes(pool.read_bytes())
    with h5py.File(path, "a") as file:
        del file.attrs["task"]
    return str(path)


def test_the_task_follows_from_the_pool(pool, tmp_path):
    named = collect.parse(["--pool", str(pool), "--kind", "few"])
    assert (named.settings, named.kind) == (recipe("HopperVel"), ("few",))
    assert (
        collect.parse(["--pool", unnamed(pool, tmp_path / "SafetyBallRun-v0-80-940.hdf5")]).settings.task == "BallRun"
    )
    assert collect.parse(["--pool", "embedded"]).settings.task == "HopperVel"
    with pytest.raises(InputError, match="does not say which task it is of: --task is needed"):
        collect.parse(["--pool", unnamed(pool, tmp_path / "mine.hdf5"), "--kind", "few"])


def test_a_pool_without_policies_is_drawn_from_too(tmp_path):
    save_packed(tmp_path / "plain.hdf5", small_dataset(trajectories=90))
    draw(tmp_path / "plain.hdf5", tmp_path / "x.hdf5", "--kind", "few", *SUBSET)
    assert load(HOPPER, tmp_path / "x-few.hdf5").policies is None
    assert (tmp_path / "x-few.png").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--pool", "POOL"], "--kind is needed with it"),
        (["--subset.good", ".9"], "--subset options belong to --kind"),
        (["--pool", "POOL", "--kind", "few", "--steps", "5"], "only --task and --seed are accepted"),
        (["--pool", "POOL", "--kind", "few", "--trajectories", "5"], "only --task and --seed are accepted"),
        (["--pool", "gone.hdf5", "--kind", "few"], "gone.hdf5 does not exist"),
        (["--pool", "POOL", "--task", "BallRun", "--kind", "few"], "was recorded on HopperVel"),
        (["--pool", "POOL", "--kind", "few", "--out", "there.hdf5"], "there-few.hdf5 exists: another --out"),
        (["--pool", "POOL", "--kind", "few", "--out", "a.txt"], "ends in .hdf5"),
        (["--pool", "POOL", "--kind", "few", "--out", "b.hdf5", "--minari"], "b-few-v0 exists: another --out"),
        (
            ["--pool", "POOL", "--kind", "few", "--out", "b.hdf5", "--minari", "--overwrite"],
            "b-few-v0 is no Minari data",
        ),
        (["--pool", "POOL", "--kind", "few", "funny"], "--kind"),
        (
            ["--pool", "POOL", "--kind", "few", "--subset.poor", ".9"],
            "--subset.poor 0.9 and --subset.good 0.8: 0 < poor",
        ),
        (["--pool", "POOL", "--kind", "tempting", "--subset.limits", "1000"], "0 of its 90 trajectories are unsafe"),
        (["--pool", "POOL", "--kind", "few", "--seed", "-1"], "--seed -1"),
        (["--pool", "POOL", "--kind", "few", "--resume"], "--resume"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_sentence(words, sentence, pool, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("there-few.hdf5").write_text("")
    Path("b-few-v0").mkdir()
    with pytest.raises(SystemExit) as error:
        collect.main([str(pool) if word == "POOL" else word for word in words])
    assert error.value.code == 2
    printed = capsys.readouterr().err
    assert sentence in printed
    assert printed.startswith("error: ")
    assert printed.count("\n") == 1
