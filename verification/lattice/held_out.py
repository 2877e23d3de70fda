"""`python -m verification.lattice.held_out`: DRCORL and cloning on two tasks on which nothing was chosen.

The learners and their settings are those of `verification.lattice.trials`. The results lie beside those of
`verification.lattice.direction`.
"""

from verification.command import check_early, ends_cleanly

if __name__ == "__main__":
    check_early("verification.lattice.held_out")

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from theory.support.command import read
from theory.support.errors import InputError
from verification.lattice.direction import RESULTS
from verification.lattice.grid import Axis, Grid
from verification.lattice.methods import run
from verification.lattice.tasks import FIVE, WEIGHT_OF_REST, Lattice, Numbers, Points, Step
from verification.lattice.trials import TRIALS


def _rest(actions: Points) -> Numbers:
    """The reward of small thrust, as in `verification.lattice.tasks`."""
    return WEIGHT_OF_REST * (1 - np.square(actions).mean(axis=1))


def _two_discs(states: Points, actions: Points) -> Step:
    """A point in the plane is paid for being near the goal; a wind drifts it to one side, and a step in either of two
    discs costs 1."""
    to_goal = np.linalg.norm(states - np.array([0.8, 0.6]), axis=1)
    first = np.linalg.norm(states - np.array([-0.2, -0.4]), axis=1) < 0.45
    second = np.linalg.norm(states - np.array([0.4, 0.4]), axis=1) < 0.3
    return Step(
        np.clip(states + 0.25 * actions + np.array([0.0, -0.06]), -1, 1),
        np.maximum(0, 1 - to_goal / 1.4) + _rest(actions),
        (first | second).astype(float),
    )


def _battery(states: Points, actions: Points) -> Step:
    """A vehicle is paid for its speed, which drains its battery; a step costs 1 with a probability that rises from 0 at
    two fifths of the charge to 1 at an empty battery."""
    speed, charge = states.T
    power = (1 + actions[:, 0]) / 2
    next_points = [speed + 0.4 * (power - speed), np.clip(charge + 0.12 * (1 - 2 * power), 0, 1)]
    return Step(np.stack(next_points, axis=1), speed + _rest(actions), np.clip(1 - 2.5 * charge, 0, 1))


HELD_OUT = {
    lattice.name: lattice
    for lattice in (
        Lattice(
            name="LatticeDiscs",
            states=Grid((Axis(-1, 1, 11), Axis(-1, 1, 11))),
            actions=Grid((FIVE, FIVE)),
            physics=_two_discs,
            start=lambda nodes: ((nodes[:, 0] < -0.7) & (np.abs(nodes[:, 1]) < 0.7)).astype(float),
            limits=(0.3, 1.0),
        ),
        Lattice(
            name="LatticeBattery",
            states=Grid((Axis(0, 1, 9), Axis(0, 1, 11))),
            actions=Grid((FIVE,)),
            physics=_battery,
            start=lambda nodes: ((nodes[:, 0] < 0.3) & (nodes[:, 1] > 0.7)).astype(float),
            limits=(1.0, 3.0),
        ),
    )
}
"""Two tasks that stay out of all choices: hazards with a side wind, and a reward that uses up a resource."""


HELD_OUT_RESULTS = RESULTS.with_name("held_out.json")


@dataclass(frozen=True)
class Options:
    """Train learners on the held-out tasks and score them exactly."""

    methods: tuple[str, ...] = ("BC-Safe", "BC-Best", "DRCORL, UCB gate", "DRCORL, rebuilt")
    """Which learners."""
    out: Path = HELD_OUT_RESULTS
    """The results file, to which rows are added."""


def main(arguments: list[str] | None = None) -> None:
    """Run the learners, write their rows, print means."""
    with ends_cleanly("finished rows are saved in --out"):
        options = read(Options, "verification.lattice.held_out", arguments, "python -m verification.lattice.held_out")
        if unknown := [name for name in options.methods if name not in TRIALS]:
            raise InputError(f"unknown method {unknown[0]!r}: accepted are {', '.join(TRIALS)}")
        results = json.loads(options.out.read_text()) if options.out.exists() else {"rows": []}
        for method in options.methods:
            for task, lattice in HELD_OUT.items():
                rows = [{"task": task, "method": method, **row} for row in run(lattice, TRIALS[method])]
                kept = [row for row in results["rows"] if (row["task"], row["method"]) != (task, method)]
                results["rows"] = kept + rows
                options.out.write_text(json.dumps(results, indent=1) + "\n")
    for method in dict.fromkeys(row["method"] for row in results["rows"]):
        rows = [row for row in results["rows"] if row["method"] == method]
        within = sum(row["cost"] <= row["cost_limit"] for row in rows)
        gap = sum(row["gap"] for row in rows) / len(rows)
        print(f"{method:<24} within the limit in {within} of {len(rows)}, mean gap {gap:.2f}")


if __name__ == "__main__":
    main()
