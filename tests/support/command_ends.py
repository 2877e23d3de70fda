"""How commands end on a wrong option and on --help, all in one fresh process."""

import subprocess
import sys
from collections.abc import Sequence
from typing import NamedTuple

ENDS = """
import contextlib, importlib, io, sys, time
for name in sys.argv[1:]:
    for word in ("--nonsense", "--help"):
        began, screen, errors, code = time.process_time(), io.StringIO(), io.StringIO(), 0
        with contextlib.redirect_stdout(screen), contextlib.redirect_stderr(errors):
            try:
                importlib.import_module(name).main([word])
            except (SystemExit, ValueError) as end:
                code = getattr(end, "code", end)
        said = errors.getvalue() if isinstance(code, int) else str(code)
        lines = screen.getvalue().splitlines() + said.splitlines()
        heavy = "torch" in sys.modules or "scipy" in sys.modules
        print(name, word, code if isinstance(code, int) else 2, len(lines), heavy, lines[-1], sep="\\t")
"""


class Ended(NamedTuple):
    """A command's end: exit code, number of printed lines, whether torch or scipy was imported, the last line."""

    module: str
    word: str
    code: int
    length: int
    heavy: bool
    last: str


def ends(modules: Sequence[str]) -> list[Ended]:
    """The ends of these modules' `main(["--nonsense"])` and `main(["--help"])`, in this order.

    An `InputError` that `main` raises counts as exit code 2: a command's last lines print it.
    """
    found = subprocess.run([sys.executable, "-c", ENDS, *modules], capture_output=True, text=True, timeout=120)
    assert found.returncode == 0, found.stderr
    fields = [line.split("\t") for line in found.stdout.splitlines()]
    return [
        Ended(m, word, int(code), int(length), heavy == "True", last) for m, word, code, length, heavy, last in fields
    ]


def check_ends(modules: Sequence[str]) -> None:
    """Each rejects a wrong option and prints a help of less than 80 lines, before an import that takes seconds."""
    found = ends(modules)
    assert [(end.module, end.word) for end in found] == [
        (m, word) for m in modules for word in ("--nonsense", "--help")
    ]
    for end in found:
        assert not end.heavy, end
        assert end.code == (0 if end.word == "--help" else 2), end
        assert end.length < 80, end
        assert end.word == "--help" or "--nonsense" in end.last, end
