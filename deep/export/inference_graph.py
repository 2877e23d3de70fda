"""The inference graph of one replica: from a raw observation to an action in the simulator's units."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from deep.core.method import Inference
from deep.export.with_state import WithState, within
from deep.runs.experiment import Experiment


class InferenceGraph(torch.nn.Module):
    """A policy: raw observations (batch, o) and noise (batch, *noise), if any, to actions (batch, a) in raw units.

    Attributes:
        act: the policy for normalised observations, with actions in [-1, 1].
        noise: the shape of the standard normals that it needs for each observation; empty for a deterministic policy.
        how: what its actions are, in a few words.
        mean: what is subtracted from an observation, (o,).
        std: what the difference is divided by, (o,).
        centre: the action 0 in the units of the data's file and of the simulator, (a,).
        scale: half the distance between the bounds there, (a,).
        start: empty, because the policy has no memory; see `deep.export.with_state.WithState`.
    """

    def __init__(self, found: Inference, mean: Tensor, std: Tensor, bounds: tuple[Tensor, Tensor]) -> None:
        super().__init__()
        assert found.act is not None
        self.act: Callable[..., Tensor] = found.act
        self.noise, self.how = found.noise, found.how
        self.mean, self.std, (self.centre, self.scale) = mean, std, bounds
        self.start: dict[str, Tensor] = {}

    @property
    def inputs(self) -> dict[str, tuple[int, ...]]:
        """Name and shape of each input, without the batch."""
        return {"observation": tuple(self.mean.shape)} | ({"noise": self.noise} if self.noise else {})

    @property
    def outputs(self) -> list[str]:
        """The names of the outputs."""
        return ["action"]

    def forward(self, observation: Tensor, *noise: Tensor) -> Tensor:
        return within(self.act((observation - self.mean) / self.std, *noise)) * self.scale + self.centre


def inference_graph(experiment: Experiment, replica: int) -> InferenceGraph | WithState:
    """The policy of this replica of a trained experiment, with the normalisation of observations and actions.

    Raises `InputError` where the method's policy cannot be exported.
    """
    replay, task = experiment.replay, experiment.task
    found = experiment.method.exportable(replica)
    low, high = (
        torch.tensor(bound or (default,) * task.action_size, dtype=torch.get_default_dtype())
        for bound, default in ((task.action_low, -1.0), (task.action_high, 1.0))
    )
    bounds = (low + high) / 2, (high - low) / 2
    if found.act is None:
        return WithState(experiment, replica, bounds, found)
    return InferenceGraph(found, replay.mean.cpu(), replay.std.cpu(), bounds)
