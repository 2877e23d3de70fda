"""Record short episodes of the old packages as they are: the reference for the navigation and bullet tasks.

    python record_simulators.py simulators.npz

This file imports nothing of this project. It ran in an environment of the packages' own time (Python 3.10, and what
their requirements name: gymnasium 0.28.1, mujoco 2.3.0, numpy 1.23.5, with pybullet 3.2.7), where they work without
any compatibility layer. `tests/envs/test_reference.py` plays the same episodes with today's packages.
"""
# pyright: basic, reportIncompatibleVariableOverride=false
# (It is written for other versions of its packages than pyright finds here.)

import argparse

import numpy as np

SEEDS = (0, 1, 2)
STEPS = 12
NAVIGATION = [f"{robot}{kind}{level}" for robot in ("Point", "Car") for kind in ("Circle", "Goal", "Button", "Push")
              for level in (1, 2)]  # fmt: skip
BULLET = [f"{robot}{kind}" for robot in ("Ant", "Ball", "Car", "Drone") for kind in ("Run", "Circle")]


def action(step, size):
    """Mostly forward, with slow turns; the same for every task."""
    return np.clip(0.9 * np.cos(0.11 * step * (1 + np.arange(size)) + np.arange(size)) + 0.3, -1, 1)


def navigation(name):
    import safety_gymnasium

    env = safety_gymnasium.make(f"Safety{name}-v0")

    def step(values):
        observation, reward, cost, terminated, truncated, _ = env.step(values)  # pyright: ignore
        return observation, reward, cost, terminated or truncated

    return 2, (lambda seed: env.reset(seed=seed)[0]), step


def bullet(name):
    import bullet_safety_gym  # noqa: F401 (registers the tasks)
    import gymnasium

    env = gymnasium.make(f"Safety{name}-v0")

    def reset(seed):
        np.random.seed(seed)  # noqa: NPY002 (the old package draws from it)
        return env.reset()[0]

    def step(values):
        observation, reward, terminated, truncated, info = env.step(values)
        return observation, reward, info["cost"], terminated or truncated

    return {"Ant": 8, "Ball": 2, "Car": 2, "Drone": 4}[name.replace("Run", "").replace("Circle", "")], reset, step


def episode(size, reset, step, seed):
    """The observations at the start and at the end, every reward and cost, and NaN after a fall."""
    start = end = reset(seed)
    rewards, costs = np.full((2, STEPS), np.nan)
    for time in range(STEPS):
        end, rewards[time], costs[time], over = step(action(time, size))
        if over:
            break
    return {"start": start, "end": end, "rewards": rewards, "costs": costs}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", help="the .npz file to write")
    path, rows = parser.parse_args().path, {}
    for make, names in ((navigation, NAVIGATION), (bullet, BULLET)):
        for name in names:
            episodes = [episode(*make(name), seed) for seed in SEEDS]
            for key in episodes[0]:
                rows[f"{name}.{key}"] = np.array([played[key] for played in episodes])
            print(name, np.nansum(rows[f"{name}.costs"]), flush=True)
    np.savez_compressed(path, **rows)


if __name__ == "__main__":
    main()
