"""Planners on a lattice task with episodes of one length: trained in little, played, and how far plans are off.

Random timeouts would hide what a budget is: how much a trajectory costs would depend on its length most of all.
"""

from dataclasses import replace
from typing import NamedTuple
from unittest.mock import patch

import numpy as np
import torch

from deep.core.randomness import draw_block
from deep.methods.sequence.planner import DiffusionPlanner, PlannerState
from deep.runs.experiment import Experiment
from deep.training import parse, settings_of
from verification.lattice import data
from verification.lattice.tasks import LATTICES, Lattice

LENGTH = 30
SMALL = """--gamma 0.95 --dynamics.steps 0 --device cpu --horizon 4 --width 32 --heads 2 --blocks 1 --hidden 64
--levels 5 --batch-size 64 --replan-every 2 --learning-rate 3e-3 --ema-rate 0.02""".split()


def trained_planner(task: str, algorithm: str, limits: list[float], *options: str) -> tuple[Lattice, Experiment]:
    """One seed at these limits, trained on 2000 trajectories of `LENGTH` steps."""
    lattice = LATTICES[task]
    words = ["--algorithm", algorithm, *SMALL, "--cost-limits", *map(str, limits), *options]
    with patch.multiple(data, GAMMA=1 - 1e-9, CUT=LENGTH):  # no timeout before the last step
        trajectories = data.collect(data.Behaviour(lattice), 2000, 0)
    assert (trajectories.lengths == LENGTH).all()
    described = replace(lattice.task, episode_length=LENGTH, timeout_rate=0.0, cost_limits=(max(limits),))
    run = Experiment(settings_of(parse(words)), described, trajectories)
    for phase in run.method.phases():
        phase.on_start()
        for block in range(phase.steps // 50):
            draws = draw_block(phase.draws, phase.seeds, phase.name, block, 50, run.device)
            for k in range(50):
                phase.update(torch.tensor(50.0 * block + k), {name: x[k] for name, x in draws.items()})
    return lattice, run


def play(lattice: Lattice, run: Experiment, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns and costs (replicas, count) of episodes, stepped at once as `verification.lattice.environment` does."""
    rng, replicas, player = np.random.default_rng(0), len(run.problem.replicas), run.player()
    nodes, grid, size = lattice.states.nodes, lattice.actions.nodes, replicas * count
    every = lattice.physics(np.repeat(nodes, len(grid), axis=0), np.tile(grid, (len(nodes), 1)))
    pairs = (len(nodes), len(grid))
    here = rng.choice(len(nodes), size, p=lattice.rho)
    sums, state = np.zeros((2, size)), player.start(0, count)
    for step in range(LENGTH):
        actions, state = player.act(state, lattice.observe(nodes[here]).reshape(replicas, count, -1))
        weights = lattice.actions.weights(np.clip(actions, -1, 1).reshape(size, -1).astype(np.float64))
        reward, chance = ((weights * x.reshape(pairs)[here]).sum(1) for x in (every.rewards, every.costs))
        outcome = np.stack([reward, rng.random(size) < chance])
        sums += outcome
        moved = every.next_points.reshape(*pairs, -1)[here, _draw(weights, rng)]
        here = _draw(lattice.states.weights(moved), rng)
        done = np.full((replicas, count), step == LENGTH - 1)
        state = player.observe(state, *outcome.astype(np.float32).reshape(2, replicas, count), done)
    returns, costs = sums.reshape(2, replicas, count)
    return returns, costs


class PlanErrors(NamedTuple):
    """Root mean squares of distances between next states, in standard deviations of the data's states."""

    planned: float
    """From the state that a plan has next to the expected one, under the action that the inverse model takes."""
    shuffled: float
    """The same where the plans belong to other states."""
    noise: float
    """From the next states of the data to the expected ones: what nobody can plan."""


def plan_errors(lattice: Lattice, run: Experiment, count: int = 2000) -> PlanErrors:
    """At states of the data, for plans at the time and with the cost to go that these have there."""
    method, policy = run.method, run.policy()
    assert isinstance(method, DiffusionPlanner)
    time = np.arange(len(run.data)) % LENGTH
    planning = np.flatnonzero((time < LENGTH - 1) & (time % method.config.replan_every == 0))
    rows = np.random.default_rng(0).choice(planning, count)
    seen, following = run.data.observations[rows], run.data.next_observations[rows]
    copies = len(run.problem.replicas)
    state = policy.start(count)
    assert isinstance(state, PlannerState)
    number = state.number._replace(step=torch.from_numpy(time[rows]).expand(copies, -1))
    state = state._replace(budget=method.sequences.cost_to_go[rows].expand(copies, -1), number=number)
    actions, state = policy.act(state, run.replay.normalise(torch.from_numpy(seen)).expand(copies, -1, -1))
    planned = state.plan[0, :, 1, : seen.shape[1]].numpy()
    expected = _expected(lattice, run, seen, actions[0].numpy())
    known = _expected(lattice, run, seen, run.data.actions[rows])
    achieved = run.replay.normalise(torch.from_numpy(following)).numpy()
    pairs = (planned, expected), (np.roll(planned, 1, axis=0), expected), (achieved, known)
    return PlanErrors(*(float(np.sqrt(np.square(a - b).mean())) for a, b in pairs))


def _expected(lattice: Lattice, run: Experiment, observations: np.ndarray, actions: np.ndarray) -> np.ndarray:
    """E[s' | s, a] as a normalised observation."""
    nodes = lattice.observe(lattice.states.nodes)
    place = {node.tobytes(): i for i, node in enumerate(nodes)}
    here = np.array([place[row.tobytes()] for row in observations])
    weights = lattice.actions.weights(np.clip(actions, -1, 1).astype(np.float64))
    chances = np.einsum("na,nas->ns", weights, lattice.cmdp.P[0].numpy()[here])
    return chances @ run.replay.normalise(torch.from_numpy(nodes)).double().numpy()


def _draw(weights: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One outcome per row, by inverting the cumulated weights."""
    cumulated = weights.cumsum(axis=1)
    return (rng.random((len(weights), 1)) * cumulated[:, -1:] >= cumulated).sum(axis=1)
