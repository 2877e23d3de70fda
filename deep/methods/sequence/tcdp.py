r"""TCDP: plans from q(tau | C <= b) exp(beta R(tau)), one model and one beta for all cost limits (Zhang et al. 2025).

A plan is a window of H states. A diffusion transformer learns windows given c = (b / largest limit, share of the time
left), where b is the cost to go, relabelled by CTGDA (`budgets`). Classifier-free guidance makes c hold. The gradient
of a model J of the return's rank among like budgets (QN) raises the return. An inverse model turns plans into actions.

    denoiser: minimise E |eps(x_k, k, c or none) - eps|^2 over the states after the first
    guide:    minimise E (J(x_k, k, c) - y)^2,  y in [0, 1] the rank of the window's return to go
    inverse:  minimise E |g(s_t, s_{t+1}) - a_t|^2

Acting at the limit l: b = l minus the costs so far. Every `replan_every` steps a plan is drawn whose first state is the
present one; in between the action at step j of the plan is g(s_t, plan_{j+1}) with the real state s_t.

The methods that the paper compares with are options of the same planner (its Table 1):
    CDD   q(tau | C = b, R = r_max(b)):  condition_on_return, beta = 0. r_max(b) is read off the data: the best return
          of a trajectory at the pace of the budget left, for the time left.
    SDGD  (2026) the guide's target is the return that is collected before the budget is spent: --guide prefix.

There is no public code. The extended abstract fixes the objective, DiT with adaLN-Zero, both kinds of guidance, CTGDA,
QN and one beta. All numbers, the horizon and the inverse model are our reading, from the sources of `planner`. The
quick preset is a demonstration: small networks, short plans, few steps.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple, NoReturn

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from deep.core.method import Method, Policy
from deep.core.phase import Phase
from deep.core.problem import Problem
from deep.core.randomness import RandomInput
from deep.core.validation import ABOVE_0, AT_LEAST_0, AT_LEAST_1, RATE, SHARE, Range, check_ranges
from deep.data.sequences import Sequences
from deep.methods.parts.acting import ActingState, acting_noise
from deep.methods.parts.budget import by_replica, by_seed, reject_export
from deep.methods.parts.diffusion_policy import Chain
from deep.methods.sequence.budgets import Labels
from deep.methods.sequence.planner import (
    Denoiser,
    Guide,
    InverseDynamics,
    diffuse_window,
    guided_noise,
    sample_plan,
)
from deep.methods.spec import MethodSpec
from deep.nn.mlp import initial_parameters
from deep.nn.parameters import Adam, Parameters, gradient, linear_decay
from deep.nn.transformer import Transformer
from theory.support.errors import InputError


@dataclass(frozen=True)
class TCDPConfig:
    """Hyper-parameters of TCDP and of its variants; the defaults are those of the quick preset."""

    steps: int = 8000
    """Training steps of denoiser and guide."""
    inverse_steps: int = 5000
    """Training steps of the inverse model."""
    batch_size: int = 64
    """Windows in a minibatch; the inverse model takes eight times as many transitions."""
    horizon: int = 8
    """H, the states of a plan, the present one included."""
    width: int = 96
    """Width of the transformer."""
    heads: int = 4
    """Attention heads of a block."""
    blocks: int = 2
    """Transformer blocks."""
    hidden: tuple[int, ...] = (256, 256)
    """Hidden layers of guide and inverse model."""
    levels: int = 10
    """T, noise levels, in training and in sampling."""
    learning_rate: float = 1e-3
    """Adam's step size, with linear decay to a tenth."""
    ema_rate: float = 0.005
    """Rate of the moving average of the parameters, which plans are made with."""
    condition_dropout: float = 0.25
    """Share of windows that are learned without their condition."""
    strength: float = 1.5
    """w of classifier-free guidance; 1 is the plain conditional model."""
    beta: float = 3.0
    """Weight of the guide's gradient, for returns ranked in [0, 1]; the same at all limits."""
    start_noise: float = 0.5
    """Standard deviation of the noise that a plan starts from."""
    replan_every: int = 4
    """Steps for which a plan is followed."""
    relabelled: float = 0.5
    """Share of windows whose cost to go is relabelled by CTGDA."""
    slack: float = 0.1
    """CTGDA: how much less than the best within a budget counts as good, as a share of the range of returns."""
    guide: Literal["quantile", "prefix"] = "quantile"
    """quantile: the return's rank (QN); prefix: the return until the budget is spent (SDGD)."""
    condition_on_return: bool = False
    """CDD: the return to go is a second condition."""

    def __post_init__(self) -> None:
        check_ranges(self, steps=AT_LEAST_0, inverse_steps=AT_LEAST_0, batch_size=AT_LEAST_1, width=AT_LEAST_1)
        check_ranges(self, heads=AT_LEAST_1, blocks=AT_LEAST_1, hidden=AT_LEAST_1, levels=AT_LEAST_1)
        check_ranges(self, learning_rate=ABOVE_0, ema_rate=RATE, condition_dropout=SHARE, strength=AT_LEAST_0)
        check_ranges(self, beta=AT_LEAST_0, start_noise=AT_LEAST_0, replan_every=AT_LEAST_1, relabelled=SHARE)
        check_ranges(self, slack=AT_LEAST_0, horizon=Range("of at least 2", lambda x: x >= 2))


class TCDP(Method):
    """The learner: one planner for each seed, which serves all cost limits."""

    def __init__(self, config: TCDPConfig, problem: Problem) -> None:
        self.config, self.problem = config, problem
        if config.replan_every >= config.horizon:
            found = f"--replan-every {config.replan_every} with --horizon {config.horizon}"
            raise InputError(f"{found}: accepted is a plan that is longer than the steps for which it is followed")
        self.sequences, self.chain = Sequences(problem.data, problem.replay), Chain(config.levels, "cosine")
        states, actions = problem.observation_size, problem.action_size
        conditions = 3 if config.condition_on_return else 2
        trunk = Transformer(config.width, config.heads, config.blocks, causal=False, modulated=True)
        self.denoiser = Denoiser(states, config.horizon, trunk, conditions, config.levels)
        self.guide = Guide(states, config.horizon, conditions, config.levels, config.hidden)
        self.inverse = InverseDynamics(states, actions, config.hidden)
        self.plans, self.ranks, self.actor = (
            Parameters(
                initial_parameters(network, problem.seeds, name).to(problem.device),
                Adam(config.learning_rate),
                ema=True,
            )
            for network, name in ((self.denoiser, "denoiser"), (self.guide, "guide"), (self.inverse, "inverse model"))
        )
        self.labels = Labels(config, problem, self.sequences)

    def tensors(self) -> dict[str, Tensor]:
        groups = {"denoiser": self.plans, "guide": self.ranks, "inverse": self.actor}
        found = {f"{group}.{name}": x for group, parameters in groups.items() for name, x in parameters.tensors.items()}
        return found | {"best_returns": self.labels.best}  # from the data, which a finished run does without

    def phases(self) -> list[Phase]:
        config, row = self.config, RandomInput("uniform", (self.config.batch_size,))
        window = (config.batch_size, config.horizon, self.problem.observation_size)
        names = ("trajectory", "start", "level", "relabel", "budget", "dropout")
        draws = dict.fromkeys(names, row) | {"noise": RandomInput("normal", window)}
        rows = {"row": RandomInput("uniform", (8 * config.batch_size,))}
        return [
            Phase("planner", config.steps, self.problem.seeds, draws, self._update),
            Phase("inverse dynamics", config.inverse_steps, self.problem.seeds, rows, self._update_inverse),
        ]

    def _update(self, step: Tensor, draws: Mapping[str, Tensor]) -> dict[str, Tensor]:
        config = self.config
        trajectories = (draws["trajectory"].double() * len(self.sequences.lengths)).long()
        first = self.sequences.starts_within(trajectories, draws["start"], margin=2)
        window = self.sequences.windows(first, config.horizon)
        labels = self.labels.of(window, draws["relabel"], draws["budget"])
        level = 1 + (draws["level"] * config.levels).long()
        noisy = diffuse_window(self.chain, window.observations, level, draws["noise"])
        present = draws["dropout"] >= config.condition_dropout

        predicted = self.denoiser.apply(self.plans.theta, noisy, level, labels.condition, present)
        denoising = (predicted - draws["noise"])[:, :, 1:].square().mean((1, 2, 3))
        rate = linear_decay(step, config.steps)
        self.plans.adam_step(gradient(denoising, self.plans), rate)
        self.plans.update_ema(config.ema_rate)
        if config.beta == 0:  # nothing reads the guide
            return {"denoising_loss": denoising.detach()}
        guess = self.guide.apply(self.ranks.theta, noisy, level, labels.guide_condition)
        ranking = (guess - labels.target).square().mean(1)
        self.ranks.adam_step(gradient(ranking, self.ranks), rate)
        self.ranks.update_ema(config.ema_rate)
        return {"denoising_loss": denoising.detach(), "guide_loss": ranking.detach()}

    def _update_inverse(self, step: Tensor, draws: Mapping[str, Tensor]) -> dict[str, Tensor]:
        batch = self.problem.replay.batch(self.problem.replay.rows(draws["row"]))
        actions = self.inverse.apply(self.actor.theta, batch.observations, batch.next_observations)
        loss = (actions - batch.actions).square().mean((1, 2))
        self.actor.adam_step(gradient(loss, self.actor), linear_decay(step, self.config.inverse_steps))
        self.actor.update_ema(self.config.ema_rate)
        return {"inverse_loss": loss.detach()}

    @torch.no_grad()
    def plan(
        self,
        observations: Float[Tensor, "seeds batch obs"],
        condition: Float[Tensor, "seeds batch c"],
        start: Float[Tensor, "seeds batch H obs"],
    ) -> Float[Tensor, "seeds batch H obs"]:
        """Plans from the averaged networks that begin at these states; `start` is their noise at the highest level."""
        shape = observations.shape[:2]
        given, none = (torch.full(shape, there, device=observations.device) for there in (True, False))

        def level(k: int) -> Tensor:
            return torch.full(shape, k, device=observations.device)

        noise = guided_noise(
            lambda x, k: self.denoiser.apply(self.plans.ema, x, level(k), condition, given),
            lambda x, k: self.denoiser.apply(self.plans.ema, x, level(k), condition, none),
            lambda x, k: self._ascent(x, level(k), condition),
            self.chain,
            self.config.strength,
            self.config.beta,
        )
        return sample_plan(noise, self.chain, start, observations)

    def _ascent(self, x: Tensor, level: Tensor, condition: Tensor) -> Float[Tensor, "seeds batch H obs"]:
        """grad_x J(x_k, k, c)."""
        with torch.enable_grad():
            x = x.detach().requires_grad_(True)
            return torch.autograd.grad(self.guide.apply(self.ranks.ema, x, level, condition).sum(), x)[0]

    def policies(self) -> dict[str, Policy]:
        return {"": Planner(self)}

    def exportable(self, replica: int) -> NoReturn:
        reject_export(self)

    def report(self) -> dict[str, object]:
        return {"median_budget_range": float(np.median(self.labels.budgets - self.problem.data.trajectory_costs))}


class PlannerState(NamedTuple):
    """The plan that each episode follows, and what is left of its budget."""

    plan: Float[Tensor, "replicas batch H obs"]
    """Normalised states."""
    budget: Float[Tensor, "replicas batch"]
    """The cost limit minus the costs so far; may fall below 0."""
    number: ActingState
    """Which random numbers come next: the episode and its step."""


class Planner:
    """The policies of all replicas; each has the planner of its seed and its own limit."""

    markov, max_batch = False, 512

    def __init__(self, method: TCDP) -> None:
        self.method = method

    def start(self, batch: int) -> PlannerState:
        problem, horizon = self.method.problem, self.method.config.horizon
        replicas, like = len(problem.replicas), problem.replay.observations
        episode = torch.arange(batch).repeat(replicas, 1)
        number = ActingState(episode, torch.zeros_like(episode))
        budget = problem.limits.to(like).unsqueeze(1).repeat(1, batch)
        plan = like.new_zeros(replicas, batch, horizon, problem.observation_size)
        return PlannerState(plan, budget, number)

    def act(self, state: PlannerState, observations: Tensor) -> tuple[Tensor, PlannerState]:
        problem, age = self.method.problem, state.number.step % self.method.config.replan_every
        plan = state.plan
        if bool((age == 0).any()):  # episodes that were split into parts may be of different ages
            due = (age == 0).to(plan.device)[..., None, None]
            plan = torch.where(due, self._plan(state, observations), plan)
        rows = (age + 1).to(plan.device)[..., None, None].expand(-1, -1, 1, plan.shape[-1])
        wanted = plan.gather(2, rows).squeeze(2)
        actor, inverse = self.method.actor.ema, self.method.inverse
        with torch.no_grad():
            actions = inverse.apply(actor, by_seed(problem, observations), by_seed(problem, wanted))
        later = state.number._replace(step=state.number.step + 1)
        return by_replica(problem, actions), state._replace(plan=plan, number=later)

    def observe(self, state: PlannerState, rewards: Tensor, costs: Tensor, done: Tensor) -> PlannerState:
        return state._replace(budget=state.budget - costs)

    def _plan(self, state: PlannerState, observations: Tensor) -> Float[Tensor, "replicas batch H obs"]:
        method, config = self.method, self.method.config
        size = (1, 1, config.horizon * method.problem.observation_size)
        noise = acting_noise(method.problem.replica_seeds, state.number, size, observations.device)[:, 0]
        noise = config.start_noise * noise.unflatten(-1, (config.horizon, -1)).to(observations)
        budget, time = state.budget.clamp(min=0), state.number.step.to(observations.device)
        condition = method.labels.condition(budget, time, method.labels.affordable(budget, time))
        parts = (by_seed(method.problem, x) for x in (observations, condition, noise))
        return by_replica(method.problem, method.plan(*parts))


PAPER = TCDPConfig(
    steps=500_000,
    inverse_steps=100_000,
    batch_size=256,
    horizon=32,
    width=320,
    heads=10,
    levels=20,
    learning_rate=2e-4,
    ema_rate=0.001,
    replan_every=1,
)
SMALL = {"steps": 50, "inverse_steps": 50, "batch_size": 8, "horizon": 3, "width": 8, "heads": 2, "blocks": 1}
SMALL |= {"hidden": (16,), "levels": 3, "replan_every": 2}
CDD = {"beta": 0.0, "condition_on_return": True, "relabelled": 0.0, "strength": 1.2}


def _spec(title: str, paper: str, **changes: Any) -> MethodSpec:
    return MethodSpec(
        title=title,
        paper=paper,
        build=TCDP,
        presets={"quick": replace(TCDPConfig(), **changes), "paper": replace(PAPER, **changes)},
        smoke=SMALL,
        brief={"steps": 500},
    )


SPEC = _spec("TCDP", "Zhang et al. 2025 (TCDP)")
SPEC_CDD = _spec("CDD", "Ajay et al. 2023 (Decision Diffuser), with a cost", **CDD)
SPEC_SDGD = _spec("SDGD", "SDGD 2026 (arXiv 2605.02777)", guide="prefix")
