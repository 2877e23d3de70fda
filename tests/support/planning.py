"""Planners and decision transformers small enough for a test, on the small data."""

from collections.abc import Sequence
from dataclasses import replace

from deep.data.dataset import OfflineDataset
from deep.methods.registry import spec_of
from deep.methods.spec import words
from deep.runs.experiment import Experiment
from deep.tasks import find_task
from deep.training import parse, settings_of
from tests.support.builders import small_dataset

PLANNER = "--horizon 4 --width 8 --heads 2 --blocks 1 --hidden 16 --levels 3 --batch-size 8 --replan-every 2".split()
LENGTH = 40


def small(algorithm: str) -> Sequence[str]:
    """Options that make the method small."""
    return words(spec_of(algorithm).smoke) if algorithm in ("cdt", "b2r") else PLANNER


def experiment(*options: str, algorithm: str = "tcdp", data: OfflineDataset | None = None) -> Experiment:
    """Untrained; two seeds with two limits, on a task of 40 steps."""
    given = ["--algorithm", algorithm, *small(algorithm), "--seeds", "0", "1", "--cost-limits", "4", "60"]
    task = replace(find_task("HopperVel"), episode_length=LENGTH)
    return Experiment(settings_of(parse([*given, "--device", "cpu", *options])), task, data or small_dataset())
