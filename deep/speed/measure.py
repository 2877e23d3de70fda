"""Seconds, products and shares: how the figures of deep.speed are measured."""

import os
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from deep.core.phase import Phase
from deep.core.provenance import processor
from deep.runs.experiment import Experiment

Work = Callable[[], Any]


def rates(works: list[Work], seconds: float, device: torch.device, rounds: int = 5) -> list[float]:
    """Calls per second of each, the median over rounds in which all take turns: neighbours disturb all alike."""
    counts = [max(1, int(seconds / rounds / max(_time(work, 1, device), 1e-9))) for work in works]  # warms up, too
    found: list[list[float]] = [[] for _ in works]
    for _ in range(rounds):
        for work, count, rate in zip(works, counts, found, strict=True):
            rate.append(count / _time(work, count, device))
    return [statistics.median(rate) for rate in found]


def _time(work: Work, count: int, device: torch.device) -> float:
    alone = device.type == "cpu" and torch.get_num_threads() == 1
    clock = time.process_time if alone else time.perf_counter
    _wait(device)
    start = clock()
    for _ in range(count):
        work()
    _wait(device)
    return clock() - start


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def operations(work: Work) -> int:
    """Floating-point operations of the matrix products in one call, forward and backward."""
    counter = FlopCounterMode(display=False)
    with counter:
        work()
    return counter.get_total_flops()


def product(copies: int, rows: int, inner: int, columns: int, device: torch.device) -> tuple[Work, int]:
    """`copies` products (rows, inner) (inner, columns) at once, and how many operations they are."""

    def random(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=torch.Generator().manual_seed(0)).to(device)

    a, b = random(copies, rows, inner), random(copies, inner, columns)
    return lambda: torch.bmm(a, b), 2 * copies * rows * inner * columns


def largest_cost(work: Work, device: torch.device, calls: int = 5) -> tuple[str, float]:
    """The operation that takes the most time by itself, and its share of all.

    The least of several calls counts for every operation: a profiler's clock also runs while neighbours do.
    """
    work()
    seen = [_self_times(work, device) for _ in range(calls)]
    cost = {name: min(times.get(name, 0.0) for times in seen) for name in seen[0]}
    name = max(cost, key=cost.__getitem__)
    return name, cost[name] / sum(cost.values())


def _self_times(work: Work, device: torch.device) -> dict[str, float]:
    on_device = device.type == "cuda"
    with profile(activities=[ProfilerActivity.CUDA if on_device else ProfilerActivity.CPU]) as seen:
        work()
    return {e.key: e.self_device_time_total if on_device else e.self_cpu_time_total for e in seen.key_averages()}


def machine(device: torch.device) -> dict[str, Any]:
    """What the seconds belong to."""
    return {
        "processor": processor(),
        "cores": len(os.sched_getaffinity(0)),
        "threads": torch.get_num_threads(),
        "load_average": os.getloadavg()[0],
        "torch": torch.__version__,
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
    }


def common_product(experiment: Experiment, phase: Phase) -> tuple[Work, int]:
    """The product that the phase's networks mostly consist of: batch x width x width, for all replicas at once."""
    config, copies = experiment.settings.method, len(phase.seeds)
    rows = next(draw.shape[0] for name, draw in phase.draws.items() if name == "row")
    inner, columns = experiment.method.main_layer(phase.name) or (config.hidden[0], config.hidden[-1])
    return product(copies, rows, inner, columns, experiment.device)
