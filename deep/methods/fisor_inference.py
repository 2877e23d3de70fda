"""FISOR's diffusion policy for one replica, in operations that file formats have (`deep.nn.inference`): its published
noise predictor and its published chain."""

from math import sqrt

import torch
from torch import Tensor
from torch.nn import functional as F

from deep.methods.drcorl.score import ScoreNetwork
from deep.methods.parts.diffusion_policy import Chain
from deep.methods.parts.inference import Predictor, PredictorAt
from deep.nn.inference import ACTIVATIONS, Array, layer_tensors
from deep.nn.mlp import mish


def residual_predictor(network: ScoreNetwork, theta: Tensor, steps: int) -> PredictorAt:
    """The noise that `ScoreNetwork` predicts in actions (batch, n, a) at states (batch, o) and t of `steps` levels; its
    parameters are (params,)."""
    count, activation = len(network._time_embedding.shapes), ACTIVATIONS["mish"]
    tensors = layer_tensors(theta, network.shapes)
    head, (entry, bias, *blocks), (out, last) = tensors[:count], tensors[count:-2], tensors[-2:]
    times = torch.arange(1, steps + 1).to(entry)[None] / steps
    embedded = network._time_embedding.forward([x.unsqueeze(0) for x in head], network._fourier_features(times))
    sizes = [network.action_size, network.observation_size, network.time_width]
    by_action, by_state, by_time = (part.clone() for part in entry.split(sizes))
    in_time = (mish(embedded) @ by_time)[0].detach()

    def at(x: Array) -> Predictor:
        context = (x @ by_state + bias).unsqueeze(1)

        def predict(noisy: Array, t: int) -> Array:
            y = noisy @ by_action + context + in_time[t - 1]
            for i in range(0, len(blocks), 6):
                scale, shift, w_up, b_up, w_down, b_down = blocks[i : i + 6]
                inner = F.layer_norm(y, (network.width,)) * scale + shift
                y = y + activation(inner @ w_up + b_up) @ w_down + b_down
            return activation(y) @ out + last

        return predict

    return at


def published_samples(chain: Chain, predict: Predictor, z: Array) -> Array:
    """`deep.methods.fisor.published_chain` for normals (batch, n, T, a): actions (batch, n, a)."""
    noisy = z.select(2, 0)
    for t in range(chain.steps, 0, -1):
        mean = chain.posterior_mean(chain.clean(noisy, predict(noisy, t), t), noisy, t)
        noisy = mean if t == 1 else mean + z.select(2, chain.steps - t + 1) * sqrt(chain.betas[t - 1])
        noisy = noisy.clamp(-1, 1)
    return noisy
