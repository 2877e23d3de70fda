"""verification.lattice.exact: weights against quadrature, scores against policies whose scores are known."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.stats import norm, sem

from theory.bounds import cost_upper_bound_printed, cost_upper_bound_tight
from theory.cmdp.sparse import to_sparse
from theory.evaluation import evaluate
from theory.optimum import solve
from theory.optimum.policies import one_hot_argmax
from verification.lattice.data import Behaviour
from verification.lattice.exact import (
    critic_error,
    deterministic,
    exact_values,
    gaussian,
    on_nodes,
    read_critic,
    sampled,
    score,
    spread,
)
from verification.lattice.grid import Axis, Grid
from verification.lattice.tasks import LATTICES, Lattice

each_lattice = pytest.mark.parametrize("lattice", LATTICES.values(), ids=LATTICES)
AXIS = Axis(-1, 1, 5)


def hat(x: float, node: int) -> float:
    """w_j(clip x) by numpy's interpolation, which holds the end values outside."""
    return float(np.interp(x, AXIS.nodes, np.eye(AXIS.count)[node]))


@pytest.mark.parametrize("mean", [-1.3, -0.5, 0.1, 0.74, 1.0])
@pytest.mark.parametrize("std", [0.01, 0.2, 1.5])
def test_gaussian_weights_against_quadrature(mean: float, std: float):
    found = AXIS.gaussian_weights(np.array([mean]), np.array([std]))[0]
    kinks = [mean + 9 * std * k for k in (-1, 1)] + [x for x in AXIS.nodes if abs(x - mean) < 9 * std]
    pieces = np.sort(kinks)
    for node in range(AXIS.count):
        expected = sum(
            quad(lambda x, j=node: hat(x, j) * norm.pdf(x, mean, std), low, high, epsabs=1e-13)[0]
            for low, high in pairwise(pieces)
        )
        assert found[node] == pytest.approx(expected, abs=1e-10)
    assert found.sum() == pytest.approx(1)


def test_gaussian_weights_are_not_those_of_the_mean():
    """What a check without clipping or without spread would say is far away."""
    found = AXIS.gaussian_weights(np.array([0.9]), np.array([0.5]))[0]
    assert np.abs(found - AXIS.weights(np.array([0.9]))[0]).max() > 0.1
    narrow = AXIS.gaussian_weights(np.array([0.9]), np.array([1e-6]))[0]
    np.testing.assert_allclose(narrow, AXIS.weights(np.array([0.9]))[0], atol=1e-5)


def test_hat_weights_on_a_periodic_axis_and_outside():
    circle = Axis(0, 1, 4, periodic=True)
    np.testing.assert_allclose(circle.weights(np.array([0.9, -0.1, 1.9])), np.array([[0.6, 0, 0, 0.4]] * 3), atol=1e-12)
    np.testing.assert_allclose(AXIS.weights(np.array([-7.0, 0.25])), [[1, 0, 0, 0, 0], [0, 0, 0.5, 0.5, 0]])
    two = Grid((Axis(0, 1, 2), Axis(0, 2, 3)))
    np.testing.assert_allclose(two.weights(np.array([[0.25, 0.5]])), [[0.375, 0.375, 0, 0.125, 0.125, 0]])


@each_lattice
def test_the_optimum_has_no_regret_and_the_data_no_distance(lattice: Lattice):
    behaviour = Behaviour(lattice)
    limits = torch.tensor(lattice.limits, dtype=torch.float64)
    best = solve(lattice.cmdp.select(torch.tensor([0, 0])).with_budget(limits))
    assert (best.multiplier > 0).all()  # the limits bind
    assert best.certificate.holds(1e-9).all()
    found = score(behaviour, best.policy, limits)
    torch.testing.assert_close(found.gap, torch.zeros(2, dtype=torch.float64), atol=1e-8, rtol=0)
    torch.testing.assert_close(found.violation, torch.zeros(2, dtype=torch.float64), atol=1e-8, rtol=0)

    own = score(behaviour, behaviour.policy.expand(2, -1, -1).contiguous(), limits)
    cost = evaluate(lattice.cmdp, behaviour.policy).J_c
    torch.testing.assert_close(own.cost, cost.expand(2))
    for name in ("kl", "kl_max", "occupancy_tv", "slack_printed", "slack_tight"):
        torch.testing.assert_close(getattr(own, name), torch.zeros(2, dtype=torch.float64), atol=1e-6, rtol=0)
    assert own.occupancy_ratio.tolist() == pytest.approx([1, 1])
    # A policy that leaves the data shows in every distance, and Prop. 3.1 covers its cost.
    away = score(behaviour, lattice.cmdp.uniform_policy().expand(2, -1, -1).contiguous(), limits)
    assert (torch.stack([away.kl, away.occupancy_tv, away.occupancy_ratio - 1]) > 0.05).all()
    assert (away.kl_max > away.kl).all()
    values = evaluate(lattice.cmdp, lattice.cmdp.uniform_policy())
    torch.testing.assert_close(away.gap, best.value - values.J_r)
    torch.testing.assert_close(away.violation, (values.J_c - limits).clamp(min=0))
    # Total variation is the mass that one distribution has above the other.
    above = (values.d - behaviour.occupancy).clamp(min=0).sum(-1)
    torch.testing.assert_close(away.occupancy_tv, above.expand(2))
    assert (away.slack_tight > 0).all()
    assert (away.slack_printed > away.slack_tight).all()


@each_lattice
def test_the_sparse_solver_finds_the_same_optimum(lattice: Lattice):
    """Transitions are sparse (under one in twenty), and the sparse route solves by iterations instead of factors."""
    assert (lattice.cmdp.P > 0).double().mean() < 0.05
    sparse = solve(to_sparse(lattice.cmdp))
    assert sparse.certificate.holds(1e-8).all()
    torch.testing.assert_close(sparse.value, solve(lattice.cmdp).value, rtol=1e-8, atol=0)
    assert (solve(lattice.cmdp.with_budget(1.1 * lattice.limits[0])).value - sparse.value).abs() > 1e-3


def test_a_sampled_policy_is_the_gaussian_it_samples_from():
    lattice = LATTICES["LatticeHazard"]
    rng = np.random.default_rng(0)
    mean = np.tanh(on_nodes(lattice, 2)[..., :2])
    std = np.full_like(mean, 0.3)
    exact = gaussian(lattice, mean, std)

    def act(observations: np.ndarray) -> np.ndarray:
        return np.tanh(observations[..., :2]) + 0.3 * rng.standard_normal(mean.shape)

    lots = sampled(lattice, act, 2, samples=200, groups=8)
    values = torch.stack([exact_values(lattice, lot).J_r for lot in lots])
    error = values.std(0) / len(lots) ** 0.5
    truth = exact_values(lattice, exact).J_r
    assert ((values.mean(0) - truth).abs() < 4 * error).all()
    of_the_mean = exact_values(lattice, deterministic(lattice, mean)).J_r
    assert ((of_the_mean - truth).abs() > 6 * error).any()


def test_the_spread_is_a_standard_error_of_the_lots_own_values():
    lattice = LATTICES["LatticeHeat"]
    rng = torch.Generator().manual_seed(0)
    shape = (5, 2, *lattice.cmdp.r.shape[1:])
    lots = torch.softmax(torch.randn(shape, generator=rng, dtype=torch.float64), -1)
    found = spread(lattice, list(lots))
    values = [exact_values(lattice, lot) for lot in lots]
    for name, field in (("value", "J_r"), ("cost", "J_c")):
        expected = sem(np.stack([getattr(value, field).numpy() for value in values]), axis=0)
        np.testing.assert_allclose(found[name].numpy(), expected, rtol=1e-10)
        assert expected[0] != pytest.approx(expected[1], rel=1e-3), "a negative control: the replicas differ"


def test_the_bounds_take_the_largest_advantage_over_states_that_are_reached():
    """A policy that is costlier than the data's everywhere: the largest E_{pi_b} A_c is below 0, and not 0."""
    behaviour = Behaviour(LATTICES["LatticeHeat"])
    cmdp, pi_b = behaviour.lattice.cmdp, behaviour.policy
    policy = pi_b
    for _ in range(20):
        policy = 0.5 * pi_b + 0.5 * one_hot_argmax(evaluate(cmdp, policy).Q_c)
    reached = behaviour.occupancy > 1e-12
    policy = torch.where(reached[..., None], policy, pi_b)
    values, limits = evaluate(cmdp, policy), torch.tensor([2.0], dtype=torch.float64)
    advantage = (pi_b * values.A_c).sum(-1)
    largest = advantage[reached].max()
    assert not bool(reached.all())
    assert largest < -1e-6
    found = score(behaviour, policy, limits)
    terms = (evaluate(cmdp, pi_b).J_c, cmdp.c.amax((1, 2)), largest, found.kl_max, cmdp.gamma)
    torch.testing.assert_close(found.bound_printed, cost_upper_bound_printed(*terms))
    torch.testing.assert_close(found.bound_tight, cost_upper_bound_tight(*terms))


def test_critics_are_read_at_the_right_pairs():
    lattice = LATTICES["LatticeHazard"]

    def critic(observations: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
        return observations @ torch.tensor([1.0, 10.0]) + actions @ torch.tensor([100.0, 1000.0])

    found = read_critic(lattice, critic, lambda x: 2 * x, replicas=2)[1]
    nodes, actions = (torch.from_numpy(grid.nodes) for grid in (lattice.states, lattice.actions))
    scale = torch.tensor([1.0, 10.0], dtype=torch.float64)
    torch.testing.assert_close(found, 2 * (nodes @ scale)[:, None] + 100 * (actions @ scale), rtol=1e-6, atol=1e-4)


def test_critic_errors_by_construction():
    behaviour = Behaviour(LATTICES["LatticeHeat"])
    Q = evaluate(behaviour.lattice.cmdp, behaviour.policy).Q_c
    error = critic_error(behaviour, Q - 0.5, Q, behaviour.policy)
    assert (error.rms.item(), error.sup.item(), error.bias.item()) == pytest.approx((0.5, 0.5, -0.5))
    start = behaviour.lattice.cmdp.rho[0].argmax()
    lifted = Q.clone()
    lifted[0, start] += 2
    error = critic_error(behaviour, lifted, Q, behaviour.policy)
    assert error.bias.item() == pytest.approx(2 * behaviour.lattice.cmdp.rho[0, start].item())
    assert error.sup.item() == pytest.approx(2)
    assert error.rms.item() == pytest.approx(2 * behaviour.occupancy[0, start].item() ** 0.5)
