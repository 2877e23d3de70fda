"""What DRCORL compares with the cost limit, and which of the policies along the way it keeps."""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from deep.core.phase import BLOCK, Hook
from deep.core.problem import Problem
from deep.core.validation import AT_LEAST_0, check_ranges
from deep.data.selection import TrajectoryStats
from deep.methods.drcorl.hybrid import OnlineConfig, OnlineReplay
from deep.methods.parts.critics import CostCritic, episodic_to_discounted
from deep.nn.parameters import Parameters
from deep.nn.policies import Policy
from deep.ope.interface import Estimate
from deep.ope.model_rollouts import DynamicsEnsemble, Half
from deep.ope.paired_rollouts import PairedRollouts
from deep.ope.short_rollouts import ShortConfig
from theory.support.errors import InputError

HALVES: tuple[Half, Half] = ("training", "held_out")
CLONE_PREDICTION = "clone_prediction"
"""A checkpoint's name for what paired roll-outs remember."""


@dataclass(frozen=True)
class GateConfig:
    """The branch signal of Algorithms 2 and 3; equations are those of the DRCORL preprint."""

    kind: Literal["dynamics", "ucb", "simulator"] = "dynamics"
    """Roll-outs in learned dynamics, or the cost critics' Eq. (25): both offline; or simulator episodes (B.1), of which
    `--online.episodes` are played at every look and counted.

    The critics of Eq. (25) are an ensemble of their own, without pessimism; the policy follows the pessimistic ones,
    which share the data and the bootstrapping with them, and so the errors: in a trial on the embedded data (seed 0,
    limit 80) this gate passed a policy whose episodes cost 548.
    """
    estimator: Literal["auto", "paired", "episode"] = "auto"
    """How the learned dynamics are asked, for the gate, the choice and the report. paired: for the difference between
    the policy and the clone of the best trajectories, of which the data say what it costs (`deep.ope.paired_rollouts`);
    of another clone they say nothing, and it is refused. whole: for episodes from the data's start states; too coarse
    for steps as small as the default, take `--adaptation-rate 5e-5 --adaptation-steps 1500` with it. auto: paired for a
    clone of the best trajectories, whole for another."""
    short: ShortConfig = field(default_factory=lambda: ShortConfig(steps=50, states=160))
    """paired: its short roll-outs."""
    k: float = 1.0
    """Standard deviations over the ensemble that are added to the mean (Table 2 has 2 for the UCB, Eq. (24))."""
    states: Literal["data", "start"] = "data"
    """ucb: the states over which Eq. (25) averages: the data's (appendix B.1), or the first states of its episodes. A
    value becomes the cost of an episode by (1 - gamma) times its length in either case, as critics that bootstrap
    through time-outs want it."""
    eval_every: int = 50
    """Steps between two looks: roll-outs in the learned dynamics or the simulator."""
    select: Literal["best", "last"] = "best"
    """The policy that is kept: the best of those looked at (`selection_score`), in the eyes of the more sceptical half
    of the learned dynamics; or the last one. A clone of the best trajectories, which kept the limit, gives way only to
    a policy of which both halves foretell that it will keep it too: models that take all for unsafe choose nothing.
    Looks come before steps 0, `eval_every`, ...: what the last of them changes can be the last policy alone."""
    record: bool = False
    """Keep a copy of every policy that is looked at in the checkpoint, for `deep.benchmark.ope_study`."""
    min_length_ratio: float = 0.9
    """Share of the data's mean episode length that a policy must be foretold to count as safe: dying early is cheap."""
    max_disagreement: float = 1.5
    """The largest departure (`deep.ope.model_rollouts`) of a policy that counts as safe. Beyond it the models speak of
    what they do not know: then the gate's cost is at least the limit times departure / this."""
    max_model_error: float = 0.1
    """offline: how far the learned dynamics may be off for the clone of the best trajectories, whose return and cost
    the data tell, as a share of the data's range of returns and of the largest possible cost. Where either half is off
    by more, no later policy is taken on its word, and the clone is kept. This forecast is of the clone by itself:
    whole, of episodes that begin where those trajectories did, because elsewhere a good forecast may differ from what
    they have earned; paired, of short roll-outs."""

    def __post_init__(self) -> None:
        check_ranges(self, "gate.", k=AT_LEAST_0)
        if self.eval_every < 1 or self.eval_every % BLOCK:
            raise InputError(f"--gate.eval-every {self.eval_every}: accepted is a multiple of {BLOCK}")


def gate_cost(estimate: Estimate, limits: Float[Tensor, " replicas"], config: GateConfig) -> Float[Tensor, " replicas"]:
    """What the gate takes an episode to cost: mean + k std; beyond the largest departure not less than
    max(limit, 1) * departure / largest, which no limit allows."""
    bound = estimate.cost + config.k * estimate.cost_std
    excess = estimate.ood_score / config.max_disagreement
    return torch.where(excess > 1, torch.maximum(bound, limits.clamp(min=1) * excess), bound.double())


def selection_score(
    estimate: Estimate,
    limits: Float[Tensor, " replicas"],
    min_length: float,
    lowest_return: float,
    config: GateConfig,
) -> Float[Tensor, " replicas"]:
    """How good a policy is to keep: its predicted return above the data's lowest if nothing speaks against it, else
    minus what does.

    Against it speak, each as a share of what is allowed: mean cost + k std beyond the limit, a predicted length short
    of the required one, a departure beyond the largest. Any safe policy ranks above any other.
    """
    cost = estimate.cost + config.k * estimate.cost_std
    against = torch.clamp(cost - limits, min=0) / limits.clamp(min=1)
    against = against + torch.clamp(min_length - estimate.length, min=0) / max(min_length, 1)
    against = against + torch.clamp(estimate.ood_score / config.max_disagreement - 1, min=0)
    return torch.where(against > 0, -against, (estimate.reward.double() - lowest_return).clamp(min=0))


class Gate:
    """The cost that the safe adaptation sees, for every replica, and the policy that is kept."""

    def __init__(
        self,
        config: GateConfig,
        online: OnlineConfig,
        problem: Problem,
        dynamics: DynamicsEnsemble,
        policy: Policy,
        actor: Parameters,
        steps: int,
        known: TrajectoryStats | None,
    ) -> None:
        """`known`: of the cloned trajectories, where they say what the clone will do."""
        self.config, self.online, self.problem, self.dynamics = config, online, problem, dynamics
        self.policy, self.actor = policy, actor
        self.uses_dynamics = config.kind == "dynamics" or config.select == "best"
        self._check()
        self.min_length = config.min_length_ratio * float(problem.data.lengths.mean())
        """Steps that a policy's episodes must be foretold to last, to count as safe."""
        self.cost = torch.zeros(len(problem.replicas), dtype=torch.float64, device=problem.device)
        """The cost of an episode as the gate knows it."""
        self.chosen = actor.ema.clone()
        # One row per replica: the merit of the chosen policy, and the step at which it was found.
        self.score = torch.full((len(problem.replicas), 2), -torch.inf, device=problem.device)
        self.trusted = torch.ones(len(problem.replicas), dtype=torch.bool, device=problem.device)
        """Whether the learned dynamics have foretold of the clone what the data say."""
        self.known = known
        self.paired = None
        """What foretells, where it is asked in pairs; else the dynamics by themselves."""
        if config.estimator != "episode" and known is not None and self.uses_dynamics:
            self.paired = PairedRollouts(config.short, dynamics, known)
        elif config.estimator == "paired":
            raise InputError(
                "--gate.estimator paired: accepted with --clone.trajectories best, of which the data say what it "
                "costs, and with --gate.kind dynamics or --gate.select best, which query the learned dynamics"
            )
        looks = -(-steps // config.eval_every) if config.record else 0
        self.evaluated = torch.zeros(looks, *actor.ema.shape, device=problem.device)
        self.replay: OnlineReplay | None = None
        if online.update_critics:
            length = problem.task.episode_length
            self.replay = OnlineReplay(online, problem.replay, problem.reward_scale, len(problem.replicas), length)

    def _check(self) -> None:
        online, kind = self.online, self.config.kind
        config = self.config
        if not (0 <= config.min_length_ratio <= 1 and config.max_disagreement > 0 and config.max_model_error >= 0):
            raise InputError(
                f"--gate.min-length-ratio {config.min_length_ratio}, --gate.max-disagreement "
                f"{config.max_disagreement} and --gate.max-model-error {config.max_model_error}: accepted are a share "
                "from 0 to 1, a number above 0, one of at least 0"
            )
        if self.dynamics.config.steps == 0 and self.uses_dynamics:
            raise InputError(
                "--dynamics.steps 0 trains no dynamics: it goes only with --gate.kind ucb or simulator and "
                "--gate.select last"
            )
        if (online.episodes > 0) != (kind == "simulator" or online.update_critics):
            raise InputError(
                f"--online.episodes {online.episodes} with --gate.kind {kind} and --online.update-critics "
                f"{online.update_critics}: simulator episodes need a use, and either use needs at least one episode"
            )
        if online.episodes > 0 and self.problem.simulator is None:
            raise InputError(
                f"--online.episodes {online.episodes}: data of your own have no simulator, unless --env names one"
            )
        if online.update_critics and not (0 < online.fraction <= 1 and online.buffer_episodes >= online.episodes):
            raise InputError(
                f"--online.fraction {online.fraction} and --online.buffer-episodes {online.buffer_episodes}: accepted "
                f"are a fraction above 0, at most 1, and at least the {online.episodes} episodes of one evaluation"
            )

    def tensors(self) -> dict[str, Tensor]:
        named = {"gate": self.cost, "chosen": self.chosen, "selected_score": self.score, "trusted": self.trusted}
        if self.config.record:
            named["evaluated"] = self.evaluated
        if self.paired is not None:
            named[CLONE_PREDICTION] = self.paired.clone
        return named | ({} if self.replay is None else self.replay.tensors())

    def begin(self) -> None:
        """Keep the policy that adaptation starts from, and hold what is foretold of it against the data."""
        self.chosen.copy_(self.actor.ema)
        self.score[:, 1] = 0
        if self.uses_dynamics and self.known is not None:
            agreed = [self._agrees(estimate, self.known) for estimate in self._of_clone(self.known)]
            self.trusted.copy_(torch.stack(agreed).all(0))

    def hooks(self) -> list[Hook]:
        """The looks, where anything is looked at."""
        looking = self.uses_dynamics or self.online.episodes > 0 or self.config.record
        return [Hook(self.config.eval_every, self.evaluate_policy)] if looking else []

    def evaluate_policy(self, step: int) -> dict[str, Tensor]:
        """Judge the policy of this step by learned dynamics and by the simulator, as far as each is asked for."""
        if self.config.record:
            self.evaluated[step // self.config.eval_every] = self.actor.ema
        seen = self._look_ahead(step) if self.uses_dynamics else {}
        return seen | (self._play() if self.online.episodes > 0 else {})

    def _look_ahead(self, step: int) -> dict[str, Tensor]:
        """Roll the policy out in the learned dynamics: the gate's cost, and whether this policy is the best so far.

        The steering members set the cost. A policy is worth what the half that thinks less of it says: what it has
        learned to please does not decide alone, nor does the luckiest estimate among many policies.
        """
        outcomes = self.estimator.rollout(self.act)
        steering, judging = (self.estimator.read(outcomes, half) for half in HALVES)
        if self.config.kind == "dynamics":
            self.cost.copy_(gate_cost(steering, self.problem.limits, self.config))
        lowest = float(self.problem.data.trajectory_returns.min())
        scores = [
            selection_score(half, self.problem.limits, self.min_length, lowest, self.config)
            for half in (steering, judging)
        ]
        score = torch.minimum(*scores).to(self.score)
        better = (score > self.score[:, 0]) & self.trusted
        if self.known is not None:
            better &= score >= 0
        better |= step == 0
        self.chosen.copy_(torch.where(better.unsqueeze(1), self.actor.ema, self.chosen))
        found = torch.stack([score, torch.full_like(score, step)], dim=1)
        self.score.copy_(torch.where(better.unsqueeze(1), found, self.score))
        seen = {f"predicted_{name}": value for name, value in judging._asdict().items()}
        return seen | {"training_cost": steering.cost, "training_ood_score": steering.ood_score}

    @property
    def estimator(self) -> DynamicsEnsemble | PairedRollouts:
        """What foretells."""
        return self.paired or self.dynamics

    def _of_clone(self, known: TrajectoryStats) -> list[Estimate]:
        """What either half foretells of the clone by itself, to be held against what the data say of it."""
        if self.paired is not None:
            outcomes = self.paired.begin(self.act)
        else:
            outcomes = self.dynamics.rollout(self.act, known.starts)
        return [self.dynamics.read(outcomes, half) for half in HALVES]

    def _agrees(self, estimate: Estimate, known: TrajectoryStats) -> Bool[Tensor, " replicas"]:
        """Whether the clone is foretold to earn and to cost what the trajectories that it clones have."""
        data = self.problem.data
        largest = self.problem.task.episode_length * float(data.costs.max())
        off_return = (estimate.reward - known.returns).abs() / max(float(np.ptp(data.trajectory_returns)), 1e-9)
        off_cost = (estimate.cost - known.costs).abs() / max(largest, 1e-9)
        return (off_return <= self.config.max_model_error) & (off_cost <= self.config.max_model_error)

    def _play(self) -> dict[str, Tensor]:
        """Simulator episodes of the policy: the gate's cost, and transitions for the critics."""
        on_step = None if self.replay is None else self.replay.recorder()
        simulator, replay = self.problem.simulator, self.problem.replay
        assert simulator is not None  # `_check` has seen to it

        def act(observations: np.ndarray) -> np.ndarray:
            return self.act(replay.normalise(torch.from_numpy(observations).to(replay.mean))).cpu().numpy()

        played = simulator.play(act, self.online.episodes, on_step)
        cost = torch.from_numpy(played.costs.mean(axis=1)).to(self.cost)
        if self.config.kind == "simulator":
            self.cost.copy_(cost)
        return {"simulator_cost": cost.float()}

    @torch.no_grad()
    def upper_confidence(self, critic: CostCritic, observations: Tensor, z: Tensor) -> None:
        """Set the cost to Eq. (25), the critics' upper confidence bound at these states, as the cost of an episode."""
        problem, config = self.problem, self.config
        if config.states == "start":
            starts = problem.replay.observations[problem.replay.starts[: z.shape[1]]]
            observations, z = starts.expand(len(problem.replicas), -1, -1), z[:, : len(starts)]
        actions, _ = self.policy.sample(self.actor.ema, observations, z)
        value = critic.upper_confidence(observations, actions, config.k).mean(1)
        task = problem.task
        one_cost = episodic_to_discounted(1.0, problem.gamma, task.episode_length, "data", task.expected_length)
        self.cost.copy_(value.double() / one_cost)

    @torch.no_grad()
    def act(self, observations: Float[Tensor, "replicas batch obs"]) -> Float[Tensor, "replicas batch act"]:
        """The mean action of the policy in training, averaged."""
        return self.policy.distribution(self.actor.ema, observations)[0]

    @torch.no_grad()
    def act_kept(self, observations: Float[Tensor, "replicas batch obs"]) -> Float[Tensor, "replicas batch act"]:
        """The mean action of the policy that is kept."""
        return self.policy.distribution(self.kept, observations)[0]

    @property
    def kept(self) -> Float[Tensor, "replicas params"]:
        """The policy that is kept: chosen offline, or the last one."""
        return self.chosen if self.config.select == "best" else self.actor.ema

    def report(self) -> dict[str, object]:
        if self.config.select != "best":
            return {}
        return {"chosen_step": self.score[:, 1].tolist(), "dynamics_trusted": self.trusted.tolist()}
