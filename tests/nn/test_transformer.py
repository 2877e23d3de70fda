"""deep.nn.transformer: against torch's own blocks, causality, masks, adaLN-Zero, rotary positions, dropout."""

import numpy as np
import pytest
import torch
from torch import nn

from deep.nn.mlp import initial_parameters, unpack
from deep.nn.transformer import Dropout, Transformer, turned
from theory.support.errors import InputError


@pytest.fixture(autouse=True)
def double():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def tokens(n: int = 2, batch: int = 3, length: int = 6, width: int = 8) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(1).normal(size=(n, batch, length, width)))


def test_each_copy_equals_torchs_pre_norm_encoder():
    net = Transformer(8, 2, 3)
    theta = initial_parameters(net, (0, 1), "x")
    x = tokens()
    ours = net.apply(theta, x)
    mask = torch.ones(6, 6, dtype=torch.bool).triu(1)
    for copy in range(2):
        parameters = [p[copy] for p in unpack(theta, net.shapes)]
        theirs = x[copy]
        for i in range(3):
            layer = nn.TransformerEncoderLayer(
                8, 2, 32, 0.0, nn.functional.gelu, batch_first=True, norm_first=True
            ).eval()
            names = ["norm1.weight", "norm1.bias", "norm2.weight", "norm2.bias", "self_attn.in_proj_weight"]
            names += ["self_attn.in_proj_bias", "self_attn.out_proj.weight", "self_attn.out_proj.bias"]
            names += ["linear1.weight", "linear1.bias", "linear2.weight", "linear2.bias"]
            own = dict(layer.named_parameters())
            for name, value in zip(names, parameters[12 * i : 12 * (i + 1)], strict=True):
                own[name].data = value.T if value.dim() == 2 else value
            theirs = layer(theirs, src_mask=mask)
        gain, bias = parameters[-2:]
        theirs = nn.functional.layer_norm(theirs, (8,), gain, bias)
        torch.testing.assert_close(ours[copy], theirs)


@pytest.mark.parametrize("rotary", [False, True])
@pytest.mark.parametrize("causal", [False, True])
def test_a_token_sees_those_before_it_alone_where_the_trunk_is_causal(causal, rotary):
    net = Transformer(8, 2, 2, causal=causal, rotary=rotary)
    theta = initial_parameters(net, (0, 1), "x")
    before, x = net.apply(theta, tokens()), tokens()
    x[:, :, 3, 0] += 1.0  # a shift of all features would be lost in the layer norm
    change = (net.apply(theta, x) - before).abs().amax((0, 1, 3))
    assert (change[3:] > 1e-6).all()
    assert (change[:3] == 0).all() if causal else (change[:3] > 1e-6).all()


def test_nothing_attends_to_an_invalid_token():
    net = Transformer(8, 2, 2)
    theta = initial_parameters(net, (0, 1), "x")
    valid = torch.ones(2, 3, 6, dtype=torch.bool)
    valid[1, 2, :2] = False
    x = tokens()
    before = net.apply(theta, x, valid=valid)
    x[1, 2, :2, 0] += 1.0
    after = net.apply(theta, x, valid=valid)
    assert torch.equal(after[1, 2, 2:], before[1, 2, 2:])
    assert not torch.equal(net.apply(theta, x)[1, 2, 2:], net.apply(theta, tokens())[1, 2, 2:]), "negative control"
    # A shorter sequence is the same as one whose first tokens are masked.
    torch.testing.assert_close(net.apply(theta, x[:, :, 2:])[1, 2], after[1, 2, 2:])


def test_blocks_modulated_from_zero_are_the_identity_and_the_condition_matters_later():
    net = Transformer(8, 2, 2, causal=False, modulated=True)
    theta = initial_parameters(net, (0, 1), "x")
    x, condition = tokens(), torch.from_numpy(np.random.default_rng(2).normal(size=(2, 3, 8)))
    torch.testing.assert_close(net.apply(theta, x, condition=condition), nn.functional.layer_norm(x, (8,)))
    moved = theta + 0.1 * torch.from_numpy(np.random.default_rng(3).normal(size=tuple(theta.shape)))
    one, other = (net.apply(moved, x, condition=c) for c in (condition, -condition))
    assert (one - other).abs().max() > 1e-3
    assert (one - nn.functional.layer_norm(x, (8,))).abs().max() > 1e-3


def test_the_gate_multiplies_the_branch():
    """One block by hand, with a modulation that does not depend on the condition."""
    net = Transformer(4, 1, 1, causal=False, modulated=True)
    theta = initial_parameters(net, (0,), "x")
    parameters = unpack(theta, net.shapes)
    b1, s1, g1, b2, s2, g2 = values = [torch.full((4,), v) for v in (0.3, 0.5, 0.7, -0.2, 0.1, 0.4)]
    parameters[1] = torch.cat(values).unsqueeze(0)
    x = tokens(1, 1, 3, 4)
    y = (1 + s1) * nn.functional.layer_norm(x, (4,)) + b1
    q, k, v = (y @ parameters[2][0] + parameters[3][0]).split(4, -1)
    y = torch.softmax(q @ k.transpose(-1, -2) / 2, -1) @ v
    h = x + g1 * (y @ parameters[4][0] + parameters[5][0])
    y = (1 + s2) * nn.functional.layer_norm(h, (4,)) + b2
    y = nn.functional.gelu(y @ parameters[6][0] + parameters[7][0]) @ parameters[8][0] + parameters[9][0]
    expected = nn.functional.layer_norm(h + g2 * y, (4,))
    torch.testing.assert_close(net.forward(parameters, x, condition=torch.zeros(1, 1, 4)), expected)


def test_rotary_scores_depend_on_the_distance_alone():
    rng = np.random.default_rng(0)
    query, key = (torch.from_numpy(rng.normal(size=4)).expand(1, 1, 7, 4) for _ in range(2))
    scores = (turned(query) @ turned(key).transpose(-1, -2))[0, 0]
    for distance in range(-3, 4):
        diagonal = scores.diagonal(distance)
        torch.testing.assert_close(diagonal, diagonal[:1].expand_as(diagonal))
    assert abs(scores[3, 0] - scores[0, 3]) > 1e-3, "negative control: ahead and behind differ"


def test_dropout_keeps_the_mean_and_follows_from_each_copys_key():
    keys = torch.tensor([[3, 4], [5, 6]])
    drop, x = Dropout(0.25, keys), torch.ones(2, 40_000)
    first, second = drop(x), drop(x)
    assert first.mean(1).tolist() == pytest.approx([1, 1], abs=0.02)
    assert first.unique().tolist() == pytest.approx([0.0, 1 / 0.75])
    assert not torch.equal(first, second)
    torch.testing.assert_close(Dropout(0.25, keys[1:])(x[1:]), first[1:])
    assert torch.equal(Dropout(0.25, None)(x), x)


def test_attention_with_dropout_equals_attention_without_where_nothing_falls(monkeypatch):
    net = Transformer(8, 2, 2, dropout=1e-12)
    theta = initial_parameters(net, (0, 1), "x")
    valid = torch.ones(2, 3, 6, dtype=torch.bool)
    valid[0, 1, 4:] = False
    keys = torch.arange(2 * net.masks).reshape(2, -1)
    torch.testing.assert_close(
        net.apply(theta, tokens(), valid=valid, keys=keys), net.apply(theta, tokens(), valid=valid)
    )
    strong = Transformer(8, 2, 2, dropout=0.5)
    assert not torch.allclose(strong.apply(theta, tokens(), keys=keys), net.apply(theta, tokens()))


def test_a_width_that_heads_do_not_divide_is_rejected():
    with pytest.raises(InputError, match="width 10 with 4 heads: accepted is a multiple of 8"):
        Transformer(10, 4)
