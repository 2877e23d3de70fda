r"""The networks of the diffusion planners: a transformer that denoises windows, values of noised windows, an inverse
model.

A window has H tokens, each a state, or a state and an action. Noise levels are k = 1 ... T; see `reversal`.

Sources: Peebles and Xie 2023 (DiT); Janner et al. 2022 (values of noised windows); Ajay et al. 2023 (inverse model).
"""

from dataclasses import dataclass
from math import pi

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from deep.nn.mlp import MLP, init_linear, linear, unpack
from deep.nn.transformer import Transformer, affine

FEATURES = 32
"""Sines and cosines by which a number enters."""


def features(x: Float[Tensor, "*shape"], turns: float = 1.0) -> Float[Tensor, "*shape features"]:
    """sin and cos of 2 pi f x at frequencies f from `turns` / 64 to `turns`, geometric."""
    half = FEATURES // 2
    frequencies = turns * 2.0 ** torch.linspace(-6, 0, half, dtype=x.dtype, device=x.device)
    angles = 2 * pi * x.unsqueeze(-1) * frequencies
    return torch.cat([angles.sin(), angles.cos()], -1)


@dataclass(frozen=True)
class Denoiser:
    """eps(x_k, k, c): a DiT over the tokens of a window. At the start it predicts 0 for all inputs."""

    token_size: int
    horizon: int
    trunk: Transformer
    conditions: int
    """How many numbers the condition has; 0: there is none."""
    levels: int
    """T, the number of noise levels."""

    @property
    def _embeddings(self) -> list[MLP]:
        width = self.trunk.width
        inputs = [FEATURES, FEATURES * self.conditions] if self.conditions else [FEATURES]
        return [MLP(size, width, (width,), "silu") for size in inputs]

    @property
    def _own(self) -> list[tuple[int, ...]]:
        d = self.trunk.width
        return [(self.token_size, d), (d,), (self.horizon, d), (d,), (d, self.token_size), (self.token_size,)]

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        return [*self._own, *(shape for mlp in self._embeddings for shape in mlp.shapes), *self.trunk.shapes]

    def init(self, rng: np.random.Generator) -> list[np.ndarray]:
        d = self.trunk.width
        own = [*init_linear(rng, self.token_size, d), 0.02 * rng.standard_normal((self.horizon, d)), np.zeros(d)]
        own += [np.zeros((d, self.token_size)), np.zeros(self.token_size)]
        return own + [array for mlp in self._embeddings for array in mlp.init(rng)] + self.trunk.init(rng)

    def apply(
        self,
        theta: Float[Tensor, "n params"],
        noisy: Float[Tensor, "n batch H token"],
        level: Int[Tensor, "n batch"],
        condition: Float[Tensor, "n batch c"] | None = None,
        present: Bool[Tensor, "n batch"] | None = None,
    ) -> Float[Tensor, "n batch H token"]:
        """The noise. A learned vector takes the condition's place where it is None or not `present`."""
        w_in, b_in, place, nothing, w_out, b_out, *rest = unpack(theta, self.shapes)
        mlps = self._embeddings
        first = len(mlps[0].shapes)
        given = nothing.unsqueeze(1)
        if condition is not None:
            layers = rest[first : first + len(mlps[1].shapes)]
            embedded = mlps[1].forward(layers, features(condition).flatten(-2))
            given = embedded if present is None else torch.where(present.unsqueeze(-1), embedded, given)
        time = mlps[0].forward(rest[:first], features(level / self.levels, turns=16.0))
        tokens = affine(noisy, w_in, b_in) + place.unsqueeze(1)
        trunk = rest[sum(len(mlp.shapes) for mlp in mlps) :]
        output = self.trunk.forward(trunk, tokens, condition=time + given)
        return affine(output, w_out, b_out)


@dataclass(frozen=True)
class Value:
    """J(x_k, k, c): a perceptron over the flattened window."""

    token_size: int
    horizon: int
    conditions: int
    """How many numbers the condition has; 0: there is none."""
    levels: int
    hidden: tuple[int, ...] = (256, 256)

    @property
    def _network(self) -> MLP:
        return MLP(self.token_size * self.horizon + FEATURES * (1 + self.conditions), 1, self.hidden, "silu")

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        return self._network.shapes

    def init(self, rng: np.random.Generator) -> list[np.ndarray]:
        return self._network.init(rng)

    def apply(
        self,
        theta: Float[Tensor, "n params"],
        noisy: Float[Tensor, "n batch H token"],
        level: Int[Tensor, "n batch"],
        condition: Float[Tensor, "n batch c"],
    ) -> Float[Tensor, "n batch"]:
        """The prediction for every window."""
        return self._network.apply(theta, self._inputs(noisy, level, condition)).squeeze(-1)

    def _inputs(self, noisy: Tensor, level: Tensor, condition: Tensor) -> Float[Tensor, "n batch inputs"]:
        time = features(level / self.levels, turns=16.0)
        return torch.cat([noisy.flatten(2), time, features(condition).flatten(-2)], -1)

    def ascent(
        self,
        theta: Float[Tensor, "n params"],
        noisy: Float[Tensor, "n batch H token"],
        level: Tensor,
        condition: Tensor,
    ) -> tuple[Float[Tensor, "n batch"], Float[Tensor, "n #batch H token"]]:
        """J and grad_x J, the chain rule written out so that an export can hold it: backward through each layer
        h = W x + b, whose output is silu(h) = h s(h), goes g -> W' (g silu'(h)), silu' = s (1 + h (1 - s))."""
        layers, inner = unpack(theta, self.shapes), []
        x = self._inputs(noisy, level, condition)
        for weight, bias in zip(layers[:-2:2], layers[1:-2:2], strict=True):
            h = linear(x, weight, bias)
            s = h.sigmoid()
            x = h * s
            inner.append(s * (1 + h * (1 - s)))
        values = linear(x, layers[-2], layers[-1]).squeeze(-1)
        slope = layers[-2].transpose(1, 2)
        for weight, factor in zip(reversed(layers[:-2:2]), reversed(inner), strict=True):
            slope = torch.bmm(slope * factor, weight.transpose(1, 2))
        window = slope[..., : self.horizon * self.token_size]
        return values, window.unflatten(-1, (self.horizon, self.token_size))


@dataclass(frozen=True)
class InverseDynamics:
    """a = tanh g(s, s'): the action that leads from one state to the next (Ajay et al. 2023)."""

    state_size: int
    action_size: int
    hidden: tuple[int, ...] = (256, 256)

    @property
    def _network(self) -> MLP:
        return MLP(2 * self.state_size, self.action_size, self.hidden)

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        return self._network.shapes

    def init(self, rng: np.random.Generator) -> list[np.ndarray]:
        return self._network.init(rng)

    def apply(self, theta: Tensor, states: Tensor, next_states: Tensor) -> Float[Tensor, "n batch act"]:
        """Actions in [-1, 1]."""
        return torch.tanh(self._network.apply(theta, torch.cat([states, next_states], -1)))
