"""The navigation and bullet tasks against what the old packages did in an environment of their own time.

`tests/support/record_simulators.py` says how `tests/envs/simulators.npz` was recorded: without a compatibility layer.
The test shows that the layer, what our tasks change around the old packages, and today's MuJoCo, numpy and gymnasium
leave the starts and the first steps alone. It shows nothing of longer episodes, which are chaotic: in BallCircle a
difference in the sixteenth digit has become one in the second 40 steps later.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deep.tasks import TASKS, Task, make
from tests.support.record_simulators import SEEDS, STEPS, action

OLD = {name: task for name, task in TASKS.items() if task.family != "velocity"}
FILE = Path(__file__).parent / "simulators.npz"
TOLERANCE = 1e-5
"""Largest difference of a first observation or of a reward. Processors and versions differ in the last digits, which
contacts enlarge within these steps: to 1e-12 in most tasks, to 7e-6 in CarCircle and AntRun."""
AFTERWARDS = 5e-3
"""Largest difference of the last observation: up to 2e-3 in the gyroscope of the point, which slides; up to
1e-4 in CarCircle and 1e-5 elsewhere."""
ACCELEROMETER = slice(3)
"""Where a navigation task's observation holds it. It feels every contact."""


@pytest.mark.slow
@pytest.mark.parametrize("task", OLD.values(), ids=OLD)
def test_episodes_start_as_with_the_old_packages(task: Task):
    with np.load(FILE) as file:
        recorded = {key: file[f"{task.name}.{key}"] for key in ("start", "end", "rewards", "costs")}
    # Whether the wheels of the navigation car touch the floor on which it is put is decided by the last digit, and with
    # it how it rolls off. In every second episode or so, that went the other way.
    car = task.family == "navigation" and task.name.startswith("Car")
    seen = slice(ACCELEROMETER.stop if task.family == "navigation" else 0, None)
    env, alike = make(task), []
    for number, seed in enumerate(SEEDS):
        start, _ = env.reset(seed=seed)
        np.testing.assert_allclose(start[seen], recorded["start"][number][seen], rtol=0, atol=TOLERANCE)
        length = np.isfinite(recorded["rewards"][number]).sum()
        steps: list[Any] = [env.step(action(time, task.action_size)) for time in range(length)]
        assert [step[4]["cost"] for step in steps] == recorded["costs"][number][:length].tolist()
        assert [step[2] for step in steps] == [False] * (length - 1) + [length < STEPS]
        difference = np.abs(np.array([step[1] for step in steps]) - recorded["rewards"][number][:length]).max()
        assert difference < 0.02
        afterwards = np.abs(steps[-1][0][seen] - recorded["end"][number][seen]).max()
        alike.append(difference < TOLERANCE and afterwards < AFTERWARDS)
    assert sum(alike) >= (1 if car else len(SEEDS))
    env.close()
