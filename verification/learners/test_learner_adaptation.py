"""theory.adaptation, the code that the deep learners call, against three routes that know nothing of its formula.

Each route judges a function that maps inner products to weights; handed a wrong one, it must say so.
"""

from collections.abc import Callable
from fractions import Fraction

import cvxpy as cp
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from theory.adaptation import PIDLagrangian, PIDState, manipulation_weights

Rule = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]


def weights(rule: Rule, g_r: np.ndarray, g_c: np.ndarray) -> tuple[float, float]:
    products = (torch.tensor([value], dtype=torch.float64) for value in (g_r @ g_r, g_r @ g_c, g_c @ g_c))
    x, y = rule(*products)
    return x.item(), y.item()


def swapped(rr: torch.Tensor, rc: torch.Tensor, cc: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The labels of the text below Eq. (12): each gradient's share is computed from the other's norm."""
    return manipulation_weights(cc, rc, rr)


def unprojected(rr: torch.Tensor, rc: torch.Tensor, cc: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The plain mean at every angle."""
    return torch.full_like(rr, 0.5), torch.full_like(rr, 0.5)


def half_space_projection(g: np.ndarray, normal: np.ndarray) -> np.ndarray:
    """The nearest point to g with a non-negative inner product with the normal, by an interior-point solver."""
    p = cp.Variable(len(g))
    cp.Problem(cp.Minimize(cp.sum_squares(p - g)), [normal @ p >= 0]).solve(solver=cp.CLARABEL)
    assert p.value is not None
    return p.value


def error_against_qp(rule: Rule) -> float:
    """Eq. (12) is the mean of the two projections, each on the half-space where the other objective does not fall."""
    rng, worst = np.random.default_rng(0), 0.0
    for _ in range(12):
        g_r, g_c = rng.normal(size=(2, 5)) * rng.uniform(0.1, 10, size=(2, 1))
        x, y = weights(rule, g_r, g_c)
        expected = (half_space_projection(g_r, g_c) + half_space_projection(g_c, g_r)) / 2
        worst = max(worst, np.abs(x * g_r + y * g_c - expected).max() / np.abs(expected).max())
    return worst


def test_the_projection_against_a_quadratic_program():
    assert error_against_qp(manipulation_weights) < 1e-5
    assert error_against_qp(swapped) > 1e-2
    assert error_against_qp(unprojected) > 1e-2


def error_against_rationals(rule: Rule) -> float:
    """On integer vectors, whose weights are rational numbers computed without rounding."""
    rng, worst = np.random.default_rng(1), 0.0
    for _ in range(200):
        g_r, g_c = rng.integers(-9, 10, size=(2, 4))
        rr, rc, cc = (int(a @ b) for a, b in ((g_r, g_r), (g_r, g_c), (g_c, g_c)))
        half = Fraction(1, 2)
        exact = (half * (1 - Fraction(rc, rr)), half * (1 - Fraction(rc, cc))) if rc < 0 else (half, half)
        found = weights(rule, g_r.astype(float), g_c.astype(float))
        worst = max(worst, *(abs(Fraction(f) - e) / e for f, e in zip(found, exact, strict=True)))
    return float(worst)


def test_the_weights_against_exact_rationals():
    assert error_against_rationals(manipulation_weights) < 1e-15
    assert error_against_rationals(swapped) > 0.1
    assert error_against_rationals(unprojected) > 0.1


def violation(rule: Rule, g_r: np.ndarray, g_c: np.ndarray, point: np.ndarray) -> float:
    """How far the projection g_r^+ = g_r + (2y - 1) g_c is from its variational inequality at a point of the set.

    p projects g_r on K = {h : <h, g_c> >= 0} exactly when p lies in K and <g_r - p, h - p> <= 0 for all h in K.
    """
    _, y = weights(rule, g_r, g_c)
    p = g_r + (2 * y - 1) * g_c
    inside = point + max(0.0, -(point @ g_c) / (g_c @ g_c)) * g_c
    scale = max(1.0, g_r @ g_r, g_c @ g_c, inside @ inside)
    return float(max(-(p @ g_c), (g_r - p) @ (inside - p)) / scale)


whole = st.lists(st.integers(-50, 50), min_size=3, max_size=3).map(lambda v: np.array(v, dtype=float))
some = whole.filter(lambda v: v @ v > 0)


@settings(derandomize=True, max_examples=200, deadline=None)
@given(some, some, whole)
def test_the_projection_satisfies_its_variational_inequality(g_r: np.ndarray, g_c: np.ndarray, point: np.ndarray):
    assert violation(manipulation_weights, g_r, g_c, point) < 1e-12


@pytest.mark.parametrize("rule", [swapped, unprojected])
def test_a_wrong_projection_violates_its_variational_inequality(rule: Rule):
    assert violation(rule, np.array([1.0, 0.0]), np.array([-1.0, 1.0]), np.zeros(2)) > 0.05


def rational_pid(costs: list[Fraction], limit: Fraction, gains: tuple[Fraction, ...], most: Fraction) -> list[Fraction]:
    """The multipliers of the PID rule, without rounding: clamped integral, derivative of rising costs only."""
    k_p, k_i, k_d = gains
    integral, previous, found = Fraction(0), costs[0], []
    for cost in costs:
        integral = min(max(integral + cost - limit, Fraction(0)), most)
        found.append(max(Fraction(0), k_p * (cost - limit) + k_i * integral + k_d * max(Fraction(0), cost - previous)))
        previous = cost
    return found


def multipliers(pid: PIDLagrangian, costs: list[Fraction], limit: Fraction) -> list[float]:
    as_tensor = [torch.tensor([float(cost)], dtype=torch.float64) for cost in costs]
    state: PIDState = pid.init(as_tensor[0])
    found = []
    for cost in as_tensor:
        state, multiplier, _ = pid.step(state, cost, torch.tensor([float(limit)], dtype=torch.float64))
        found.append(multiplier.item())
    return found


def test_the_pid_multiplier_against_exact_rationals():
    """Costs over and under the limit, so that both clamps act; the published code's two mistakes are far away."""
    rng = np.random.default_rng(0)
    costs = [Fraction(int(n), 4) for n in np.concatenate([rng.integers(30, 80, 20), rng.integers(0, 30, 20)])]
    limit, most = Fraction(10), Fraction(50)
    gains = Fraction(1, 10), Fraction(3, 1000), Fraction(1, 1000)
    k_p, k_i, k_d = map(float, gains)
    pid = PIDLagrangian(k_p, k_i, k_d, integral_max=float(most))
    expected = [float(value) for value in rational_pid(costs, limit, gains, most)]
    assert multipliers(pid, costs, limit) == pytest.approx(expected, abs=1e-12)
    unbounded = PIDLagrangian(k_p, k_i, k_d)
    assert np.abs(np.array(multipliers(unbounded, costs, limit)) - expected).max() > 0.05
    assert np.abs(np.array(multipliers(pid, costs, Fraction(0))) - expected).max() > 0.05


@pytest.mark.parametrize("multiplier", [0.0, 0.7, 40.0])
def test_the_pid_direction_is_the_lagrangians_gradient(multiplier: float):
    """x g_r + y g_c points along the gradient of V_r - lambda V_c, for a multiplier that k_p alone makes."""
    cost, limit = torch.tensor([3.0 + multiplier], dtype=torch.float64), torch.tensor([3.0], dtype=torch.float64)
    pid = PIDLagrangian(k_p=1.0, k_i=0.0, k_d=0.0)
    _, found, chosen = pid.step(pid.init(cost), cost, limit)
    assert found.item() == pytest.approx(multiplier)
    g_r, g_c = np.array([1.0, 2.0]), np.array([-3.0, 1.0])
    lagrangian = g_r + multiplier * g_c
    direction = chosen.x.item() * g_r + chosen.y.item() * g_c
    np.testing.assert_allclose(direction / np.linalg.norm(direction), lagrangian / np.linalg.norm(lagrangian))
    assert chosen.x.item() + chosen.y.item() == pytest.approx(1)
