"""deep.methods.actor_critic.bear_lag: the terms of the policy's loss and their signs, the duals, a known optimum."""

import pytest
import torch

from deep.methods.parts.mmd import mmd
from deep.methods.parts.twin_critics import TwinValues
from deep.nn.parameters import gradient
from tests.support.constant_critics import constant, draws_of, gradient_of_update, update
from tests.support.lighter import unchecked
from tests.support.ramp import first_entries, trained
from theory.support.errors import InputError

TINY = """--algorithm bear_lag --vae.hidden 16 --critics.hidden 16 --hidden 16 --batch-size 16 --samples 3
--cost-limits 10""".split()

SLOPE_R, SLOPE_C = torch.tensor([1.0, -2.0, 0.5]), torch.tensor([0.3, 1.0, -1.0])


def linear(theta, observations, actions):
    reward, cost = (actions @ SLOPE_R)[:, None], (actions @ SLOPE_C)[:, None] + 9.0
    return TwinValues(torch.cat([reward, reward + 3], 1), torch.cat([cost - 3, cost], 1))


@pytest.mark.parametrize(("variant", "rewarded"), [("corrected", 0), ("corrected", 1), ("public", 1)])
def test_the_policys_gradient_is_that_of_its_loss(build, monkeypatch, variant, rewarded):
    options = (*TINY, "--variant", variant, "--warm-up", "0.5", "--steps", "100")
    method = build(*options).method
    monkeypatch.setattr(method.critics, "values", linear)
    monkeypatch.setattr(method.critics, "next_values", lambda batch, a: linear(None, None, a))
    draws = draws_of(method)
    found = gradient_of_update(method, 60.0 if rewarded and variant == "corrected" else 0.0)
    multiplier = method.multiplier.value
    fresh = build(*options).method
    batch = fresh.problem.replay.batch(fresh.problem.replay.rows(draws["row"]))
    raw = fresh.policy.gaussian(fresh.actor.theta, batch.observations, draws["z"])
    first = raw.tanh().unflatten(1, (16, 3))[:, :, 0]
    public = variant == "public"
    support = fresh.vae.decode_shared(batch.observations, draws["support_z"], raw=public)
    compared = raw if public else raw.tanh()
    distance = mmd(support.unflatten(1, (16, 3)), compared.unflatten(1, (16, 3)), 50.0).mean(1)
    reward, cost = (first @ SLOPE_R).mean(1), (first @ SLOPE_C).mean(1)
    expected = gradient(-rewarded * reward + multiplier * cost + distance, fresh.actor, retain_graph=True)
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-5)
    assert multiplier.item() > 0
    for wrong in (rewarded, -1, 1), (1 - rewarded, 1, 1), (rewarded, 1, -1):
        loss = -wrong[0] * reward + wrong[1] * multiplier * cost + wrong[2] * distance
        other = gradient(loss, fresh.actor, retain_graph=True)
        assert not torch.allclose(found, other, rtol=1e-3, atol=1e-5)


def test_alpha_rises_while_the_mmd_is_above_its_threshold_and_falls_below(build):
    method = build(*TINY, "--threshold", "0", "--alpha-rate", "0.1").method
    found = update(method)
    assert found["mmd"].item() > 0
    assert method.alpha.log.item() == pytest.approx(0.1 * found["mmd"].item(), rel=1e-4)
    method = build(*TINY, "--threshold", "1").method
    update(method)
    assert method.alpha.log.item() < 0


@pytest.mark.parametrize(("variant", "cost"), [("corrected", 7.0), ("public", 2.0)])
def test_the_multiplier_follows_the_larger_cost_critic_and_in_public_the_smaller(build, variant, cost):
    method = build(*TINY, "--variant", variant).method
    constant(method.critics, 3.0, 5.0, 7.0, 2.0)
    method.critics.q.adam_step = lambda *_: None
    found = update(method)
    assert found["predicted_cost"].item() == pytest.approx(cost)
    assert found["multiplier"].item() == pytest.approx(0.104 * (cost - 1), rel=1e-3)


def test_the_targets_come_from_the_target_policy_and_the_mean_acts(build, monkeypatch):
    experiment = build(*TINY)
    method = experiment.method
    used = []
    gaussian = type(method.policy).gaussian

    def seen(self, theta, *rest):
        used.append(theta)
        return gaussian(self, theta, *rest)

    monkeypatch.setattr(type(method.policy), "gaussian", seen)
    update(method)
    assert used[0] is method.actor.ema
    assert used[1] is method.actor.theta
    states = experiment.replay.observations[None, :5]
    assert torch.equal(method.act(states), method.policy.distribution(method.actor.ema, states)[0].tanh())


def test_wrong_options_are_one_sentence(build):
    for options in (("--sigma", "0"), ("--samples", "0"), ("--warm-up", "2")):
        with pytest.raises(InputError, match=options[0]):
            build(*TINY, *options)


@pytest.mark.exhaustive
@unchecked()
def test_it_finds_the_known_optimum_of_a_bandit_within_the_limit(build, tmp_path):
    options = ("--algorithm", "bear_lag", "--vae.kl-weight", "0.01", "--vae.latent-bound", "2", "--samples", "3")
    method = trained(build, tmp_path, *options, "--ema-rate", "0.05")
    strict, loose = (x.mean() for x in first_entries(method))
    assert 0.1 < strict <= 0.45
    assert loose > strict + 0.1
