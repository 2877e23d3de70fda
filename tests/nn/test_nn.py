"""deep.nn.mlp, deep.nn.parameters, deep.nn.policies: stacked copies equal single networks built another way."""

import numpy as np
import pytest
import torch
from torch import nn

from deep.methods.drcorl.score import ScoreNetwork
from deep.nn.mlp import MLP, Ensemble, initial_parameters, mish, unpack
from deep.nn.parameters import Adam, Parameters, gradient, linear_decay
from deep.nn.policies import MLPPolicy


def single(mlp: MLP, theta: torch.Tensor) -> nn.Sequential:
    """The same network from torch's own layers."""
    layers: list[nn.Module] = []
    parameters = unpack(theta.unsqueeze(0), mlp.shapes)
    for i, (weight, bias) in enumerate(zip(parameters[::2], parameters[1::2], strict=True)):
        layer = nn.Linear(weight.shape[1], weight.shape[2])
        layer.weight.data, layer.bias.data = weight[0].T.detach(), bias[0].detach()
        layers += [layer] if i == len(mlp.hidden) else [layer, nn.Mish() if mlp.activation == "mish" else nn.ReLU()]
    return nn.Sequential(*layers)


@pytest.mark.parametrize("activation", ["relu", "mish"])
def test_stacked_copies_equal_single_networks_and_their_gradients(activation):
    mlp = MLP(5, 2, (7, 6), activation)
    theta = initial_parameters(mlp, [3, 8, 11], "test").requires_grad_(True)
    x = torch.randn(3, 4, 5, generator=torch.Generator().manual_seed(0))
    output = mlp.apply(theta, x)
    grads = torch.autograd.grad(output.square().sum(), theta)[0]
    for n in range(3):
        network = single(mlp, theta[n])
        torch.testing.assert_close(output[n], network(x[n]))
        network(x[n]).square().sum().backward()
        weight_gradient = unpack(grads[n : n + 1], mlp.shapes)[2][0].T
        torch.testing.assert_close(weight_gradient, [m for m in network if isinstance(m, nn.Linear)][1].weight.grad)


def test_layer_normalisation_is_torchs_own_before_each_activation():
    plain, normed = MLP(5, 2, (7, 6)), MLP(5, 2, (7, 6), layer_norm=True)
    theta = initial_parameters(plain, [3], "test")
    x = torch.randn(1, 4, 5, generator=torch.Generator().manual_seed(0))
    network = single(plain, theta[0])
    expected = nn.Sequential(
        network[0], nn.LayerNorm(7), network[1], network[2], nn.LayerNorm(6), network[3], network[4]
    )
    assert normed.shapes == plain.shapes
    torch.testing.assert_close(normed.apply(theta, x)[0], expected(x[0]))
    assert not torch.allclose(plain.apply(theta, x)[0], expected(x[0]), atol=1e-2)


def test_an_ensemble_is_its_members():
    ensemble = Ensemble(MLP(3, 1, (4,)), 2)
    theta = initial_parameters(ensemble, [0, 1], "ensemble")
    x = torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(0))
    output = ensemble.apply(theta, x)
    assert output.shape == (2, 2, 5, 1)
    for replica in range(2):
        for member in range(2):
            row = theta[replica].unflatten(0, (2, -1))[member]
            torch.testing.assert_close(output[replica, member], single(ensemble.member, row)(x[replica]))


def test_initial_parameters_follow_from_seed_and_name_alone():
    mlp = MLP(3, 1, (4,))
    together, alone = initial_parameters(mlp, [5, 6], "a"), initial_parameters(mlp, [6], "a")
    assert torch.equal(together[1], alone[0])
    assert not torch.equal(together[0], together[1])
    assert not torch.equal(initial_parameters(mlp, [5], "b")[0], together[0])


def test_the_published_score_network_has_about_1_65_million_parameters():
    network = ScoreNetwork(11, 3)
    assert 1.55e6 < sum(int(np.prod(shape)) for shape in network.shapes) < 1.75e6
    assert [array.shape for array in network.init(np.random.default_rng(0))] == network.shapes


def test_adam_equals_torchs_on_each_row_and_clips_rows_apart():
    initial = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    ours = Parameters(initial, Adam(0.1, clip=1.0), ema=True)
    row = torch.tensor([1.0, 2.0], requires_grad=True)
    theirs = torch.optim.Adam([row], lr=0.1)
    for _ in range(5):
        ours.adam_step(gradient((ours.theta**4).sum(1), ours))
        theirs.zero_grad()
        (row**4).sum().backward()
        nn.utils.clip_grad_norm_([row], 1.0)
        theirs.step()
    torch.testing.assert_close(ours.theta[0].detach(), row.detach())
    ours.update_ema(0.25)
    torch.testing.assert_close(ours.ema, 0.75 * initial + 0.25 * ours.theta.detach())


def test_the_rate_factor_scales_the_step():
    whole, half = (Parameters(torch.ones(1, 1), Adam(0.1)) for _ in range(2))
    whole.adam_step(torch.ones(1, 1))
    half.adam_step(torch.ones(1, 1), torch.tensor(0.5))
    assert (1 - half.theta).item() == pytest.approx((1 - whole.theta).item() / 2)


def test_the_learning_rate_decays_linearly_to_a_tenth():
    steps = torch.tensor([0.0, 50.0, 100.0])
    torch.testing.assert_close(linear_decay(steps, 100), torch.tensor([1.0, 0.55, 0.1]))


def test_a_copy_starts_as_if_nothing_had_been_learned():
    """Values and averages of the named rows, and an Adam that has made no step: its first steps are a new one's."""
    earlier = Parameters(torch.tensor([[1.0, 2.0], [3.0, 4.0]]), Adam(0.1), ema=True)
    for _ in range(3):
        earlier.adam_step(earlier.theta.detach())
        earlier.update_ema(0.5)
    rows = torch.tensor([1, 0, 1])
    copy = Parameters(torch.zeros(3, 2), Adam(0.1), ema=True)
    for _ in range(5):
        copy.adam_step(torch.ones(3, 2))
    copy.copy_from(earlier, rows)
    torch.testing.assert_close(copy.theta.detach(), earlier.theta.detach()[rows])
    torch.testing.assert_close(copy.ema, earlier.ema[rows])
    new = Parameters(earlier.theta.detach()[rows], Adam(0.1), ema=True)
    for _ in range(3):
        for parameters in (copy, new):
            parameters.adam_step(torch.tensor([[1.0, -2.0]]).expand(3, 2) * parameters.theta.detach())
    for name in ("theta", "step", "exp_avg", "exp_avg_sq"):
        torch.testing.assert_close(copy.tensors[name], new.tensors[name], msg=name)


def test_policies_bound_their_mean_and_sample_as_they_say():
    observations = 50 * torch.randn(1, 2000, 3, generator=torch.Generator().manual_seed(0))
    z = torch.randn(1, 2000, 2, generator=torch.Generator().manual_seed(1))
    for kind in ("dirac", "gaussian"):
        policy = MLPPolicy(3, 2, kind, (8,))
        theta = initial_parameters(policy, [0], "policy")
        mean, log_std = policy.distribution(theta, observations)
        actions, same = policy.sample(theta, observations, z)
        assert mean.abs().max() <= 1
        if kind == "dirac":
            assert log_std is None
            assert torch.equal(actions, mean)
        else:
            assert log_std is not None
            assert same is not None
            torch.testing.assert_close((actions - mean) / log_std.exp(), z, rtol=1e-3, atol=1e-3)


def test_mish_and_its_slope_to_the_last_digits_even_where_they_are_tiny():
    x = torch.linspace(-60, 60, 200_001, dtype=torch.float64, requires_grad=True)  # several pieces
    y, expected = mish(x), nn.functional.mish(x)
    torch.testing.assert_close(y, expected, rtol=1e-13, atol=0)
    slope, expected_slope = (torch.autograd.grad(v, x, torch.full_like(v, 3.0))[0] for v in (y, expected))
    # Close to its zero at -1.19 a slope is right in absolute terms only.
    torch.testing.assert_close(slope, expected_slope, rtol=1e-13, atol=1e-15)
    far = x.detach() < -2
    torch.testing.assert_close(slope[far], expected_slope[far], rtol=1e-13, atol=0)
    with torch.no_grad():
        torch.testing.assert_close(mish(x), y, rtol=1e-15, atol=0)


def test_mish_of_float32_does_not_overflow_and_depends_on_no_neighbour():
    x = torch.randn(300, 250, generator=torch.Generator().manual_seed(0)) * 20
    x[0, :3] = torch.tensor([1e5, 88.0, -1e30])
    x.requires_grad_()
    y = mish(x)
    (slope,) = torch.autograd.grad(y.sum(), x)
    assert torch.equal(y[0, :3], x[0, :3] * torch.tensor([1.0, 1.0, 0.0]))
    torch.testing.assert_close(slope, torch.autograd.grad(nn.functional.mish(x).sum(), x)[0])
    assert torch.equal(mish(x[:, 3]), y[:, 3]), "of a part that is not contiguous"
    (first,) = torch.autograd.grad(mish(x).square().sum(), x, create_graph=True)
    with pytest.raises(RuntimeError):
        torch.autograd.grad(first.sum(), x)
