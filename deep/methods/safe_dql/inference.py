"""Safe-DQL's configured policy for one replica, in operations that file formats have (`deep.nn.inference`)."""

from collections.abc import Callable
from math import sqrt

from torch import Tensor

from deep.core.method import Inference
from deep.methods.parts.diffusion_policy import DiffusionPolicy
from deep.methods.parts.inference import best_candidate, twin_values
from deep.methods.parts.twin_critics import TwinCritics
from deep.nn.inference import ACTIVATIONS, Array, Layers, layer_tensors


def one_sample(policy: DiffusionPolicy, theta: Tensor) -> Inference:
    """An action is one sample of the policy with the parameters theta, (params,); the noise has the shape (1, T, a)."""
    sample, shape = diffusion(policy, theta), (1, policy.chain.steps, policy.action_size)
    return Inference(lambda x, z: sample(x, z).select(1, 0), shape, "one sample of the diffusion policy")


def best_of(
    count: int, policy: DiffusionPolicy, theta: Tensor, critics: TwinCritics, q: Tensor, kappa: float
) -> Inference:
    """An action is the best of `count` samples by critics with the parameters q, (params,), as `best_of_n` has it.

    The noise has the shape (count, T, a).
    """
    sample, shape = diffusion(policy, theta), (count, policy.chain.steps, policy.action_size)
    values = twin_values(critics, q, policy.observation_size)

    def best(x: Array, z: Array) -> Array:
        candidates = sample(x, z)
        return best_candidate(candidates, *values(x, candidates), kappa)

    return Inference(best, shape, f"best of {count} samples of the diffusion policy")


def diffusion(policy: DiffusionPolicy, theta: Tensor) -> Callable[[Array, Array], Array]:
    """The denoising chain: states (batch, o) and normals (batch, n, T, a) to actions (batch, n, a)."""
    chain = policy.chain
    first, bias, *rest = layer_tensors(theta, policy.shapes)
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
