"""The losses and bounds of deep.methods.parts.critics against distributions and tables whose answers are known."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy.optimize import minimize_scalar
from scipy.stats import expectile, nct, t

from deep.methods.parts.critics import expectile_loss, pessimism, td_loss, upper_confidence
from deep.methods.parts.iql import iql_value_loss
from theory.cmdp.dense import FiniteCMDP
from theory.offline.critics import FittedQ
from theory.offline.data import Dataset


def minimiser(loss: Callable[[torch.Tensor], torch.Tensor]) -> float:
    """The scalar that minimises a convex loss, by golden-section search."""
    found = minimize_scalar(lambda v: loss(torch.tensor(v, dtype=torch.float64)).item(), (-5, 5), tol=1e-10)
    return float(found.x)  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.parametrize("tau", [0.1, 0.5, 0.7, 0.95])
def test_the_value_regression_finds_the_expectile(tau: float):
    """Against scipy's expectile of the smaller critic; a quantile, as the text of Eq. (17) says, is another number."""
    rng = np.random.default_rng(0)
    both = torch.from_numpy(rng.gumbel(size=(1, 2, 500)))
    smaller = both.min(dim=1).values[0].numpy()
    found = minimiser(lambda v: iql_value_loss(both.amin(1, keepdim=True), v.expand(1, 1, 500), tau).sum())
    assert found == pytest.approx(float(expectile(smaller, tau)), abs=1e-6)
    assert abs(found - float(np.quantile(smaller, tau))) > 0.02
    # Swapped sides give the expectile of 1 - tau.
    swapped = minimiser(lambda v: expectile_loss(v - both.min(dim=1).values, tau).mean())
    assert swapped == pytest.approx(float(expectile(smaller, 1 - tau)), abs=1e-6)


MEMBERS, K, DRAWS = 4, 2.0, 200_000


def coverage(bias: float, k: float, bound: Callable[[torch.Tensor, float], torch.Tensor]) -> float:
    """How often the bound lies at or above the truth, 0, when members err by N(bias, 1) independently."""
    rng = torch.Generator().manual_seed(0)
    q = bias + torch.randn(1, MEMBERS, DRAWS, dtype=torch.float64, generator=rng)
    return (bound(q, k) >= 0).double().mean().item()


def exact_coverage(bias: float, k: float, population: bool) -> float:
    """P(mean + k std >= 0): mean / (s / sqrt(E)) is (noncentral) t with E - 1 degrees of freedom."""
    threshold = -k * (MEMBERS - 1 if population else MEMBERS) ** 0.5
    shift = bias * MEMBERS**0.5
    law = t(MEMBERS - 1) if bias == 0 else nct(MEMBERS - 1, shift)
    return float(1 - law.cdf(threshold))


@pytest.mark.parametrize(("bias", "claimed"), [(0.0, 0.98), (-1.0, 0.75)])
def test_the_upper_confidence_bound_covers_as_often_as_claimed(bias: float, claimed: float):
    """Claim C5, for E = 4 and k = 2: errors that are independent and unbiased, and errors with a common bias."""
    error = 4 * (0.25 / DRAWS) ** 0.5
    found = coverage(bias, K, upper_confidence)
    assert found == pytest.approx(exact_coverage(bias, K, population=True), abs=error)
    assert found == pytest.approx(claimed, abs=0.01)

    def with_sample_std(q: torch.Tensor, k: float) -> torch.Tensor:
        return q.mean(dim=1) + k * q.std(dim=1)

    other = coverage(bias, K, with_sample_std)
    assert other == pytest.approx(exact_coverage(bias, K, population=False), abs=error)
    assert other - found > error
    assert found - coverage(bias, 1.0, upper_confidence) > error


def minimising_table(n: torch.Tensor, target: torch.Tensor, policy: torch.Tensor, alpha: float, both: bool):
    """The Q table that minimises deep's TD loss plus its pessimism over data with n(s, a) visits, exactly.

    The loss is quadratic, so one Newton step from anywhere is its minimum.
    """
    states, actions = torch.nonzero(n).unbind(1)
    repeats = n[states, actions].long()
    states, actions = states.repeat_interleave(repeats), actions.repeat_interleave(repeats)

    def loss(flat: torch.Tensor) -> torch.Tensor:
        table = flat.reshape(n.shape)
        q_data = table[states, actions].reshape(1, 1, -1)
        q_policy = (policy * table).sum(-1)[states].reshape(1, 1, -1)
        data_term = q_data if both else torch.zeros_like(q_data)
        return (
            td_loss(q_data, target[states, actions].reshape(1, 1, -1)) + pessimism(q_policy, data_term, alpha)
        ).sum()

    zero = torch.zeros(n.numel(), dtype=torch.float64, requires_grad=True)
    slope = torch.autograd.grad(loss(zero), zero)[0]
    curvature = torch.autograd.functional.hessian(loss, zero)
    return (-torch.linalg.solve(curvature, slope)).detach().reshape(n.shape)


def test_pessimism_moves_the_minimum_as_theory_says():
    """deep's loss, minimised exactly over tables, against theory's closed form alpha/2 (pi/pi_b - 1)."""
    rng = np.random.default_rng(0)
    n = torch.from_numpy(rng.integers(1, 9, size=(3, 4))).double()
    target = torch.from_numpy(rng.random((3, 4)))
    policy = torch.from_numpy(rng.dirichlet(np.ones(4), size=3))
    cmdp = FiniteCMDP(np.full((3, 4, 3), 1 / 3), np.zeros((3, 4)), np.ones((3, 4)), np.full(3, 1 / 3), 0.9, 1.0)
    data = Dataset((n[..., None] / 3).expand(3, 4, 3)[None])
    for both, name in ((True, "corrected"), (False, "printed")):
        push = FittedQ(cmdp, data, alpha=0.2, pessimism=name).push(policy[None])[0]
        found = minimising_table(n, target, policy, 0.2, both)
        torch.testing.assert_close(found, target + push, rtol=0, atol=1e-10)
    wrong_sign = minimising_table(n, target, policy, -0.2, True)
    corrected = FittedQ(cmdp, data, alpha=0.2, pessimism="corrected").push(policy[None])[0]
    assert (wrong_sign - target - corrected).abs().max() > 0.05
