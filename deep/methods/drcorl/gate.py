"""The gate of DRCORL: the cost of an episode that safe adaptation compares with the cost limit."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, Literal, NamedTuple, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor

from deep.core.phase import BLOCK
from deep.core.problem import Problem
from deep.core.validation import AT_LEAST_0, AT_LEAST_1, check_ranges
from deep.envs.rollout import Episodes
from deep.methods.parts.critics import CostCritic, episodic_to_discounted
from deep.nn.parameters import Parameters
from deep.nn.policies import MLPPolicy
from deep.ope.interface import MIN_LENGTH_RATIO, Estimate
from deep.ope.short_rollouts import ShortConfig
from theory.support.errors import InputError


@dataclass(frozen=True)
class GateConfig:
    """The branch signal of Algorithms 2 and 3; equations are those of the DRCORL preprint."""

    kind: Literal["dynamics", "ucb", "td", "least_squares", "simulator"] = "dynamics"
    """The source of the cost: rollouts in learned dynamics; the cost critics' Eq. (25) at every step; the same at every
    evaluation (td, `deep.methods.drcorl.critic_values`); or the larger of the critics' value and its least-squares
    solution (`deep.methods.drcorl.least_squares`), all offline; or simulator episodes (B.1), `--online.episodes` per
    evaluation, which are counted.

    Critics follow the policy with a delay of hundreds of steps, in which a policy can cross the limit and return
    (`verification.lattice.direction`). Least squares solves for the values of the present policy; with `--rests.every`
    the policy waits for its critics.

    The critics of Eq. (25) are a separate ensemble without pessimism. The policy follows the pessimistic critics, which
    share the data and the bootstrapping with them, and so the errors: in a trial on the embedded data (seed 0, limit
    80) this gate accepted a policy whose episodes cost 548.
    """
    estimator: Literal["auto", "paired", "episode"] = "auto"
    """How rollouts in the learned dynamics become an estimate, for the gate, the selection and the report. paired: the
    predicted difference between the policy and the clone is added to the cost of the cloned trajectories
    (`deep.ope.paired_rollouts`); accepted for a clone of the best trajectories alone. episode: whole episodes from the
    data's start states; too coarse for steps as small as the default, so combine it with `--adaptation-rate 5e-5
    --adaptation-steps 1500`. auto: paired for a clone of the best trajectories, episode for any other clone."""
    transitions: int = 10_000
    """least_squares: the number of transitions that enter its sums."""
    short: ShortConfig = field(default_factory=lambda: ShortConfig(steps=50, states=160))
    """paired: its short rollouts."""
    k: float = 1.0
    """Standard deviations that are added to the mean (Table 2 has 2 for the UCB, Eq. (24)): over the ensemble, or of
    least squares over resamples of the trajectories."""
    states: Literal["data", "cloned", "start"] = "data"
    """ucb, td, least_squares: the states over which Eq. (25) averages: all of the data's (appendix B.1), those of the
    cloned trajectories (td, least_squares), which are nearer to the states that the policy visits, or the first states
    of the data's episodes. In each case (1 - gamma) times the episode length converts a value into the cost of an
    episode, because the critics bootstrap through timeouts."""
    eval_every: int = 50
    """Steps between two policy evaluations, in the learned dynamics or the simulator."""
    select: Literal["best", "last"] = "best"
    """The policy that training returns: the last one, or the one with the best `selection_score` of all evaluated
    policies. A policy's score is the lower of the scores by the training and by the held-out ensemble. A clone of the
    best trajectories is replaced only by a policy that both ensembles predict to satisfy the limit: its trajectories
    satisfied it. Policies are evaluated before steps 0, `eval_every`, ... and after the last step; with rests those of
    step 0 and of the rests alone are compared."""
    record: bool = False
    """Keep a copy of every policy that is evaluated during adaptation in the checkpoint, for
    `deep.benchmark.ope_study`."""
    min_length_ratio: float = MIN_LENGTH_RATIO
    """Share of the data's mean episode length that a safe policy's predicted length must reach: an early terminal
    keeps the cost low."""
    max_disagreement: float = 1.5
    """The largest OOD score (`deep.ope.model_rollouts`) of a safe policy. Beyond it the models extrapolate, and the
    gate's cost is at least the limit times OOD score / this."""
    max_model_error: float = 0.1
    """select best: the largest error of the learned dynamics on the clone of the best trajectories, whose return and
    cost are known from the data; as a share of the data's range of returns and of the largest possible cost. Where
    either ensemble's error is larger, the clone is kept. The prediction is absolute, not a difference. episode: of
    episodes that start where those trajectories did, because other start states have other returns; paired: of short
    rollouts."""

    def __post_init__(self) -> None:
        check_ranges(self, "gate.", k=AT_LEAST_0, transitions=AT_LEAST_1)
        if self.eval_every < 1 or self.eval_every % BLOCK:
            raise InputError(f"--gate.eval-every {self.eval_every}: accepted is a multiple of {BLOCK}")
        if self.states == "cloned" and self.kind == "ucb":
            raise InputError("--gate.states cloned with --gate.kind ucb: accepted are data and start")
        if not (0 <= self.min_length_ratio <= 1 and self.max_disagreement > 0 and self.max_model_error >= 0):
            raise InputError(
                f"--gate.min-length-ratio {self.min_length_ratio}, --gate.max-disagreement "
                f"{self.max_disagreement} and --gate.max-model-error {self.max_model_error}: accepted are a share "
                "from 0 to 1, a number above 0, one of at least 0"
            )


def gate_cost(estimate: Estimate, limits: Float[Tensor, " replicas"], config: GateConfig) -> Float[Tensor, " replicas"]:
    """The gate's cost from an off-policy estimate: mean + k std. Where the OOD score exceeds the largest accepted one,
    it is at least max(limit, 1) * OOD score / largest, which violates every limit."""
    bound = estimate.cost + config.k * estimate.cost_std
    excess = estimate.ood_score / config.max_disagreement
    return torch.where(excess > 1, torch.maximum(bound, limits.clamp(min=1) * excess), bound.double())


Evidence = TypeVar("Evidence")


class CostSignal(ABC, Generic[Evidence]):
    """The episode cost of every replica's policy, and the tensor that the adaptation step reads it from."""

    reads: ClassVar[type]
    """The kind of evidence that the cost follows from."""

    def __init__(self, config: GateConfig, problem: Problem) -> None:
        self.config, self.problem = config, problem
        self.cost = torch.zeros(len(problem.replicas), dtype=torch.float64, device=problem.device)
        """The latest cost of an episode."""

    def tensors(self) -> dict[str, Tensor]:
        return {"gate": self.cost}

    @abstractmethod
    def measure(self, evidence: Evidence) -> Float[Tensor, " replicas"]:
        """The cost of an episode that follows from this evidence about the policy."""

    def update(self, evidence: Evidence) -> None:
        """Set the latest cost."""
        self.cost.copy_(self.measure(evidence))

    def offer(self, evidence: Any) -> None:
        """Set the latest cost where this is the kind of evidence that it follows from; any other changes nothing."""
        if isinstance(evidence, self.reads):
            self.update(evidence)


class EstimatedCost(CostSignal[Estimate]):
    """The upper bound of an off-policy estimate, `gate_cost`: by the training ensemble of the learned dynamics, by the
    critics, or by least squares."""

    reads = Estimate

    def measure(self, evidence: Estimate) -> Float[Tensor, " replicas"]:
        return gate_cost(evidence, self.problem.limits, self.config)


class StateSample(NamedTuple):
    """States of the data, and the noise of the actions that the policy takes there."""

    observations: Float[Tensor, "replicas batch obs"]
    z: Float[Tensor, "replicas batch act"]


class UpperConfidenceCost(CostSignal[StateSample]):
    """Eq. (25): the cost critics' upper confidence bound at states of the data, converted to the cost of an episode."""

    reads = StateSample

    def __init__(
        self, config: GateConfig, problem: Problem, policy: MLPPolicy, actor: Parameters, critic: CostCritic
    ) -> None:
        super().__init__(config, problem)
        self.policy, self.actor, self.critic = policy, actor, critic

    @torch.no_grad()
    def measure(self, evidence: StateSample) -> Float[Tensor, " replicas"]:
        problem, (observations, z) = self.problem, evidence
        if self.config.states == "start":
            starts = problem.replay.observations[problem.replay.starts[: z.shape[1]]]
            observations, z = starts.expand(len(problem.replicas), -1, -1), z[:, : len(starts)]
        actions, _ = self.policy.sample(self.actor.ema, observations, z)
        value = self.critic.upper_confidence(observations, actions, self.config.k).mean(1)
        task = problem.task
        one_cost = episodic_to_discounted(1.0, problem.gamma, task.episode_length, "data", task.expected_length)
        return value.double() / one_cost


class SimulatorCost(CostSignal[Episodes]):
    """The mean cost of simulator episodes."""

    reads = Episodes

    def measure(self, evidence: Episodes) -> Float[Tensor, " replicas"]:
        return torch.from_numpy(evidence.costs.mean(axis=1)).to(self.cost)
