"""`deep.train --processes 2`: the learned dynamics trained beside the method's phases."""

import json
import shutil
import subprocess
import sys
from contextlib import redirect_stderr
from pathlib import Path

import pytest

from deep import train
from deep.runs import beside, trainer
from deep.runs.folder import read_checkpoint
from tests.support.builders import TINY
from tests.support.custom_runs import BOUNDS
from tests.support.lighter import no_figures, short_episodes
from theory.support.words import last_of_each

pytestmark = pytest.mark.usefixtures("unchecked")

DRCORL = [*TINY, "--policy", "gaussian"]
CLONING = [
    "--algorithm",
    "bc_all",
    "--steps",
    "20",
    "--hidden",
    "16",
    "--dynamics.steps",
    "4",
    "--dynamics.hidden",
    "16",
]
METHODS = {"drcorl": DRCORL, "bc_all": CLONING}
"""A method that queries the dynamics before its last phase, and one that needs them for the estimate alone."""


def words(out: Path, recorded: Path, method: str, *more: str) -> list[str]:
    return ["--dataset", str(recorded), *METHODS[method], "--out", str(out), *BOUNDS, "--cost-limits", "3", *more]


def content(out: Path) -> tuple[dict, list, list]:
    """The tensors, the results and the method's own metrics of a run."""
    tensors = {name: tensor.tolist() for name, tensor in read_checkpoint(out / "checkpoint.safetensors")[0].items()}
    records = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    own = [record for record in records if record["phase"] != "dynamics"]
    return tensors, json.loads((out / "summary.json").read_text())["results"], own


@pytest.fixture(scope="module")
def in_one(recorded, tmp_path_factory) -> dict[str, Path]:
    """A run of each method in one process."""
    folders = {}
    with no_figures():
        for method in METHODS:
            folders[method] = tmp_path_factory.mktemp("one") / method
            train.main(words(folders[method], recorded, method))
    return folders


@no_figures()
@pytest.mark.parametrize("method", METHODS)
def test_two_processes_end_with_the_bits_of_one(method, recorded, in_one, tmp_path):
    out = tmp_path / "run"
    train.main(words(out, recorded, method, "--processes", "2"))
    assert (out / "dynamics" / "checkpoint.safetensors").exists()
    assert content(out) == content(in_one[method])


class Killed(Exception):
    """The moment at which a test ends the first process."""


@no_figures()
@pytest.mark.parametrize("moment", ["cost critics", "adaptation"])
def test_a_stopped_run_goes_on_in_two_processes_though_one_is_asked_for(
    moment, recorded, in_one, tmp_path, monkeypatch
):
    out, save = tmp_path / "run", trainer._save

    def saved_until(tensors, phase, step, folder):
        save(tensors, phase, step, folder)
        if phase.name == moment:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(trainer, "_save", saved_until)
        with pytest.raises(Killed):
            train.main(words(out, recorded, "drcorl", "--processes", "2"))
    shutil.rmtree(out / "dynamics", ignore_errors=True)  # lost work is done again, and not taken for done
    train.main(last_of_each(words(out, recorded, "drcorl", "--resume")))
    assert content(out) == content(in_one["drcorl"])


@no_figures()
def test_a_run_begun_in_one_process_goes_on_in_one(recorded, in_one, tmp_path, monkeypatch):
    out, save = tmp_path / "run", trainer._save

    def saved_once(tensors, phase, step, folder):
        save(tensors, phase, step, folder)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(trainer, "_save", saved_once)
        with pytest.raises(Killed):
            train.main(words(out, recorded, "drcorl"))
    train.main(words(out, recorded, "drcorl", "--processes", "2", "--resume"))
    assert not (out / "dynamics").exists()
    assert content(out) == content(in_one["drcorl"])


@no_figures()
def test_a_second_process_that_fails_is_one_sentence_and_nothing_is_lost(recorded, tmp_path, monkeypatch, capsys):
    out = tmp_path / "run"
    broken = "import sys; sys.exit('the disk is full')"
    popen = subprocess.Popen

    with monkeypatch.context() as patch:
        patch.setattr(beside.subprocess, "Popen", lambda command, **how: popen([sys.executable, "-c", broken], **how))
        with pytest.raises(SystemExit) as ended:
            train.main(words(out, recorded, "drcorl", "--processes", "2"))
    assert ended.value.code not in (0, None)
    assert "trains the dynamics" in (said := capsys.readouterr().err)
    assert "the disk is full" in said
    assert read_checkpoint(out / "checkpoint.safetensors")[1].phase == "cost critics"


@no_figures()
@short_episodes()
def test_the_clone_is_scored_as_soon_as_it_is_there(dataset_file, tmp_path, capsys):
    settings = ["--dataset", str(dataset_file), "--cost-limits", "4", "--episodes", "1", "--out", str(tmp_path / "run")]
    with redirect_stderr(sys.stdout):  # the progress bars, in order with the rest
        train.main([*settings, *TINY])
    screen = capsys.readouterr().out
    first, last = screen.index("The clone that training starts from, 5 episodes"), screen.index("evaluating 1 episodes")
    assert screen.index("cloning") < first < screen.index("behaviour") < last
    assert "simulator_episodes_used_in_training" in (tmp_path / "run" / "summary.json").read_text()
    assert json.loads((tmp_path / "run" / "summary.json").read_text())["simulator_episodes_used_in_training"] == 0
