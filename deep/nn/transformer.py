r"""A transformer without state, N copies at once: causal for sequences of tokens, or modulated by a condition (DiT).

A block of width d on tokens x, with LN the layer norm, MSA multi-head self-attention and GELU between two layers of
widths 4 d and d in the MLP:

    pre-norm:       x <- x + MSA(LN(x));  x <- x + MLP(LN(x))
    adaLN-Zero:     x <- x + g_1 MSA((1 + s_1) LN(x) + b_1);  x <- x + g_2 MLP((1 + s_2) LN(x) + b_2),
                    (b_1, s_1, g_1, b_2, s_2, g_2) = W SiLU(c) + w

where c is the condition. W and w are zero at the start, so that every block then is the identity. The layer norm of the
first form has a gain and a bias of its own; in the second form (b, s) take their place.

Sources: Vaswani et al. 2017; Radford et al. 2018 (pre-norm, GELU); Peebles and Xie 2023, section 3.2 (adaLN-Zero).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F

from deep.nn.masks import kept
from deep.nn.mlp import init_linear, linear, unpack
from theory.support.errors import InputError


@dataclass(frozen=True)
class Transformer:
    """`blocks` blocks of width `width` with `heads` attention heads."""

    width: int = 128
    heads: int = 8
    blocks: int = 3
    causal: bool = True
    """Whether a token attends to itself and to those before it alone."""
    modulated: bool = False
    """adaLN-Zero blocks, which take a condition of the same width."""
    rotary: bool = False
    """Rotary position encoding (Su et al. 2021): queries and keys are turned by angles that grow with the position."""
    dropout: float = 0.0
    """Share of the attention weights and of both branches' outputs that is dropped where keys are given."""

    def __post_init__(self) -> None:
        if self.width % (2 * self.heads):
            raise InputError(f"width {self.width} with {self.heads} heads: accepted is a multiple of {2 * self.heads}")

    @property
    def masks(self) -> int:
        """The number of dropout masks, and so of keys, in a pass."""
        return 3 * self.blocks

    @property
    def _norms(self) -> list[tuple[int, ...]]:
        d = self.width
        return [(d, 6 * d), (6 * d,)] if self.modulated else [(d,), (d,), (d,), (d,)]

    @property
    def _products(self) -> list[tuple[int, int]]:
        d = self.width
        return [(d, 3 * d), (d, d), (d, 4 * d), (4 * d, d)]

    @property
    def _last(self) -> list[tuple[int, ...]]:
        d = self.width
        return [(d, 2 * d), (2 * d,)] if self.modulated else [(d,), (d,)]

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        products = [shape for i, o in self._products for shape in ((i, o), (o,))]
        return [*(self._norms + products) * self.blocks, *self._last]

    def init(self, rng: np.random.Generator) -> list[np.ndarray]:
        """Products uniform on +-1/sqrt(inputs), gains 1, biases 0, and all that modulates 0."""

        def norms(shapes: list[tuple[int, ...]]) -> list[np.ndarray]:
            return [np.full(s, 0.0 if self.modulated or i % 2 else 1.0) for i, s in enumerate(shapes)]

        arrays = []
        for _ in range(self.blocks):
            arrays += norms(self._norms)
            arrays += [array for i, o in self._products for array in init_linear(rng, i, o)]
        return arrays + norms(self._last)

    def apply(
        self,
        theta: Float[Tensor, "n params"],
        tokens: Float[Tensor, "n batch T width"],
        *,
        condition: Float[Tensor, "n batch width"] | None = None,
        valid: Bool[Tensor, "n batch T"] | None = None,
        keys: Int[Tensor, "n masks"] | None = None,
    ) -> Float[Tensor, "n batch T width"]:
        """The tokens after all blocks and a last layer norm.

        Nothing attends to tokens that are not `valid`, except each to itself. `keys` decide what is dropped
        (`deep.nn.masks.kept`); None drops nothing.
        """
        return self.forward(unpack(theta, self.shapes), tokens, condition=condition, valid=valid, keys=keys)

    def forward(
        self,
        parameters: Sequence[Tensor],
        x: Tensor,
        *,
        condition: Tensor | None = None,
        valid: Tensor | None = None,
        keys: Tensor | None = None,
    ) -> Tensor:
        """The same on parameters that are unpacked already."""
        signal = None if condition is None else F.silu(condition)
        attended, drop = self._attended(x, valid), Dropout(self.dropout, keys)
        if drop.active and attended is not None:
            attended = _barred(attended, self.heads)
        size = len(self._norms) + 2 * len(self._products)
        for i in range(self.blocks):
            block = parameters[size * i : size * (i + 1)]
            (w_qkv, b_qkv, w_out, b_out, w_up, b_up, w_down, b_down) = block[len(self._norms) :]
            first, second = self._modulations(block[: len(self._norms)], signal)
            y = self._attention(affine(first.normalise(x), w_qkv, b_qkv), attended, drop)
            x = x + first.gate * drop(affine(y, w_out, b_out))
            y = F.gelu(affine(second.normalise(x), w_up, b_up))
            x = x + second.gate * drop(affine(y, w_down, b_down))
        return self._modulations(parameters[-len(self._last) :], signal)[0].normalise(x)

    def _modulations(self, parameters: Sequence[Tensor], signal: Tensor | None) -> "list[_Modulation]":
        """One for each layer norm that these parameters belong to."""
        if not self.modulated:
            pairs = zip(parameters[::2], parameters[1::2], strict=True)
            return [_Modulation(bias[:, None, None], gain[:, None, None] - 1, 1.0) for gain, bias in pairs]
        assert signal is not None, "a modulated transformer needs a condition"
        parts = linear(signal, *parameters).unsqueeze(2).split(self.width, dim=-1)
        return [_Modulation(*parts[i : i + 3]) for i in range(0, len(parts), 3)]

    def _attended(self, x: Tensor, valid: Tensor | None) -> Bool[Tensor, "..."] | None:
        """Which tokens (last axis) each token (the axis before) attends to, broadcast over the heads."""
        place = torch.arange(x.shape[2], device=x.device)
        own = place.unsqueeze(1) == place  # torch.eye and tril of booleans are not among ONNX's usual operators
        seen = place.unsqueeze(1) >= place if self.causal else None
        if valid is None:
            return seen
        others = valid.flatten(0, 1)[:, None, None, :] | own
        return others if seen is None else others & seen

    def _attention(
        self, qkv: Float[Tensor, "n batch T three_width"], attended: Tensor | None, drop: "Dropout"
    ) -> Float[Tensor, "n batch T width"]:
        """softmax(Q K' / sqrt(d / heads)) V for every head, side by side.

        `attended` says which tokens each attends to; where weights are dropped, what is added to their scores.
        """
        n, batch = qkv.shape[:2]
        split = qkv.flatten(0, 1).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        query, key, value = split.unbind(0)
        if self.rotary:
            query, key = turned(query), turned(key)
        if drop.active:
            q, k, v = (x.flatten(0, 1) for x in (query, key, value))
            barred = q.new_zeros(()) if attended is None else attended
            weights = torch.baddbmm(barred, q, k.transpose(1, 2), alpha=1 / sqrt(q.shape[-1])).softmax(-1)
            weights = drop(weights.unflatten(0, (n, batch, -1))).flatten(0, 2)
            mixed = (weights @ v).unflatten(0, (n * batch, -1))
        else:
            mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=attended)
        return mixed.transpose(1, 2).flatten(2).unflatten(0, (n, -1))


def _barred(attended: Bool[Tensor, "... T T"], heads: int) -> Float[Tensor, "... T T"]:
    """0 where a token attends to another, minus infinity elsewhere, for all heads of all rows."""
    scores = torch.zeros(attended.shape, device=attended.device).masked_fill_(~attended, -torch.inf)
    return scores if scores.dim() == 2 else scores.expand(-1, heads, -1, -1).flatten(0, 1)


class _Modulation(NamedTuple):
    """What follows a layer norm of unit scale, and the gate of its branch: g f((1 + s) LN(x) + b)."""

    bias: Tensor
    scale: Tensor
    gate: Tensor | float = 1.0

    def normalise(self, x: Tensor) -> Tensor:
        """(1 + s) LN(x) + b."""
        return torch.addcmul(self.bias, F.layer_norm(x, x.shape[-1:]), 1 + self.scale)


class Dropout:
    """Masks in the order of their use, one key per copy and mask: x -> x 1[u >= p] / (1 - p)."""

    def __init__(self, share: float, keys: Int[Tensor, "n masks"] | None) -> None:
        self.share, self.keys, self.used = share, keys, 0

    @property
    def active(self) -> bool:
        """Whether anything is dropped."""
        return self.keys is not None and self.share > 0

    def __call__(self, x: Float[Tensor, "n ..."]) -> Float[Tensor, "n ..."]:
        """x with the next mask."""
        if self.keys is None or not self.active:
            return x
        mask = kept(self.keys[:, self.used].contiguous(), self.share, *x.shape[1:])
        self.used += 1
        return (x * mask).div_(1 - self.share)


def affine(x: Float[Tensor, "n batch T i"], weight: Tensor, bias: Tensor) -> Float[Tensor, "n batch T o"]:
    return linear(x.flatten(1, 2), weight, bias).unflatten(1, (-1, x.shape[2]))  # the batch may vary in an export


def turned(x: Float[Tensor, "rows heads T d"]) -> Tensor:
    """Pairs (x_i, x_{i + d/2}) turned by t theta_i, theta_i = 10 000^(-2 i / d), at position t."""
    half = x.shape[-1] // 2
    rates = 10_000.0 ** (-torch.arange(half, device=x.device, dtype=x.dtype) / half)
    angles = torch.arange(x.shape[-2], device=x.device, dtype=x.dtype).unsqueeze(-1) * rates
    first, second = x.split(half, dim=-1)
    cos, sin = angles.cos(), angles.sin()
    return torch.cat([first * cos - second * sin, first * sin + second * cos], dim=-1)
