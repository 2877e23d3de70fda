"""Gaps that mutation testing found in the tests of theory/ (`python -m verification.mutation`)."""

from dataclasses import replace

import pytest
import torch

from theory import bounds
from theory.cmdp.families import make
from theory.evaluation import evaluate, occupancy
from theory.npg import reference
from theory.npg.algorithms import configure, init, step
from theory.npg.outputs import outputs, run
from theory.npg.safe_dql import biased_critics
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


def test_the_plain_occupancy_is_the_batched_one():
    cmdp = make("garnet", 4, 3, 0.9, 0.5, [0])
    policy = cmdp.uniform_policy()
    plain = reference.occupancy(cmdp.P[0].numpy(), cmdp.rho[0].numpy(), 0.9, policy[0].numpy())
    torch.testing.assert_close(torch.from_numpy(plain), occupancy(cmdp, policy)[0])


def test_the_statewise_output_mixes_the_policies_by_their_weights():
    cmdp = make("garnet", 4, 3, 0.9, 0.5, [0, 1])
    config = configure(2, 6, 0.5)
    state, total = init(cmdp, config), torch.zeros_like(cmdp.r)
    for _ in range(config.steps):
        policy = state.log_policy.exp()
        state, info = step(cmdp, config, state)
        total = total + info.weights.x[:, None, None] * policy
    mixed = evaluate(cmdp, total / total.sum(-1, keepdim=True))
    answer = outputs(cmdp, run(cmdp, config, cmdp.rho))["statewise_corrected"]
    torch.testing.assert_close(answer.J_r, mixed.J_r)
    torch.testing.assert_close(answer.J_c, mixed.J_c)
    assert not torch.allclose(answer.J_r, evaluate(cmdp, cmdp.uniform_policy()).J_r)


def test_biased_critics_keep_to_what_is_possible():
    cmdp = make("dirichlet", 4, 2, 0.9, 0.5, range(2))
    policy = torch.full((2, 4, 2), 0.5, dtype=torch.float64)
    ceiling = cmdp.c.amax((1, 2)) / 0.1
    for bias, bound in ((-1e3, 0 * ceiling), (1e3, ceiling)):
        critics = biased_critics(cmdp, policy, bias, 0.0, seed=0)
        torch.testing.assert_close(critics, bound[:, None, None, None].expand_as(critics))
