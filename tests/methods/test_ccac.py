"""deep.methods.actor_critic.ccac: budgets of the data, labels, the signs of both multipliers, a known optimum."""

from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
import torch

from deep.core.randomness import draw_block
from deep.methods.actor_critic.ccac import CCAC, remaining
from deep.tasks import find_task
from tests.support.lighter import unchecked
from tests.support.risky_bandit import GAMMA, LENGTH, bandit, bandit_data, play, trained

SMALL: dict[str, Any] = {
    "vae_steps": 200,
    "steps": 1200,
    "batch_size": 128,
    "hidden": (32, 32),
    "vae_hidden": (32,),
    "latent_size": 4,
    "actor_rate": 2e-3,
    "learning_rate": 3e-3,
    "ema_rate": 0.02,
}


def learner(**changes) -> CCAC:
    method = bandit("ccac", (4.0, 12.0), **(SMALL | changes)).method
    assert isinstance(method, CCAC)
    return method


def update(method: CCAC) -> dict[str, torch.Tensor]:
    (_, phase) = method.phases()
    draws = draw_block(phase.draws, phase.seeds, phase.name, 0, 1, method.problem.device)
    return phase.update(torch.tensor(0.0), {name: values[0] for name, values in draws.items()})


def fix_logs(method: CCAC, first: float, third: float) -> None:
    """Make log lambda_1 and log lambda_3 these constants."""
    with torch.no_grad():
        method.duals.theta.zero_()
        method.duals.theta[:, -2:] = torch.tensor([first, third])


def test_budgets_are_what_the_trajectory_still_costs():
    data = bandit_data(3, delayed=False)
    left, step = remaining(data)
    for start, length in zip(data.starts, data.lengths, strict=True):
        costs = data.costs[start : start + length]
        assert left[start] == costs.sum()
        assert left[start + length - 1] == costs[-1]
        assert step[start : start + length].tolist() == list(range(length))
    assert np.all(left[:-1][data.timeouts[:-1] == 0] - data.costs[:-1][data.timeouts[:-1] == 0] == left[1:][
        data.timeouts[:-1] == 0])  # fmt: skip


def test_the_budget_is_discounted_and_in_the_public_form_ten_times_too_loose():
    method, public = learner(), learner(variant="public")
    full = torch.tensor([8.0])
    rate = 8 / LENGTH
    expected = rate * (1 - GAMMA**LENGTH) / (1 - GAMMA)
    assert method.kappa(full, torch.tensor([0.0])).item() == pytest.approx(expected, rel=1e-5)
    assert method.kappa(full, torch.tensor([LENGTH - 1.0])).item() == pytest.approx(8, rel=1e-5)
    assert method.kappa(torch.tensor([-3.0]), torch.tensor([0.0])).item() == 0
    assert public.kappa(full, torch.tensor([0.0])).item() == 8
    length, gamma = find_task("HopperVel").episode_length, 0.99
    assert length * (1 - gamma) / (1 - gamma**length) == pytest.approx(10, rel=1e-3)


@pytest.mark.parametrize("variant", ["corrected", "public"])
def test_the_budget_after_a_step_is_that_of_the_row_after_it(variant):
    """Inside a trajectory; after its last step nothing is left to be spent."""
    method = learner(variant=variant)
    data, count = method.problem.data, len(method.problem.replay)
    _, kappa, after = method._batch({"row": ((torch.arange(count) + 0.5) / count).unsqueeze(0)})
    inside = np.ones(count, dtype=bool)
    inside[data.ends] = False
    torch.testing.assert_close(after[0, :-1][inside[:-1]], kappa[0, 1:][inside[:-1]])
    assert not after[0, ~inside].any()
    assert kappa.unique().numel() > 5


def test_the_classifier_compares_with_budgets_in_another_order():
    kappa, order = torch.tensor([[3.0, 1.0, 2.0]]), torch.tensor([[0.9, 0.1, 0.5]])
    assert learner().other_budgets(kappa, order).tolist() == [[1.0, 2.0, 3.0]]
    assert learner(variant="public").other_budgets(kappa, order).tolist() == [[3.0, 3.0, 3.0]]


@pytest.mark.parametrize("kappa", [0.0, 1e6])
def test_lambda_3_rises_where_the_cost_exceeds_the_budget_and_falls_below(kappa):
    method = learner(regularisation=0.0)
    method.kappa = lambda left, step: torch.full_like(left, kappa)
    with torch.no_grad():
        method.q.theta[:, -1] += 1.0  # the last cost critic's bias: a cost of 5 everywhere
    fix_logs(method, -60.0, 0.0)
    excess = update(method)["excess"]
    slope = method.duals.tensors["exp_avg"][:, -1] / 0.1  # of the loss in log lambda_3, which is -lambda_3 excess
    torch.testing.assert_close(slope, -excess, rtol=1e-4, atol=0)
    assert (excess > 0) == (kappa == 0)


def test_without_lambda_1_the_cost_critic_is_td_of_the_policy():
    """The same critics as where the classifier finds nothing costly; with lambda_1 = e they differ."""

    def critics(log_lambda: float, costly: bool) -> torch.Tensor:
        method = learner()
        fix_logs(method, log_lambda, 0.0)
        with torch.no_grad():
            method.classifier.theta.zero_()
            method.classifier.theta[:, -1] = 1.0 if costly else -1.0
        update(method)
        return method.q.theta.detach()

    plain = critics(-60.0, costly=False)
    assert torch.equal(plain, critics(1.0, costly=False))
    torch.testing.assert_close(plain, critics(-60.0, costly=True), rtol=0, atol=1e-7)
    assert not torch.allclose(plain, critics(1.0, costly=True), rtol=0, atol=1e-4)


def test_costly_pairs_off_the_data_are_pushed_up():
    """From the same start: with lambda_1 = e^3 their cost rises far above what TD alone makes of it."""

    def off_data(log_lambda: float) -> float:
        method = learner(regularisation=0.0, learning_rate=1e-2)
        method.kappa = lambda left, step: torch.full_like(left, 3.0)
        fix_logs(method, log_lambda, -60.0)
        with torch.no_grad():
            method.classifier.theta.zero_()
            method.classifier.theta[:, -1] = 1.0  # all are costly
        for _ in range(20):
            update(method)
        kappa = torch.full((1, 128), 3.0)
        pairs, costly = method._generate(kappa, torch.randn(1, 128, 4, generator=torch.Generator().manual_seed(0)))
        assert costly.min() == 1
        return float(method._combined_costs(method._values(method.q.theta.detach(), kappa, pairs)[1]).mean())

    assert off_data(3.0) > off_data(-60.0) + 1


def test_the_public_form_has_four_nets_and_takes_the_least_cost():
    method, public = learner(), learner(variant="public")
    costs = torch.tensor([[[1.0], [4.0]]])
    assert method._combined_costs(costs).item() == 4
    assert public._combined_costs(costs).item() == 1
    assert (method.critic.size, public.critic.size) == (4, 8)


def actor_gradient(log_lambda: float, variant: str = "corrected") -> torch.Tensor:
    """What the actor's optimiser gets in the first update, for this log lambda_3 at every budget."""
    method, seen = learner(variant=variant), []
    fix_logs(method, -60.0, log_lambda)
    with patch.object(method.actor, "adam_step", lambda gradient, *_: seen.append(gradient)):
        update(method)
    return seen[0]


@pytest.mark.parametrize("variant", ["corrected", "public"])
def test_a_large_multiplier_turns_the_actors_gradient_and_does_not_lengthen_it(variant):
    reward, one, three = (actor_gradient(log_lambda, variant) for log_lambda in (-60.0, 0.0, 3.0))
    weight = np.exp(3.0)
    if variant == "public":
        torch.testing.assert_close(three, reward + weight * (one - reward), rtol=1e-3, atol=1e-5)
    else:
        cost = 2 * one - reward  # (reward + lambda cost) / (1 + lambda) at lambda = 1
        torch.testing.assert_close(three, (reward + weight * cost) / (1 + weight), rtol=1e-3, atol=1e-5)


@pytest.mark.exhaustive
@unchecked()
def test_it_ends_within_the_limits_on_a_bandit_and_takes_the_risks_that_they_allow(tmp_path):
    """The best policy earns 3.6 and 8.4. Without the division by 1 + lambda_3 this one earns nothing."""
    limits = (4.0, 12.0)
    outcome = play(trained(bandit("ccac", limits, **SMALL), tmp_path / "ccac"))
    assert (outcome.cost <= limits).all()
    assert (outcome.reward > 0.4 * outcome.best).all()
