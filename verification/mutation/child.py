"""A run of pytest in a copy of the tree, forked from a process that has imported the heavy packages already."""

import contextlib
import multiprocessing
import os
import resource
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


def child(copy: Path, tests: list[str], answer: Path, limit: int) -> None:
    """Run the tests in the copy, all of whose modules are imported anew, and write down what failed."""
    os.setpgrp()
    resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 5))
    os.chdir(copy)
    sys.dont_write_bytecode = True
    os.environ |= {"PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    for name in [name for name in sys.modules if name.split(".")[0] in ("theory", "deep", "verification", "tests")]:
        del sys.modules[name]
    sys.path.insert(0, str(copy))
    log = os.open(copy / "log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(log, 1)
    os.dup2(log, 2)
    recorder = Recorder()
    left_out = [word for name in LEFT_OUT for word in ("--deselect", name)]
    # A file that cannot be imported is a failure (1) rather than an interrupted run (2).
    words = ["-x", "-q", "-p", "no:cacheprovider", "--continue-on-collection-errors"]
    words += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]
    code = pytest.main([*words, *left_out, *tests], plugins=[recorder])
    answer.write_text(f"{int(code)} {recorder.failed}")
    os._exit(0)


class Run:
    """Pytest at work in a process group of its own; `failed` names what caught the mutant once it is over.

    Only exit code 1, "tests failed", and the time limit count as a catch. Any other exit code but 0, for example where
    a test file does not exist, gives no verdict: `stopped` names it. The limit is in processor seconds, which do not
    depend on the machine's load; ten times as many seconds on the clock end a run that waits for ever.
    """

    def __init__(self, copy: Path, tests: list[str], limit: int) -> None:
        self.answer, self.longest, self.start = copy / "answer", 10 * limit, monotonic()
        self.failed, self.stopped, self.seconds = "", "", 0.0
        self.answer.unlink(missing_ok=True)
        arguments = (copy, tests, self.answer, limit)
        self.process = multiprocessing.get_context("fork").Process(target=child, args=arguments)
        self.process.start()

    def stop(self) -> None:
        """End the process and what it has started."""
        assert self.process.pid is not None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.kill()  # where it has no group of its own yet
        self.process.join()

    def over(self) -> bool:
        """Whether the run has ended; it is ended after the time limit."""
        self.seconds = monotonic() - self.start
        late = self.seconds > self.longest
        if self.process.is_alive() and not late:
            return False
        self.stop()
        if late or self.process.exitcode == -signal.SIGXCPU:
            self.failed = "time limit"
            return True
        code, _, failed = (self.answer.read_text() if self.answer.is_file() else "").partition(" ")
        if code == "1":
            self.failed = failed
        elif code != "0":
            self.stopped = f"pytest's exit code {code}" if code else "crash"
        return True
