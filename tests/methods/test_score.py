"""deep.methods.drcorl.score against closed forms: the schedule's SDE, Gaussian KL gradients, the score of a known
mixture."""

import math

import pytest
import torch

from deep.methods.drcorl import behaviour_model
from deep.methods.drcorl.score import Schedule, ScoreNetwork, denoising_loss, reverse_kl, reverse_kl_limit
from deep.nn.mlp import initial_parameters
from deep.nn.parameters import Adam, Parameters, gradient, linear_decay
from tests.support.lighter import unchecked

SCHEDULE = Schedule()


def test_the_schedule_preserves_variance_and_solves_its_sde():
    t = torch.linspace(0.01, 1, 50, dtype=torch.float64, requires_grad=True)
    alpha, sigma = SCHEDULE.alpha(t), SCHEDULE.sigma(t)
    torch.testing.assert_close(alpha**2 + sigma**2, torch.ones_like(t))
    # d log alpha / dt = -b(t) / 2 for da = -b(t) a dt / 2 + sqrt(b(t)) dW.
    slope = torch.autograd.grad(alpha.log().sum(), t)[0]
    torch.testing.assert_close(slope, -SCHEDULE.rate(t.detach()) / 2)


def gaussian_predictor(mean: float, std: float):
    """The exact conditional mean of eps for behaviour N(mean, std^2): -sigma_t times the noised score."""

    def predict(noisy, t):
        alpha, sigma = SCHEDULE.alpha(t).unsqueeze(-1), SCHEDULE.sigma(t).unsqueeze(-1)
        return sigma * (noisy - alpha * mean) / (alpha**2 * std**2 + sigma**2)

    return predict


@pytest.mark.parametrize("weight", ["vds", "stable", "score"])
@pytest.mark.parametrize("gaussian", [False, True])
def test_the_kl_surrogate_has_the_closed_form_gradient(weight, gaussian):
    n = 400_000
    rng = torch.Generator().manual_seed(0)
    theta = torch.tensor([0.3, -0.7], dtype=torch.float64, requires_grad=True)  # the policy's mean and log std
    t = torch.full((1, n), 0.3, dtype=torch.float64)
    noise, z = (torch.randn(1, n, 1, dtype=torch.float64, generator=rng) for _ in range(2))
    log_std = theta[1].expand(1, n, 1)
    actions = theta[0] + (log_std.exp() * z if gaussian else 0 * z)
    predict = gaussian_predictor(-0.5, 0.4)
    surrogate = reverse_kl(predict, SCHEDULE, actions, log_std if gaussian else None, t, noise, weight)
    found = torch.autograd.grad(surrogate.sum(), theta)[0]

    alpha, sigma = SCHEDULE.alpha(t[0, 0]), SCHEDULE.sigma(t[0, 0])
    variance = alpha**2 * ((2 * theta[1]).exp() if gaussian else 0) + sigma**2
    reference = alpha**2 * 0.4**2 + sigma**2
    kl = 0.5 * (
        variance / reference + alpha**2 * (theta[0] + 0.5) ** 2 / reference - 1 + torch.log(reference / variance)
    )
    omega = {"vds": sigma**2, "stable": torch.ones_like(sigma), "score": alpha / sigma}[weight] * sigma / alpha
    expected = torch.autograd.grad(omega * kl, theta)[0]
    torch.testing.assert_close(found, expected, rtol=0, atol=0.01)
    # The sign that Eq. (23) prints is far outside that tolerance.
    assert (found + expected).abs().max() > 0.1


@pytest.mark.parametrize("gaussian", [False, True])
def test_the_kl_limit_tends_to_the_closed_form_gradient(gaussian):
    """KL(N(m, s^2) || N(-.5, .4^2)): at t = .02 within the bias that sigma_t = .077 leaves, at .001 within 5e-3."""
    rng = torch.Generator().manual_seed(0)
    z = torch.randn(1, 200_000, 1, dtype=torch.float64, generator=rng)
    z = (z - z.mean()) / z.std(correction=0)  # exact first two moments: the gradient below is linear in a
    errors = []
    for t_limit in (0.02, 0.001):
        theta = torch.tensor([0.3, -0.7], dtype=torch.float64, requires_grad=True)
        log_std = theta[1].expand(z.shape)
        actions = theta[0] + (log_std.exp() * z if gaussian else 0 * z)
        surrogate = reverse_kl_limit(
            gaussian_predictor(-0.5, 0.4), SCHEDULE, actions, log_std if gaussian else None, t_limit
        )
        found = torch.autograd.grad(surrogate.sum(), theta)[0]
        variance = (2 * theta[1]).exp() if gaussian else torch.zeros(())
        kl = (variance + (theta[0] + 0.5) ** 2) / (2 * 0.4**2) - (theta[1] if gaussian else 0 * theta[1])
        errors.append((found - torch.autograd.grad(kl, theta)[0]).abs().max().item())
    assert errors[0] < 0.3
    assert errors[1] < 5e-3
    assert errors[1] < errors[0] / 20


@pytest.mark.slow
@unchecked()
def test_the_trained_score_of_a_mixture_is_the_true_one():
    """Behaviour: half N(-.5, .1^2), half N(.6, .2^2). Compared with the exact E[eps | a_t] on a grid."""
    means, stds = torch.tensor([-0.5, 0.6]), torch.tensor([0.1, 0.2])
    network = ScoreNetwork(1, 1, width=64, expansion=2, blocks=2, time_features=16, time_width=32)
    parameters = Parameters(initial_parameters(network, [0], "score"), Adam(4e-3), ema=True)
    rng = torch.Generator().manual_seed(0)
    nothing = torch.zeros(1, 512, 1)
    untrained = parameters.ema.clone()
    for step in range(700):
        pick = torch.randint(2, (1, 512, 1), generator=rng)
        actions = means[pick] + stds[pick] * torch.randn(1, 512, 1, generator=rng)
        t, noise = torch.rand(1, 512, generator=rng), torch.randn(1, 512, 1, generator=rng)
        loss = denoising_loss(
            lambda noisy, t: network.apply(parameters.theta, noisy, t, nothing), SCHEDULE, actions, t, noise
        )
        parameters.adam_step(gradient(loss, parameters), linear_decay(torch.tensor(float(step)), 700))
        parameters.update_ema(0.02)

    def error(theta, t):
        noisy = torch.linspace(-1, 1.2, 101).view(1, -1, 1)
        time = torch.full((1, 101), t)
        alpha, sigma = SCHEDULE.alpha(time).unsqueeze(-1), SCHEDULE.sigma(time).unsqueeze(-1)
        variance = alpha**2 * stds**2 + sigma**2
        log_density = -0.5 * (noisy - alpha * means) ** 2 / variance - 0.5 * variance.log()
        share = log_density.softmax(-1)
        exact = sigma * (share * (noisy - alpha * means) / variance).sum(-1, keepdim=True)
        # Weighted by where a_t falls: elsewhere the network has seen nothing.
        weight = log_density.logsumexp(-1, keepdim=True).exp()
        found = network.apply(theta, noisy, time, torch.zeros(1, 101, 1))
        return (weight * (found - exact).square()).sum().item() / weight.sum().item()

    for t in (0.1, 0.3, 0.6):
        assert error(parameters.ema, t) < 0.02, t
        assert error(untrained, t) > 0.1, t


def test_dropout_drops_in_training_only_and_keeps_the_mean():
    network = ScoreNetwork(2, 1, width=32, blocks=1, dropout=0.5)
    theta = initial_parameters(network, [0], "score")
    rng = torch.Generator().manual_seed(0)
    noisy, t, observations = torch.randn(1, 6, 1, generator=rng), torch.rand(1, 6, generator=rng), torch.zeros(1, 6, 2)
    plain = network.apply(theta, noisy, t, observations)
    kept = network.apply(theta, noisy, t, observations, torch.ones(1, 1, 6, 32))
    dropped = network.apply(theta, noisy, t, observations, torch.rand(1, 1, 6, 32, generator=rng))
    # Keeping everything at rate 1/2 doubles the block's input, which layer normalisation takes back.
    torch.testing.assert_close(plain, kept, rtol=1e-3, atol=1e-3)
    assert not torch.allclose(plain, dropped, atol=1e-2)
    assert math.isfinite(dropped.sum().item())


def test_an_odd_number_of_time_features_is_refused():
    with pytest.raises(ValueError, match="must be even"):
        ScoreNetwork(1, 1, time_features=15)


def test_the_averaged_kl_has_noise_levels_over_the_whole_of_its_range_and_no_others(build, monkeypatch):
    model = build("--cost-limits", "4", "--behaviour.t-range", "0.2", "0.6").method.behaviour
    seen, observations = [], torch.zeros(1, 3, 11)
    monkeypatch.setattr(behaviour_model, "reverse_kl", lambda *given: seen.append(given[4]) or torch.zeros(1))
    draws = {"t": torch.tensor([[0.0, 0.5, 1.0]]), "noise": torch.zeros(1, 3, 3)}
    model.kl(observations, torch.zeros(1, 3, 3), None, draws)
    torch.testing.assert_close(seen[0], torch.tensor([[0.2, 0.4, 0.6]]))
