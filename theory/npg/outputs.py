"""What a run returns: last iterate, trajectory mixture, occupancy-weighted policy, state-wise mixture; their values.

Weights of the iterations: *printed*, below Eq. (46) of the DRCORL preprint, 0 unsafe, 1/2 aligned, 1/2 - rc/rr in
conflict, and none given for the safe set, taken as 0; *corrected*, the x_t that the update itself put on the reward
(1 safe, 1/2 aligned, x_t in conflict, 0 unsafe), which are the weights that Eq. (49) uses and the proof needs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from theory.adaptation import Region
from theory.bounds import critic_error_tight
from theory.cmdp.dense import FiniteCMDP
from theory.cmdp.shapes import PerCMDP, PerState, PerStateAction
from theory.evaluation import Evaluation, evaluate
from theory.npg.algorithms import Config, Critic, Info, State, init, step

SCHEMES = ("corrected", "printed")
CODES = torch.arange(len(Region))


class Sums(NamedTuple):
    """Running sums over iterations; the axis `scheme` is (corrected, printed).

    weight, weighted J_r and J_c: (batch, scheme); weighted policies, and policies weighted by occupancy too:
    (batch, scheme, state, action); regions: counts (batch, 4); x: the sum of x_t; gate: y_t |J_c_hat - J_c| over the
    manipulated iterations; critic: the tight critic error of each iteration, against `d_star`, summed; largest: the
    largest |J_c_hat - J_c| and sup |Q - Q_hat| met.
    """

    weight: Float64[Tensor, "batch scheme"]
    J_r: Float64[Tensor, "batch scheme"]
    J_c: Float64[Tensor, "batch scheme"]
    policy: Float64[Tensor, "batch scheme state action"]
    visits: Float64[Tensor, "batch scheme state action"]
    regions: Int64[Tensor, "batch region"]
    x: PerCMDP
    gate: PerCMDP
    critic: PerCMDP
    largest: Float64[Tensor, "batch 2"]


@dataclass(frozen=True, eq=False)
class Run:
    """A finished run: the last policy, the sums, and the path (J_r, J_c, region) at the recorded iterations."""

    policy: PerStateAction
    sums: Sums
    recorded: list[int]
    path: Float64[Tensor, "batch record 3"]


class Output(NamedTuple):
    """Reward V_r(rho) and cost V_c(rho) of one way to return a policy; NaN where its weights sum to zero."""

    J_r: PerCMDP
    J_c: PerCMDP


def empty(cmdp: FiniteCMDP) -> Sums:
    batch, states, actions = cmdp.r.shape

    def zero(*shape: int) -> Tensor:
        return torch.zeros(batch, *shape, dtype=torch.float64)

    pairs = (zero(2, states, actions), zero(2, states, actions))
    regions = torch.zeros(batch, len(Region), dtype=torch.int64)
    return Sums(zero(2), zero(2), zero(2), *pairs, regions, zero(), zero(), zero(), zero(2))


def iteration_weights(info: Info) -> Float64[Tensor, "batch scheme"]:
    """(corrected, printed) weights of one iteration."""
    rr, rc, _ = info.products
    region = info.weights.region
    conflict = region == Region.CONFLICT
    ratio = torch.where(conflict, rc, 0.0) / torch.where(conflict, rr, 1.0)
    printed = torch.where(conflict, 0.5 - ratio, torch.where(region == Region.ALIGN, 0.5, 0.0))
    return torch.stack([info.weights.x, printed], dim=-1)


def accumulate(
    sums: Sums, info: Info, truth: Evaluation, policy: PerStateAction, d_star: PerState, gamma: PerCMDP
) -> Sums:
    """Add one iteration; `truth` holds the exact values of `policy`."""
    weight = iteration_weights(info)
    weighted = weight[..., None, None] * policy[:, None]
    gate, critic, largest = sums.gate, sums.critic, sums.largest
    if info.critic is not truth:
        gate, critic, largest = critic_errors(sums, info, truth, d_star, gamma)
    return Sums(
        weight=sums.weight + weight,
        J_r=sums.J_r + weight * truth.J_r[:, None],
        J_c=sums.J_c + weight * truth.J_c[:, None],
        policy=sums.policy + weighted,
        visits=sums.visits + weighted * truth.d[:, None, :, None],
        regions=sums.regions + (info.weights.region[:, None] == CODES),
        x=sums.x + info.weights.x,
        gate=gate,
        critic=critic,
        largest=largest,
    )


def critic_errors(
    sums: Sums, info: Info, truth: Evaluation, d_star: PerState, gamma: PerCMDP
) -> tuple[PerCMDP, PerCMDP, Float64[Tensor, "batch 2"]]:
    """The sums `gate`, `critic` and the maxima `largest` with this iteration's errors; exact critics have none."""
    manipulated = (info.weights.region == Region.ALIGN) | (info.weights.region == Region.CONFLICT)
    gate = (info.critic.J_c - truth.J_c).abs()
    x, y = (w[:, None, None] for w in info.weights[:2])
    r, c = truth.Q_r - info.critic.Q_r, truth.Q_c - info.critic.Q_c
    worst = torch.stack([gate, torch.stack([r, c]).abs().amax((0, 2, 3))], dim=-1)
    return (
        sums.gate + torch.where(manipulated, info.weights.y * gate, 0.0),
        sums.critic + critic_error_tight(d_star, x * r - y * c, gamma),
        torch.maximum(sums.largest, worst),
    )


def run(
    cmdp: FiniteCMDP,
    config: Config,
    d_star: PerState,
    critic: Critic | None = None,
    policy: PerStateAction | None = None,
    record: Sequence[int] = (),
) -> Run:
    """Run `config.steps` iterations and account for all of them against the exact values.

    `d_star` is the comparator's occupancy, which weighs the critic's errors; `record` lists the iterations whose
    (J_r, J_c, region) the path keeps.
    """
    state: State = init(cmdp, config, policy)
    sums, path, keep = empty(cmdp), [], set(record)
    for t in range(config.steps):
        current = state.log_policy.exp()
        state, info = step(cmdp, config, state, critic)
        truth = info.critic if critic is None else evaluate(cmdp, current)
        sums = accumulate(sums, info, truth, current, d_star, cmdp.gamma)
        if t in keep:
            path.append(torch.stack([truth.J_r, truth.J_c, info.weights.region.to(torch.float64)], dim=-1))
    points = torch.stack(path, 1) if path else torch.zeros(cmdp.batch, 0, 3, dtype=torch.float64)
    return Run(state.log_policy.exp(), sums, sorted(keep), points)


def outputs(cmdp: FiniteCMDP, finished: Run) -> dict[str, Output]:
    """Exact values of every way to return a policy: "last", and per scheme "mixture", "occupancy" and "statewise".

    mixture: draw one iterate with probability proportional to its weight and follow it for ever; its value is the
    weighted mean. occupancy: pi(a|s) proportional to sum_t w_t d_t(s) pi_t(a|s), which has the same value. statewise:
    Eq. (46), pi(a|s) proportional to sum_t w_t pi_t(a|s), which has not (claim W1).
    """
    last = evaluate(cmdp, finished.policy)
    answers = {"last": Output(last.J_r, last.J_c)}
    for i, scheme in enumerate(SCHEMES):
        weight = finished.sums.weight[:, i]
        some = weight > 0
        mean = torch.where(some, weight, torch.nan)
        answers[f"mixture_{scheme}"] = Output(finished.sums.J_r[:, i] / mean, finished.sums.J_c[:, i] / mean)
        for name, total in (("occupancy", finished.sums.visits), ("statewise", finished.sums.policy)):
            values = evaluate(cmdp, normalised(total[:, i], cmdp.uniform_policy()))
            answers[f"{name}_{scheme}"] = Output(
                torch.where(some, values.J_r, torch.nan), torch.where(some, values.J_c, torch.nan)
            )
    return answers


def normalised(total: PerStateAction, fallback: PerStateAction) -> PerStateAction:
    """A policy proportional to `total`, or `fallback` in states where it is zero."""
    mass = total.sum(-1, keepdim=True)
    return torch.where(mass > 0, total / torch.where(mass > 0, mass, 1.0), fallback)
