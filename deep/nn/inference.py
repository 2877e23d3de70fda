"""Networks of one replica, without the axis of replicas: the pieces of a `deep.core.method.Inference`.

They are functions of tensors alone, so that torch's tracer and exporters can follow them (`deep.export`).
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from torch import Tensor

from deep.nn.mlp import unpack
from deep.nn.policies import MLPPolicy, SquashedGaussian

Array = Any


class Layers(NamedTuple):
    """A multilayer perceptron's weights and biases, in turn; `activation` follows all but the last pair."""

    tensors: list[Tensor]
    activation: str

    def __call__(self, x: Array) -> Array:
        pairs = list(zip(self.tensors[::2], self.tensors[1::2], strict=True))
        for weight, bias in pairs[:-1]:
            x = ACTIVATIONS[self.activation](x @ weight + bias)
        weight, bias = pairs[-1]
        return x @ weight + bias


ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "relu": lambda x: x.relu(),
    "tanh": lambda x: x.tanh(),
    "mish": lambda x: x * (x.exp() + 1).log().tanh(),
}


def mean_action(policy: MLPPolicy | SquashedGaussian, theta: Tensor) -> Callable[[Array], Array]:
    """tanh m(s) of a policy whose parameters are theta, (params,)."""
    *layers, weight, bias = layer_tensors(theta, policy.shapes)
    # The other outputs of a Gaussian policy are its deviations.
    network = Layers([*layers, weight[:, : policy.action_size], bias[: policy.action_size]], policy.network.activation)
    return lambda x: network(x).tanh()


def layer_tensors(theta: Tensor, shapes: list[tuple[int, ...]]) -> list[Tensor]:
    """One copy's parameters, unpacked, in memory of their own."""
    return [tensor.squeeze(0).cpu().clone() for tensor in unpack(theta.detach().unsqueeze(0), shapes)]
