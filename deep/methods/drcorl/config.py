"""The settings of DRCORL."""

from dataclasses import dataclass, field
from typing import Literal

from deep.core.validation import ABOVE_0, AT_LEAST_0, AT_LEAST_1, RATE, SHARE, check_ranges
from deep.data.selection import Selection
from deep.methods.drcorl.behaviour_model import BehaviourConfig
from deep.methods.drcorl.gate import GateConfig
from deep.methods.drcorl.hybrid import OnlineConfig
from deep.methods.drcorl.rests import RestConfig
from deep.methods.drcorl.safe_adaptation import SafeAdaptationConfig, Temperature
from deep.methods.parts.critics import CriticConfig
from deep.nn.policies import PolicyClass
from theory.support.errors import InputError


@dataclass(frozen=True)
class DRCORLConfig:
    """Hyper-parameters; equations, tables and defaults are those of the DRCORL preprint unless said otherwise."""

    behaviour: BehaviourConfig = field(default_factory=BehaviourConfig)
    critics: CriticConfig = field(default_factory=CriticConfig)
    adaptation: SafeAdaptationConfig = field(default_factory=SafeAdaptationConfig)
    gate: GateConfig = field(default_factory=GateConfig)
    online: OnlineConfig = field(default_factory=OnlineConfig)
    rests: RestConfig = field(default_factory=RestConfig)
    clone: Selection = field(default_factory=lambda: Selection("best"))
    """The trajectories that the initial policy is cloned from (all in the preprint). The behaviour model and the
    critics are trained on all trajectories in any case."""
    policy_states: Literal["all", "cloned"] = "cloned"
    """The states of the policy's gradients in adaptation: all of the data's (the preprint), or those of the cloned
    trajectories, which are nearer to the states that the policy visits."""
    anchor: Literal["diffusion", "mse", "none"] = "diffusion"
    """The regulariser of adaptation: the reverse KL to the behaviour model (the preprint), the mean square distance to
    the data's actions, or none."""
    cloning_steps: int = 4000
    """Steps of behaviour cloning: least squares on the data's actions first, then descent of the reverse KL."""
    regression_steps: int = 4000
    """The number of these that use least squares. The others minimise the reverse KL, whose behaviour model is trained
    on all data, unsafe trajectories included. From a random start the reverse KL alone finds a good mode very
    slowly."""
    adaptation_steps: int = 1000
    """Steps of safe adaptation (2050 in Table 2)."""
    batch_size: int = 256
    """Minibatch of all phases but the behaviour model's (Table 2)."""
    policy: PolicyClass = "dirac"
    """Policy class (appendix D.1): no variance, one that depends on the state, or a constant one."""
    constant_std: float = 0.1
    """The constant policy's standard deviation."""
    hidden: tuple[int, ...] = (256, 256)
    """Hidden layers of the policy (Table 2)."""
    learning_rate: float = 6e-4
    """Adam's step size in cloning (Table 2); it decays linearly to a tenth, as in adaptation."""
    adaptation_rate: float = 5e-6
    """Adam's step size in adaptation: with 6e-4 of Table 2 a policy crosses the whole slack band between two policy
    evaluations."""
    ema_rate: float = 0.01
    """Rate of the EMA of the policy's parameters; the EMA is the policy that is evaluated."""
    update_behaviour: bool = False
    """Continue to train the behaviour model in adaptation (line 10 of Algorithm 1; the published code freezes it)."""

    def __post_init__(self) -> None:
        check_ranges(self.clone, "clone.", neighbours=AT_LEAST_1, return_share=SHARE)
        check_ranges(self, cloning_steps=AT_LEAST_0, regression_steps=AT_LEAST_0, adaptation_steps=AT_LEAST_0)
        check_ranges(self, batch_size=AT_LEAST_1, hidden=AT_LEAST_1, constant_std=ABOVE_0)
        check_ranges(self, learning_rate=ABOVE_0, adaptation_rate=ABOVE_0, ema_rate=RATE)
        if self.update_behaviour and not self.uses_behaviour:
            raise InputError(
                f"--update-behaviour with --anchor {self.anchor}: nothing reads the behaviour model; accepted is the "
                "anchor diffusion"
            )

    @property
    def reverse_kl_steps(self) -> int:
        """Steps of cloning beyond the regression."""
        return max(self.cloning_steps - self.regression_steps, 0)

    @property
    def uses_behaviour(self) -> bool:
        """Whether the anchor or cloning uses the behaviour model."""
        return self.anchor == "diffusion" or self.reverse_kl_steps > 0


PAPER = DRCORLConfig(
    behaviour=BehaviourConfig(
        steps=2_000_000,
        batch_size=2048,
        width=256,
        dropout=0.1,
        learning_rate=3e-4,
        kl_weight="vds",
        t_range=(0.02, 0.98),
    ),
    critics=CriticConfig(steps=100_000),
    clone=Selection("all"),
    policy_states="all",
    cloning_steps=20_000,
    adaptation_steps=2050,
    adaptation_rate=6e-4,
    gate=GateConfig(kind="ucb", k=2.0, select="last"),
)
"""The sizes, steps and form of the preprint."""

REBUILT = DRCORLConfig(
    behaviour=BehaviourConfig(steps=6000),
    critics=CriticConfig(
        steps=4000, regression_steps=2000, layer_norm=True, target_rate=0.1, reward="td", ensemble=2, pessimism=0.0
    ),
    adaptation=SafeAdaptationConfig(temperature=Temperature(c0=0.5)),
    clone=Selection("all"),
    policy_states="all",
    adaptation_rate=1e-4,
    adaptation_steps=2500,
    ema_rate=0.05,
    gate=GateConfig("td", k=2.0, eval_every=50),
    rests=RestConfig(every=100, steps=200, candidates=5, candidate_steps=3000),
)
"""Adaptation of a clone of all of the data (Algorithm 1), close to the behaviour policy, with critics of the policy's
own reward and cost, rests in which these catch up with the policy, and a last check: for data in which no trajectory is
good as a whole. Chosen on one HalfCheetah collection (`notebooks/results/direction`). Goes with --dynamics.steps 0,
unless an estimate is wanted."""
