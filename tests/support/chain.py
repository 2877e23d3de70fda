"""A chain of two states as a data set, and a random CMDP as a linear system, for estimators of values."""

from typing import Any

import numpy as np
import torch

from deep.data.dataset import OfflineDataset
from theory.cmdp.families import make

STATES, ACTIONS = 5, 3


def tabular_system() -> tuple[Any, ...]:
    """A random CMDP and policy, exactly evaluated; one row per (s, a) with its expected successor."""
    cmdp = make("garnet", STATES, ACTIONS, 0.97, 0.5, [3])
    rng = np.random.default_rng(4)
    policy = torch.from_numpy(rng.dirichlet(np.ones(ACTIONS), size=(1, STATES)))
    pairs = STATES * ACTIONS
    onward = (cmdp.P[0].reshape(pairs, STATES, 1) * policy).reshape(1, pairs, pairs)
    payoffs = torch.stack([cmdp.c[0].flatten(), cmdp.r[0].flatten()], 1)
    weights = torch.from_numpy(rng.dirichlet(np.ones(pairs)))
    return cmdp, policy, torch.eye(pairs, dtype=torch.float64), onward, payoffs, weights


def chain_data(noisy_costs: bool = False) -> OfflineDataset:
    """Two states and a sign of the first action: + moves between them, - ends the episode; HopperVel's sizes.

    In state 0, + costs 1 (noisy: 1 with probability 1/2) and earns 2, and - is free and earns 5; in state 1, + is free
    and earns nothing, - costs 3. Every episode begins in state 0 and times out after 30 steps.
    """
    rng = np.random.default_rng(0)
    rows: dict[str, list] = {name: [] for name in ("s", "n", "a", "r", "c", "terminal", "timeout")}
    for episode in range(60):
        state = 0
        for step in range(30):
            go = episode % 3 == 0 or rng.random() < 0.9
            cost = {(0, True): 1.0, (0, False): 0.0, (1, True): 0.0, (1, False): 3.0}[state, go]
            if noisy_costs and (state, go) == (0, True):
                cost = float(rng.random() < 0.5)
            values = (state, 1 - state, go, 2.0 * (state == 0) if go else 5.0 * (state == 0), cost, not go)
            for name, value in zip(rows, (*values, go and step == 29), strict=True):
                rows[name].append(value)
            if not go:
                break
            state = 1 - state
    observed = {name: np.zeros((len(rows["s"]), 11), dtype=np.float32) for name in ("s", "n")}
    for name, array in observed.items():
        array[:, 0] = rows[name]
    actions = np.where(np.array(rows["a"])[:, None], 0.5, -0.5) * np.ones((1, 3))
    terminals, timeouts = (np.array(rows[name], dtype=bool) for name in ("terminal", "timeout"))
    rewards, costs = (np.array(rows[name], dtype=np.float32) for name in ("r", "c"))
    actions = actions.astype(np.float32)
    return OfflineDataset("HopperVel", observed["s"], observed["n"], actions, rewards, costs, terminals, timeouts)


def always(*signs: float):
    """One replica for each sign of all its actions."""
    values = torch.tensor(signs).reshape(-1, 1, 1)
    return lambda observations: values.expand(*observations.shape[:2], 3)
