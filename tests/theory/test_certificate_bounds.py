"""What a certificate promises, whoever made it: value - excess w <= optimum <= value + (gap + dual) w."""

import pytest
import torch

from tests.theory.awkward import scattered
from tests.theory.exact_optimum import deterministic_values, exact_optimum, rational
from theory import FiniteCMDP
from theory.optimum import certificate, certify, solve
from theory.optimum.policies import visits
from theory.optimum.policy_iteration import best_response
from theory.support.errors import InputError

ODD = {
    "a forbidden action earns 1e9": ([-0.89, -1e6, 1e9], [0.0, 1e12, 1e12], 0.0, 0.99),
    "a budget just above the smallest cost": ([1.04, 1e8, -0.16], [6.24, 1e4, 7.47], 6240.001, 0.999),
    "a forbidden action earns 1e4": ([1.0, 1e4], [0.0, 1e6], 0.0, 0.99),
}
"""r, c, l and gamma of one state, by hand: -89; 1040 + .001 (1e8 - 1.04)/(1e4 - 6.24); 100."""
OPTIMA = dict(zip(ODD, (-89.0, 1040 + 0.001 * (1e8 - 1.04) / (1e4 - 6.24), 100.0), strict=True))


def one_state(r: list[float], c: list[float], budget: float, gamma: float) -> FiniteCMDP:
    return FiniteCMDP([[[1.0]] * len(r)], [r], [c], [1.0], gamma, budget)


def forge(cmdp: FiniteCMDP, action: int, multiplier: float):
    """The certificate of always taking one action, with a multiplier and the values that belong to it."""
    policy = torch.nn.functional.one_hot(torch.tensor([[action]]), cmdp.actions).to(torch.float64)
    weight = torch.tensor([multiplier], dtype=torch.float64)
    _, v = best_response(cmdp, cmdp.r - weight[:, None, None] * cmdp.c)
    return certify(cmdp, visits(cmdp, policy), v, weight, torch.tensor([True]))


@pytest.mark.parametrize("multiplier", [1.0, 1e3, 1e9, 1e12])
def test_a_large_multiplier_hides_no_gap(multiplier: float) -> None:
    """By hand: action 1 earns 1/(1-gamma) = 2 at the whole budget of 2; doing nothing earns 0 at the same cost."""
    cmdp = one_state([0.0, 1.0, 1e12], [1.0, 1.0, 1e13], 2.0, 0.5)
    assert not bool(forge(cmdp, 0, multiplier).holds(0.1).any())
    assert bool(forge(cmdp, 1, 1.0).holds().all())


def test_a_cost_that_is_not_its_policys_is_not_certified() -> None:
    """The second state is never reached, and costs 1e9: an occupancy of 1e-8 there adds 20 to a budget of 100."""
    cmdp = FiniteCMDP([[[1.0, 0.0]], [[0.0, 1.0]]], [[1.0], [0.0]], [[0.0], [1e9]], [1.0, 0.0], 0.5, 100.0)
    right = solve(cmdp)
    assert bool(right.certificate.holds().all())
    occupancy = right.occupancy.clone()
    occupancy[0, 1] = 1e-8
    forged = certify(cmdp, occupancy, right.dual_value, right.multiplier, right.feasible, right.policy)
    assert forged.agreement.item() == pytest.approx(1e-8 * 1e9 * 2 / 100)
    assert forged.flow.item() < 1e-7, "the flow alone would not show it"
    assert not bool(forged.holds(1e-3).any())


def test_a_negative_multiplier_proves_nothing() -> None:
    """By hand: action 0 costs the whole budget and earns nothing, action 1 earns 1 and costs nothing."""
    cmdp = one_state([0.0, 1.0], [1.0, 0.0], 1.0, 0.0)
    policy, v = torch.tensor([[[1.0, 0.0]]], dtype=torch.float64), torch.tensor([[1.0]], dtype=torch.float64)
    forged = certify(cmdp, policy, v, torch.tensor([-1.0], dtype=torch.float64), torch.tensor([True]))
    assert forged.sign.item() == pytest.approx(1)
    assert forged.gap.item() == pytest.approx(1)
    assert not bool(forged.holds(0.5).any())


@pytest.mark.parametrize("method", ["lagrangian", "highs", "clarabel"])
def test_a_reward_of_1e11_in_a_state_that_is_never_reached(method: str) -> None:
    """By hand: 0, by never taking the loss. It is below the tolerance of a simplex method that sees 1e11."""
    P = [[[1.0, 0.0], [1.0, 0.0]], [[0.0, 1.0], [0.0, 1.0]]]
    cmdp = FiniteCMDP(P, [[-1.0, 0.0], [1e11, 0.0]], [[1.0, 0.5], [0.5, 0.5]], [1.0, 0.0], 0.5, 1.999)
    answer = solve(cmdp, method)
    assert answer.multiplier.item() >= 0
    assert answer.value.item() == 0 if method == "lagrangian" else not bool(answer.certificate.holds(1e-3).any())


@pytest.mark.parametrize("row", [[5.0, 0.5], [-3.0, 4.0], [0.5, 0.4]])
def test_a_policy_has_to_be_one(row: list[float]) -> None:
    cmdp = one_state([0.0, 1.0], [1.0, 0.0], 1.0, 0.0)
    right = solve(cmdp)
    parts = (right.occupancy, right.dual_value, right.multiplier, right.feasible)
    with pytest.raises(InputError, match="a row has a negative entry or does not sum to 1"):
        certify(cmdp, *parts, policy=torch.tensor([[row]], dtype=torch.float64))


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("method", ["lagrangian", "highs", "clarabel"])
def test_an_answer_that_is_certified_is_right(method: str, name: str) -> None:
    answer = solve(one_state(*ODD[name]), method)
    for tolerance in (1e-8, 1e-6):
        if bool(answer.certificate.holds(tolerance).all()):
            assert answer.value.item() == pytest.approx(OPTIMA[name], rel=2 * tolerance)
        else:
            steep = name == "a budget just above the smallest cost" and tolerance == 1e-8
            assert method == "clarabel" or steep, "the exact routes are certified, the steepest one to 1e-6"


def test_what_a_cost_above_the_budget_adds_to_the_value_is_seen() -> None:
    """By hand: 1e-9 of the action that earns 1e12 costs 1e-9 of the budget's unit, and adds 1000 to a value of 1."""
    cmdp = one_state([1.0, 1e12], [0.0, 1.0], 0.0, 0.0)
    x = torch.tensor([[[1 - 1e-9, 1e-9]]], dtype=torch.float64)
    weight = torch.tensor([1e12 - 1], dtype=torch.float64)
    found = certify(cmdp, x, torch.tensor([[1.0]], dtype=torch.float64), weight, torch.tensor([True]))
    assert found.budget.item() == pytest.approx(1e-9)
    assert found.excess.item() == pytest.approx(1000 / 1001)
    room = certify(cmdp.with_budget(1e-3), x, torch.tensor([[1.0]], dtype=torch.float64), weight, torch.tensor([True]))
    assert room.excess.item() == 0, "negative control: a cost within the budget adds nothing"
    half = certify(cmdp.with_budget(5e-10), x, torch.tensor([[1.0]], dtype=torch.float64), weight, torch.tensor([True]))
    assert half.excess.item() == pytest.approx(500 / 1001), "half of it is mixed away with the cheapest policy"
    idle = torch.tensor([[[1.0, 0.0]]], dtype=torch.float64)
    apart = certify(cmdp, x, torch.tensor([[1.0]], dtype=torch.float64), weight, torch.tensor([True]), idle)
    assert apart.excess.item() == pytest.approx(1000 / 1001), "the value is that of x, whatever the policy earns"


@pytest.mark.parametrize(("part", "theta"), [(1e-9, 1e-9 / (1 + 1e-9)), (2e-13, 2e-13), (5e-14, 0.0)])
def test_an_excess_counts_unless_it_is_rounding(part: float, theta: float) -> None:
    """The cheapest policy costs and earns nothing, so that theta = part / (1 + part) of the value is not attained."""
    cmdp = one_state([0.0, 1.0], [0.0, 1.0], 0.5, 0.0)
    beyond, reward = torch.tensor([0.5 * part], dtype=torch.float64), torch.ones(1, dtype=torch.float64)
    assert certificate.value_of_excess(cmdp, beyond, reward).item() == pytest.approx(theta, rel=1e-6, abs=0)


def test_a_bound_of_hidden_value_has_its_own_rounding() -> None:
    """By hand: the defect lies at an action that no budget pays for, so that the bound is 0 but for rounding."""
    cmdp = one_state([1.0, 1.0], [1.0, 1e9], 2.0, 0.5)
    defects = torch.tensor([[[0.0, 1e-3]]], dtype=torch.float64)
    (found,) = certificate.hidden_value(cmdp, defects, torch.ones(1, dtype=torch.float64)).tolist()
    assert 0 < found <= certificate.PLAIN


def test_where_the_cheapest_policy_is_not_found_an_excess_is_unlimited(monkeypatch) -> None:
    def unsettled(*_):
        raise RuntimeError

    cmdp = one_state([1.0, 1e12], [0.0, 1.0], 0.0, 0.0)
    monkeypatch.setattr(certificate, "best_response", unsettled)
    one = torch.ones_like(cmdp.budget)
    assert certificate.value_of_excess(cmdp, one, one).tolist() == [torch.inf]
    assert certificate.value_of_excess(cmdp, 0 * one, one).tolist() == [0.0]


def test_no_forged_answer_holds_where_it_is_wrong() -> None:
    """Every deterministic policy of 25 CMDPs as the answer, with five multipliers and their values."""
    held = wrong = 0
    for seed in range(25):
        cmdp = scattered(seed)
        points, budget = deterministic_values(cmdp), rational(cmdp.budget.item())
        optimum = exact_optimum(points, budget).value
        if optimum is None:
            continue
        exact = float(optimum)
        right = solve(cmdp)
        for policy in torch.cartesian_prod(*[torch.arange(cmdp.actions)] * cmdp.states).reshape(-1, cmdp.states):
            chosen = torch.nn.functional.one_hot(policy[None], cmdp.actions).to(torch.float64)
            for factor in (0.0, 0.5, 1.0, 1e3, 1e9):
                weight = factor * right.multiplier
                _, v = best_response(cmdp, cmdp.r - weight[:, None, None] * cmdp.c)
                found = certify(cmdp, visits(cmdp, chosen), v, weight, torch.tensor([True]))
                value = (visits(cmdp, chosen) * cmdp.r).sum().item() / (1 - cmdp.gamma.item())
                size = max(abs(exact), float(torch.where(cmdp.r != 0, cmdp.r.abs(), torch.inf).min()))
                far = abs(value - exact) > 1e-6 * size
                wrong += far
                held += bool(found.holds().all())
                assert not (far and bool(found.holds().all())), (seed, policy, factor, value, exact)
    assert held > 20, "a negative control: some of them are the optimum"
    assert wrong > 200, "a negative control: most of them are not"
