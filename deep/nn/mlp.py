"""Networks without state: a network is a description, its parameters are one flat vector per copy.

The parameters of N copies (replicas, or replicas x ensemble members) are one tensor (N, P); `apply` runs all copies at
once by batched matrix products. With everything flat, Adam, target averaging, inner products of gradients and
checkpoints are operations on one tensor.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod, sqrt
from typing import Any, Protocol, cast, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from deep.core.randomness import generator


class _Mish(torch.autograd.Function):
    """Mish and its slope in one go, while what both need is in the cache."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        slope = torch.empty_like(x)
        ctx.save_for_backward(slope)
        return _mish(x, slope)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Any) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        (slope,) = ctx.saved_tensors
        return slope * grads[0]


def _mish(x: Tensor, slope: Tensor | None = None) -> Tensor:
    """With e = exp(x), k = e + e^2 / 2:  x w, w = k / (1 + k), and into `slope`  w + x (e + e^2) / (1 + k)^2.

    Nothing cancels but at the slope's zero, so that the tiny values of large negative x are right in relative terms,
    too: Adam divides gradients by their size.
    """
    result = torch.empty_like(x)
    piece = 65_536 * torch.get_num_threads()  # what a core's cache holds a few times
    scratch = x.new_empty(min(piece, x.numel()))
    flat = [tensor.view(-1) for tensor in (x, result, slope) if tensor is not None]
    for start in range(0, x.numel(), piece):
        x_, w, *d = (tensor[start : start + piece] for tensor in flat)
        t = scratch[: len(x_)]
        e = torch.clamp(x_, max=20, out=d[0] if d else t).exp_()  # from 20 on w is 1, and e^4 still is a float32
        torch.addcmul(e, e, e, value=0.5, out=w)
        if d:
            w.mul_(torch.add(w, 1, out=t).reciprocal_())
            e.addcmul_(e, e).mul_(t).mul_(t).mul_(x_).add_(w)
        else:
            w.div_(torch.add(w, 1, out=t))
        w.mul_(x_)
    return result


def mish(x: Tensor) -> Tensor:
    """x tanh(softplus(x)). On a CPU torch's own kernel takes longer than a layer's product; this one half of that."""
    if x.device.type != "cpu":
        return F.mish(x)
    x = x.contiguous()
    return cast(Tensor, _Mish.apply(x)) if torch.is_grad_enabled() and x.requires_grad else _mish(x)


ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {"relu": F.relu, "silu": F.silu, "mish": mish, "tanh": torch.tanh}


@runtime_checkable
class Network(Protocol):
    """What every network description offers; `Parameters` holds the numbers."""

    @property
    def shapes(self) -> list[tuple[int, ...]]: ...

    def init(self, rng: np.random.Generator) -> list[np.ndarray]: ...


def unpack(theta: Float[Tensor, "n params"], shapes: Sequence[tuple[int, ...]]) -> list[Tensor]:
    """The flat parameters as tensors (N, *shape), as views; one split, so that backward is one concatenation."""
    pieces = theta.split([prod(shape) for shape in shapes], dim=1)
    return [piece.unflatten(1, shape) for piece, shape in zip(pieces, shapes, strict=True)]


def linear(x: Float[Tensor, "n batch i"], weight: Float[Tensor, "n i o"], bias: Float[Tensor, "n o"]) -> Tensor:
    """N affine maps at once: x W + b."""
    return torch.baddbmm(bias.unsqueeze(1), x, weight)


def init_linear(rng: np.random.Generator, inputs: int, outputs: int) -> list[np.ndarray]:
    """Weight and bias uniform on +-1/sqrt(inputs), torch's own default for a linear layer."""
    bound = 1 / sqrt(inputs)
    return [rng.uniform(-bound, bound, (inputs, outputs)), rng.uniform(-bound, bound, (outputs,))]


@dataclass(frozen=True)
class MLP:
    """A multilayer perceptron; `hidden` lists the widths of its hidden layers.

    With `layer_norm` every hidden layer's inputs to the activation are shifted and scaled to mean 0 and variance 1 over
    the layer (Ba et al., 2016), without parameters of its own.
    """

    inputs: int
    outputs: int
    hidden: tuple[int, ...] = (256, 256)
    activation: str = "relu"
    layer_norm: bool = False

    @property
    def widths(self) -> tuple[int, ...]:
        return (self.inputs, *self.hidden, self.outputs)

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        pairs = zip(self.widths[:-1], self.widths[1:], strict=True)
        return [shape for i, o in pairs for shape in ((i, o), (o,))]

    def init(self, rng: np.random.Generator) -> list[np.ndarray]:
        pairs = zip(self.widths[:-1], self.widths[1:], strict=True)
        return [array for i, o in pairs for array in init_linear(rng, i, o)]

    def apply(self, theta: Float[Tensor, "n params"], x: Float[Tensor, "n batch i"]) -> Float[Tensor, "n batch o"]:
        """The outputs of copy n on its own batch."""
        return self.forward(unpack(theta, self.shapes), x)

    def forward(self, layers: Sequence[Tensor], x: Float[Tensor, "n batch i"]) -> Float[Tensor, "n batch o"]:
        """The same on parameters that are unpacked already."""
        for weight, bias in zip(layers[:-2:2], layers[1:-2:2], strict=True):
            x = linear(x, weight, bias)
            if self.layer_norm:
                x = F.layer_norm(x, x.shape[-1:])
            x = ACTIVATIONS[self.activation](x)
        return linear(x, layers[-2], layers[-1])


@dataclass(frozen=True)
class Ensemble:
    """E members of one network per replica, with parameters (R, E P) so that a replica stays one row."""

    member: MLP
    size: int

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        return [(sum(prod(shape) for shape in self.member.shapes),)] * self.size

    def init(self, rng: np.random.Generator) -> list[np.ndarray]:
        return [np.concatenate([array.ravel() for array in self.member.init(rng)]) for _ in range(self.size)]

    def apply(self, theta: Float[Tensor, "r params"], x: Float[Tensor, "r batch i"]) -> Float[Tensor, "r e batch o"]:
        """Every member's output on the replica's batch."""
        replicas = len(theta)
        members = theta.reshape(replicas * self.size, -1)
        inputs = x.unsqueeze(1).expand(-1, self.size, -1, -1).flatten(0, 1)
        return self.member.apply(members, inputs).unflatten(0, (replicas, self.size))


def initial_parameters(network: Network, seeds: Sequence[int], name: str) -> Float[Tensor, "n params"]:
    """Initial parameters in torch's default dtype, row n following from (seeds[n], name) alone."""
    rows = [np.concatenate([a.ravel() for a in network.init(generator(seed, "init", name))]) for seed in seeds]
    return torch.from_numpy(np.stack(rows)).to(torch.get_default_dtype())
