r"""How a diffusion planner noises windows, and how it draws plans: the reversal, with both kinds of guidance.

Forward, for k = 1 ... T (`deep.methods.parts.diffusion_policy.Chain`): x_k = sqrt(abar_k) x_0 + sqrt(1 - abar_k) eps.
The first state of a window is known: it is not noised, and every step of the reversal puts it back. The denoiser
predicts eps given k and a condition c, or without a condition.

One deterministic step of the reversal (Song et al. 2021, DDIM), with both kinds of guidance:

    eps_hat = eps(x_k, k, none) + w (eps(x_k, k, c) - eps(x_k, k, none)) - sqrt(1 - abar_k) beta grad_x J(x_k, k, c)
    x_0     = clip((x_k - sqrt(1 - abar_k) eps_hat) / sqrt(abar_k), -5, 5)
    x_{k-1} = sqrt(abar_{k-1}) x_0 + sqrt(1 - abar_{k-1}) eps_hat'

with eps_hat' = (x_k - sqrt(abar_k) x_0) / sqrt(1 - abar_k). It samples from q(x | c) exp(beta J(x)) as far as J at the
noise level k is the logarithm of E[exp(beta J(x_0)) | x_k] / beta; a J that regresses on noised windows is its first
order. Normalised states lie within 5 deviations.

Sources: Ho and Salimans 2022 (w); Dhariwal and Nichol 2021 (gradient); Janner et al. 2022 (the known first state).
"""

from collections.abc import Callable
from math import sqrt

import torch
from jaxtyping import Float, Int
from torch import Tensor

from deep.methods.parts.diffusion_policy import Chain

LARGEST_STATE = 5.0
"""Plans are clipped to so many standard deviations of the data's states."""

Noise = Callable[[Float[Tensor, "n batch H token"], int], Float[Tensor, "n batch H token"]]
"""(x_k, k) -> eps_hat. Gradients and moves of x_k are functions of the same kind."""


def pinned(
    windows: Float[Tensor, "n batch H token"], first: Float[Tensor, "n batch state"]
) -> Float[Tensor, "n batch H token"]:
    """The windows with `first` as their first state, the leading entries of the first token."""
    rest = windows.flatten(2)[..., first.shape[-1] :]
    return torch.cat([first, rest], -1).unflatten(-1, windows.shape[2:])


def diffuse_window(
    chain: Chain,
    windows: Float[Tensor, "n batch H token"],
    level: Int[Tensor, "n batch"],
    noise: Float[Tensor, "n batch H token"],
    state_size: int,
) -> Float[Tensor, "n batch H token"]:
    """x_k of windows whose first state stays as it is; level 0 leaves them whole."""
    bars = torch.tensor((1.0, *chain.alpha_bars), device=windows.device, dtype=windows.dtype)[level][..., None, None]
    return pinned(bars.sqrt() * windows + (1 - bars).sqrt() * noise, windows[:, :, 0, :state_size])


def classifier_free(with_condition: Noise, without: Noise, strength: float) -> Noise:
    """The first two terms of eps_hat; `strength` is w."""

    def noise(x: Tensor, k: int) -> Tensor:
        base = without(x, k)
        return base + strength * (with_condition(x, k) - base)

    return noise


def ascending(noise: Noise, gradient: Noise, chain: Chain, beta: float) -> Noise:
    """The noise with the last term of eps_hat; `gradient` gives grad_x J and is not used where beta is 0."""
    if beta == 0:
        return noise
    return lambda x, k: noise(x, k) - sqrt(1 - chain.alpha_bars[k - 1]) * beta * gradient(x, k)


def sample_plan(
    noise: Noise,
    chain: Chain,
    start: Float[Tensor, "n batch H token"],
    first: Float[Tensor, "n batch state"] | None,
    largest: float = LARGEST_STATE,
    move: Noise | None = None,
) -> Float[Tensor, "n batch H token"]:
    """Run the chain backwards from x_T = `start`, every x_k with `first` as its first state where it is given.

    `move` changes every x_k before it is denoised.
    """

    def known(x: Tensor) -> Tensor:
        return x if first is None else pinned(x, first)

    x = known(start)
    for k in range(chain.steps, 0, -1):
        x = x if move is None else known(move(x, k))
        bar, before = chain.alpha_bars[k - 1], 1.0 if k == 1 else chain.alpha_bars[k - 2]
        clean = ((x - sqrt(1 - bar) * noise(x, k)) / sqrt(bar)).clamp(-largest, largest)
        eps = (x - sqrt(bar) * clean) / sqrt(1 - bar)
        x = known(sqrt(before) * clean + sqrt(1 - before) * eps)
    return x
