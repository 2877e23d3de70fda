"""The hybrid extension of DRCORL (appendix B.1): a few episodes in the simulator while training, every one counted."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from deep.core.validation import AT_LEAST_0, AT_LEAST_1, check_ranges
from deep.data.replay import Batch, Replay

if TYPE_CHECKING:
    from deep.envs.rollout import OnStep


@dataclass(frozen=True)
class OnlineConfig:
    """The simulator episodes of a hybrid agent; the default is none."""

    episodes: int = 0
    """Simulator episodes for each replica at every policy evaluation; 0 keeps training offline."""
    update_critics: bool = False
    """Train the cost critics and the policy on these episodes: B.1's second form (its first is the gate)."""
    fraction: float = 0.25
    """update_critics: their share of a minibatch."""
    buffer_episodes: int = 20
    """update_critics: how many of a replica's latest episodes the buffer holds."""

    def __post_init__(self) -> None:
        check_ranges(self, "online.", episodes=AT_LEAST_0, buffer_episodes=AT_LEAST_1)


class OnlineReplay:
    """The latest simulator transitions of each replica, and minibatches that contain a share of them."""

    FIELDS = ("observations", "actions", "rewards", "costs", "next_observations", "not_terminal")

    def __init__(self, config: OnlineConfig, replay: Replay, reward_scale: float, replicas: int, length: int) -> None:
        self.replay, self.reward_scale = replay, reward_scale
        self.capacity = config.buffer_episodes * length
        self.fraction = config.fraction
        like = {name: getattr(replay, name) for name in self.FIELDS}
        self._stored = {
            name: torch.zeros(replicas, self.capacity, *tensor.shape[1:], dtype=tensor.dtype, device=tensor.device)
            for name, tensor in like.items()
        }
        self.written = torch.zeros(replicas, dtype=torch.int64, device=replay.mean.device)
        """Transitions that each replica has ever stored; the latest `capacity` of them are there."""

    def tensors(self) -> dict[str, Tensor]:
        return {f"online.{name}": tensor for name, tensor in self._stored.items()} | {"online.written": self.written}

    def recorder(self) -> "OnStep":
        """A callback for `rollout` that stores every transition."""

        def to_tensor(array: np.ndarray) -> Tensor:
            return torch.from_numpy(np.asarray(array)).to(self.replay.mean)

        def on_step(replica: Int[np.ndarray, " n"], observations: np.ndarray, actions: np.ndarray, step) -> None:
            # Several episodes of a replica step together: the n-th of them goes to the n-th free place.
            nth = np.arange(len(replica)) - np.searchsorted(replica, replica)
            replica_rows = torch.from_numpy(replica).to(self.written.device)
            places = (self.written[replica_rows] + torch.from_numpy(nth).to(replica_rows)) % self.capacity
            rows = {
                "observations": self.replay.normalise(to_tensor(observations)),
                "actions": to_tensor(actions).clamp(-1, 1),
                "rewards": to_tensor(step.rewards) * self.reward_scale,
                "costs": to_tensor(step.costs),
                "next_observations": self.replay.normalise(to_tensor(step.observations)),
                "not_terminal": to_tensor(~step.terminated),
            }
            for name, values in rows.items():
                self._stored[name][replica_rows, places] = values
            self.written += torch.bincount(replica_rows, minlength=len(self.written))

        return on_step

    def mix(self, batch: Batch, uniform: Float[Tensor, "replicas batch"]) -> Batch:
        """The batch with its leading share replaced by stored transitions, for replicas that have any.

        The sums to go stay those of the data: only the regression that precedes adaptation uses them.
        """
        size = int(self.fraction * batch.actions.shape[1])
        count = self.written.clamp(max=self.capacity).unsqueeze(1)
        rows = (uniform[:, :size].double() * count).long()
        replica = torch.arange(len(rows), device=rows.device).unsqueeze(1)

        def mixed(name: str) -> Tensor:
            data = getattr(batch, name)
            has_stored = (count > 0).view(-1, *[1] * (data.dim() - 1))
            head = torch.where(has_stored, self._stored[name][replica, rows], data[:, :size])
            return torch.cat([head, data[:, size:]], dim=1)

        return batch._replace(**{name: mixed(name) for name in self.FIELDS})
