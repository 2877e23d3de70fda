"""How a data set is collected: runs of PPO-Lagrangian, snapshots of their policies, a choice of what these play.

`python -m deep.collect` is the command around it, and its docstring says what is made and why.
"""

import importlib.metadata
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from deep.collect.ppo import Learner, Policies
from deep.collect.recipes import Settings, limits, recipe
from deep.core.files import read_tensors, write_tensors
from deep.core.randomness import generator
from deep.data.dataset import OfflineDataset
from deep.envs.rollout import simulators
from deep.envs.vector import VectorEnv
from deep.tasks import find_task

COLUMNS = ("observations", "next_observations", "actions", "rewards", "costs", "terminals", "timeouts")
SNAPSHOT = ("theta", "mean", "scale", "source")
"""Arrays of the snapshots, one row each: those of `Policies`, and `SOURCE`."""
SOURCE = ("run", "stage", "iteration", "limit", "noise")
"""Where a snapshot comes from; the stages of a run are its pilots, from 0, and then the run itself."""
VERSIONS = {
    "velocity": ("torch", "numpy", "mujoco", "gymnasium"),
    "navigation": ("torch", "numpy", "mujoco", "gymnasium", "safety-gymnasium"),
    "bullet": ("torch", "numpy", "pybullet", "gymnasium", "bullet-safety-gym"),
}
"""Packages whose versions a file of each family of tasks records."""
COST_EDGES = (5, 10, 15, 20, 30, 40, 60, 80, 110, 150, 200, 250)
"""Cells of the grid along the mean cost: finer where the limits of the benchmark lie."""
RETURN_EDGES = (0.2, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.825, 0.85, 0.875, 0.9, 0.95)
"""Cells of the grid along the mean return, as shares of the task's best: finer where good policies lie."""


@torch.inference_mode()
def play(envs: VectorEnv, policies: Policies, episodes: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Every policy plays this many episodes, with its exploration noise.

    Returns DSRL's arrays, policy after policy and episode after episode, and the `lengths` of the episodes.
    """
    shape, parts = (len(policies.theta), episodes), []
    now, running = envs.reset(rng.integers(2**31, size=envs.count)), np.arange(envs.count)
    while running.size:
        mean, log_std = policies(now.reshape(*shape, -1))
        noise = torch.from_numpy(rng.standard_normal(mean.shape, np.float32))
        actions = (mean + log_std.exp() * noise).clamp(-1, 1).flatten(0, 1).numpy()[running]
        step = envs.step(actions, running)
        parts.append((running, now[running], step.observations, actions, *step[1:]))
        now[running] = step.observations
        running = running[~(step.terminated | step.truncated)]
    index, *columns = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.argsort(index, kind="stable")  # by episode, and in time within each
    rows = {key: column[order] for key, column in zip(COLUMNS, columns, strict=True)}
    rows = {key: array if array.dtype == bool else array.astype(np.float32) for key, array in rows.items()}
    return rows | {"lengths": np.bincount(index)}


@dataclass(frozen=True)
class Plan:
    """What one run does: `pilots` short beginnings, of which the best goes on along the run's path of limits.

    PPO does not always learn to walk: about every second start falls again and again, or stands still.
    """

    settings: Settings
    number: int

    @property
    def batch(self) -> int:
        """Environment steps of an iteration."""
        return self.settings.ppo.environments * self.settings.ppo.horizon

    @property
    def pilot_iterations(self) -> int:
        return self.settings.pilot_segments * self.settings.ppo.segment

    @property
    def iterations(self) -> int:
        """Those of the best pilot and those after it."""
        return self.pilot_iterations + max(1, self.settings.steps // self.batch)

    @property
    def total(self) -> int:
        """Environment steps altogether, an episode counting as one of full length."""
        trained = self.settings.pilots * self.pilot_iterations + self.iterations - self.pilot_iterations
        # snapshots are taken at multiples of `snapshot_every`
        snapshots = (self.settings.pilots - 1) * self._multiples(self.pilot_iterations) + self._multiples(
            self.iterations
        )
        return trained * self.batch + snapshots * self.settings.episodes * find_task(self.settings.task).episode_length

    def _multiples(self, iterations: int) -> int:
        return -(-iterations // self.settings.snapshot_every)

    def seed(self, pilot: int) -> int:
        return int(generator(self.settings.seed, "run", self.number, pilot).integers(2**31))

    def limit(self, iteration: int) -> float:
        path = limits(self.settings.task, self.number)
        return float(np.interp(self.progress(iteration), np.linspace(0, 1, len(path)), path))

    def progress(self, iteration: int) -> float:
        """Share of what follows the pilot that is done."""
        return max(0.0, (iteration - self.pilot_iterations) / (self.iterations - self.pilot_iterations))


def train(
    plan: Plan, learner: Learner, stage: int, iterations: int, file: Path, advance: Callable[[int], None]
) -> dict[str, np.ndarray]:
    """Train until `iterations` are done, from `file` on if it exists; returns the snapshots taken on the way."""
    snapshots: dict[str, np.ndarray] = {}
    before = learner.iteration
    if file.exists():
        saved = read(file)
        snapshots = {key: saved[f"snapshot.{key}"] for key in SNAPSHOT}
        learner.restore(saved)
        advance(plan.batch * (learner.iteration - before))
    while learner.iteration < iterations:
        limit = plan.limit(learner.iteration)
        if learner.iteration % plan.settings.snapshot_every == 0:
            theta, mean, scale = (tensor.numpy() for tensor in learner.policy[1:])
            noise = plan.settings.noise[learner.iteration // plan.settings.snapshot_every % len(plan.settings.noise)]
            source = np.array([[plan.number, stage, learner.iteration, limit, noise]])
            rows: dict[str, np.ndarray] = dict(zip(SNAPSHOT, (theta, mean, scale, source), strict=True))
            snapshots = {key: np.concatenate([snapshots[key], rows[key]]) for key in rows} if snapshots else rows
        learner.iterate(limit, plan.progress(learner.iteration))
        advance(plan.batch)
        if learner.iteration % plan.settings.ppo.segment == 0:
            write(file, learner.state | {f"snapshot.{key}": array for key, array in snapshots.items()})
    return snapshots


def finished(folder: Path, number: int) -> Path:
    """The file of a run that has been finished."""
    return folder / f"run-{number}.safetensors"


def run(settings: Settings, number: int, folder: Path, advance: Callable[[int], None]) -> None:
    """One run and the episodes of its snapshots, written to `folder`; it goes on from what it finds there.

    `advance` gets the number of environment steps done, where an episode counts as one of full length; it may raise to
    stop.
    """
    task, config, plan = find_task(settings.task), settings.ppo, Plan(settings, number)
    whole = finished(folder, number)
    files = [folder / f"run-{number}-stage-{stage}.safetensors" for stage in range(settings.pilots + 1)]
    if whole.exists():
        advance(plan.total)
        return
    with simulators(task, config.environments, threads=1) as envs:
        pilots = [Learner(config, envs, plan.seed(pilot)) for pilot in range(settings.pilots)]
        stages = [
            train(plan, learner, stage, plan.pilot_iterations, files[stage], advance)
            for stage, learner in enumerate(pilots)
        ]
        returns = [
            play(envs, learner.policy, config.environments, generator(learner.seed, "pilot"))["rewards"].sum()
            for learner in pilots
        ]
        best = pilots[int(np.argmax(returns))]
        stages.append(train(plan, best, settings.pilots, plan.iterations, files[-1], advance))

    snapshots = {key: np.concatenate([stage[key] for stage in stages]) for key in SNAPSHOT}
    parts, group = [], max(1, config.environments // settings.episodes)
    for start in range(0, len(snapshots["source"]), group):
        arrays = (torch.from_numpy(snapshots[key][start : start + group]) for key in SNAPSHOT[:3])
        noise = torch.from_numpy(snapshots["source"][start : start + group, -1])
        policies, rng = Policies(best.policy.network, *arrays).with_noise(noise), generator(best.seed, "play", start)
        with simulators(task, len(policies.theta) * settings.episodes, threads=1) as envs:
            parts.append(play(envs, policies, settings.episodes, rng))
        advance(envs.count * task.episode_length)
    merged = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
    write(whole, merged | {"source": snapshots["source"]})
    for file in files:
        file.unlink(missing_ok=True)  # a stage shorter than a segment has none


def write(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Write a stage or a run: a reader sees the whole file or none."""
    write_tensors(path, {name: torch.from_numpy(array) for name, array in arrays.items()}, {})


def read(path: Path) -> dict[str, np.ndarray]:
    """What `write` wrote; raises `InputError` for a file that is damaged."""
    tensors, _ = read_tensors(path, "part of a collection", "remove it, and --resume makes it again")
    return {name: tensor.numpy() for name, tensor in tensors.items()}


def select(policies: np.ndarray, returns: np.ndarray, costs: np.ndarray, settings: Settings) -> np.ndarray:
    """The episodes to keep, as indices in ascending order; `policies` numbers the policy of each episode.

    Episodes over the task's largest cost are left out, as from DSRL's data, and with them policies that lose more than
    half of theirs. The others are sorted into the grid's cells, and the cells give one policy each in turn.
    """
    task, rng = find_task(settings.task), generator(settings.seed, "select")
    eligible, number = costs <= task.max_cost, policies.max() + 1
    count = np.bincount(policies, eligible, number)
    mean_cost, mean_return = (
        np.bincount(policies, eligible * x, number) / np.maximum(count, 1) for x in (costs, returns)
    )
    cells = np.digitize(mean_cost, COST_EDGES) * 100 + np.digitize(mean_return / task.reward_range[1], RETURN_EDGES)
    shuffled = rng.permutation(np.flatnonzero(count >= settings.episodes / 2))
    turn = np.array([np.sum(cells[shuffled[:i]] == cells[policy]) for i, policy in enumerate(shuffled)])
    rank = np.full(number, np.inf)
    rank[shuffled[np.lexsort((cells[shuffled], turn))]] = np.arange(len(shuffled))
    candidates = np.flatnonzero(eligible & np.isfinite(rank[policies]))
    return np.sort(candidates[np.argsort(rank[policies[candidates]], kind="stable")][: settings.trajectories])


def assemble(settings: Settings, folder: Path) -> OfflineDataset:
    """The data set, from the files of all runs."""
    runs = [read(finished(folder, number)) for number in range(settings.runs)]
    merged: dict[str, Any] = {name: np.concatenate([run[name] for run in runs]) for name in runs[0]}
    lengths, source = merged.pop("lengths"), merged.pop("source")
    starts = np.cumsum(lengths) - lengths
    policies = np.repeat(np.arange(len(source)), settings.episodes)
    returns, costs = (np.add.reduceat(merged[name], starts, dtype=np.float64) for name in ("rewards", "costs"))
    kept = select(policies, returns, costs, settings)
    rows = np.isin(np.repeat(np.arange(len(lengths)), lengths), kept)
    packages = VERSIONS[find_task(settings.task).family]
    known, ids = np.unique(policies[kept], return_inverse=True)
    provenance = {
        "command": command(settings),
        "seed": settings.seed,
        "settings": json.dumps(asdict(settings)),
        "behaviour": json.dumps(source[known].round(2).tolist()),
        "behaviour_columns": json.dumps(SOURCE),
        "versions": json.dumps({name: importlib.metadata.version(name) for name in packages}),
    }
    return OfflineDataset(
        settings.task, **{name: a[rows] for name, a in merged.items()}, policies=ids, provenance=provenance
    )


def command(settings: Settings) -> str:
    """The command that gives these settings, with what differs from the defaults."""
    words = ["python -m deep.collect"]
    for prefix, part, default in (
        ("", settings, recipe(settings.task)),
        ("ppo.", settings.ppo, recipe(settings.task).ppo),
    ):
        for name, value in asdict(part).items():
            if name in ("task", "seed") or (name != "ppo" and value != getattr(default, name)):
                values = value if isinstance(value, tuple) else (value,)
                words.append(f"--{prefix}{name.replace('_', '-')} {' '.join(map(str, values))}")
    return " ".join(words)
