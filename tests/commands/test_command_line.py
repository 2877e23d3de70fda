"""Command lines that are wrong, the short help, Ctrl-C, and the console command."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from deep import console, train, training
from deep.cli.run_folder import check_folder
from deep.methods.registry import METHODS
from deep.runs import command_line
from tests.support.command_ends import check_ends
from tests.support.signals import heed_interrupts
from theory.support.errors import InputError
from theory.support.options import config_class, options_of
from theory.support.words import last_of_each


@pytest.mark.parametrize(
    ("words", "sentences"),
    [
        (["--cost-limits", "20", "--cost-limits", "40"], ["--cost-limits is given twice", "--cost-limits 20 40"]),
        (["--gamma", ".9", "--gamma=.8"], ["--gamma is given twice"]),
        (["--resume", "--no-resume"], ["--resume is given twice"]),
        (["--algorithm", "bc_all", "--cloning-steps", "4"], ["--cloning-steps is an option of drcorl, not of bc_all"]),
        (["--algorithm", "bc_all", "--cloning-steps", "4", "--task", "HoperVel"],
         ["unknown task 'HoperVel'", "did you mean HopperVel?", "is an option of drcorl, not of bc_all"]),
        (["--cost-limit", "20"], ["unknown option --cost-limit: did you mean --cost-limits?"]),
        (["--algorithm", "bc_al"], ["did you mean bc_all?"]),
        (["--seeds", "0,x"], ["--seeds 0 x: accepted are whole numbers"]),
        (["--device", "gpu"], ["--device gpu: accepted is auto or cpu or cuda"]),
        (["--gamma"], ["--gamma: accepted is one value"]),
        (["HopperVel"], ["'HopperVel' is not an option"]),
        (["--algorithm", "bc_best", "--steps", "-3"], ["--steps -3: accepted is a number of at least 0"]),
        (["--critics.steps", "-1"], ["--critics.steps -1: accepted is a number of at least 0"]),
        (["--seeds", "-1"], ["--seeds [-1]: accepted are different numbers of at least 0"]),
        (["--cost-limits", "20,20"], ["--cost-limits [20.0, 20.0]: accepted are different numbers"]),
        (["--gamma", "1"], ["--gamma 1.0: accepted is a number between 0 and 1"]),
        (["--dataset", __file__], ["test_command_line.py is not an HDF5 file"]),
        (["--resume", "--out", "tests"], ["--resume: there is no run in tests"]),
        (["--episodes", "0"], ["--episodes 0: accepted is a number of at least 1"]),
        (["--dataset", "/nowhere.hdf5"], ["/nowhere.hdf5 does not exist"]),
        (["--algorithm", "bcq_lag", "--pid.k-ii", "0"], ["unknown option --pid.k-ii: did you mean --pid.k-i?"]),
        (["--algorithm", "bcq_lag", "--gate.kind", "ucb"], ["--gate.kind is an option of drcorl, not of bcq_lag"]),
        (["--cloning-steps", 300 * "9"], ["--cloning-steps 9999999999... of 300 digits: accepted is a number"]),
        (["--seeds", "0", 5000 * "9"], ["--seeds 9999999999... of 5000 digits: accepted is a number of at most 100"]),
        (["--threads", 30 * "9"], ["accepted is a number of at most 9223372036854775807"]),
        (["--gate.kind", "usb"], ["--gate.kind usb: accepted is", "did you mean ucb?"]),
    ],
)  # fmt: skip
def test_a_wrong_command_line_is_rejected(words, sentences):
    with pytest.raises(InputError) as caught:
        command_line.check(words)
    for sentence in sentences:
        assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--algorithm", "bcq_lag", "--pid.k-i", "0"], "--pid.k-i 0.0: accepted is a number above 0"),
        (["--algorithm", "cdt", "--steps", "-1"], "--steps -1: accepted is a number of at least 0"),
    ],
)
def test_a_value_that_a_configuration_rejects_is_one_sentence(words, sentence, capsys):
    """Nested or not: tyro alone prints a box and exits."""
    with pytest.raises(InputError, match=sentence):
        training.parse(words)
    assert capsys.readouterr().err == ""


def test_every_word_that_the_help_of_the_task_explains_is_accepted():
    (task,) = (option for option in command_line.general_options() if option.name == "task")
    words = re.findall(r"(\w+): ", task.help)
    assert {"auto", "custom"} == set(words)
    for word in words:
        command_line.check(["--task", word])


def test_lists_are_accepted_with_commas():
    assert command_line.check(["--cost-limits", "20,40", "--seeds=0,1", "2"]) == [
        "--cost-limits", "20", "40", "--seeds", "0", "1", "2",
    ]  # fmt: skip
    assert command_line.check(["--cost_limits", "20", "40"]) == ["--cost-limits", "20", "40"]


def test_of_several_options_of_a_name_the_last_is_kept():
    assert last_of_each(["--a", "1", "--b", "2", "3", "--a=4"]) == ["--b", "2", "3", "--a", "4"]


@pytest.mark.parametrize("algorithm", METHODS)
def test_the_source_names_the_options_that_a_configuration_has(algorithm):
    def names(config, prefix=""):
        for key, value in vars(config).items():
            label = prefix + key.replace("_", "-")
            yield from names(value, f"{label}.") if hasattr(value, "__dataclass_fields__") else [label]

    entry = METHODS[algorithm]
    read = [option.name for option in options_of(entry.module, config_class(entry.module))]
    assert sorted(read) == sorted(names(entry.spec.presets["quick"]))


@pytest.mark.parametrize("words", [["--help"], ["--algorithm", "nonsense", "-h"]])
def test_the_help_is_short_and_does_nothing_else(words, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    train.main(words)
    text = capsys.readouterr().out
    assert text.count("\n") < 80
    assert all(f"--{name}" in text for name in (*train.SHORT, "help-all"))
    assert not list(tmp_path.iterdir())


def test_the_readme_names_the_module_of_every_console_command():
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    assert "`python -m deep.NAME`, and `npg-sweep` is `python -m theory.npg_sweep`" in readme
    modules = {name: module.removesuffix(".__main__") for name, (module, _) in console.COMMANDS.items()}
    assert modules.pop("npg-sweep") == "theory.npg_sweep"
    assert modules == {name: f"deep.{name}" for name in modules}


MODULES = [module for module, _ in console.COMMANDS.values()]
MODULES += ["deep.benchmark.ope_study.__main__", "deep.benchmark.ablations.__main__", "theory.speed.__main__"]


def test_wrong_options_and_help_end_every_command_at_once():
    check_ends(MODULES)


@pytest.mark.parametrize("module", ["theory.npg_sweep", "verification.report", "deep.tasks"])
def test_a_reader_that_has_ended_is_no_error(module):
    """As `| head` does: the pipe is closed before the command writes."""
    reader, writer = os.pipe()
    os.close(reader)
    ended = subprocess.run(
        [sys.executable, "-m", module, "--help"], stdout=writer, stderr=subprocess.PIPE, timeout=60, check=False
    )
    os.close(writer)
    assert ended.stderr == b""
    assert ended.returncode in (0, 1)  # argparse takes no notice


def test_a_finished_run_without_its_checkpoint_is_not_resumed(tmp_path):
    for name in ("config.json", "summary.json", "metrics.jsonl"):
        (tmp_path / name).write_text("{}")
    with pytest.raises(InputError, match=r"checkpoint.safetensors is gone"):
        check_folder(tmp_path, resume=True)
    assert (tmp_path / "metrics.jsonl").read_text() == "{}"


def test_the_console_command_passes_the_words_on(monkeypatch, capsys):
    seen = []
    monkeypatch.setattr(train, "main", lambda words, prog: seen.append((words, prog)))
    console.main(["train", "--task", "HopperVel"])
    assert seen == [(["--task", "HopperVel"], "safe-offline-rl train")]
    console.main(["--help"])
    assert all(name in capsys.readouterr().out or name for name in console.COMMANDS)
    with pytest.raises(SystemExit) as caught:
        console.main(["trian"])
    assert caught.value.code == 2
    assert "did you mean train?" in capsys.readouterr().err


def test_ctrl_c_in_training_says_what_is_saved_and_how_to_go_on(dataset_file, tmp_path):
    out = tmp_path / "run"
    words = ["--algorithm", "bc_all", "--dataset", str(dataset_file), "--out", str(out), "--cost-limits", "4"]
    words += ["--dynamics.steps", "0", "--steps", "10000000", "--hidden", "16"]
    process = subprocess.Popen(
        [sys.executable, "-m", "deep.train", *words],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"},
        preexec_fn=heed_interrupts,
    )  # fmt: skip
    deadline = time.monotonic() + 120
    metrics = out / "metrics.jsonl"
    while not (metrics.exists() and metrics.stat().st_size):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in error
    *bars, line = error.strip().splitlines()
    assert all("step/s]" in bar for bar in bars if bar)
    assert line.startswith("interrupted: ")
    assert line.endswith("--resume")
    assert f"--out {out}" in line
    assert json.loads((out / "config.json").read_text())["schema"] == 2
