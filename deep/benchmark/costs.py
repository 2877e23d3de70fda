"""`python -m deep.benchmark.costs [METHOD ...]`: the processor seconds of methods' quick presets, for plans of budgets.

A few updates of every phase and a few steps of acting are timed in this process, on the embedded data, one seed at
three limits, one thread; the numbers of steps of the preset then give the seconds. Left out are what phases do between
their steps (policy evaluations), and the simulator: the numbers are lower bounds until a finished job of the method
replaces them (`deep.benchmark.budget.estimate`).
"""

import argparse
import json
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from deep.benchmark.budget import COSTS
from deep.core.files import read_json
from deep.core.memory import keep_freed_memory
from deep.core.phase import Phase
from deep.core.provenance import commit, machine
from deep.core.randomness import draw_block
from deep.data.dataset import OfflineDataset
from deep.data.load import load
from deep.methods.registry import METHODS
from deep.runs.experiment import Experiment, Settings
from deep.tasks import find_task
from theory.support.files import write_whole

LIMITS = (20.0, 40.0, 80.0)
EPISODES = 20
STEPS = 4
"""Updates in one call: their random inputs are drawn together."""


def seconds_of(work: Callable[[], Any], least: float) -> float:
    """Processor seconds of one call, over as many calls as take `least` seconds, after one to warm up."""
    work()
    calls, began = 0, time.process_time()
    while True:
        work()
        calls += 1
        if (taken := time.process_time() - began) >= least:
            return taken / calls


def updates(phase: Phase, device: torch.device) -> Callable[[], None]:
    """`STEPS` updates of a phase with new random inputs at every call."""
    block = 0
    phase.on_start()

    def call() -> None:
        nonlocal block
        block += 1
        draws = draw_block(phase.draws, phase.seeds, phase.name, block, STEPS, device)
        for k in range(STEPS):
            phase.update(torch.tensor(float(k), device=device), {name: values[k] for name, values in draws.items()})

    return call


def training(phases: Iterable[Phase], device: torch.device, least: float) -> float:
    """Seconds of whole phases."""
    return sum(phase.steps * seconds_of(updates(phase, device), least) / STEPS for phase in phases if phase.steps > 0)


def acting(experiment: Experiment, least: float) -> float:
    """Seconds to act in all evaluation episodes, in every way to act."""
    count, total = len(experiment.problem.replicas), 0.0
    states = np.repeat(experiment.data.observations[None, :EPISODES], count, axis=0)
    quiet = np.zeros((count, EPISODES), dtype=np.float32)
    for choice in experiment.choices:
        player = experiment.player(experiment.policy(choice))
        state = player.start(0, EPISODES)

        def step(player: Any = player) -> None:
            nonlocal state
            _, state = player.act(state, states)
            state = player.observe(state, quiet, quiet, quiet > 0)

        total += experiment.task.episode_length * seconds_of(step, least)
    return total


def measure(algorithm: str, data: OfflineDataset, least: float) -> dict[str, Any]:
    """Seconds per replica: the method's training and its acting, and both together."""
    task = find_task(data.task)
    settings = Settings(METHODS[algorithm].spec.presets["quick"], algorithm=algorithm, cost_limits=LIMITS, device="cpu")
    experiment = Experiment(replace(settings, task=task.name), task, data)
    count, device = len(experiment.problem.replicas), experiment.device
    trained = training(experiment.method.phases(), device, least)
    played = acting(experiment, least)
    return {
        "seconds": round((trained + played) / count, 1),
        "training": round(trained / count, 1),
        "acting": round(played / count, 1),
    }


def dynamics(data: OfflineDataset, least: float) -> tuple[float, int]:
    """Seconds of the learned dynamics of one seed, and their steps."""
    task = find_task(data.task)
    preset = METHODS["bc_all"].spec.presets["quick"]
    experiment = Experiment(Settings(preset, algorithm="bc_all", task=task.name, device="cpu"), task, data)
    return round(
        training(experiment.dynamics.phases(), experiment.device, least), 1
    ), experiment.settings.dynamics.steps


def main(arguments: list[str] | None = None, path: Path = COSTS, least: float = 0.5) -> None:
    """Measure the named methods, or all, and write the file; a method that fails to run ends the command."""
    parser = argparse.ArgumentParser(prog="python -m deep.benchmark.costs", description=__doc__)
    parser.add_argument("methods", nargs="*", choices=[[], *METHODS], help="what to measure anew; none: all")
    chosen = parser.parse_args(arguments).methods or list(METHODS)
    torch.set_num_threads(1)
    keep_freed_memory()
    data = load(find_task("HopperVel"), "embedded")
    found: dict[str, Any] = {"dynamics": {}, "methods": {}} if set(chosen) == set(METHODS) else read_json(path)
    about = {"commit": commit(), "machine": machine()}
    if not found["dynamics"]:
        seconds, steps = dynamics(data, least)
        found["dynamics"] = {"seconds": seconds, "steps": steps, **about}
    for algorithm in chosen:
        found["methods"][algorithm] = measure(algorithm, data, least) | about
        print(f"{algorithm:<10} {found['methods'][algorithm]}", flush=True)
    found["methods"] = {name: found["methods"][name] for name in METHODS if name in found["methods"]}
    write_whole(path, (json.dumps(found, indent=1) + "\n").encode())


if __name__ == "__main__":
    main()
