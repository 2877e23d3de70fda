"""Ctrl-C: exit code 130, and one line that says what is saved and the command to go on with."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from deep.benchmark.ablations import __main__ as ablations
from deep.benchmark.ope_study import __main__ as ope_study
from tests.support.builders import TINY_COLLECTION
from tests.support.signals import heed_interrupts
from verification.command import ends_cleanly
from verification.search import __main__ as search

pytestmark = pytest.mark.slow


def interrupted(words: list[str], ready: Callable[[], bool]) -> tuple[int, list[str]]:
    """Exit code and stderr's lines, without progress bars, after Ctrl-C to all processes, as a terminal sends it."""
    process = subprocess.Popen(
        [sys.executable, "-m", *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        start_new_session=True,
        preexec_fn=heed_interrupts,
    )
    deadline = time.monotonic() + 240
    while not ready():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    lines = [line.rpartition("\r")[2] for line in errors.splitlines()]
    return process.returncode, [line for line in lines if line and "step" not in line.partition("interrupted: ")[0]]


def test_a_collection(tmp_path: Path):
    out = tmp_path / "pool.hdf5"
    folder = out.with_suffix(".unfinished")
    tiny = [str(word) for pair in (TINY_COLLECTION | {"--steps": 1_000_000}).items() for word in pair]
    words = ["--out", str(out), "--workers", "1", *tiny]
    code, lines = interrupted(["deep.collect", *words], lambda: any(folder.glob("run-*")))
    again = " ".join([*words, "--resume"])
    said = f"interrupted: what was collected is saved in {folder}; go on with: python -m deep.collect {again}"
    assert (code, lines) == (130, [said])
    assert any(folder.glob("run-*"))


def test_a_benchmark(tmp_path: Path, dataset_file: Path):
    out = tmp_path / "out"
    words = ["--out", str(out), "--tasks", f"HopperVel={dataset_file}", "--algorithms", "bc_all", "--workers", "1"]
    words += ["--cost-limits", "9", "--options", "all=--dynamics.steps 0 --steps 10000000 --hidden 8"]
    code, lines = interrupted(["deep.benchmark", *words], lambda: any(out.glob("runs/*/metrics.jsonl")))
    assert code == 130
    (line,) = lines
    assert line.startswith(
        f"interrupted: finished jobs and the checkpoints of the others are saved in {out}; go on with: "
    )
    assert line.endswith("--resume")


@pytest.mark.parametrize("module", [ablations, ope_study])
def test_measurements_of_runs(module, monkeypatch, capsys):
    def stop(options):
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "run", stop)
    with pytest.raises(SystemExit) as caught:
        module.main(["runs/mine"])
    assert caught.value.code == 130
    name = module.__name__.removesuffix(".__main__")
    said = f"interrupted: finished parts are saved in --out; go on with: python -m {name} runs/mine\n"
    assert capsys.readouterr().err == said


def test_a_search(monkeypatch, capsys):
    def stop(chosen):
        raise KeyboardInterrupt

    monkeypatch.setattr("verification.search.hunt.hunt_all", stop)
    with pytest.raises(SystemExit) as caught, ends_cleanly(search.SAVED):
        search.main(["--claim", "C4"])
    assert caught.value.code == 130
    said = "what is named above is written where --out or --write was given; the same command searches again."
    assert capsys.readouterr().err == f"interrupted: {said}\n"
