"""The constrained optimum at its limits: gamma near 1, payoffs of very different size, long chains, huge budgets."""

import pytest
import torch

from tests.support.lighter import unchecked
from theory import FiniteCMDP
from theory.cmdp.dense import concatenate
from theory.cmdp.families import make
from theory.optimum import Solution, certify, lagrangian, policy_iteration, solve
from theory.optimum import conic as conic_route
from theory.optimum.policies import budget_unit, reward_unit, visits


def bandit(r: list[float], c: list[float], budget: float) -> FiniteCMDP:
    return FiniteCMDP([[[1.0]] * len(r)], [r], [c], [1.0], 0.5, budget)


def cycle(gamma: float, gain: float) -> FiniteCMDP:
    """Two ways round: .5 + 0 and .49 + .01 + gain; taking the second is worth gain/2 per step."""
    P = torch.zeros(3, 2, 3)
    P[0, 0, 1] = P[0, 1, 2] = 1
    P[1:, :, 0] = 1
    r = [[0.5, 0.49], [0, 0], [0.01 + gain] * 2]
    return FiniteCMDP(P, r, torch.zeros(3, 2), [1.0, 0, 0], gamma, 1.0)


def cycle_value(gamma: float, gain: float) -> float:
    return (0.49 + gamma * (0.01 + gain)) / (1 - gamma**2)


@pytest.mark.parametrize(("distance", "gain"), [(1e-3, 2e-5), (1e-5, 2e-5), (1e-6, 2e-3)])
def test_a_small_gain_per_step_is_found_near_gamma_one(distance: float, gain: float) -> None:
    answer = solve(cycle(1 - distance, gain))
    assert bool(answer.certificate.holds().all()), answer.certificate
    assert answer.value.item() == pytest.approx(cycle_value(1 - distance, gain), rel=1e-9)


@pytest.mark.parametrize("distance", [1e-3, 1e-5, 1e-6])
@pytest.mark.parametrize("family", ["deterministic", "garnet", "bandit", "chain"])
def test_moderate_gammas_are_certified(family: str, distance: float) -> None:
    cmdp = make(family, 6, 4, 1 - distance, 0.5, range(20))
    answer = solve(cmdp)
    assert bool(answer.certificate.holds().all()), answer.certificate.worst
    if distance > 1e-6:  # where the simplex method itself still ends
        torch.testing.assert_close(answer.value, solve(cmdp, "highs").value, rtol=1e-8, atol=0)


def inert(gamma: float) -> tuple[FiniteCMDP, torch.Tensor, torch.Tensor]:
    """Two absorbing states, the start without reward; and an occupancy and values as if it were in the other one."""
    P = torch.eye(2, dtype=torch.float64)[:, None]
    cmdp = FiniteCMDP(P, [[0.0], [1.0]], [[0.0], [0.0]], [1.0, 0.0], gamma, 1.0)
    occupancy = torch.tensor([[[0.0], [1.0]]], dtype=torch.float64)
    return cmdp, occupancy, torch.full((1, 2), 1 / (1 - gamma), dtype=torch.float64)


@pytest.mark.parametrize("distance", [1e-2, 5e-9, 1e-12])
def test_an_occupancy_of_another_start_is_not_certified(distance: float) -> None:
    cmdp, occupancy, v = inert(1 - distance)
    forged = certify(cmdp, occupancy, v, torch.zeros_like(cmdp.budget), torch.tensor([True]))
    assert forged.flow.item() == pytest.approx(2, rel=1e-2)
    assert not bool(forged.holds().any())
    assert solve(cmdp).value.item() == 0


@pytest.mark.parametrize("distance", [1e-2, 1e-6])
def test_the_dual_residual_bounds_the_value_that_is_missed(distance: float) -> None:
    """V_r* - value <= (gap + dual) M/(1-gamma), at the worse way round with its own values."""
    cmdp = cycle(1 - distance, 2e-3)
    policy = torch.tensor([[[1.0, 0], [1, 0], [1, 0]]], dtype=torch.float64)
    v = cmdp.solve(policy, (policy * cmdp.r).sum(-1, keepdim=True)).squeeze(-1)
    certificate = certify(
        cmdp, visits(cmdp, policy), v, torch.zeros_like(cmdp.budget), torch.ones_like(cmdp.budget) > 0
    )
    missed = (cycle_value(1 - distance, 2e-3) - v[0, 0].item()) * distance / cmdp.bound.item()
    assert missed <= (certificate.gap + certificate.dual).item()
    assert certificate.dual.item() == pytest.approx(2e-3 * (1 - distance) / 0.5, rel=0.1)


def test_where_float64_cannot_tell_no_certificate_holds() -> None:
    assert not bool(solve(cycle(1 - 1e-9, 2e-3)).certificate.holds().any())


def test_feasibility_is_judged_in_units_of_cost() -> None:
    within = solve(bandit([0, 1e12], [0.3, 0.4], 0.65))
    assert within.cost.item() == pytest.approx(0.65)
    assert within.value.item() == pytest.approx(5e11)
    beyond = solve(bandit([0, 1e9], [0.3, 1], 0.6 - 1e-5))
    assert not bool(beyond.feasible.any())
    assert bool((beyond.certificate.margin > 0).all())


def test_equal_costs_that_differ_by_rounding_count_as_within_the_budget_in_any_unit() -> None:
    for unit in (1e-6, 1.0, 1e6):
        cmdp = make("deterministic", 5, 3, 0.9, 0.0, range(10))
        cmdp = FiniteCMDP(cmdp.P, cmdp.r, unit * cmdp.c, cmdp.rho, cmdp.gamma, unit * cmdp.budget * (1 - 1e-15))
        assert bool(solve(cmdp).feasible.all())


@pytest.mark.slow
@unchecked()
def test_a_chain_that_is_longer_than_any_fixed_number_of_improvements() -> None:
    states, n = 520, torch.arange(520)
    P, r = torch.zeros(states, 2, states), torch.zeros(states, 2)
    P[n, 0, (n - 1).clamp(min=0)] = 1
    P[n, 1, (n + 1).clamp(max=states - 1)] = 1
    r[-1, 1] = 1
    answer = solve(FiniteCMDP(P, r, torch.zeros(states, 2), torch.eye(states)[0], 0.999, 1.0))
    assert answer.value.item() == pytest.approx(0.999**519 * 1000)


def test_a_search_that_does_not_settle_says_so(monkeypatch) -> None:
    cmdp = make("garnet", 4, 3, 0.9, 0.5, [0])
    monkeypatch.setattr(policy_iteration, "ROUNDING", -1.0)
    with pytest.raises(RuntimeError, match="policy iteration did not settle in 512 improvements"):
        solve(cmdp)
    monkeypatch.setattr(policy_iteration, "ROUNDING", 1e-15)
    monkeypatch.setattr(lagrangian, "ROUNDING", -1.0)
    with pytest.raises(RuntimeError, match="search did not settle in 212 lines"):
        solve(cmdp)


def clarabel(cmdp: FiniteCMDP) -> Solution:
    return solve(cmdp, "clarabel")


def test_clarabel_takes_a_huge_budget_for_an_inactive_one() -> None:
    answer = clarabel(bandit([0, 1], [0, 1], 1e12))
    assert bool(answer.certificate.holds().all())
    assert answer.value.item() == pytest.approx(2)
    assert answer.multiplier.item() == 0
    big = clarabel(bandit([0, 1e9], [0, 1e-6], 1e-6))
    assert big.value.item() == pytest.approx(1e9, rel=1e-8)
    assert big.multiplier.item() == pytest.approx(1e15, rel=1e-6)


def test_clarabel_answers_infeasible_only_with_a_proof(monkeypatch) -> None:
    run = conic_route._run
    monkeypatch.setattr(conic_route, "_run", lambda problem: (run(problem), "unbounded")[1])
    with pytest.raises(RuntimeError, match="status unbounded, neither solved nor infeasible"):
        clarabel(bandit([0, 1], [0, 1], 1.0))
    statuses = iter(("infeasible", "optimal"))
    monkeypatch.setattr(conic_route, "_run", lambda problem: (run(problem), next(statuses))[1])
    with pytest.raises(RuntimeError, match="without a proof"):
        clarabel(bandit([0, 1], [0, 1], 1.0))


@pytest.mark.parametrize("method", ["lagrangian", "highs"])
def test_capped_costs_of_one_cmdp_of_a_batch_are_told_apart_whatever_the_others_need(method: str) -> None:
    """Both actions of the first cost far more than the budget, the second one a tenth of the first."""
    hard, easy = bandit([0, 0], [1e7, 1e6], 1.0), bandit([0, 1], [0, 1], 1.0)
    for batch in ([hard, easy], [easy, hard], [hard, hard]):
        answer = solve(concatenate(batch), method)
        for i, one in enumerate(batch):
            alone = solve(one, method)
            assert answer.cost[i].item() == pytest.approx(alone.cost.item(), rel=1e-9)
            assert alone.cost.item() == pytest.approx(2e6 if one is hard else 1.0)
        assert bool(answer.certificate.holds().all())


def test_a_route_that_ends_without_an_answer_near_gamma_one_says_why() -> None:
    """A solver's status alone says nothing of gamma."""
    easy = FiniteCMDP([[[1.0], [1.0]]], [[0.0, 1.0]], [[0.0, 1.0]], [1.0], 1 - 1e-12, 5e11)
    P = [[[0.5, 0.5], [0.875, 0.125]], [[0.375, 0.625], [1.0, 0.0]]]
    r, c = [[25e4, 0.0], [1e6, 0.0]], [[0.0, 7.5e-7], [1000.0, 0.0]]
    hard = FiniteCMDP(P, r, c, [0.5, 0.5], 1 - 1e-12, 5200115.035489415)
    for method, cmdp in (("highs", easy), ("clarabel", hard)):
        with pytest.raises(RuntimeError, match="gamma is too near 1 for float64"):
            solve(cmdp, method)


def test_units_by_hand() -> None:
    """min(|l|, c_max/(1-gamma)), the least positive cost for l = 0; the largest reward, else the least loss, else 1."""
    for budget, unit in ((0.5, 0.5), (-0.5, 0.5), (7.0, 7.0), (9.0, 8.0), (1e6, 8.0), (0.0, 0.25)):
        assert budget_unit(bandit([0, 0, 0], [0, 0.25, 4], budget)).item() == unit
    assert budget_unit(bandit([0, 0], [0, 0], 0.0)).item() == 1
    for rewards, unit in (([3.0, -1e12], 3), ([0.0, -2.0, -5.0], 2), ([0.0, 0.0], 1)):
        assert reward_unit(bandit(rewards, [0.0] * len(rewards), 1.0)).item() == unit
