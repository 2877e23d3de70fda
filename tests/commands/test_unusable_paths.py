"""Paths that cannot be used end in one sentence, whichever command looks at them first."""

import errno
from collections.abc import Callable, Sequence

import pytest

from deep import train
from deep.compare.__main__ import main as compare
from deep.convert.__main__ import main as convert
from deep.deploy.__main__ import main as deploy
from deep.describe.__main__ import main as describe
from deep.evaluate.__main__ import main as evaluate
from deep.export.__main__ import main as export
from deep.page.__main__ import main as page
from theory.support.errors import InputError, exit_on_input_error

LONG = "o" * 256
"""One letter more than a name may have."""


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (train.main, ("--algorithm", "bc_best", "--out", LONG)),
        (train.main, ("--algorithm", "bc_best", "--dataset", f"{LONG}.hdf5")),
        (evaluate, (LONG,)),
        (export, (LONG, "--format", "torchscript")),
        (deploy, (LONG,)),
        (page, (LONG,)),
        (compare, (LONG, "another")),
        (describe, (f"{LONG}.hdf5",)),
        (convert, (f"{LONG}.hdf5", "out.hdf5")),
    ],
)
def test_a_name_that_is_too_long(command: Callable[[Sequence[str]], object], words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as end:
        command(list(words))
    assert end.value.code == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith(f"error: {'o' * 200}... (")
    assert "cannot be used (File name too long): a path that this user may read and write is accepted" in last
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_not_this_user_s(capsys):
    with pytest.raises(SystemExit) as end, exit_on_input_error():
        raise PermissionError(errno.EACCES, "whatever", "/home/other/run")
    assert end.value.code == 2
    expected = "error: /home/other/run cannot be used (Permission denied): a path that this user may read and write"
    assert capsys.readouterr().err.startswith(expected)


def test_a_file_that_a_command_lacks_is_its_own_fault():
    with pytest.raises(FileNotFoundError), exit_on_input_error():
        raise FileNotFoundError(errno.ENOENT, "whatever", "a file of the program")


def test_a_terminal_does_not_obey_the_text_of_a_file(capsys) -> None:
    with pytest.raises(SystemExit), exit_on_input_error():
        raise InputError("config.json has \n\x1b[31m\u202e: a name is accepted")
    assert capsys.readouterr().err == "error: config.json has   [31m : a name is accepted\n"
