"""`python -m deep.speed`: update steps per second of every phase, beside a plain loop of the same update.

The plain loop is what PyTorch users write: torch.nn modules, torch.optim.Adam, an average moved one parameter after the
other, one replica after the other. tests/commands/test_speed.py shows that it is the same update. Seconds belong to the
machine, which other work may share; ratios were measured by turns, and carry over better.

`python -m deep.speed --methods cpq,fisor` measures whole updates beside the public code's (`deep.speed.updates`).
`python -m deep.speed --gpu-check --out DIR` is another command: all that only a GPU can show (`deep.speed.gpu_check`).
"""

import json
import shlex
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import torch
from torch import Tensor

from deep.cli.command import command, read
from deep.core.memory import keep_freed_memory
from deep.core.method import act_in_parts
from deep.core.phase import Phase
from deep.core.randomness import draw_block
from deep.methods.registry import METHODS, Algorithm, spec_of
from deep.runs.experiment import Experiment
from deep.speed import gpu_check
from deep.speed.measure import Work, common_product, largest_cost, machine, operations, product, rates
from deep.speed.updates import compare
from deep.train import parse, settings_of
from theory.support.errors import InputError
from theory.support.files import write_whole

ROOM = "deep.speed.plain"
"""A method of module NAME has its plain loop in this room's NAME; a method may have none."""
STEPS = 8
"""Different steps, with draws of their own, over which a measurement goes round and round."""


@dataclass(frozen=True)
class Speed:
    """Measure how fast training is on this machine."""

    algorithms: tuple[Algorithm, ...] = ("drcorl", "safe_dql", "bc_all")
    """Methods that have a plain loop in deep/speed/plain."""
    methods: tuple[str, ...] = ()
    """Any methods, "cpq,fisor" or "cpq fisor": measure whole updates beside the public code's instead."""
    phases: tuple[str, ...] = ()
    """Only phases of these names; none: all."""
    replicas: tuple[int, ...] = ()
    """Numbers of seeds trained together; none: 1, 4, 16, and with --methods 1, 3, 9."""
    preset: Literal["quick", "paper"] = "paper"
    """The networks and batches of this preset."""
    seconds: float = 3.0
    """Time of one measurement."""
    threads: int = 1
    """CPU threads. With one, processor time is measured, which other work on the machine disturbs little."""
    device: Literal["cpu", "cuda"] = "cpu"
    """Where."""
    options: tuple[str, ...] = ()
    """Further words for deep.train's command line, as one value: --options="--behaviour.batch-size 256"."""
    out: Path | None = None
    """Also write the figures to this JSON file."""


def main(arguments: Sequence[str] | None = None, prog: str = "python -m deep.speed") -> None:
    """The command; wrong input ends in one sentence and exit code 2."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    with command(lambda: "nothing is saved; the same command measures again"):
        if "--gpu-check" in words:
            words.remove("--gpu-check")
            gpu_check.check_gpu(words)
        else:
            run(read(Speed, __name__, words, prog))


def run(speed: Speed) -> dict[str, Any]:
    """Measure, print, write."""
    methods = tuple(name for text in speed.methods for name in text.split(",") if name)
    replicas = speed.replicas or ((1, 3, 9) if methods else (1, 4, 16))
    speed = replace(speed, methods=methods, replicas=replicas)
    for name in methods:
        spec_of(name)  # an unknown one is rejected before anything is measured
    if min(speed.replicas) < 1 or speed.seconds <= 0 or speed.threads < 1:
        raise InputError("--replicas, --seconds and --threads: accepted are numbers above 0, one replica or more")
    names = sorted({name for algorithm in speed.algorithms for name in plain(algorithm).PHASES})
    if unknown := set(speed.phases) - set(names):
        raise InputError(f"--phases {' '.join(sorted(unknown))}: accepted are {', '.join(names)}")
    before = torch.get_num_threads()
    torch.set_num_threads(speed.threads)
    keep_freed_memory()
    try:
        found = measure(speed)
    finally:
        torch.set_num_threads(before)
    if speed.out is not None:
        write_whole(speed.out, json.dumps(found, indent=1, default=str).encode())
    return found


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


if __name__ == "__main__":
    main()
