"""The settings of FISOR."""

from dataclasses import dataclass, field
from typing import Literal

from deep.core.validation import ABOVE_0, AT_LEAST_0, AT_LEAST_1, BELOW_1, BETWEEN_0_AND_1, RATE, check_ranges
from deep.methods.parts.iql import IQLConfig
from theory.support.errors import InputError


@dataclass(frozen=True)
class FISORConfig:
    """Hyper-parameters; the published values are those of the paper's code."""

    critics: IQLConfig = field(default_factory=IQLConfig)
    critic_steps: int = 10_000
    """Steps of the critics (1 000 000)."""
    critic_batch_size: int = 256
    """Their minibatch."""
    violation: float = 25.0
    """h of a step that costs anything; h = -1 elsewhere."""
    reward_expectile: float = 0.9
    """tau_r of V_r."""
    feasibility_expectile: float = 0.1
    """tau_h of V_h: small, so that V_h is that of the safer actions. "Feasible" is exact only as it tends to 0: at .1,
    h = 25 and gamma = .99, V_h > 0 where more than .27 of the data's actions lead to a violation at the next step."""
    reward_temperature: float = 3.0
    """beta_r, per unit of the scaled reward: an episode's reference returns span one unit per step, as in the code."""
    reward_cap: float = 100.0
    """cap_r."""
    feasibility_temperature: float = 5.0
    """beta_h, per unit of h."""
    feasibility_cap: float = 150.0
    """cap_h."""
    policy_steps: int = 12_000
    """Steps of the policy (2 000 000: two per step of the critics)."""
    batch_size: int = 256
    """Its minibatch (1024)."""
    chain: int = 5
    """T, the steps of the denoising chain; its noise schedule is "vp"."""
    network: Literal["mlp", "residual"] = "mlp"
    """The noise predictor: a multilayer perceptron, or the published network of residual blocks."""
    hidden: tuple[int, ...] = (128, 128, 128)
    """mlp: hidden layers."""
    width: int = 256
    """residual: width of three blocks, which are four times as wide inside."""
    dropout: float = 0.0
    """residual: share of a block's inputs that is dropped in training (.1)."""
    learning_rate: float = 1e-3
    """Adam's step size for the policy; it decays linearly to a tenth (3e-4 on a cosine over 3 000 000)."""
    ema_rate: float = 0.005
    """Rate of the EMA of the policy's parameters; the EMA is evaluated (.001)."""
    candidates: int = 16
    """Samples of which the one with the least Q_h acts."""
    variant: Literal["corrected", "public"] = "corrected"
    """public: values end at timeouts, and samples are drawn as the code draws them."""

    def __post_init__(self) -> None:
        if not self.hidden:
            raise InputError("--hidden without a number: accepted are one or more, the noise predictor's hidden layers")
        check_ranges(self, critic_steps=AT_LEAST_0, critic_batch_size=AT_LEAST_1, violation=ABOVE_0)
        check_ranges(self, reward_expectile=BETWEEN_0_AND_1, feasibility_expectile=BETWEEN_0_AND_1)
        check_ranges(self, reward_temperature=AT_LEAST_0, reward_cap=AT_LEAST_1)
        check_ranges(self, feasibility_temperature=AT_LEAST_0, feasibility_cap=AT_LEAST_1)
        check_ranges(self, policy_steps=AT_LEAST_0, batch_size=AT_LEAST_1, chain=AT_LEAST_1, hidden=AT_LEAST_1)
        check_ranges(self, width=AT_LEAST_1, dropout=BELOW_1, learning_rate=ABOVE_0, ema_rate=RATE)
        check_ranges(self, candidates=AT_LEAST_1)
