"""What determines a collected data set, and what the collector does differently for each task, with the reasons."""

from dataclasses import dataclass, field, replace
from typing import Annotated, Any

import tyro

from deep.tasks import find_task

LIMITS = ((100, 5, 5), (100, 10, 250), (100, 250, 20, 20), (100, 40, 5, 40))
"""Paths of the episodic cost limit that the runs follow in turn, each at even speed, for a largest cost of 250."""


def limits(task: str, run: int) -> tuple[float, ...]:
    """The path of this run, scaled to the largest episode cost in DSRL's data of the task."""
    scale = find_task(task).max_cost / 250
    return tuple(limit * scale for limit in LIMITS[run % len(LIMITS)])


@dataclass(frozen=True)
class PPOConfig:
    """Settings of PPO-Lagrangian."""

    environments: int = 64
    """Environments stepped together."""
    horizon: int = 64
    """Steps of each environment per iteration; environments x horizon is the batch."""
    segment: int = 50
    """Iterations between fresh starts of all environments, at which a run can be saved and resumed."""
    minibatch: int = 512
    """Transitions per gradient step."""
    epochs: int = 10
    """Passes over a batch at most; it ends early when the policy has moved by `max_kl`."""
    max_kl: float = 0.03
    """Estimated KL(old || new), in nats, after which the rest of the batch is skipped."""
    learning_rate: float = 3e-4
    """Adam's step size at the start; it falls linearly to a tenth."""
    clip: float = 0.2
    """The ratio pi / pi_old is clipped to [1 - clip, 1 + clip]."""
    gamma: float = 0.99
    """Discount of both critics."""
    gae_decay: float = 0.95
    """Decay (lambda) of the generalised advantage estimate."""
    max_gradient_norm: float = 0.5
    """Gradient clipping, for each network."""
    hidden: int = 64
    """Width of the two tanh layers of both networks."""
    initial_std: float = 0.6
    """Exploration noise at the start, in units of the actions, which lie in [-1, 1]; it is learned."""
    initial_multiplier: float = 0.0
    """lambda at the start; from 0 a run learns to move before it learns to hold back, from 0.5 many stand still."""
    max_multiplier: float = 1.0
    """Largest lambda; too strong a penalty costs the gait."""
    proportional_gain: float = 1.0
    """Change of lambda per unit of excess cost rate."""
    integral_gain: float = 0.05
    """Change of lambda per unit of excess cost rate and iteration."""
    terminal_cost_rate: float = 1.0
    """Cost rate credited after a fall: with 0, the cheapest policy would be the one that dies at once."""


@dataclass(frozen=True)
class Settings:
    """What determines the data: the same settings give the same file."""

    task: str = "HopperVel"
    """One of the 29 tasks; the other defaults shown are those for the task named before --help."""
    seed: int = 0
    """Everything random follows from it."""
    trajectories: int = 1000
    """Trajectories in the file."""
    episodes: int = 8
    """Episodes that each behaviour policy plays."""
    runs: int = 4
    """PPO runs; each follows one of the paths of limits."""
    pilots: int = 3
    """Beginnings of each run, of which the one that earns the most goes on."""
    pilot_segments: int = 1
    """Length of these beginnings, in segments of PPO."""
    noise: tuple[float, ...] = (1.0, 0.5)
    """Shares of their exploration noise that the snapshots play with, in turn."""
    snapshot_every: int = 6
    """Iterations of PPO between snapshots, which are the candidates for behaviour policies."""
    steps: int = 1_200_000
    """Environment steps of each run after its pilots, over all environments."""
    ppo: Annotated[PPOConfig, tyro.conf.arg(name="ppo")] = field(default_factory=PPOConfig)
    """Settings of the runs."""


SUITE = (
    "HopperVel", "HalfCheetahVel", "Walker2dVel", "AntVel", "BallRun", "CarRun", "BallCircle", "PointGoal1", "CarGoal1",
    "PointCircle1",
)  # fmt: skip
"""Tasks of every family whose pools tell methods apart on more than one task; each has a recipe."""

_SHORT_EPISODES: dict[str, Any] = {"steps": 400_000, "pilots": 1, "snapshot_every": 3}
"""Where episodes are short, more snapshots make up the trajectories; PPO is near its best within so many steps."""
_SPEED_COSTS: dict[str, Any] = _SHORT_EPISODES | {"ppo": PPOConfig(max_multiplier=4.0)}
"""Where speed is both the reward and the cost, full speed still pays with multipliers up to 1: two runs of BallRun kept
54 trajectories with 1, and 428 with 4."""
_SLOW_SIMULATOR: dict[str, Any] = {"steps": 600_000, "pilots": 1, "snapshot_every": 4}
"""Navigation steps take ten times as long as the others."""

RECIPES: dict[str, dict[str, Any]] = {
    "HopperVel": {},
    # These learn at once to move but need longer to move well. (HalfCheetah alone was run to its end.)
    **{name: {"steps": 3_000_000} for name in ("AntVel", "HalfCheetahVel", "SwimmerVel", "Walker2dVel")},
    # The other tasks cannot fall at the start, so one beginning is enough.
    "BallCircle": _SHORT_EPISODES,
    **dict.fromkeys(("BallRun", "CarRun"), _SPEED_COSTS),
    **dict.fromkeys(("PointGoal1", "CarGoal1"), _SLOW_SIMULATOR),
    "PointCircle1": {"steps": 400_000, "pilots": 1, "snapshot_every": 4},
}
"""What differs from `Settings` by task. notebooks/results/suite names those that were run, and with which settings."""


def recipe(task: str) -> Settings:
    """The default settings for a task; raises `InputError` for an unknown one."""
    name = find_task(task).name
    return replace(Settings(task=name), **RECIPES.get(name, {"pilots": 1}))
