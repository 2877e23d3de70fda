"""Data of bandits and chains whose optima are known, in HopperVel's dimensions, and how policies fare on them."""

from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
import torch

from deep.core.method import Method
from deep.core.randomness import draw_block
from deep.data.dataset import OfflineDataset
from deep.methods.registry import spec_of
from deep.methods.spec import words
from deep.runs.experiment import Experiment
from deep.tasks import find_task
from deep.training import parse, settings_of

Learner = TypeVar("Learner", bound=Method)
STEPS = 10
"""Steps of a bandit's episode."""


def transitions(states, next_states, actions, rewards, costs, terminals, timeouts) -> OfflineDataset:
    """A data set from numbers of states, which observations show one-hot, and signs of actions."""
    hot = np.eye(11, dtype=np.float32)
    action = 0.5 * np.asarray(actions, dtype=np.float32)[:, None] * np.ones((1, 3), dtype=np.float32)
    reward, cost = (np.asarray(x, dtype=np.float32) for x in (rewards, costs))
    terminal, timeout = (np.asarray(x, dtype=bool) for x in (terminals, timeouts))
    return OfflineDataset("HopperVel", hot[states], hot[next_states], action, reward, cost, terminal, timeout)


def bandit(trajectories: int = 60) -> OfflineDataset:
    """One state. The action + pays 1 and costs 1, the action - pays .2 and costs nothing; ten steps, then a timeout."""
    signs = np.random.default_rng(0).choice([-1, 1], trajectories * STEPS)
    ends = np.arange(len(signs)) % STEPS == STEPS - 1
    rich, zeros = (signs > 0).astype(float), np.zeros(len(signs), dtype=int)
    return transitions(zeros, zeros, signs, 0.2 + 0.8 * rich, rich, zeros, ends)


def learner(experiment: Experiment, kind: type[Learner]) -> Learner:
    """The experiment's method, which is of this class."""
    assert isinstance(experiment.method, kind)
    return experiment.method


def build(algorithm: str, data: OfflineDataset, limits: tuple[float, ...], **options: Any) -> Experiment:
    """An untrained learner of the smoke configuration on these data, gamma = .9; `options` as in `MethodSpec.smoke`."""
    changes = dict(spec_of(algorithm).smoke) | {name.replace("__", "."): value for name, value in options.items()}
    given = ["--algorithm", algorithm, *words(changes), "--dynamics.steps", "0", "--device", "cpu", "--gamma", "0.9"]
    given += ["--cost-limits", *map(str, limits), "--no-normalise-states"]
    task = replace(find_task("HopperVel"), episode_length=STEPS, reward_range=(0.0, float(STEPS)), cost_limits=limits)
    return Experiment(settings_of(parse(given)), task, data)


def train(experiment: Experiment) -> None:
    """All phases, without the trainer."""
    for phase in experiment.phases():
        phase.on_start()
        for first in range(0, phase.steps, 50):
            draws = draw_block(phase.draws, phase.seeds, phase.name, first // 50, 50, experiment.device)
            for k in range(min(50, phase.steps - first)):
                phase.update(torch.tensor(float(first + k)), {name: values[k] for name, values in draws.items()})


def play_bandit(experiment: Experiment) -> tuple[torch.Tensor, torch.Tensor]:
    """Return and cost of one episode of every replica: a step pays and costs by the sign of the action."""
    policy, replicas = experiment.policy(), len(experiment.problem.replicas)
    state, observation = policy.start(1), torch.eye(11)[:1].expand(replicas, 1, -1)
    total = torch.zeros(2, replicas)
    for step in range(STEPS):
        action, state = policy.act(state, observation)
        rich = (action.mean(2) > 0).float()
        outcome = 0.2 + 0.8 * rich, rich
        total += torch.stack(outcome).squeeze(2)
        state = policy.observe(state, *outcome, torch.full((replicas, 1), step == STEPS - 1))
    return total[0], total[1]
