"""The measurement of `python -m deep.speed`: every phase stacked and as a plain loop, by turns."""

import json
import shlex
from dataclasses import asdict
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from deep.core.method import act_in_parts
from deep.core.phase import Phase
from deep.core.randomness import draw_block
from deep.methods.registry import METHODS
from deep.runs.experiment import Experiment
from deep.speed.measure import Work, common_product, largest_cost, machine, operations, product, rates
from deep.speed.options import Speed
from deep.speed.peers import PEERS
from deep.speed.updates import compare
from deep.training import parse, settings_of
from theory.support.errors import InputError

ROOM = "deep.speed.plain"
"""A method of module NAME has its plain loop in this room's NAME; a method may have none."""
STEPS = 8
"""Different steps, with draws of their own, over which a measurement goes round and round."""


def plain(algorithm: str) -> ModuleType:
    """The module with the method's plain loop: PHASES, a learner of one replica by the phase's name; and OPTIONS, words
    of deep.train's command line, where it needs any. Raises `InputError` where the method has none."""
    name = f"{ROOM}.{METHODS[algorithm].module.rpartition('.')[2]}"
    if find_spec(name) is None:
        raise InputError(f"--algorithms {algorithm}: accepted are methods with a plain loop, and {name} does not exist")
    return import_module(name)


def measure(speed: Speed) -> dict[str, Any]:
    """Every method and number of replicas in turn."""
    device = torch.device(speed.device)
    settings = {**asdict(speed), "out": str(speed.out)}
    if speed.methods:
        print(f"{json.dumps(machine(device))}\n", flush=True)
        rows = compare(speed.methods, speed.replicas, partial(build, speed), speed.seconds)
        return {"machine": machine(device), "settings": settings, "rows": rows}
    large, size = product(1, 2048, 2048, 2048, device)
    largest = rates([large], speed.seconds, device)[0] * size
    print(f"{json.dumps(machine(device))}\nproducts of 2048 x 2048 matrices: {largest / 1e9:.0f} GFLOP/s\n", flush=True)
    print(HEADER, flush=True)
    rows, actions = [], []
    for algorithm in speed.algorithms:
        for replicas in speed.replicas:
            experiment = build(speed, algorithm, replicas)
            for phase in experiment.phases():
                wanted = phase.name in plain(algorithm).PHASES and phase.name in (speed.phases or (phase.name,))
                if wanted and phase.steps > 0:
                    rows.append({"algorithm": algorithm, "replicas": replicas, **one_phase(speed, experiment, phase)})
                    print(line(rows[-1], largest), flush=True)
            actions.append({"algorithm": algorithm, "replicas": replicas, **acting(speed, experiment)})
    print("\nmicroseconds per action and replica: one state at a time, 1000 states at once")
    for row in actions:
        print(f"{row['algorithm']:>9} {row['replicas']:>3}  {row['single']:>8.1f}  {row['batched']:>8.3f}", flush=True)
    return {
        "machine": machine(device),
        "settings": settings,
        "large_products": largest,
        "rows": rows,
        "acting": actions,
    }


def build(speed: Speed, algorithm: str, replicas: int) -> Experiment:
    words = ["--algorithm", algorithm, "--preset", speed.preset, "--device", speed.device, "--cost-limits", "20"]
    words += PEERS[algorithm].options if speed.methods and algorithm in PEERS else ()
    words += getattr(plain(algorithm), "OPTIONS", ()) if not speed.methods else ()
    words += [
        "--dynamics.steps",
        "0",
        "--seeds",
        *map(str, range(replicas)),
        *(word for text in speed.options for word in shlex.split(text)),
    ]
    return Experiment(settings_of(parse(words)))


def one_phase(speed: Speed, experiment: Experiment, phase: Phase) -> dict[str, Any]:
    """Steps per second of one phase, stacked and plain, and what its products alone would take."""
    algorithm, device, replicas = experiment.settings.algorithm, experiment.device, len(phase.seeds)
    phase.on_start()
    learner_of = plain(algorithm).PHASES[phase.name]
    learners = [learner_of(experiment.method, replica) for replica in range(replicas)]
    blocks = draw_block(phase.draws, phase.seeds, phase.name, 0, STEPS, device)
    draws = [{name: block[k] for name, block in blocks.items()} for k in range(STEPS)]
    own = [[{name: block[i] for name, block in step.items()} for i in range(replicas)] for step in draws]
    turns = {"stacked": 0, "plain": 0}

    def stacked() -> None:
        k = turns["stacked"] = (turns["stacked"] + 1) % STEPS
        phase.update(torch.tensor(float(k), device=device), draws[k])

    def one_by_one() -> None:
        k = turns["plain"] = (turns["plain"] + 1) % STEPS
        for learner, mine in zip(learners, own[k], strict=True):
            learner.update(k, mine)

    products, size = common_product(experiment, phase)
    works: list[Work] = [stacked, one_by_one, products]
    fast, slow, product_rate = rates(works, speed.seconds, device)
    flops = operations(stacked)
    cost, share = largest_cost(stacked, device)
    return {
        "phase": phase.name,
        "stacked": fast,
        "plain": slow,
        "flops": flops,
        "products": product_rate * size,
        "largest_cost": cost,
        "largest_share": share,
    }


HEADER = (
    f"{'':>9} {'phase':>14} {'R':>3}  {'stacked':>9} {'per replica':>11} {'plain':>9}  {'ratio':>5}  "
    f"{'GFLOP':>7}  {'of large':>8} {'of own':>7}  largest cost\n"
    f"{'':>9} {'':>14} {'':>3}  {'steps/s':>9} {'steps/s':>11} {'steps/s':>9}  {'':>5}  {'a step':>7}  {'products':>16}"
)


def line(row: dict[str, Any], largest: float) -> str:
    """One phase; "of own" is the share of the throughput of products of the phase's own shape."""
    used, replicas = row["stacked"] * row["flops"], row["replicas"]
    return (
        f"{row['algorithm']:>9} {row['phase']:>14} {replicas:>3}  {row['stacked']:>9.2f} "
        f"{row['stacked'] * replicas:>11.1f} {row['plain']:>9.2f}  {row['stacked'] / row['plain']:>5.2f}  "
        f"{row['flops'] / 1e9:>7.3f}  {used / largest:>8.0%} {used / row['products']:>7.0%}  "
        f"{row['largest_cost']} {row['largest_share']:.0%}"
    )


def acting(speed: Speed, experiment: Experiment) -> dict[str, float]:
    """Microseconds per action and replica."""
    replicas, observations = len(experiment.problem.replicas), experiment.replay.observations[:1000]
    policy = experiment.policy()

    def act(states: Tensor) -> Work:
        state = policy.start(len(states))
        return lambda: act_in_parts(policy, state, states.expand(replicas, -1, -1))

    one, many = rates([act(observations[:1]), act(observations)], speed.seconds, experiment.device)
    return {"single": 1e6 / (one * replicas), "batched": 1e6 / (many * replicas * len(observations))}
