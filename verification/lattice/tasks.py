r"""Three tasks with continuous observations and actions that are finite constrained MDPs.

States are the nodes of a grid, observations their coordinates (an angle shows its cosine and sine). A continuous action
a in [-1, 1]^k is a mixture of the neighbouring grid actions g_j with the weights w_j(a) of `grid`, and the point that
the physics moves to is spread over the neighbouring nodes:

    P(s' | s, a) = sum_j w_j(a) w_{s'}(next(s, g_j)),   r(s, a) = sum_j w_j(a) r(s, g_j),   c(s, a) alike.

So a policy on [-1, 1]^k acts like the policy pi(j | s) = E_{a ~ pi} w_j(a) on a `FiniteCMDP` whose actions are the
grid actions: nothing is approximated. Rewards pay a little for small thrust, WEIGHT_OF_REST (1 - |g_j|^2 / k) on grid
actions, so that optima are not extreme everywhere.

An episode and the discounted sum: every step is an episode's last one with probability 1 - gamma, whatever state and
action, and this counts as a timeout. Step t is then played with probability gamma^t, so the *expected undiscounted sum
of an episode is the discounted value*, the states of the data are distributed as the discounted occupancy of the
behaviour policy, and critics that bootstrap through timeouts and discount by the same gamma estimate that same value.
A limit on an episode's cost is thus the theory's budget. Episodes are also cut after CUT steps, which changes a sum by
a share of about gamma^CUT = 1e-4.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Float64

from deep.tasks import TASKS, Task
from theory.cmdp.dense import FiniteCMDP
from theory.optimum import best_response
from verification.lattice.grid import Axis, Grid

GAMMA = 0.95
CUT = 180
WEIGHT_OF_REST = 0.1

Points = Float64[np.ndarray, "n _"]
Numbers = Float64[np.ndarray, " n"]


class Step(NamedTuple):
    """What the physics does with n pairs of state and grid action: next points, rewards >= 0, costs in [0, 1]."""

    next_points: Points
    rewards: Numbers
    costs: Numbers


@dataclass(frozen=True)
class Lattice:
    """A task: grids of states and of actions in [-1, 1]^k, physics at grid points, start weights, limits to train for.

    `physics` maps states (n, axis) and actions (n, k) to a `Step`; `start` maps nodes to unnormalised weights. Limits
    are costs per episode, which are also budgets on the discounted cost.
    """

    name: str
    states: Grid
    actions: Grid
    physics: Callable[[Points, Points], Step]
    start: Callable[[Points], Numbers]
    limits: tuple[float, ...]

    @cached_property
    def rho(self) -> Float64[np.ndarray, " state"]:
        """The start distribution over nodes."""
        weights = self.start(self.states.nodes)
        return weights / weights.sum()

    @cached_property
    def cmdp(self) -> FiniteCMDP:
        """The task as a finite CMDP, its budget the first limit; `with_budget` gives the others."""
        nodes, actions = self.states.nodes, self.actions.nodes
        step = self.physics(np.repeat(nodes, len(actions), axis=0), np.tile(actions, (len(nodes), 1)))
        shape = (len(nodes), len(actions))
        P = self.states.weights(step.next_points).reshape(*shape, len(nodes))
        return FiniteCMDP(P, step.rewards.reshape(shape), step.costs.reshape(shape), self.rho, GAMMA, self.limits[0])

    def observe(self, points: Points) -> Float[np.ndarray, "n obs"]:
        """Coordinates as a learner sees them, float32."""
        columns = []
        for axis, x in zip(self.states.axes, points.T, strict=True):
            angle = 2 * np.pi * (x - axis.low) / (axis.high - axis.low)
            columns += [np.cos(angle), np.sin(angle)] if axis.periodic else [x]
        return np.stack(columns, axis=1).astype(np.float32)

    @cached_property
    def task(self) -> Task:
        """The task as a learner sees it. The reference returns are exactly the least and largest discounted return."""
        (low, high) = (
            float((self.cmdp.rho * best_response(self.cmdp, sign * self.cmdp.r)[1]).sum()) * sign for sign in (-1, 1)
        )
        # What only chooses a simulator stays as it is in the table; no method looks at it.
        return replace(
            TASKS["HopperVel"],
            name=self.name,
            dsrl_id="",
            dsrl_file="",
            observation_size=self.observe(self.states.nodes).shape[1],
            action_size=len(self.actions.axes),
            episode_length=CUT,
            reward_range=(low, high),
            max_cost=float(CUT),
            cost_limits=self.limits,
            timeout_rate=1 - GAMMA,
        )


def _rest(actions: Points) -> Numbers:
    """The reward of small thrust, between 0 and WEIGHT_OF_REST."""
    return WEIGHT_OF_REST * (1 - np.square(actions).mean(axis=1))


def _speed_limit(states: Points, actions: Points) -> Step:
    """A car on a hilly circular track is paid for its speed; every step faster than the limit costs 1."""
    angle, speed = states.T
    hill = 0.5 * np.sin(2 * np.pi * angle)
    faster = np.clip(speed + 0.2 * (1.2 * actions[:, 0] - 0.8 * speed - hill), 0, 1)
    return Step(np.stack([angle + 0.15 * faster, faster], axis=1), speed + _rest(actions), (speed > 0.55).astype(float))


def _hazard(states: Points, actions: Points) -> Step:
    """A point in the plane is paid for being near the goal; every step in the disc on the straight way costs 1."""
    to_goal = np.linalg.norm(states - np.array([0.8, 0.0]), axis=1)
    in_hazard = np.linalg.norm(states, axis=1) < 0.65
    return Step(
        np.clip(states + 0.25 * actions, -1, 1),
        np.maximum(0, 1 - to_goal / 1.2) + _rest(actions),
        in_hazard.astype(float),
    )


def _overheating(states: Points, actions: Points) -> Step:
    """An engine is paid for its speed; power makes speed and heat, and a step costs 1 with probability heat^2."""
    speed, heat = states.T
    power = (1 + actions[:, 0]) / 2
    next_points = np.stack([speed + 0.35 * (power - speed), heat + 0.3 * (power - heat)], axis=1)
    return Step(next_points, speed + _rest(actions), np.square(heat))


FIVE = Axis(-1, 1, 5)

LATTICES = {
    lattice.name: lattice
    for lattice in (
        Lattice(
            name="LatticeSpeed",
            states=Grid((Axis(0, 1, 12, periodic=True), Axis(0, 1, 11))),
            actions=Grid((FIVE,)),
            physics=_speed_limit,
            start=lambda nodes: (nodes[:, 1] < 0.25).astype(float),
            limits=(2.0, 5.0),
        ),
        Lattice(
            name="LatticeHazard",
            states=Grid((Axis(-1, 1, 11), Axis(-1, 1, 11))),
            actions=Grid((FIVE, FIVE)),
            physics=_hazard,
            start=lambda nodes: ((nodes[:, 0] < -0.7) & (np.abs(nodes[:, 1]) < 0.5)).astype(float),
            limits=(0.5, 1.5),
        ),
        Lattice(
            name="LatticeHeat",
            states=Grid((Axis(0, 1, 9), Axis(0, 1, 9))),
            actions=Grid((FIVE,)),
            physics=_overheating,
            start=lambda nodes: (nodes < 0.3).all(axis=1).astype(float),
            limits=(2.0, 5.0),
        ),
    )
}
"""The tasks by name: a speed limit, a hazard to go around, and a reward that cannot be had without its cost."""
