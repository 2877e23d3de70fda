"""deep.methods.parts.diffusion_policy against closed forms: Gaussian conditioning, Gaussian data, finite
differences."""

from math import exp, sqrt

import numpy as np
import pytest
import torch

from deep.methods.parts.diffusion_policy import Chain, DiffusionPolicy, clip, denoise
from deep.nn.mlp import initial_parameters, mish
from deep.nn.parameters import Adam, Parameters, gradient, linear_decay
from tests.support.lighter import unchecked
from theory.support.errors import InputError

CHAINS = [Chain(steps, schedule) for schedule in ("vp", "cosine", "linear") for steps in (1, 5, 40)]


@pytest.mark.parametrize("chain", CHAINS, ids=str)
def test_the_forward_process_ends_near_pure_noise(chain):
    bars = np.array(chain.alpha_bars)
    assert (np.diff([1, *bars]) < 0).all()
    assert 0 < bars[-1] < 0.015
    np.testing.assert_allclose(bars, np.cumprod(1 - np.array(chain.betas)))


@pytest.mark.parametrize("steps", [1, 5, 40])
def test_schedules_by_their_definitions(steps):
    # The exponents of vp add up to the integral of its rate over [0, 1], whatever T is.
    vp = Chain(steps, "vp")
    assert vp.alpha_bars[-1] == pytest.approx(exp(-(0.1 + 10) / 2))
    half = Chain(2 * steps, "vp").alpha_bars[1::2]
    np.testing.assert_allclose(vp.alpha_bars, half)  # the same process, seen half as often

    cosine = Chain(steps, "cosine")
    angles = (np.arange(steps + 1) / steps + 0.008) / 1.008 * np.pi / 2
    expected = np.cos(angles) ** 2 / np.cos(angles[0]) ** 2
    np.testing.assert_allclose(cosine.alpha_bars[:-1], expected[1:-1])
    assert cosine.betas[-1] == 0.999

    linear = Chain(steps, "linear")
    np.testing.assert_allclose(np.diff(linear.betas, 2), 0, atol=1e-12)
    assert (linear.betas[0], linear.betas[-1]) == pytest.approx((vp.betas[0], vp.betas[-1]))


@pytest.mark.parametrize("chain", CHAINS[1::3], ids=str)
def test_the_posterior_is_that_of_two_gaussian_measurements(chain):
    """q(a_{t-1} | a_t, a_0): the prior N(sqrt(abar_{t-1}) a_0, 1 - abar_{t-1}) seen through a_t."""
    a0, at = torch.tensor([0.7], dtype=torch.float64), torch.tensor([-1.3], dtype=torch.float64)
    for t in range(2, chain.steps + 1):
        before, beta = chain.alpha_bars[t - 2], chain.betas[t - 1]
        precision = 1 / (1 - before) + (1 - beta) / beta
        mean = (sqrt(before) * a0 / (1 - before) + sqrt(1 - beta) * at / beta) / precision
        assert chain.posterior_variances[t - 1] == pytest.approx(1 / precision)
        torch.testing.assert_close(chain.posterior_mean(a0, at, t), mean)
    assert chain.posterior_variances[0] == 0
    torch.testing.assert_close(chain.posterior_mean(a0, at, 1), a0)


MEAN, STD = 0.3, 0.5


def exact_predictor(chain):
    """E[eps | a_t] for data N(MEAN, STD^2)."""

    def predict(noisy, t):
        bar = chain.alpha_bars[t - 1]
        return sqrt(1 - bar) * (noisy - sqrt(bar) * MEAN) / (bar * STD**2 + 1 - bar)

    return predict


@pytest.mark.parametrize("chain", CHAINS[1::3], ids=str)
def test_with_the_exact_noise_a_step_is_the_conditional_mean_of_gaussian_data(chain):
    """E[a_{t-1} | a_t] from the joint Gaussian of (a_{t-1}, a_t)."""
    noisy = torch.tensor([[[-1.0], [0.2], [2.0]]], dtype=torch.float64)
    for t in range(1, chain.steps + 1):
        before = 1.0 if t == 1 else chain.alpha_bars[t - 2]
        alpha, bar = 1 - chain.betas[t - 1], chain.alpha_bars[t - 1]
        variance = before * STD**2 + 1 - before
        gain = sqrt(alpha) * variance / (alpha * variance + 1 - alpha)
        expected = sqrt(before) * MEAN + gain * (noisy - sqrt(bar) * MEAN)
        predicted = exact_predictor(chain)(noisy, t)
        torch.testing.assert_close(chain.posterior_mean(chain.clean(noisy, predicted, t), noisy, t), expected)


def law(chain):
    """Mean and standard deviation of the output under `exact_predictor`: it is affine in z, so both are sums."""
    z = torch.zeros(chain.steps + 1, chain.steps, 1, 1, dtype=torch.float64)
    z[range(1, chain.steps + 1), range(chain.steps)] = 1
    outputs = denoise(exact_predictor(chain), chain, z).flatten()
    return outputs[0].item(), (outputs[1:] - outputs[0]).norm().item()


@pytest.mark.parametrize("schedule", ["vp", "cosine", "linear"])
def test_long_chains_reproduce_gaussian_data_and_short_ones_are_narrower(schedule):
    mean, std = law(Chain(500, schedule))
    assert (mean, std) == pytest.approx((MEAN, STD), rel=0.02)
    assert 0.5 * STD < law(Chain(5, schedule))[1] < 0.95 * STD


def test_the_gradient_through_the_whole_chain_is_that_of_finite_differences():
    policy = double(DiffusionPolicy(2, 3, Chain(5, "vp"), (8, 8)))
    # Small parameters and noise, so that no action is clipped.
    theta = (0.1 * initial_parameters(policy, [0, 1], "policy").double()).requires_grad_(True)
    rng = torch.Generator().manual_seed(0)
    observations = torch.randn(2, 4, 2, dtype=torch.float64, generator=rng)
    z = 0.02 * torch.randn(2, 5, 4, 3, dtype=torch.float64, generator=rng)
    weights = torch.randn(2, 4, 3, dtype=torch.float64, generator=rng)

    def loss(parameters):
        actions = policy.sample(parameters, observations, z)
        assert actions.abs().max() < 1
        return (weights * actions.square() + actions.sin()).sum()

    (found,) = torch.autograd.grad(loss(theta), theta)
    for direction in torch.randn(6, *theta.shape, dtype=torch.float64, generator=rng):
        h = 1e-6
        with torch.no_grad():
            slope = (loss(theta + h * direction) - loss(theta - h * direction)) / (2 * h)
        assert (found * direction).sum().item() == pytest.approx(slope.item(), rel=1e-6)
    # Without the early steps of the chain the gradient is another one: it passes through all of them.
    shortened = torch.autograd.grad(last_step_only(policy, theta, observations, z, weights), theta)[0]
    assert (shortened - found).norm() > 0.1 * found.norm()


def double(policy):
    policy.times, policy.bars = policy.times.double(), policy.bars.double()
    return policy


def last_step_only(policy, theta, observations, z, weights):
    predict, chain = policy._at(theta, observations), policy.chain

    def detached(noisy, t):
        noise = predict(noisy, policy.times[None, t - 1 : t])
        return noise if t == 1 else noise.detach()

    actions = denoise(detached, chain, z)
    return (weights * actions.square() + actions.sin()).sum()


def test_a_clipped_action_can_come_back_but_not_go_further():
    x = torch.tensor([-1.5, -1.5, 0.2, 1.5, 1.5], requires_grad=True)
    slope = torch.tensor([1.0, -1.0, 1.0, 1.0, -1.0])  # descent moves against it
    y = clip(x)
    assert y.tolist() == pytest.approx([-1, -1, 0.2, 1, 1])
    y.backward(slope)
    assert x.grad is not None
    assert x.grad.tolist() == [0, -1, 1, 1, 0]


def test_mish_and_its_slope_are_torchs_own():
    x = torch.cat([torch.linspace(-80, 120, 2001), torch.zeros(1)]).double().requires_grad_(True)
    ours, torchs = mish(x), torch.nn.functional.mish(x)
    torch.testing.assert_close(ours, torchs, rtol=0, atol=1e-12)
    slopes = [torch.autograd.grad(y.sum(), x)[0] for y in (ours, torchs)]
    torch.testing.assert_close(*slopes, rtol=0, atol=1e-12)


@pytest.mark.slow
@unchecked()
def test_training_reaches_the_smallest_denoising_loss_and_the_laws_moments():
    """For N(MEAN, STD^2) the least L_d is the mean over t of Var(eps | a_t) = abar STD^2 / (abar STD^2 + 1 - abar)."""
    chain = Chain(5, "vp")
    policy = DiffusionPolicy(1, 1, chain, (32, 32))
    parameters = Parameters(initial_parameters(policy, [0], "policy"), Adam(3e-3), ema=True)
    rng = torch.Generator().manual_seed(0)
    state = torch.zeros(1, 1024, 1)

    def draw():
        actions = MEAN + STD * torch.randn(1, 1024, 1, generator=rng)
        return actions, torch.rand(1, 1024, generator=rng), torch.randn(1, 1024, 1, generator=rng)

    for step in range(400):
        loss = policy.denoising_loss(parameters.theta, state, *draw())
        parameters.adam_step(gradient(loss, parameters), linear_decay(torch.tensor(float(step)), 400))
        parameters.update_ema(0.02)
    with torch.no_grad():
        reached = torch.stack([policy.denoising_loss(parameters.ema, state, *draw()) for _ in range(50)]).mean()
        z = torch.randn(50, 5, 1024, 1, generator=rng)
        actions = policy.sample(parameters.ema.expand(50, -1), state.expand(50, -1, -1), z)
    bars = np.array(chain.alpha_bars)
    least = (bars * STD**2 / (bars * STD**2 + 1 - bars)).mean()
    assert least - 0.01 < reached.item() < least + 0.02
    assert (actions.mean().item(), actions.std().item()) == pytest.approx(law(chain), abs=0.03)


def test_the_denoising_loss_draws_every_step_and_compares_with_the_noise(monkeypatch):
    chain = Chain(5, "vp")
    policy = DiffusionPolicy(1, 1, chain, (4,))
    seen = []

    def at(theta, observations, *dropout):
        return lambda noisy, time: seen.append((noisy, time)) or 0 * noisy + 3

    monkeypatch.setattr(policy, "_at", at)
    t = torch.tensor([[0.0, 0.19, 0.21, 0.5, 0.7, 0.99]])
    noise = torch.arange(6.0).view(1, 6, 1)
    loss = policy.denoising_loss(torch.zeros(1, 1), torch.zeros(1, 6, 1), torch.ones(1, 6, 1), t, noise)
    assert loss.item() == pytest.approx((9 + 4 + 1 + 0 + 1 + 4) / 6)
    ((noisy, time),) = seen
    steps = [0, 0, 1, 2, 3, 4]
    assert torch.equal(time[0], policy.times[steps])
    bars = torch.tensor(chain.alpha_bars)[steps].view(1, 6, 1)
    torch.testing.assert_close(noisy, bars.sqrt() + (1 - bars).sqrt() * noise)


@pytest.mark.parametrize("arguments", [(0, "vp"), (5, "square")])
def test_a_chain_that_does_not_exist_is_refused(arguments):
    with pytest.raises(InputError, match="accepted"):
        Chain(*arguments)
