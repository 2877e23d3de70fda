"""The commands: help does nothing else, a wrong argument is one sentence, an interruption one line."""

import os
import signal
import subprocess
import sys
import time
from importlib import import_module
from pathlib import Path

import pytest

from tests.support.command_ends import check_ends
from tests.support.signals import heed_interrupts
from theory.support.errors import INTERRUPTED, InputError
from verification.command import ends_cleanly
from verification.search import __main__ as search
from verification.search import hunt

ROOT = Path(__file__).parents[2]
FILES = (
    "verification.ledger",
    "verification.lattice.score_error",
    "verification.lattice.kinds",
    "verification.checker.counterexamples",
    "verification.checker.optima",
)
COMMANDS = (*FILES, "verification.report", "verification.search", "verification.mutation")


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", *words], cwd=ROOT, capture_output=True, text=True, check=False)


def times() -> dict[Path, int]:
    """When each file of this package was written last."""
    files = (path for path in (ROOT / "verification").rglob("*") if path.is_file() and path.suffix != ".pyc")
    return {path: path.stat().st_mtime_ns for path in files}


@pytest.mark.parametrize("command", COMMANDS)
def test_help_does_nothing_else_and_unknown_arguments_are_rejected(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    module = command if command in FILES else f"{command}.__main__"
    main = import_module(module).main
    before = times()
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: python -m {command}")
    with pytest.raises(InputError, match=r"unrecognized arguments: --no-such-option; see python -m .* --help\."):
        main(["--no-such-option"])
    assert times() == before


@pytest.mark.parametrize("command", ["verification.check", "verification.report"])
def test_a_wrong_argument_is_one_sentence_and_2(command: str) -> None:
    done = run(command, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"usage: python -m {command}")
    done = run(command, "--no-such-option")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert done.stderr.startswith("error: ")
    assert "--no-such-option" in done.stderr


def test_help_and_wrong_options_end_every_command_at_once() -> None:
    packages = ("verification.formal", "verification.intervals", "verification.mutation", "verification.report")
    light = [name for name in FILES if ".lattice." not in name]
    check_ends([*light, "verification.search.__main__", *(f"{name}.__main__" for name in packages)])


@pytest.mark.parametrize("name", ["study", "direction", "held_out", "kinds", "score_error"])
def test_the_lattice_commands_reject_a_wrong_option_before_they_import_torch(name: str) -> None:
    words = [sys.executable, "-X", "importtime", "-m", f"verification.lattice.{name}", "--no-such-option"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    *imported, last = done.stderr.splitlines()
    assert last.startswith("error: ")
    assert "--no-such-option" in last
    assert all(line.startswith("import time:") for line in imported), "one sentence"
    assert not [line for line in imported if line.endswith((" torch", " scipy", " matplotlib"))]


def started(words: list[str]) -> "subprocess.Popen[str]":
    pipe = subprocess.PIPE
    return subprocess.Popen(words, cwd=ROOT, stdout=pipe, stderr=pipe, text=True, preexec_fn=heed_interrupts)


def test_an_interrupted_command_is_one_line_and_130() -> None:
    """The signal comes once the judge prints its first verdict."""
    words = [sys.executable, "-u", "-m", "verification.ledger"]
    before = times()
    process = started(words)
    assert process.stdout
    assert process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == INTERRUPTED
    assert errors == "interrupted: the ledger is as it was.\n"
    assert times() == before


def test_the_checker_stands_alone_and_is_interrupted_alike(tmp_path: Path) -> None:
    slow = tmp_path / "slow.json"
    os.mkfifo(slow)  # it waits for a writer
    words = [sys.executable, "-m", "verification.check", str(slow)]
    process = started(words)
    time.sleep(1.0)
    process.send_signal(signal.SIGINT)
    out, errors = process.communicate(timeout=30)
    assert (process.returncode, out, errors) == (130, "", f"interrupted at {slow}.\n")


def test_an_error_of_the_program_itself_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError), ends_cleanly():
        print(1 / 0)


def test_the_search_changes_no_tracked_file_unless_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(hunt, "RATIOS", tmp_path / "ratios.json")
    monkeypatch.setattr(hunt, "hunt", lambda *_: (0.5, None))
    before = times()
    assert search.main(["--claim", "C4", "--seconds", "1"]) == 0
    assert search.main(["--claim", "C4", "--seconds", "1", "--out", str(tmp_path / "found")]) == 0
    assert not (tmp_path / "ratios.json").exists()
    assert times() == before
    assert search.main(["--claim", "C4", "--seconds", "1", "--write"]) == 0
    assert '"ratio": 0.5' in (tmp_path / "ratios.json").read_text()
    assert "not close to 1" in capsys.readouterr().out
