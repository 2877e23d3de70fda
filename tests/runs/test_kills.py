"""Nothing is lost: commands killed at any moment, or at a full disk, go on to the bits of an undisturbed run."""

import json
import os
import re
import signal
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deep.core.files import Lock
from tests.support import victims
from tests.support.builders import TINY, TINY_COLLECTION
from tests.support.victims import Fate

ALGORITHMS = {
    "drcorl": TINY,
    "safe_dql": """--dynamics.steps 0 --behaviour-steps 60 --improvement-steps 120 --dual-rate 0.1 --batch-size 16
    --hidden 16 --critics.hidden 16 --candidates 3""".split(),
    "bc_all": ["--dynamics.steps", "0", "--steps", "120", "--hidden", "16"],
}
SWEEP = """--workers 1 --grid.instances bandit:1:2 dirichlet:2:2 --grid.large-instances --grid.gammas 0.3
--grid.tightness 0.4 --grid.steps 20 60 --grid.metrics advantage --grid.data 100 --grid.data-steps 10 --grid.critics
model --grid.penalties 1 --grid.biases 0 --grid.seeds 1""".split()
LONG = """--dynamics.steps 120 --behaviour.steps 120 --critics.steps 120 --cloning-steps 60 --adaptation-steps 120
--update-behaviour --gate.record""".split()
"""Options under which each phase of DRCORL has several blocks."""


@dataclass(frozen=True)
class Job:
    """A command, and what it leaves where nothing disturbs it."""

    work: Callable[..., Any]
    words: list[str]
    operations: int
    seconds: float
    result: dict[str, Any]

    def again(self, folder: Path, fate: Fate | None = None) -> victims.Death:
        """The command with its output in this folder, as a user would give it again."""
        collects = self.work is victims.collect
        begun = (folder / ".lock").exists() or (folder / "config.json").exists()
        resume = ["--resume"] if collects or begun else []
        out = folder.with_suffix(".hdf5") if collects else folder
        return victims.run(self.work, ([*self.words, "--out", str(out), *resume],), folder, fate)

    def survives(self, folder: Path, *fates: Fate) -> None:
        """Meet these fates one after the other, then go on to the end: nothing may differ, and no rubbish be left."""
        for fate in fates:
            death = self.again(folder, fate)
            assert death.code in (0, -signal.SIGKILL, -signal.SIGXFSZ), death.printed
        death = self.again(folder)
        assert death.code == 0, death.printed
        assert leavings(folder) == self.result


def leavings(folder: Path) -> dict[str, Any]:
    """The content of all files that a command has left, except for what may differ: time, words, state of the code."""
    files = [path for path in (*folder.rglob("*"), *folder.parent.glob(f"{folder.name}.*")) if path.is_file()]
    found: dict[str, Any] = {path.name.replace(folder.name, "out"): path.read_bytes() for path in files}
    assert len(found) == len(files), "no two files have the same name"
    if "summary.json" in found:
        found["summary.json"] = json.loads(found["summary.json"]) | {"seconds": 0, "commit": ""}
    if "page.html" in found:
        page = re.sub(rb", [\d.e+]+ s; ", b"; ", found["page.html"])
        found["page.html"] = re.sub(rb"commit</td><td>[^<]*", b"", page)
    for name in {"sessions.json", ".lock"} & set(found):  # .lock names the process that held it
        found[name] = b""
    if "config.json" in found:
        found["config.json"] = json.loads(found["config.json"]) | {"command": [], "commit": ""}
    return found


def undisturbed(work: Callable[..., Any], words: list[str], folder: Path) -> Job:
    job = Job(work, words, 0, 0.0, {})
    death = job.again(folder)
    assert death.code == 0, death.printed
    return Job(work, words, death.operations, death.seconds, leavings(folder))


@pytest.fixture(scope="module")
def training(dataset_file, tmp_path_factory) -> Callable[..., Job]:
    """An undisturbed run of deep.train, by the algorithm's name and further options; each is run once."""
    known: dict[tuple[str, ...], Job] = {}

    def job(algorithm: str, *options: str) -> Job:
        key = (algorithm, *options)
        if key not in known:
            words = ["--algorithm", algorithm, *ALGORITHMS[algorithm], "--dataset", str(dataset_file), *options]
            words += ["--cost-limits", "4", "9", "--episodes", "1", "--device", "cpu"]
            known[key] = undisturbed(victims.train, words, tmp_path_factory.mktemp("whole") / algorithm)
        return known[key]

    return job


@pytest.fixture(scope="module")
def collecting(tmp_path_factory) -> Job:
    words: list[str] = [str(word) for pair in TINY_COLLECTION.items() for word in pair] + ["--workers", "1"]
    return undisturbed(victims.collect, words, tmp_path_factory.mktemp("whole") / "data")


@pytest.fixture(scope="module")
def sweeping(tmp_path_factory) -> Job:
    return undisturbed(victims.sweep, [*SWEEP], tmp_path_factory.mktemp("whole") / "sweep")


def test_a_kill_before_every_single_operation_on_a_file(tmp_path):
    whole = victims.run(victims.walk, (tmp_path / "whole",), tmp_path / "whole")
    assert whole.code == 0, whole.printed
    assert whole.operations > 20
    for k in range(whole.operations):
        folder = tmp_path / str(k)
        assert victims.run(victims.walk, (folder,), folder, Fate(kill_at=k)).code == -signal.SIGKILL
        assert victims.run(victims.walk, (folder,), folder).code == 0
        assert leavings(folder) == leavings(tmp_path / "whole"), k


@pytest.mark.parametrize("algorithm", ["drcorl", "bc_all", pytest.param("safe_dql", marks=pytest.mark.exhaustive)])
def test_training_killed_at_random_operations(algorithm, training, tmp_path):
    """Two kills in a row, each somewhere in what is left, before the third command comes to the end."""
    job, rng = training(algorithm), np.random.default_rng(0)
    fates = [Fate(kill_at=int(k)) for k in rng.integers(4, job.operations // 2, 2)]
    job.survives(tmp_path / "run", *fates)


def test_training_killed_in_the_final_evaluation_and_in_the_summary(training, tmp_path):
    job = training("bc_all")
    for k in (1, 4):
        job.survives(tmp_path / f"before-last-{k}", Fate(kill_at=job.operations - k))


def test_training_killed_in_the_middle_of_writing_a_checkpoint(training, tmp_path):
    job = training("bc_all")
    size = len(job.result["checkpoint.safetensors"])
    fate = Fate(largest_file=size - 1000, kill_when_large=True)
    assert job.again(tmp_path / "run", fate).code == -signal.SIGXFSZ
    assert any(path.suffix == ".tmp" and path.stat().st_size > 0 for path in (tmp_path / "run").iterdir())
    job.survives(tmp_path / "run")


def test_a_full_disk_is_one_sentence_and_loses_nothing(training, tmp_path):
    """Room for nothing, then for config.json and the metrics and half of a checkpoint."""
    job = training("bc_all")
    for bytes_left in (100, len(job.result["checkpoint.safetensors"]) // 2):
        death = job.again(tmp_path / "run", Fate(largest_file=bytes_left))
        assert death.code == 2
        assert death.printed.splitlines()[-1].startswith("error: ")
        assert "cannot be written (File too large)" in death.printed
        assert "Traceback" not in death.printed
    job.survives(tmp_path / "run")


def test_an_evaluation_is_whole_or_absent(training, tmp_path):
    job = training("bc_all")
    run = tmp_path / "run"
    words = [str(run), "--episodes", "2"]
    job.survives(run)
    whole = victims.run(victims.evaluate, (words,), run)
    assert whole.code == 0, whole.printed
    content = (run / "evaluation.json").read_bytes()
    for k in range(whole.operations):
        (run / "evaluation.json").unlink(missing_ok=True)
        assert victims.run(victims.evaluate, (words,), run, Fate(kill_at=k)).code == -signal.SIGKILL
        assert not (run / "evaluation.json").exists()
    assert victims.run(victims.evaluate, (words,), run).code == 0
    assert (run / "evaluation.json").read_bytes() == content
    assert leavings(run).keys() == job.result.keys() | {"evaluation.json"}


def test_a_collection_killed_at_random_operations(collecting, tmp_path):
    rng = np.random.default_rng(0)
    first, second = rng.integers(3, collecting.operations // 2, 2)
    collecting.survives(tmp_path / "data", Fate(kill_at=int(first)), Fate(kill_at=int(second)))


@pytest.mark.parametrize("before_last", [2, 6])
def test_a_collection_killed_as_it_writes_its_file_and_cleans_up(before_last, collecting, tmp_path):
    collecting.survives(tmp_path / "data", Fate(kill_at=collecting.operations - before_last))


def test_a_collection_on_a_full_disk(collecting, tmp_path):
    death = collecting.again(tmp_path / "data", Fate(largest_file=len(collecting.result["out.hdf5"]) // 2))
    assert death.code == 2
    assert death.printed.splitlines()[-1].startswith("error: ")
    assert "Traceback" not in death.printed
    collecting.survives(tmp_path / "data")


def test_a_sweep_killed_at_random_operations(sweeping, tmp_path):
    first, second = np.random.default_rng(0).integers(3, sweeping.operations // 2, 2)
    sweeping.survives(tmp_path / "sweep", Fate(kill_at=int(first)), Fate(kill_at=int(second)))


@pytest.mark.parametrize("before_last", [1, 8])
def test_a_sweep_killed_as_it_draws_and_as_it_writes_its_table(before_last, sweeping, tmp_path):
    sweeping.survives(tmp_path / "sweep", Fate(kill_at=sweeping.operations - before_last))


def test_a_sweep_on_a_full_disk(sweeping, tmp_path):
    """Room for nothing, then for the jobs' files and not for the table, at last for the table and not for figures."""
    for bytes_left in (10, len(sweeping.result["runs.csv"]) - 1, len(sweeping.result["runs.csv"])):
        death = sweeping.again(tmp_path / "sweep", Fate(largest_file=bytes_left))
        assert death.code == 2, death.printed
        assert death.printed.splitlines()[-1].startswith("error: ")
        assert "cannot be written (File too large)" in death.printed
        assert "Traceback" not in death.printed
    sweeping.survives(tmp_path / "sweep")


def test_a_living_process_has_its_folder_for_itself_and_a_killed_one_gives_it_back(training, tmp_path):
    job, run = training("bc_all"), tmp_path / "run"
    assert job.again(run, Fate(kill_at=12)).code == -signal.SIGKILL
    lock = Lock(run)
    before = leavings(run)
    death = job.again(run)
    assert death.code == 2
    holder = f"{os.getpid()} on {socket.gethostname()}"
    assert death.printed == f"error: another process ({holder}) is at work in {run}: give another folder, or wait\n"
    assert leavings(run) == before
    lock.release()
    assert job.again(run, Fate(kill_at=4)).code == -signal.SIGKILL


@pytest.mark.exhaustive
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_training_killed_at_random_moments(algorithm, training, tmp_path):
    """Thirty kills by the clock: ten runs, each killed three times, at moments spread over the whole command."""
    options = LONG if algorithm == "drcorl" else []
    job, rng = training(algorithm, *options), np.random.default_rng(1)
    for number in range(10):
        moments = rng.uniform(0.05, 1.1, 3) * job.seconds
        job.survives(tmp_path / str(number), *(Fate(kill_after=float(moment)) for moment in moments))


@pytest.mark.exhaustive
def test_a_collection_killed_at_random_moments(collecting, tmp_path):
    rng = np.random.default_rng(2)
    for number in range(10):
        moments = rng.uniform(0.05, 1.1, 2) * collecting.seconds
        collecting.survives(tmp_path / str(number) / "data", *(Fate(kill_after=float(moment)) for moment in moments))


@pytest.mark.exhaustive
def test_a_sweep_killed_at_random_moments(sweeping, tmp_path):
    rng = np.random.default_rng(3)
    for number in range(10):
        moments = rng.uniform(0.05, 1.1, 2) * sweeping.seconds
        sweeping.survives(tmp_path / f"sweep{number}", *(Fate(kill_after=float(moment)) for moment in moments))
