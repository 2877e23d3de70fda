"""Single networks as PyTorch users write them, filled with one row of the stacked parameters."""

import copy
from collections.abc import Iterator, Mapping
from math import pi

import torch
from torch import Tensor, nn

from deep.data.replay import Batch, Replay
from deep.methods.drcorl.score import ScoreNetwork
from deep.nn.mlp import MLP, Ensemble, unpack

Draws = Mapping[str, Tensor]
"""The random inputs of one step, by name, for one replica."""

ACTIVATIONS = {"relu": nn.ReLU, "mish": nn.Mish, "tanh": nn.Tanh}


def layer(weight: Tensor, bias: Tensor) -> nn.Linear:
    """A linear layer; `weight` is (inputs, outputs), as in the stacked networks."""
    inputs, outputs = weight.shape
    made = nn.Linear(inputs, outputs, device=weight.device, dtype=weight.dtype)
    made.weight.data, made.bias.data = weight.T.clone(), bias.clone()
    return made


def mlp(network: MLP, row: Tensor) -> nn.Sequential:
    """The multilayer perceptron of one row of parameters (P,)."""
    pieces = [piece[0] for piece in unpack(row.detach().unsqueeze(0), network.shapes)]
    layers: list[nn.Module] = []
    for weight, bias in zip(pieces[::2], pieces[1::2], strict=True):
        width = weight.shape[1]
        norm = [nn.LayerNorm(width, elementwise_affine=False)] if network.layer_norm else []
        layers += [layer(weight, bias), *norm, ACTIVATIONS[network.activation]()]
    return nn.Sequential(*layers[: -2 if network.layer_norm else -1])


def members(ensemble: Ensemble, row: Tensor) -> nn.ModuleList:
    """The members of an ensemble, each a network of its own."""
    return nn.ModuleList(mlp(ensemble.member, part) for part in row.detach().unflatten(0, (ensemble.size, -1)))


class Score(nn.Module):
    """The behaviour model's network, eps(a_t, t | s)."""

    def __init__(self, network: ScoreNetwork, row: Tensor) -> None:
        super().__init__()
        pieces = [piece[0] for piece in unpack(row.detach().unsqueeze(0), network.shapes)]
        self.width, self.dropout = network.width, network.dropout
        count = network.time_features // 2
        quantiles = (torch.arange(count, device=row.device) + 0.5) / count
        self.frequencies = 2 * pi * network.frequency_scale * torch.special.ndtri((1 + quantiles) / 2)
        self.time = nn.Sequential(layer(*pieces[:2]), nn.Mish(), layer(*pieces[2:4]), nn.Mish())
        self.entry = layer(*pieces[4:6])
        self.norms, self.blocks = nn.ModuleList(), nn.ModuleList()
        for k in range(6, 6 + 6 * network.blocks, 6):
            norm = nn.LayerNorm(self.width, device=row.device, dtype=row.dtype)
            norm.weight.data, norm.bias.data = pieces[k].clone(), pieces[k + 1].clone()
            self.norms.append(norm)
            self.blocks.append(nn.Sequential(layer(*pieces[k + 2 : k + 4]), nn.Mish(), layer(*pieces[k + 4 : k + 6])))
        self.exit = nn.Sequential(nn.Mish(), layer(*pieces[-2:]))

    def forward(self, noisy: Tensor, t: Tensor, observations: Tensor, kept: Tensor | None = None) -> Tensor:
        """Predicted noise; `kept` (blocks, batch, width) says what dropout leaves in."""
        angles = t.unsqueeze(-1) * self.frequencies
        time = self.time(torch.cat([angles.sin(), angles.cos()], -1))
        x = self.entry(torch.cat([noisy, observations, time], -1))
        for k, (norm, block) in enumerate(zip(self.norms, self.blocks, strict=True)):
            y = x if kept is None else x * kept[k] / (1 - self.dropout)
            x = x + block(norm(y))
        return self.exit(x)


def flat(module: nn.Module) -> Tensor:
    """All parameters in the stacked networks' order."""
    return torch.cat([tensor.flatten() for tensor in _ordered(module)]).detach()


def _ordered(module: nn.Module) -> Iterator[Tensor]:
    if isinstance(module, nn.Linear):
        yield from (module.weight.T, module.bias)
    elif isinstance(module, nn.LayerNorm):
        if not module.elementwise_affine:
            return
        yield from (module.weight, module.bias)
    elif isinstance(module, Score):
        pairs = [part for pair in zip(module.norms, module.blocks, strict=True) for part in pair]
        for child in (module.time, module.entry, *pairs, module.exit):
            yield from _ordered(child)
    else:
        for child in module.children():
            yield from _ordered(child)


class Learner:
    """A module, its Adam, and a slowly moving copy."""

    def __init__(self, module: nn.Module, learning_rate: float, ema: nn.Module | None = None) -> None:
        self.module, self.ema = module, ema or copy.deepcopy(module)
        self.learning_rate = learning_rate
        self.adam = torch.optim.Adam(module.parameters(), lr=learning_rate)

    def adam_step(self, loss: Tensor, rate_factor: float = 1.0, clip: float | None = None) -> None:
        """One step down the gradient of the loss."""
        self.adam.zero_grad()
        loss.backward()
        self.step(rate_factor, clip)

    def step(self, rate_factor: float = 1.0, clip: float | None = None) -> None:
        """One step down the gradient that the parameters hold."""
        if clip is not None:
            nn.utils.clip_grad_norm_(self.module.parameters(), clip)
        for group in self.adam.param_groups:
            group["lr"] = self.learning_rate * rate_factor
        self.adam.step()

    @torch.no_grad()
    def update_ema(self, tau: float) -> None:
        """Move the copy, one parameter after the other."""
        for slow, fast in zip(self.ema.parameters(), self.module.parameters(), strict=True):
            slow.copy_((1 - tau) * slow + tau * fast)


def linear_decay(step: int, steps: int) -> float:
    """The schedule of the stacked updates: from 1 to a tenth."""
    return 1 - 0.9 * step / steps


def transitions(replay: Replay, uniform: Tensor) -> Batch:
    """The minibatch of one replica, for its uniforms (batch,)."""
    rows = (uniform.double() * len(replay)).long()
    return Batch(*(getattr(replay, name)[rows] for name in Batch._fields))


def q_values(ensemble: nn.Module, observations: Tensor, actions: Tensor) -> Tensor:
    """The values (member, batch) of an ensemble, one network after the other."""
    pairs = torch.cat([observations, actions], -1)
    return torch.stack([network(pairs).squeeze(-1) for network in ensemble.children()])
