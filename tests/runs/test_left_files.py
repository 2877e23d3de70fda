"""What a folder holds of another run is neither replaced nor left beside a new one."""

import shutil
from pathlib import Path

import pytest

from deep import train
from deep.benchmark.ope_study import __main__ as ope_study
from deep.cli.run_folder import FILES
from deep.runs.experiment import finished
from deep.runs.folder import RunFolder
from tests.support.custom_lab import record
from tests.support.custom_runs import BOUNDS, SETTINGS
from theory.support.errors import InputError


@pytest.fixture(scope="module")
def words(tmp_path_factory) -> list[str]:
    """A short training without --out."""
    data = record(tmp_path_factory.mktemp("data") / "cart.hdf5")
    return ["--dataset", str(data), "--algorithm", "bc_all", *SETTINGS["bc_all"], *BOUNDS, "--cost-limits", "9"]


@pytest.fixture(scope="module")
def whole(words, tmp_path_factory) -> Path:
    """The folder of a finished run."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    train.main([*words, "--out", str(folder)])
    (folder / "evaluation.json").write_text("{}")
    return folder


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != ".lock"}


def test_all_that_a_run_writes_is_known(whole):
    assert content(whole).keys() - {"config.json"} <= set(FILES)


@pytest.mark.parametrize("resume", [False, True])
@pytest.mark.parametrize(
    "gone",
    [["config.json"], ["config.json", "checkpoint.safetensors"],
     ["config.json", "checkpoint.safetensors", "metrics.jsonl", "summary.json", "sessions.json"]],
)  # fmt: skip
def test_a_run_without_its_settings_is_not_replaced(words, whole, tmp_path, capsys, gone, resume):
    folder = tmp_path / "run"
    shutil.copytree(whole, folder)
    for name in gone:
        (folder / name).unlink()
    before = content(folder)
    with pytest.raises(SystemExit) as caught:
        train.main([*words, "--out", str(folder), *(["--resume"] if resume else [])])
    said = capsys.readouterr().err
    assert caught.value.code == 2
    assert said.count("\n") == 1
    assert f"--out {folder} holds {next(name for name in FILES if name in before)} and " in said
    assert "no config.json: give another folder" in said
    assert content(folder) == before


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_somebody_else(name, tmp_path):
    (tmp_path / name).write_text("mine")
    for resume in (False, True):
        with pytest.raises(InputError, match=rf"holds {name} and no config\.json"):
            RunFolder(tmp_path).open({"identity": {}}, resume)
    assert content(tmp_path) == {name: b"mine"}


def test_files_of_other_names_are_no_matter(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "metrics.jsonl").write_text("")  # of a run that was killed before it had written its settings
    RunFolder(tmp_path).open({"identity": {}}, resume=False)
    assert (tmp_path / "config.json").exists()


@pytest.mark.parametrize("figure", ["results.png", "training.png"])
def test_a_finished_run_of_one_phase_without_its_checkpoint_is_kept(words, whole, tmp_path, capsys, figure):
    """Only the figure is left to show that the run was finished."""
    folder = tmp_path / "run"
    shutil.copytree(whole, folder)
    for name in {"checkpoint.safetensors", "summary.json", "sessions.json", "results.png", "training.png"} - {figure}:
        (folder / name).unlink()
    lines = (folder / "metrics.jsonl").read_text().splitlines(keepends=True)
    (folder / "metrics.jsonl").write_text(lines[0])
    before = content(folder)
    with pytest.raises(SystemExit) as caught:
        train.main([*words, "--out", str(folder), "--resume"])
    assert caught.value.code == 2
    assert f"{figure} shows that there was one: restore it, or train again in another folder" in capsys.readouterr().err
    changed = {"sessions.json"}  # the seconds that the refusal took
    assert {name: x for name, x in content(folder).items() if name not in changed} == {
        name: x for name, x in before.items() if name not in changed
    }


@pytest.mark.parametrize("torn", ['{"phase": "clon', "\0\0\0"])
def test_a_run_that_was_killed_before_its_first_checkpoint_within_a_line_is_gone_on_with(torn, words, whole, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(whole, folder)
    for name in ("checkpoint.safetensors", "summary.json", "results.png", "training.png", "sessions.json"):
        (folder / name).unlink()
    lines = (folder / "metrics.jsonl").read_text().splitlines(keepends=True)
    (folder / "metrics.jsonl").write_text(lines[0] + torn)
    train.main([*words, "--out", str(folder), "--resume"])
    assert (folder / "metrics.jsonl").read_text() == "".join(lines)


def test_a_run_that_has_saved_a_checkpoint_is_not_begun_again_without_it(words, whole, tmp_path, capsys):
    """Neither figures nor a second phase show that there was one: what the sessions say is enough."""
    folder = tmp_path / "run"
    shutil.copytree(whole, folder)
    for name in ("checkpoint.safetensors", "summary.json", "results.png", "training.png"):
        (folder / name).unlink()
    lines = (folder / "metrics.jsonl").read_text().splitlines(keepends=True)
    (folder / "metrics.jsonl").write_text(lines[0] + lines[-1][:-20])
    with pytest.raises(SystemExit):
        train.main([*words, "--out", str(folder), "--resume"])
    assert "sessions.json shows that there was one: restore it" in capsys.readouterr().err
    assert (folder / "metrics.jsonl").read_text() == lines[0] + lines[-1][:-20]


def test_a_finished_run_without_its_checkpoint_is_not_called_unfinished(whole, tmp_path):
    """deep.export told its user to go on with --resume, which refuses."""
    shutil.copytree(whole, tmp_path / "run")
    (tmp_path / "run" / "checkpoint.safetensors").unlink()
    with pytest.raises(InputError, match=r"checkpoint\.safetensors is gone, and .*sessions\.json shows that"):
        finished(tmp_path / "run", with_data=False)


def test_a_study_does_not_replace_the_summary_of_a_run(whole, capsys):
    before = content(whole)
    with pytest.raises(SystemExit):
        ope_study.main([str(whole), "--out", str(whole)])
    assert f"--out {whole} holds a run of deep.train: give another folder" in capsys.readouterr().err
    assert content(whole) == before


def test_a_refused_resume_leaves_no_empty_file(words, whole, tmp_path, capsys):
    folder = tmp_path / "run"
    shutil.copytree(whole, folder)
    (folder / "metrics.jsonl").unlink()
    with pytest.raises(SystemExit):
        train.main([*words, "--out", str(folder), "--resume"])
    assert "metrics.jsonl has 0 bytes where the checkpoint has counted" in capsys.readouterr().err
    assert not (folder / "metrics.jsonl").exists()
