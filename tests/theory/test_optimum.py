"""The constrained optimum: three routes agree, each carries its proof, and the proof cannot be forged."""

from dataclasses import fields, replace
from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.theory.strategies import FEW, SETTINGS, Recipe, policy_for, recipes
from theory import FiniteCMDP, InputError
from theory.cmdp.families import make, sparse_garnet
from theory.evaluation import evaluate
from theory.optimum import certify, solve
from theory.optimum.certificate import Certificate


def relative(a: torch.Tensor, b: torch.Tensor, cmdp: FiniteCMDP) -> float:
    assert torch.equal(torch.isnan(a), torch.isnan(b))
    return float(torch.nan_to_num((a - b) / (cmdp.bound / (1 - cmdp.gamma) + 1e-300)).abs().max())


@SETTINGS
@given(recipes(tightness=(-0.3, 0.0, 0.2, 0.5, 0.9, 1.0, 1.3)))
def test_lagrangian_carries_a_certificate_and_agrees_with_the_refined_basis(recipe: Recipe) -> None:
    cmdp = recipe.make()
    first, second = solve(cmdp), solve(cmdp, "highs")
    assert bool(first.certificate.holds(1e-9).all()), first.certificate
    assert bool(second.certificate.holds(1e-9).all()), second.certificate
    assert torch.equal(first.feasible, second.feasible)
    assert relative(first.value, second.value, cmdp) < 1e-8
    values = evaluate(cmdp, first.policy)
    assert relative(torch.where(first.feasible, values.J_r, torch.nan), first.value, cmdp) < 1e-9
    assert relative(values.J_c, first.cost, cmdp) < 1e-9


@FEW
@given(recipes(tightness=(-0.3, 0.2, 0.5, 0.9, 1.3)))
def test_clarabel_agrees(recipe: Recipe) -> None:
    cmdp = recipe.make()
    first, third = solve(cmdp), solve(cmdp, "clarabel")
    assert torch.equal(first.feasible, third.feasible)
    assert relative(first.value, third.value, cmdp) < 1e-6
    assert bool(third.certificate.holds(1e-6).all()), third.certificate


@SETTINGS
@given(recipes(tightness=(0.2, 0.5, 0.9, 1.3)), st.integers(0, 1000))
def test_weak_duality_and_no_better_feasible_policy(recipe: Recipe, seed: int) -> None:
    """V_r^pi - lambda (V_c^pi - l) <= V_r* for every policy, feasible or not."""
    cmdp = recipe.make()
    optimum = solve(cmdp)
    values = evaluate(cmdp, policy_for(cmdp, seed, spread=8.0))
    lagrangian = values.J_r - optimum.multiplier * (values.J_c - cmdp.budget)
    slack = (optimum.value - lagrangian) / (cmdp.bound * (1 + optimum.multiplier) / (1 - cmdp.gamma) + 1e-300)
    assert float(slack.min()) > -1e-9


def test_brute_force_over_mixtures_of_deterministic_policies() -> None:
    cmdp = make("garnet", 3, 2, 0.9, 0.4, [7])
    rewards, costs = [], []
    for choice in product(range(2), repeat=3):
        policy = torch.nn.functional.one_hot(torch.tensor(choice), 2)[None].to(torch.float64)
        values = evaluate(cmdp, policy)
        rewards.append(values.J_r.item())
        costs.append(values.J_c.item())
    r, c, budget = np.array(rewards), np.array(costs), cmdp.budget.item()
    best = r[c <= budget].max()
    for i, j in product(np.flatnonzero(c <= budget), np.flatnonzero(c > budget)):
        w = (c[j] - budget) / (c[j] - c[i])
        best = max(best, w * r[i] + (1 - w) * r[j])
    assert solve(cmdp).value.item() == pytest.approx(best, abs=1e-12)


def test_mixture_of_two_deterministic_policies_attains_the_optimum() -> None:
    cmdp = make("dirichlet", 6, 4, 0.95, 0.5, range(20))
    optimum = solve(cmdp)
    assert optimum.extremes is not None
    assert optimum.mixing is not None
    parts = [evaluate(cmdp, optimum.extremes[:, i]) for i in range(2)]
    for name, total in (("J_r", optimum.value), ("J_c", optimum.cost)):
        mixed = sum(optimum.mixing[:, i] * getattr(parts[i], name) for i in range(2))
        torch.testing.assert_close(mixed, total, rtol=1e-11, atol=1e-11)
    assert set(optimum.extremes.unique().tolist()) == {0.0, 1.0}
    assert float((optimum.policy > 1e-9).sum(-1).sub(1).sum(-1).max()) <= 1, "more than one state randomises"


def test_infeasible_budget_gives_the_smallest_cost_and_a_proof() -> None:
    cmdp = make("dirichlet", 5, 3, 0.9, -0.2, range(6))
    for method in ("lagrangian", "highs", "clarabel"):
        answer = solve(cmdp, method)
        assert not bool(answer.feasible.any())
        assert bool(torch.isnan(answer.value).all())
        assert bool(torch.isinf(answer.multiplier).all())
        assert bool((answer.certificate.margin > 0).all())
        smallest = (cmdp.rho * answer.dual_value).sum(-1)
        torch.testing.assert_close(smallest, answer.cost, rtol=1e-7, atol=1e-7)
    feasible = cmdp.with_budget(answer.cost * 1.001)
    forged = certify(feasible, answer.occupancy, answer.dual_value, answer.multiplier, answer.feasible)
    assert bool((forged.margin < 0).all()), "negative control: the same evidence against a feasible budget"


@pytest.mark.parametrize("what", ["value", "policy", "multiplier", "dual"])
def test_a_wrong_solution_is_not_certified(what: str) -> None:
    cmdp = make("garnet", 5, 3, 0.9, 0.5, range(8))
    right = solve(cmdp)
    occupancy, v, multiplier = right.occupancy, right.dual_value, right.multiplier
    if what == "value":
        occupancy = 0.999 * occupancy + 0.001 / occupancy[0].numel()
    elif what == "policy":
        assert right.extremes is not None
        occupancy = right.extremes[:, 0] * evaluate(cmdp, right.extremes[:, 0]).d[..., None]
    elif what == "multiplier":
        multiplier = multiplier * 0.99
    else:
        v = v + 1e-3
    assert bool(right.certificate.holds(1e-10).all())
    assert not bool(certify(cmdp, occupancy, v, multiplier, right.feasible).holds(1e-6).any())


def test_budget_equal_to_the_smallest_cost() -> None:
    """No strictly feasible policy: the multiplier exists all the same, and the answer is certified."""
    cmdp = make("deterministic", 5, 3, 0.9, 0.0, range(30))
    answer = solve(cmdp)
    assert bool(answer.feasible.all())
    assert bool(answer.certificate.holds(1e-10).all())
    torch.testing.assert_close(answer.value, solve(cmdp, "highs").value, rtol=1e-9, atol=1e-9)


def test_sparse_route_agrees_with_the_simplex_method() -> None:
    cmdp = sparse_garnet(300, seed=1)
    first, second = solve(cmdp), solve(cmdp, "highs")
    assert bool(first.certificate.holds(1e-9).all())
    torch.testing.assert_close(first.value, second.value, rtol=1e-8, atol=0)
    assert second.basis is not None
    assert len(second.basis[0]) == 301, "one basic column per flow row and one for the budget"


def test_unknown_method_is_rejected() -> None:
    with pytest.raises(InputError, match="method must be one of"):
        solve(make("garnet", 3, 2, 0.5, 0.5, [0]), "guess")


@pytest.mark.parametrize("name", [field.name for field in fields(Certificate) if field.name != "margin"])
def test_certificate_reports_the_worst_residual(name: str) -> None:
    answer = solve(make("garnet", 3, 2, 0.5, 0.5, [0, 1]))
    broken = replace(answer.certificate, **{name: getattr(answer.certificate, name) + 0.5})
    torch.testing.assert_close(broken.worst, getattr(broken, name))


def test_the_margin_of_an_infeasible_budget_is_never_above_the_true_one() -> None:
    """Any v at all: what it violates of v <= c + gamma P v is taken off what it claims."""
    cmdp = make("dirichlet", 3, 3, 0.6, -0.3, range(4))
    answer = solve(cmdp)
    assert not bool(answer.feasible.any())
    true_margin = answer.cost - cmdp.budget
    claimed_more = 0
    for seed in range(5):
        noise = torch.randn(4, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        v = answer.dual_value + 0.5 * noise
        found = certify(cmdp, answer.occupancy, v, answer.multiplier, answer.feasible)
        assert bool((found.margin <= true_margin + 1e-12).all())
        claimed_more += int(((cmdp.rho * v).sum(-1) - cmdp.budget > true_margin).sum())
    assert claimed_more > 0, "a negative control: without that some of these v would claim more than is true"
