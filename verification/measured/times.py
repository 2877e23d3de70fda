"""How long every method takes to act: 1000 actions with the quick preset's networks on this machine."""

from typing import Any

import torch

from deep.benchmark import latency
from deep.core.provenance import commit, machine
from deep.data.load import load
from deep.methods.registry import METHODS
from deep.runs.experiment import Experiment, Settings
from deep.tasks import find_task


def measure() -> dict[str, Any]:
    """One entry per method and way to act, on the embedded data; weights are untrained, which changes no time."""
    task = find_task("HopperVel")
    data = load(task, "embedded")
    found = []
    for algorithm, entry in METHODS.items():
        settings = Settings(entry.spec.presets["quick"], task.name, algorithm, cost_limits=(20.0,), device="cpu")
        experiment = Experiment(settings, task, data)
        found += [{"algorithm": algorithm, **times} for times in latency.times_of(experiment)]
        print(found[-1], flush=True)
    about = {"command": "python -m verification.measured --time", "commit": commit(), "machine": machine()}
    return about | {"torch": torch.__version__, "seconds_for_1000_actions": found}
