"""Policy evaluation during the adaptation of DRCORL, in the learned dynamics and in the simulator, on the host."""

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from deep.core.phase import Hook
from deep.core.problem import Problem
from deep.methods.drcorl.config import DRCORLConfig
from deep.methods.drcorl.critic_values import CriticValues
from deep.methods.drcorl.gate import CostSignal, GateConfig
from deep.methods.drcorl.hybrid import OnlineConfig, OnlineReplay
from deep.methods.drcorl.last_check import LastCheck
from deep.methods.drcorl.policy_selection import PolicySelection
from deep.methods.drcorl.rests import Rests
from deep.nn.parameters import Parameters
from deep.ope.interface import Estimate
from deep.ope.model_rollouts import HALVES, DynamicsEnsemble, Outcomes
from deep.ope.paired_rollouts import CLONE_PREDICTION, PairedRollouts
from theory.support.errors import InputError

ActCurrent = Callable[[Float[Tensor, "replicas batch obs"]], Float[Tensor, "replicas batch act"]]
"""The mean actions of the policy in training."""


def check_settings(config: GateConfig, online: OnlineConfig, problem: Problem, dynamics: DynamicsEnsemble) -> None:
    """Raise `InputError` for settings of the gate, the simulator and the dynamics that exclude each other."""
    if dynamics.config.steps == 0 and uses_dynamics(config):
        raise InputError(
            "--dynamics.steps 0 trains no dynamics: it goes only with --gate.kind td or least_squares, or with "
            "--gate.kind ucb or simulator and --gate.select last"
        )
    if (online.episodes > 0) != (config.kind == "simulator" or online.update_critics):
        raise InputError(
            f"--online.episodes {online.episodes} with --gate.kind {config.kind} and --online.update-critics "
            f"{online.update_critics}: simulator episodes need a use, and either use needs at least one episode"
        )
    if online.episodes > 0 and problem.simulator is None:
        raise InputError(
            f"--online.episodes {online.episodes}: a custom data set has no simulator, unless --env names one"
        )
    if online.update_critics and not (0 < online.fraction <= 1 and online.buffer_episodes >= online.episodes):
        raise InputError(
            f"--online.fraction {online.fraction} and --online.buffer-episodes {online.buffer_episodes}: accepted "
            f"are a fraction above 0, at most 1, and at least the {online.episodes} episodes of one evaluation"
        )


def uses_dynamics(config: GateConfig) -> bool:
    """Whether policies are evaluated in the learned dynamics, for the gate or for the selection."""
    by_critics = config.kind in ("td", "least_squares")
    return config.kind == "dynamics" or (config.select == "best" and not by_critics)


def check_rests(config: GateConfig, rests: Rests, steps: int) -> None:
    """Raise `InputError` where rests would not be evaluated by the critics that they wait for."""
    every = rests.config.every
    if every and (config.kind not in ("td", "least_squares") or every % config.eval_every or steps % every):
        raise InputError(
            f"--rests.every {every} with --gate.kind {config.kind}, --gate.eval-every {config.eval_every} and "
            f"--adaptation-steps {steps}: accepted are the gates td and least_squares, a multiple of the steps between "
            "two evaluations, and a multiple of it as the number of steps"
        )
    count = rests.config.candidates
    if count and (not every or count * every > steps or config.select != "best"):
        raise InputError(
            f"--rests.candidates {count} with --rests.every {every}, --adaptation-steps {steps} and --gate.select "
            f"{config.select}: accepted are at most as many as there are rests, and the selection of the best policy"
        )


class PolicyEvaluation:
    """Evaluates the policy in training; the results go to the gate, the policy selection and the online buffer."""

    def __init__(
        self,
        config: DRCORLConfig,
        problem: Problem,
        dynamics: DynamicsEnsemble,
        gate: CostSignal,
        selection: PolicySelection,
        actor: Parameters,
        act: ActCurrent,
        by_critics: CriticValues | None,
        rests: Rests,
    ) -> None:
        """Adaptation is evaluated every `gate.eval_every` steps; `by_critics` where it is the gate."""
        self.config, self.online, self.steps = config.gate, config.online, config.adaptation_steps
        check_settings(self.config, self.online, problem, dynamics)
        check_rests(self.config, rests, self.steps)
        self.problem, self.dynamics, self.gate, self.selection = problem, dynamics, gate, selection
        self.actor, self.act, self.by_critics, self.rests = actor, act, by_critics, rests
        self.uses_dynamics = uses_dynamics(self.config)
        self.last_check = LastCheck(rests.config, problem, actor, selection, self.estimate_by_critics)
        self.paired = self._paired()
        self.estimator: DynamicsEnsemble | PairedRollouts = self.paired or dynamics
        """The estimator of the policy's episodes."""
        self._clone_rollouts: Outcomes | None = None
        """The clone's rollouts between the start of adaptation and the evaluation of step 0."""
        evaluations = -(-self.steps // self.config.eval_every) if self.config.record else 0
        self.evaluated = torch.zeros(evaluations, *actor.ema.shape, device=problem.device)
        self.buffer: OnlineReplay | None = None
        if self.online.update_critics:
            length = problem.task.episode_length
            self.buffer = OnlineReplay(self.online, problem.replay, problem.reward_scale, len(problem.replicas), length)

    def _paired(self) -> PairedRollouts | None:
        cloned = self.selection.cloned
        if self.config.estimator != "episode" and cloned is not None and self.uses_dynamics:
            return PairedRollouts(self.config.short, self.dynamics, cloned)
        if self.config.estimator == "paired":
            raise InputError(
                "--gate.estimator paired: accepted with --clone.trajectories best, of which the data say what it "
                "costs, and with --gate.kind dynamics or --gate.select best, which query the learned dynamics"
            )
        return None

    def tensors(self) -> dict[str, Tensor]:
        named = {"evaluated": self.evaluated} if self.config.record else {}
        if self.paired is not None:
            named[CLONE_PREDICTION] = self.paired.clone
        return named | self.last_check.tensors() | ({} if self.buffer is None else self.buffer.tensors())

    def start(self) -> None:
        """Choose the clone, and check the learned dynamics' predictions for it against the data."""
        self.selection.start()
        if not self.uses_dynamics or self.selection.cloned is None:
            return
        if self.paired is not None:
            outcomes = self._clone_rollouts = self.paired.set_clone(self.act)
        else:
            outcomes = self.dynamics.rollout(self.act, self.selection.cloned.starts)
        training, held_out = (self.dynamics.read(outcomes, half) for half in HALVES)
        self.selection.check_model_error((training, held_out))

    def hooks(self) -> list[Hook]:
        """The periodic evaluation, where anything is evaluated."""
        needed = self.uses_dynamics or self.by_critics is not None or self.online.episodes > 0 or self.config.record
        return [Hook(self.config.eval_every, self.evaluate_policy)] if needed else []

    def evaluate_policy(self, step: int) -> dict[str, Tensor]:
        """Evaluate the policy of this step in the learned dynamics and in the simulator, as far as each is used."""
        if self.rests.due(step):
            self.rests.rest(step)
        if self.config.record:
            self.evaluated[step // self.config.eval_every] = self.actor.ema
        metrics: dict[str, Tensor] = {}
        if self.by_critics is not None:
            metrics |= self.evaluate_by_critics(step)
        elif self.uses_dynamics:
            metrics |= self.evaluate_in_dynamics(step)
        if self.online.episodes > 0:
            metrics |= self.evaluate_in_simulator()
        return metrics

    def finish(self) -> None:
        """Evaluate the policy after the last step offline, for selection and gate.

        No update follows that could use simulator episodes, so none are played. A record needs no copy: these are the
        checkpoint's `policy.ema`.
        """
        if self.rests.due(self.steps):
            self.rests.rest(self.steps)
        if self.by_critics is not None:
            self.evaluate_by_critics(self.steps)
        elif self.uses_dynamics:
            self.evaluate_in_dynamics(self.steps)

    def estimate_by_critics(self) -> Estimate:
        """The critics' values of the present policy."""
        assert self.by_critics is not None
        return self.by_critics.estimate(self.act)

    def evaluate_by_critics(self, step: int) -> dict[str, Tensor]:
        """The critics' values set the gate's cost and, at rest, go to the policy selection."""
        estimate = self.estimate_by_critics()
        self.gate.offer(estimate)
        if step == 0 or not self.rests.config.every or self.rests.due(step):
            self.selection.update(step, (estimate,))
            self.last_check.offer(step, (estimate,))
        return {f"predicted_{name}": value for name, value in estimate._asdict().items()}

    def evaluate_in_dynamics(self, step: int) -> dict[str, Tensor]:
        """Roll the policy out in the learned dynamics. The training ensemble sets the gate's cost; both ensembles'
        estimates go to the policy selection."""
        training, held_out = self._estimates(step)
        self.gate.offer(training)
        self.selection.update(step, (training, held_out))
        metrics = {f"predicted_{name}": value for name, value in held_out._asdict().items()}
        return metrics | {"training_cost": training.cost, "training_ood_score": training.ood_score}

    def _estimates(self, step: int) -> tuple[Estimate, Estimate]:
        """By the training and by the held-out ensemble. Step 0 is the clone, which `start` has rolled out already."""
        rollouts, self._clone_rollouts = self._clone_rollouts, None
        if self.paired is not None and step == 0 and rollouts is not None:
            outcomes = self.paired.relative_to_clone(rollouts)
        else:
            outcomes = self.estimator.rollout(self.act)
        training, held_out = (self.estimator.read(outcomes, half) for half in HALVES)
        return training, held_out

    def evaluate_in_simulator(self) -> dict[str, Tensor]:
        """Play simulator episodes: the gate's cost, and transitions for the online buffer."""
        on_step = None if self.buffer is None else self.buffer.recorder()
        simulator, replay = self.problem.simulator, self.problem.replay
        assert simulator is not None  # by `check_settings`

        def act(observations: np.ndarray) -> np.ndarray:
            return self.act(replay.normalise(torch.from_numpy(observations).to(replay.mean))).cpu().numpy()

        played = simulator.play(act, self.online.episodes, on_step)
        self.gate.offer(played)
        return {"simulator_cost": torch.from_numpy(played.costs.mean(axis=1)).to(self.gate.cost).float()}
