"""Safe-DQL's configured policy for one replica, in operations that file formats have (`deep.nn.inference`)."""

from collections.abc import Callable
from math import sqrt
from typing import TYPE_CHECKING

from torch import Tensor

from deep.core.method import Inference
from deep.nn.inference import ACTIVATIONS, Array, Layers, layer_tensors

if TYPE_CHECKING:
    from deep.methods.safe_dql.safe_dql import SafeDQL


def inference(method: "SafeDQL", replica: int) -> Inference:
    """The configured way to choose an action; the noise has the shape (candidates, T, a)."""
    choice = method.config.action_selection
    count = method.config.candidates if choice == "best-of-n" else 1
    sample, shape = diffusion(method, replica), (count, method.chain.steps, method.policy.action_size)
    if choice == "sample":
        return Inference(lambda x, z: sample(x, z).select(1, 0), shape, "one sample of the diffusion policy")
    values, kappa = critics(method, replica), float(method.kappa[replica])

    def best(x: Array, z: Array) -> Array:
        candidates = sample(x, z)
        reward, cost = values(x, candidates)
        beyond = cost - kappa
        selection_score = reward.where(beyond <= 0, reward.amin(1, keepdim=True) - 1 - beyond)
        return candidates.take_along_dim(selection_score.argmax(1, keepdim=True), 1).select(1, 0)

    return Inference(best, shape, f"best of {count} samples of the diffusion policy")


def diffusion(method: "SafeDQL", replica: int) -> Callable[[Array, Array], Array]:
    """The denoising chain: states (batch, o) and normals (batch, n, T, a) to actions (batch, n, a)."""
    policy, chain = method.policy, method.chain
    first, bias, *rest = layer_tensors(method.actor.ema[replica], policy.shapes)
    by_action, by_time, by_state = first.split([policy.action_size, policy.times.shape[1], policy.observation_size])
    in_time = (policy.times @ by_time).cpu()
    by_action, by_state, bias = by_action.cpu(), by_state.cpu(), bias.cpu()
    activation, tail = ACTIVATIONS[policy.network.activation], Layers(rest, policy.network.activation)

    def sample(x: Array, z: Array) -> Array:
        context, noisy = (x @ by_state + bias).unsqueeze(1), z.select(2, 0)
        for t in range(chain.steps, 0, -1):
            noise = tail(activation(noisy @ by_action + context + in_time[t - 1]))
            noisy = chain.posterior_mean(chain.clean(noisy, noise, t), noisy, t)
            if t > 1:
                noisy = noisy + z.select(2, chain.steps - t + 1) * sqrt(chain.posterior_variances[t - 1])
        return noisy.clamp(-1, 1)

    return sample


def critics(method: "SafeDQL", replica: int) -> Callable[[Array, Array], tuple[Array, Array]]:
    """min_i Q_i^r and max_i Q_i^c of states (batch, o) and actions (batch, n, a), each (batch, n, 1)."""
    twins, size = method.critics, method.policy.observation_size
    network = twins.network.member
    members = [layer_tensors(theta, network.shapes) for theta in twins.q.ema[replica].reshape(twins.network.size, -1)]
    activation = ACTIVATIONS[network.activation]

    def value(member: list[Tensor], x: Array, actions: Array) -> Array:
        first, bias, *rest = member
        hidden = actions @ first[size:] + (x @ first[:size] + bias).unsqueeze(1)
        return Layers(rest, network.activation)(activation(hidden)) * twins.unit

    def values(x: Array, actions: Array) -> tuple[Array, Array]:
        one, two, three, four = (value(member, x, actions) for member in members)
        return one.minimum(two), three.maximum(four)

    return values
