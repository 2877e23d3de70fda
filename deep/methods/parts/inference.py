"""Networks over a state and candidate actions in operations that file formats have (`deep.nn.inference`), for one
replica."""

from collections.abc import Callable

from torch import Tensor

from deep.methods.parts.twin_critics import TwinCritics
from deep.nn.inference import ACTIVATIONS, Array, Layers, layer_tensors
from deep.nn.mlp import MLP


def over_candidates(network: MLP, theta: Tensor, size: int) -> Callable[[Array, Array], Array]:
    """A network whose inputs are `size` entries of a state, then those of a candidate; its parameters are (params,).

    States (batch, size) and candidates (batch, n, entries) to outputs (batch, n, outputs).
    """
    first, bias, *rest = layer_tensors(theta, network.shapes)
    by_state, by_candidate = first[:size].clone(), first[size:].clone()
    activation, tail = ACTIVATIONS[network.activation], Layers(rest, network.activation)
    return lambda x, y: tail(activation(y @ by_candidate + (x @ by_state + bias).unsqueeze(1)))


def twin_values(critics: TwinCritics, q: Tensor, size: int) -> Callable[[Array, Array], tuple[Array, Array]]:
    """min_i Q_i^r and max_i Q_i^c of states (batch, o) and actions (batch, n, a), each (batch, n, 1)."""
    members = [over_candidates(critics.network.member, theta, size) for theta in q.reshape(critics.network.size, -1)]

    def values(x: Array, actions: Array) -> tuple[Array, Array]:
        one, two, three, four = (member(x, actions) * critics.unit for member in members)
        return one.minimum(two), three.maximum(four)

    return values


def best_candidate(candidates: Array, reward: Array, cost: Array, kappa: float) -> Array:
    """What `best_of_n` chooses by `selection_score`: of candidates (batch, n, a) the actions (batch, a)."""
    beyond = cost - kappa
    selection_score = reward.where(beyond <= 0, reward.amin(1, keepdim=True) - 1 - beyond)
    return candidates.take_along_dim(selection_score.argmax(1, keepdim=True), 1).select(1, 0)
