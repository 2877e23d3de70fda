"""The tasks, in one table: simulator, sizes, episode length, reference returns and cost limits.

`python -m deep.tasks` lists them, with those that this machine can simulate.
"""

from __future__ import annotations

import argparse
import importlib
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from theory.support.errors import InputError, exit_on_closed_output, exit_on_input_error, exit_on_interrupt

if TYPE_CHECKING:
    import gymnasium


Family = Literal["velocity", "navigation", "bullet", "custom"]
"""The kinds of simulators; the module `deep.envs.<family>` makes each. No row of the table is "custom": this is the
family of the task that `deep.data.custom` derives from a custom data set."""

COST_ROUNDING = 1e-6
"""The relative rounding of a sum of costs. Data hold costs in float32, each off by at most 6e-8 of itself, and so is
their sum; the rest is for costs that were computed in float32."""


def within_limit(costs: ArrayLike, limit: ArrayLike) -> np.ndarray:
    """Whether episode costs satisfy a cost limit up to rounding, elementwise: cost <= limit (1 + 1e-6).

    Ten costs of .1 in float32 sum to 1.0000000149 and satisfy the limit 1. A limit of 0 is satisfied by 0 alone.
    """
    return np.asarray(costs, dtype=np.float64) <= np.asarray(limit, dtype=np.float64) * (1 + COST_ROUNDING)


@dataclass(frozen=True)
class Task:
    """One row of the table. Returns and costs are sums over an episode, undiscounted.

    Attributes:
        name: short name, as the commands accept it.
        family: which simulator it needs; "velocity" needs MuJoCo alone, navigation and bullet old packages besides.
        dsrl_id: the task's id in the DSRL benchmark.
        dsrl_file: name of DSRL's data file.
        observation_size: length of an observation vector.
        action_size: length of an action vector; every action lies in [-1, 1], see `action_low`.
        episode_length: steps after which an episode times out.
        reward_range: DSRL's reference returns (r_min, r_max), which become the scores 0 and 1.
        max_cost: the largest episode cost in DSRL's data.
        velocity_threshold: in the velocity tasks, a step costs 1 when the speed [m/s] exceeds this, else 0.
        cost_limits: the episode cost limits at which DSRL reports results.
        timeout_rate: the probability that a step times the episode out before `episode_length`; 0 on DSRL's tasks.
        env: custom data sets: the gymnasium id of the simulator, None if there is none.
        action_low: custom data sets: the action -1 in the units of the file and the simulator; empty: -1 itself.
        action_high: custom data sets: the action 1 there.
    """

    name: str
    family: Family
    dsrl_id: str
    dsrl_file: str
    observation_size: int
    action_size: int
    episode_length: int
    reward_range: tuple[float, float]
    max_cost: float
    velocity_threshold: float | None = None
    cost_limits: tuple[float, ...] = (20.0, 40.0, 80.0)
    timeout_rate: float = 0.0
    env: str | None = None
    action_low: tuple[float, ...] = ()
    action_high: tuple[float, ...] = ()

    @property
    def simulated(self) -> bool:
        """Whether the task has a simulator."""
        return self.family != "custom" or self.env is not None

    @property
    def expected_length(self) -> float:
        """The expected steps of an episode that no terminal state ends: sum_t (1 - timeout_rate)^t."""
        rate = self.timeout_rate
        return (1 - (1 - rate) ** self.episode_length) / rate if rate > 0 else float(self.episode_length)

    def in_own_units(self, actions: ArrayLike) -> np.ndarray:
        """Actions in [-1, 1] in the units of file and simulator, float64: low + (a + 1) / 2 (high - low)."""
        actions = np.asarray(actions, dtype=np.float64)
        if not self.action_low:
            return actions
        low, high = np.array(self.action_low), np.array(self.action_high)
        return low + (actions + 1) / 2 * (high - low)

    def normalised_reward(self, returns: ArrayLike) -> np.ndarray:
        """DSRL's reward score R = (return - r_min) / (r_max - r_min), elementwise."""
        low, high = self.reward_range
        return (np.asarray(returns, dtype=np.float64) - low) / (high - low)

    def normalised_cost(self, costs: ArrayLike, limit: float) -> np.ndarray:
        """DSRL's cost score C = (cost + e) / (limit + e), elementwise, with e = 1 when limit = 0 and e = 0 otherwise.

        An episode satisfies the limit when C <= 1, up to rounding (`within_limit`).

        Raises `InputError` for a negative or non-finite limit.
        """
        if not 0 <= limit < np.inf:
            raise InputError(f"cost limit {limit} is not accepted: it must be a finite number of at least 0")
        shift = 1.0 if limit == 0 else 0.0
        return (np.asarray(costs, dtype=np.float64) + shift) / (limit + shift)


def _velocity(
    robot: str, sizes: tuple[int, int], returns: tuple[float, float], max_cost: float, file: str, threshold: float
) -> Task:
    key = f"{robot}VelocityGymnasium-v1"
    names = (f"{robot}Vel", "velocity", f"Offline{key}", f"Safety{key}-{file}.hdf5")
    return Task(*names, *sizes, 1000, returns, max_cost, velocity_threshold=threshold)


def _navigation(
    name: str, observations: int, length: int, returns: tuple[float, float], max_cost: float, file: str
) -> Task:
    key = f"{name}Gymnasium-v0"
    return Task(
        name, "navigation", f"Offline{key}", f"Safety{key}-{file}.hdf5", observations, 2, length, returns, max_cost
    )


def _bullet(
    name: str, sizes: tuple[int, int], length: int, returns: tuple[float, float], max_cost: float, file: str
) -> Task:
    names = (name, "bullet", f"Offline{name}-v0", f"Safety{name}-v0-{file}.hdf5")
    return Task(*names, *sizes, length, returns, max_cost, cost_limits=(10.0, 20.0, 40.0))


# Lengths, reference returns, largest costs and file names are those of the file `infos` of dsrl 0.1.0, to the last
# digit (and the r_min of CarButton2 is that of AntRun there).
TASKS = {
    task.name: task
    for task in (
        _velocity("Ant", (27, 8), (6.1519012451171875, 2976.276611328125), 250.0, "250-2249", 2.6222),
        _velocity("HalfCheetah", (17, 6), (5.7509765625, 2806.93310546875), 250.0, "250-2495", 3.2096),
        _velocity("Hopper", (11, 3), (37.05154800415039, 1911.396728515625), 250.0, "250-2240", 0.7402),
        _velocity("Swimmer", (8, 2), (0.07114458084106445, 238.95831298828125), 200.0, "200-1686", 0.2282),
        _velocity("Walker2d", (17, 6), (18.668498992919922, 3418.223876953125), 300.0, "300-2729", 2.3415),
        _navigation("PointCircle1", 28, 500, (20.067626953125, 61.72819519042969), 200.0, "200-1098"),
        _navigation("PointCircle2", 28, 500, (20.478347778320312, 54.02184295654297), 299.0, "300-895"),
        _navigation("PointGoal1", 60, 1000, (0.01196012764197707, 30.071114857340543), 100.0, "100-2022"),
        _navigation("PointGoal2", 60, 1000, (0.002616959830266108, 27.717709787852737), 200.0, "200-3442"),
        _navigation("PointButton1", 76, 1000, (0.008822109034937853, 41.19301568767707), 200.0, "200-2268"),
        _navigation("PointButton2", 76, 1000, (0.014114166087574098, 42.8985953616709), 250.0, "250-3288"),
        _navigation("PointPush1", 76, 1000, (0.0014001545292344209, 16.518654299293367), 150.0, "150-2379"),
        _navigation("PointPush2", 76, 1000, (0.0012438183001730607, 14.691039145644403), 200.0, "200-3242"),
        _navigation("CarCircle1", 40, 500, (8.037073135375977, 24.94155502319336), 250.0, "250-1271"),
        _navigation("CarCircle2", 40, 500, (5.113386154174805, 25.950098037719727), 398.0, "400-940"),
        _navigation("CarGoal1", 72, 1000, (0.012232819540852091, 39.907809198384705), 120.0, "120-1671"),
        _navigation("CarGoal2", 72, 1000, (0.001032874531954775, 28.902897990056502), 200.0, "200-4105"),
        _navigation("CarButton1", 88, 1000, (0.0028926206826067613, 44.420003345738984), 250.0, "250-2656"),
        _navigation("CarButton2", 88, 1000, (0.001767391717990563, 41.99513815522894), 300.0, "300-3755"),
        _navigation("CarPush1", 88, 1000, (0.013700173533941762, 16.304467598905237), 200.0, "200-2871"),
        _navigation("CarPush2", 88, 1000, (0.00029391133526335267, 15.141648491514314), 250.0, "250-4407"),
        _bullet("AntRun", (33, 8), 200, (0.001767391717990563, 955.4818725585938), 150.0, "150-1816"),
        _bullet("AntCircle", (34, 8), 500, (0.0177031010389328, 460.7091979980469), 200.0, "200-5728"),
        _bullet("BallRun", (7, 2), 100, (26.339754104614258, 1327.445556640625), 80.0, "80-940"),
        _bullet("BallCircle", (8, 2), 200, (0.38312244415283203, 881.46337890625), 80.0, "80-886"),
        _bullet("CarRun", (7, 2), 200, (204.28726196289062, 574.6533203125), 40.0, "40-651"),
        _bullet("CarCircle", (8, 2), 300, (3.484419822692871, 534.3060913085938), 100.0, "100-1450"),
        _bullet("DroneRun", (17, 4), 200, (10.557029724121094, 682.8330078125), 140.0, "140-1990"),
        _bullet("DroneCircle", (18, 4), 300, (207.794189453125, 996.38916015625), 100.0, "100-1923"),
    )
}
METADRIVE = (
    "not supported, because DSRL makes these tasks with the discontinued package gym, which does not support numpy 2"
)
_SHOWN_LETTERS = 80
_METADRIVE_NAMES = {
    f"{road}{traffic}" for road in ("easy", "medium", "hard") for traffic in ("sparse", "mean", "dense")
}


def spellings(task: Task) -> tuple[str, ...]:
    """The names of a task of the table: the short one, DSRL's id, DSRL's name of the environment, Safety-Gymnasium's.

    For instance HopperVel, OfflineHopperVelocityGymnasium-v1, SafetyHopperVelocityGymnasium-v1 and
    SafetyHopperVelocity-v1.
    """
    environment = "Safety" + task.dsrl_id.removeprefix("Offline")
    return tuple(dict.fromkeys((task.name, task.dsrl_id, environment, environment.replace("Gymnasium-", "-"))))


def find_task(name: str) -> Task:
    """The task with one of these names (`spellings`), in upper or lower case.

    Raises `InputError` for any other name, with the closest one where there is one.
    """
    by_name = {spelling.casefold(): task for task in TASKS.values() for spelling in spellings(task)}
    if task := by_name.get(name.casefold()):
        return task
    if name in _METADRIVE_NAMES or "metadrive" in name.lower():
        raise InputError(f"task {name!r} is {METADRIVE}; accepted are {', '.join(TASKS)} and their DSRL ids")
    close = get_close_matches(name.casefold(), by_name, n=1, cutoff=0.75)
    shown = repr(name) if len(name) <= _SHOWN_LETTERS else repr(name[:_SHOWN_LETTERS]) + f" ... ({len(name)} letters)"
    raise InputError(
        f"unknown task {shown}"
        + (f", did you mean {by_name[close[0]].name}?" if close else "")
        + f": accepted are {', '.join(TASKS)} and their ids in DSRL and Safety-Gymnasium, such as {_example_id()}"
    )


def make(task: Task, render_mode: str | None = None) -> gymnasium.Env:
    """The task's simulator: a gymnasium environment that reports each step's cost as a float in `info["cost"]`.

    `reset(seed=...)` makes what follows depend on that seed and the actions alone, not on earlier episodes, and an
    episode times out after `task.episode_length` steps. Each family treats actions outside [-1, 1] in its own way,
    which the modules in `deep.envs` describe; the actions of data sets and policies here lie inside.

    Args:
        task: a row of the table.
        render_mode: None, or "rgb_array" for `render()` to return a frame of shape (480, 480, 3), uint8.

    Raises:
        InputError: the render mode is unknown, this machine cannot render, or a package of the simulator is missing.
    """
    # Imported here, so that reading the table stays quick.
    try:
        simulator = importlib.import_module(f"deep.envs.{task.family}")
    except ImportError as error:
        raise InputError(f"the {task.family} tasks cannot be simulated here: {error}") from error
    return simulator.make(task, render_mode)


def missing(family: Family) -> str | None:
    """Why the simulator of a family does not work here, in one sentence; None if it does (one is made to see)."""
    try:
        make(next(task for task in TASKS.values() if task.family == family)).close()
    except InputError as error:
        return str(error)
    return None


def _example_id() -> str:
    return next(iter(TASKS.values())).dsrl_id


def main(arguments: list[str] | None = None, prog: str = "python -m deep.tasks") -> None:
    """List the tasks by family, and what is missing for them."""
    parser = argparse.ArgumentParser(
        prog=prog, description="List the tasks by family; name what this machine lacks to simulate them."
    )
    parser.add_argument("--help-all", action="help", help="the same as --help")
    saved = "nothing was to be saved"
    with exit_on_closed_output(), exit_on_interrupt(lambda: saved), exit_on_input_error():
        _, unknown = parser.parse_known_args(arguments)
        if unknown:
            raise InputError(f"unknown option {unknown[0]}: accepted is --help")
        _list()


def _list() -> None:
    for family in get_args(Family):
        if family == "custom":
            continue
        tasks = [task for task in TASKS.values() if task.family == family]
        lack = missing(family)
        print(f"{family}: {len(tasks)} tasks, " + (f"not available: {lack}" if lack else "available"))
        for task in tasks:
            sizes = f"{task.observation_size:2d} observations {task.action_size} actions {task.episode_length:4d} steps"
            low, high = task.reward_range
            print(f"  {task.name:15s} {sizes}  returns {low:7.2f} to {high:8.2f}  {task.dsrl_id}")
    print(f"MetaDrive: {METADRIVE}")


if __name__ == "__main__":
    main()
