"""`pytest verification`: exhaustive tests run with `-m exhaustive` alone; the ledger's verdicts end the output."""

from pathlib import Path

import pytest
import torch

from verification.ledger import LEDGER, load, stale
from verification.report.entries import headline

HERE = Path(__file__).parent
torch.set_num_threads(1)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if "exhaustive" in str(config.getoption("markexpr")):
        return
    left_out = [item for item in items if HERE in item.path.parents and item.get_closest_marker("exhaustive")]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


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
    for report in terminalreporter.getreports("xfailed"):
        terminalreporter.write_line(report.wasxfail.removeprefix("reason: "))
