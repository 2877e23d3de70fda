"""Safe-DQL's configured policy for one replica, in operations that file formats have (`deep.nn.inference`)."""

from torch import Tensor

from deep.core.method import Inference
from deep.methods.parts.diffusion_policy import DiffusionPolicy
from deep.methods.parts.inference import best_candidate, diffusion, twin_values
from deep.methods.parts.twin_critics import TwinCritics
from deep.nn.inference import Array


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
