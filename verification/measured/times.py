"""How long the methods of the claims take to act: 1000 actions with the quick preset's networks on this machine."""

import json
from pathlib import Path

import torch

from deep.benchmark import latency
from deep.core.provenance import commit, machine
from deep.data.load import load
from deep.methods.registry import spec_of
from deep.runs.experiment import Experiment, Settings
from deep.tasks import find_task
from theory.support.files import write_whole

METHODS = ("drcorl", "bc_best", "cdt", "b2r", "safe_dql", "fisor", "tcdp", "cdd", "sdgd")
"""DRCORL, a clone, and all that act by a transformer or a diffusion model."""


def measure(path: Path) -> None:
    """Write one entry per method and way to act, on the embedded data, after every method.

    The weights are untrained, which changes no time.
    """
    task = find_task("HopperVel")
    data = load(task, "embedded")
    about = {"command": "python -m verification.measured --time", "commit": commit(), "machine": machine()}
    found = []
    for algorithm in METHODS:
        preset = spec_of(algorithm).presets["quick"]
        settings = Settings(preset, task.name, algorithm, cost_limits=(20.0,), device="cpu")
        experiment = Experiment(settings, task, data)
        found += [{"algorithm": algorithm, **times} for times in latency.times_of(experiment)]
        content = about | {"torch": torch.__version__, "seconds_for_1000_actions": found}
        write_whole(path, (json.dumps(content, indent=1) + "\n").encode())
        print(algorithm, flush=True)
