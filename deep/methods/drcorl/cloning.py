"""Lines 3-4 of DRCORL's Algorithm 1: the policy that adaptation starts from, cloned from the data."""

from collections.abc import Mapping

import torch
from torch import Tensor

from deep.core.phase import Phase
from deep.core.problem import Problem
from deep.core.randomness import RandomInput
from deep.data.replay import RowTable
from deep.data.selection import allowed
from deep.methods.drcorl.behaviour_model import BehaviourModel
from deep.methods.drcorl.config import DRCORLConfig
from deep.nn.mlp import initial_parameters
from deep.nn.parameters import Adam, Parameters, gradient, linear_decay
from deep.nn.policies import MLPPolicy


class Cloning:
    """The clones: least squares on the data's actions, then descent of the reverse KL to the behaviour model.

    There is one clone per replica where it depends on the cost limit, else one per seed.
    """

    def __init__(self, config: DRCORLConfig, problem: Problem, policy: MLPPolicy, behaviour: BehaviourModel) -> None:
        self.config, self.problem, self.policy, self.behaviour = config, problem, policy, behaviour
        self.trajectories = config.clone.per_replica(problem.data, problem.replica_limits)
        """The numbers of the cloned trajectories, for every replica."""
        self.rows: RowTable | None = None
        """Their transitions; None: all of the data."""
        if config.clone.trajectories != "all":
            self.rows = allowed(problem.data, self.trajectories, problem.device)
        by_limit = config.behaviour.condition != "none" or self.rows is not None
        self.seeds = problem.replica_seeds if by_limit else problem.seeds
        """The seed of every clone."""
        self.limits = problem.replica_limits if by_limit else ()
        """The cost limit of every clone, where it depends on one: for messages."""
        self.index = torch.arange(len(self.seeds), device=problem.device) if by_limit else problem.seed_index
        """For every replica the row of its clone."""
        initial = initial_parameters(policy, self.seeds, "policy").to(problem.device)
        self.parameters = Parameters(initial, Adam(config.learning_rate), ema=True)

    def phases(self) -> list[Phase]:
        """Regression and, where it has steps, the descent of the reverse KL; the axis is the clones."""
        config, batch = self.config, self.config.batch_size
        draws = {
            "row": RandomInput("uniform", (batch,)),
            "z": RandomInput("normal", (batch, self.policy.action_size)),
        }
        steps = config.cloning_steps - config.reverse_kl_steps
        phases = [Phase("cloning", steps, self.seeds, draws, self._regress, limits=self.limits)]
        if config.reverse_kl_steps > 0:
            draws = draws | self.behaviour.kl_draws(batch)
            phases.append(
                Phase(
                    "reverse KL cloning",
                    config.reverse_kl_steps,
                    self.seeds,
                    draws,
                    self._descend_reverse_kl,
                    limits=self.limits,
                )
            )
        return phases

    def _regress(self, step: Tensor, draws: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Regression on the data's actions."""
        batch = self.problem.replay.batch(self.problem.replay.rows(draws["row"], self.rows))
        actions, _ = self.policy.sample(self.parameters.theta, batch.observations, draws["z"])
        distance = (actions - batch.actions).square().mean((1, 2))
        return self._update(step, distance, distance)

    def _descend_reverse_kl(self, step: Tensor, draws: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Descent of the reverse KL to the behaviour model."""
        batch = self.problem.replay.batch(self.problem.replay.rows(draws["row"], self.rows))
        actions, log_std = self.policy.sample(self.parameters.theta, batch.observations, draws["z"])
        kl = self.behaviour.kl(batch.observations, actions, log_std, draws)
        distance = (actions - batch.actions).square().mean((1, 2))
        return self._update(step + self.config.regression_steps, kl, distance)

    def _update(self, step: Tensor, loss: Tensor, distance: Tensor) -> dict[str, Tensor]:
        """`step` counts the steps of both parts, which share the decay of the step size."""
        self.parameters.adam_step(gradient(loss, self.parameters), linear_decay(step, self.config.cloning_steps))
        self.parameters.update_ema(self.config.ema_rate)
        return {"squared_distance_to_data": distance.detach()}
