"""A few updates of any registered method in its smoke configuration, without the trainer, and what came of them."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from deep.core.phase import Phase
from deep.core.randomness import draw_block
from deep.data.dataset import OfflineDataset
from deep.methods.registry import spec_of
from deep.methods.spec import words
from deep.runs.experiment import Experiment
from deep.runs.player import PolicyPlayer
from deep.tasks import Task, find_task
from deep.training import parse, settings_of
from tests.support.builders import small_dataset

DYNAMICS = {"members": 2, "hidden": (16,), "episodes": 2, "batch_size": 16}
SEEDS, LIMITS = (3, 5), (4.0, 60.0)
Metrics = dict[str, dict[str, Tensor]]
"""By phase and name, one row an update."""
OUTCOMES = ((0.5, 1.0), (2.0, 0.0), (-1.0, 1.5), (0.0, 0.5), (0.3, 4.0))
"""Rewards and costs of the steps that `trained` plays."""


def build(
    algorithm: str,
    seeds: tuple[int, ...] = SEEDS,
    limits: tuple[float, ...] = LIMITS,
    dynamics_steps: int | None = None,
    task: Task | None = None,
    data: OfflineDataset | None = None,
    **changes: Any,
) -> Experiment:
    """The method's smoke configuration with these changes ("__" for a dot); by default on the small data, as a task of
    40 steps."""
    steps = (100 if "dynamics" in spec_of(algorithm).needs else 0) if dynamics_steps is None else dynamics_steps
    sizes = {f"dynamics.{name}": value for name, value in DYNAMICS.items()} | {"dynamics.steps": steps}
    given = dict(spec_of(algorithm).smoke) | sizes | {name.replace("__", "."): x for name, x in changes.items()}
    options = ["--algorithm", algorithm, *words(given), "--device", "cpu"]
    options += ["--seeds", *map(str, seeds), "--cost-limits", *map(str, limits)]
    task = replace(find_task("HopperVel"), episode_length=40) if task is None else task
    return Experiment(settings_of(parse(options)), task, small_dataset() if data is None else data)


def steps_of(phase: Phase, count: int) -> list[int]:
    """So many numbers of steps: a sixth from the start, the others around the middle, where a regression on the data's
    own sums ends."""
    first = max(1, count // 6)
    middle = max(phase.steps // 2 - (count - first) // 2, first)
    return [*range(min(first, count)), *range(middle, middle + count - first)]


def run_phases(experiment: Experiment, steps: int) -> Metrics:
    """So many updates of every phase; the metrics of each."""
    found: Metrics = {}
    for phase in experiment.phases():
        phase.on_start()
        block = draw_block(phase.draws, phase.seeds, phase.name, 0, steps, experiment.device)
        hooked = [hook.call(0) for hook in phase.hooks]
        rows = []
        for row, step in enumerate(steps_of(phase, steps)):
            rows.append(phase.update(torch.tensor(float(step)), {name: draws[row] for name, draws in block.items()}))
            if row == steps // 2 and steps > 2:
                hooked += [hook.call(hook.every) for hook in phase.hooks]
        if steps > 2:
            phase.on_end()
        found[phase.name] = {name: torch.stack([row[name] for row in rows]) for name in rows[0]}
        for number, values in enumerate(hooked):
            found[phase.name] |= {f"{name}, evaluation {number}": x.clone() for name, x in values.items()}
    return found


def played(
    experiment: Experiment,
    choice: str,
    observations: np.ndarray,
    outcomes: Sequence[tuple[float, float]] = ((1.0, 1.0),),
) -> np.ndarray:
    """The actions of all replicas, (replicas, steps, batch, act): at the first step and after each of these outcomes,
    (reward, cost) of every episode."""
    player = PolicyPlayer(experiment.policy(choice), experiment.replay)
    shape = observations.shape[:2]
    action, state = player.act(player.start(0, shape[1]), observations)
    actions = [action]
    for reward, cost in outcomes:
        earned, paid = (np.full(shape, x, dtype=np.float32) for x in (reward, cost))
        state = player.observe(state, earned, paid, np.zeros(shape, dtype=bool))
        action, state = player.act(state, observations)
        actions.append(action)
    return np.stack(actions, 1)


def trained(experiment: Experiment, metrics: Metrics) -> dict[str, Any]:
    """What the updates have left: metrics, parameters, actions, report, and the cost critic where there is one."""
    rng, replicas = np.random.default_rng(0), len(experiment.problem.replicas)
    size = experiment.problem.observation_size
    observations = rng.normal(size=(replicas, 6, size)) * experiment.replay.std.numpy() + experiment.replay.mean.numpy()
    moments = ("step", "exp_avg", "exp_avg_sq")
    found: dict[str, Any] = {
        "metrics": metrics,
        "tensors": {k: x for k, x in experiment.tensors().items() if k.rsplit(".", 1)[-1] not in moments},
        "actions": {choice: played(experiment, choice, observations, OUTCOMES) for choice in experiment.choices},
        "report": experiment.method.report(),
    }
    graph = experiment.method.exportable(replicas - 1)
    if graph.act is not None:
        states = experiment.replay.observations[:6]
        noise = [torch.from_numpy(rng.normal(size=(6, *graph.noise))).to(states)] if graph.noise else []
        found["exported"] = graph.act(states, *noise)
    parts = experiment.method.exact_parts()
    if parts is not None:
        states = experiment.replay.observations[:7].expand(replicas, -1, -1)
        actions = torch.from_numpy(rng.uniform(-1, 1, (replicas, 7, experiment.problem.action_size)))
        found["critic"] = [parts.cost_critic(states, actions), parts.gate]
    return found
