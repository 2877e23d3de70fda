"""Gaps that mutation testing found in the tests of theory/ (`python -m verification.mutation`)."""

from dataclasses import replace

import pytest
import torch

from theory import FiniteCMDP, bounds
from theory.adaptation import Region, Weights
from theory.cmdp.families import make
from theory.evaluation import evaluate, occupancy
from theory.npg import reference
from theory.npg.algorithms import Info, configure, init, step
from theory.npg.outputs import accumulate, empty, outputs, run
from theory.npg.safe_dql import Problem, biased_critics, reference_policy
from theory.offline.data import concentrability
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


def test_both_slacks_shrink_and_only_where_they_are_to():
    config = configure(2, 8, 0.1, h_plus=0.8, h_minus=0.4)
    config = replace(config, shrinking=torch.tensor([True, False]))
    for step_number, left in ((0, 1.0), (2, 0.75), (8, 0.0)):
        h_plus, h_minus = config.slack(step_number)
        torch.testing.assert_close(h_plus, torch.tensor([0.8 * left, 0.8]).double())
        torch.testing.assert_close(h_minus, torch.tensor([0.4 * left, 0.4]).double())


def test_the_largest_errors_are_the_largest_of_all_iterations():
    """Of J_c, and of both Q tables, in whichever iteration they occur."""
    cmdp = make("dirichlet", 2, 2, 0.5, 0.5, range(2))
    truth = evaluate(cmdp, cmdp.uniform_policy())
    one = torch.ones(2, dtype=torch.float64)
    weights, sums = Weights(one, one, torch.full((2,), int(Region.SAFE))), empty(cmdp)
    for gate, reward, cost in ((1.0, 2.0, 3.0), (-5.0, -1.0, 0.5), (2.0, -4.0, 1.0), (0.1, 0.1, 0.1)):
        wrong = replace(truth, J_c=truth.J_c + gate, Q_r=truth.Q_r + reward, Q_c=truth.Q_c + cost)
        info = Info(wrong, (one, one, one), weights, truth.Q_r)
        sums = accumulate(sums, info, truth, cmdp.uniform_policy(), truth.d, cmdp.gamma)
    torch.testing.assert_close(sums.largest, torch.tensor([[5.0, 4.0]] * 2).double())


def test_concentrability_looks_at_the_times_below_the_horizon():
    """State k is reached at time k, and the data visit it with (1-gamma) gamma^k."""
    P = torch.eye(4, dtype=torch.float64)[[1, 2, 3, 3]][:, None]
    cmdp = FiniteCMDP(P, torch.zeros(4, 1), torch.zeros(4, 1), torch.eye(4)[0], 0.3, 1.0)
    found = [concentrability(cmdp, cmdp.uniform_policy(), horizon).item() for horizon in (1, 2, 3, 4, 9)]
    assert found == pytest.approx([1 / 0.7, 1 / 0.21, 1 / 0.063, 1 / 0.027, 1 / 0.027])


def test_a_certificate_judges_the_policy_that_is_returned_as_well_as_the_occupancy():
    cmdp = make("dirichlet", 5, 3, 0.9, 0.5, range(3))
    answer = solve(cmdp)
    dearest = torch.nn.functional.one_hot(evaluate(cmdp, answer.policy).Q_c.argmax(-1), 3).double()
    beyond = evaluate(cmdp, dearest).J_c - cmdp.budget
    parts = (answer.occupancy, answer.dual_value, answer.multiplier, answer.feasible)
    forged = certify(cmdp, *parts, policy=dearest)
    assert (beyond > 0.1).all()
    torch.testing.assert_close(forged.budget, beyond / cmdp.budget.minimum(10 * cmdp.c.amax((1, 2))))
    assert not forged.holds().any()
    cheapest = torch.nn.functional.one_hot(evaluate(cmdp, answer.policy).Q_c.argmin(-1), 3).double()
    poor = certify(cmdp, *parts, policy=cheapest)
    assert (poor.gap > 1e-3).all()
    assert not poor.holds().any()


def test_a_reference_policy_is_needed_in_the_datas_states_alone():
    """Safe actions in the first state only; the second one is in the data or not."""
    Q_c = torch.tensor([[[0.0, 2.0], [2.0, 2.0]]]).double()
    for share, found in ((0.0, True), (0.5, False)):
        D = torch.tensor([[1 - share, share]]).double()
        uniform = torch.full((1, 2, 2), 0.5).double()
        problem = Problem(0 * Q_c, Q_c[:, None], uniform, D, torch.ones(1).double(), 1.0, 1.0)
        policy, exists = reference_policy(problem)
        assert exists.tolist() == [found]
        assert policy[0, 0].tolist() == [1, 0]


@pytest.mark.parametrize("residual", ["flow", "negativity", "budget", "dual", "gap", "complementarity"])
@pytest.mark.parametrize("size", [1e-3, -1e-3])
def test_every_residual_alone_undoes_a_certificate(residual: str, size: float):
    certificate = solve(make("dirichlet", 5, 3, 0.9, 0.5, range(3))).certificate
    assert certificate.holds().all()
    value = torch.zeros_like(certificate.flow)
    value[1] = size
    assert replace(certificate, **{residual: value}).holds().tolist() == [True, False, True]


def test_the_sums_of_a_run_are_those_of_its_iterations():
    """The weights x, in every region that the run meets."""
    cmdp = make("chain", 4, 3, 0.9, 0.4, range(3))
    config = configure(3, 40, 0.2, h_plus=0.3, h_minus=0.1)
    state, x, regions = init(cmdp, config), torch.zeros(3).double(), set()
    for _ in range(config.steps):
        state, info = step(cmdp, config, state)
        x = x + info.weights.x
        regions |= set(info.weights.region.tolist())
    sums = run(cmdp, config, cmdp.rho).sums
    torch.testing.assert_close(sums.x, x)
    torch.testing.assert_close(sums.weight[:, 0], x)
    assert len(regions) > 1
    assert not torch.allclose(x, torch.full_like(x, config.steps / 2)), "a negative control: y sums to something else"
