"""The inference graph of a policy with a memory: its state is an input and an output of the file.

    (observation, reward, cost[, noise], state) -> (action, next state)

`reward` and `cost` are those of the step before, in the task's units, and are ignored at the first step of an episode,
which begins with the state `start`. A planner takes standard normals, `noise`, drawn anew for each step; the file makes
a plan of them at every step, and goes on with the one before where that is not used up. What is computed is the
policy's own `observe` and `act`, for one replica.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from deep.core.method import Inference, State
from deep.nn.parameters import Parameters
from deep.runs.experiment import Experiment

PREFIX = "state_"
"""Of the names of the state's entries in the file."""
STARTED = "state_started"
"""The entry of the state that is 0 before the first step of an episode, and 1 after it."""
EPISODE = "number_episode"
"""The entry of a planner's state that no file needs."""


def alone(experiment: Experiment, replica: int) -> Experiment:
    """The experiment with this replica alone; its tensors are the rows that belong to the replica."""
    problem = experiment.problem
    seed, limit = problem.replicas[replica]
    settings = dataclasses.replace(experiment.settings, seeds=(seed,), cost_limits=(limit,))
    normaliser = (problem.replay.mean.cpu().numpy(), problem.replay.std.cpu().numpy())
    single = Experiment(settings, experiment.task, experiment.data, normaliser)
    everyone = experiment.method.tensors()
    of_seed, seeds = problem.seeds.index(seed), len(problem.seeds)
    with torch.no_grad():
        for name, tensor in single.method.tensors().items():
            whole = everyone[name]
            if whole.shape != tensor.shape:  # as many rows more as there are seeds, or replicas
                rows = len(tensor)
                first = rows * (of_seed if len(whole) == rows * seeds else replica)
                whole = whole[first : first + rows]
            tensor.copy_(whole)
    for parameters in learned(single.method):
        parameters.theta.requires_grad_(False)  # the tracer holds constants alone
    return single


def learned(part: object) -> Iterator[Parameters]:
    """The parameters that a method or a part of it has among its attributes."""
    for value in vars(part).values():
        if isinstance(value, Parameters):
            yield value
        elif hasattr(value, "__dict__") and type(value).__module__.startswith("deep.methods."):
            yield from learned(value)


def flat(state: State) -> dict[str, Tensor]:
    """The tensors of a state by name, those of a nested one as outer_inner."""
    found: dict[str, Tensor] = {}
    for name, part in zip(state._fields, state, strict=True):
        if isinstance(part, Tensor):
            found[name] = part
        else:
            found |= {f"{name}_{inner}": tensor for inner, tensor in flat(part).items()}
    return found


def carried(state: State) -> dict[str, Tensor]:
    """What a file carries: `flat` without the number of the episode, by which `deep.methods.parts.acting` draws noise,
    while a file is given its noise."""
    return {name: tensor for name, tensor in flat(state).items() if name != EPISODE}


def filled(like: State, tensors: dict[str, Tensor], prefix: str = "") -> State:
    """The inverse of `flat` and of `carried`: a state of the form and the types of `like`, which gives what is not
    there."""
    parts = []
    for name, part in zip(like._fields, like, strict=True):
        if isinstance(part, Tensor):
            parts.append(tensors.get(prefix + name, part).to(part.dtype))
        else:
            parts.append(filled(part, tensors, f"{prefix}{name}_"))
    return type(like)(*parts)


def within(action: Tensor) -> Tensor:
    """The action in [-1, 1], where a runtime's own tanh may leave it by a rounding error."""
    return action.clamp(-1, 1)


class WithState(torch.nn.Module):
    """One replica's policy with a memory, from raw observations to actions in the simulator's units.

    Attributes:
        start: the state before the first step, by name, float32 and without the batch.
        noise: the shape of the standard normals that it needs for each observation; empty for a deterministic policy.
        how: what its actions are, in a few words.
    """

    def __init__(self, experiment: Experiment, replica: int, bounds: tuple[Tensor, Tensor], found: Inference) -> None:
        super().__init__()
        self.experiment = alone(experiment, replica)
        self.policy: Any = self.experiment.policy()
        self.noise, self.how, (self.centre, self.scale) = found.noise, found.how, bounds
        self.like: Any = self.policy.start(1)
        self.start = {f"{PREFIX}{name}": tensor[0, 0].float() for name, tensor in carried(self.like).items()} | {
            STARTED: torch.zeros(())
        }
        replay = self.experiment.replay
        self.mean, self.std = replay.mean.cpu(), replay.std.cpu()

    @property
    def inputs(self) -> dict[str, tuple[int, ...]]:
        """Name and shape of each input, without the batch."""
        state = {name: tuple(value.shape) for name, value in self.start.items()}
        noise = {"noise": self.noise} if self.noise else {}
        return {"observation": tuple(self.mean.shape), "reward": (), "cost": (), **noise, **state}

    @property
    def outputs(self) -> list[str]:
        """The names of the outputs; next_X is the state's entry X after the step."""
        return ["action", *(f"next_{name}" for name in self.start)]

    def forward(self, observation: Tensor, reward: Tensor, cost: Tensor, *entries: Tensor) -> tuple[Tensor, ...]:
        noise = [entries[0].unsqueeze(0)] if self.noise else []
        given = dict(zip(self.start, entries[len(noise) :], strict=True))
        started = given.pop(STARTED) > 0
        before = {name.removeprefix(PREFIX): tensor.unsqueeze(0) for name, tensor in given.items()}
        state = filled(self.like, before)
        never = torch.zeros_like(reward, dtype=torch.bool).unsqueeze(0)
        seen = flat(self.policy.observe(state, reward.unsqueeze(0), cost.unsqueeze(0), never))
        chosen = {
            name: torch.where(started.view(1, -1, *[1] * (old.dim() - 2)), seen[name].to(old.dtype), old)
            for name, old in before.items()
        }
        act = self.policy.act_with if self.noise else self.policy.act
        action, after = act(filled(self.like, chosen), ((observation - self.mean) / self.std).unsqueeze(0), *noise)
        entries = tuple(tensor[0].float() for tensor in carried(after).values())
        return (within(action[0]) * self.scale + self.centre, *entries, torch.ones_like(reward))
