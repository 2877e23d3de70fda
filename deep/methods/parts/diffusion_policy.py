r"""A policy that is the reversal of a short diffusion, with the gradient through the whole chain.

Forward, t = 1 ... T, alpha_t = 1 - beta_t, abar_t = alpha_1 ... alpha_t, abar_0 = 1:

    q(a_t | a_{t-1}) = N(sqrt(alpha_t) a_{t-1}, beta_t I),   a_t = sqrt(abar_t) a_0 + sqrt(1 - abar_t) eps.

Reversed, from a_T ~ N(0, I), with the noise predictor eps_theta(a_t, t | s), z ~ N(0, I), and no noise at t = 1:

    x_t     = (a_t - sqrt(1 - abar_t) eps_theta) / sqrt(abar_t)                      the clean action predicted at t
    a_{t-1} = (sqrt(abar_{t-1}) beta_t x_t + sqrt(alpha_t) (1 - abar_{t-1}) a_t) / (1 - abar_t) + std_t z,
    std_t^2 = beta_t (1 - abar_{t-1}) / (1 - abar_t).

Sources: Ho et al. 2020 (DDPM), Eqs. (4), (6), (7); Wang et al. 2023 (Diffusion-QL), Eq. (1), for T = 5 and "vp".
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from math import cos, exp, pi, sqrt
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from deep.nn.mlp import ACTIVATIONS, MLP, linear, unpack
from theory.support.errors import InputError

ScheduleName = Literal["vp", "cosine", "linear"]

Predictor = Callable[[Tensor, int], Tensor]
"""(a_t (n, batch, act), t) -> eps (n, batch, act), at states it already knows."""


@dataclass(frozen=True)
class Chain:
    """The constants of a chain of T steps; tuples start at t = 1.

    vp:      alpha_t = exp(-b_min / T - (b_max - b_min) (2t - 1) / (2 T^2)), (b_min, b_max) = (.1, 10): the
             variance-preserving process in continuous time, seen at T instants.
    cosine:  abar_t = f(t) / f(0), f(t) = cos^2(pi/2 (t/T + s) / (1 + s)), s = .008, beta_t <= .999 (Nichol and
             Dhariwal 2021, Eq. (17)).
    linear:  beta_t on the straight line between the first and the last beta of vp. DDPM's end points, 1e-4 and .02,
             belong to T = 1000: at T = 5 they would leave abar_T = .95 at the end of the chain, where sampling starts
             from pure noise.

    Raises `InputError` for T < 1 or an unknown schedule.
    """

    steps: int = 5
    schedule: str = "vp"

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise InputError(f"a diffusion policy of {self.steps} steps: accepted is a number of at least 1")
        if self.schedule not in ("vp", "cosine", "linear"):
            raise InputError(f"unknown noise schedule {self.schedule!r}: accepted are vp, cosine and linear")

    @cached_property
    def betas(self) -> tuple[float, ...]:
        """beta_t, the variance that step t adds."""
        T, times = self.steps, range(1, self.steps + 1)
        if self.schedule == "cosine":
            f = [cos(pi / 2 * (t / T + 0.008) / 1.008) ** 2 for t in range(T + 1)]
            return tuple(min(1 - f[t] / f[t - 1], 0.999) for t in times)
        b_min, b_max = 0.1, 10.0
        betas = tuple(1 - exp(-b_min / T - (b_max - b_min) * (2 * t - 1) / (2 * T**2)) for t in times)
        if self.schedule == "vp":
            return betas
        return tuple(float(beta) for beta in np.linspace(betas[0], betas[-1], T))

    @cached_property
    def alpha_bars(self) -> tuple[float, ...]:
        """abar_t: how much of the clean action's variance is left after t steps."""
        return tuple(float(x) for x in np.cumprod([1 - beta for beta in self.betas]))

    @cached_property
    def posterior_variances(self) -> tuple[float, ...]:
        """std_t^2, the variance of q(a_{t-1} | a_t, a_0)."""
        before = (1.0, *self.alpha_bars)
        rows = zip(self.betas, self.alpha_bars, before, strict=False)
        return tuple(beta * (1 - previous) / (1 - bar) for beta, bar, previous in rows)

    # Arithmetic alone, which `deep.export.inference_graph` does with other kinds of arrays too.

    def clean(self, noisy: Any, noise: Any, t: int) -> Any:
        """x_t: the clean action, if this is the noise in a_t."""
        bar = self.alpha_bars[t - 1]
        return (noisy - sqrt(1 - bar) * noise) / sqrt(bar)

    def posterior_mean(self, clean: Any, noisy: Any, t: int) -> Any:
        """The mean of q(a_{t-1} | a_t, a_0 = clean)."""
        beta, bar = self.betas[t - 1], self.alpha_bars[t - 1]
        before = 1.0 if t == 1 else self.alpha_bars[t - 2]
        return (sqrt(before) * beta * clean + sqrt(1 - beta) * (1 - before) * noisy) / (1 - bar)

    def diffuse(self, actions: Tensor, bars: Tensor, noise: Tensor) -> Tensor:
        """a_t from a_0 where abar_t, of shape (n, batch, 1), is `bars`."""
        return bars.sqrt() * actions + (1 - bars).sqrt() * noise


def denoise(predict: Predictor, chain: Chain, z: Float[Tensor, "n step batch act"]) -> Float[Tensor, "n batch act"]:
    """Run the chain backwards, unclipped; z[:, 0] is a_T and z[:, k] the noise of the step that ends at T - k."""
    noisy = z[:, 0]
    for t in range(chain.steps, 0, -1):
        mean = chain.posterior_mean(chain.clean(noisy, predict(noisy, t), t), noisy, t)
        noisy = mean if t == 1 else mean + sqrt(chain.posterior_variances[t - 1]) * z[:, chain.steps - t + 1]
    return noisy


class _Clip(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x.clamp(-1, 1)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Tensor:
        (x,), (grad,) = ctx.saved_tensors, grads
        outward = ((x > 1) & (grad < 0)) | ((x < -1) & (grad > 0))
        return grad.masked_fill(outward, 0)


def clip(x: Tensor) -> Tensor:
    """Clamp to [-1, 1]; a gradient passes unless its descent would lead farther outside.

    With a plain clamp an action that has left the range has no gradient to come back by.
    """
    result = _Clip.apply(x)
    assert isinstance(result, Tensor)
    return result


class DiffusionPolicy:
    """pi_theta(a | s) by a multilayer perceptron eps_theta over (a_t, time, s); actions are clipped to [-1, 1].

    The time t enters by `time_features` sines and cosines of t at geometric frequencies; with T values of t, their
    linear map in the first layer is as general as a network over them would be.
    """

    def __init__(
        self,
        observation_size: int,
        action_size: int,
        chain: Chain,
        hidden: tuple[int, ...] = (256, 256, 256),
        time_features: int = 16,
        device: torch.device | None = None,
    ) -> None:
        self.observation_size, self.action_size, self.chain = observation_size, action_size, chain
        self.network = MLP(action_size + time_features + observation_size, action_size, hidden, "mish")
        half = time_features // 2
        frequencies = 10_000 ** (-np.arange(half) / max(half - 1, 1))
        angles = np.arange(1, chain.steps + 1)[:, None] * frequencies
        table = np.concatenate([np.sin(angles), np.cos(angles)], axis=1)
        self.times = torch.from_numpy(table).to(device, torch.get_default_dtype())
        self.bars = torch.tensor(chain.alpha_bars, device=device, dtype=torch.get_default_dtype())

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        return self.network.shapes

    def init(self, rng: np.random.Generator) -> list[np.ndarray]:
        return self.network.init(rng)

    def _at(
        self,
        theta: Float[Tensor, "n params"],
        observations: Float[Tensor, "n batch obs"],
        dropout_draws: Tensor | None = None,
    ) -> Callable[[Tensor, Tensor], Tensor]:
        """eps_theta(., . | s) as a function of a_t and the time's features, of shape (n or 1, batch or 1, features).

        `dropout_draws` are for networks with dropout; a multilayer perceptron here has none.
        """
        first, bias, *rest = unpack(theta, self.shapes)
        sizes = [self.action_size, self.times.shape[1], self.observation_size]
        by_action, by_time, by_state = first.split(sizes, dim=1)
        # The state's share of the first layer is the same at every step of the chain.
        context = linear(observations, by_state, bias)

        def predict(noisy: Tensor, time: Tensor) -> Tensor:
            x = torch.baddbmm(context + time.expand(len(theta), -1, -1) @ by_time, noisy, by_action)
            return self.network.forward(rest, ACTIVATIONS[self.network.activation](x))

        return predict

    def sample(
        self,
        theta: Float[Tensor, "n params"],
        observations: Float[Tensor, "n batch obs"],
        z: Float[Tensor, "n step batch act"],
    ) -> Float[Tensor, "n batch act"]:
        """Actions of the policy for standard normal z; the gradient in theta goes through all T steps."""
        predict = self._at(theta, observations)
        return clip(denoise(lambda noisy, t: predict(noisy, self.times[None, t - 1 : t]), self.chain, z))

    def denoising_loss(
        self,
        theta: Float[Tensor, "n params"],
        observations: Float[Tensor, "n batch obs"],
        actions: Float[Tensor, "n batch act"],
        t: Float[Tensor, "n batch"],
        noise: Float[Tensor, "n batch act"],
        weights: Float[Tensor, "n batch"] | None = None,
        dropout_draws: Tensor | None = None,
    ) -> Float[Tensor, " n"]:
        """L_d: the mean over batch and action dimensions of |eps_theta(a_t, t | s) - eps|^2; t uniform on [0, 1).

        `weights` multiply the squared errors of a transition; without them all are 1.
        """
        index = (t * self.chain.steps).long()
        noisy = self.chain.diffuse(actions, self.bars[index].unsqueeze(-1), noise)
        error = (self._at(theta, observations, dropout_draws)(noisy, self.times[index]) - noise).square()
        return (error if weights is None else weights.unsqueeze(-1) * error).mean(dim=(1, 2))
