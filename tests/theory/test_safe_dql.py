"""Safe-DQL's minimiser by closed form and by gradient descent, and Theorem 9 term by term."""

import math
from dataclasses import replace

import pytest
import torch

from tests.theory.strategies import policy_for
from theory import FiniteCMDP, InputError, bounds
from theory.cmdp.families import make
from theory.evaluation import evaluate, occupancy
from theory.npg.safe_dql import Problem, biased_critics, cloning_loss, minimise, objective, reference_policy, theorem_9


def problem_for(cmdp: FiniteCMDP, cloning: str = "reverse", bias: float = 0.0, noise: float = 0.05) -> Problem:
    mu = policy_for(cmdp, 1, 0.7)
    critics = biased_critics(cmdp, mu, bias, noise, seed=2)
    return Problem(evaluate(cmdp, mu).Q_r, critics, mu, occupancy(cmdp, mu), cmdp.budget, 0.3, 5.0, cloning)


@pytest.mark.parametrize("cloning", ["reverse", "forward"])
def test_closed_form_is_the_minimum_that_gradient_descent_finds(cloning: str) -> None:
    cmdp = make("dirichlet", 3, 3, 0.6, 0.5, range(4))
    problem = problem_for(cmdp, cloning)
    best = minimise(problem)
    torch.testing.assert_close(best.sum(-1), torch.ones(4, 3, dtype=torch.float64))
    theta = torch.zeros_like(best).requires_grad_()
    optimiser = torch.optim.LBFGS([theta], max_iter=500, tolerance_grad=1e-13, tolerance_change=1e-16)

    def closure() -> torch.Tensor:
        optimiser.zero_grad()
        loss = objective(problem, torch.softmax(theta, -1)).sum()
        loss.backward()
        return loss

    optimiser.step(closure)
    torch.testing.assert_close(torch.softmax(theta.detach(), -1), best, rtol=1e-4, atol=1e-5)
    for seed in range(20):
        nearby = torch.softmax(best.log() + 0.1 * policy_for(cmdp, seed, 1.0), -1)
        assert bool((objective(problem, nearby) >= objective(problem, best)).all())


@pytest.mark.parametrize("tightness", [0.3, 0.6, 0.9])
@pytest.mark.parametrize("bias", [-0.3, 0.0, 0.3])
def test_theorem_9_holds_with_exact_and_biased_critics(bias: float, tightness: float) -> None:
    cmdp = make("garnet", 3, 3, 0.6, tightness, range(40))
    problem = problem_for(cmdp, bias=bias)
    policy = minimise(problem)
    report = theorem_9(cmdp, problem, policy)
    assert tightness < 0.9 or bool(report.reference_exists.any())
    assert bool((report.J_c <= report.bound + 1e-12).all())
    assert bool((report.J_c <= report.bound_tight + 1e-12).all())
    assert bool((report.bound_tight <= report.bound).all())
    lemma_7 = bounds.predicted_cost_bound(problem.kappa, report.expected_hinge)
    assert bool((report.predicted <= lemma_7 + 1e-12).all())
    true = (problem.D[..., None] * policy * evaluate(cmdp, policy).Q_c).sum((1, 2))
    assert bool((true <= bounds.true_cost_bound(report.predicted, report.eps_c) + 1e-12).all())


def test_theorem_9_fails_for_a_policy_that_does_not_minimise_and_says_so() -> None:
    """Negative control: the bound of the minimiser is broken by another policy, unless its gap/lambda is added."""
    cmdp = make("bandit", 2, 3, 0.6, 0.2, range(40))
    problem = replace(problem_for(cmdp, noise=0.0), penalty=200.0, eta=0.0, D=cmdp.rho)
    problem = replace(problem, kappa=problem.cost_critics.amax(1).amin(-1).amax(-1) + 0.05)
    costliest = torch.nn.functional.one_hot(cmdp.c.argmax(-1), 3).double()
    report = theorem_9(cmdp, problem, costliest)
    minimal = theorem_9(cmdp, problem, minimise(problem))
    same_eps = minimal.bound - minimal.eps_c + report.eps_c
    assert bool((report.J_c > same_eps).any())
    assert bool((report.J_c <= report.bound + 1e-12).all())


def test_reference_policy() -> None:
    cmdp = make("dirichlet", 3, 3, 0.6, 0.5, range(60))
    problem = problem_for(cmdp, noise=0.0)
    reference, exists = reference_policy(problem)
    hinge = (problem.D[..., None] * reference * problem.excess).sum((1, 2))
    assert float(hinge[exists].max()) == 0
    assert 0 < float(exists.double().mean()) < 1, "state-wise feasibility is a real condition (claim D12)"
    assert float(hinge[~exists].min()) > 0
    assert bool((cloning_loss(problem, reference)[exists] >= 0).all())
    forward = replace(problem, cloning="forward")
    restricted = exists & ((reference == 0).any(-1)).any(-1)
    assert bool(torch.isinf(cloning_loss(forward, reference)[restricted]).all())


def test_wrong_weights_are_rejected() -> None:
    problem = problem_for(make("dirichlet", 3, 3, 0.6, 0.5, [0]))
    with pytest.raises(InputError, match="cloning must be one of"):
        replace(problem, cloning="sideways")
    with pytest.raises(InputError, match="penalty"):
        replace(problem, penalty=0.0)


def test_objective_is_equation_1_written_out() -> None:
    problem = problem_for(make("dirichlet", 3, 2, 0.6, 0.5, [4]))
    policy = policy_for(make("dirichlet", 3, 2, 0.6, 0.5, [4]), 9)
    total = 0.0
    for s in range(3):
        for a in range(2):
            p, mu = policy[0, s, a].item(), problem.mu[0, s, a].item()
            worst = max(problem.cost_critics[0, i, s, a].item() for i in range(2))
            excess = max(0.0, worst - problem.kappa[0].item())
            gain = problem.Q_r[0, s, a].item()
            total += problem.D[0, s].item() * p * (math.log(p / mu) - problem.eta * gain + problem.penalty * excess)
    assert objective(problem, policy).item() == pytest.approx(total, abs=1e-12)


@pytest.mark.parametrize("scale", [1.0, 1e3, 1e6])
def test_the_forward_minimiser_satisfies_its_condition_of_optimality_at_any_scale(scale: float) -> None:
    """mu / pi - price is the same number nu for every action of a state."""
    problem = problem_for(make("dirichlet", 3, 4, 0.6, 0.5, range(5)), "forward")
    problem = replace(problem, eta=0.3 * scale, penalty=5.0 * scale)
    policy = minimise(problem)
    nu = problem.mu / policy - problem.price
    spread = (nu.amax(-1) - nu.amin(-1)) / problem.price.abs().amax(-1)
    assert float(spread.max()) < 1e-9


@pytest.mark.parametrize("rarest", [1e-3, 1e-8, 1e-15])
@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_the_forward_minimiser_is_found_where_the_cheapest_action_is_rare(rarest: float, scale: float) -> None:
    """Newton's method starts at mu of the cheapest action, and doubles nu at each step while prices hardly differ."""
    mu = torch.tensor([[[rarest, 0.3 - rarest, 0.7], [0.5, 0.5 - rarest, rarest]]], dtype=torch.float64)
    zero = torch.zeros(1, 1, 2, 3, dtype=torch.float64)
    Q_r = torch.tensor([[[3.0, 2.0, 1.0], [0.0, 0.5, 2.0]]], dtype=torch.float64)
    D, kappa = torch.tensor([[0.5, 0.5]], dtype=torch.float64), torch.tensor([1.0], dtype=torch.float64)
    problem = Problem(Q_r, zero, mu, D, kappa, scale, 1.0, "forward")
    policy = minimise(problem)
    torch.testing.assert_close(policy.sum(-1), torch.ones(1, 2, dtype=torch.float64))
    nu = mu / policy - problem.price
    spread = (nu.amax(-1) - nu.amin(-1)) / problem.price.abs().amax(-1).maximum(nu.abs().amax(-1))
    assert float(spread.max()) < 1e-9


def test_states_without_data_cost_no_cloning() -> None:
    """Even where a policy drops an action there, whose KL is infinite."""
    problem = problem_for(make("dirichlet", 3, 3, 0.6, 0.5, [0]), "forward")
    D = torch.tensor([[0.5, 0.5, 0.0]], dtype=torch.float64)
    policy = problem.mu.clone()
    policy[0, 2] = torch.tensor([1.0, 0.0, 0.0])
    assert cloning_loss(replace(problem, D=D), policy).item() == pytest.approx(0.0, abs=1e-12)
    assert torch.isinf(cloning_loss(replace(problem, D=D.flip(-1)), policy)).all(), "a negative control"


def test_the_critics_error_is_that_of_the_better_critic() -> None:
    """Assumption 4 asks for one critic that errs little: eps_c is the smallest over critics of the largest error."""
    cmdp = make("garnet", 3, 3, 0.6, 0.5, range(4))
    problem = problem_for(cmdp, noise=0.0)
    policy = minimise(problem)
    exact = evaluate(cmdp, policy).Q_c
    for errors in ((0.25, 0.75), (0.75, 0.25), (0.25, -0.5)):
        critics = torch.stack([exact - error for error in errors], dim=1)
        report = theorem_9(cmdp, replace(problem, cost_critics=critics), policy)
        torch.testing.assert_close(report.eps_c, torch.full((4,), max(min(errors), 0.0), dtype=torch.float64))
