"""`pytest verification` ends with the verdicts, and with what is stale."""

import pytest
import torch

from verification.formal import coq, record
from verification.intervals.record import faults
from verification.intervals.record import load as load_runs
from verification.judging import LEDGER, load, stale
from verification.report.entries import headline

torch.set_num_threads(1)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not LEDGER.is_file():
        return
    entries = load(LEDGER)
    terminalreporter.section("the ledger")
    for entry in entries:
        old = "  STALE" if stale(entry) else ""
        source = entry["source"][:44]
        terminalreporter.write_line(f"{entry['id']:<5} {entry['verdict']:<3} {source:<45} {entry['grade']}{old}")
    terminalreporter.write_line(headline(entries))
    for line in record.summary(coq.version() if coq.installed() else None):
        terminalreporter.write_line(line)
    for line in faults(load_runs()):
        terminalreporter.write_line(line)
    for report in terminalreporter.getreports("xfailed"):
        terminalreporter.write_line(report.wasxfail.removeprefix("reason: "))
