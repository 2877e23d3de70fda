"""How long the methods of the claims take to act: 1000 actions with the quick preset's networks on this machine."""

from typing import Any

import torch

from deep.benchmark import latency
from deep.core.provenance import commit, machine
from deep.data.load import load
from deep.methods.registry import spec_of
from deep.runs.experiment import Experiment, Settings
from deep.tasks import find_task
from verification.measured.claims import GENERATIVE


def measure() -> dict[str, Any]:
    """One entry per method and way to act, on the embedded data; weights are untrained, which changes no time.

    The methods are DRCORL, a clone, and all that act by a diffusion model or a transformer.
    """
    task = find_task("HopperVel")
    data = load(task, "embedded")
    found = []
    for algorithm in ("drcorl", "bc_best", *GENERATIVE):
        preset = spec_of(algorithm).presets["quick"]
        settings = Settings(preset, task.name, algorithm, cost_limits=(20.0,), device="cpu")
        experiment = Experiment(settings, task, data)
        found += [{"algorithm": algorithm, **times} for times in latency.times_of(experiment)]
        print(found[-1], flush=True)
    about = {"command": "python -m verification.measured --time", "commit": commit(), "machine": machine()}
    return about | {"torch": torch.__version__, "seconds_for_1000_actions": found}
