"""A bandit and a chain whose best policies within a cost limit are known, to see a method satisfy it.

Every step shows x ~ U(-1, 1). An action above 0 takes a risk: it earns (1 + x) / 2 and costs 1, in the same step or, in
the chain, in the next one, which shows that it is due. Any other action earns and costs nothing. Within the limit l in
L steps it is best to take the risk where x > 1 - 2 l / L.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from deep.data.dataset import OfflineDataset
from deep.methods.registry import spec_of
from deep.ope.dynamics import DynamicsConfig
from deep.runs.experiment import Experiment, Settings
from deep.runs.folder import RunFolder
from deep.runs.trainer import train
from deep.tasks import find_task

LENGTH, GAMMA = 20, 0.8
"""Steps of an episode and the discount of the critics: short, so that little training is enough."""


class Outcome(NamedTuple):
    """What the policies of all replicas earn and cost in an episode, on average."""

    reward: np.ndarray
    cost: np.ndarray
    best: np.ndarray
    """What the best policy within the limit earns."""


def bandit_data(
    trajectories: int, delayed: bool, risks: tuple[float, ...] = (0.2, 0.5, 0.8), smallest: float = 0.4
) -> OfflineDataset:
    """Trajectories that take the risk with one of these probabilities each, whatever x is, by |a| ~ U(smallest, .9)."""
    rng = np.random.default_rng(0)
    shape = (trajectories, LENGTH)
    x = rng.uniform(-1, 1, (trajectories, LENGTH + 1))
    risk = rng.random(shape) < np.resize(risks, trajectories)[:, None]
    due = np.concatenate([np.zeros((trajectories, 1)), risk], axis=1)
    actions = np.where(risk, 1, -1) * rng.uniform(smallest, 0.9, shape)
    states = np.stack([x, due], axis=-1).astype(np.float32)
    timeouts = np.zeros(shape, dtype=bool)
    timeouts[:, -1] = True
    columns = (
        states[:, :-1].reshape(-1, 2),
        states[:, 1:].reshape(-1, 2),
        actions.reshape(-1, 1).astype(np.float32),
        np.where(risk, (1 + x[:, :-1]) / 2, 0).ravel().astype(np.float32),
        (due[:, :-1] if delayed else risk).ravel().astype(np.float32),
        np.zeros(trajectories * LENGTH, dtype=bool),
        timeouts.ravel(),
    )
    return OfflineDataset("RiskyBandit", *columns)


def bandit(
    algorithm: str,
    limits: tuple[float, ...],
    delayed: bool = False,
    seeds: tuple[int, ...] = (0,),
    trajectories: int = 300,
    smallest: float = 0.4,
    **changes: Any,
) -> Experiment:
    """An untrained learner with the quick preset's settings but for these."""
    data = bandit_data(trajectories, delayed, smallest=smallest)
    task = replace(
        find_task("HopperVel"), name="RiskyBandit", dsrl_id="", dsrl_file="", observation_size=2, action_size=1,
        episode_length=LENGTH, reward_range=(0.0, float(LENGTH)), max_cost=float(LENGTH), cost_limits=limits,
    )  # fmt: skip
    settings = Settings(
        replace(spec_of(algorithm).presets["quick"], **changes), task=task.name, algorithm=algorithm, seeds=seeds,
        cost_limits=limits, gamma=GAMMA, dynamics=DynamicsConfig(steps=0), device="cpu",
    )  # fmt: skip
    return Experiment(settings, task, data)


def learner(algorithm: str, limits: tuple[float, ...], **changes: Any) -> Any:
    """The untrained learner alone; its class is known to the caller."""
    return bandit(algorithm, limits, **changes).method


def trained(experiment: Experiment, folder: Path | str) -> Experiment:
    """The learner after all its phases."""
    run = RunFolder(Path(folder))
    run.open({"identity": {}}, resume=False)
    train(experiment.phases(), experiment.tensors(), run, experiment.device)
    run.release()
    return experiment


def play(experiment: Experiment, delayed: bool = False, episodes: int = 400) -> Outcome:
    """Simulate the configured policies of all replicas."""
    rng, limits = np.random.default_rng(1), experiment.settings.cost_limits
    replicas = len(experiment.problem.replicas)
    policy = experiment.policy()
    state, due = policy.start(episodes), np.zeros((replicas, episodes))
    reward, cost = np.zeros((replicas, episodes)), np.zeros((replicas, episodes))
    for step in range(LENGTH):
        x = np.broadcast_to(rng.uniform(-1, 1, episodes), (replicas, episodes))
        observations = torch.from_numpy(np.stack([x, due], axis=-1)).to(torch.get_default_dtype())
        actions, state = policy.act(state, experiment.replay.normalise(observations))
        risk = (actions[..., 0] > 0).numpy().astype(float)
        earned, paid = risk * (1 + x) / 2, due if delayed else risk
        done = torch.full((replicas, episodes), step == LENGTH - 1)
        state = policy.observe(state, *(torch.from_numpy(v).to(observations.dtype) for v in (earned, paid)), done)
        reward, cost, due = reward + earned, cost + paid, risk
    first = np.maximum(1 - 2 * np.array(limits) / LENGTH, -1)
    best = LENGTH * (2 * (1 - first) + 1 - first**2) / 8
    return Outcome(reward.mean(1), cost.mean(1), np.tile(best, len(experiment.settings.seeds)))
