"""The contract of a method: its phases and tensors, the policies it gives, and what else a command may use of it."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from deep.core.phase import Phase
from deep.data.selection import Selection
from theory.support.errors import InputError

Act = Callable[[Float[Tensor, "replicas batch obs"]], Float[Tensor, "replicas batch act"]]
"""The actions of every replica's policy as a function of the *normalised* observations alone."""

State = Any
"""What a policy carries from step to step: () or a NamedTuple of tensors (replicas, batch, ...), nested or not."""


@runtime_checkable
class Policy(Protocol):
    """The policies of all replicas, stepped through a batch of episodes together.

    The caller holds the state. `act` and `observe` change nothing but what they return, so two evaluations cannot
    disturb each other, and a fresh evaluation is a fresh `start`. Rows of the batch do not depend on each other: a
    caller may split a batch, or leave out rows, together with the same rows of the state.
    """

    @property
    def markov(self) -> bool:
        """Whether the distribution of an action depends on the observation alone. The state then numbers random draws
        at most, and `observe` is the identity."""
        ...

    @property
    def max_batch(self) -> int | None:
        """A hint: more rows than this in one call take much memory, and the caller splits them. None: no bound."""
        ...

    def start(self, batch: int) -> State:
        """The state at the first step of `batch` episodes of every replica, which are numbered from 0."""
        ...

    def act(
        self, state: State, observations: Float[Tensor, "replicas batch obs"]
    ) -> tuple[Float[Tensor, "replicas batch act"], State]:
        """The actions at *normalised* observations, and the state after them."""
        ...

    def observe(
        self,
        state: State,
        rewards: Float[Tensor, "replicas batch"],
        costs: Float[Tensor, "replicas batch"],
        done: Bool[Tensor, "replicas batch"],
    ) -> State:
        """The state after the outcome of the step: reward and cost in the task's units, and whether it was the last."""
        ...


class Memoryless:
    """The policy that a function of the observation is."""

    markov, max_batch = True, None

    def __init__(self, function: Act) -> None:
        self.function = function

    def start(self, batch: int) -> State:
        return ()

    def act(self, state: State, observations: Tensor) -> tuple[Tensor, State]:
        return self.function(observations), state

    def observe(self, state: State, rewards: Tensor, costs: Tensor, done: Tensor) -> State:
        return state


def as_policy(policy: Policy | Act) -> Policy:
    """A policy as it is; a function of the observation as the policy without a memory."""
    return policy if isinstance(policy, Policy) else Memoryless(policy)


def require_markov(policy: Policy | Act) -> Policy:
    """The policy; raises `InputError` where it has a memory, so that no history belongs to an arbitrary state."""
    policy = as_policy(policy)
    if not policy.markov:
        raise InputError("not defined for a policy with a memory: accepted are policies of the observation alone")
    return policy


def at_states(policy: Policy | Act) -> Act:
    """The actions at arbitrary states, each taken for the first of an episode; raises `InputError` for a memory."""
    policy = require_markov(policy)
    return lambda observations: act_in_parts(policy, policy.start(observations.shape[1]), observations)[0]


def act_in_parts(policy: Policy, state: State, observations: Tensor) -> tuple[Tensor, State]:
    """`policy.act` on a batch of any size, split where it is larger than the policy's `max_batch`."""
    size = policy.max_batch
    if size is None or observations.shape[1] <= size:
        return policy.act(state, observations)
    places = [slice(i, i + size) for i in range(0, observations.shape[1], size)]
    parts = [policy.act(state_rows(state, place), observations[:, place]) for place in places]
    actions, states = zip(*parts, strict=True)
    return torch.cat(actions, 1), _joined(states)


def state_rows(state: State, rows: slice) -> State:
    """These rows of a state's batch axis."""
    if isinstance(state, Tensor):
        return state[:, rows]
    return _like(state, [state_rows(part, rows) for part in state])


def state_where(chosen: Bool[Tensor, " batch"], state: State, other: State) -> State:
    """The chosen rows of one state, and the others of another one."""
    if isinstance(state, Tensor):
        assert isinstance(other, Tensor)
        return torch.where(chosen.to(state.device).view(-1, *[1] * (state.ndim - 2)), state, other)
    return _like(state, [state_where(chosen, *parts) for parts in zip(state, other, strict=True)])


def _joined(states: Sequence[State]) -> State:
    if isinstance(states[0], Tensor):
        return torch.cat(list(states), 1)
    return _like(states[0], [_joined(parts) for parts in zip(*states, strict=True)])


def _like(state: tuple[Any, ...], parts: list[Any]) -> State:
    return type(state)(*parts) if hasattr(state, "_fields") else tuple(parts)


class Inference(NamedTuple):
    """One replica's policy in operations that file formats have, for `deep.export`."""

    act: Callable[..., Any] | None
    """Normalised observations (batch, obs) and noise (batch, *noise), if any, to actions (batch, act) in [-1, 1]. None:
    the first of the method's policies has a memory, and its `act` and `observe` are functions of tensors alone, so that
    they can be traced with the state as an input and an output. With noise it also has `act_with(state, observations,
    noise)`, with noise (replicas, batch, *noise)."""
    noise: tuple[int, ...]
    """The shape of the standard normals that each observation needs; () for a deterministic policy."""
    how: str
    """The rule by which the action is chosen, in a few words."""


class ExactParts(NamedTuple):
    """Parts of a trained method that `verification.lattice` compares with exact values."""

    cost_critic: Callable[[Tensor, Tensor], Tensor]
    """(observations, actions) -> Q_c of the evaluated policy, (replicas, batch), a discounted sum of costs."""
    distribution: Callable[[Tensor], tuple[Tensor, Tensor | None]] | None = None
    """observations -> mean and log std (None: deterministic) of the policy that the critic follows. None: that policy
    is known by its samples, those of `policies()["sample"]`."""
    gate: Float[Tensor, " replicas"] | None = None
    """The estimated cost of an episode that the method compares with the limit."""
    hinge_learner: Any = None
    """The learner itself where it minimises Eq. (1) of Safe-DQL, whose Theorem 9 is then measured."""


class Method(Protocol):
    """A learner for all replicas of a problem. The first four are required; the others are optional abilities."""

    def phases(self) -> list[Phase]:
        """The phases in their order."""
        ...

    def tensors(self) -> dict[str, Tensor]:
        """Every tensor that a phase changes, by name: what a checkpoint holds and a resumed run fills in."""
        ...

    def policies(self) -> dict[str, Policy]:
        """The ways to act by name, the configured one first; a method with a single way calls it ""."""
        ...

    def report(self) -> dict[str, object]:
        """More entries of summary.json."""
        ...

    def remarks(self) -> list[str]:
        """Lines to print below the table of scores."""
        return []

    @property
    def estimator(self) -> Any:
        """A `deep.ope.interface.Estimator` that knows more of the method's own policies than whole-episode rollouts in
        the learned dynamics do; None where there is no such estimator."""
        return None

    def estimate_doubts(self, estimate: Any) -> list[str | None] | None:
        """For every replica the reason to doubt this `deep.ope.interface.Estimate` of its policy, as
        `deep.ope.interface.estimate_doubt` names it; None where the method has compared nothing with the data."""
        return None

    @property
    def cloned(self) -> Selection | None:
        """Which trajectories of the data the policy is cloned from; None for a method that clones none."""
        return None

    @property
    def starting_policy(self) -> tuple[str, Policy] | None:
        """The clone that later phases start from, and the name of the phase that ends with it; None where there is
        none."""
        return None

    @property
    def mean_network(self) -> Any:
        """The `deep.nn.policies.MLPPolicy` whose mean action at an observation is the policy, with the parameters
        `policy.ema` of `tensors`; None where the policy is not a single network."""
        return None

    def main_layer(self, phase: str) -> tuple[int, int] | None:
        """Inputs and outputs of the layer with most of a phase's work; None: the hidden layers of the configuration."""
        return None

    def exportable(self, replica: int) -> Inference:
        """The policy of this replica; raises `InputError` where no file format can hold it."""
        raise InputError(f"a policy of {type(self).__name__} cannot be exported: it has no inference graph")

    def exact_parts(self) -> ExactParts | None:
        """What can be compared with exact values besides the policy; None where nothing can."""
        return None
