"""A trained policy that acts from its run's folder alone."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from numpy.typing import ArrayLike

from deep.core.method import state_where
from deep.methods.parts.acting import ActingState
from deep.runs.experiment import Experiment
from deep.tasks import Task
from theory.support.errors import InputError


@dataclass(frozen=True)
class TrainedPolicy:
    """The policy of one replica of a finished run: of one seed and one cost limit. It acts from the run's folder alone.

    Attributes:
        run: the folder of the run.
        experiment: what the run trained, all replicas, with a stand-in for the data (`deep.runs.stand_in`).
        replica: the replica's number in it.
    """

    run: Path
    experiment: Experiment
    replica: int

    @property
    def seed(self) -> int:
        """The seed of the training."""
        return self.experiment.problem.replicas[self.replica].seed

    @property
    def cost_limit(self) -> float:
        """The limit on the undiscounted cost of an episode."""
        return self.experiment.problem.replicas[self.replica].cost_limit

    @property
    def task(self) -> Task:
        """The task of the run."""
        return self.experiment.task

    def _checked(self, observation: ArrayLike) -> Float[np.ndarray, "*batch obs"]:
        """Observations as an array of numbers of the task's size; raises `InputError` for anything else."""
        try:
            raw = np.asarray(observation, dtype=np.float32)
        except (TypeError, ValueError) as error:
            raise InputError(f"an observation of {self.task.name} must be an array of numbers: {error}") from error
        size = self.task.observation_size
        if raw.ndim not in (1, 2) or raw.shape[-1] != size:
            found = f"an observation of {self.task.name} has shape {raw.shape}"
            raise InputError(f"{found}: accepted are ({size},) and (batch, {size})")
        if not np.isfinite(raw).all():
            raise InputError(f"an observation of {self.task.name} holds a value that is not finite")
        return raw

    def predict(
        self,
        observation: ArrayLike,
        state: Any = None,
        episode_start: ArrayLike | None = None,
        deterministic: bool = True,
    ) -> tuple[Float[np.ndarray, "*batch action"], Any]:
        """The action and the state after it, called as stable-baselines3's `predict` is; there the default of
        `deterministic` is False.

        A policy with a memory also needs to know what came of the action: pass what `observe` returns as the next
        `state`. Without it the budget stays that of the episode's first step.

        Args:
            observation: as for `act`.
            state: None at the first step of an episode, then what this function or `observe` returned. One batch of
                episodes has one state.
            episode_start: whether an episode begins with this observation, one flag each or one for all: its row of the
                state begins anew. None: none does, but where the state is None.
            deterministic: of a policy that draws its actions: True, the draws follow from the run's seed and the number
                of the step; False, an episode's draws are new at each first step. Other policies act alike for both.

        Raises:
            InputError: as `act`, a state of another policy, or a state or flags of another number of episodes.
        """
        raw = self._checked(observation)
        batch = np.atleast_2d(raw)
        if state is not None and (found := self._episodes(state)) not in (None, len(batch)):
            raise InputError(f"a state of {found} episodes with {len(batch)} observations: one for each is accepted")
        begins = _flags(False if episode_start is None else episode_start, len(batch))
        if state is None:
            state = self._first_state(len(batch), deterministic)
        elif begins.any():
            state = state_where(torch.from_numpy(begins), self._first_state(len(batch), deterministic), state)
        actions, state = self.experiment.player().act(
            state, np.repeat(batch[None], len(self.experiment.problem.replicas), axis=0)
        )
        chosen = self.task.in_own_units(actions[self.replica])
        return (chosen if raw.ndim == 2 else chosen[0]), state

    def _first_state(self, count: int, deterministic: bool) -> Any:
        """The state of this many episodes at their first step."""
        state = self.experiment.player().start(0, count)
        if not deterministic and isinstance(state, ActingState):
            new = torch.randint(2**31, state.episode.shape[1:])
            state = state._replace(episode=new.expand_as(state.episode))
        return state

    def observe(self, state: Any, reward: ArrayLike, cost: ArrayLike, done: ArrayLike = False) -> Any:
        """The state after a step's outcome: its reward and cost in the task's units, one each or one per episode.

        `done` says whether the episode has ended. A policy without a memory has nothing to remember.

        Raises `InputError` for a reward or a cost that is not finite, which would spoil all later actions of the
        episode, for a cost below 0, which would enlarge the budget, and for a state of another policy.
        """
        size = self._episodes(state)
        outcome = [_outcome(each, key, size) for each, key in ((reward, "reward"), (cost, "cost"))]
        if (outcome[1] < 0).any():
            raise InputError(f"a cost of {outcome[1].min():g}: accepted are numbers of at least 0")
        if size is None:
            return state
        shape = (len(self.experiment.problem.replicas), size)
        rewards, costs = (np.broadcast_to(each, shape).copy() for each in outcome)
        ended = np.broadcast_to(_flags(done, size, "done"), shape).copy()
        return self.experiment.player().observe(state, rewards, costs, ended)

    @cached_property
    def _state_type(self) -> type:
        return type(self.experiment.player().start(0, 1))

    def _episodes(self, state: Any) -> int | None:
        """How many episodes a state is of; None for that of a policy without a memory. Raises `InputError` for what is
        no state of this policy."""
        if type(state) is not self._state_type:
            found = f"a state of type {type(state).__name__}"
            raise InputError(f"{found}: what predict or observe of this policy returned is accepted")
        return _size(state)

    def act(self, observation: ArrayLike) -> Float[np.ndarray, "*batch action"]:
        """The action at one raw observation, or the actions at a batch of them.

        Args:
            observation: shape (observation_size,) or (batch, observation_size), as the environment returns it; it is
                normalised here.

        Returns:
            Actions of shape (action_size,) or (batch, action_size), float64, in the environment's units: inside
            [-1, 1] on DSRL's tasks, inside [action_low, action_high] with a custom data set.

        Raises:
            InputError: another shape, or a value that is not finite.
        """
        raw = self._checked(observation)
        batch = np.atleast_2d(raw)
        if not len(batch):
            return np.empty((0, self.task.action_size))
        stacked = np.repeat(batch[None], len(self.experiment.problem.replicas), axis=0)
        actions = self.task.in_own_units(self.experiment.act(stacked)[self.replica])
        return actions if raw.ndim == 2 else actions[0]


def _outcome(values: ArrayLike, key: str, size: int | None) -> Float[np.ndarray, "..."]:
    """Rewards or costs, one or one for each of `size` episodes; raises `InputError` for anything else."""
    try:
        numbers = np.asarray(values, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise InputError(f"a {key} must be a number, or one for each episode: {error}") from error
    if size is not None and numbers.shape not in ((), (1,), (size,)):
        raise InputError(f"a {key} of shape {numbers.shape} with {size} episodes: one for each is accepted")
    if not np.isfinite(numbers).all():
        raise InputError(f"a {key} holds a value that is not finite")
    return numbers


def _flags(values: ArrayLike, count: int, key: str = "episode_start") -> Bool[np.ndarray, " batch"]:
    """A flag for each episode; raises `InputError` for another number of them."""
    flags = np.asarray(values, dtype=bool)
    if flags.shape not in ((), (1,), (count,)):
        raise InputError(f"{key} of shape {flags.shape} with {count} observations: one for each is accepted")
    return np.broadcast_to(flags, (count,)).copy()


def _size(state: Any) -> int | None:
    """The episodes of a state, which is a tensor or a tuple of states; None where it holds no tensor."""
    if isinstance(state, torch.Tensor):
        return state.shape[1]
    parts = state if isinstance(state, tuple) else ()
    return next((size for part in parts if (size := _size(part)) is not None), None)
