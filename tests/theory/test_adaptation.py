"""theory.adaptation: the rule at its boundaries, and its geometry on generated vectors."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from theory.adaptation import PIDLagrangian, PIDState, Region, Slack, crpo, gradient_manipulation, manipulation_weights


def products(g_r, g_c):
    g_r, g_c = torch.as_tensor(g_r, dtype=torch.float64), torch.as_tensor(g_c, dtype=torch.float64)
    return (g_r * g_r).sum(-1), (g_r * g_c).sum(-1), (g_c * g_c).sum(-1)


def combine(g_r, g_c):
    x, y = manipulation_weights(*products(g_r, g_c))
    return x.unsqueeze(-1) * torch.as_tensor(g_r, dtype=torch.float64) + y.unsqueeze(-1) * torch.as_tensor(
        g_c, dtype=torch.float64
    )


@pytest.mark.parametrize(
    ("g_r", "g_c", "expected"),
    [
        ((1, 0), (2, 0), (1.5, 0)),  # angle 0, covered by neither printed case
        ((1, 0), (0, 3), (0.5, 1.5)),  # 90 degrees: both cases agree
        ((1, 0), (-1, 1), (0.25, 0.75)),  # conflict: the mean of (1/2, 1/2) and (0, 1)
        ((1, 0), (-2, 0), (0, 0)),  # 180 degrees
        ((0, 0), (-2, 1), (-1, 0.5)),  # a zero gradient is in conflict with nothing
        ((1, 2), (0, 0), (0.5, 1)),
        ((0, 0), (0, 0), (0, 0)),
    ],
)
def test_equation_12_by_hand(g_r, g_c, expected):
    torch.testing.assert_close(combine(g_r, g_c), torch.tensor(expected, dtype=torch.float64))


vectors = arrays(np.float64, 4, elements=st.floats(-10, 10, allow_subnormal=False))


@settings(derandomize=True, max_examples=300, deadline=None)
@given(vectors, vectors)
def test_the_mixture_is_the_mean_of_two_projections(g_r, g_c):
    g = combine(g_r, g_c).numpy()
    if g_r @ g_c < 0 and min(g_r @ g_r, g_c @ g_c) > 1e-12:
        # An independent route: projections on the orthogonal complements by least squares.
        r_plus = g_r - np.linalg.lstsq(g_c[:, None], g_r, rcond=None)[0] * g_c
        c_plus = g_c - np.linalg.lstsq(g_r[:, None], g_c, rcond=None)[0] * g_r
        scale = max(np.abs(g_r).max(), np.abs(g_c).max()) ** 2
        np.testing.assert_allclose(g, (r_plus + c_plus) / 2, atol=1e-9 * scale)
        assert g @ g_r >= -1e-9 * scale
        assert g @ g_c >= -1e-9 * scale
    elif g_r @ g_c >= 0:
        np.testing.assert_allclose(g, (g_r + g_c) / 2)


def test_weights_are_finite_where_squared_norms_underflow():
    tiny = torch.tensor([1e-170], dtype=torch.float64)
    x, y = manipulation_weights(tiny * tiny, -tiny, torch.ones(1, dtype=torch.float64))
    assert x.isfinite().all()
    assert y.isfinite().all()


def test_max_weight_clips_each_weight_by_itself():
    x, y = manipulation_weights(*products([0.1, 0.0], [-10.0, 0.1]), max_weight=2.0)
    assert x.item() == 2.0
    assert y.item() == pytest.approx(0.5 * (1 + 1 / 100.01))


@pytest.mark.parametrize(
    ("cost", "region", "weights"),
    [
        (8.0, Region.SAFE, (1, 0)),  # at limit - h_minus exactly: safe
        (8.0 + 1e-9, Region.CONFLICT, (0.75, 1.0)),
        (13.0, Region.CONFLICT, (0.75, 1.0)),  # at limit + h_plus exactly: still the band
        (13.0 + 1e-9, Region.UNSAFE, (0, 1)),
    ],
)
def test_regions_of_algorithm_3_at_their_boundaries(cost, region, weights):
    rr, rc, cc = (torch.tensor([v], dtype=torch.float64) for v in (2.0, -1.0, 1.0))
    cost, limit = torch.tensor([cost], dtype=torch.float64), torch.tensor([10.0], dtype=torch.float64)
    x, y, code = gradient_manipulation(cost, limit, 2.0, 3.0, rr, rc, cc)
    assert code.item() == region
    assert (x.item(), y.item()) == weights


def test_the_band_without_conflict_is_aligned():
    one = torch.ones(1, dtype=torch.float64)
    assert gradient_manipulation(one, one, 0.5, 0.5, one, one, one).region.item() == Region.ALIGN


def test_crpo_switches_just_above_its_slack():
    cost, limit = torch.tensor([12.0, 12.1], dtype=torch.float64), torch.full((2,), 10.0, dtype=torch.float64)
    x, y, region = crpo(cost, limit, 2.0)
    assert x.tolist() == [1, 0]
    assert y.tolist() == [0, 1]
    assert region.tolist() == [Region.SAFE, Region.UNSAFE]


def test_pid_multiplier_by_hand_and_clamped():
    pid = PIDLagrangian(k_p=0.5, k_i=0.1, k_d=2.0, integral_max=3.0, normalised=False)
    cost = torch.tensor([10.0], dtype=torch.float64)
    limit = torch.tensor([9.0], dtype=torch.float64)
    state = pid.init(cost)
    state, multiplier, weights = pid.step(state, cost, limit)
    assert multiplier.item() == pytest.approx(0.5 * 1 + 0.1 * 1)
    assert (weights.x.item(), weights.y.item()) == (1, pytest.approx(0.6))
    state, multiplier, _ = pid.step(state, cost + 2, limit)  # integral 1 + 3, clamped at 3; derivative 2
    assert multiplier.item() == pytest.approx(0.5 * 3 + 0.1 * 3 + 2.0 * 2)
    state, multiplier, _ = pid.step(state, cost - 9, limit)  # a falling cost has no derivative; integral back to 0
    assert multiplier.item() == 0
    assert state.integral.item() == 0


@pytest.mark.parametrize(("decay", "values"), [("constant", (4, 4)), ("linear", (4, 2)), ("inverse_sqrt", (4, 1.5))])
def test_slack_schedules(decay, values):
    slack = Slack(4.0, 1.0 if decay == "inverse_sqrt" else 0.0, decay)
    assert slack.at(0, 70) == values[0]
    assert slack.at(35, 70) == pytest.approx(values[1])


def test_negative_slack_is_rejected():
    with pytest.raises(ValueError, match="cannot be negative"):
        Slack(-0.1)


def test_a_cost_that_falls_while_it_is_too_high_takes_nothing_off_the_multiplier():
    """e = 3 and I = 3: .5 * 3 + .1 * 3, whether the cost before was the same or one higher."""
    pid = PIDLagrangian(k_p=0.5, k_i=0.1, k_d=2.0, integral_max=3.0, normalised=False)
    cost, limit = torch.tensor([13.0], dtype=torch.float64), torch.tensor([10.0], dtype=torch.float64)
    for before in (13.0, 14.0):
        state = PIDState(torch.tensor([3.0], dtype=torch.float64), torch.tensor([before], dtype=torch.float64))
        assert pid.step(state, cost, limit)[1].item() == pytest.approx(1.8)
    state = PIDState(torch.tensor([3.0], dtype=torch.float64), torch.tensor([12.0], dtype=torch.float64))
    assert pid.step(state, cost, limit)[1].item() == pytest.approx(1.8 + 2.0), "a negative control: a rising cost"
