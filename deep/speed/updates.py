"""`python -m deep.speed --methods cpq,fisor`: updates per CPU second of any method, beside the public code's.

An update here is one step of every phase that the public update has (of FISOR's policy two, as there), its random
inputs drawn in the same time. The replicas are seeds, so that a phase over seeds is stacked as often as one over
replicas.
"""

from collections.abc import Callable
from typing import Any

import torch

from deep.core.phase import Phase
from deep.core.randomness import draw_block
from deep.runs.experiment import Experiment
from deep.speed.measure import operations, product, rates
from deep.speed.peers import PEERS, PRODUCT

STEPS = 4
"""Updates in one call of the measured work: their random inputs are drawn together."""

BATCHES = ("row", "entry", "trajectory")
"""Names of the random inputs that draw a minibatch: of transitions, or of windows."""

Build = Callable[[str, int], Experiment]
"""(method, replicas) -> an untrained learner."""


def compare(methods: tuple[str, ...], replicas: tuple[int, ...], build: Build, seconds: float) -> list[dict[str, Any]]:
    """Print and return one row for each method and number of replicas."""
    print(HEADER, flush=True)
    rows: list[dict[str, Any]] = []
    for method in methods:
        one: dict[str, Any] = {}
        for count in replicas:
            row = {"method": method, "replicas": count, **whole_update(method, build(method, count), seconds)}
            one = one or row  # the fewest replicas come first
            row["gain"] = row["steps"] * count / (one["steps"] * one["replicas"])
            rows.append(row)
            print(line(row), flush=True)
    print(FOOTER)
    return rows


def whole_update(method: str, experiment: Experiment, seconds: float) -> dict[str, Any]:
    """Updates per second of the phases together, products of one update and replica, and the rate of large products."""
    peer, device = PEERS.get(method), experiment.device
    phases = [phase for phase in experiment.method.phases() if phase.steps > 0]
    if peer is not None and peer.last_phase:
        phases = phases[-1:]
    large, size = product(1, 1024, 1024, 1024, device)
    by_phase, taken, flops, large_rate = {}, {}, 0, 0.0
    for phase in phases:
        phase.on_start()
        call = work(phase, device)
        rate, products = rates([call, large], seconds, device)
        by_phase[phase.name] = STEPS * rate
        taken[phase.name] = peer.policy_steps if peer is not None and phase.name == "policy" else 1
        flops += taken[phase.name] * operations(call) // STEPS // len(phase.seeds)
        large_rate = products * size
    return {
        "phases": by_phase,
        "steps": 1 / sum(taken[name] / rate for name, rate in by_phase.items()),
        "flops": flops,
        "batch": max(draw.shape[0] for phase in phases for name, draw in phase.draws.items() if name in BATCHES),
        "products": large_rate,
    }


def work(phase: Phase, device: torch.device) -> Callable[[], None]:
    """`STEPS` updates of a phase with new random inputs at every call."""
    block = 0

    def call() -> None:
        nonlocal block
        block += 1
        draws = draw_block(phase.draws, phase.seeds, phase.name, block, STEPS, device)
        for k in range(STEPS):
            phase.update(torch.tensor(float(k), device=device), {name: values[k] for name, values in draws.items()})

    return call


HEADER = (
    f"{'':>10} {'R':>3} {'batch':>11}  {'updates/s':>9} {'per replica':>11} {'gain':>5}  {'public':>6} {'ratio':>6}  "
    f"{'GFLOP':>6} {'public':>6}  {'GFLOP/s':>7} {'products':>8}  phases (steps/s)"
)
FOOTER = f"""
batch: the public code's in brackets. per replica: updates/s times R. gain: per replica against the first row. public,
ratio: the public code's updates per CPU second (deep/speed/peers.py has the conditions), and per replica over them.
GFLOP: products of one update and replica, beside the public update's. GFLOP/s: what the updates reach, beside products
of 1024 x 1024 matrices by turns with them; these reached {PRODUCT / 1e9:.0f} where the public code was measured."""


def line(row: dict[str, Any]) -> str:
    """One row of the table."""
    peer, each, gflop = PEERS.get(row["method"]), row["steps"] * row["replicas"], row["flops"] / 1e9
    batch, public, ratio, products = f"{row['batch']}", "-", "-", "-"
    if peer is not None:
        batch += f" ({peer.batch})"
        public, ratio, products = f"{peer.steps}", f"{each / peer.steps:.2f}", f"{peer.gflop}"
    phases = ", ".join(f"{name} {rate:.1f}" for name, rate in row["phases"].items())
    return (
        f"{row['method']:>10} {row['replicas']:>3} {batch:>11}  {row['steps']:>9.2f} {each:>11.2f} {row['gain']:>5.2f}"
        f"  {public:>6} {ratio:>6}  {gflop:>6.2f} {products:>6}  {each * gflop:>7.1f} {row['products'] / 1e9:>8.1f}"
        f"  {phases}"
    )
