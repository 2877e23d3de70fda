"""One replica's policy as a function from an observation to an action, in operations that file formats have.

The functions here are written with the operators and methods of tensors alone. They run on tensors, and on the values
of a graph that has the same methods (`deep.export.onnx_graph`), so that every format is written from the same lines;
there is no axis of replicas. `Array` stands for either kind of value.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt
from typing import Any, NamedTuple

import torch
from torch import Tensor

from deep.methods.bc import BC
from deep.methods.drcorl.drcorl import DRCORL
from deep.methods.safe_dql.safe_dql import Choice, SafeDQL
from deep.nn.mlp import unpack
from deep.nn.policies import Policy
from deep.runs.experiment import Experiment

Array = Any


@dataclass(frozen=True)
class Portable:
    """A policy: raw observations (batch, o) and noise (batch, *noise), if any, to actions (batch, a) in raw units.

    Attributes:
        act: the policy for normalised observations, with actions in [-1, 1].
        noise: the shape of the standard normals that it needs for each observation; empty for a deterministic policy.
        how: what its actions are, in a few words.
        mean: what is subtracted from an observation, (o,).
        std: what the difference is divided by, (o,).
        centre: the action 0 in the units of the data's file and of the simulator, (a,).
        half: half the distance between the bounds there, (a,).
    """

    act: Callable[..., Array]
    noise: tuple[int, ...]
    how: str
    mean: Tensor
    std: Tensor
    centre: Tensor
    half: Tensor

    def __call__(self, observation: Array, *noise: Array) -> Array:
        return self.act((observation - self.mean) / self.std, *noise) * self.half + self.centre


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


def portable(experiment: Experiment, replica: int) -> Portable:
    """The policy of this replica of a trained experiment, with the normalisation of observations and actions."""
    method, replay, task = experiment.method, experiment.replay, experiment.task
    if isinstance(method, BC):
        act, noise, how = mean_action(method.policy, method.actor.ema[replica]), (), "mean action"
    elif isinstance(method, DRCORL):
        act, noise, how = mean_action(method.policy, method.selection.kept[replica]), (), "mean action"
    elif isinstance(method, SafeDQL):
        act, noise, how = chosen_action(method, replica)
    else:
        raise TypeError(f"there is no portable form of {type(method).__name__}")
    low, high = (
        torch.tensor(bound or (default,) * task.action_size, dtype=torch.get_default_dtype())
        for bound, default in ((task.action_low, -1.0), (task.action_high, 1.0))
    )
    return Portable(act, noise, how, replay.mean.cpu(), replay.std.cpu(), (low + high) / 2, (high - low) / 2)


def mean_action(policy: Policy, theta: Tensor) -> Callable[[Array], Array]:
    """tanh m(s) of a policy of `deep.nn.policies`, whose parameters are theta, (params,)."""
    *layers, weight, bias = _tensors(theta, policy.shapes)
    # A Gaussian policy's further outputs are its deviations.
    network = Layers([*layers, weight[:, : policy.action_size], bias[: policy.action_size]], policy.network.activation)
    return lambda x: network(x).tanh()


def chosen_action(method: SafeDQL, replica: int) -> tuple[Callable[[Array, Array], Array], tuple[int, ...], str]:
    """Safe-DQL's configured choice, the shape of the noise (candidates, T, a) that it needs, and its name."""
    choice: Choice = method.config.action_selection
    count = method.config.candidates if choice == "best-of-n" else 1
    sample, shape = diffusion(method, replica), (count, method.chain.steps, method.policy.action_size)
    if choice == "sample":
        return lambda x, z: sample(x, z).select(1, 0), shape, "one sample of the diffusion policy"
    values, kappa = critics(method, replica), float(method.kappa[replica])

    def best(x: Array, z: Array) -> Array:
        candidates = sample(x, z)
        reward, cost = values(x, candidates)
        beyond = cost - kappa
        selection_score = reward.where(beyond <= 0, reward.amin(1, keepdim=True) - 1 - beyond)
        return candidates.take_along_dim(selection_score.argmax(1, keepdim=True), 1).select(1, 0)

    return best, shape, f"best of {count} samples of the diffusion policy"


def diffusion(method: SafeDQL, replica: int) -> Callable[[Array, Array], Array]:
    """The denoising chain: states (batch, o) and normals (batch, n, T, a) to actions (batch, n, a)."""
    policy, chain = method.policy, method.chain
    first, bias, *rest = _tensors(method.actor.ema[replica], policy.shapes)
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


def critics(method: SafeDQL, replica: int) -> Callable[[Array, Array], tuple[Array, Array]]:
    """min_i Q_i^r and max_i Q_i^c of states (batch, o) and actions (batch, n, a), each (batch, n, 1)."""
    twins, size = method.critics, method.policy.observation_size
    network = twins.network.member
    members = [_tensors(theta, network.shapes) for theta in twins.q.ema[replica].reshape(twins.network.size, -1)]
    activation = ACTIVATIONS[network.activation]

    def value(member: list[Tensor], x: Array, actions: Array) -> Array:
        first, bias, *rest = member
        hidden = actions @ first[size:] + (x @ first[:size] + bias).unsqueeze(1)
        return Layers(rest, network.activation)(activation(hidden)) * twins.unit

    def values(x: Array, actions: Array) -> tuple[Array, Array]:
        one, two, three, four = (value(member, x, actions) for member in members)
        return one.minimum(two), three.maximum(four)

    return values


def _tensors(theta: Tensor, shapes: list[tuple[int, ...]]) -> list[Tensor]:
    """One copy's parameters, unpacked, in memory of their own."""
    return [tensor.squeeze(0).cpu().clone() for tensor in unpack(theta.detach().unsqueeze(0), shapes)]
