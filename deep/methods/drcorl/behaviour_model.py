"""The behaviour model of DRCORL: a diffusion model of the data's actions, one per seed, and the KL towards it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from deep.core.phase import Phase
from deep.core.problem import Problem
from deep.core.randomness import RandomInput, uniforms
from deep.core.validation import ABOVE_0, AT_LEAST_0, AT_LEAST_1, BELOW_1, BETWEEN_0_AND_1, RATE, SHARE, check_ranges
from deep.methods.drcorl.score import Predictor, Schedule, ScoreNetwork, denoising_loss, reverse_kl, reverse_kl_limit
from deep.nn.mlp import initial_parameters
from deep.nn.parameters import Adam, Parameters, gradient, linear_decay
from theory.support.errors import InputError


@dataclass(frozen=True)
class BehaviourConfig:
    """The diffusion model and the KL gradient taken from it; equations are those of the DRCORL preprint."""

    steps: int = 12_000
    """Training steps, Eq. (5)."""
    batch_size: int = 256
    """Minibatch."""
    width: int = 128
    """Width of the network's residual stream (256 in the published code)."""
    blocks: int = 3
    """Residual blocks."""
    dropout: float = 0.0
    """Share of a block's inputs that is dropped in training (.1 in the published code)."""
    learning_rate: float = 1e-3
    """Adam's step size; it decays linearly to a tenth."""
    ema_rate: float = 0.005
    """Rate of the EMA of the parameters; the EMA is the model that is used."""
    condition: Literal["none", "cost"] = "none"
    """What the model is conditioned on: nothing (the paper), or an upper bound on the trajectory's cost."""
    unconditional: float = 0.25
    """With a condition, the share of training samples without it."""
    kl_form: Literal["averaged", "limit"] = "averaged"
    """The KL gradient averaged over noise levels, as in the published code, or its limit t -> 0, Eq. (23)."""
    t_limit: float = 0.02
    """limit: the noise level at which the score is evaluated."""
    kl_weight: Literal["vds", "stable", "score"] = "score"
    """averaged: the weight w(t) of `deep.methods.drcorl.score.WEIGHTS`; "vds" is the published code's."""
    t_range: tuple[float, float] = (0.1, 0.4)
    """averaged: noise levels t over which the KL gradient is averaged (.02 to .98 in the published code).

    The predicted noise depends on the action only through alpha_t / sigma_t times its size. So at large t an error of
    the network shifts the action by sigma_t / alpha_t times that error. At small t the score has the atoms of clipped
    actions. Between the two a policy that starts from the regression continues to walk; over the published range, with
    either weight, it falls.
    """

    def __post_init__(self) -> None:
        check_ranges(self, "behaviour.", steps=AT_LEAST_0, batch_size=AT_LEAST_1, width=AT_LEAST_1, blocks=AT_LEAST_0)
        check_ranges(self, "behaviour.", dropout=BELOW_1, learning_rate=ABOVE_0, ema_rate=RATE, unconditional=SHARE)
        check_ranges(self, "behaviour.", t_limit=BETWEEN_0_AND_1, t_range=BETWEEN_0_AND_1)
        low, high = self.t_range
        if low > high:
            raise InputError(f"--behaviour.t-range {low} {high}: accepted are two noise levels, the lower one first")


class BehaviourModel:
    """Learns mu_psi(a | s), or mu_psi(a | s, episode cost <= b), for each seed of a problem."""

    def __init__(self, config: BehaviourConfig, problem: Problem) -> None:
        self.config, self.problem, self.schedule = config, problem, Schedule()
        replay = problem.replay
        inputs = replay.observations.shape[1] + (2 if config.condition == "cost" else 0)
        self.network = ScoreNetwork(
            inputs, replay.actions.shape[1], config.width, blocks=config.blocks, dropout=config.dropout
        )
        initial = initial_parameters(self.network, problem.seeds, "behaviour").to(problem.device)
        self.parameters = Parameters(initial, Adam(config.learning_rate), ema=True)

    def tensors(self) -> dict[str, Tensor]:
        return {f"behaviour.{name}": tensor for name, tensor in self.parameters.tensors.items()}

    def phase(self) -> Phase:
        """Training by denoising; the axis is the seeds."""
        draws = {"row": RandomInput("uniform", (self.config.batch_size,)), **self.draws(self.config.batch_size)}
        return Phase("behaviour", self.config.steps, self.problem.seeds, draws, self._update)

    def draws(self, batch_size: int) -> dict[str, RandomInput]:
        """The random inputs of `learn`."""
        config, batch = self.config, RandomInput("uniform", (batch_size,))
        draws = {"t": batch, "noise": RandomInput("normal", (batch_size, self.network.action_size))}
        if config.condition == "cost":
            draws |= {"budget": batch, "known": batch}
        if config.dropout > 0:
            draws |= {"dropout": RandomInput("key")}
        return draws

    def _update(self, step: Tensor, draws: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return self.learn(self.problem.replay.rows(draws["row"]), draws, linear_decay(step, self.config.steps))

    def learn(
        self, rows: Int[Tensor, "seeds batch"], draws: Mapping[str, Tensor], rate_factor: float | Tensor
    ) -> dict[str, Tensor]:
        """One step of denoising, Eq. (5), on these transitions."""
        replay = self.problem.replay
        observations = replay.observations[rows]
        if self.config.condition == "cost":
            # Every budget of at least the trajectory's own cost is true of it; small ones are drawn more often.
            cost = replay.episode_cost[rows]
            budget = cost + (replay.episode_cost.max() - cost) * draws["budget"].square()
            observations = self._with_budget(observations, budget, draws["known"] >= self.config.unconditional)

        dropout = None
        if "dropout" in draws:  # made here, on the device: on the host they would take longer than the update
            dropout = uniforms(draws["dropout"], self.network.blocks, rows.shape[1], self.network.width)

        def predict(noisy: Tensor, t: Tensor) -> Tensor:
            return self.network.apply(self.parameters.theta, noisy, t, observations, dropout)

        loss = denoising_loss(predict, self.schedule, replay.actions[rows], draws["t"], draws["noise"])
        self.parameters.adam_step(gradient(loss, self.parameters), rate_factor)
        self.parameters.update_ema(self.config.ema_rate)
        return {"denoising_loss": loss.detach()}

    def _with_budget(self, observations: Tensor, budget: Tensor, given: Tensor) -> Tensor:
        """Observations with two more entries: sqrt(budget / largest cost), 0 if none is given, and a flag for it."""
        share = (budget / self.problem.replay.episode_cost.max().clamp(min=1e-6)).clamp(0, 1).sqrt()
        return torch.cat([observations, torch.stack([share * given, given.to(share)], -1)], -1)

    def at(self, observations: Float[Tensor, "replicas batch obs"]) -> Predictor:
        """The trained model at every replica's states (and cost limit, where it is conditioned on one)."""
        if self.config.condition == "cost":
            budget = self.problem.limits.to(observations).unsqueeze(1).expand(observations.shape[:2])
            observations = self._with_budget(observations, budget, torch.ones_like(budget))
        replicas, batch, _ = observations.shape
        seeds = len(self.problem.seeds)

        def by_seed(x: Tensor) -> Tensor:
            # The replicas of a seed are adjacent and share its parameters: one larger batch.
            return x.reshape(seeds, replicas // seeds * batch, *x.shape[2:])

        def predict(noisy: Tensor, t: Tensor) -> Tensor:
            noise = self.network.apply(self.parameters.ema, by_seed(noisy), by_seed(t), by_seed(observations))
            return noise.reshape(replicas, batch, -1)

        return predict

    def kl(
        self,
        observations: Float[Tensor, "replicas batch obs"],
        actions: Float[Tensor, "replicas batch act"],
        log_std: Float[Tensor, "replicas batch act"] | None,
        draws: Mapping[str, Tensor],
    ) -> Float[Tensor, " replicas"]:
        """The surrogate of `deep.methods.drcorl.score.reverse_kl` or `reverse_kl_limit` towards the trained model."""
        if self.config.kl_form == "limit":
            return reverse_kl_limit(self.at(observations), self.schedule, actions, log_std, self.config.t_limit)
        low, high = self.config.t_range
        t = low + (high - low) * draws["t"]
        weight = self.config.kl_weight
        return reverse_kl(self.at(observations), self.schedule, actions, log_std, t, draws["noise"], weight)

    def kl_draws(self, batch_size: int) -> dict[str, RandomInput]:
        """The random inputs of `kl`."""
        if self.config.kl_form == "limit":
            return {}
        return {
            "t": RandomInput("uniform", (batch_size,)),
            "noise": RandomInput("normal", (batch_size, self.network.action_size)),
        }
