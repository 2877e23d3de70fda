"""A run of pytest in a copy of the tree, forked from a process that has imported the heavy packages already."""

import multiprocessing
import os
import signal
import sys
from pathlib import Path
from time import monotonic

import cvxpy  # noqa: F401
import gymnasium  # noqa: F401
import h5py  # noqa: F401
import hypothesis
import pytest
import scipy.sparse.linalg  # noqa: F401
import torch

from verification.mutation.targets import LEFT_OUT

torch.set_num_threads(1)
# The same examples for every mutant, and no time spent on shrinking one that fails.
PHASES = [hypothesis.Phase.explicit, hypothesis.Phase.generate]
hypothesis.settings.register_profile("mutation", derandomize=True, database=None, deadline=None, phases=PHASES)
hypothesis.settings.load_profile("mutation")


class Recorder:
    """The first test that failed, or the file that could not be collected."""

    failed = ""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed and not self.failed:
            self.failed = report.nodeid

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed and not self.failed:
            self.failed = f"{report.nodeid} (import)"


def child(copy: Path, tests: list[str], answer: Path) -> None:
    """Run the tests in the copy, all of whose modules are imported anew, and write down what failed."""
    os.setpgrp()
    os.chdir(copy)
    sys.dont_write_bytecode = True
    os.environ |= {"PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    for name in [name for name in sys.modules if name.split(".")[0] in ("theory", "deep", "verification", "tests")]:
        del sys.modules[name]
    sys.path.insert(0, str(copy))
    log = os.open(copy / "log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(log, 1), os.dup2(log, 2)
    recorder = Recorder()
    left_out = [word for name in LEFT_OUT for word in ("--deselect", name)]
    words = ["-x", "-q", "-p", "no:cacheprovider", "-W", "ignore::pytest.PytestAssertRewriteWarning"]
    code = pytest.main([*words, *left_out, *tests], plugins=[recorder])
    answer.write_text(recorder.failed or ("" if code == 0 else f"pytest stopped with {code!r}"))
    os._exit(0)


class Run:
    """Pytest at work in a process group of its own; `failed` names what caught the mutant once it is over."""

    def __init__(self, copy: Path, tests: list[str], limit: float) -> None:
        self.answer, self.limit, self.start = copy / "answer", limit, monotonic()
        self.failed, self.seconds = "", 0.0
        self.answer.unlink(missing_ok=True)
        self.process = multiprocessing.get_context("fork").Process(target=child, args=(copy, tests, self.answer))
        self.process.start()

    def over(self) -> bool:
        self.seconds = monotonic() - self.start
        late = self.seconds > self.limit
        if self.process.is_alive() and not late:
            return False
        assert self.process.pid is not None
        try:
            os.killpg(self.process.pid, signal.SIGKILL)  # what it has started, too
        except ProcessLookupError:
            pass
        self.process.join()
        self.failed = "time limit" if late else self.answer.read_text() if self.answer.is_file() else "crash"
        return True
