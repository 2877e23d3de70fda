"""The settings of Safe-DQL."""

from dataclasses import dataclass, field
from typing import Literal

from deep.core.validation import ABOVE_0, AT_LEAST_0, AT_LEAST_1, RATE, check_ranges
from deep.methods.parts.diffusion_policy import ScheduleName
from deep.methods.parts.twin_critics import TwinConfig
from theory.support.errors import InputError

Choice = Literal["best-of-n", "sample"]


@dataclass(frozen=True)
class SafeDQLConfig:
    """Hyper-parameters; defaults are Diffusion-QL's unless said otherwise, for the paper prints none."""

    critics: TwinConfig = field(default_factory=TwinConfig)
    behaviour_steps: int = 8000
    """Steps of the warm start: L_d alone for the policy, regression on the data's own sums for the critics."""
    improvement_steps: int = 2000
    """Steps on Eq. (1); Diffusion-QL takes a million and more."""
    batch_size: int = 256
    """Minibatch."""
    chain: int = 5
    """T, the steps of the denoising chain."""
    schedule: ScheduleName = "vp"
    """How the noise grows along the chain."""
    hidden: tuple[int, ...] = (128, 128, 128)
    """Hidden layers of the noise predictor, with Mish (3 x 256 in Diffusion-QL)."""
    behaviour_rate: float = 1e-3
    """Adam's step size for the policy in the warm start, with linear decay to a tenth."""
    learning_rate: float = 3e-4
    """Adam's step size for the policy on Eq. (1), with linear decay to a tenth."""
    clip: float = 5.0
    """Largest norm of the policy's gradient on Eq. (1), per replica (1 to 9 in Diffusion-QL, by task)."""
    ema_rate: float = 0.005
    """Rate of the moving average of the policy; it bootstraps the critics and is evaluated (.005 every 5 steps)."""
    eta: float = 20.0
    """Weight of Q_r / E|Q_r|: larger trusts the reward critics more (1 in Diffusion-QL for locomotion).

    Where not falling earns most of the reward, Q_r hardly differs between actions: on the embedded data its standard
    deviation over a state's samples is 1 % of its size, and with eta = 1 the optimum of Eq. (1) is the clone itself.
    """
    twin: Literal["swapped", "min"] = "swapped"
    """The Q_r that is ascended: a twin drawn anew at each step, normalised by the other; or the minimum of Eq. (1)."""
    penalty: float = 1.0
    """lambda, of the hinge over max(kappa, 1); its value at the start of dual ascent."""
    dual_rate: float = 0.0
    """Dual ascent: lambda moves by this times (E Q_max - kappa) / max(kappa, 1) a step; 0 leaves it fixed."""
    penalty_cap: float = 100.0
    """Where dual ascent stops."""
    kappa: Literal["data", "start", "cut"] = "data"
    """How an episode's cost limit becomes a threshold on Q_c, see `episodic_to_discounted`. The critics bootstrap
    through timeouts, to which "data" belongs: on short episodes the others are stricter than the limit. All three take
    episodes of full length: for a policy that falls earlier, which may cost more a step, they err on the safe side."""
    action_selection: Choice = "best-of-n"
    """Action: of `candidates` samples the largest Q_r with Q_max <= kappa, else the smallest Q_max; or one sample."""
    candidates: int = 16
    """N of the choice "best"; Diffusion-QL takes 50, which takes about four times as long."""

    def __post_init__(self) -> None:
        if not (self.eta >= 0 and self.penalty >= 0 and self.dual_rate >= 0 and self.penalty_cap >= self.penalty):
            raise InputError(
                f"--eta {self.eta}, --penalty {self.penalty}, --dual-rate {self.dual_rate}, --penalty-cap "
                f"{self.penalty_cap}: accepted are numbers of at least 0, the penalty at most its cap"
            )
        if not self.hidden:
            raise InputError("--hidden without a number: accepted are one or more, the noise predictor's hidden layers")
        check_ranges(self, behaviour_steps=AT_LEAST_0, improvement_steps=AT_LEAST_0, batch_size=AT_LEAST_1)
        check_ranges(self, chain=AT_LEAST_1, hidden=AT_LEAST_1, candidates=AT_LEAST_1, behaviour_rate=ABOVE_0)
        check_ranges(self, learning_rate=ABOVE_0, clip=ABOVE_0, ema_rate=RATE)
