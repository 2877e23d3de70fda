r"""Offline data of a lattice task from known behaviour policies.

Each trajectory follows one of several policies. A policy draws a grid action g_k by a softmax over exact values,

    pi_m(k | s) proportional to exp((Q_r - lambda_m Q_c)(s, k) / tau),

with the optimal values of the payoff r - lambda_m c, and then acts a ~ N(g_k, JITTER^2 I), clipped to [-1, 1]^k. So the
data's actions are continuous, their density is a known Gaussian mixture, and the policy that they induce on the grid
actions is known exactly: sum_k pi_m(k | s) E w_j(clip N(g_k, JITTER^2)).
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float64

from deep.data.dataset import OfflineDataset
from theory.cmdp.shapes import PerStateAction
from theory.evaluation import evaluate
from theory.optimum import best_response
from verification.lattice.tasks import CUT, GAMMA, Lattice

JITTER = 0.1
TEMPERATURE = 0.3


@dataclass(frozen=True)
class Behaviour:
    """The behaviour policies of a task: one per multiplier, followed by equal shares of the trajectories."""

    lattice: Lattice
    multipliers: tuple[float, ...] = (0.0, 0.3, 1.0, 4.0)

    @cached_property
    def choices(self) -> PerStateAction:
        """pi_m(k | s), the softmax policies, (multiplier, state, action)."""
        cmdp, policies = self.lattice.cmdp, []
        for multiplier in self.multipliers:
            payoff = cmdp.r - multiplier * cmdp.c
            _, v = best_response(cmdp, payoff)
            policies.append(torch.softmax((payoff + cmdp.gamma * cmdp.next_value(v)) / TEMPERATURE, dim=-1))
        return torch.cat(policies)

    @cached_property
    def induced(self) -> PerStateAction:
        """What the policies do on the grid actions once the jitter is counted, (multiplier, state, action)."""
        grid = self.lattice.actions
        return self.choices @ torch.from_numpy(grid.gaussian_weights(grid.nodes, np.full_like(grid.nodes, JITTER)))

    @cached_property
    def policy(self) -> PerStateAction:
        """The stationary policy with the data's occupancy, values and conditional action frequencies, (1, S, A).

        pi_b(a | s) = sum_m d_m(s) pi_m(a | s) / sum_m d_m(s): the policies weighted by how often each one is in s, and
        their plain mean in states that none of them ever visits.
        """
        cmdp = self.lattice.cmdp
        visits = torch.stack([evaluate(cmdp, policy[None]).d[0] for policy in self.induced]).clamp(min=0)
        visits = torch.where(visits.sum(0) > 0, visits, 1.0)
        mixed = (visits[..., None] * self.induced).sum(0)
        return (mixed / mixed.sum(-1, keepdim=True))[None]

    @cached_property
    def occupancy(self) -> Float64[torch.Tensor, "1 state"]:
        """The distribution that the data's states are drawn from: the discounted occupancy of `policy`."""
        return evaluate(self.lattice.cmdp, self.policy).d


def collect(behaviour: Behaviour, trajectories: int, seed: int) -> OfflineDataset:
    """Play that many trajectories with the policies in turn; equal arguments give equal data.

    All trajectories are stepped at once by the physics, like `environment.LatticeEnv`.
    """
    lattice, rng = behaviour.lattice, np.random.default_rng(seed)
    nodes, grid = lattice.states.nodes, lattice.actions
    policies = np.arange(trajectories) % len(behaviour.multipliers)
    lengths = np.minimum(rng.geometric(1 - GAMMA, trajectories), CUT)
    states = rng.choice(len(nodes), trajectories, p=lattice.rho)
    chances = behaviour.choices.numpy()
    every_step = lattice.physics(np.repeat(nodes, len(grid.nodes), axis=0), np.tile(grid.nodes, (len(nodes), 1)))
    columns: dict[str, list[np.ndarray]] = {name: [] for name in ("t", "i", "state", "next", "action", "r", "c")}
    for t in range(lengths.max()):
        i = np.flatnonzero(lengths > t)
        chosen = _draw(chances[policies[i], states[i]], rng)
        action = np.clip(grid.nodes[chosen] + JITTER * rng.standard_normal((len(i), len(grid.axes))), -1, 1)
        # The learner sees float32 actions: what happens follows from those.
        action = action.astype(np.float32)
        weights = grid.weights(action.astype(np.float64))
        pair = states[i][:, None] * len(grid.nodes) + np.arange(len(grid.nodes))
        moved = every_step.next_points[pair[np.arange(len(i)), _draw(weights, rng)]]
        following = _draw(lattice.states.weights(moved), rng)
        cost = rng.random(len(i)) < (weights * every_step.costs[pair]).sum(axis=1)
        reward = (weights * every_step.rewards[pair]).sum(axis=1)
        row = (np.full(len(i), t), i, states[i], following, action, reward, cost)
        for name, values in zip(columns, row, strict=True):
            columns[name].append(values)
        states[i] = following
    rows = {name: np.concatenate(values) for name, values in columns.items()}
    order = np.lexsort((rows["t"], rows["i"]))
    rows = {name: values[order] for name, values in rows.items()}
    timeouts = rows["t"] == lengths[rows["i"]] - 1
    return OfflineDataset(
        task=lattice.name,
        observations=lattice.observe(nodes[rows["state"]]),
        next_observations=lattice.observe(nodes[rows["next"]]),
        actions=rows["action"],
        rewards=rows["r"].astype(np.float32),
        costs=rows["c"].astype(np.float32),
        terminals=np.zeros(len(timeouts), dtype=bool),
        timeouts=timeouts,
        policies=policies,
        provenance={"trajectories": trajectories, "seed": seed},
    )


def _draw(weights: Float64[np.ndarray, "n outcome"], rng: np.random.Generator) -> np.ndarray:
    """One outcome per row, by inverting the cumulated weights."""
    cumulated = weights.cumsum(axis=1)
    return (rng.random((len(weights), 1)) * cumulated[:, -1:] >= cumulated).sum(axis=1)
