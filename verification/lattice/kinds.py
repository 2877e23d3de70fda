r"""`python -m verification.lattice.kinds`: whether kinds of data do what they say, where the optimum is exact.

A pool of whole trajectories is played by behaviour policies from careless to cautious, and every kind of
`deep.data.kinds` is drawn from it. Return and cost of a trajectory are its discounted sums, whose expectation is the
value of its policy, so that they can be compared with the exact optimum of the task:

    pool        the best trajectory of the pool within the limit
    best        the best trajectory of the set within the limit, which BC-Best clones
    mean        the mean return of the set's trajectories within the limit, which BC-Safe clones
    supported   the optimum over policies that the set supports
    optimum     the constrained optimum of the task

all as scores R = (return - r_min) / (r_max - r_min), with the least and the largest value of any policy. A policy is
supported where it takes grid actions that the set's policies chose in the state at least `COUNT` times. Everywhere else
the task is made worse: no reward, and a cost of 1 at every later step. So `supported` is at most what the same policy
earns in the task itself. The best trajectory owes part of its return to luck, and more so where costs are random
(LatticeHeat); the mean does not.
"""

from verification.command import Parser, ends_cleanly

if __name__ == "__main__":  # before the imports that take seconds
    with ends_cleanly():
        Parser("verification.lattice.kinds", __doc__ or "").parse_args()

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch
from jaxtyping import Bool, Float64

from deep.core.randomness import generator
from deep.data.dataset import OfflineDataset
from deep.data.kinds import Kind, Plane, Subset, choose, good_safe_parts
from theory.cmdp.dense import FiniteCMDP
from theory.optimum import solve
from verification.lattice.data import JITTER, Behaviour
from verification.lattice.tasks import CUT, GAMMA, LATTICES, Lattice

RESULTS = Path(__file__).parent / "kinds.json"
MULTIPLIERS = (0.0, 0.1, 0.2, 0.3, 0.5, 0.8, 1.2, 2.0, 4.0, 8.0)
"""Multipliers of the behaviour policies, from one that does not care for costs to one that hardly moves."""
TRAJECTORIES = 1000
COUNT = 3
"""Occurrences of a grid action in a state that make a policy supported there."""
EPISODE = round(1 / (1 - GAMMA))
"""Steps of an episode on average: a rate times this is a discounted sum."""
SUBSET = Subset(window=0.5)
"""Good safe parts of half an average episode."""


@dataclass(frozen=True, eq=False)
class Pool:
    """Whole trajectories of CUT steps of a task, and the state and the grid action of every step."""

    data: OfflineDataset
    states: np.ndarray
    grid_actions: np.ndarray

    def discounted(self, values: np.ndarray) -> Float64[np.ndarray, " trajectory"]:
        """The discounted sum over every trajectory."""
        return values.reshape(-1, CUT).astype(np.float64) @ GAMMA ** np.arange(CUT)


def play(behaviour: Behaviour, trajectories: int, seed: int) -> Pool:
    """The policies in turn, by the finite CMDP itself: draw a grid action, jitter it, draw cost and next state."""
    lattice, rng = behaviour.lattice, np.random.default_rng(seed)
    cmdp, grid, choices = lattice.cmdp, lattice.actions, behaviour.choices.numpy()
    P, r, c = (values[0].numpy() for values in (cmdp.P, cmdp.r, cmdp.c))
    policies = np.arange(trajectories) % len(behaviour.multipliers)
    states, rows = _outcomes(np.tile(lattice.rho, (trajectories, 1)), rng), []
    for _ in range(CUT):
        chosen = _outcomes(choices[policies, states], rng)
        noise = JITTER * rng.standard_normal((trajectories, len(grid.axes)))
        action = np.clip(grid.nodes[chosen] + noise, -1, 1).astype(np.float32)
        weights = grid.weights(action.astype(np.float64))
        following = _outcomes(P[states, _outcomes(weights, rng)], rng)
        cost = rng.random(trajectories) < (weights * c[states]).sum(axis=1)
        rows.append((states, following, action, (weights * r[states]).sum(axis=1), cost, chosen))
        states = following
    before, after, actions, rewards, costs, grid_actions = (
        np.stack(column, axis=1).reshape(trajectories * CUT, *column[0].shape[1:]) for column in zip(*rows, strict=True)
    )
    points, timeouts = lattice.states.nodes, np.arange(trajectories * CUT) % CUT == CUT - 1
    data = OfflineDataset(
        task=lattice.name,
        observations=lattice.observe(points[before]),
        next_observations=lattice.observe(points[after]),
        actions=actions,
        rewards=rewards.astype(np.float32),
        costs=costs.astype(np.float32),
        terminals=np.zeros(len(timeouts), dtype=bool),
        timeouts=timeouts,
        policies=policies,
    )
    return Pool(data, before, grid_actions)


def _outcomes(weights: Float64[np.ndarray, "n outcome"], rng: np.random.Generator) -> np.ndarray:
    """One outcome per row, by inverting the cumulated weights."""
    cumulated = weights.cumsum(axis=1)
    return (rng.random((len(weights), 1)) * cumulated[:, -1:] >= cumulated).sum(axis=1)


def supported(lattice: Lattice, states: np.ndarray, grid_actions: np.ndarray) -> Bool[np.ndarray, "state action"]:
    """Which grid actions the data have in every state at least COUNT times."""
    counts = np.zeros((len(lattice.states.nodes), len(lattice.actions.nodes)), dtype=int)
    np.add.at(counts, (states, grid_actions), 1)
    return counts >= COUNT


def restricted(lattice: Lattice, known: Bool[np.ndarray, "state action"]) -> FiniteCMDP:
    """The task where what is not known earns nothing and costs 1 at this and every later step."""
    cmdp, states = lattice.cmdp, len(known)
    shape = (states + 1, known.shape[1])
    P, r, c = np.zeros((*shape, states + 1)), np.zeros(shape), np.ones(shape)
    P[..., states] = 1
    P[:states, :, :states][known] = cmdp.P[0].numpy()[known]
    P[:states, :, states][known] = 0
    r[:states][known], c[:states][known] = cmdp.r[0].numpy()[known], cmdp.c[0].numpy()[known]
    return FiniteCMDP(P, r, c, np.append(lattice.rho, 0), GAMMA, lattice.limits[0])


def optima(cmdp: FiniteCMDP, limits: tuple[float, ...]) -> list[float]:
    """The constrained optimum at every limit; NaN where no policy satisfies it."""
    batch = cmdp.select(torch.zeros(len(limits), dtype=torch.long)).with_budget(torch.tensor(limits))
    return solve(batch).value.tolist()


def rows(lattice: Lattice, kinds: Sequence[Kind] = get_args(Kind), seed: int = 0) -> list[dict[str, Any]]:
    """The measurements of these kinds at every limit; NaN (null in the file) where no supported policy satisfies it."""
    pool = play(Behaviour(lattice, MULTIPLIERS), TRAJECTORIES, seed)
    data, limits = pool.data, lattice.limits
    plane = Plane(pool.discounted(data.rewards), pool.discounted(data.costs), limits)
    shares = good_safe_parts(data, plane, EPISODE, SUBSET)
    optimum, found = optima(lattice.cmdp, limits), []
    for kind in kinds:
        chosen = choose(kind, plane, shares, SUBSET, generator(seed, "kind", kind), lattice.name)
        in_set = np.isin(np.repeat(np.arange(TRAJECTORIES), CUT), chosen)
        known = supported(lattice, pool.states[in_set], pool.grid_actions[in_set])
        reached = optima(restricted(lattice, known), limits)
        for number, limit in enumerate(limits):
            own = plane.returns[chosen][plane.within[number, chosen]]
            values = {"pool": plane.best[number], "best": own.max(), "mean": own.mean()}
            values |= {"supported": reached[number], "optimum": optimum[number]}
            scores = lattice.task.normalised_reward(list(values.values())).round(4).tolist()
            about = {"task": lattice.name, "kind": kind, "cost_limit": limit, "trajectories": len(chosen)}
            about |= {"within": len(own), "safe_share": round(float(plane.safe[chosen].mean()), 4)}
            found.append(about | dict(zip(values, scores, strict=True)))
    return found


def table(found: list[dict[str, Any]]) -> str:
    """A line for each task, kind and limit."""
    columns = ("pool", "best", "mean", "supported", "optimum")
    lines = [f"{'task':<14} {'kind':<12} limit  set within " + " ".join(f"{name:>9}" for name in columns)]
    for row in found:
        head = (
            f"{row['task']:<14} {row['kind']:<12} {row['cost_limit']:>5g} {row['trajectories']:>4} {row['within']:>6} "
        )
        lines.append(head + " ".join(f"{row[name]:>9.3f}" for name in columns))
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> None:
    """Measure all kinds on all tasks, write `RESULTS`, print the table."""
    Parser("verification.lattice.kinds", __doc__ or "").parse_args(arguments)
    found = [row for lattice in LATTICES.values() for row in rows(lattice)]
    about = {"command": "python -m verification.lattice.kinds", "seed": 0, "trajectories": TRAJECTORIES}
    about |= {"multipliers": MULTIPLIERS, "subset": asdict(SUBSET), "count": COUNT, "gamma": GAMMA}
    plain = [{key: None if value != value else value for key, value in row.items()} for row in found]
    RESULTS.write_text(json.dumps({"provenance": about, "results": plain}, indent=1) + "\n")
    print(table(found))


if __name__ == "__main__":
    with ends_cleanly():
        main()
