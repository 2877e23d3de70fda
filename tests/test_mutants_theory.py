"""Gaps that mutation testing found in the tests of theory/ (`python -m verification.mutation`)."""

from dataclasses import replace

import pytest
import torch

from theory import bounds
from theory.families import make
from theory.optimum import certify, solve


def test_a_proof_of_infeasibility_needs_a_positive_margin():
    certificate = solve(make("dirichlet", 5, 3, 0.9, -0.2, range(3))).certificate
    assert certificate.holds().all()
    for margin in (0.0, -1e-3):
        assert not replace(certificate, margin=torch.full_like(certificate.margin, margin)).holds().any()


def test_an_infeasible_budgets_margin_subtracts_the_defect_of_its_evidence():
    """v + x raises <rho, v> by x and the defect by (1-gamma) x: nothing is won."""
    cmdp = make("dirichlet", 5, 3, 0.9, -0.2, range(3))
    answer = solve(cmdp)
    raised = certify(cmdp, answer.occupancy, answer.dual_value + 10, answer.multiplier, answer.feasible)
    torch.testing.assert_close(raised.margin, answer.certificate.margin)
    assert not raised.holds().any()


def test_the_printed_bounds_with_a_critic_error_by_hand():
    sizes = {"eta": 0.5, "S": 2, "A": 3, "gamma": 0.5, "M": 2.0}
    assert bounds.iteration_printed(1.0, **sizes, critic_error=0.25, factor=2.0) == pytest.approx(2 + 384 + 6)
    error = {"eps_offline": 0.25, "C": 2.0}
    assert bounds.gap_47_printed(**sizes, T=8, eps_dist=1.0, **error) == pytest.approx((2 + 1536 + 96) / 2)
    assert bounds.gap_48_printed(**sizes, T=8, **error) == pytest.approx((32 * (24 + 0.75)) ** 0.5 + 6)
    assert bounds.violation_49_printed(3.0, 0.25) == pytest.approx(6.5)
    assert bounds.gap_a_posteriori(6.0, 2.0, 1.0, 4.5) == pytest.approx(2)
