"""deep.methods.actor_critic.bcq_lag: the perturbation, the signs of the actor's gradient, acting, a known optimum."""

import pytest
import torch

from deep.methods.parts.lagrangian import PIDConfig
from deep.methods.parts.twin_critics import TwinValues
from deep.methods.parts.vae import VAEConfig
from deep.nn.parameters import gradient
from tests.support.constant_critics import constant, draws_of, gradient_of_update, update
from tests.support.lighter import unchecked
from tests.support.ramp import first_entries, trained
from theory.support.errors import InputError

TINY = """--algorithm bcq_lag --vae.hidden 16 --critics.hidden 16 --hidden 16 --batch-size 16 --candidates 3
--acting-candidates 6 --cost-limits 10""".split()


def test_a_candidate_moves_by_phi_at_most_and_stays_in_the_range(build):
    method = build(*TINY, "--phi", "0.2").method
    decoded = torch.linspace(-1, 1, 48).expand(3, -1).T[None]
    states = method.problem.replay.observations[None, :16]
    with torch.no_grad():
        moved = method.perturbed(20 * method.actor.theta, states, decoded)
        still = method.perturbed(0 * method.actor.theta, states, decoded)
    assert 0.1 < (moved - decoded).abs().max() <= 0.2 + 1e-6
    assert moved.abs().max() <= 1
    assert torch.equal(still, decoded)


def test_the_actor_ascends_the_reward_and_descends_the_cost_by_lambda(build, monkeypatch):
    """With linear critics, from -dQ_r/da + lambda dQ_c/da."""
    method = build(*TINY).method
    slope_r, slope_c = torch.tensor([1.0, -2.0, 0.5]), torch.tensor([0.3, 1.0, -1.0])

    def linear(theta, observations, actions):
        reward, cost = (actions @ slope_r)[:, None] + 0.0, (actions @ slope_c)[:, None] + 9.0
        # The minimum of the rewards and the maximum of the costs are those without the offset.
        return TwinValues(torch.cat([reward, reward + 3], 1), torch.cat([cost - 3, cost], 1))

    monkeypatch.setattr(method.critics, "values", linear)
    draws = draws_of(method)
    batch = method.problem.replay.batch(method.problem.replay.rows(draws["row"]))
    found = gradient_of_update(method)
    multiplier = method.multiplier.value
    assert multiplier.item() == pytest.approx(0.1 * 8 + 0.003 * 8 + 0.001 * 8, rel=0.1)  # kappa = 1
    # The same loss by hand; the update has changed the parameters since.
    method = build(*TINY).method
    decoded = method.vae.decode_shared(batch.observations, draws["z"])
    actions = method.perturbed(method.actor.theta, batch.observations, decoded)
    expected = gradient((-(actions @ slope_r) + multiplier * (actions @ slope_c)).mean(1), method.actor)
    torch.testing.assert_close(found, expected)
    wrong = gradient_by_hand(method, batch, decoded, slope_r - multiplier * -slope_c)
    assert not torch.allclose(found, wrong)


def gradient_by_hand(method, batch, decoded, slope):
    actions = method.perturbed(method.actor.theta, batch.observations, decoded)
    return gradient(-(actions @ slope).mean(1), method.actor)


@pytest.mark.parametrize(("variant", "cost"), [("corrected", 7.0), ("public", 2.0)])
def test_the_multiplier_follows_the_larger_cost_critic_and_in_public_the_smaller(build, variant, cost):
    method = build(*TINY, "--variant", variant).method
    constant(method.critics, 3.0, 5.0, 7.0, 2.0)
    method.critics.q.adam_step = lambda *_: None
    found = update(method)
    assert found["predicted_cost"].item() == pytest.approx(cost)
    assert found["reward"].item() == pytest.approx(3.0, rel=1e-5)
    assert found["multiplier"].item() == pytest.approx(0.104 * (cost - 1), rel=1e-3)


def test_acting_takes_the_best_safe_candidate_and_public_code_a_random_one(build):
    experiment = build(*TINY)
    method = experiment.method
    assert tuple(method.policies()) == ("best-of-n", "sample")
    assert tuple(build(*TINY, "--variant", "public").method.policies()) == ("sample", "best-of-n")
    states = experiment.replay.observations[None, :5]
    z = torch.randn(1, 1, 30, 6, generator=torch.Generator().manual_seed(0))
    candidates, chosen = method.candidates(states, z).unflatten(1, (5, 6)), method.best(states, z)
    distance = (candidates - chosen.unsqueeze(2)).abs().amax(-1)
    assert (distance.amin(2) == 0).all()
    values = method.critics.values(method.critics.q.ema, states.repeat_interleave(6, 1), candidates.flatten(1, 2))
    method.kappa.fill_(1e6)
    by_reward = values.least_reward.unflatten(1, (5, 6)).argmax(2)
    best = method.best(states, z)
    assert torch.equal(best, candidates.gather(2, by_reward[..., None, None].expand(-1, -1, 1, 3)).squeeze(2))
    method.kappa.fill_(-1e6)
    by_cost = values.greatest_cost.unflatten(1, (5, 6)).argmin(2)
    best = method.best(states, z)
    assert torch.equal(best, candidates.gather(2, by_cost[..., None, None].expand(-1, -1, 1, 3)).squeeze(2))


@pytest.mark.parametrize("variant", ["corrected", "public"])
def test_the_exported_policy_acts_as_the_method_does(build, variant):
    experiment = build(*TINY, "--seeds", "1", "2", "--variant", variant)
    method = experiment.method
    graph = method.exportable(1)
    count = 6 if variant == "corrected" else 1
    assert graph.noise == (count, 1, 6)
    z = torch.randn(5, *graph.noise, generator=torch.Generator().manual_seed(0))
    states = experiment.replay.observations[:5]
    choose = method.best if variant == "corrected" else method.candidates
    expected = choose(states.expand(2, -1, -1), z.flatten(0, 1).transpose(0, 1).expand(2, -1, -1, -1))
    torch.testing.assert_close(graph.act(states, z), expected[1])


def test_wrong_options_are_one_sentence(build):
    for options in (("--phi", "-1"), ("--candidates", "0"), ("--worse-weight", "2")):
        with pytest.raises(InputError, match=options[0]):
            build(*TINY, *options)
    with pytest.raises(InputError, match=r"--pid.k-i 0.0: accepted is a number above 0"):
        PIDConfig(k_i=0.0)
    with pytest.raises(InputError, match=r"--vae.latent-bound 0.0: accepted is a number above 0"):
        VAEConfig(latent_bound=0.0)


@pytest.mark.exhaustive
@unchecked()
def test_it_finds_the_known_optimum_of_a_bandit_within_the_limit(build, tmp_path):
    options = ("--algorithm", "bcq_lag", "--vae.kl-weight", "0.01", "--vae.latent-bound", "2", "--candidates", "3")
    method = trained(build, tmp_path, *options)
    strict, loose = first_entries(method, "best-of-n")
    assert strict.clamp(min=0).mean() <= 0.4
    assert strict.mean() > 0.1
    assert loose.mean() > 0.6
    assert method.multiplier.value[1] == 0
