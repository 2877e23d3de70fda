"""Safe policy optimisation on finite CMDPs: natural policy gradient steps along a safely adapted direction.

Every row of a batch runs its own algorithm with its own step size, slacks and metric; a step computes all rules and
selects by mask. The rule itself, from inner products to weights, is `theory.adaptation`, which deep learners share.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import IntEnum
from functools import cached_property
from typing import NamedTuple

import torch

from theory.adaptation import PIDLagrangian, PIDState, Weights, crpo, gradient_manipulation
from theory.cmdp.dense import FiniteCMDP
from theory.cmdp.shapes import Code, Mask, PerCMDP, PerStateAction
from theory.evaluation import Evaluation, evaluate
from theory.npg.npg import Metric, inner_products, npg_step


class Algorithm(IntEnum):
    """MANIPULATION: Algorithm 3 of the DRCORL preprint; CRPO: its Algorithm 2; PID: Eq. (22) with a PID multiplier;
    PRIMAL_DUAL: natural policy gradient primal-dual, lambda <- [lambda + dual_step (V_c - l)]_+ (Ding et al., 2020).
    """

    MANIPULATION = 0
    CRPO = 1
    PID = 2
    PRIMAL_DUAL = 3


@dataclass(frozen=True, eq=False)
class Config:
    """How each CMDP of a batch is optimised; all tensors are (batch,).

    algorithm, metric: codes of `Algorithm` and `npg.Metric`; eta: step size; h_plus, h_minus: slacks of the regions in
    units of V_c(rho), at the start; shrinking: where they fall linearly to zero over the run; max_weight: the clip of x
    and y each (infinity for none); steps: T; pid: the gains (per step, in units of V_c); dual_step: of PRIMAL_DUAL.
    """

    algorithm: Code
    metric: Code
    eta: PerCMDP
    h_plus: PerCMDP
    h_minus: PerCMDP
    shrinking: Mask
    max_weight: PerCMDP
    steps: int
    pid: PIDLagrangian = field(default_factory=PIDLagrangian)
    dual_step: float = 0.01

    def slack(self, step: int) -> tuple[PerCMDP, PerCMDP]:
        """(h+, h-) at an iteration."""
        left = 1 - self.shrinking.to(self.h_plus.dtype) * step / self.steps
        return self.h_plus * left, self.h_minus * left

    def select(self, index: slice) -> "Config":
        """The settings of some rows."""
        return replace(self, **{name: getattr(self, name)[index] for name in TENSORS})

    def to(self, device: str | torch.device) -> "Config":
        return replace(self, **{name: getattr(self, name).to(device) for name in TENSORS})

    @cached_property
    def present(self) -> frozenset[int]:
        """The algorithms in the batch: the others' rules need not be computed."""
        return frozenset(self.algorithm.tolist())

    @cached_property
    def dual(self) -> PIDLagrangian:
        """The primal-dual multiplier is a PID multiplier with its integral alone."""
        return PIDLagrangian(k_p=0.0, k_i=self.dual_step, k_d=0.0, integral_max=1e3 / self.dual_step, normalised=False)


TENSORS = ("algorithm", "metric", "eta", "h_plus", "h_minus", "shrinking", "max_weight")


def configure(
    batch: int,
    steps: int,
    eta: float | PerCMDP,
    algorithm: Algorithm = Algorithm.MANIPULATION,
    metric: Metric = Metric.ADVANTAGE,
    h_plus: float | PerCMDP = 0.0,
    h_minus: float | PerCMDP = 0.0,
    shrinking: bool = False,
    max_weight: float = float("inf"),
    dual_step: float = 0.01,
) -> Config:
    """One setting for all CMDPs of a batch."""

    def fill(value: float | PerCMDP) -> PerCMDP:
        return torch.as_tensor(value, dtype=torch.float64).expand(batch).clone()

    return Config(
        algorithm=torch.full((batch,), int(algorithm)),
        metric=torch.full((batch,), int(metric)),
        eta=fill(eta),
        h_plus=fill(h_plus),
        h_minus=fill(h_minus),
        shrinking=torch.full((batch,), shrinking),
        max_weight=fill(max_weight),
        steps=steps,
        dual_step=dual_step,
    )


class State(NamedTuple):
    """The policy after `step` iterations, as log-probabilities, and the multipliers' memories."""

    step: int
    log_policy: PerStateAction
    pid: PIDState
    dual: PIDState


class Info(NamedTuple):
    """What an iteration saw and did: the critic's values, (rr, rc, cc), the weights and the direction u."""

    critic: Evaluation
    products: tuple[PerCMDP, PerCMDP, PerCMDP]
    weights: Weights
    direction: PerStateAction


Critic = Callable[[PerStateAction], Evaluation]


def init(cmdp: FiniteCMDP, config: Config, policy: PerStateAction | None = None) -> State:
    """Start at `policy`, by default uniform; both multipliers start at zero."""
    log_policy = (cmdp.uniform_policy() if policy is None else policy).log()
    zero = torch.zeros_like(cmdp.budget)
    return State(0, log_policy, config.pid.init(zero), config.dual.init(zero))


def step(cmdp: FiniteCMDP, config: Config, state: State, critic: Critic | None = None) -> tuple[State, Info]:
    """One iteration: evaluate, find the region, weigh the two directions, take a natural gradient step.

    u = x Q_r - y Q_c,   pi_{t+1} proportional to pi_t exp(eta u / (1-gamma)).

    `critic` maps a policy to its (estimated) values, by default exact ones; its J_c decides the region.
    Source: DRCORL preprint, Algorithms 2 and 3, Eqs. (12), (22), (36).
    """
    policy = state.log_policy.exp()
    values = evaluate(cmdp, policy) if critic is None else critic(policy)
    products = inner_products(values, policy, cmdp.gamma, config.metric)
    weights, pid, dual = adapt(cmdp, config, state, values, products)
    direction = weights.x[:, None, None] * values.Q_r - weights.y[:, None, None] * values.Q_c
    log_policy = npg_step(state.log_policy, direction, config.eta, cmdp.gamma)
    return State(state.step + 1, log_policy, pid, dual), Info(values, products, weights, direction)


def adapt(
    cmdp: FiniteCMDP,
    config: Config,
    state: State,
    values: Evaluation,
    products: tuple[PerCMDP, PerCMDP, PerCMDP],
) -> tuple[Weights, PIDState, PIDState]:
    """The weights (x, y) of every row's own algorithm, and the multipliers' next memories."""
    h_plus, h_minus = config.slack(state.step)
    # A cost that has no predecessor has no derivative.
    pid, dual = (config.pid.init(values.J_c) if state.step == 0 else state.pid), state.dual
    weights = gradient_manipulation(values.J_c, cmdp.budget, h_minus, h_plus, *products, max_weight=config.max_weight)
    if Algorithm.CRPO in config.present:
        weights = override(weights, config.algorithm == Algorithm.CRPO, crpo(values.J_c, cmdp.budget, h_plus))
    if Algorithm.PID in config.present:
        pid, _, by_pid = config.pid.step(pid, values.J_c, cmdp.budget)
        weights = override(weights, config.algorithm == Algorithm.PID, by_pid)
    if Algorithm.PRIMAL_DUAL in config.present:
        dual, _, by_dual = config.dual.step(dual, values.J_c, cmdp.budget)
        weights = override(weights, config.algorithm == Algorithm.PRIMAL_DUAL, by_dual)
    return weights, pid, dual


def override(weights: Weights, mask: Mask, new: Weights) -> Weights:
    """The new weights where the mask holds."""
    return Weights(*(torch.where(mask, one, other) for one, other in zip(new, weights, strict=True)))
