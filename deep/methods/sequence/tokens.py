"""The network of the decision transformers: what a step's tokens are made of, in which units, and what is read off
them."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F

from deep.core.problem import Problem
from deep.nn.mlp import init_linear, unpack
from deep.nn.transformer import Dropout, Transformer, affine

LOG_STD_RANGE = (-5.0, 2.0)
"""The logarithm of the policy's standard deviation lies between these."""
Order = Literal["action_from_state", "action_from_return"]


class Steps(NamedTuple):
    """What a decision transformer reads of T steps, in the network's units."""

    observations: Float[Tensor, "n batch T obs"]
    actions: Float[Tensor, "n batch T act"]
    return_to_go: Float[Tensor, "n batch T"]
    cost_to_go: Float[Tensor, "n batch T"]
    time: Int[Tensor, "n batch T"]
    valid: Bool[Tensor, "n batch T"]


class Heads(NamedTuple):
    """What the network says of each step."""

    mean: Float[Tensor, "n batch T act"]
    log_std: Float[Tensor, "n batch T act"]
    cost_logit: Float[Tensor, "n batch T"]
    """The logit of "this step costs something", from the action's token."""


@dataclass(frozen=True)
class DecisionTransformer:
    """Four tokens a step; the action's distribution is read off the token before the action's.

    action_from_state:  (return to go, cost to go, state, action), CDT;
    action_from_return: (state, cost to go, return to go, action), B2R.

    Every token is a linear map of its input, plus an embedding of the step's time where the trunk has no rotary
    encoding, and a layer norm.
    """

    observation_size: int
    action_size: int
    trunk: Transformer
    length: int
    """The longest episode: how many times have an embedding."""
    order: Order = "action_from_state"

    @property
    def masks(self) -> int:
        """The number of dropout masks, and so of keys, in a pass."""
        return 1 + self.trunk.masks

    @property
    def _inputs(self) -> list[int]:
        first = [1, 1, self.observation_size] if self.order == "action_from_state" else [self.observation_size, 1, 1]
        return [*first, self.action_size]

    @property
    def _own(self) -> list[tuple[int, ...]]:
        d = self.trunk.width
        embeddings = [shape for inputs in self._inputs for shape in ((inputs, d), (d,))]
        table = [] if self.trunk.rotary else [(self.length, d)]
        heads = [(d, 2 * self.action_size), (2 * self.action_size,), (d, 1), (1,)]
        return [*embeddings, *table, (d,), (d,), *heads]

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        return [*self._own, *self.trunk.shapes]

    def init(self, rng: np.random.Generator) -> list[np.ndarray]:
        """The embeddings of time are 0 at the start: a network that saw few times then treats all alike."""
        d = self.trunk.width
        arrays = [array for inputs in self._inputs for array in init_linear(rng, inputs, d)]
        arrays += [] if self.trunk.rotary else [np.zeros((self.length, d))]
        arrays += [np.ones(d), np.zeros(d), *init_linear(rng, d, 2 * self.action_size), *init_linear(rng, d, 1)]
        return arrays + self.trunk.init(rng)

    def apply(
        self, theta: Float[Tensor, "n params"], steps: Steps, keys: Int[Tensor, "n masks"] | None = None
    ) -> Heads:
        """The heads at every step. `keys` decide what is dropped; None drops nothing."""
        parameters = unpack(theta, self.shapes)
        own, trunk = parameters[: len(self._own)], parameters[len(self._own) :]
        drop = Dropout(self.trunk.dropout, None if keys is None else keys[:, :1])
        tokens = drop(self._tokens(own, steps))
        valid = steps.valid.repeat_interleave(4, dim=2)
        output = self.trunk.forward(trunk, tokens, valid=valid, keys=None if keys is None else keys[:, 1:])
        before, action = output[:, :, 2::4], output[:, :, 3::4]
        w_action, b_action, w_cost, b_cost = own[-4:]
        mean, raw = affine(before, w_action, b_action).chunk(2, dim=-1)
        low, high = LOG_STD_RANGE  # actions of the data that lie on their bounds would drive it to minus infinity
        log_std = low + (high - low) * torch.sigmoid(raw)
        return Heads(mean, log_std, affine(action, w_cost, b_cost).squeeze(-1))

    def _tokens(self, own: list[Tensor], steps: Steps) -> Float[Tensor, "n batch four_T width"]:
        to_go = [steps.return_to_go.unsqueeze(-1), steps.cost_to_go.unsqueeze(-1)]
        given = (
            [*to_go, steps.observations] if self.order == "action_from_state" else [steps.observations, *to_go[::-1]]
        )
        given.append(steps.actions)
        embedded = [affine(x, w, b) for x, w, b in zip(given, own[:8:2], own[1:8:2], strict=True)]
        tokens = torch.stack(embedded, dim=3)
        if not self.trunk.rotary:
            copies = torch.arange(len(tokens), device=tokens.device)[:, None, None]
            tokens = tokens + own[8][copies, steps.time].unsqueeze(3)
        gain, bias = own[-6], own[-5]
        tokens = F.layer_norm(tokens, tokens.shape[-1:]) * gain[:, None, None, None] + bias[:, None, None, None]
        return tokens.flatten(2, 3)


class Units(NamedTuple):
    """The network's inputs as affine functions of the return and the cost to go."""

    return_scale: float
    cost_scale: float
    cost_offset: float

    @classmethod
    def of(cls, variant: str, problem: Problem) -> "Units":
        """corrected: shares of the task's range of returns and of its largest limit; public: .1 R, 50 - C."""
        if variant == "public":
            return cls(0.1, -1.0, 50.0)
        return cls(problem.reward_scale / problem.task.expected_length, 1 / (max(problem.task.cost_limits) or 1.0), 0.0)

    def returns(self, to_go: Tensor) -> Tensor:
        """The network's input for these returns to go."""
        return to_go * self.return_scale

    def costs(self, to_go: Tensor) -> Tensor:
        """The network's input for these costs to go."""
        return self.cost_offset + to_go * self.cost_scale


def gaussian_log_density(
    actions: Float[Tensor, "n batch T act"],
    mean: Float[Tensor, "n batch T act"],
    log_std: Float[Tensor, "n batch T act"],
) -> Float[Tensor, "n batch T"]:
    """log N(a; mean, diag(sigma^2))."""
    scaled = (actions - mean) * torch.exp(-log_std)
    return -(0.5 * scaled.square() + log_std + 0.5 * np.log(2 * np.pi)).sum(-1)


def gaussian_entropy(log_std: Float[Tensor, "n batch T act"]) -> Float[Tensor, "n batch T"]:
    """The entropy of N(., diag(sigma^2)), in nats."""
    return (log_std + 0.5 * np.log(2 * np.pi * np.e)).sum(-1)
