"""Recorded numbers of deep/envs and deep/collect: fixed actions, the rules of the tasks, PPO-Lagrangian."""

from dataclasses import replace
from typing import Any

import numpy as np
import torch

from deep.collect import pipeline, ppo
from deep.collect.recipes import LIMITS, RECIPES, PPOConfig, Settings, limits, recipe
from deep.envs.rollout import rollout
from deep.envs.velocity import VelocityEnv
from deep.envs.velocity_vector import _RULES, VelocityVectorEnv
from deep.nn.mlp import MLP
from deep.tasks import TASKS, within_limit
from tests.support.numbers.cmdps import table
from tests.support.numbers.summary import Case

VELOCITY = [name for name, task in TASKS.items() if task.family == "velocity"]


def stepped(name: str) -> dict[str, Any]:
    """Two copies of a velocity task and one by itself, with the same actions; speeds on both sides of a threshold."""
    task = replace(TASKS[name], episode_length=5, velocity_threshold=0.05)
    rng = np.random.default_rng(3)
    actions = rng.uniform(-1.4, 1.4, (6, 2, task.action_size))
    found: dict[str, Any] = {}
    with VelocityVectorEnv(task, 2, threads=1) as envs:
        observations = [envs.reset([4, 9])]
        rows = [envs.step(action) for action in actions]
    found["many"] = [observations, *zip(*rows, strict=True)]
    env = VelocityEnv(task)
    first, _ = env.reset(seed=4)
    alone = [env.step(np.clip(action[0], -1, 1)) for action in actions[:4]]
    found["one"] = [first, [(x[0], x[1], x[4]["cost"], x[2], x[3]) for x in alone]]
    env.close()
    return found


def velocity() -> dict[str, Any]:
    """All velocity tasks."""
    return {name: stepped(name) for name in VELOCITY}


def rules() -> dict[str, Any]:
    """Which states are healthy, near every bound and on both sides; what a step is paid besides its speed."""
    found: dict[str, Any] = {}
    rng = np.random.default_rng(0)
    for name, rule in _RULES.items():
        q, v = rng.uniform(-2.5, 2.5, (400, 15)), rng.normal(size=(400, 14))
        q[:200, 1:3] = rng.uniform(0.15, 1.1, (200, 2)) * rng.choice([-1, 1], (200, 2), p=[0.2, 0.8])
        v[7], q[9, 5], q[11, 2] = 120.0, np.nan, -np.inf
        found[name] = [
            rule.healthy(q, v),
            rule.hidden_positions,
            rule.control_weight,
            rule.alive_reward,
            rule.velocity_clip,
        ]
    return found


def tasks() -> dict[str, Any]:
    """The table of tasks, its scores, and cost limits up to rounding."""
    found: dict[str, Any] = {}
    for name, task in TASKS.items():
        found[name] = [
            task.observation_size, task.action_size, task.episode_length, *task.reward_range, task.max_cost,
            task.velocity_threshold or 0.0, *task.cost_limits, task.timeout_rate, task.expected_length,
        ]  # fmt: skip
    task = TASKS["BallRun"]
    found["scores"] = [task.normalised_reward([-3.0, 500.0]), [task.normalised_cost([0.0, 7.0], x) for x in (0.0, 4.0)]]
    found["within"] = within_limit([0.0, 1e-9, 1.0, 1 + 5e-7, 1 + 2e-6, 3.0], [0.0, 0.0, 1.0, 1.0, 1.0, 2.0])
    bounds = replace(task, action_low=(-2.0, 0.0), action_high=(1.0, 5.0))
    return found | {"units": [bounds.in_own_units(x) for x in ([[0.3, -0.2]], [[-1.0, 1.0]])]}


def played() -> dict[str, Any]:
    """Episodes of two policies in the simulator, which end in all ways."""
    task = replace(TASKS["HopperVel"], episode_length=60, velocity_threshold=0.1)
    weights = np.random.default_rng(0).normal(size=(2, 11, 3)) / 3
    found = rollout(task, lambda x: np.tanh(x.astype(np.float64) @ weights), [3, 8, 12], replicas=2, threads=1)
    return {"episodes": found}


def advantages() -> dict[str, Any]:
    """Generalised advantages with terminations and timeouts, PPO's other formulas, and the multiplier."""
    rng = np.random.default_rng(1)
    signal, values, after = (rng.normal(size=(9, 3, 2)) for _ in range(3))
    terminated = rng.random((9, 3)) < 0.15
    ended = terminated | (rng.random((9, 3)) < 0.25)
    found: dict[str, Any] = {
        f"gae {gamma} {decay}": ppo.gae(signal, values, after, terminated, ended, np.array([0.0, 1.0]), gamma, decay)
        for gamma, decay in ((0.9, 0.8), (0.99, 0.0))
    }
    rule, path = ppo.Multiplier(0.1, 0.1), []
    config = PPOConfig(max_multiplier=0.8, proportional_gain=0.7, integral_gain=0.3)
    for excess in rng.normal(size=12):
        rule = rule.step(float(excess), config)
        path.append(rule)
    found["multiplier"] = np.array(path)
    network = MLP(4, 2, (5, 5), "tanh")
    found["orthogonal"] = ppo.orthogonal(network, 0.3, np.random.default_rng(0))
    theta = 0.5 * table(2, sum(int(np.prod(shape)) for shape in network.shapes) + 2).float()
    own = ppo.Policies(network, theta, table(2, 4), 1 + table(2, 4, seed=1).abs())
    states = 4 * table(2, 6, 4).numpy()
    noisy = own.with_noise(torch.tensor([0.5, 0.2]))
    found["policies"] = [own(states), noisy(states), ppo.normalise(50 * states, own.mean, own.scale)]
    found["density"] = ppo.log_density(table(2, 6, 2), table(2, 6, 2, seed=1), table(2, 1, 2))
    return found


def learned() -> dict[str, Any]:
    """Two iterations of PPO-Lagrangian on a short task; float32."""
    task = replace(TASKS["HopperVel"], episode_length=7, velocity_threshold=0.0)
    config = PPOConfig(horizon=10, segment=2, minibatch=12, epochs=2, hidden=6, initial_multiplier=0.2)
    torch.set_default_dtype(torch.float32)
    with VelocityVectorEnv(task, 3, threads=1) as envs:
        learner = ppo.Learner(config, envs, 5)
        told = [learner.iterate(2.0, progress) for progress in (0.0, 0.4)]
        state = learner.state
    return {"told": told, "state": {k: x for k, x in state.items() if "exp_avg" not in k}}


def plans() -> dict[str, Any]:
    """Recipes, the paths of limits, what a collection keeps."""
    found: dict[str, Any] = {"limits": [limits(name, run) for name in VELOCITY for run in range(len(LIMITS) + 1)]}
    for name in RECIPES:
        own = recipe(name)
        plan = pipeline.Plan(own, 1)
        numbers = [own.steps, own.pilots, own.snapshot_every, plan.batch, plan.iterations, plan.total, plan.seed(1)]
        found[name] = [*numbers, *(plan.limit(x) for x in (0, 60, plan.iterations))]
    rng = np.random.default_rng(4)
    policies = np.repeat(np.arange(12), 4)
    returns, costs = rng.uniform(0, 2000, 48), rng.gamma(2, 60, 48)
    settings = Settings(trajectories=17, episodes=4)
    return found | {"kept": pipeline.select(policies, returns, costs, settings)}


CASES: dict[str, Case] = {
    "velocity": Case(velocity, 1e-6, 1e-6),
    "rules": Case(rules),
    "tasks": Case(tasks, depth=1),
    "played": Case(played, 1e-5, 1e-5),
    "advantages": Case(advantages, 1e-6),
    "learned": Case(learned, 1e-4, 1e-4),
    "plans": Case(plans, depth=1),
}
