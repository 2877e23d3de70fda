"""The parts that BCQ-Lag, BEAR-Lag and CPQ share: VAE, multipliers, MMD, squashed Gaussian, targets."""

from math import exp, sqrt

import numpy as np
import pytest
import torch
from torch.distributions import Normal, kl_divergence

from deep.core.randomness import draw_block
from deep.methods.parts.lagrangian import DualMultiplier, PIDConfig, PIDMultiplier
from deep.methods.parts.mmd import FLOOR, mmd
from deep.methods.parts.twin_critics import TwinValues
from deep.methods.parts.vae import BehaviourVAE, ConditionalVAE, VAEConfig
from deep.nn.mlp import initial_parameters
from deep.nn.policies import SquashedGaussian
from tests.support.constant_critics import constant

TINY = """--algorithm bcq_lag --vae.hidden 16 --critics.hidden 16 --hidden 16 --batch-size 16 --candidates 3""".split()


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


# VAE ------------------------------------------------------------------------------------------------------------------


def test_the_vaes_loss_is_squared_error_plus_beta_times_the_mean_kl():
    network = ConditionalVAE(4, 2, 3, (8,))
    theta = initial_parameters(network, [0, 1], "vae")
    y, x, noise = random(2, 5, 4), random(2, 5, 2, seed=1).tanh(), random(2, 5, 3, seed=2)
    mean, log_std = network.encode(theta, y, x)
    kl = kl_divergence(Normal(mean, log_std.exp()), Normal(0.0, 1.0))
    decoded = network.decoder.apply(network.split(theta)[1], torch.cat([y, mean + log_std.exp() * noise], -1)).tanh()
    expected = ((decoded - x) ** 2).mean((1, 2)) + 0.3 * kl.mean((1, 2))
    torch.testing.assert_close(network.loss(theta, y, x, noise, 0.3), expected)
    torch.testing.assert_close(network.kl(theta, y, x), kl.sum(-1))
    assert (kl >= 0).all()


def test_encoder_and_decoder_have_parameters_of_their_own():
    network = ConditionalVAE(4, 2, 3, (8,), squash=False)
    theta = initial_parameters(network, [0], "vae").requires_grad_(True)
    assert theta.shape[1] == sum(int(np.prod(shape)) for shape in network.shapes)
    output = network.decode(theta, random(1, 5, 4), random(1, 5, 3))
    (slope,) = torch.autograd.grad(output.sum(), theta)
    encoder, decoder = network.split(slope)
    assert not encoder.any()
    assert decoder.any()
    assert network.decode(100 * theta, random(1, 5, 4), random(1, 5, 3)).abs().max() > 1, "no tanh where not asked for"


def test_the_vae_learns_to_show_the_datas_actions(build):
    problem = build(*TINY).problem
    vae = BehaviourVAE(VAEConfig(steps=150, hidden=(32,), kl_weight=0.02, learning_rate=5e-3), problem, 64)
    phase, losses = vae.phase(), []
    for block in range(3):
        draws = draw_block(phase.draws, phase.seeds, phase.name, block, 50, torch.device("cpu"))
        for k in range(50):
            found = phase.update(torch.tensor(float(50 * block + k)), {name: x[k] for name, x in draws.items()})
            losses.append(found["vae_loss"].item())
    assert np.mean(losses[-20:]) < 0.7 * np.mean(losses[:20])


def test_latents_are_clipped_and_replicas_of_a_seed_share_one_vae(build):
    method = build(*TINY, "--seeds", "1", "2", "--cost-limits", "4", "9").method
    vae, states = method.vae, random(2, 5, 11).repeat_interleave(2, 0)
    z = 4 * random(2, 15, 6, seed=1).repeat_interleave(2, 0)
    actions = vae.decode(states, z)
    assert actions.shape == (4, 15, 3)
    assert torch.equal(actions, vae.decode(states, z.clamp(-0.5, 0.5)))
    unclipped = vae.network.decode(vae.per_copy(2)[:1], states[:1].repeat_interleave(3, 1), z[:1])
    assert not torch.allclose(actions[:1], unclipped, atol=1e-3)
    torch.testing.assert_close(vae.decode_shared(states, z), actions)
    torch.testing.assert_close(vae.decode(states, z, raw=True).tanh(), actions)
    torch.testing.assert_close(vae.kl_shared(states, actions), vae.kl(states, actions))
    assert torch.equal(actions[0], actions[1])
    same = vae.decode(states[:1].expand(4, -1, -1), z[:1].expand(4, -1, -1))
    assert not torch.allclose(same[0], same[2], atol=1e-3), "seeds have VAEs of their own"


# Multipliers ----------------------------------------------------------------------------------------------------------


def test_the_pid_multiplier_rises_above_the_threshold_and_falls_below():
    pid = PIDMultiplier(PIDConfig(), torch.tensor([2.0]))
    rising = [pid.update(torch.tensor([5.0])).item() for _ in range(20)]
    assert np.all(np.diff(rising[1:]) > 0)  # the first step has the derivative's term
    falling = [pid.update(torch.tensor([1.0])).item() for _ in range(70)]
    assert np.all(np.diff(falling) <= 0)
    assert falling[-1] == 0
    untouched = PIDMultiplier(PIDConfig(), torch.tensor([2.0]))
    assert [untouched.update(torch.tensor([1.0])).item() for _ in range(3)] == [0, 0, 0]


@pytest.mark.parametrize("public", [False, True])
def test_the_pid_multiplier_is_its_formula(public):
    config, kappa = PIDConfig(k_p=0.2, k_i=0.05, k_d=0.3, largest=2.0), 2.0
    pid = PIDMultiplier(config, torch.tensor([kappa]), public)
    integral, before = 0.0, 0.0
    for cost in (5.0, 6.0, 1.0, 30.0, 200.0, 1.0, 0.0, -80.0):
        error = cost - kappa
        integral = max(integral + error, 0.0)
        if not public:
            integral = min(integral, config.largest / config.k_i)
        proportional = max(error, 0.0) if public else error
        expected = max(config.k_p * proportional + config.k_i * integral + config.k_d * max(error - before, 0.0), 0.0)
        if not public:
            expected = min(expected, config.largest)
        before = error
        assert pid.update(torch.tensor([cost])).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("public", [False, True])
def test_a_pid_multiplier_goes_on_and_reports_as_before_a_restart(public):
    config, threshold = PIDConfig(k_p=0.2, k_i=0.05, k_d=0.3), torch.tensor([2.0, 3.0])
    first, second = (PIDMultiplier(config, threshold, public) for _ in range(2))
    for cost in (5.0, 6.0):
        first.update(torch.full((2,), cost))
    for name, tensor in first.tensors().items():
        second.tensors()[name].copy_(tensor)
    assert torch.equal(second.value, first.value)
    assert first.value.all()
    assert torch.equal(second.update(torch.full((2,), 7.0)), first.update(torch.full((2,), 7.0)))


def test_the_dual_multiplier_rises_with_the_excess_within_its_bounds():
    dual = DualMultiplier("alpha", 0.5, torch.zeros(3), (-1.0, 1.0))
    assert dual.value.tolist() == [1, 1, 1]
    dual.update(torch.tensor([0.2, -0.2, 0.0]))
    assert dual.log.tolist() == pytest.approx([0.1, -0.1, 0.0])
    dual.update(torch.tensor([0.2, 0.0, 0.0]))
    assert dual.log[0].item() == pytest.approx(0.1 + 0.5 * exp(0.1) * 0.2)
    dual.update(torch.tensor([1e3, -1e3, 0.0]))
    assert dual.log.tolist() == [1, -1, 0]


# MMD ------------------------------------------------------------------------------------------------------------------


def test_the_mmd_of_equal_sets_is_the_floors_root_and_that_of_two_points_is_known():
    x = random(1, 4, 5, 3)
    torch.testing.assert_close(mmd(x, x, 50.0), torch.full((1, 4), sqrt(FLOOR)), rtol=0, atol=1e-4)
    for distance in (0.5, 3.0):
        a = torch.zeros(1, 1, 1, 3)
        b = torch.tensor([distance, 0.0, 0.0]).expand(1, 1, 1, 3)
        expected = sqrt(2 - 2 * exp(-(distance**2) / 100) + FLOOR)
        assert mmd(a, b, 50.0).item() == pytest.approx(expected, rel=1e-4)


def test_the_mmd_is_the_mean_over_all_pairs_and_pulls_the_sets_together():
    x, y = random(1, 1, 4, 2).requires_grad_(True), 3 + random(1, 1, 6, 2, seed=1)

    def mean(a, b):
        return np.mean([exp(-float((p - q).square().sum()) / 8) for p in a for q in b])

    a, b = x[0, 0].detach(), y[0, 0]
    expected = sqrt(mean(a, a) - 2 * mean(a, b) + mean(b, b) + FLOOR)
    found = mmd(x, y, 4.0)
    assert found.item() == pytest.approx(expected, rel=1e-4)
    (slope,) = torch.autograd.grad(found.sum(), x)
    assert (slope.mean(2) < 0).all(), "descent moves x towards the larger y"


# Squashed Gaussian ----------------------------------------------------------------------------------------------------


def test_a_squashed_gaussian_samples_its_mean_and_deviation_several_times_a_state():
    policy = SquashedGaussian(3, 2, (8,))
    theta, states, z = initial_parameters(policy, [0, 1], "policy"), random(2, 5, 3), random(2, 20, 2, seed=1)
    mean, log_std = policy.distribution(theta, states)
    raw = policy.gaussian(theta, states, z)
    for i in range(5):
        for j in range(4):
            expected = mean[:, i] + log_std[:, i].exp() * z[:, 4 * i + j]
            torch.testing.assert_close(raw[:, 4 * i + j], expected)
    torch.testing.assert_close(policy.sample(theta, states, z), raw.tanh())
    torch.testing.assert_close(policy.mean_action(theta, states), mean.tanh())
    assert policy.sample(100 * theta, states, z).abs().max() <= 1
    assert policy.distribution(1e4 * theta, states)[1].max() <= 2


# Targets --------------------------------------------------------------------------------------------------------------


def transitions(method, rows):
    return method.problem.replay.batch(rows)


def test_candidates_targets_take_the_worse_critic_mostly(build):
    method = build(*TINY, "--cost-limits", "10").method
    constant(method.critics, 1.0, 3.0, 1.0, 3.0)
    method.critics.reward_bounds = method.critics.cost_bounds = (-1e9, 1e9)
    rows = torch.arange(16)[None]
    batch = transitions(method, rows)
    targets = method.targets.of_candidates(batch, rows, torch.zeros(1, 48, 3), 0.75) * method.critics.unit
    for member, expected in enumerate((1.5, 1.5, 2.5, 2.5)):
        immediate = batch.rewards if member < 2 else batch.costs
        torch.testing.assert_close(targets[:, member], immediate + 0.99 * batch.not_terminal * expected)


def set_values(method, monkeypatch, reward, cost):
    """Next values by candidate: one row of numbers for each candidate of every state."""
    pairs = (torch.tensor(x, dtype=torch.float32).repeat(1, 2, 16) for x in (reward, cost))
    values = TwinValues(*pairs)
    monkeypatch.setattr(method.critics, "next_values", lambda batch, actions: values)


@pytest.mark.parametrize(("variant", "cost"), [("corrected", 2.0), ("public", 3.0)])
def test_the_reward_takes_the_best_candidate_and_the_cost_the_mean_or_in_public_the_largest(
    build, monkeypatch, variant, cost
):
    method = build(*TINY, "--cost-limits", "10", "--variant", variant).method
    set_values(method, monkeypatch, [5.0, 4.0, 0.0], [3.0, 1.0, 2.0])
    method.critics.reward_bounds = method.critics.cost_bounds = (-1e9, 1e9)
    rows = torch.arange(16)[None]
    batch = transitions(method, rows)
    targets = method.targets.of_candidates(batch, rows, torch.zeros(1, 48, 3), 0.75) * method.critics.unit
    inside = batch.not_terminal > 0
    torch.testing.assert_close(targets[:, 0][inside], (batch.rewards + 0.99 * 5)[inside])
    torch.testing.assert_close(targets[:, 2][inside], (batch.costs + 0.99 * cost)[inside])


def test_public_targets_end_the_reward_at_timeouts_and_the_cost_nowhere(build):
    data = build(*TINY).data
    terminal, timeout = (int(np.flatnonzero(x)[0]) for x in (data.terminals, data.timeouts))
    rows = torch.tensor([[terminal, timeout, terminal - 1]])
    value = torch.full((1, 3), 2.0)
    for variant, reward, cost in (("corrected", [0, 1, 1], [0, 1, 1]), ("public", [0, 0, 1], [1, 1, 1])):
        method = build(*TINY, "--cost-limits", "10", "--variant", variant).method
        method.critics.reward_bounds = method.critics.cost_bounds = (-1e9, 1e9)
        batch = transitions(method, rows)
        targets = method.targets.of_values(batch, rows, value, value) * method.critics.unit
        onward = (targets[:, ::2] - torch.stack([batch.rewards, batch.costs], 1)) / (0.99 * 2)
        torch.testing.assert_close(onward[0], torch.tensor([reward, cost], dtype=torch.float32), rtol=0, atol=1e-4)


def test_the_critics_start_from_their_seeds_regression(build):
    method = build(*TINY, "--seeds", "1", "2", "--cost-limits", "4", "9").method
    with torch.no_grad():
        method.start.critics.q.theta.add_(random(*method.start.critics.q.theta.shape, seed=3))
    method.phases()[-1].on_start()
    assert torch.equal(method.critics.q.theta, method.start.critics.q.theta[[0, 0, 1, 1]])
