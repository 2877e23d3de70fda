"""`pytest verification`: exhaustive tests are left out unless asked for; the verdicts are printed at the end."""

from collections import Counter
from pathlib import Path

import pytest
import torch

from verification.claim import VERDICTS
from verification.ledger import LEDGER, load, stale

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
    counts = Counter(entry["verdict"] for entry in entries)
    summary = ", ".join(f"{counts[verdict]} {meaning}" for verdict, meaning in VERDICTS.items())
    terminalreporter.write_line(f"{len(entries)} claims: {summary}")
