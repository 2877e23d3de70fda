r"""Plans by diffusion: a transformer that denoises windows of states, and how a condition and a gradient guide it.

Forward, for k = 1 ... T (`deep.methods.parts.diffusion_policy.Chain`): x_k = sqrt(abar_k) x_0 + sqrt(1 - abar_k) eps.
The first state of a window is known: it is not noised, and every step of the reversal puts it back. The denoiser
predicts eps given k and a condition c; a learned vector takes the place of c where there is none.

One deterministic step of the reversal (Song et al. 2021, DDIM), with both kinds of guidance:

    eps_hat = eps(x_k, k, none) + w (eps(x_k, k, c) - eps(x_k, k, none)) - sqrt(1 - abar_k) beta grad_x J(x_k, k, c)
    x_0     = clip((x_k - sqrt(1 - abar_k) eps_hat) / sqrt(abar_k), -5, 5)
    x_{k-1} = sqrt(abar_{k-1}) x_0 + sqrt(1 - abar_{k-1}) eps_hat'

with eps_hat' = (x_k - sqrt(abar_k) x_0) / sqrt(1 - abar_k). It samples from q(x | c) exp(beta J(x)) as far as J at the
noise level k is the logarithm of E[exp(beta J(x_0)) | x_k] / beta; a J that regresses on noised windows is its first
order. Normalised states lie within 5 deviations.

Sources: Ho and Salimans 2022 (w); Dhariwal and Nichol 2021 (gradient); Peebles and Xie 2023 (DiT); Ajay et al. 2023.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import pi, sqrt

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from deep.methods.parts.diffusion_policy import Chain
from deep.nn.mlp import MLP, init_linear, unpack
from deep.nn.transformer import Transformer, affine

FEATURES = 32
"""Sines and cosines by which a number enters."""
LARGEST_STATE = 5.0
"""Plans are clipped to so many standard deviations of the data's states."""


def features(x: Float[Tensor, "*shape"], turns: float = 1.0) -> Float[Tensor, "*shape features"]:
    """sin and cos of 2 pi f x at frequencies f from `turns` / 64 to `turns`, geometric."""
    half = FEATURES // 2
    frequencies = turns * 2.0 ** torch.linspace(-6, 0, half, dtype=x.dtype, device=x.device)
    angles = 2 * pi * x.unsqueeze(-1) * frequencies
    return torch.cat([angles.sin(), angles.cos()], -1)


@dataclass(frozen=True)
class Denoiser:
    """eps(x_k, k, c): a DiT over the states of a window. At the start it predicts 0 for all inputs."""

    state_size: int
    horizon: int
    trunk: Transformer
    conditions: int
    """How many numbers the condition has."""
    levels: int
    """T, the number of noise levels."""

    @property
    def _embeddings(self) -> list[MLP]:
        width = self.trunk.width
        return [MLP(FEATURES, width, (width,), "silu"), MLP(FEATURES * self.conditions, width, (width,), "silu")]

    @property
    def _own(self) -> list[tuple[int, ...]]:
        d = self.trunk.width
        return [(self.state_size, d), (d,), (self.horizon, d), (d,), (d, self.state_size), (self.state_size,)]

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        return [*self._own, *(shape for mlp in self._embeddings for shape in mlp.shapes), *self.trunk.shapes]

    def init(self, rng: np.random.Generator) -> list[np.ndarray]:
        d = self.trunk.width
        own = [*init_linear(rng, self.state_size, d), 0.02 * rng.standard_normal((self.horizon, d)), np.zeros(d)]
        own += [np.zeros((d, self.state_size)), np.zeros(self.state_size)]
        return own + [array for mlp in self._embeddings for array in mlp.init(rng)] + self.trunk.init(rng)

    def apply(
        self,
        theta: Float[Tensor, "n params"],
        noisy: Float[Tensor, "n batch H state"],
        level: Int[Tensor, "n batch"],
        condition: Float[Tensor, "n batch c"],
        present: Bool[Tensor, "n batch"],
    ) -> Float[Tensor, "n batch H state"]:
        """The noise. Where the condition is not `present`, the learned vector takes its place."""
        w_in, b_in, place, nothing, w_out, b_out, *rest = unpack(theta, self.shapes)
        by_level, by_condition = self._embeddings
        first, second = len(by_level.shapes), len(by_level.shapes) + len(by_condition.shapes)
        given = by_condition.forward(rest[first:second], features(condition).flatten(-2))
        given = torch.where(present.unsqueeze(-1), given, nothing.unsqueeze(1))
        time = by_level.forward(rest[:first], features(level / self.levels, turns=16.0))
        tokens = affine(noisy, w_in, b_in) + place.unsqueeze(1)
        output = self.trunk.forward(rest[second:], tokens, condition=time + given)
        return affine(output, w_out, b_out)


@dataclass(frozen=True)
class Guide:
    """J(x_k, k, c): a perceptron over the flattened window."""

    state_size: int
    horizon: int
    conditions: int
    levels: int
    hidden: tuple[int, ...] = (256, 256)

    @property
    def _network(self) -> MLP:
        return MLP(self.state_size * self.horizon + FEATURES * (1 + self.conditions), 1, self.hidden, "silu")

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        return self._network.shapes

    def init(self, rng: np.random.Generator) -> list[np.ndarray]:
        return self._network.init(rng)

    def apply(
        self,
        theta: Float[Tensor, "n params"],
        noisy: Float[Tensor, "n batch H state"],
        level: Int[Tensor, "n batch"],
        condition: Float[Tensor, "n batch c"],
    ) -> Float[Tensor, "n batch"]:
        """The prediction for every window."""
        time = features(level / self.levels, turns=16.0)
        x = torch.cat([noisy.flatten(2), time, features(condition).flatten(-2)], -1)
        return self._network.apply(theta, x).squeeze(-1)


def diffuse_window(
    chain: Chain, states: Float[Tensor, "n batch H state"], level: Int[Tensor, "n batch"], noise: Tensor
) -> Float[Tensor, "n batch H state"]:
    """x_k of windows whose first state stays as it is."""
    bars = torch.tensor(chain.alpha_bars, device=states.device, dtype=states.dtype)[level - 1][..., None, None]
    noisy = bars.sqrt() * states + (1 - bars).sqrt() * noise
    return torch.cat([states[:, :, :1], noisy[:, :, 1:]], 2)


Noise = Callable[[Tensor, int], Tensor]
"""(x_k (n, batch, H, state), k) -> the guided noise eps_hat."""


def guided_noise(
    with_condition: Noise, without: Noise, gradient: Noise, chain: Chain, strength: float, beta: float
) -> Noise:
    """eps_hat of the module's docstring; `gradient` gives grad_x J."""

    def noise(x: Tensor, k: int) -> Tensor:
        base = without(x, k)
        eps = base + strength * (with_condition(x, k) - base)
        return eps if beta == 0 else eps - sqrt(1 - chain.alpha_bars[k - 1]) * beta * gradient(x, k)

    return noise


def sample_plan(
    noise: Noise,
    chain: Chain,
    start: Float[Tensor, "n batch H state"],
    first: Float[Tensor, "n batch state"] | None,
    largest: float = LARGEST_STATE,
) -> Float[Tensor, "n batch H state"]:
    """Run the chain backwards from x_T = `start`, every x_k with `first` as its first state where it is given."""

    def pinned(x: Tensor) -> Tensor:
        return x if first is None else torch.cat([first.unsqueeze(2), x[:, :, 1:]], 2)

    x = pinned(start)
    for k in range(chain.steps, 0, -1):
        bar, before = chain.alpha_bars[k - 1], 1.0 if k == 1 else chain.alpha_bars[k - 2]
        clean = ((x - sqrt(1 - bar) * noise(x, k)) / sqrt(bar)).clamp(-largest, largest)
        eps = (x - sqrt(bar) * clean) / sqrt(1 - bar)
        x = pinned(sqrt(before) * clean + sqrt(1 - before) * eps)
    return x


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
