"""The settings of COptiDICE."""

from dataclasses import dataclass
from typing import Literal

from deep.core.validation import ABOVE_0, AT_LEAST_0, AT_LEAST_1, RATE, SHARE, check_ranges
from deep.methods.parts.iql import RewardUnit
from deep.methods.parts.thresholds import States


@dataclass(frozen=True)
class COptiDICEConfig:
    """Hyper-parameters; the published values are those of the preset paper."""

    steps: int = 6000
    """Updates."""
    batch_size: int = 256
    """Transitions, and as many start states."""
    hidden: tuple[int, ...] = (128, 128)
    """Hidden layers of nu, chi and the policy."""
    learning_rate: float = 1e-3
    """Adam's step size for nu, chi and the policy."""
    multiplier_rate: float = 1e-2
    """Adam's step size for lambda and tau, each the softplus of a number that starts at 0."""
    warm_up: float = 0.25
    """Share of the steps in which lambda and tau rest and nu regresses on the data's own discounted sums: from nu = 0
    the first weights would be those of no policy, and drive lambda far off. Not in the public form."""
    alpha: float = 0.3
    """Weight of the divergence from the data, per `reward_unit`. The parameter to sweep: a small one trusts nu more, a
    large one clones. The published .5 belongs to "raw"."""
    reward_unit: RewardUnit = "episode"
    """The unit of alpha: ten of the task's own rewards (published), or what an episode earns per step when its return
    is 1 on DSRL's scale."""
    epsilon: float = 0.01
    """Radius of the reweightings p, as a KL divergence: larger: a more pessimistic estimate of the cost."""
    advantage: Literal["regression", "sample"] = "regression"
    """What w depends on: a network's regression of e on (s, a), or the e of the transition itself, as published. The
    latter prefers transitions to lucky next states and lucky costs, which no policy can choose."""
    nu_rate: float = 0.2
    """Adam's step size for nu over the others' with "regression": q has to follow nu."""
    noise: float = 0.1
    """Standard deviation of the noise on the states and actions that the policy is fitted to, over the data's own."""
    ema_rate: float = 0.01
    """Rate of the moving average of the policy, which is evaluated; 1 takes the last one."""
    kappa: States = "data"
    """How an episode's cost limit becomes a discounted sum, see `episodic_to_discounted`; the threshold on the cost per
    step is 1 - gamma times that. It also says from which states d starts: with "start", the published
    l (1 - gamma^L) / L, from those of the episodes, else from all states of the data."""
    variant: Literal["corrected", "public"] = "corrected"
    """The paper's update, or the public code's (the differences are at the head of coptidice.py)."""

    def __post_init__(self) -> None:
        check_ranges(self, steps=AT_LEAST_0, batch_size=AT_LEAST_1, hidden=AT_LEAST_1, learning_rate=ABOVE_0)
        check_ranges(self, multiplier_rate=ABOVE_0, warm_up=SHARE, alpha=ABOVE_0, epsilon=AT_LEAST_0)
        check_ranges(self, noise=AT_LEAST_0, ema_rate=RATE, nu_rate=ABOVE_0)
