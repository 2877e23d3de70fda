r"""A conditional variational autoencoder: a behaviour model that gives actions to choose from.

    encoder  q(z | y, x) = N(m, diag(s^2)),   decoder  x = D(y, z),   prior  z ~ N(0, I)

for a sample x (an action) given a condition y (a state). The loss is

    L = mean_dims (D(y, m + s eps) - x)^2 + beta mean_latent KL_k,   KL_k = (m_k^2 + s_k^2 - 1 - log s_k^2) / 2 >= 0.

The squared error is that of a Gaussian decoder of the variance beta x_size / (2 z_size): 1/8 for beta = .5 and z twice
as long as x. Directions of x whose variance given y is smaller are not encoded, as in probabilistic PCA: there D gives
their mean for every z, and KL is 0.

Sources: Kingma and Welling 2014, Eq. (10); Fujimoto et al. 2019 (BCQ), which prints beta = .5 and |z| <= .5.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from deep.core.phase import Phase
from deep.core.problem import Problem
from deep.core.randomness import RandomInput
from deep.core.validation import ABOVE_0, AT_LEAST_0, AT_LEAST_1, check_ranges
from deep.methods.parts.inference import over_candidates
from deep.nn.inference import Array
from deep.nn.mlp import MLP, initial_parameters
from deep.nn.parameters import Adam, Parameters, gradient, linear_decay


@dataclass(frozen=True)
class ConditionalVAE:
    """Encoder and decoder as one network description; the decoder ends with tanh where `squash`."""

    condition_size: int
    sample_size: int
    latent_size: int
    hidden: tuple[int, ...] = (400, 400)
    squash: bool = True

    @property
    def encoder(self) -> MLP:
        return MLP(self.condition_size + self.sample_size, 2 * self.latent_size, self.hidden)

    @property
    def decoder(self) -> MLP:
        return MLP(self.condition_size + self.latent_size, self.sample_size, self.hidden)

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        return self.encoder.shapes + self.decoder.shapes

    def init(self, rng: np.random.Generator) -> list[np.ndarray]:
        return self.encoder.init(rng) + self.decoder.init(rng)

    def split(self, theta: Float[Tensor, "n params"]) -> tuple[Float[Tensor, "n _"], Float[Tensor, "n _"]]:
        """The parameters of the encoder and of the decoder."""
        count = sum(int(np.prod(shape)) for shape in self.encoder.shapes)
        return theta[:, :count], theta[:, count:]

    def encode(
        self,
        theta: Float[Tensor, "n params"],
        condition: Float[Tensor, "n batch y"],
        sample: Float[Tensor, "n batch x"],
    ) -> tuple[Float[Tensor, "n batch z"], Float[Tensor, "n batch z"]]:
        """m and log s of q(z | y, x); log s lies in [-4, 15]."""
        mean, log_std = self.encoder.apply(self.split(theta)[0], torch.cat([condition, sample], -1)).chunk(2, -1)
        return mean, log_std.clamp(-4, 15)

    def decode(
        self, theta: Float[Tensor, "n params"], condition: Float[Tensor, "n batch y"], z: Float[Tensor, "n batch z"]
    ) -> Float[Tensor, "n batch x"]:
        """D(y, z)."""
        output = self.decode_raw(theta, condition, z)
        return output.tanh() if self.squash else output

    def decode_raw(
        self, theta: Float[Tensor, "n params"], condition: Float[Tensor, "n batch y"], z: Float[Tensor, "n batch z"]
    ) -> Float[Tensor, "n batch x"]:
        """What `decode` squashes."""
        return self.decoder.apply(self.split(theta)[1], torch.cat([condition, z], -1))

    def kl(
        self,
        theta: Float[Tensor, "n params"],
        condition: Float[Tensor, "n batch y"],
        sample: Float[Tensor, "n batch x"],
    ) -> Float[Tensor, "n batch"]:
        """KL(q(z | y, x) || N(0, I)) of every row, in nats: large for samples that the data do not show."""
        return kl_to_prior(*self.encode(theta, condition, sample)).sum(-1)

    def loss(
        self,
        theta: Float[Tensor, "n params"],
        condition: Float[Tensor, "n batch y"],
        sample: Float[Tensor, "n batch x"],
        noise: Float[Tensor, "n batch z"],
        kl_weight: float,
    ) -> Float[Tensor, " n"]:
        """L with beta = `kl_weight`, the mean over the batch."""
        mean, log_std = self.encode(theta, condition, sample)
        error = (self.decode(theta, condition, mean + log_std.exp() * noise) - sample).square()
        return error.mean((1, 2)) + kl_weight * kl_to_prior(mean, log_std).mean((1, 2))


def kl_to_prior(mean: Tensor, log_std: Tensor) -> Tensor:
    """KL(N(m, s^2) || N(0, 1)), elementwise."""
    return 0.5 * (mean.square() + (2 * log_std).exp() - 1) - log_std


@dataclass(frozen=True)
class VAEConfig:
    """The behaviour model; defaults are those of BCQ but for the number of steps and the KL's weight."""

    steps: int = 5000
    """Training steps of the phase "vae"; the model is fixed afterwards (public code goes on training it beside the
    policy, from the same data and with the same loss)."""
    hidden: tuple[int, ...] = (400, 400)
    """Hidden layers of the encoder, and of the decoder."""
    learning_rate: float = 1e-3
    """Adam's step size, with linear decay to a tenth."""
    kl_weight: float = 0.1
    """beta of the loss. BCQ prints .5, which encodes next to nothing of the embedded data's actions: a KL of .06 nats
    a row against 2.3 with .1, and candidates that differ by .03 against .13 (see the top of the module)."""
    latent_bound: float = 0.5
    """Normals from which actions are decoded are clipped to [-bound, bound]: only likely actions are candidates."""

    def __post_init__(self) -> None:
        check_ranges(self, "vae.", steps=AT_LEAST_0, hidden=AT_LEAST_1, learning_rate=ABOVE_0)
        check_ranges(self, "vae.", kl_weight=AT_LEAST_0, latent_bound=ABOVE_0)


class BehaviourVAE:
    """The VAE of the data's actions given the state: one per seed, whatever the number of cost limits."""

    def __init__(self, config: VAEConfig, problem: Problem, batch_size: int) -> None:
        self.config, self.problem, self.batch_size = config, problem, batch_size
        size = problem.action_size
        self.network = ConditionalVAE(problem.observation_size, size, 2 * size, config.hidden)
        initial = initial_parameters(self.network, problem.seeds, "vae").to(problem.device)
        self.parameters = Parameters(initial, Adam(config.learning_rate))

    @property
    def latent_size(self) -> int:
        """The length of z: twice that of an action."""
        return self.network.latent_size

    def tensors(self) -> dict[str, Tensor]:
        return {f"vae.{name}": tensor for name, tensor in self.parameters.tensors.items()}

    def phase(self) -> Phase:
        """Training by itself, for every seed."""
        shape = (self.batch_size, self.latent_size)
        draws = {"row": RandomInput("uniform", shape[:1]), "noise": RandomInput("normal", shape)}
        return Phase("vae", self.config.steps, self.problem.seeds, draws, self._update)

    def _update(self, step: Tensor, draws: Mapping[str, Tensor]) -> dict[str, Tensor]:
        batch, config = self.problem.replay.batch(self.problem.replay.rows(draws["row"])), self.config
        loss = self.network.loss(
            self.parameters.theta, batch.observations, batch.actions, draws["noise"], config.kl_weight
        )
        self.parameters.adam_step(gradient(loss, self.parameters), linear_decay(step, config.steps))
        return {"vae_loss": loss.detach()}

    @torch.no_grad()
    def decode(
        self, observations: Float[Tensor, "n batch obs"], z: Float[Tensor, "n many latent"], raw: bool = False
    ) -> Float[Tensor, "n many act"]:
        """Actions for standard normals z, one or several for each observation, side by side; `raw`: before tanh.

        The leading axis is the seeds or the replicas: see `per_copy`.
        """
        repeated = observations.repeat_interleave(z.shape[1] // observations.shape[1], dim=1)
        bound = self.config.latent_bound
        decode = self.network.decode_raw if raw else self.network.decode
        return decode(self.per_copy(len(observations)), repeated, z.clamp(-bound, bound))

    def decode_shared(self, observations: Tensor, z: Tensor, raw: bool = False) -> Float[Tensor, "replicas many act"]:
        """`decode` for inputs of the replicas that are equal for those of one seed: once per seed, then copied."""
        limits = len(self.problem.cost_limits)
        return self.decode(observations[::limits], z[::limits], raw)[self.problem.seed_index]

    @torch.no_grad()
    def kl(
        self, observations: Float[Tensor, "n batch obs"], actions: Float[Tensor, "n many act"]
    ) -> Float[Tensor, "n many"]:
        """KL(q(z | s, a) || N(0, I)) of several actions for each observation, side by side."""
        repeated = observations.repeat_interleave(actions.shape[1] // observations.shape[1], dim=1)
        return self.network.kl(self.per_copy(len(observations)), repeated, actions)

    def kl_shared(self, observations: Tensor, actions: Tensor) -> Float[Tensor, "replicas many"]:
        """`kl` for inputs of the replicas that are equal for those of one seed."""
        limits = len(self.problem.cost_limits)
        return self.kl(observations[::limits], actions[::limits])[self.problem.seed_index]

    def inference(self, seed: int) -> Callable[[Array, Array], Array]:
        """States (batch, o) and latents (batch, n, z), clipped already, to actions (batch, n, a), for files."""
        theta = self.network.split(self.parameters.theta.detach())[1][seed]
        decoder = over_candidates(self.network.decoder, theta, self.problem.observation_size)
        return lambda x, z: decoder(x, z).tanh()

    def per_copy(self, count: int) -> Float[Tensor, "n params"]:
        """The parameters for inputs of this leading axis: one row per seed, or per replica that of its seed."""
        theta = self.parameters.theta.detach()
        return theta if count == len(theta) else theta[self.problem.seed_index]
