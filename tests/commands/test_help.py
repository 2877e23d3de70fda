"""`--help` of every module that can be run prints its help and does nothing else."""

import runpy
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("deep", "theory", "verification", "notebooks", "tests")
GUARD = '\nif __name__ == "__main__":'
FILES = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py")) if GUARD in path.read_text()]
MODULES = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in FILES]


def written() -> dict[Path, int]:
    """When each file of the project was written last."""
    files = (path for folder in FOLDERS for path in (ROOT / folder).rglob("*"))
    return {path: path.stat().st_mtime_ns for path in files if path.is_file() and path.suffix != ".pyc"}


@pytest.mark.filterwarnings("ignore:.* found in sys.modules:RuntimeWarning")
@pytest.mark.parametrize("module", MODULES)
def test_help_prints_and_does_nothing_else(module, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [module, "--help"])
    # runpy would keep the module's code with jaxtyping's checks under the name that a process without these reads.
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    before, code = written(), None
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as end:
        code = end.code
    assert code in (None, 0)
    assert capsys.readouterr().out.startswith("usage: ")
    assert written() == before
    assert not list(tmp_path.iterdir())


def test_the_modules_are_found():
    assert {"deep.train", "deep.deploy.record", "notebooks.build", "tests.support.record_peers"} <= set(MODULES)
