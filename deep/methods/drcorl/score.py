r"""The diffusion model of the behaviour policy, and the reverse-KL gradient that its score gives.

Forward process (DRCORL preprint, Eq. 3; continuous variance-preserving schedule, t in [0, 1]):

    a_t = alpha_t a + sigma_t eps,   eps ~ N(0, I),   alpha_t = exp(-(b_min t + (b_max - b_min) t^2 / 2) / 2),
    sigma_t^2 = 1 - alpha_t^2.

The network eps_psi(a_t, t | s) predicts eps (Eq. 5). It is not the score: the score of the noised behaviour policy is

    grad_{a_t} log mu_t(a_t | s) = -eps_psi(a_t, t | s) / sigma_t            (Eq. 9),

exact when eps_psi is the conditional mean of eps given a_t and s.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import pi
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from deep.nn.mlp import MLP, init_linear, linear, mish, unpack


@dataclass(frozen=True)
class Schedule:
    """The variance-preserving noise schedule; t has any shape, alpha_t^2 + sigma_t^2 = 1."""

    b_min: float = 0.1
    """Noise rate at t = 0."""
    b_max: float = 20.0
    """Noise rate at t = 1."""

    def alpha(self, t: Tensor) -> Tensor:
        """How much of the clean action is left at time t."""
        return torch.exp(-0.5 * (self.b_min * t + 0.5 * (self.b_max - self.b_min) * t**2))

    def sigma(self, t: Tensor) -> Tensor:
        """Standard deviation of the noise at time t."""
        return torch.sqrt(-torch.expm1(-(self.b_min * t + 0.5 * (self.b_max - self.b_min) * t**2)))

    def rate(self, t: Tensor) -> Tensor:
        """b(t) of the forward SDE da = -b(t) a dt / 2 + sqrt(b(t)) dW."""
        return self.b_min + (self.b_max - self.b_min) * t


@dataclass(frozen=True)
class ScoreNetwork:
    """eps_psi(a_t, t | s): Fourier time features, an embedding of them, and residual blocks over (a_t, s, time).

    With the default widths it has about 1.65 million parameters, those of the method's published code.
    """

    observation_size: int
    action_size: int
    width: int = 256
    expansion: int = 4
    blocks: int = 3
    time_features: int = 64
    time_width: int = 128
    dropout: float = 0.0
    frequency_scale: float = 16.0

    def __post_init__(self) -> None:
        if self.time_features % 2:
            raise ValueError(f"time_features counts sines and cosines, so it must be even: found {self.time_features}")

    @property
    def _time_embedding(self) -> MLP:
        return MLP(self.time_features, self.time_width, (self.time_width,), "mish")

    @property
    def _entry(self) -> tuple[int, int]:
        return self.action_size + self.observation_size + self.time_width, self.width

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        inner = self.width * self.expansion
        block = [(self.width,), (self.width,), (self.width, inner), (inner,), (inner, self.width), (self.width,)]
        ends = [self._entry, (self.width,), *(block * self.blocks), (self.width, self.action_size), (self.action_size,)]
        return [*self._time_embedding.shapes, *ends]

    def init(self, rng: np.random.Generator) -> list[np.ndarray]:
        arrays = [*self._time_embedding.init(rng), *init_linear(rng, *self._entry)]
        inner = self.width * self.expansion
        for _ in range(self.blocks):
            arrays += [np.ones(self.width), np.zeros(self.width)]
            arrays += init_linear(rng, self.width, inner) + init_linear(rng, inner, self.width)
        return arrays + init_linear(rng, self.width, self.action_size)

    def _fourier_features(self, t: Float[Tensor, "n batch"]) -> Float[Tensor, "n batch features"]:
        """sin and cos of 2 pi f t, with frequencies f frozen at the quantiles of a half-normal."""
        count = self.time_features // 2
        quantiles = (torch.arange(count, device=t.device) + 0.5) / count
        angles = 2 * pi * t.unsqueeze(-1) * self.frequency_scale * torch.special.ndtri((1 + quantiles) / 2)
        return torch.cat([angles.sin(), angles.cos()], -1)

    def apply(
        self,
        theta: Float[Tensor, "n params"],
        noisy: Float[Tensor, "n batch act"],
        t: Float[Tensor, "n batch"],
        observations: Float[Tensor, "n batch obs"],
        dropout_draws: Float[Tensor, "n blocks batch width"] | None = None,
    ) -> Float[Tensor, "n batch act"]:
        """The predicted noise. `dropout_draws` are uniforms that decide what is dropped; None drops nothing."""
        parameters = unpack(theta, self.shapes)
        tail = parameters[len(self._time_embedding.shapes) :]
        head = parameters[: len(self._time_embedding.shapes)]
        time = mish(self._time_embedding.forward(head, self._fourier_features(t)))
        x = linear(torch.cat([noisy, observations, time], -1), tail[0], tail[1])
        for block in range(self.blocks):
            scale, shift, w_up, b_up, w_down, b_down = tail[2 + 6 * block : 8 + 6 * block]
            y = x
            if dropout_draws is not None and self.dropout > 0:
                y = y * (dropout_draws[:, block] >= self.dropout) / (1 - self.dropout)
            y = F.layer_norm(y, (self.width,)) * scale.unsqueeze(1) + shift.unsqueeze(1)
            x = x + linear(mish(linear(y, w_up, b_up)), w_down, b_down)
        return linear(mish(x), tail[-2], tail[-1])


Predictor = Callable[[Tensor, Tensor], Tensor]
"""(noisy actions (n, batch, act), times (n, batch)) -> predicted noise (n, batch, act) at fixed states."""

WEIGHTS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "vds": lambda alpha, sigma: sigma**2,
    "stable": lambda alpha, sigma: torch.ones_like(sigma),
    "score": lambda alpha, sigma: alpha / sigma,
}
"""w(t) of the averaged KL gradient, from (alpha_t, sigma_t); "score" makes it the gradient of the plain average KL."""


def denoising_loss(
    predict: Predictor,
    schedule: Schedule,
    actions: Float[Tensor, "n batch act"],
    t: Float[Tensor, "n batch"],
    noise: Float[Tensor, "n batch act"],
) -> Float[Tensor, " n"]:
    """Eq. (5) with w(t) = 1: the mean over batch and action dimensions of |eps_psi(a_t, t | s) - eps|^2."""
    noisy = _diffuse(schedule, actions, t, noise)
    return (predict(noisy, t) - noise).square().mean(dim=(1, 2))


def reverse_kl(
    predict: Predictor,
    schedule: Schedule,
    actions: Float[Tensor, "n batch act"],
    log_std: Float[Tensor, "n batch act"] | None,
    t: Float[Tensor, "n batch"],
    noise: Float[Tensor, "n batch act"],
    weight: Literal["vds", "stable", "score"] = "vds",
) -> Float[Tensor, " n"]:
    r"""A surrogate whose gradient in the policy's parameters is that of E_{s,t} omega(t) KL(pi_t(.|s) || mu_t(.|s)).

    pi_t and mu_t are policy and behaviour policy after the forward process up to time t. With reparameterised actions
    a = m + Sigma^{1/2} z and a_t = alpha_t a + sigma_t eps (Eqs. 6 to 9 of the DRCORL preprint, applied at every t),

        grad KL(pi_t || mu_t) = E[(alpha_t / sigma_t) eps_psi(a_t, t | s) . grad a]
                                - grad sum_i (1/2) log(alpha_t^2 Sigma_ii + sigma_t^2).

    omega(t) is such that the factor before eps_psi becomes w(t), one of `WEIGHTS`: omega = w sigma_t / alpha_t.
    Subtracting eps from eps_psi changes no expectation, because eps is independent of a, and lowers the variance.
    `log_std` is log Sigma_ii^{1/2}, or None for a Dirac policy, whose entropy term is constant.

    Sign: this is a gradient to *subtract*; Eq. (23) prints h_psi = +eps_psi / sigma_t inside an ascent direction, where
    a minus belongs, and leaves the entropy term out.
    """
    alpha, sigma = schedule.alpha(t), schedule.sigma(t)
    weights = WEIGHTS[weight](alpha, sigma)
    with torch.no_grad():
        pull = predict(_diffuse(schedule, actions, t, noise), t) - noise
    surrogate = weights * (pull * actions).sum(-1)
    if log_std is not None:
        variance = (alpha**2).unsqueeze(-1) * torch.exp(2 * log_std) + (sigma**2).unsqueeze(-1)
        surrogate = surrogate - weights * sigma / alpha * 0.5 * variance.log().sum(-1)
    return surrogate.mean(dim=1)


def reverse_kl_limit(
    predict: Predictor,
    schedule: Schedule,
    actions: Float[Tensor, "n batch act"],
    log_std: Float[Tensor, "n batch act"] | None,
    t_limit: float,
) -> Float[Tensor, " n"]:
    r"""A surrogate whose gradient in the policy's parameters is that of E_s KL(pi(.|s) || mu(.|s)), as t -> 0.

        grad KL(pi || mu) = -E[grad_a log mu(a | s) . grad a] - grad sum_i log Sigma_ii^{1/2}      (Eqs. 6 to 9),
        grad_a log mu(a | s) = h_psi(s, a) = -eps_psi(a, t | s) / sigma_t  at t = t_limit,

    which is Eq. (23) of the DRCORL preprint with its sign and its entropy term put right. The actions are not noised:
    a_t -> a. The score is that of mu_t and tends to mu's as t_limit -> 0, where sigma_t -> 0 enlarges the network's
    error: 13-fold at t_limit = .02, 95-fold at .001.
    """
    t = torch.full(actions.shape[:2], t_limit, dtype=actions.dtype, device=actions.device)
    with torch.no_grad():
        score = -predict(actions, t) / schedule.sigma(t).unsqueeze(-1)
    surrogate = -(score * actions).sum(-1)
    if log_std is not None:
        surrogate = surrogate - log_std.sum(-1)
    return surrogate.mean(dim=1)


def _diffuse(schedule: Schedule, actions: Tensor, t: Tensor, noise: Tensor) -> Tensor:
    """a_t = alpha_t a + sigma_t eps."""
    return schedule.alpha(t).unsqueeze(-1) * actions + schedule.sigma(t).unsqueeze(-1) * noise
