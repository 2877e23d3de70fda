"""The lattice environments are the finite CMDPs that theory/ solves: step by step, and summed over an episode."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.interpolate import RegularGridInterpolator
from scipy.stats import chisquare

from tests.support.lighter import unchecked
from theory.evaluation import evaluate
from theory.support.errors import InputError
from verification.lattice.data import Behaviour, collect
from verification.lattice.environment import LatticeEnv, make
from verification.lattice.exact import deterministic, exact_values, on_nodes, state_frequencies
from verification.lattice.grid import Grid
from verification.lattice.tasks import LATTICES, WEIGHT_OF_REST, Lattice, Step

each_lattice = pytest.mark.parametrize("lattice", LATTICES.values(), ids=LATTICES)


def interpolated(lattice: Lattice, table: np.ndarray, state: int, action: np.ndarray) -> np.ndarray:
    """A table over grid actions at a continuous action, by scipy's interpolation and not the project's."""
    axes = [axis.nodes for axis in lattice.actions.axes]
    values = table[state].reshape(*(len(axis) for axis in axes), *table.shape[2:])
    return RegularGridInterpolator(axes, values)(action)[0]


def disagreement(played: Lattice, true: Lattice, steps: int = 1500) -> tuple[float, float, float]:
    """The environment of `played` against the CMDP of `true`, over some states and continuous actions.

    The smallest p-value of next states (chi-square), the largest error of a reward, and the largest |z| of a cost.
    """
    rng, env, cmdp = np.random.default_rng(0), LatticeEnv(played), true.cmdp
    env.reset(seed=0)
    smallest, reward_error, cost_z = 1.0, 0.0, 0.0
    for state in rng.choice(cmdp.states, 4, replace=False):
        action = rng.uniform(-1, 1, len(true.actions.axes))
        counts, costs, reward = np.zeros(cmdp.states), 0.0, np.nan
        expected = interpolated(true, cmdp.P[0].numpy(), state, action) * steps
        cost = float(interpolated(true, cmdp.c[0].numpy(), state, action))
        for _ in range(steps):
            env.state = state
            _, reward, _, _, info = env.step(action)
            counts[info["state"]] += 1
            costs += info["cost"]
        reward_error = max(reward_error, abs(reward - float(interpolated(true, cmdp.r[0].numpy(), state, action))))
        # Rare nodes are counted together, as the test needs; a visit to an impossible one fails at once.
        common = expected >= 5
        observed = [*counts[common], counts[~common].sum()]
        expected = [*expected[common], expected[~common].sum()]
        if expected[-1] < 1e-9:
            smallest = 0.0 if observed[-1] else smallest
            observed, expected = observed[:-1], expected[:-1]
        if len(observed) > 1:
            smallest = min(smallest, chisquare(observed, np.array(expected) * sum(observed) / sum(expected)).pvalue)
        deviation = max(np.sqrt(cost * (1 - cost) * steps), 1e-6)
        cost_z = max(cost_z, abs(costs - cost * steps) / deviation)
    return smallest, reward_error, cost_z


@unchecked()
@each_lattice
def test_the_environment_steps_as_its_cmdp_says(lattice: Lattice):
    p_value, reward_error, cost_z = disagreement(lattice, lattice)
    assert p_value > 1e-3
    assert reward_error < 1e-12
    assert cost_z < 4


def shifted(lattice: Lattice) -> Lattice:
    """Lands a third of a spacing farther along the last axis."""
    step = np.zeros(len(lattice.states.axes))
    step[-1] = lattice.states.axes[-1].spacing / 3
    return replace(
        lattice, physics=lambda s, a: lattice.physics(s, a)._replace(next_points=lattice.physics(s, a)[0] + step)
    )


def without_rest(lattice: Lattice) -> Lattice:
    """Forgets the quadratic action cost."""

    def physics(states: np.ndarray, actions: np.ndarray) -> Step:
        step = lattice.physics(states, actions)
        return step._replace(rewards=step.rewards - WEIGHT_OF_REST * (1 - np.square(actions).mean(axis=1)))

    return replace(lattice, physics=physics)


class Nearest(Grid):
    """Takes the nearest node instead of interpolating."""

    def weights(self, points: np.ndarray) -> np.ndarray:
        return np.eye(len(self.nodes))[super().weights(points).argmax(axis=1)]


@unchecked()
@each_lattice
def test_a_wrong_environment_is_detected(lattice: Lattice):
    assert disagreement(shifted(lattice), lattice, 300)[0] < 1e-6
    assert disagreement(without_rest(lattice), lattice, 10)[1] > 0.01
    rounded = replace(lattice, actions=Nearest(lattice.actions.axes))
    assert disagreement(rounded, lattice, 10)[1] > 1e-3
    assert disagreement(replace(lattice, states=Nearest(lattice.states.axes)), lattice, 300)[0] < 1e-6


@each_lattice
def test_the_cmdp_moves_on_average_where_the_physics_moves(lattice: Lattice):
    """Exactly, by enumerating every pair: hat weights reproduce a point inside the grid."""
    cmdp, nodes, actions = lattice.cmdp, lattice.states.nodes, lattice.actions.nodes
    for k, action in enumerate(actions):
        moved = lattice.physics(nodes, np.repeat(action[None], len(nodes), axis=0)).next_points
        for j, axis in enumerate(lattice.states.axes):
            offset = nodes[None, :, j] - moved[:, None, j]
            if axis.periodic:  # the nearest copy of every node
                span = axis.high - axis.low
                offset = offset - span * np.round(offset / span)
            else:
                offset = nodes[None, :, j] - np.clip(moved[:, None, j], axis.low, axis.high)
            drift = (cmdp.P[0, :, k].numpy() * offset).sum(axis=1)
            np.testing.assert_allclose(drift, 0, atol=1e-12)


@unchecked()
@each_lattice
def test_an_episodes_mean_sum_is_the_discounted_value(lattice: Lattice):
    """The environment under a continuous policy against (I - gamma P_pi)^{-1}, and not against another gamma's."""
    rng = np.random.default_rng(1)
    slope = rng.normal(size=(lattice.task.observation_size, len(lattice.actions.axes)))

    def act(observations: np.ndarray) -> np.ndarray:
        return np.tanh(0.3 + 0.5 * observations @ slope)

    values = exact_values(lattice, deterministic(lattice, act(on_nodes(lattice, 1))))
    env, sums = make(lattice), []
    for episode in range(250):
        observation, _ = env.reset(seed=episode)
        total, done = np.zeros(2), False
        while not done:
            observation, reward, terminated, truncated, info = env.step(act(observation))
            total += np.array([float(reward), info["cost"]])
            done = terminated or truncated
        sums.append(total)
    mean, error = np.mean(sums, axis=0), np.std(sums, axis=0) / len(sums) ** 0.5
    exact = np.array([values.J_r.item(), values.J_c.item()])
    assert exact[1] > 0.1
    assert (np.abs(mean - exact) < 4 * error).all()
    assert abs(mean[0] - 2 * exact[0]) > 4 * error[0]  # about gamma = .975


@each_lattice
def test_the_data_have_the_values_and_occupancy_of_their_policies(lattice: Lattice):
    behaviour = Behaviour(lattice)
    data = collect(behaviour, 4000, seed=0)
    for number, policy in enumerate(behaviour.induced):
        exact = evaluate(lattice.cmdp, policy[None])
        own = data.policies == number
        for sums, value in ((data.trajectory_returns, exact.J_r), (data.trajectory_costs, exact.J_c)):
            error = sums[own].std() / own.sum() ** 0.5
            assert abs(sums[own].mean() - value.item()) < 4 * error
    mixed = evaluate(lattice.cmdp, behaviour.policy)
    each = evaluate(lattice.cmdp.select(torch.zeros(len(behaviour.induced), dtype=torch.long)), behaviour.induced)
    torch.testing.assert_close(mixed.J_r, each.J_r.mean(0, keepdim=True))
    torch.testing.assert_close(mixed.J_c, each.J_c.mean(0, keepdim=True))

    found = state_frequencies(lattice, data.observations)
    assert 0.5 * (found - mixed.d).abs().sum() < 0.04
    assert 0.5 * (found - evaluate(lattice.cmdp, lattice.cmdp.uniform_policy()).d).abs().sum() > 0.1
    weights = lattice.actions.weights(data.actions.astype(np.float64)).mean(axis=0)
    joint = (mixed.d[..., None] * behaviour.policy).sum(1)[0].numpy()
    assert np.abs(weights - joint).max() < 0.02


@each_lattice
def test_data_are_a_function_of_their_seed_and_link_up(lattice: Lattice):
    behaviour = Behaviour(lattice)
    data, again, other = (collect(behaviour, 40, seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(data.actions, again.actions)
    assert len(other) != len(data) or not np.array_equal(other.actions, data.actions)
    inside = ~data.timeouts[:-1]
    np.testing.assert_array_equal(data.next_observations[:-1][inside], data.observations[1:][inside])
    assert data.lengths.max() <= lattice.task.episode_length
    assert data.actions.min() >= -1
    assert data.actions.max() <= 1


def test_an_environment_that_was_not_reset_is_refused():
    with pytest.raises(InputError, match="before it was reset"):
        LatticeEnv(LATTICES["LatticeHeat"]).step(np.zeros(1))
