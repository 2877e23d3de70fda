"""What batching gains over a plain loop, and the Lagrangian over linear programming."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from theory.cmdp.dense import FiniteCMDP
from theory.cmdp.families import make, sparse_garnet
from theory.evaluation import evaluate
from theory.npg import reference
from theory.npg.algorithms import configure, init, step
from theory.optimum import solve
from theory.speed.options import Speed

GAMMA, ETA = 0.95, 0.01


def fastest(function: Callable[[], Any], repeats: int, clock: Callable[[], float] = time.process_time) -> float:
    """Seconds of the fastest call, after one that warms up; of processor time, so that neighbours do not count."""
    function()
    times = []
    for _ in range(repeats):
        start = clock()
        function()
        times.append(clock() - start)
    return min(times)


def iterations_table(speed: Speed) -> list[str]:
    """CMDP-iterations per second of Algorithm 3, batched and plain, and of policy evaluation beside quantecon."""
    cmdp = make("dirichlet", speed.states, speed.actions, GAMMA, 0.5, range(speed.batch))
    batched = speed.batch * speed.iterations / fastest(lambda: iterate(cmdp, speed.iterations), speed.repeats)
    arrays = [getattr(cmdp, name)[0].numpy() for name in ("P", "r", "c", "rho")]
    parts = (*arrays, GAMMA, float(cmdp.budget[0]))
    few = 20 * speed.iterations

    def loop() -> None:
        reference.run(parts, "manipulation", ETA, few, 0.1, 0.1)  # pyright: ignore[reportArgumentType]

    plain = few / fastest(loop, speed.repeats)
    policy = cmdp.uniform_policy()
    evaluated = speed.batch / fastest(lambda: evaluate(cmdp, policy), speed.repeats)
    lines = [
        f"S = {speed.states}, A = {speed.actions}, batch {speed.batch}, one core; iterations of Algorithm 3",
        f"  batched                    {batched:12,.0f} CMDP-iterations/s",
        f"  plain numpy loop           {plain:12,.0f} CMDP-iterations/s   batched / plain = {batched / plain:.1f}",
        "policy evaluation (values of reward and cost, Q, occupancy)",
        f"  batched                    {evaluated:12,.0f} CMDPs/s",
    ]
    rate = quantecon_rate(cmdp, speed)
    if rate is None:
        lines.append("  quantecon is not installed")
    else:
        ratio = evaluated / rate
        lines.append(f"  quantecon DiscreteDP       {rate:12,.0f} CMDPs/s, V of the reward alone   ratio = {ratio:.1f}")
    if torch.cuda.is_available():
        many = make("dirichlet", speed.states, speed.actions, GAMMA, 0.5, range(speed.batch)).to("cuda")

        def on_device() -> None:
            iterate(many, speed.iterations)
            torch.cuda.synchronize()

        device = speed.batch * speed.iterations / fastest(on_device, speed.repeats, time.perf_counter)
        lines.append(
            f"GPU, iterations of Algorithm 3 {device:12,.0f} CMDP-iterations/s   GPU / core = {device / batched:.1f}"
        )
    return lines


def iterate(cmdp: FiniteCMDP, iterations: int) -> None:
    config = configure(cmdp.batch, iterations, ETA, h_plus=0.1, h_minus=0.1).to(cmdp.P.device)
    state = init(cmdp, config)
    for _ in range(iterations):
        state, _ = step(cmdp, config, state)


def quantecon_rate(cmdp: FiniteCMDP, speed: Speed) -> float | None:
    """Evaluations per second of one deterministic policy by quantecon, or None where it is not installed."""
    try:
        from quantecon.markov import DiscreteDP  # pyright: ignore[reportMissingImports]
    except ImportError:
        return None
    problem: Any = DiscreteDP(cmdp.r[0].numpy(), cmdp.P[0].numpy(), GAMMA)
    sigma = np.zeros(speed.states, dtype=np.int64)
    check = FiniteCMDP(cmdp.P[0], cmdp.r[0], cmdp.c[0], cmdp.rho[0], GAMMA, 0.0)
    first = torch.zeros_like(check.r)
    first[..., 0] = 1
    np.testing.assert_allclose(problem.evaluate_policy(sigma), evaluate(check, first).V_r[0].numpy(), rtol=1e-9)

    def several() -> None:
        for _ in range(100):
            problem.evaluate_policy(sigma)

    return 100 / fastest(several, speed.repeats)


def optimum_table(speed: Speed) -> list[str]:
    """Seconds of both exact routes on sparse Garnets, and how far their values differ."""
    lines = [f"constrained optimum, Garnet with 5 successors, A = 5, gamma = {GAMMA}"]
    for size in speed.sizes:
        cmdp = sparse_garnet(size, gamma=GAMMA)
        start = time.process_time()
        first = solve(cmdp)
        middle = time.process_time()
        second = solve(cmdp, "highs")
        end = time.process_time()
        difference = abs(float(first.value / second.value) - 1)
        lines.append(
            f"  S = {size:6d}   Lagrangian {middle - start:8.3f} s   linear program {end - middle:8.3f} s   "
            f"ratio {(end - middle) / (middle - start):7.1f}   values differ by {difference:.1e}"
        )
    if speed.large:
        cmdp = sparse_garnet(speed.large, gamma=GAMMA)
        start = time.process_time()
        answer = solve(cmdp)
        seconds = time.process_time() - start
        residual = float(answer.certificate.worst)
        lines.append(f"  S = {speed.large:6d}   Lagrangian {seconds:8.3f} s   certified residual {residual:.1e}")
    return lines
