"""Theorem 3.1 on runs: the gap and the violation of every output, the weights, the slack, the step size, stalls."""

from dataclasses import replace
from functools import cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from theory import bounds
from theory.adaptation import Region
from theory.cmdp.dense import FiniteCMDP, concatenate
from theory.cmdp.families import make
from theory.cmdp.instances import named, one_state
from theory.cmdp.shapes import PerCMDP
from theory.evaluation import Evaluation, evaluate
from theory.npg.algorithms import configure
from theory.npg.npg import Metric
from theory.npg.outputs import Output, Run, outputs, run
from theory.optimum import solve
from verification.checker.instances import generator
from verification.claims.claim import Sides, difference, joined, sides

CELLS = (
    ("garnet", 0.3, 0.3),
    ("dirichlet", 0.6, 0.5),
    ("deterministic", 0.5, 0.3),
    ("chain", 0.3, 0.5),
    ("unreachable", 0.2, 0.8),
    ("bandit", 0.1, 0.5),
)
STEPS, SEEDS = 1000, range(10)
FIRST = (2.0, 0.0, 2.0)
"""Slack, optimism and K of the first version: h+ = 2R/T with twice the K, which any larger K may replace."""


class Trial(NamedTuple):
    """A run of the corrected theorem's algorithm, and its right-hand sides."""

    cmdp: FiniteCMDP
    value: PerCMDP
    finished: Run
    answers: dict[str, Output]
    R: PerCMDP
    h_plus: PerCMDP
    steps: int


def attempt(
    cmdp: FiniteCMDP,
    steps: int,
    metric: Tensor,
    slack_factor: float = 1.0,
    optimism: float = 0.0,
    K_factor: float = 1.0,
) -> Trial:
    """The theorem's step size and slack, h+ = R/T; the factors scale h+ and the K of unclipped weights, `optimism`
    (units of h+) is the gate's error."""
    free = (metric == Metric.ADVANTAGE) | (metric == Metric.Q_VECTOR)
    by_pairs = K_factor * bounds.remainder_constant(1.0, cmdp.gamma, pairs=cmdp.states * cmdp.actions)
    K = torch.where(free, by_pairs, bounds.remainder_constant(1.0, cmdp.gamma, max_weight=1.0))
    kl = torch.full_like(cmdp.gamma, cmdp.actions).log()
    eta = torch.as_tensor(bounds.best_eta(kl, K, steps))
    R = torch.as_tensor(bounds.regret(kl, eta, K, steps))
    h_plus = torch.as_tensor(bounds.h_plus_corrected(R, steps)) * slack_factor
    config = configure(cmdp.batch, steps, eta, h_plus=h_plus)
    config = replace(config, metric=metric, max_weight=torch.where(free, torch.inf, 1.0).double())
    optimum = solve(cmdp)

    def optimist(policy: Tensor) -> Evaluation:
        values = evaluate(cmdp, policy)
        return replace(values, J_c=values.J_c - optimism * h_plus)

    finished = run(cmdp, config, optimum.occupancy.sum(-1), critic=optimist if optimism else None)
    return Trial(cmdp, optimum.value, finished, outputs(cmdp, finished), R, h_plus, steps)


@cache
def trials(slack_factor: float = 1.0, optimism: float = 0.0, K_factor: float = 1.0) -> Trial:
    """All metrics on all cells, as one batch."""
    cells = [make(family, 3, 2, gamma, tightness, SEEDS) for family, tightness, gamma in CELLS]
    cmdp = concatenate(cells * len(Metric))
    metric = torch.tensor(list(Metric)).repeat_interleave(cmdp.batch // len(Metric))
    return attempt(cmdp, STEPS, metric, slack_factor, optimism, K_factor)


@cache
def alone(which: str, slack_factor: float = 1.0) -> Trial:
    """The instance of T15, or CMDPs without cost, with projections of advantage vectors."""
    cmdp = named("printed_weights").cmdp if which == "printed_weights" else make("zero_cost", 3, 2, 0.5, 0.5, SEEDS)
    return attempt(cmdp, 1600, torch.full((cmdp.batch,), int(Metric.ADVANTAGE)), slack_factor)


def gap(broken: bool) -> Sides:
    """V_r* - V_r of the mixture against 2R/T; broken: the printed weights, 0 on the safe set."""
    name = "mixture_printed" if broken else "mixture_corrected"
    chosen = [alone("printed_weights")] if broken else [alone("printed_weights"), trials()]
    return joined([sides(t.value - t.answers[name].J_r, bounds.gap_corrected(t.R, t.steps), 1e-9) for t in chosen])


def violation(broken: bool) -> Sides:
    """V_c - l of the mixture against h+; broken: the gate underestimates the cost by four times what is claimed."""
    trial = trials(0.2, 40.0) if broken else trials()
    return sides(trial.answers["mixture_corrected"].J_c - trial.cmdp.budget, trial.h_plus, 1e-9)


def both(broken: bool) -> Sides:
    return joined([gap(broken), violation(broken)])


def first_version(broken: bool) -> Sides:
    """Gap and violation against 4R/T and h+ = 2R/T with twice the K; broken: both against a hundredth."""
    trial, factor = trials(*FIRST), 0.01 if broken else 1.0
    mixture = trial.answers["mixture_corrected"]
    return joined(
        [
            sides(trial.value - mixture.J_r, factor * 4 * trial.R / trial.steps, 1e-9),
            sides(mixture.J_c - trial.cmdp.budget, factor * trial.h_plus, 1e-9),
        ]
    )


def gain(trial: Trial) -> PerCMDP:
    """sum_t x_t (V_r* - V_r^t)."""
    return trial.finished.sums.x * trial.value - trial.finished.sums.J_r[:, 0]


def dichotomy(broken: bool) -> Sides:
    """At most half of the iterations are unsafe, or sum x_t (V_r* - V_r^t) <= 0, with h+ = 2R/T; broken:
    h+ is 1/1000 of that."""
    trial = trials(2e-3) if broken else trials(*FIRST)
    unsafe = trial.finished.sums.regions[:, Region.UNSAFE].double() / trial.steps - 0.5
    return sides(torch.minimum(unsafe, gain(trial)), 0.0, 1e-9)


def mixture_value(broken: bool) -> Sides:
    """Both values of the occupancy-weighted policy against the mean's; broken: the state-wise mixture."""
    answers, name = trials().answers, "statewise_corrected" if broken else "occupancy_corrected"
    pairs = zip(answers["mixture_corrected"], answers[name], strict=True)
    return joined([difference(mean, policy, 1e-8) for mean, policy in pairs])


def total_weight(broken: bool) -> Sides:
    """T/4 against the sum of the weights, or the sum of gaps is <= 0, with h+ = 2R/T; broken: printed weights, c=0."""
    found = []
    for trial in [alone("zero_cost", 2.0)] if broken else [alone("zero_cost", 2.0), trials(*FIRST)]:
        weight = trial.finished.sums.weight[:, 1 if broken else 0]
        enough = torch.where(gain(trial) <= 0, torch.inf, weight)
        found.append(sides(torch.full_like(weight, trial.steps / 4), enough, 1e-9))
    return joined(found)


def crowded(steps: int) -> FiniteCMDP:
    """The CMDP of claim TCs: state 0 costs what it pays, state 1 pays alone, and n^2 states that no start reaches pay
    1/n and cost 1, n = 6 T + 2; the first action has the payoffs, every state is its own successor, gamma = 0."""
    n = 6 * steps + 2
    states = n * n + 2
    r, c, rho = torch.zeros(states, 2), torch.zeros(states, 2), torch.zeros(states)
    r[:, 0], c[:, 0] = 1 / n, 1.0
    r[:2, 0], c[1, 0], rho[:2] = 1.0, 0.0, 0.5
    P = torch.eye(states)[:, None].expand(-1, 2, -1)
    return FiniteCMDP(P.double(), r.double(), c.double(), rho.double(), 0.0, 1 / 8)


def stuck(broken: bool) -> Sides:
    """1/8 against the mixture's gap to the comparator 3/4 - h+ at h+ = 1/8; broken: weights clipped at 1."""
    found = []
    for steps in (2, 3, 4):
        cmdp = crowded(steps)
        for eta in (0.1, 1.0, 10.0):
            clip = 1.0 if broken else torch.inf
            config = configure(1, steps, eta, h_plus=1 / 8 + 1e-9, max_weight=clip)
            mixture = outputs(cmdp, run(cmdp, config, cmdp.rho))["mixture_corrected"]
            found.append(sides(1 / 8, 3 / 4 - 1 / 8 - mixture.J_r, 1e-6))
    return joined(found)


def step_size(broken: bool) -> Sides:
    """2R/T times sqrt(T) is the same at every T with the best eta; broken: with the printed eta."""
    kl, S, A, gamma = 0.9, 3.0, 2.0, 0.5
    K = bounds.remainder_constant(1.0, gamma, pairs=S * A)
    scaled = []
    for T in (1e2, 1e4, 1e6):
        eta = bounds.eta_printed(S, A, gamma, kl, 1.0) if broken else bounds.best_eta(kl, K, T)
        scaled.append(float(bounds.gap_corrected(bounds.regret(kl, eta, K, T), T)) * T**0.5)
    return difference(torch.tensor(scaled), float(bounds.gap_at_best_eta(kl, S, A, gamma, 1.0, 1.0)), 1e-9)


def informative(broken: bool) -> Sides:
    """The printed h+ against the range M/(1-gamma) once T is large enough; broken: at a quarter of that T."""
    rng = generator(20)
    S, A = (torch.from_numpy(rng.integers(2, 9, 200)).double() for _ in range(2))
    gamma, eps, M = (torch.from_numpy(rng.uniform(low, high, 200)) for low, high in ((0.1, 0.99), (0.1, 3), (0.5, 5)))
    T = torch.as_tensor(bounds.h_plus_informative_from(S, A, gamma, eps, M)) * (0.25 if broken else 1.0)
    return sides(
        torch.as_tensor(bounds.h_plus_printed(S, A, gamma, T, eps, M)), M / (1 - gamma), 1e-9 * M / (1 - gamma)
    )


@cache
def _stalled() -> tuple[PerCMDP, PerCMDP]:
    """The last gap, and V*(l) - V*(l - h-), of one-state CMDPs with r = c."""
    rng = generator(21)
    payoffs = np.sort(rng.uniform(0, 1, (40, 3)), -1)
    low, high = 2 * payoffs[:, 0], 2 * payoffs[:, -1]
    h_minus = torch.from_numpy(0.2 * (high - low))
    budgets = low + 0.8 * (high - low)
    cmdp = concatenate(
        [one_state(x.tolist(), x.tolist(), limit) for x, limit in zip(payoffs, budgets.tolist(), strict=True)]
    )
    config = configure(40, 3000, 0.05, h_plus=h_minus, h_minus=h_minus)
    start = torch.tensor([[0.98, 0.01, 0.01]], dtype=torch.float64).expand(40, 1, 3)
    last = outputs(cmdp, run(cmdp, config, torch.ones(40, 1, dtype=torch.float64), policy=start))["last"]
    best, tighter = solve(cmdp).value, solve(cmdp.with_budget(cmdp.budget - h_minus)).value
    return best - last.J_r, best - tighter


def stalled_gap(broken: bool) -> Sides:
    """The last gap against what the slack costs; broken: against half of it."""
    left, right = _stalled()
    return sides(left, right * (0.5 if broken else 1.0), 1e-9)
