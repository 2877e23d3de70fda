"""Mutation testing: what counts as a catch, and that a report says how old its verdicts are.

Each in a process of its own, for the command's imports set how hypothesis runs.
"""

import subprocess
import sys
from pathlib import Path

RUN = """
import sys, time
from pathlib import Path
from verification.mutation.child import Run
for test in sys.argv[2:]:
    run = Run(Path(sys.argv[1]), [test], 60)
    while not run.over():
        time.sleep(0.05)
    print(repr((run.failed, run.stopped)))
"""
REPORT = """
from verification.mutation.__main__ import in_the_code, sample, summary
known = {mutant.name: {"verdict": "caught", "by": "tests/test_a.py::test"} for mutant, _ in sample(0, 1)[:3]}
known |= {"theory/bounds.py:1: gone -> gone": {"verdict": "survived", "tests": "wide"}}
known |= {"theory/bounds.py:2: gone -> gone": {"verdict": "stopped", "by": "pytest's exit code 4", "tests": "near"}}
print(summary(known, {}, in_the_code(known)))
"""


def python(*words: str) -> list[str]:
    done = subprocess.run([sys.executable, "-c", *words], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_a_catch_is_a_failed_test_alone(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text("def test_good():\n    pass\n\ndef test_bad():\n    assert False\n")
    (tmp_path / "test_import.py").write_text("raise ValueError\n")
    names = (
        "test_it.py::test_good",
        "test_it.py::test_bad",
        "test_import.py",
        "test_renamed.py",
        "test_it.py::test_no",
    )
    assert python(RUN, str(tmp_path), *names) == [
        "('', '')",
        "('test_it.py::test_bad', '')",
        "('test_import.py (import)', '')",
        "('', \"pytest's exit code 4\")",
        "('', \"pytest's exit code 4\")",
    ]


def test_a_report_says_what_is_no_verdict_and_what_is_gone() -> None:
    text = python(REPORT)
    assert "caught 3 of 4 (0 by the time limit): 75.0%" in text
    assert "without a verdict, for pytest neither passed nor failed: 1" in text
    assert "still in today's code under their file, line and text: 3 of 5" in text
