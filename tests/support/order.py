"""The order of test files: the longest first, so that the workers of `make test` end at about the same time."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
LONGEST = (
    "verification/tests/test_formal.py",
    "tests/methods/test_registry.py",
    "tests/commands/test_benchmark.py",
    "verification/tests/test_claims.py",
    "tests/runs/test_kills.py",
    "tests/envs/test_old_packages.py",
    "tests/data/test_custom.py",
    "tests/commands/test_train.py",
    "tests/commands/test_wheel.py",
    "tests/commands/test_collect.py",
    "tests/theory/test_algorithms.py",
    "tests/ope/test_model_rollouts.py",
    "tests/theory/test_commands.py",
    "tests/theory/test_sweep.py",
    "tests/commands/test_export_with_state.py",
    "tests/commands/test_proposed_commands.py",
    "tests/methods/test_sequence_acting.py",
    "tests/commands/test_ope_study.py",
    "tests/commands/test_interrupts.py",
    "tests/notebooks/test_notebooks.py",
)
"""Files of more than about 15 seconds, by processor time; the others follow in pytest's own order."""


def longest_first(items: list[Any], longest: Sequence[str] = LONGEST) -> None:
    """Move the tests of these files to the front, in this order."""
    rank = {ROOT / name: place for place, name in enumerate(longest)}
    items.sort(key=lambda item: rank.get(item.path, len(rank)))
