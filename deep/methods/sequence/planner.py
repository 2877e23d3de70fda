r"""What the diffusion planners share: how the denoiser and the inverse model are trained, and how plans are followed.

A plan is a window of H tokens, each a state, or a state and an action (`plan_actions`).

    denoiser: minimise E |eps(x_k, k, c or none) - eps|^2 over all of the window but its first state
    inverse:  minimise E |g(s_t, s_{t+1}) - a_t|^2,  where plans have no actions

Every `replan_every` steps a plan is drawn whose first state is the present one. In between the action at step j of the
plan is g(s_t, plan_{j+1}) with the real state s_t, or the plan's own action. The budget left is the cost limit minus
the costs so far. A method adds what plans are drawn from: `condition` and `plan`.

Sources: Janner et al. 2022 (Diffuser, plans of states and actions); Ajay et al. 2023 (Decision Diffuser, of states).
"""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from deep.core.method import Inference, Method, Policy
from deep.core.phase import Phase
from deep.core.problem import Problem
from deep.core.randomness import RandomInput
from deep.core.validation import AT_LEAST_0, AT_LEAST_1, RATE, Range, check_ranges
from deep.data.sequences import Sequences, Window
from deep.methods.parts.acting import ActingState, acting_noise
from deep.methods.parts.budget import by_replica, by_seed
from deep.methods.parts.diffusion_policy import Chain
from deep.methods.sequence.config import SequenceConfig
from deep.methods.sequence.denoiser import Denoiser, InverseDynamics, Value
from deep.methods.sequence.reversal import diffuse_window
from deep.nn.mlp import Network, initial_parameters
from deep.nn.parameters import Adam, Parameters, gradient, linear_decay
from deep.nn.transformer import Transformer
from theory.support.errors import InputError


@dataclass(frozen=True)
class PlannerConfig(SequenceConfig):
    """Hyper-parameters of every planner; Adam's step sizes fall linearly to a tenth."""

    inverse_steps: int = 5000
    """Training steps of the inverse model, each on 8 x `batch_size` transitions."""
    horizon: int = 8
    """H, the states of a plan, the present one included."""
    hidden: tuple[int, ...] = (256, 256)
    """Hidden layers of values and inverse model."""
    levels: int = 10
    """T, noise levels, in training and in sampling."""
    ema_rate: float = 0.005
    """Rate of the moving average of the parameters, which plans are made with."""
    start_noise: float = 0.5
    """Standard deviation of the noise that a plan starts from."""
    replan_every: int = 4
    """Steps for which a plan is followed."""
    plan_actions: bool = False
    """Whether plans have actions, which are played; otherwise an inverse model turns states into actions."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_ranges(self, inverse_steps=AT_LEAST_0, hidden=AT_LEAST_1, levels=AT_LEAST_1, ema_rate=RATE)
        check_ranges(self, start_noise=AT_LEAST_0, replan_every=AT_LEAST_1)
        check_ranges(self, horizon=Range("of at least 2", lambda x: x >= 2))


class Noised(NamedTuple):
    """A minibatch of windows."""

    window: Window
    clean: Float[Tensor, "n batch H token"]
    """x_0."""
    level: Int[Tensor, "n batch"]
    """k, from 1 to T."""
    noise: Float[Tensor, "n batch H token"]
    """eps."""
    noisy: Float[Tensor, "n batch H token"]
    """x_k."""


class DiffusionPlanner(Method):
    """A planner for each seed, which serves all cost limits; `conditions` numbers go into its denoiser."""

    draws: tuple[str, ...] = ()
    """More uniform random inputs of a step, one for each window."""
    candidates = 1
    """Plans that are drawn for every state; `plan` chooses one."""
    budget_discount = 1.0
    """The budget left is divided by it after every step."""

    def __init__(self, config: Any, problem: Problem, conditions: int) -> None:
        self.config, self.problem = config, problem
        if config.replan_every >= config.horizon:
            found = f"--replan-every {config.replan_every} with --horizon {config.horizon}"
            raise InputError(f"{found}: accepted is a plan that is longer than the steps for which it is followed")
        self.sequences, self.chain = Sequences(problem.data, problem.replay), Chain(config.levels, "cosine")
        states, actions = problem.observation_size, problem.action_size
        self.token_size = states + (actions if config.plan_actions else 0)
        trunk = Transformer(config.width, config.heads, config.blocks, causal=False, modulated=True)
        self.denoiser = Denoiser(self.token_size, config.horizon, trunk, conditions, config.levels)
        self.inverse = InverseDynamics(states, actions, config.hidden)
        self.groups: dict[str, Parameters] = {}
        """All parameters, by their name in a checkpoint."""
        self.plans = self._learned("denoiser", self.denoiser, "denoiser")
        if not config.plan_actions:
            self.actor = self._learned("inverse", self.inverse, "inverse model")

    def _learned(self, group: str, network: Network, name: str) -> Parameters:
        """The parameters of a network, which are trained and averaged."""
        initial = initial_parameters(network, self.problem.seeds, name).to(self.problem.device)
        self.groups[group] = Parameters(initial, Adam(self.config.learning_rate), ema=True)
        return self.groups[group]

    def _value(self, conditions: int) -> Value:
        """The description of a value of windows."""
        return Value(self.token_size, self.config.horizon, conditions, self.config.levels, self.config.hidden)

    def tensors(self) -> dict[str, Tensor]:
        return {f"{group}.{name}": x for group, learned in self.groups.items() for name, x in learned.tensors.items()}

    def phases(self) -> list[Phase]:
        config, row = self.config, RandomInput("uniform", (self.config.batch_size,))
        noise = RandomInput("normal", (config.batch_size, config.horizon, self.token_size))
        draws = dict.fromkeys(("trajectory", "start", "level", *self.draws), row) | {"noise": noise}
        rows = {"row": RandomInput("uniform", (8 * config.batch_size,))}
        phases = [
            Phase("planner", config.steps, self.problem.seeds, draws, self._update),
            Phase("inverse dynamics", config.inverse_steps, self.problem.seeds, rows, self._update_inverse),
        ]
        return phases[:1] if config.plan_actions else phases

    @abstractmethod
    def _update(self, step: Tensor, draws: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """One step of the denoiser, and of all that guides it."""

    def _noised(self, draws: Mapping[str, Tensor]) -> Noised:
        trajectories = (draws["trajectory"].double() * len(self.sequences.lengths)).long()
        first = self.sequences.starts_within(trajectories, draws["start"], margin=2)
        window = self.sequences.windows(first, self.config.horizon)
        parts = (window.observations, window.actions) if self.config.plan_actions else (window.observations,)
        clean, level = torch.cat(parts, -1), 1 + (draws["level"] * self.config.levels).long()
        noise = draws["noise"]
        return Noised(window, clean, level, noise, self._diffused(clean, level, noise))

    def _diffused(self, clean: Tensor, level: Tensor, noise: Tensor) -> Float[Tensor, "n batch H token"]:
        return diffuse_window(self.chain, clean, level, noise, self.problem.observation_size)

    def _learn_to_denoise(
        self, noised: Noised, condition: Tensor | None, present: Tensor | None, rate: Tensor
    ) -> Float[Tensor, " n"]:
        """One step; returns the loss."""
        predicted = self.denoiser.apply(self.plans.theta, noised.noisy, noised.level, condition, present)
        error = (predicted - noised.noise).flatten(2)[..., self.problem.observation_size :]
        return self._descend(self.plans, error.square().mean((1, 2)), rate)

    def _descend(self, parameters: Parameters, loss: Float[Tensor, " n"], rate: Tensor) -> Float[Tensor, " n"]:
        parameters.adam_step(gradient(loss, parameters), rate)
        parameters.update_ema(self.config.ema_rate)
        return loss.detach()

    def _update_inverse(self, step: Tensor, draws: Mapping[str, Tensor]) -> dict[str, Tensor]:
        batch = self.problem.replay.batch(self.problem.replay.rows(draws["row"]))
        actions = self.inverse.apply(self.actor.theta, batch.observations, batch.next_observations)
        loss = (actions - batch.actions).square().mean((1, 2))
        return {"inverse_loss": self._descend(self.actor, loss, linear_decay(step, self.config.inverse_steps))}

    def _noise(self, x: Tensor, k: int, condition: Tensor | None = None) -> Float[Tensor, "n batch H token"]:
        """eps(x_k, k, c) by the averaged denoiser."""
        return self.denoiser.apply(self.plans.ema, x, self._level(x, k), condition)

    def _level(self, x: Tensor, k: int) -> Int[Tensor, "n batch"]:
        # Computed from x, because the ONNX exporter takes a tensor of this shape alone for a constant of the batch that
        # it traces with.
        return (0 * x[:, :, 0, 0]).long() + k

    def first_budget(self) -> Float[Tensor, " replicas"]:
        """The budget of every replica at the first step of an episode."""
        return self.problem.limits.to(self.problem.replay.observations)

    @abstractmethod
    def condition(
        self, budget: Float[Tensor, "replicas batch"], time: Int[Tensor, "replicas batch"]
    ) -> Float[Tensor, "replicas batch c"]:
        """What a plan is made for, given the budget left and the number of the step."""

    @abstractmethod
    def plan(
        self,
        observations: Float[Tensor, "seeds batch obs"],
        condition: Float[Tensor, "seeds batch c"],
        start: Float[Tensor, "seeds many H token"],
    ) -> Float[Tensor, "seeds batch H token"]:
        """Plans that begin at these states. `start` is the noise at the highest level, of the `candidates` of a state
        side by side."""

    def policies(self) -> dict[str, Policy]:
        return {"": PlanningPolicy(self)}

    def exportable(self, replica: int) -> Inference:
        noise = (self.candidates, self.config.horizon, self.token_size)
        return Inference(None, noise, "the step of a plan that is drawn from the noise, for the budget left")


class PlannerState(NamedTuple):
    """The plan that each episode follows, and what is left of its budget."""

    plan: Float[Tensor, "replicas batch H token"]
    """Its states are normalised."""
    budget: Float[Tensor, "replicas batch"]
    """The cost limit minus the costs so far; may fall below 0."""
    number: ActingState
    """Which random numbers come next: the episode and its step."""


class PlanningPolicy:
    """The policies of all replicas; each has the planner of its seed and its own limit."""

    markov = False

    def __init__(self, method: DiffusionPlanner) -> None:
        self.method, self.max_batch = method, max(1, 512 // method.candidates)

    def start(self, batch: int) -> PlannerState:
        problem, like = self.method.problem, self.method.problem.replay.observations
        episode = torch.arange(batch).repeat(len(problem.replicas), 1)
        number = ActingState(episode, torch.zeros_like(episode))
        budget = self.method.first_budget().unsqueeze(1).repeat(1, batch)
        return PlannerState(
            like.new_zeros(*budget.shape, self.method.config.horizon, self.method.token_size), budget, number
        )

    def act(self, state: PlannerState, observations: Tensor) -> tuple[Tensor, PlannerState]:
        if bool((self._age(state) == 0).any()):  # episodes that were split into parts may be of different ages
            return self.act_with(state, observations, self.noise(state))
        return self._follow(state, observations)

    def act_with(
        self,
        state: PlannerState,
        observations: Float[Tensor, "replicas batch obs"],
        noise: Float[Tensor, "replicas batch candidates H token"],
    ) -> tuple[Tensor, PlannerState]:
        """`act` with these standard normals for the plans. They are used where the plan before is used up."""
        due = (self._age(state) == 0).to(state.plan.device)[..., None, None]
        plan = torch.where(due, self._plan(state, observations, noise), state.plan)
        return self._follow(state._replace(plan=plan), observations)

    def observe(self, state: PlannerState, rewards: Tensor, costs: Tensor, done: Tensor) -> PlannerState:
        return state._replace(budget=(state.budget - costs) / self.method.budget_discount)

    def _age(self, state: PlannerState) -> Int[Tensor, "replicas batch"]:
        """The steps for which a plan was followed, on the host; 0: it is time for another one."""
        return state.number.step % self.method.config.replan_every

    @torch.no_grad()
    def _follow(self, state: PlannerState, observations: Tensor) -> tuple[Tensor, PlannerState]:
        """The actions of the plans' present steps, and the state after them."""
        method, states = self.method, self.method.problem.observation_size
        age = self._age(state).to(state.plan.device)
        later = state._replace(number=state.number._replace(step=state.number.step + 1))
        if method.config.plan_actions:
            return _token(state.plan, age)[..., states:].clamp(-1, 1), later
        seen, wanted = (by_seed(method.problem, x) for x in (observations, _token(state.plan, age + 1)))
        return by_replica(method.problem, method.inverse.apply(method.actor.ema, seen, wanted)), later

    def noise(self, state: PlannerState) -> Float[Tensor, "replicas batch candidates H token"]:
        """The standard normals of the plans that begin at this state."""
        method, config = self.method, self.method.config
        size = (method.candidates, 1, config.horizon * method.token_size)
        drawn = acting_noise(method.problem.replica_seeds, state.number, size, state.plan.device)[:, 0].to(state.plan)
        return drawn.unflatten(-1, (config.horizon, -1)).unflatten(1, (-1, method.candidates))

    def _plan(
        self, state: PlannerState, observations: Tensor, noise: Tensor
    ) -> Float[Tensor, "replicas batch H token"]:
        method = self.method
        start = method.config.start_noise * noise.flatten(1, 2)
        condition = method.condition(state.budget, state.number.step.to(observations.device))
        parts = (by_seed(method.problem, x) for x in (observations, condition, start))
        return by_replica(method.problem, method.plan(*parts))


def _token(plan: Float[Tensor, "replicas batch H token"], place: Int[Tensor, "replicas batch"]) -> Tensor:
    return plan.gather(2, place[..., None, None].expand(-1, -1, 1, plan.shape[-1]))[:, :, 0]
