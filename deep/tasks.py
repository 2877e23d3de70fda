"""The tasks, in one table: simulator, sizes, episode length, reference returns and cost limits.

`python -m deep.tasks` lists them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from theory.errors import InputError

if TYPE_CHECKING:
    import gymnasium


@dataclass(frozen=True)
class Task:
    """One row of the table. Returns and costs are sums over an episode, undiscounted.

    Attributes:
        name: short name, as the commands accept it.
        dsrl_id: the task's id in the DSRL benchmark.
        dsrl_file: name of DSRL's data file.
        observation_size: length of an observation vector.
        action_size: length of an action vector; every action lies in [-1, 1].
        episode_length: steps after which an episode times out.
        reward_range: DSRL's reference returns (r_min, r_max), which become the scores 0 and 1.
        max_cost: the largest episode cost in DSRL's data.
        velocity_threshold: a step costs 1 when the speed [m/s] exceeds this, else 0.
        cost_limits: the episode cost limits at which DSRL reports results.
        time_out_rate: the probability that a step times the episode out before `episode_length`; 0 on DSRL's tasks.
    """

    name: str
    dsrl_id: str
    dsrl_file: str
    observation_size: int
    action_size: int
    episode_length: int
    reward_range: tuple[float, float]
    max_cost: float
    velocity_threshold: float
    cost_limits: tuple[float, ...] = (20.0, 40.0, 80.0)
    time_out_rate: float = 0.0

    @property
    def expected_length(self) -> float:
        """The expected steps of an episode that no terminal state ends: sum_t (1 - time_out_rate)^t."""
        rate = self.time_out_rate
        return (1 - (1 - rate) ** self.episode_length) / rate if rate > 0 else float(self.episode_length)

    def normalised_reward(self, returns: ArrayLike) -> np.ndarray:
        """DSRL's reward score R = (return - r_min) / (r_max - r_min), elementwise."""
        low, high = self.reward_range
        return (np.asarray(returns, dtype=np.float64) - low) / (high - low)

    def normalised_cost(self, costs: ArrayLike, limit: float) -> np.ndarray:
        """DSRL's cost score C = (cost + e) / (limit + e), elementwise, with e = 1 when limit = 0 and e = 0 otherwise.

        An episode keeps the limit when C <= 1. Raises `InputError` for a negative or non-finite limit.
        """
        if not 0 <= limit < np.inf:
            raise InputError(f"cost limit {limit} is not accepted: it must be a finite number of at least 0")
        shift = 1.0 if limit == 0 else 0.0
        return (np.asarray(costs, dtype=np.float64) + shift) / (limit + shift)


TASKS = {
    task.name: task
    for task in (
        Task(
            name="AntVel",
            dsrl_id="OfflineAntVelocityGymnasium-v1",
            dsrl_file="SafetyAntVelocityGymnasium-v1-250-2249.hdf5",
            observation_size=27,
            action_size=8,
            episode_length=1000,
            reward_range=(6.1519012451171875, 2976.276611328125),
            max_cost=250.0,
            velocity_threshold=2.6222,
        ),
        Task(
            name="HalfCheetahVel",
            dsrl_id="OfflineHalfCheetahVelocityGymnasium-v1",
            dsrl_file="SafetyHalfCheetahVelocityGymnasium-v1-250-2495.hdf5",
            observation_size=17,
            action_size=6,
            episode_length=1000,
            reward_range=(5.7509765625, 2806.93310546875),
            max_cost=250.0,
            velocity_threshold=3.2096,
        ),
        Task(
            name="HopperVel",
            dsrl_id="OfflineHopperVelocityGymnasium-v1",
            dsrl_file="SafetyHopperVelocityGymnasium-v1-250-2240.hdf5",
            observation_size=11,
            action_size=3,
            episode_length=1000,
            reward_range=(37.05154800415039, 1911.396728515625),
            max_cost=250.0,
            velocity_threshold=0.7402,
        ),
        Task(
            name="SwimmerVel",
            dsrl_id="OfflineSwimmerVelocityGymnasium-v1",
            dsrl_file="SafetySwimmerVelocityGymnasium-v1-200-1686.hdf5",
            observation_size=8,
            action_size=2,
            episode_length=1000,
            reward_range=(0.07114458084106445, 238.95831298828125),
            max_cost=200.0,
            velocity_threshold=0.2282,
        ),
        Task(
            name="Walker2dVel",
            dsrl_id="OfflineWalker2dVelocityGymnasium-v1",
            dsrl_file="SafetyWalker2dVelocityGymnasium-v1-300-2729.hdf5",
            observation_size=17,
            action_size=6,
            episode_length=1000,
            reward_range=(18.668498992919922, 3418.223876953125),
            max_cost=300.0,
            velocity_threshold=2.3415,
        ),
    )
}


def find_task(name: str) -> Task:
    """The task with this short name or DSRL id; raises `InputError` for any other name."""
    for task in TASKS.values():
        if name in (task.name, task.dsrl_id):
            return task
    raise InputError(
        f"unknown task {name!r}: accepted are {', '.join(TASKS)} and their DSRL ids, such as {_example_id()}"
    )


def make(task: Task, render_mode: str | None = None) -> gymnasium.Env:
    """The task's simulator: a gymnasium environment that reports each step's cost in `info["cost"]`.

    Args:
        task: a row of the table.
        render_mode: None, or "rgb_array" for `render()` to return a frame of shape (480, 480, 3), uint8.

    Raises:
        InputError: the render mode is unknown, or this machine cannot render.
    """
    from deep.simulators import velocity  # imported here, so that reading the table stays quick

    return velocity.make(task, render_mode)


def _example_id() -> str:
    return next(iter(TASKS.values())).dsrl_id


def main() -> None:
    """List the tasks."""
    for task in TASKS.values():
        sizes = f"{task.observation_size:3d} observations {task.action_size:2d} actions"
        low, high = task.reward_range
        print(f"{task.name:15s} {sizes}  returns {low:7.2f} to {high:8.2f}  {task.dsrl_id}")


if __name__ == "__main__":
    main()
