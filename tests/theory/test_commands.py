"""Ctrl-C in `python -m theory.npg_sweep` and `python -m theory.speed`, as real processes."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.signals import heed_interrupts

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
LONG = """--grid.instances dirichlet:2:2 --grid.large-instances --grid.gammas 0.3 --grid.tightness 0.4
--grid.data --grid.penalties 1.0 --grid.biases 0.0 --grid.seeds 1 --grid.steps""".split()
LONG += [str(steps) for steps in range(1500, 1515)]
"""15 jobs of about a second each, and one of Safe-DQL."""


def command(module: str, *options: str) -> list[str]:
    return [sys.executable, "-m", module, *options]


def interrupted(module: str, *options: str, cwd: Path, ready) -> tuple[int, str]:
    """Exit code and stderr after Ctrl-C to the whole process group, as a terminal sends it, once `ready()` holds."""
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    with (cwd / "stdout").open("w") as out, (cwd / "stderr").open("w") as errors:
        process = subprocess.Popen(
            command(module, *options),
            stdout=out,
            stderr=errors,
            cwd=cwd,
            env=env,
            start_new_session=True,
            preexec_fn=heed_interrupts,
        )
        deadline = time.monotonic() + 240
        while not ready() and time.monotonic() < deadline and process.poll() is None:
            time.sleep(0.05)
        assert process.poll() is None, (cwd / "stderr").read_text()
        os.killpg(process.pid, signal.SIGINT)
        code = process.wait(timeout=60)
    return code, (cwd / "stderr").read_text()


@pytest.mark.parametrize("workers", ["1", "2"])
def test_ctrl_c_says_what_is_saved_and_resume_goes_on(workers: str, tmp_path: Path) -> None:
    jobs = tmp_path / "sweep" / "jobs"
    options = ["--out", "sweep", "--workers", workers]
    one_is_saved = lambda: any(jobs.glob("*.json"))  # noqa: E731
    code, errors = interrupted("theory.npg_sweep", *options, *LONG, cwd=tmp_path, ready=one_is_saved)
    assert code == 130, errors
    assert "Traceback" not in errors
    saved = len(list(jobs.glob("*.json")))
    assert 1 <= saved < 16
    last = errors.strip().splitlines()[-1]
    again = " ".join([*options, *LONG, "--resume"])
    assert last == f"interrupted: {saved} of 16 jobs are saved in sweep; go on with: python -m theory.npg_sweep {again}"


def test_ctrl_c_ends_a_measurement_in_one_line(tmp_path: Path) -> None:
    code, errors = interrupted(
        "theory.speed", "--iterations", "100000", cwd=tmp_path, ready=lambda: (tmp_path / "stdout").stat().st_size > 0
    )
    assert code == 130, errors
    assert errors == "interrupted: nothing is saved; the same command measures again\n"
