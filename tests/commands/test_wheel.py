"""The wheel: what it holds, and that it can be used from another folder."""

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from collections.abc import Collection
from email import message_from_string
from email.message import Message
from importlib.util import find_spec
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
PACKAGES = {"deep", "theory", "verification"}

NEEDED: tuple[str, ...] = (
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


def started(installed: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Python in `folder`, where the wheel's packages come before this project's own folder."""
    environment = os.environ | {"PYTHONPATH": str(installed)}
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)


def run(installed: Path, folder: Path, *arguments: str) -> str:
    """The screen of such a Python, which ends well."""
    done = started(installed, folder, *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def missing(names: Collection[str]) -> set[str]:
    """What the commands need and the wheel has not."""
    return set(NEEDED) - set(names)


def strange(names: Collection[str]) -> list[str]:
    """What is in the wheel and belongs to no package: tests, results, other folders."""
    return [
        name
        for name in names
        if (name.partition("/")[0] not in PACKAGES and not name.partition("/")[0].endswith(".dist-info"))
        or Path(name).name.startswith("test_")
        or Path(name).name == "conftest.py"
        or {"tests", "results"} & set(Path(name).parts)
    ]


def test_it_holds_what_the_commands_need(names: list[str]):
    assert {name.partition("/")[0] for name in names} >= PACKAGES
    assert not missing(names)
    for name in NEEDED:
        assert missing([other for other in names if other != name]) == {name}, "a negative control"


def test_it_holds_no_tests_results_or_notebooks(names: list[str]):
    assert strange(names) == []
    for name in ("tests/a.py", "notebooks/a.py", "deep/test_a.py", "verification/tests/a.py", "deep/results/a.json"):
        assert strange([*names, name]) == [name], "a negative control"


def test_it_has_the_console_command(wheel: Path, names: list[str], installed: Path, tmp_path: Path):
    place = next(name for name in names if name.endswith(".dist-info/entry_points.txt"))
    assert "safe-offline-rl = deep.console:main" in zipfile.ZipFile(wheel).read(place).decode()
    assert "Commands (COMMAND --help shows" in run(installed, tmp_path, "-m", "deep.console", "--help")


def test_its_metadata_carry_the_readme_and_what_runs(metadata: Message):
    assert metadata["Name"] == "safe-offline-rl"
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert metadata.get_payload() == (ROOT / "README.md").read_text(encoding="utf-8")
    assert "License" not in metadata  # none has been chosen


def test_its_metadata_carry_the_addresses_of_the_papers(metadata: Message):
    addresses = [line.split(", ")[1] for line in metadata.get_all("Project-URL", [])]
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert len(addresses) == 2
    for address in addresses:
        assert address.removeprefix("https://doi.org/") in citation


def test_its_console_command_runs_from_an_environment_that_was_empty(wheel: Path, tmp_path: Path):
    """At first with nothing but the wheel; then this environment's packages are added, without this project."""
    venv.create(tmp_path / "env", with_pip=False)
    pip("--python", str(tmp_path / "env" / "bin" / "python"), "install", "--no-deps", "--no-index", str(wheel))
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}

    def screen(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [str(tmp_path / "env" / "bin" / "safe-offline-rl"), *arguments]
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)

    assert "Commands (COMMAND --help shows" in screen("--help").stdout
    assert "No module named" in screen("describe", "HopperVel").stderr, "a negative control"
    (here,) = (tmp_path / "env" / "lib").glob("python*/site-packages")
    (here / "others.pth").write_text(sysconfig.get_path("purelib") + "\n")
    done = screen("describe", "HopperVel")
    assert done.returncode == 0, done.stderr
    assert f"{here / 'deep' / 'data' / 'embedded' / 'HopperVel.hdf5'}: " in done.stdout
    assert (tmp_path / "HopperVel.hdf5-plane.png").exists()


def test_the_installed_commands_run_in_another_folder(installed: Path, tmp_path: Path):
    screen = run(installed, tmp_path, "-m", "deep.tasks")
    assert "velocity: 5 tasks, available" in screen


SCRIPT = """
import deep
from deep import load_policy, train
result = train('HopperVel', 'bc_best', cost_limits=[20], out='run', episodes=1, steps=1, batch_size=8,
               **{'dynamics.steps': 0})
print(deep.__file__)
print(load_policy('run').act([0.0] * 11).shape, result.rows[0]['cost_limit'])
"""
LOADING = "from deep.data.load import load; from deep.tasks import find_task; load(find_task('HopperVel'), 'auto')"


def test_the_installed_api_acts_in_another_folder(installed: Path, tmp_path: Path):
    *_, place, acted = run(installed, tmp_path, "-c", SCRIPT).splitlines()
    assert Path(place).is_relative_to(installed)
    assert acted == "(3,) 20.0"


@pytest.mark.parametrize(
    ("lost", "arguments", "said"),
    [
        ("deep/data/embedded/HopperVel.hdf5", ("-c", LOADING), "no data of HopperVel were found"),
        ("deep/tasks.py", ("-m", "deep.tasks"), "No module named deep.tasks"),
        ("theory/support/errors.py", ("-m", "deep.tasks"), "No module named 'theory.support.errors'"),
    ],
)
def test_nothing_that_the_wheel_lacks_is_taken_from_elsewhere(lost, arguments, said, installed, tmp_path):
    """A negative control: this project's own folder, which the environment knows too, does not fill the gap."""
    copy = tmp_path / "installed"
    shutil.copytree(installed, copy)
    (copy / lost).unlink()
    shutil.rmtree(copy / Path(lost).parent / "__pycache__", ignore_errors=True)
    done = started(copy, tmp_path, *arguments)
    assert done.returncode != 0
    assert said in done.stderr
