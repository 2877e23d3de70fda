"""Networks over a state and candidate actions in operations that file formats have (`deep.nn.inference`), for one
replica."""

from collections.abc import Callable
from math import sqrt

from torch import Tensor

from deep.methods.parts.diffusion_policy import Chain, DiffusionPolicy
from deep.methods.parts.twin_critics import TwinCritics
from deep.nn.inference import ACTIVATIONS, Array, Layers, layer_tensors
from deep.nn.mlp import MLP

Predictor = Callable[[Array, int], Array]
"""(actions (batch, n, a) at noise level t, t) -> the noise in them, (batch, n, a)."""
PredictorAt = Callable[[Array], Predictor]
"""States (batch, o) -> the predictor at these."""


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
    best = selection_score.argmax(1, keepdim=True).expand(-1, 1, candidates.shape[2])
    return candidates.gather(1, best).squeeze(1)


def diffusion(policy: DiffusionPolicy, theta: Tensor) -> Callable[[Array, Array], Array]:
    """The denoising chain: states (batch, o) and normals (batch, n, T, a) to actions (batch, n, a)."""
    at = predictor(policy, theta)
    return lambda x, z: samples(policy.chain, at(x), z)


def predictor(policy: DiffusionPolicy, theta: Tensor) -> PredictorAt:
    """The policy's noise predictor; its parameters are (params,)."""
    first, bias, *rest = layer_tensors(theta, policy.shapes)
    by_action, by_time, by_state = first.split([policy.action_size, policy.times.shape[1], policy.observation_size])
    in_time = (policy.times @ by_time).cpu()
    by_action, by_state, bias = by_action.cpu(), by_state.cpu(), bias.cpu()
    activation, tail = ACTIVATIONS[policy.network.activation], Layers(rest, policy.network.activation)

    def at(x: Array) -> Predictor:
        context = (x @ by_state + bias).unsqueeze(1)
        return lambda noisy, t: tail(activation(noisy @ by_action + context + in_time[t - 1]))

    return at


def samples(chain: Chain, predict: Predictor, z: Array) -> Array:
    """The denoising chain for normals (batch, n, T, a): actions (batch, n, a)."""
    noisy = z.select(2, 0)
    for t in range(chain.steps, 0, -1):
        noisy = chain.posterior_mean(chain.clean(noisy, predict(noisy, t), t), noisy, t)
        if t > 1:
            noisy = noisy + z.select(2, chain.steps - t + 1) * sqrt(chain.posterior_variances[t - 1])
    return noisy.clamp(-1, 1)
