"""What a run keeps of its data: enough to rebuild its policies without the data's file.

config.json names where the data were, their hash, the normaliser and the task. A few transitions made from these stand
for the data where the learner is built and its tensors are filled from the checkpoint. They have the sizes, the
normaliser, the extremes of rewards and costs, and a trajectory that satisfies every limit; they are not to be trained
on and nothing can be estimated from them. `tests/methods/test_registry.py` compares the policies of every method.
"""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from deep.core.files import wrong_form
from deep.data.dataset import OfflineDataset
from deep.data.replay import Replay
from deep.runs.settings import built_from
from deep.tasks import Task


class StandIn(NamedTuple):
    """The task, the stand-in for its data, and the normaliser of the real data: mean and deviation, (obs,) each."""

    task: Task
    data: OfflineDataset
    mean: Float[np.ndarray, " obs"]
    std: Float[np.ndarray, " obs"]


def description(task: Task, data: OfflineDataset, replay: Replay) -> dict[str, Any]:
    """What config.json says of the data."""
    positive = data.costs[data.costs > 0]
    return {
        "source": data.source,
        "path": None if data.path is None else str(data.path.absolute()),
        "sha256": data.sha256,
        "transitions": len(data),
        "mean": replay.mean.tolist(),
        "std": replay.std.tolist(),
        "rewards": [float(data.rewards.min()), float(data.rewards.max())],
        "positive_costs": [float(positive.min()), float(positive.max())] if positive.size else [],
        "task": asdict(task),
    }


def stand_in(run: Path, about: Mapping[str, Any]) -> StandIn:
    """The stand-in for the data of the run in this folder. Raises `InputError` where the description is damaged."""
    with wrong_form(run / "config.json", "the description of a run's data"):
        task = built_from(Task, about["task"])
        if not isinstance(task, Task):
            raise TypeError(f"the task {about['task']!r}")
        mean, std = (np.array(about[name], dtype=np.float64) for name in ("mean", "std"))
        if mean.shape != (task.observation_size,) or std.shape != mean.shape:
            raise ValueError(f"a normaliser of shapes {mean.shape} and {std.shape}")
        return StandIn(task, _transitions(task, about, mean), mean, std)


def _transitions(task: Task, about: Mapping[str, Any], mean: Float[np.ndarray, " obs"]) -> OfflineDataset:
    """Two trajectories of two steps: the first costs nothing, the second has the data's least and largest cost."""
    least, largest = (float(reward) for reward in about["rewards"])
    rewards, costs = [least, largest, least, largest], [0.0, 0.0, *(about["positive_costs"] or (0.0, 0.0))]
    observations = np.tile(mean, (4, 1)).astype(np.float32)
    return OfflineDataset(
        task=task.name,
        observations=observations,
        next_observations=observations,
        actions=np.zeros((4, task.action_size), dtype=np.float32),
        rewards=np.array(rewards, dtype=np.float32),
        costs=np.array(costs, dtype=np.float32),
        terminals=np.zeros(4, dtype=bool),
        timeouts=np.array([False, True, False, True]),
        source="memory",
        sha256=about["sha256"],
    )
