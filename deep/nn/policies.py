"""Policies by multilayer perceptrons: the classes of the DRCORL preprint, appendix D.1, and the squashed Gaussian."""

from dataclasses import dataclass
from math import log
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from deep.core.method import Act as Act
from deep.nn.mlp import MLP

PolicyClass = Literal["dirac", "gaussian", "constant"]


@dataclass(frozen=True)
class MLPPolicy:
    """A deterministic (Dirac) policy, or a Gaussian with diagonal covariance: of the state, or constant.

    dirac: a = m(s);  gaussian: N(m(s), diag(sigma(s)^2));  constant: N(m(s), sigma^2 I) with sigma = `constant_std`.
    The mean is bounded by tanh. A Gaussian sample is *not* squashed: the environment clips it, so that the entropy in
    closed form (Eq. 6) is that of the distribution whose actions are used.
    """

    observation_size: int
    action_size: int
    kind: PolicyClass = "dirac"
    hidden: tuple[int, ...] = (256, 256)
    log_std_range: tuple[float, float] = (-5.0, 0.0)
    constant_std: float = 0.1

    @property
    def network(self) -> MLP:
        return MLP(self.observation_size, self.action_size * (2 if self.kind == "gaussian" else 1), self.hidden)

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        return self.network.shapes

    def init(self, rng: np.random.Generator) -> list[np.ndarray]:
        return self.network.init(rng)

    def distribution(
        self, theta: Float[Tensor, "n params"], observations: Float[Tensor, "n batch obs"]
    ) -> tuple[Float[Tensor, "n batch act"], Float[Tensor, "n batch act"] | None]:
        """Mean in [-1, 1] and the logarithm of the standard deviation (None for the Dirac policy)."""
        output = self.network.apply(theta, observations)
        if self.kind == "dirac":
            return torch.tanh(output), None
        if self.kind == "constant":
            return torch.tanh(output), torch.full_like(output, log(self.constant_std))
        mean, raw = output.chunk(2, dim=-1)
        low, high = self.log_std_range
        return torch.tanh(mean), low + (high - low) * torch.sigmoid(raw)

    def sample(
        self,
        theta: Float[Tensor, "n params"],
        observations: Float[Tensor, "n batch obs"],
        z: Float[Tensor, "n batch act"],
    ) -> tuple[Float[Tensor, "n batch act"], Float[Tensor, "n batch act"] | None]:
        """Reparameterised actions m + Sigma^{1/2} z, and log Sigma_ii^{1/2} (None for the Dirac policy)."""
        mean, log_std = self.distribution(theta, observations)
        return (mean, None) if log_std is None else (mean + log_std.exp() * z, log_std)


@dataclass(frozen=True)
class SquashedGaussian:
    """a = tanh(m(s) + sigma(s) z), z ~ N(0, I): every sample lies in (-1, 1) (Haarnoja et al. 2018, appendix C)."""

    observation_size: int
    action_size: int
    hidden: tuple[int, ...] = (256, 256)
    log_std_range: tuple[float, float] = (-20.0, 2.0)

    @property
    def network(self) -> MLP:
        return MLP(self.observation_size, 2 * self.action_size, self.hidden)

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        return self.network.shapes

    def init(self, rng: np.random.Generator) -> list[np.ndarray]:
        return self.network.init(rng)

    def distribution(
        self, theta: Float[Tensor, "n params"], observations: Float[Tensor, "n batch obs"]
    ) -> tuple[Float[Tensor, "n batch act"], Float[Tensor, "n batch act"]]:
        """m and log sigma of the Gaussian, before tanh."""
        mean, log_std = self.network.apply(theta, observations).chunk(2, dim=-1)
        return mean, log_std.clamp(*self.log_std_range)

    def mean_action(
        self, theta: Float[Tensor, "n params"], observations: Float[Tensor, "n batch obs"]
    ) -> Float[Tensor, "n batch act"]:
        """tanh m(s)."""
        return self.distribution(theta, observations)[0].tanh()

    def sample(
        self,
        theta: Float[Tensor, "n params"],
        observations: Float[Tensor, "n batch obs"],
        z: Float[Tensor, "n many act"],
    ) -> Float[Tensor, "n many act"]:
        """Reparameterised actions, one or several for each observation, side by side."""
        return self.gaussian(theta, observations, z).tanh()

    def gaussian(
        self,
        theta: Float[Tensor, "n params"],
        observations: Float[Tensor, "n batch obs"],
        z: Float[Tensor, "n many act"],
    ) -> Float[Tensor, "n many act"]:
        """What `sample` squashes: m(s) + sigma(s) z. The network runs once per observation."""
        mean, log_std = (x.unsqueeze(2) for x in self.distribution(theta, observations))
        return (mean + log_std.exp() * z.unflatten(1, (mean.shape[1], -1))).flatten(1, 2)
