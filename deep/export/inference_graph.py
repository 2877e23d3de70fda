"""The inference graph of one replica: from a raw observation to an action in the simulator's units."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from deep.nn.inference import Array
from deep.runs.experiment import Experiment


@dataclass(frozen=True)
class InferenceGraph:
    """A policy: raw observations (batch, o) and noise (batch, *noise), if any, to actions (batch, a) in raw units.

    Attributes:
        act: the policy for normalised observations, with actions in [-1, 1].
        noise: the shape of the standard normals that it needs for each observation; empty for a deterministic policy.
        how: what its actions are, in a few words.
        mean: what is subtracted from an observation, (o,).
        std: what the difference is divided by, (o,).
        centre: the action 0 in the units of the data's file and of the simulator, (a,).
        half: half the distance between the bounds there, (a,).
    """

    act: Callable[..., Array]
    noise: tuple[int, ...]
    how: str
    mean: Tensor
    std: Tensor
    centre: Tensor
    half: Tensor

    def __call__(self, observation: Array, *noise: Array) -> Array:
        return self.act((observation - self.mean) / self.std, *noise) * self.half + self.centre


def inference_graph(experiment: Experiment, replica: int) -> InferenceGraph:
    """The policy of this replica of a trained experiment, with the normalisation of observations and actions.

    Raises `InputError` where the method has no inference graph.
    """
    method, replay, task = experiment.method, experiment.replay, experiment.task
    act, noise, how = method.exportable(replica)
    low, high = (
        torch.tensor(bound or (default,) * task.action_size, dtype=torch.get_default_dtype())
        for bound, default in ((task.action_low, -1.0), (task.action_high, 1.0))
    )
    return InferenceGraph(act, noise, how, replay.mean.cpu(), replay.std.cpu(), (low + high) / 2, (high - low) / 2)
