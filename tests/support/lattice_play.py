"""Planners on a lattice task: trained in little, played in the physics, and how far their plans are from them."""

from typing import NamedTuple

import numpy as np
import torch

from deep.core.randomness import draw_block
from deep.envs.rollout import Episodes, Player
from deep.methods.sequence.planner import DiffusionPlanner, PlannerState
from deep.runs.experiment import Experiment
from deep.train import parse, settings_of
from verification.lattice.data import Behaviour, collect
from verification.lattice.tasks import CUT, GAMMA, LATTICES, Lattice

SMALL = """--gamma 0.95 --dynamics.steps 0 --device cpu --horizon 4 --width 32 --heads 2 --blocks 1 --hidden 64
--levels 5 --batch-size 64 --replan-every 1 --learning-rate 3e-3 --ema-rate 0.02""".split()


def trained_planner(task: str, algorithm: str, limits: list[float], *options: str) -> tuple[Lattice, Experiment]:
    """One seed at these limits, trained on 2000 trajectories."""
    lattice = LATTICES[task]
    words = ["--algorithm", algorithm, *SMALL, "--cost-limits", *map(str, limits), *options]
    run = Experiment(settings_of(parse(words)), lattice.task, collect(Behaviour(lattice), 2000, 0))
    for phase in run.method.phases():
        phase.on_start()
        for block in range(phase.steps // 50):
            draws = draw_block(phase.draws, phase.seeds, phase.name, block, 50, run.device)
            for k in range(50):
                phase.update(torch.tensor(50.0 * block + k), {name: x[k] for name, x in draws.items()})
    return lattice, run


def play(lattice: Lattice, player: Player, count: int, replicas: int, seed: int) -> Episodes:
    """Episodes of all replicas, stepped at once as `verification.lattice.environment` steps one."""
    rng, shape = np.random.default_rng(seed), (replicas, count)
    nodes, grid, size = lattice.states.nodes, lattice.actions.nodes, replicas * count
    every = lattice.physics(np.repeat(nodes, len(grid), axis=0), np.tile(grid, (len(nodes), 1)))
    pairs = (len(nodes), len(grid))
    here = rng.choice(len(nodes), size, p=lattice.rho)
    returns, costs, lengths, running = np.zeros(size), np.zeros(size), np.zeros(size, int), np.ones(size, dtype=bool)
    state = player.start(0, count)
    for _ in range(CUT):
        actions, state = player.act(state, lattice.observe(nodes[here]).reshape(*shape, -1))
        weights = lattice.actions.weights(np.clip(actions, -1, 1).reshape(size, -1).astype(np.float64))
        reward, chance = ((weights * x.reshape(pairs)[here]).sum(1) for x in (every.rewards, every.costs))
        cost = (rng.random(size) < chance).astype(float)
        moved = every.next_points.reshape(*pairs, -1)[here, _draw(weights, rng)]
        following = _draw(lattice.states.weights(moved), rng)
        returns += running * reward
        costs += running * cost
        lengths += running
        outcome = [(running * x).reshape(shape).astype(np.float32) for x in (reward, cost)]
        running = running & (rng.random(size) < GAMMA)
        state = player.observe(state, *outcome, ~running.reshape(shape))
        here = np.where(running, following, here)
    return Episodes(returns.reshape(shape), costs.reshape(shape), lengths.reshape(shape))


class PlanErrors(NamedTuple):
    """Root mean squares of distances between next states, in standard deviations of the data's states."""

    planned: float
    """From the state that a plan has next to the expected one, under the action that the inverse model takes."""
    shuffled: float
    """The same where the plans belong to other states."""
    noise: float
    """From the next states of the data to the expected ones: what nobody can plan."""


def plan_errors(lattice: Lattice, run: Experiment, count: int = 2000) -> PlanErrors:
    """At states of the data, with the budgets of the first replica's limit."""
    method, policy = run.method, run.policy()
    assert isinstance(method, DiffusionPlanner)
    rows = np.random.default_rng(0).choice(len(run.data), count)
    seen, following = run.data.observations[rows], run.data.next_observations[rows]
    normalised = run.replay.normalise(torch.from_numpy(seen)).expand(len(run.problem.replicas), -1, -1)
    actions, state = policy.act(policy.start(count), normalised)
    assert isinstance(state, PlannerState)
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
