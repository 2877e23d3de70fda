"""The wheel: what it holds, and that it can be used from another folder."""

import os
import subprocess
import sys
import zipfile
from email import message_from_string
from email.message import Message
from importlib.util import find_spec
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]

NEEDED = (
    "deep/__init__.pyi",
    "deep/data/embedded/HopperVel.hdf5",
    "verification/best_ratios.json",
    "verification/ledger.json",
    "verification/certificates/A1.json",
    "verification/lattice/results.json",
    "verification/report/page/filter.js",
    "verification/report/page/style.css",
)


def pip(*arguments: str) -> None:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this tree. Where this environment has hatchling, nothing is downloaded."""
    folder = tmp_path_factory.mktemp("wheel")
    here = ["--no-build-isolation"] if find_spec("hatchling") else []
    pip("wheel", "--no-deps", *here, "--no-cache-dir", "--wheel-dir", str(folder), str(ROOT))
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def names(wheel: Path) -> list[str]:
    return zipfile.ZipFile(wheel).namelist()


@pytest.fixture(scope="module")
def metadata(wheel: Path, names: list[str]) -> Message:
    name = next(name for name in names if name.endswith(".dist-info/METADATA"))
    return message_from_string(zipfile.ZipFile(wheel).read(name).decode())


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel's packages alone. What they import comes from this environment."""
    folder = tmp_path_factory.mktemp("installed")
    pip("install", "--no-deps", "--no-index", "--target", str(folder), str(wheel))
    return folder


def run(installed: Path, folder: Path, *arguments: str) -> str:
    """The screen of Python in `folder`, where the wheel's packages come before this project's own folder."""
    environment = os.environ | {"PYTHONPATH": str(installed)}
    command = [sys.executable, *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_it_holds_what_the_commands_need(names: list[str]):
    assert not set(NEEDED) - set(names)


def test_it_holds_no_tests_results_or_notebooks(names: list[str]):
    tops = {name.partition("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"deep", "theory", "verification"}
    parts = [Path(name) for name in names]
    assert not [str(path) for path in parts if path.name.startswith("test_") or path.name == "conftest.py"]
    assert not [str(path) for path in parts if "tests" in path.parts or "results" in path.parts]


def test_its_metadata_carry_the_readme_and_what_runs(metadata: Message):
    assert metadata["Name"] == "safe-offline-rl"
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert metadata.get_payload() == (ROOT / "README.md").read_text(encoding="utf-8")
    assert "License" not in metadata  # none has been chosen


def test_the_installed_commands_run_in_another_folder(installed: Path, tmp_path: Path):
    screen = run(installed, tmp_path, "-m", "deep.tasks")
    assert "velocity: 5 tasks, available" in screen


def test_the_installed_api_acts_in_another_folder(installed: Path, tmp_path: Path):
    script = tmp_path / "script.py"
    script.write_text(
        "import deep\n"
        "from deep import load_policy, train\n"
        "result = train('HopperVel', 'bc_best', cost_limits=[20], out='run', episodes=1, steps=1, batch_size=8,\n"
        "               **{'dynamics.steps': 0})\n"
        "print(deep.__file__)\n"
        "print(load_policy('run').act([0.0] * 11).shape, result.rows[0]['cost_limit'])\n"
    )
    *_, place, acted = run(installed, tmp_path, str(script)).splitlines()
    assert Path(place).is_relative_to(installed)
    assert acted == "(3,) 20.0"
