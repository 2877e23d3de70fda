"""deep.methods.actor_critic.coptidice: its formulas, the threshold per step, the public form, known optima."""

from typing import Any

import pytest
import torch

from deep.core.randomness import draw_block
from deep.methods.actor_critic.coptidice import StateValues, cost_bound, inverse_derivative, soft_chi
from deep.methods.parts.critics import episodic_to_discounted
from deep.methods.registry import spec_of
from tests.support.lighter import unchecked
from tests.support.risky_bandit import GAMMA, LENGTH, bandit, learner, play, trained

SMALL: dict[str, Any] = {
    "steps": 1200,
    "hidden": (32, 32),
    "batch_size": 128,
    "alpha": 0.1,
    "learning_rate": 3e-3,
    "ema_rate": 0.02,
}


def one_update(method, step: float = 1e6) -> dict[str, torch.Tensor]:
    """One update of a learner after its warm-up; the metrics."""
    (phase,) = method.phases()
    draws = draw_block(phase.draws, phase.seeds, phase.name, 0, 1, method.problem.device)
    return phase.update(torch.tensor(step), {name: values[0] for name, values in draws.items()})


def test_the_derivative_of_f_is_inverted_on_both_sides_of_one():
    x = torch.tensor([-3.0, -0.5, 0.0, 0.5, 4.0], dtype=torch.float64)
    w = inverse_derivative(x).requires_grad_(True)
    (slope,) = torch.autograd.grad(soft_chi(w).sum(), w)
    torch.testing.assert_close(slope, x)
    assert soft_chi(torch.tensor([0.0, 1.0, 3.0])).tolist() == [1.0, 0.0, 2.0]
    # With the order of the two branches swapped, x + 1 < 0 would be the weight of x < -1.
    assert (inverse_derivative(x) > 0).all()


def test_the_weights_maximise_the_inner_problem():
    """w e - alpha f(w) over w >= 0, by a grid; e / alpha on both sides of 0."""
    method = learner("coptidice", (4.0,), **SMALL)
    grid = torch.linspace(0, 60, 600_001, dtype=torch.float64)
    for e in (-0.3, -0.02, 0.05, 2.0):
        best = grid[(grid * e - method.config.alpha * soft_chi(grid)).argmax()]
        found = method.weights(torch.tensor([[e]], dtype=torch.float64))
        torch.testing.assert_close(found.squeeze(), best, atol=2e-4, rtol=0)


def test_the_published_alpha_belongs_to_a_tenth_of_the_raw_rewards():
    """The weight of one advantage is the same in the public form, at raw rewards times .1, as here with that unit."""
    episode, raw, public = (
        learner("coptidice", (4.0,), **SMALL | {"alpha": 0.5}, **changes)
        for changes in ({}, {"reward_unit": "raw"}, {"variant": "public"})
    )
    scale = raw.problem.reward_scale
    assert raw.alpha == pytest.approx(0.5 * scale / 0.1)
    assert public.alpha == episode.alpha == 0.5
    raw_advantage = torch.tensor([[0.3]])
    torch.testing.assert_close(raw.weights(scale * raw_advantage), public.weights(0.1 * raw_advantage))
    assert not torch.allclose(episode.weights(scale * raw_advantage), public.weights(0.1 * raw_advantage))
    assert spec_of("coptidice").presets["paper"].reward_unit == "raw"


def test_the_bound_is_the_mean_of_a_uniform_p_and_its_gradient_is_p():
    ell = torch.tensor([[0.0, 1.0, 2.0]], dtype=torch.float64, requires_grad=True)
    wide = cost_bound(ell, torch.tensor([[1e6]], dtype=torch.float64))
    torch.testing.assert_close(wide.weights, torch.ones(1, 3, dtype=torch.float64), atol=1e-5, rtol=0)
    torch.testing.assert_close(wide.value, ell.mean(1), atol=1e-5, rtol=0)
    assert wide.kl.item() < 1e-9
    sharp = cost_bound(ell, torch.tensor([[0.5]], dtype=torch.float64))
    (slope,) = torch.autograd.grad(sharp.value.sum(), ell, retain_graph=True)
    torch.testing.assert_close(slope, sharp.weights / 3)  # d value / d l_i = p_i
    (public,) = torch.autograd.grad((sharp.weights * ell).mean(), ell)
    assert not torch.allclose(public, slope), "the public form's gradient goes through p as well"
    log_p = sharp.weights.log()
    torch.testing.assert_close(sharp.kl, (sharp.weights * log_p).mean(1))
    assert sharp.value > ell.mean()


@pytest.mark.parametrize("variant", ["corrected", "public"])
def test_nothing_flows_on_after_a_terminal(variant):
    method = learner("coptidice", (4.0,), variant=variant, **SMALL)
    batch = method.problem.replay.batch(torch.arange(4)[None])._replace(not_terminal=torch.tensor([[1.0, 0, 1, 0]]))
    here, there = torch.tensor([[1.0, 2, 3, 4]]), torch.tensor([[10.0, 20, 30, 40]])
    found = method._flow(StateValues(here, there, here), batch)
    torch.testing.assert_close(found, torch.tensor([[10 * GAMMA - 1, -2, 30 * GAMMA - 3, -4]]))


def test_the_threshold_is_a_cost_per_step():
    corrected, public = (learner("coptidice", (4.0, 8.0), variant=v, **SMALL) for v in ("corrected", "public"))
    torch.testing.assert_close(corrected.threshold, torch.tensor([4.0, 8.0]) / LENGTH)
    kappa = episodic_to_discounted(1.0, GAMMA, LENGTH, "data", LENGTH)
    torch.testing.assert_close(public.threshold, torch.tensor([4.0, 8.0]) * kappa)
    # A mean cost per step of at most 1 does not exceed the public one, whatever the policy does.
    assert (public.threshold >= 1).all()
    assert (corrected.threshold < 1).all()


@pytest.mark.parametrize(("epsilon", "sign"), [(0.0, 1), (1e3, -1)])
def test_the_temperature_rises_while_the_reweighting_is_farther_than_epsilon_from_uniform(epsilon, sign):
    """A larger tau brings p nearer to the uniform distribution."""
    method = learner("coptidice", (4.0, 16.0), epsilon=epsilon, **SMALL)
    before = method.temperature.theta.detach().clone()
    one_update(method)
    assert (sign * (method.temperature.theta.detach() - before) > 0).all()
    ell = torch.tensor([[0.0, 1.0, 2.0]])
    assert cost_bound(ell, torch.tensor([[2.0]])).kl < cost_bound(ell, torch.tensor([[1.0]])).kl


@pytest.mark.parametrize("variant", ["corrected", "public"])
def test_lambda_rises_where_the_cost_exceeds_the_threshold(variant):
    """With chi = 0, tau large and e = 0: w = p = 1, and the gradient is softplus'(0) (threshold - mean cost)."""
    method = learner("coptidice", (4.0, 16.0), variant=variant, advantage="sample", **SMALL)
    with torch.no_grad():
        method.chi.theta.zero_()
        method.nu.theta.zero_()
        method.temperature.theta.fill_(1e4)
    method.problem.replay.rewards.zero_()
    method.multiplier.theta.data.fill_(-40.0)  # lambda = 0 to many digits
    before = method.multiplier.theta.detach().clone()
    cost = one_update(method)["cost_per_step"]
    moved = (method.multiplier.theta.detach() - before).squeeze(1)
    slope = method.multiplier.tensors["exp_avg"].squeeze(1) / 0.1
    expected = torch.sigmoid(before.squeeze(1)) * (method.threshold - cost)
    torch.testing.assert_close(slope, expected, rtol=1e-3, atol=1e-25)
    assert 0.3 < cost[0] < 0.7  # half of the data's steps cost 1
    assert (slope[0] < 0) == (variant == "corrected"), "the public threshold, kappa = 1, does not bind at .2 per step"
    assert slope[1] > 0
    assert moved.shape == (2,)


def test_before_the_warm_up_ends_lambda_and_tau_stay():
    method = learner("coptidice", (4.0,), **SMALL)
    one_update(method, step=1.0)
    assert method.multiplier.theta.item() == 0 == method.temperature.theta.item()
    assert not method.multiplier.tensors["exp_avg"].any()
    one_update(method)
    assert method.multiplier.theta.item() != 0


def test_before_the_warm_up_ends_nu_regresses_on_the_sums_of_the_data():
    method = learner("coptidice", (4.0,), **SMALL)
    with torch.no_grad():
        method.multiplier.theta.fill_(0.5413)  # lambda = 1
    (phase,) = method.phases()
    draws = draw_block(phase.draws, phase.seeds, phase.name, 0, 200, method.problem.device)
    for k in range(200):
        phase.update(torch.tensor(float(k)), {name: values[k] for name, values in draws.items()})
    replay = method.problem.replay
    nu = method.value.apply(method.nu.theta.detach(), replay.observations.unsqueeze(0)).squeeze() * method.unit
    sums = replay.reward_to_go - replay.cost_to_go
    assert abs(float((nu - sums).mean())) < 0.15
    assert float(sums.mean()) < -0.5, "a regression on the rewards alone would end elsewhere"
    assert (learner("coptidice", (4.0,), variant="public", **SMALL)).warm_up == 0


def test_start_states_are_drawn_and_in_the_public_form_found():
    corrected, public = (
        learner("coptidice", (4.0,), variant=v, kappa="start", **SMALL) for v in ("corrected", "public")
    )
    replay = corrected.problem.replay
    states, weight = corrected._starts(torch.zeros(1, 5), {"start": torch.tensor([[0.0, 0.5, 0.999, 0.2, 0.7]])})
    assert weight == 1
    first = replay.observations[replay.starts]
    assert all((first == state).all(1).any() for state in states[0])
    none, weights = public._starts(torch.arange(2 * LENGTH).unsqueeze(0), {})
    assert none is None
    assert weights.nonzero()[:, 1].tolist() == [0, LENGTH]
    assert float(weights.max()) == LENGTH  # of 20 states one is a start
    batch = public._batch(torch.arange(2 * LENGTH).unsqueeze(0))
    assert (batch.not_terminal == 0).nonzero()[:, 1].tolist() == [LENGTH - 1, 2 * LENGTH - 1]  # timeouts end
    torch.testing.assert_close(batch.rewards, 0.1 * replay.rewards[: 2 * LENGTH].unsqueeze(0))  # the scale is 1 here


@pytest.mark.parametrize(("kappa", "spread"), [("data", True), ("cut", True), ("start", False)])
def test_visits_begin_in_the_states_that_the_threshold_is_for(kappa, spread):
    """On the chain no cost is due in a start state, and in about half of the data's states."""
    method = learner("coptidice", (4.0,), delayed=True, kappa=kappa, **SMALL)
    replay = method.problem.replay
    uniforms = torch.linspace(0, 0.999, 200).unsqueeze(0)
    states, weight = method._starts(torch.zeros(1, 200), {"start": uniforms})
    due = states[0, :, 1] > 0
    assert weight == 1
    assert due.any() == spread
    assert 0.4 < (replay.observations[:, 1] > 0).double().mean() < 0.6
    assert not spread or 0.3 < due.double().mean() < 0.7


@pytest.mark.slow
@unchecked()
def test_it_ends_within_the_limit_on_a_bandit_with_a_known_optimum(tmp_path):
    """The second seed is a negative control: with the public threshold the same training violates the limits."""
    limits = (4.0, 12.0)
    shorter: dict[str, Any] = SMALL | {"steps": 600}
    experiment: Any = bandit("coptidice", limits, seeds=(0, 1), **shorter)
    experiment.method.threshold[2:] /= 1 - GAMMA
    outcome = play(trained(experiment, tmp_path / "run"))
    assert (outcome.cost[:2] <= limits).all()
    assert outcome.reward[1] > 0.7 * outcome.best[1]
    assert (outcome.cost[2:] > limits).all()


def test_luck_is_no_choice():
    """Two lotteries of equal mean: with "sample" the winners' weights differ, with "regression" those of (s, a) do."""
    sample, regression = (learner("coptidice", (4.0,), advantage=a, **SMALL) for a in ("sample", "regression"))
    batch = sample.problem.replay.batch(torch.arange(6).unsqueeze(0))
    same = batch._replace(
        observations=batch.observations[:, :1].expand(-1, 6, -1), actions=batch.actions[:, :1].expand(-1, 6, -1)
    )
    luck = torch.tensor([[-1.0, 1.0, -1.0, 1.0, -1.0, 1.0]])
    nu = torch.zeros(1, 6)
    assert sample._fitted(same, nu, luck).std() > 0.5
    assert regression._fitted(same, nu, luck).std() < 1e-6
